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

/* Give all that is held to the receiver; the table is empty then. Takes as long as there is. */
void pgb_trace_counts_flush(struct pgb_trace_counts *counts);

#endif
