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
	 * (inclusive start of that instruction). branch NONE: a range of unknown origin, taken to
	 * lie in the same function.
	 */
	PGB_EDGE_TRACE,
	/*
	 * A branch at `branch` was taken to `from` (NONE: the source does not tell); what came
	 * next is unknown. `to` is NONE. IBS: `branch` may be a compare that is fused with the
	 * conditional branch behind it; the code tells.
	 */
	PGB_EDGE_BRANCH,
	/*
	 * The conditional branch at `branch` was not taken; `from` is the next instruction (NONE:
	 * not told). `branch` may be fused as above.
	 */
	PGB_EDGE_NOT_TAKEN,
	/* The program was at `branch`. `from` and `to` are NONE. */
	PGB_EDGE_IP,
	/*
	 * As TRACE, and whoever counted it knows that `branch` is a return (preagg R); EXTERNAL
	 * for one outside (preagg r). `to` may be NONE. Returns that the binary's own code shows
	 * to be returns may as well be TRACE or BRANCH.
	 */
	PGB_EDGE_RETURN,
	/*
	 * Straight on from `from` to `to`, entered from outside the binary, no return; the entry
	 * itself is counted by another edge (preagg f). `branch` is EXTERNAL.
	 */
	PGB_EDGE_RANGE,
	PGB_EDGE_KINDS
};

struct pgb_edge {
	uint32_t binary;
	uint32_t kind; /* enum pgb_edge_kind */
	uint64_t branch, from, to;
	uint64_t count;
	uint64_t mispredicts;
	/* Of `count`: what every other sample brought. Two halves of a recording that agree tell
	 * that it was long enough. Not stored; all 0 where nobody knows. */
	uint64_t count_odd;
};

/* Open-addressing table, grown by doubling up to a limit. */
struct pgb_edges;

/* At most PGB_LIMIT_EDGES edges, or fewer: `limit_edges`, at least 1. */
struct pgb_edges *pgb_edges_new(void);
struct pgb_edges *pgb_edges_new_limited(size_t limit_edges);
void pgb_edges_free(struct pgb_edges *edges);

/*
 * Add the counts (saturating) to the edge with this key. A warm edge costs some
 * nanoseconds and no allocation.
 */
void pgb_edges_add(struct pgb_edges *edges, const struct pgb_edge *edge);
/* The same for a branch stack's worth at once: cheaper than one by one in a large table. */
void pgb_edges_add_many(struct pgb_edges *edges, const struct pgb_edge *many, size_t count);

/*
 * Its index in pgb_edges_unsorted(), until edges are cleared or sorted; counts are left alone, and
 * are 0 for an edge that is new. NO_NUMBER: it is new, and the limit is reached.
 */
#define PGB_EDGES_NO_NUMBER UINT32_MAX
uint32_t pgb_edges_number(struct pgb_edges *edges, const struct pgb_edge *edge);

/* Forget all edges, and keep the memory: takes as long as there were edges. */
void pgb_edges_clear(struct pgb_edges *edges);

/* Number of distinct edges; counts that did not fit under the limit. */
size_t pgb_edges_count(const struct pgb_edges *edges);
uint64_t pgb_edges_overflow(const struct pgb_edges *edges);
/* Memory that the table holds now. */
size_t pgb_edges_size_bytes(const struct pgb_edges *edges);

/* The edges as they lie there; valid until the next change. */
const struct pgb_edge *pgb_edges_unsorted(const struct pgb_edges *edges, size_t *count);

/*
 * The edges by (binary, kind, branch, from, to), ascending. Sorts in place: the array is
 * borrowed and valid until the next add. `count` may not be NULL.
 */
const struct pgb_edge *pgb_edges_sorted(struct pgb_edges *edges, size_t *count);
/* The same, only those of one binary. NULL or any pointer where *count is 0. */
const struct pgb_edge *pgb_edges_of_binary(struct pgb_edges *edges, uint32_t binary, size_t *count);

/*
 * Add every edge of `other`, counts times `weight` (saturating), its binary numbers looked up in
 * `binary_of` (NULL: as they are; UINT32_MAX in it: left out). `other` is another table.
 */
void pgb_edges_merge(struct pgb_edges *edges, struct pgb_edges *other, const uint32_t *binary_of,
		     uint64_t weight);

/* Sums and products of counts stop at UINT64_MAX. */
static inline uint64_t pgb_count_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t pgb_count_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

#endif
