/* SPDX-License-Identifier: MIT */
/*
 * The likeliest flow through a graph of which parts were sampled.
 *
 * Each arc was seen `count` times, by somebody who would have seen each use of it with the same
 * small probability, `exposure` times over. Counts that are rare and independent follow Poisson's
 * law: an arc that is used x times costs exposure * x - count * log(x), least where
 * x = count / exposure, flat for counts that are small, and linear where nothing was seen. Searched
 * is the circulation (what enters a node leaves it) that costs least.
 *
 * That is a minimum-cost flow with convex costs, as in Levin, Newman and Haber, "Complementing
 * missing and inaccurate profiling using a minimum cost circulation algorithm" (HiPEAC 2008), and
 * He, Mestre, Pupyrev, Wang and Yu, "Profile inference revisited" (POPL 2022), who choose the costs
 * of deviations by hand; here they follow from how the counts came about. Costs are made piecewise
 * linear around the count, in steps of its standard deviation, and solved by cost scaling with
 * push and relabel (Goldberg and Tarjan 1990). Integers only: the same input gives the same flow
 * on every machine.
 */
#ifndef PGOBOLT_BOLT_FLOW_H
#define PGOBOLT_BOLT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A flow of so much stands for one count at exposure 1. */
#define PGB_FLOW_SCALE 100
/* Counts and exposures are in parts of it, so that some can weigh less than others. */
#define PGB_FLOW_WEIGHT 65536

struct pgb_flow_arc {
	uint32_t tail, head; /* nodes */
	uint64_t exposure;   /* 0: nobody looked, whatever count says */
	uint64_t count;
	uint32_t price; /* of each use, in parts of PGB_FLOW_WEIGHT of what an unseen use costs */
	int64_t flow;	/* the result */
};

/*
 * Sets the flow of every arc. false: `steps_most` steps did not do, or there is too much of
 * everything; flows are near the counts then, and do not conserve. Nodes are numbered from 0.
 */
bool pgb_flow_solve(struct pgb_flow_arc *arcs, size_t arc_count, size_t node_count,
		    uint64_t steps_most);

#endif
