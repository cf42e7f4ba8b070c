/* SPDX-License-Identifier: MIT */
/*
 * The way to a sample's branch stack where all in front of it has a fixed size, as in most
 * recordings: found once for an event, not field by field for each sample.
 */
#ifndef PGOBOLT_COLLECTOR_RECORD_STACK_H
#define PGOBOLT_COLLECTOR_RECORD_STACK_H

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/record.h"

/* Offsets in the record; stack 0: there is no such way. */
struct pgb_record_way {
	size_t pid, stack, entries;
};

struct pgb_record_way pgb_record_way_of(const struct pgb_record_format *format);

/*
 * Take the sample at the front of `bytes`: its pid and stack go into `record`, which is zeroed but
 * for what this wrote before. false: pgb_record_parse() has to look at it, nothing was taken.
 */
static inline bool pgb_record_take_stack(const struct pgb_record_way *way, struct pgb_cursor *bytes,
					 struct pgb_record *record)
{
	const uint8_t *at = bytes->at;
	struct perf_event_header header;
	uint64_t count;

	if (way->stack == 0 || pgb_cursor_left(bytes) < way->entries)
		return false;
	memcpy(&header, at, sizeof(header));
	memcpy(&record->pid, at + way->pid, sizeof(record->pid));
	memcpy(&count, at + way->stack, sizeof(count));
	if (header.type != PERF_RECORD_SAMPLE || header.size > pgb_cursor_left(bytes) ||
	    header.size < way->entries || count > PGB_LIMIT_STACK_ENTRIES ||
	    count * sizeof(struct pgb_record_entry) > header.size - way->entries)
		return false;
	record->type = header.type;
	record->size_bytes = header.size;
	record->stack.count = count;
	record->stack.entries =
		pgb_cursor_of(at + way->entries, count * sizeof(struct pgb_record_entry));
	bytes->at += header.size;
	return true;
}

#endif
