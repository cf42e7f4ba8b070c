/* SPDX-License-Identifier: MIT */
#include "pgobolt/bench/counters.h"

#include <errno.h>
#include <string.h>

#include "pgobolt/collector/event.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/perf_sys.h"

static const struct {
	const char *name, *event;
} table[PGB_COUNTERS] = {
	[PGB_COUNTER_INSTRUCTIONS] = {"instructions", "instructions"},
	[PGB_COUNTER_CYCLES] = {"cycles", "cycles"},
	[PGB_COUNTER_BRANCHES] = {"branches", "branches"},
	[PGB_COUNTER_BRANCH_MISSES] = {"branch misses", "branch-misses"},
	[PGB_COUNTER_L1I_MISSES] = {"L1-icache misses", "perf::L1-ICACHE-LOAD-MISSES"},
	[PGB_COUNTER_ITLB_MISSES] = {"iTLB misses", "perf::ITLB-LOAD-MISSES"},
};

const char *pgb_counter_name(enum pgb_counter counter)
{
	return table[counter].name;
}

static int open_one(struct pgb_counters *counters, int i, pid_t pid)
{
	const struct pgb_perf_sys *system = counters->system;

	return system->event_open(system->context, &counters->attributes[i], pid, -1, -1,
				  PERF_FLAG_FD_CLOEXEC);
}

static void close_one(struct pgb_counters *counters, int i)
{
	if (counters->fds[i] >= 0)
		counters->system->close(counters->system->context, counters->fds[i]);
	counters->fds[i] = -1;
}

int pgb_counters_init(struct pgb_counters *counters, const struct pgb_host *host,
		      const struct pgb_perf_sys *system, struct pgb_error *error)
{
	int refusal = 0;
	bool any = false;

	*counters = (struct pgb_counters){.system = system};
	for (int i = 0; i < PGB_COUNTERS; i++) {
		struct perf_event_attr *attr = &counters->attributes[i];

		counters->fds[i] = -1;
		attr->size = sizeof(*attr);
		if (pgb_event_parse(host, table[i].event, attr, NULL) != 0)
			continue;
		attr->disabled = 1;
		attr->enable_on_exec = 1;
		attr->inherit = 1;
		attr->exclude_kernel = 1;
		attr->exclude_hv = 1;
		attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
		counters->fds[i] = open_one(counters, i, 0);
		counters->known[i] = counters->fds[i] >= 0;
		refusal = counters->known[i] ? refusal : -counters->fds[i];
		any |= counters->known[i];
		close_one(counters, i);
	}
	if (any)
		return 0;
	if (refusal == EACCES || refusal == EPERM) {
		pgb_fail(error, PGB_E_PERMISSION, "the kernel forbids CPU counters to this user");
		return pgb_remedy(error, "sysctl kernel.perf_event_paranoid=2");
	}
	return pgb_fail(error, PGB_E_UNSUPPORTED, "this %s has no CPU performance counters",
			host->is_virtual ? "virtual machine" : "machine");
}

void pgb_counters_open(struct pgb_counters *counters, pid_t pid)
{
	for (int i = 0; i < PGB_COUNTERS; i++)
		counters->fds[i] = counters->known[i] ? open_one(counters, i, pid) : -1;
}

void pgb_counters_take(struct pgb_counters *counters, struct pgb_counts *counts)
{
	const struct pgb_perf_sys *system = counters->system;

	for (int i = 0; i < PGB_COUNTERS; i++) {
		uint64_t read[3]; /* value, time enabled, time running */

		counts->values[i] = -1;
		if (counters->fds[i] < 0)
			continue;
		if (system->read(system->context, counters->fds[i], read, sizeof(read)) ==
			    (ssize_t)sizeof(read) &&
		    read[2] > 0)
			counts->values[i] = (double)read[0] * ((double)read[1] / (double)read[2]);
		close_one(counters, i);
	}
}
