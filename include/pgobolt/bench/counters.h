/* SPDX-License-Identifier: MIT */
/*
 * What the CPU counted while a command ran, in user space, its children included.
 */
#ifndef PGOBOLT_BENCH_COUNTERS_H
#define PGOBOLT_BENCH_COUNTERS_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pgobolt/base/error.h"

struct pgb_host;
struct pgb_perf_sys;

enum pgb_counter {
	PGB_COUNTER_INSTRUCTIONS,
	PGB_COUNTER_CYCLES,
	PGB_COUNTER_BRANCHES,
	PGB_COUNTER_BRANCH_MISSES,
	PGB_COUNTER_L1I_MISSES,
	PGB_COUNTER_ITLB_MISSES,
	PGB_COUNTERS
};

/* "instructions", "L1-icache misses": for people. */
const char *pgb_counter_name(enum pgb_counter counter);

/* Negative: not counted. Scaled up where the CPU had to count in turns. */
struct pgb_counts {
	double values[PGB_COUNTERS];
};

struct pgb_counters {
	const struct pgb_perf_sys *system; /* borrowed */
	struct perf_event_attr attributes[PGB_COUNTERS];
	bool known[PGB_COUNTERS];
	int fds[PGB_COUNTERS]; /* -1: closed */
};

/*
 * Which counters there are, tried on this process. PGB_E_UNSUPPORTED or PGB_E_PERMISSION where
 * there is none: then `counters` may still be used, and counts nothing.
 */
int pgb_counters_init(struct pgb_counters *counters, const struct pgb_host *host,
		      const struct pgb_perf_sys *system, struct pgb_error *error);

/* Count from the next exec of `pid` on. A counter that cannot be opened stays closed. */
void pgb_counters_open(struct pgb_counters *counters, pid_t pid);
/* Read once the process has ended, and close. */
void pgb_counters_take(struct pgb_counters *counters, struct pgb_counts *counts);

#endif
