/* SPDX-License-Identifier: MIT */
/*
 * From samples of single instructions (IBS, SPE, plain addresses) to what branch stacks would have
 * told: how often each edge of a function's control-flow graph was used. Each sample shows one
 * branch, or one address; what ran between them follows from the graph and from what entered a
 * block having left it. The likeliest flow that does so is searched for, function by function
 * (flow.h, which names the literature).
 *
 * What is known of a block's count: branches in it, taken or not; samples at its other
 * instructions, each a chance to see the block; where SPE tells the target of the branch before,
 * the blocks that were run straight through since. Calls count with their block, a function's
 * entry with the calls to it.
 */
#ifndef PGOBOLT_BOLT_INFER_H
#define PGOBOLT_BOLT_INFER_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/flow.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edges.h"

/* Written counts are so many times the samples: a block of ten instructions is worth a tenth. */
#define PGB_INFER_SCALE PGB_FLOW_SCALE

struct pgb_infer_stats {
	uint64_t functions;	     /* whose flow was inferred .. */
	uint64_t functions_unsolved; /* .. and where it took too long: counts as they were seen */
	uint64_t blocks;
	uint64_t lines_seen;	/* written ones that samples showed .. */
	uint64_t lines_filled;	/* .. and those that follow from the graph alone .. */
	uint64_t counts_seen;	/* .. and what is written in each, .. */
	uint64_t counts_filled; /* .. PGB_INFER_SCALE to a sample */
};

/* When to infer. */
enum pgb_infer_when {
	PGB_INFER_SINGLE, /* single branches; the default */
	PGB_INFER_ALWAYS, /* addresses alone, too */
	PGB_INFER_NEVER,
};

/*
 * Are these the edges of a source of single branches? Branches of which no chain tells what came
 * next, and those that were not taken beside them.
 */
bool pgb_infer_applies(const struct pgb_edge *edges, size_t count);

/*
 * BRANCH, NOT_TAKEN, RANGE, TRACE, RETURN and IP edges of one binary to branches, as
 * pgb_profile_add_branch_edges() does, and then inferred. `profile` is empty or holds branches.
 * IP edges alone will do. `stats` counts edges as that function does, IP edges as written.
 */
int pgb_infer_edges(struct pgb_profile *profile, struct pgb_cfgs *cfgs, struct pgb_edges *edges,
		    uint32_t binary, struct pgb_profile_stats *stats,
		    struct pgb_infer_stats *inferred, struct pgb_error *error);

#endif
