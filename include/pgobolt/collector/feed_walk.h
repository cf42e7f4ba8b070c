/* SPDX-License-Identifier: MIT */
/*
 * The software branch stack as a feed: samples with a branch stack, as hardware would give them,
 * made by visiting running threads (walker). Behind it everything is as with LBR.
 *
 * Who is visited when: each thread draws a ticket per period of CPU time in user mode, from perf's
 * cpu-clock. Of the tickets at hand one is drawn at random. A task that has not had its first
 * ticket yet is young; while there are such, one that runs is visited once a period, too: short
 * processes are seen as often as long ones are in the same time.
 *
 * What it may cost: max_overhead percent of the program's CPU time (walk_budget). The period
 * follows from what visits cost, so that there are not many more tickets than can be paid for.
 *
 * A visit follows a fixed number of instructions, not of branches: a ticket stands for a length of
 * time, and where branches are dense more of them fall into it. With a fixed number of branches
 * slow code would count too much.
 *
 * A process seen for the first time, or with code that was not mapped before, tells its mappings
 * as COMM and MMAP2 records, read from /proc while it is stopped.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_WALK_H
#define PGOBOLT_COLLECTOR_FEED_WALK_H

#include <sys/types.h>

#include "pgobolt/base/log.h"
#include "pgobolt/collector/feed.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/perf_sys.h"
#include "pgobolt/collector/walker.h"

/* Borrowed for the time of the call, but for `sys`, which must outlive the feed. */
struct pgb_feed_walk_config {
	const struct pgb_perf_sys *sys;
	const struct pgb_host *host;
	const struct pgb_log *log;
	const pid_t *pids;
	size_t pid_count;
	bool own_child;	    /* the one pid is a held child of ours: tickets start at its exec */
	uint64_t period_ns; /* CPU time per ticket; 0: what can be paid for */
	size_t depth;	    /* taken branches of a visit, on average; 0: default */
	double max_overhead_percent; /* 0: default */
	uint64_t seed;
};

#define PGB_WALK_DEPTH	      512
#define PGB_WALK_PERIOD_NS    1000003 /* of a plan; what is used follows from what visits cost */
#define PGB_WALK_MAX_OVERHEAD 10.0

/* Errors as pgb_feed_live_new() and pgb_walker_new(). */
int pgb_feed_walk_new(struct pgb_feed **feed, const struct pgb_feed_walk_config *config,
		      struct pgb_error *error);

struct pgb_feed_walk_stats {
	uint64_t tickets;
	uint64_t visits[PGB_VISITS];
	uint64_t ends[PGB_LOOKAHEAD_ENDS];
	uint64_t branches, decisions, instructions, pages_read;
	uint64_t cost_ns;    /* our CPU time, and what the program is thought to lose besides */
	uint64_t program_ns; /* its CPU time */
	uint64_t scans;	     /* of /proc/PID/maps */
};
void pgb_feed_walk_stats(const struct pgb_feed *feed, struct pgb_feed_walk_stats *stats);

#endif
