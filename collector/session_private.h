/* SPDX-License-Identifier: MIT */
/* What session.c (records to edges) and session_run.c (the live run) share. */
#ifndef PGOBOLT_COLLECTOR_SESSION_PRIVATE_H
#define PGOBOLT_COLLECTOR_SESSION_PRIVATE_H

#include <pthread.h>

#include "collector/visits.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/collector/session.h"
#include "pgobolt/collector/tasks.h"

enum {
	PGB_SESSION_WAITING = 64,
	PGB_SESSION_SPILLED = 65536,
};

/* Decodes and counts, by process and run-time address, until a mapping changes: see session.c. */
struct pgb_session_counter {
	struct pgb_session *session;
	struct pgb_trace_counts *fresh;
	struct pgb_edges *spilled; /* had to leave there; at most PGB_SESSION_SPILLED */
	struct pgb_source_stats *stats;
	struct pgb_sink sink;
	bool odd; /* the half that the sample is in */
};

/* A thread that is gone; `was_last`: and its process with it, whose mappings are still kept. */
struct pgb_session_ended {
	uint32_t pid, tid;
	bool was_last;
};

struct pgb_session {
	struct pgb_session_config config;
	const struct pgb_perf_sys *sys;
	struct pgb_decode_options decode;
	struct pgb_source_plan plan; /* made by pgb_session_run() */
	struct pgb_addrspace *space;
	struct pgb_edges *edges;
	struct pgb_session_counter counter;
	struct pgb_feed *consumed;	     /* by pgb_session_consume(), and whose help it has */
	struct pgb_session_helpers *helpers; /* NULL: none, as in live runs */
	uint64_t samples;		     /* seen so far */
	/* Of `space`, `edges` and what is on its way to these while helpers are at work. */
	pthread_mutex_t place_lock;
	struct pgb_edge waiting[PGB_SESSION_WAITING]; /* on their way to `edges` */
	size_t waiting_count;
	/* where the source samples by time; NULL else */
	struct pgb_visits *visits;
	struct pgb_edges *visit; /* the edges of one */
	struct pgb_tasks tasks;
	PGB_ARRAY(struct pgb_session_ended) ended; /* where AUX areas are read; oldest first */
	struct pgb_switches switches;
	PGB_ARRAY(uint32_t) awaiting;	 /* pids whose exec has not mapped its program yet */
	PGB_ARRAY(uint32_t) executables; /* binaries that were started as programs */
	struct pgb_session_stats stats;

	/* the live run */
	struct pgb_feed *feed;
	struct pgb_perfdata_writer *raw; /* NULL: not wanted */
	struct pgb_process process;	 /* the program */
	int signals_seen;
	uint64_t start_ns, progress_ns, cpu_start_ns;
};

/* One record on its way to the edges. */
void pgb_session_dispatch(struct pgb_session *session, const struct pgb_record *record);
/* Remember that a binary was started as a program; none and anonymous ones are ignored. */
void pgb_session_add_executable(struct pgb_session *session, uint32_t binary);

/* A thread has ended: keep it, and what its process had mapped, for samples that come late. */
void pgb_session_end_later(struct pgb_session *session, uint32_t pid, uint32_t tid, bool was_last);
/* These numbers were given again: what was kept under them goes now. */
void pgb_session_begin_again(struct pgb_session *session, uint32_t pid, uint32_t tid);
/* For the sink: the process of a thread, also of one that has ended; 0: not known. */
uint32_t pgb_session_process_of(void *context, uint32_t tid);
/* Likewise, who ran on a CPU at a time. */
bool pgb_session_thread_at(void *context, uint32_t cpu, uint64_t time_ns,
			   struct pgb_switch *thread);

void pgb_session_counter_init(struct pgb_session_counter *counter, struct pgb_session *session,
			      struct pgb_source_stats *stats);
void pgb_session_counter_release(struct pgb_session_counter *counter);
/* `samples_before`: how many the session saw, which tells the half that each one is in. */
void pgb_session_decode_run(struct pgb_session_counter *counter, struct pgb_feed_run *run,
			    uint64_t samples_before);
/* To the edges with all it has counted. */
void pgb_session_counter_flush(struct pgb_session_counter *counter);

/* Count an edge by its run-time addresses, its binary the pid, its kind the flags. */
void pgb_session_place(struct pgb_session *session, const struct pgb_edge *fresh);
/* What was placed goes to the edges in batches: now. */
void pgb_session_place_waiting(struct pgb_session *session);

/* session_visits.c */
void pgb_session_take_visit(struct pgb_session *session, const struct pgb_record *record);
/* To the edges with all visits so far. */
void pgb_session_settle_visits(struct pgb_session *session);
void pgb_session_visits_release(struct pgb_session *session);

/* session_helpers.c */
struct pgb_session_helpers *pgb_session_helpers_new(struct pgb_session *session);
void pgb_session_helpers_free(struct pgb_session_helpers *helpers);
/* The run goes back to the feed once it is decoded. */
void pgb_session_helpers_take(struct pgb_session_helpers *helpers, const struct pgb_feed_run *run,
			      uint64_t samples_before);
/* Wait until all that was taken is decoded, and with the edges but for the session's own part. */
void pgb_session_helpers_finish(struct pgb_session_helpers *helpers);

#endif
