/* SPDX-License-Identifier: MIT */
/*
 * The events of a recording: their attrs, their names, and which of them a record belongs to.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_EVENTS_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/feed_perfdata_order.h"

struct pgb_perfdata_id {
	uint64_t id;
	uint32_t event_plus_one; /* 0: free */
};

/* In words of 8 bytes: from the body's start in samples, from the end in other records. */
struct pgb_perfdata_places {
	uint8_t sample_time, trailer_time; /* 0 in trailer_time: none; UINT8_MAX in the other */
};

struct pgb_perfdata_events {
	struct pgb_perfdata_info *info; /* its events, names and big_endian; borrowed */
	PGB_ARRAY(struct pgb_perfdata_places) places;
	struct pgb_perfdata_id *ids; /* open addressing */
	size_t id_count, id_capacity;
	size_t ids_seen; /* with those that came twice */
	bool prepared;	 /* no attr came since */
	bool told_apart; /* by an id; else all are alike */
	uint8_t sample_id, trailer_id;
};

/* `attr`: the attr as it stands in the file, of any size; `ids`: u64 each. PGB_E_LIMIT. */
int pgb_perfdata_events_add(struct pgb_perfdata_events *events, struct pgb_cursor attr,
			    struct pgb_cursor ids);
/* SIZE_MAX: no event has this id. */
size_t pgb_perfdata_events_index(const struct pgb_perfdata_events *events, uint64_t id);
void pgb_perfdata_events_release(struct pgb_perfdata_events *events);

/*
 * Find out how records are told apart. Errors: PGB_E_CORRUPT: no events, or several whose records
 * cannot be told apart.
 */
int pgb_perfdata_events_prepare(struct pgb_perfdata_events *events, const char *path,
				struct pgb_error *error);

/*
 * The event and the time of a kernel record; time 0: none. false: a sample of no event here.
 * Reads no further than `size_bytes`; a record too short for its fields has time 0.
 */
bool pgb_perfdata_events_find(const struct pgb_perfdata_events *events, uint32_t type,
			      const uint8_t *bytes, size_t size_bytes, uint16_t *event,
			      uint64_t *time_ns);

/*
 * `entry` is a sample; `bytes` are whole records behind it, perhaps with a part of one at the end.
 * Make it those of them that follow without a gap, of the same event, with times that ascend; not
 * above `most` in all.
 */
void pgb_perfdata_events_extend(const struct pgb_perfdata_events *events, struct pgb_cursor bytes,
				uint64_t most, struct pgb_perfdata_entry *entry);
/* The inverse, one at a time: for pgb_perfdata_order.cut. */
void pgb_perfdata_events_cut(const void *events, struct pgb_perfdata_entry *entry,
			     struct pgb_perfdata_entry *first);

#endif
