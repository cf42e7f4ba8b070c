/* SPDX-License-Identifier: MIT */
/*
 * Puts records in time order, as far as that matters: a batch is sorted where one of its records
 * changes what the others mean (a mapping, an exec, a fork); else it stays as it came.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_ORDER_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"

/* A record; or samples of one event that stand one behind the other, none older than the one
 * before. */
struct pgb_perfdata_entry {
	uint64_t time_ns; /* of the first; 0: none; before all others */
	uint64_t last_ns; /* of the last */
	const uint8_t *bytes;
	uint32_t size_bytes;
	uint32_t count;
	uint32_t chunk : 20;
	uint32_t member : 12; /* whose chunk: the stream's index */
	uint16_t event : 14;
	uint16_t samples : 1;
	uint16_t matters : 1; /* others depend on its place in time */
};

/* Zeroed = empty. */
struct pgb_perfdata_order {
	/* Cut the first one off an entry of several; NULL: there are none such. */
	void (*cut)(const void *context, struct pgb_perfdata_entry *entry,
		    struct pgb_perfdata_entry *first);
	const void *context;
	PGB_ARRAY(struct pgb_perfdata_entry) pending;
	PGB_ARRAY(struct pgb_perfdata_entry) ready;
	PGB_ARRAY(struct pgb_perfdata_entry) scratch;
	size_t ready_at;
	uint64_t pending_records; /* in those entries */
	size_t matters;		  /* among the pending */
	bool unsorted;		  /* the pending */
	uint64_t latest_ns;	  /* of all that was added */
	uint64_t round_ns;	  /* the same, when the last round ended */
	uint64_t released_ns;	  /* everything up to here was handed out */
	bool rounds;		  /* a round's end was met */
	bool any_disorder;	  /* times did not only ascend */
	uint64_t late;		  /* came after its time had been handed out */
};

void pgb_perfdata_order_release(struct pgb_perfdata_order *order);
void pgb_perfdata_order_add(struct pgb_perfdata_order *order,
			    const struct pgb_perfdata_entry *entry);
/* FINISHED_ROUND: nothing that comes is older than what the round before this one held. */
void pgb_perfdata_order_round(struct pgb_perfdata_order *order);
/* Nothing that comes is older than `limit_ns`. */
void pgb_perfdata_order_until(struct pgb_perfdata_order *order, uint64_t limit_ns);
/* Hand out the older half of what is pending, for want of room. */
void pgb_perfdata_order_halve(struct pgb_perfdata_order *order);
/* The end: hand out everything. */
void pgb_perfdata_order_finish(struct pgb_perfdata_order *order);
/* The next one that is ready; NULL: add more first. Valid until the next call. */
const struct pgb_perfdata_entry *pgb_perfdata_order_next(struct pgb_perfdata_order *order);

#endif
