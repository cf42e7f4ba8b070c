/* SPDX-License-Identifier: MIT */
/*
 * The records that perf itself writes among the kernel's: attrs and features in pipe mode, ends
 * of rounds, AUX areas. Those without a use here are passed over.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_USER_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_USER_H

#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata_areas.h"
#include "pgobolt/collector/feed_perfdata_events.h"
#include "pgobolt/collector/feed_perfdata_order.h"
#include "pgobolt/collector/feed_perfdata_stream.h"

enum { PGB_PERFDATA_USER_TYPES = 64 };

/* What they change; all borrowed. */
struct pgb_perfdata_user {
	const struct pgb_feed_perfdata_config *config;
	struct pgb_perfdata_info *info;
	struct pgb_perfdata_events *events;
	struct pgb_perfdata_order *order;
	struct pgb_perfdata_areas *areas; /* NULL: they are not wanted */
	struct pgb_ticks ticks;		  /* of the times in them; multiplier 0: not told */
	struct pgb_feed_stats *stats;	  /* malformed, unknown */
	struct pgb_perfdata_stream *stream;
	bool rounds; /* ends of rounds say something about all records */
};

/* A record of type PGB_PERFDATA_USER_TYPES or more. Errors: PGB_E_IO. */
int pgb_perfdata_user_read(struct pgb_perfdata_user *user, const struct pgb_perfdata_raw *raw,
			   struct pgb_error *error);

#endif
