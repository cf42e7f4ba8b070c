/* SPDX-License-Identifier: MIT */
/*
 * The table of counted edges: where the machine ends and plain data begins.
 *
 * Addresses are file virtual addresses of the edge's binary. A branch that crosses from binary A
 * into binary B is two edges: in A (branch -> PGB_ADDRESS_EXTERNAL) and in B
 * (PGB_ADDRESS_EXTERNAL -> from .. to).
 */
#ifndef PGOBOLT_COLLECTOR_EDGES_H
#define PGOBOLT_COLLECTOR_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PGB_ADDRESS_NONE     UINT64_MAX	      /* there is no such end: no range, no branch */
#define PGB_ADDRESS_EXTERNAL (UINT64_MAX - 1) /* outside this binary */

enum pgb_edge_kind {
	/*
	 * A branch at `branch` was taken to `from`, and straight on to the branch at `to`
	 * (inclusive start of that instruction). branch NONE: a range of unknown origin.
	 */
	PGB_EDGE_TRACE,
	/* A branch at `branch` was taken to `from`; what came next is unknown. `to` is NONE. */
	PGB_EDGE_BRANCH,
	/* The conditional branch at `branch` was not taken; `from` is the next instruction. */
	PGB_EDGE_NOT_TAKEN,
	/* The program was at `branch`. `from` and `to` are NONE. */
	PGB_EDGE_IP,
	PGB_EDGE_KINDS
};

struct pgb_edge {
	uint32_t binary;
	uint32_t kind; /* enum pgb_edge_kind */
	uint64_t branch, from, to;
	uint64_t count;
	uint64_t mispredicts;
};

/* Open-addressing table, grown by doubling up to PGB_LIMIT_EDGES. */
struct pgb_edges;

struct pgb_edges *pgb_edges_new(void);
void pgb_edges_free(struct pgb_edges *edges);

/* Add count and mispredicts (saturating) to the edge with this key. */
void pgb_edges_add(struct pgb_edges *edges, const struct pgb_edge *edge);

/* Number of distinct edges; counts that did not fit under the limit. */
size_t pgb_edges_count(const struct pgb_edges *edges);
uint64_t pgb_edges_overflow(const struct pgb_edges *edges);

/*
 * The edges by (binary, kind, branch, from, to), ascending. Sorts in place: the array is
 * borrowed and valid until the next add. `count` may not be NULL.
 */
const struct pgb_edge *pgb_edges_sorted(struct pgb_edges *edges, size_t *count);

/* Add every edge of `other`, its binary numbers looked up in `binary_of` (NULL: as they are). */
void pgb_edges_merge(struct pgb_edges *edges, struct pgb_edges *other, const uint32_t *binary_of,
		     uint64_t weight);

#endif
