/* SPDX-License-Identifier: MIT */
/* Records from elsewhere: a perf.data file, memory. */
#include "collector/session_private.h"

static void take_run(struct pgb_session *session, struct pgb_feed_run *run)
{
	if (session->config.source->reads_aux) {
		pgb_feed_give_back(session->consumed, run);
		return;
	}
	pgb_session_helpers_take(session->helpers, run, session->samples);
	session->samples += run->count;
}

int pgb_session_consume(struct pgb_session *session, struct pgb_feed *feed, struct pgb_error *error)
{
	struct pgb_record record;
	struct pgb_feed_run run;
	int status;

	session->consumed = feed;
	session->helpers = pgb_session_helpers_new(session);
	while ((status = pgb_feed_next_run(feed, &record, &run, error)) > 0)
		if (status == PGB_FEED_RUN)
			take_run(session, &run);
		else
			pgb_session_dispatch(session, &record);
	session->stats.edges_overflow = pgb_edges_overflow(pgb_session_edges(session));
	pgb_session_helpers_free(session->helpers);
	session->helpers = NULL;
	pgb_feed_stats_add(&session->stats.feed, &feed->stats);
	return status;
}
