/* SPDX-License-Identifier: MIT */
/*
 * A feed: where perf records come from, one at a time and in time order: live kernel rings
 * (feed_live), a perf.data file (feed_perfdata), memory (feed_memory). What a sample means is
 * the source's business.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_H
#define PGOBOLT_COLLECTOR_FEED_H

#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/record.h"

/* What the feed itself lost or met on the way. */
struct pgb_feed_stats {
	uint64_t records;
	uint64_t bytes;
	uint64_t lost_records; /* the kernel had no room: LOST, LOST_SAMPLES, PERF_FORMAT_LOST */
	uint64_t lost_events;  /* number of such reports */
	uint64_t throttled;
	uint64_t malformed;
	uint64_t unknown;    /* record types that we do not know */
	uint64_t truncated;  /* the input ended inside a record */
	uint64_t disordered; /* records that came later than they should have */
};

void pgb_feed_stats_add(struct pgb_feed_stats *sum, const struct pgb_feed_stats *part);

struct pgb_feed;

/* Samples of one event that stand one behind the other, to be parsed by whoever counts them. */
struct pgb_feed_run {
	const uint8_t *bytes;
	size_t size_bytes;
	uint64_t count;
	uint32_t event;
	struct pgb_record_format format;
	/* Set before it is given back: those that could not be parsed, and their sizes. */
	uint64_t malformed, malformed_bytes;
	uint32_t owner, chunk; /* the feed's */
};

enum { PGB_FEED_RUN = 2 };

struct pgb_feed_ops {
	/*
	 * The next record. 1 a record, valid until the next call; 0 nothing for now (live) or the
	 * end (file); negative: the feed cannot go on.
	 */
	int (*next)(struct pgb_feed *feed, struct pgb_record *record, struct pgb_error *error);
	/*
	 * The same, or PGB_FEED_RUN: samples in `run`, valid until they are given back, which may
	 * be later and in any order. NULL: there are no runs.
	 */
	int (*next_run)(struct pgb_feed *feed, struct pgb_record *record, struct pgb_feed_run *run,
			struct pgb_error *error);
	void (*give_back)(struct pgb_feed *feed, const struct pgb_feed_run *run);
	/* Live feeds: sleep until there is something, 1; 0 at the time-out; < 0 all hung up. */
	int (*wait)(struct pgb_feed *feed, int timeout_ms);
	/* Live feeds; NULL: nothing to do. Start; stop; nothing more will come: yield the rest. */
	int (*enable)(struct pgb_feed *feed, struct pgb_error *error);
	void (*disable)(struct pgb_feed *feed);
	void (*finish)(struct pgb_feed *feed);
	void (*free)(struct pgb_feed *feed);
};

/* The head of every feed; feeds embed it first. */
struct pgb_feed {
	const struct pgb_feed_ops *ops;
	struct pgb_feed_stats stats;
};

static inline int pgb_feed_next(struct pgb_feed *feed, struct pgb_record *record,
				struct pgb_error *error)
{
	return feed->ops->next(feed, record, error);
}

static inline int pgb_feed_next_run(struct pgb_feed *feed, struct pgb_record *record,
				    struct pgb_feed_run *run, struct pgb_error *error)
{
	return feed->ops->next_run ? feed->ops->next_run(feed, record, run, error)
				   : feed->ops->next(feed, record, error);
}

static inline void pgb_feed_give_back(struct pgb_feed *feed, const struct pgb_feed_run *run)
{
	feed->ops->give_back(feed, run);
}

static inline int pgb_feed_wait(struct pgb_feed *feed, int timeout_ms)
{
	return feed->ops->wait ? feed->ops->wait(feed, timeout_ms) : 0;
}

static inline int pgb_feed_enable(struct pgb_feed *feed, struct pgb_error *error)
{
	return feed->ops->enable ? feed->ops->enable(feed, error) : 0;
}

static inline void pgb_feed_disable(struct pgb_feed *feed)
{
	if (feed->ops->disable)
		feed->ops->disable(feed);
}

static inline void pgb_feed_finish(struct pgb_feed *feed)
{
	if (feed->ops->finish)
		feed->ops->finish(feed);
}

static inline void pgb_feed_free(struct pgb_feed *feed)
{
	if (feed)
		feed->ops->free(feed);
}

/* Count what a record says about the feed: LOST, THROTTLE, unknown types. Every feed calls it. */
void pgb_feed_account(struct pgb_feed *feed, const struct pgb_record *record);

#endif
