/* SPDX-License-Identifier: MIT */
/*
 * Counts of branches by the addresses that a process ran at: a table of a fixed size that stays in
 * the processor's cache. What has to make room for others goes to the receiver, who sums it up;
 * so one branch may come in several parts, in no particular order.
 */
#ifndef PGOBOLT_COLLECTOR_TRACE_COUNTS_H
#define PGOBOLT_COLLECTOR_TRACE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/collector/edges.h"

/* A branch, then straight on to the next one at `to`; any of them may be PGB_ADDRESS_NONE. */
struct pgb_trace {
	uint64_t branch, from, to;
	uint32_t flags;
};

struct pgb_trace_counts;

/* An edge's binary is the pid here, its kind the flags; mispredicts are 0. */
struct pgb_trace_receiver {
	void (*take)(void *context, const struct pgb_edge *edge);
	void *context;
};

/* Branches are told apart by these flags, below 1 << 15, too; by others not. */
struct pgb_trace_counts *pgb_trace_counts_new(const struct pgb_trace_receiver *receiver,
					      uint32_t flags);
void pgb_trace_counts_free(struct pgb_trace_counts *counts);

/* Count each once; `odd`: in the half that pgb_edge.count_odd is about. */
void pgb_trace_counts_add(struct pgb_trace_counts *counts, uint32_t pid, bool odd,
			  const struct pgb_trace *traces, size_t count);

/*
 * The same in steps, for decoders of many: begin, put each in its place at once, settle. The stage
 * is the counts' own; nothing else may be done with them meanwhile.
 */
enum {
	PGB_TRACE_STAGE = 64,
	PGB_TRACE_SET_BITS = 13,
	PGB_TRACE_SET_BYTES = 64,
	PGB_TRACE_ADDRESS_BITS = 48,
};

/*
 * The low bits of each word are one more than an address, 0 for NONE; the high ones the pid's two
 * halves, and the flags with PGB_TRACE_IN_USE. All 0: the slot is free.
 */
struct pgb_trace_key {
	uint64_t words[3];
};
#define PGB_TRACE_IN_USE (UINT64_C(1) << 63)

struct pgb_trace_stage {
	uint8_t *table;
	uint64_t pid_low, pid_high; /* in their words */
	uint32_t pid;
	uint32_t flags; /* those that count */
	uint32_t count;
	bool odd;
	struct pgb_trace_key keys[PGB_TRACE_STAGE];
	uint8_t *sets[PGB_TRACE_STAGE]; /* of the table, on their way to the processor's cache */
};

struct pgb_trace_stage *pgb_trace_counts_begin(struct pgb_trace_counts *counts, uint32_t pid,
					       bool odd);
void pgb_trace_counts_settle(struct pgb_trace_stage *stage);

/* For _put: addresses beyond what user space has anywhere but on the largest machines. */
void pgb_trace_counts_put_wide(struct pgb_trace_stage *stage, const struct pgb_trace *trace);

/* The top bits of a product depend on all bits of both factors below them. */
static inline size_t pgb_trace_key_set(const struct pgb_trace_key *key)
{
	return (key->words[0] * 0x9e3779b97f4a7c15u + key->words[1] * 0xbf58476d1ce4e5b9u +
		key->words[2] * 0x94d049bb133111ebu) >>
	       (64 - PGB_TRACE_SET_BITS);
}

static inline void pgb_trace_counts_put(struct pgb_trace_stage *stage, uint64_t branch,
					uint64_t from, uint64_t to, uint32_t flags)
{
	struct pgb_trace_key *key = &stage->keys[stage->count];
	uint64_t counted = flags & stage->flags;

	if (((branch + 1) | (from + 1) | (to + 1)) >> PGB_TRACE_ADDRESS_BITS) {
		pgb_trace_counts_put_wide(stage, &(struct pgb_trace){branch, from, to, flags});
		return;
	}
	key->words[0] = (branch + 1) | stage->pid_low;
	key->words[1] = (from + 1) | stage->pid_high;
	key->words[2] = (to + 1) | counted << PGB_TRACE_ADDRESS_BITS | PGB_TRACE_IN_USE;
	stage->sets[stage->count] = stage->table + pgb_trace_key_set(key) * PGB_TRACE_SET_BYTES;
	__builtin_prefetch(stage->sets[stage->count], 1);
	if (++stage->count == PGB_TRACE_STAGE)
		pgb_trace_counts_settle(stage);
}

/* Give all that is held to the receiver; the table is empty then. Takes as long as there is. */
void pgb_trace_counts_flush(struct pgb_trace_counts *counts);

#endif
