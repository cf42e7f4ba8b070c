/* SPDX-License-Identifier: MIT */
/* What sampling costs the program, before it begins: an estimate for people. */
#ifndef PGOBOLT_COLLECTOR_SOURCE_COST_H
#define PGOBOLT_COLLECTOR_SOURCE_COST_H

#include "pgobolt/base/text.h"
#include "pgobolt/collector/source.h"

struct pgb_source_cost {
	double samples_per_second; /* of CPU time; 0: nobody knows */
	double percent;		   /* of that time */
};

/*
 * Of a source that reads rings, with this event and rate, on a CPU of 3 GHz that retires an
 * instruction in each cycle, every tenth of them a taken branch.
 */
struct pgb_source_cost pgb_source_cost(const struct pgb_source *source, const char *event,
				       struct pgb_rate rate);
/* "about 1% of the CPU time, by some 3000 samples in each second of it" */
void pgb_source_cost_describe(const struct pgb_source_cost *cost, struct pgb_text *text);

#endif
