/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed.h"

void pgb_feed_account(struct pgb_feed *feed, const struct pgb_record *record)
{
	struct pgb_feed_stats *stats = &feed->stats;

	stats->records++;
	stats->bytes += record->size_bytes;
	switch (record->type) {
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
		stats->lost_records += record->lost;
		stats->lost_events++;
		break;
	case PERF_RECORD_THROTTLE:
		stats->throttled++;
		break;
	default:
		if (!pgb_record_known(record->type))
			stats->unknown++;
		break;
	}
}

void pgb_feed_stats_add(struct pgb_feed_stats *sum, const struct pgb_feed_stats *part)
{
	sum->records += part->records;
	sum->bytes += part->bytes;
	sum->lost_records += part->lost_records;
	sum->lost_events += part->lost_events;
	sum->throttled += part->throttled;
	sum->malformed += part->malformed;
	sum->unknown += part->unknown;
	sum->truncated += part->truncated;
	sum->disordered += part->disordered;
}
