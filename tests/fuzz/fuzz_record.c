/* SPDX-License-Identifier: MIT */
/*
 * The input's first bytes choose the format, the rest is a stream of records; whatever a record
 * points to is read.
 */
#include <stdint.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/feed_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static volatile uint64_t sink;

static void read_all(struct pgb_cursor cursor)
{
	while (pgb_cursor_left(&cursor) > 0)
		sink += pgb_cursor_u8(&cursor);
}

static void read_record(const struct pgb_record *record)
{
	struct pgb_cursor entries = record->stack.entries;

	for (uint64_t i = 0; i < record->stack.count; i++)
		sink += pgb_record_entry(&entries).bits;
	pgb_assert(!entries.truncated);
	read_all(record->raw);
	read_all(record->aux_bytes);
	if (record->type == PERF_RECORD_MMAP || record->type == PERF_RECORD_MMAP2)
		sink += strlen(record->mmap.path);
	if (record->type == PERF_RECORD_COMM)
		sink += strlen(record->comm);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	struct pgb_record_format format = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	uint8_t flags;

	format.sample_type = pgb_cursor_u32(&cursor);
	format.branch_sample_type = pgb_cursor_u32(&cursor);
	format.sample_regs_user = pgb_cursor_u16(&cursor);
	format.sample_regs_intr = pgb_cursor_u16(&cursor);
	format.read_format = pgb_cursor_u8(&cursor);
	flags = pgb_cursor_u8(&cursor);
	format.sample_id_all = flags & 1;
	format.big_endian = flags & 2;
	feed = pgb_feed_memory_new(cursor, &format);
	while (pgb_feed_next(feed, &record, NULL) == 1)
		read_record(&record);
	pgb_assert(feed->stats.bytes <= size_bytes);
	pgb_feed_free(feed);
	return 0;
}
