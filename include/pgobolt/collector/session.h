/* SPDX-License-Identifier: MIT */
/*
 * One recording: feed -> source -> addrspace -> edges, and the program that is recorded. Owns
 * all of them. Bounded memory: grows with distinct edges and live mappings, never with time.
 */
#ifndef PGOBOLT_COLLECTOR_SESSION_H
#define PGOBOLT_COLLECTOR_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgobolt/base/log.h"
#include "pgobolt/collector/addrspace.h"
#include "pgobolt/collector/edges.h"
#include "pgobolt/collector/event.h"
#include "pgobolt/collector/feed.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/perf_sys.h"
#include "pgobolt/collector/source.h"

struct pgb_session;

/*
 * Signals that the process got while it records; a handler writes, the session reads. The first
 * ends the recording. Each that did not come from the terminal (which reaches the program anyway)
 * is passed on to the program; from the third on the program is killed.
 */
struct pgb_session_signals {
	volatile sig_atomic_t count;
	volatile sig_atomic_t number;	     /* of the last one */
	volatile sig_atomic_t from_terminal; /* the last one: si_code SI_KERNEL */
};

/*
 * Do so for those that came since *seen (updated), for a program that is running (0: none).
 * true: there were some.
 */
bool pgb_session_signals_pass(const struct pgb_session_signals *signals, int *seen, pid_t program);

/* Borrowed; must outlive the session. */
struct pgb_session_config {
	const struct pgb_perf_sys *sys; /* NULL: the kernel */
	const struct pgb_host *host;
	const struct pgb_log *log;
	const struct pgb_source *source;
	const struct pgb_decode_options *decode; /* NULL: defaults */
	const char *event;			 /* NULL: the source's own choice */
	struct pgb_rate rate;			 /* both 0: the source's own choice */
	double max_overhead_percent;		 /* walk; 0: its default */
	size_t depth;				 /* walk: branches of one stack; 0: its default */
	uint64_t seed;				 /* walk */
	/*
	 * Whom to record: the program `argv` and all that it starts; or, where `pids` or
	 * `system_wide` are given, those, for as long as `argv` runs (NULL: no program).
	 */
	const char *const *argv;
	const char *raw_path; /* a perf.data file of what the kernel delivers, too; NULL: none */
	const pid_t *pids;
	size_t pid_count;
	bool system_wide;
	/* 0: until the end. A program that still runs then is stopped with SIGTERM. */
	uint64_t duration_ns;
	const struct pgb_session_signals *signals; /* NULL: none are caught */
	const struct pgb_binary_opener *opener;	   /* of pgb_addrspace_new(); NULL: files here */
	/* Called once all is open, before anything starts; and now and then. NULL: not. */
	void (*opened)(void *context, const struct pgb_session *session);
	void (*progress)(void *context, const struct pgb_session *session);
	void *context; /* of both */
};

/*
 * The conservation law, over branches of user space for branch sources and IPs for others:
 * seen = mapped + anonymous + unmapped + dropped(reason); mapped is what `edges` holds (of a source
 * that samples by time, but for rounding: its samples are weighed).
 */
struct pgb_session_stats {
	struct pgb_feed_stats feed;
	struct pgb_source_stats source;
	uint64_t mapped;    /* samples or branches with an end in a binary */
	uint64_t anonymous; /* JIT, vDSO, stack */
	uint64_t unmapped;  /* no mapping known there */
	uint64_t edges_overflow;
	uint64_t threads, processes, execs; /* seen to start, after the first */
	uint64_t duration_ns;
	uint64_t cpu_ns; /* our own CPU time */
	uint64_t ring_bytes;
	int exit_status; /* of the program started; 128 + signal */
	bool has_exit_status;
	int exit_signal;  /* 0: it exited */
	bool starting;	  /* the program was told to start: an error may be that of its exec */
	bool started;	  /* its exec worked */
	bool stopped;	  /* we ended it, as the duration was over */
	bool interrupted; /* a signal ended the recording */
};

int pgb_session_new(struct pgb_session **session, const struct pgb_session_config *config,
		    struct pgb_error *error);
/*
 * Start or attach, gather until the end, the duration or a stop. What was gathered is kept on
 * every way out. Errors: what the feed, the source and the program's start give.
 */
int pgb_session_run(struct pgb_session *session, struct pgb_error *error);
/* Feed records from elsewhere through the same path (perf.data, memory). */
int pgb_session_consume(struct pgb_session *session, struct pgb_feed *feed,
			struct pgb_error *error);
void pgb_session_free(struct pgb_session *session);

struct pgb_edges *pgb_session_edges(struct pgb_session *session);
struct pgb_addrspace *pgb_session_addrspace(struct pgb_session *session);
const struct pgb_session_stats *pgb_session_stats(const struct pgb_session *session);
/* Was it started as a program: what an exec mapped first, or an attached process runs? */
bool pgb_session_is_executable(const struct pgb_session *session, uint32_t binary);
/* Of the programs started, the one with most counts; PGB_BINARY_NONE. */
uint32_t pgb_session_main_binary(struct pgb_session *session);
/* The event that was used, as people write it. Borrowed. */
const char *pgb_session_event_name(const struct pgb_session *session);
struct pgb_rate pgb_session_rate(const struct pgb_session *session);

#endif
