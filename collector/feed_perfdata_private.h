/* SPDX-License-Identifier: MIT */
/* What feed_perfdata.c (records) and feed_perfdata_open.c (the start, and what is told) share. */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_PRIVATE_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_PRIVATE_H

#include "pgobolt/base/array.h"
#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/feed_perfdata_areas.h"
#include "pgobolt/collector/feed_perfdata_events.h"
#include "pgobolt/collector/feed_perfdata_order.h"
#include "pgobolt/collector/feed_perfdata_streams.h"
#include "pgobolt/collector/feed_perfdata_user.h"

struct feed_perfdata {
	struct pgb_feed base;
	struct pgb_feed_perfdata_config config;
	char *path;
	struct pgb_perfdata_info info;
	struct pgb_perfdata_streams streams;
	struct pgb_perfdata_events events;
	struct pgb_perfdata_order order;
	struct pgb_perfdata_user user;
	struct pgb_perfdata_areas areas;
	PGB_ARRAY(struct pgb_perfdata_entry) waiting; /* AUX records, for their bytes */
	bool unfinished;
	bool finished;
	const char *end_path; /* of the file that info.end speaks of */
	/*
	 * Losses as the kernel told them in the rings, and as perf counted them when it closed the
	 * file (PERF_FORMAT_LOST): the same ones twice, or fewer in the rings.
	 */
	uint64_t lost_in_rings, lost_in_total;
	/* The entry whose records are yielded, where `holds`: the last one points to its bytes. */
	struct pgb_perfdata_entry held;
	bool holds;
	size_t held_at; /* bytes of it that were yielded */
	size_t lent;	/* runs that were not given back yet */
};

extern const struct pgb_feed_ops pgb_feed_perfdata_ops;

/* Take one record, or samples that stand together, from the streams. 1; 0 the end; negative. */
int pgb_feed_perfdata_read(struct feed_perfdata *feed, struct pgb_error *error);

#endif
