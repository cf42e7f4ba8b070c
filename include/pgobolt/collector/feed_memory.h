/* SPDX-License-Identifier: MIT */
/*
 * Records from memory, in the order in which they lie there: tests, replays, fuzz targets.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_MEMORY_H
#define PGOBOLT_COLLECTOR_FEED_MEMORY_H

#include "pgobolt/collector/feed.h"

/* `bytes` and `format` must outlive the feed. */
struct pgb_feed *pgb_feed_memory_new(struct pgb_cursor bytes,
				     const struct pgb_record_format *format);

#endif
