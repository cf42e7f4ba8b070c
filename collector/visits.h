/* SPDX-License-Identifier: MIT */
/*
 * Visits that begin by time, and how much each of them counts. A program spends more time where it
 * waits for memory than where it computes, so more visits begin there, and code that waits would
 * count for more than its executions. No clock is needed to set this right: what a visit passes
 * tells what is executed together, and where visits begin tells what takes long.
 *
 * Visits that look alike, and have alike neighbours in time, are of one phase. In a phase that is
 * worth W visits, a place of which it executes the share f is where W * f * cost visits begin. A
 * place costs the same in all phases, but for waiting: what is far above expectation counts little,
 * and the more a place contradicts itself, the less it says about W. Code that phases have in
 * common so tells their speed; phases that share none keep the weight that time gave them. Within
 * a phase, visits that begin where it waits count less.
 *
 * Where all these weights are about 1 they are left at 1: what would differ is noise.
 *
 * Besides, each visit counts by how fast it is taken to be: less when it touches memory that the
 * visits before did not, and less, down to half, when it passes code where no visit to its process
 * was before. What runs for the first time finds caches and branch predictors cold.
 */
#ifndef PGOBOLT_COLLECTOR_VISITS_H
#define PGOBOLT_COLLECTOR_VISITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/collector/edges.h"

struct pgb_visits;

struct pgb_visit {
	uint32_t process; /* neighbours in time are visits to one process */
	uint32_t start_binary;
	uint64_t start;	 /* where it began; PGB_ADDRESS_NONE: unknown */
	double slowness; /* of its instructions; 1: they find all data at hand */
};

struct pgb_visits *pgb_visits_new(void);
/* NULL is legal. */
void pgb_visits_free(struct pgb_visits *visits);
/* One more, in the order of time; `edges` are what it passed. */
void pgb_visits_add(struct pgb_visits *visits, const struct pgb_visit *visit,
		    const struct pgb_edge *edges, size_t count);
/* Are there so many that they should go to the edges now? */
bool pgb_visits_full(const struct pgb_visits *visits);
/* Add all to the edges, by their weights, and forget them. The sum of all counts stays. */
void pgb_visits_settle(struct pgb_visits *visits, struct pgb_edges *edges);

#endif
