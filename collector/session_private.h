/* SPDX-License-Identifier: MIT */
/* What session.c (records to edges) and session_run.c (the live run) share. */
#ifndef PGOBOLT_COLLECTOR_SESSION_PRIVATE_H
#define PGOBOLT_COLLECTOR_SESSION_PRIVATE_H

#include "pgobolt/collector/process.h"
#include "pgobolt/collector/session.h"
#include "pgobolt/collector/tasks.h"

enum {
	PGB_SESSION_WAITING = 64,
	PGB_SESSION_FRESH = 65536,
};

struct pgb_session {
	struct pgb_session_config config;
	const struct pgb_perf_sys *sys;
	struct pgb_decode_options decode;
	struct pgb_source_plan plan; /* made by pgb_session_run() */
	struct pgb_sink sink;
	struct pgb_addrspace *space;
	struct pgb_edges *edges;
	/* Since the last change of a mapping, by process and run-time address: see session.c. */
	struct pgb_edges *fresh;
	struct pgb_edge waiting[PGB_SESSION_WAITING]; /* on their way there */
	size_t waiting_count;
	struct pgb_tasks tasks;
	PGB_ARRAY(uint32_t) awaiting;	 /* pids whose exec has not mapped its program yet */
	PGB_ARRAY(uint32_t) executables; /* binaries that were started as programs */
	struct pgb_session_stats stats;

	/* the live run */
	struct pgb_feed *feed;
	struct pgb_process process; /* the program */
	int signals_seen;
	uint64_t start_ns, progress_ns, cpu_start_ns;
};

/* One record on its way to the edges. */
void pgb_session_dispatch(struct pgb_session *session, const struct pgb_record *record);
/* Remember that a binary was started as a program; none and anonymous ones are ignored. */
void pgb_session_add_executable(struct pgb_session *session, uint32_t binary);

#endif
