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

#include "pgobolt/base/hash.h"
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

/*
 * Where in the table, in bytes. The addresses of one file differ in their low bits, which lie side
 * by side in the sum; the top bits of a product depend on all bits of its factors.
 */
static inline size_t pgb_trace_key_place(const struct pgb_trace_key *key)
{
	uint64_t sum = key->words[0] + pgb_rotate_left(key->words[1], 21) +
		       pgb_rotate_left(key->words[2], 42);
	uint64_t top = (sum * 0x9e3779b97f4a7c15u) >> (64 - PGB_TRACE_SET_BITS);

	return top * PGB_TRACE_SET_BYTES;
}

/* A stage while it is filled: what the compiler is to keep in registers. */
struct pgb_trace_row {
	struct pgb_trace_stage *stage;
	uint8_t *table;
	uint64_t pid_low, pid_high;
	uint32_t flags, count;
};

static inline struct pgb_trace_row pgb_trace_row_begin(struct pgb_trace_stage *stage)
{
	return (struct pgb_trace_row){
		.stage = stage,
		.table = stage->table,
		.pid_low = stage->pid_low,
		.pid_high = stage->pid_high,
		.flags = stage->flags,
		.count = stage->count,
	};
}

/* What was put is in the stage then, and not settled. */
static inline void pgb_trace_row_end(const struct pgb_trace_row *row)
{
	row->stage->count = row->count;
}

/* Addresses below this: neither wide nor the kernel's. */
#define PGB_TRACE_PLAIN (UINT64_C(1) << 47)

/* `branch` and `from` are plain, and `to_word` is one more than a plain `to`, or 0 for NONE. */
static inline void pgb_trace_row_put_plain(struct pgb_trace_row *row, uint64_t branch,
					   uint64_t from, uint64_t to_word, uint32_t flags)
{
	uint64_t counted = flags & row->flags;
	struct pgb_trace_key key = {{
		(branch + 1) | row->pid_low,
		(from + 1) | row->pid_high,
		to_word | counted << PGB_TRACE_ADDRESS_BITS | PGB_TRACE_IN_USE,
	}};
	uint8_t *set = row->table + pgb_trace_key_place(&key);

	__builtin_prefetch(set, 1);
	row->stage->keys[row->count] = key;
	row->stage->sets[row->count] = set;
	if (__builtin_expect(++row->count == PGB_TRACE_STAGE, 0)) {
		pgb_trace_row_end(row);
		pgb_trace_counts_settle(row->stage);
		row->count = 0;
	}
}

/* Any addresses. */
void pgb_trace_row_put(struct pgb_trace_row *row, uint64_t branch, uint64_t from, uint64_t to,
		       uint32_t flags);

/* Give all that is held to the receiver; the table is empty then. Takes as long as there is. */
void pgb_trace_counts_flush(struct pgb_trace_counts *counts);

#endif
