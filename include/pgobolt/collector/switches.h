/* SPDX-License-Identifier: MIT */
/*
 * Which thread ran on a CPU at a time, from the kernel's records of context switches: whose samples
 * are that hardware took of a whole CPU and that do not say so themselves.
 */
#ifndef PGOBOLT_COLLECTOR_SWITCHES_H
#define PGOBOLT_COLLECTOR_SWITCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/collector/record.h"

struct pgb_switch {
	uint64_t time_ns;
	uint32_t pid, tid; /* who ran from then on; 0: idle, or not known */
};

struct pgb_switches_cpu {
	PGB_ARRAY(struct pgb_switch) items; /* ascending */
	uint64_t piece_ns;		    /* of the last AUX record */
};

struct pgb_switches {
	PGB_ARRAY(struct pgb_switches_cpu) cpus; /* by number */
};

void pgb_switches_release(struct pgb_switches *switches);

/*
 * A record in its order of time. SWITCH_CPU_WIDE tells who comes; after LOST it is not known who
 * ran since the last switch; AUX, once its samples were looked up, lets go of what is older than
 * they are. Others are ignored.
 */
void pgb_switches_take(struct pgb_switches *switches, const struct pgb_record *record);

/* The thread that ran on this CPU; false: not known, or none. */
bool pgb_switches_find(const struct pgb_switches *switches, uint32_t cpu, uint64_t time_ns,
		       struct pgb_switch *thread);

#endif
