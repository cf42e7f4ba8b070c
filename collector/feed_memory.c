/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_memory.h"

#include "pgobolt/base/alloc.h"

struct feed_memory {
	struct pgb_feed base;
	struct pgb_cursor bytes;
	const struct pgb_record_format *format;
};

static int next(struct pgb_feed *feed, struct pgb_record *record, struct pgb_error *error)
{
	struct feed_memory *memory = (struct feed_memory *)feed;

	(void)error;
	for (;;) {
		int code = pgb_record_parse(&memory->bytes, memory->format, record);

		if (code == 1) {
			pgb_feed_account(feed, record);
			return 1;
		}
		if (code == 0)
			return 0;
		if (code == PGB_E_TRUNCATED) {
			feed->stats.truncated++;
			memory->bytes.at = memory->bytes.end;
			return 0;
		}
		feed->stats.malformed++;
	}
}

static void feed_memory_free(struct pgb_feed *feed)
{
	free(feed);
}

struct pgb_feed *pgb_feed_memory_new(struct pgb_cursor bytes,
				     const struct pgb_record_format *format)
{
	static const struct pgb_feed_ops ops = {.next = next, .free = feed_memory_free};
	struct feed_memory *memory = pgb_calloc(1, sizeof(*memory));

	memory->base.ops = &ops;
	memory->bytes = bytes;
	memory->format = format;
	return &memory->base;
}
