/* SPDX-License-Identifier: MIT */
/* Samples that begin by time: kept one by one until it is known how much each of them counts. */
#include "collector/session_private.h"

static void take_trace(void *context, const struct pgb_record *record, uint64_t branch,
		       uint64_t from, uint64_t to, unsigned int flags)
{
	const struct pgb_edge fresh = {.binary = record->pid,
				       .kind = flags,
				       .branch = branch,
				       .from = from,
				       .to = to,
				       .count = 1};

	pgb_session_place(context, &fresh);
}

/* Its branches go through the same places as all others, to a table of its own. */
static void place(struct pgb_session *session, const struct pgb_record *record)
{
	const struct pgb_sink sink = {
		.trace = take_trace, .process_of = pgb_session_process_of, .context = session};
	struct pgb_edges *all = session->edges;

	session->edges = session->visit;
	(void)session->config.source->decode(record, &session->decode, &sink,
					     &session->stats.source);
	pgb_session_place_waiting(session);
	session->edges = all;
}

void pgb_session_take_visit(struct pgb_session *session, const struct pgb_record *record)
{
	struct pgb_location start = pgb_addrspace_find(session->space, record->pid, record->ip);
	struct pgb_visit visit = {
		.process = record->pid,
		.start_binary = start.binary,
		.start = start.address,
		.slowness = record->weight > 0 ? (double)record->weight / 100 : 1,
	};
	const struct pgb_edge *edges;
	size_t count;

	if (session->visits == NULL) {
		session->visits = pgb_visits_new();
		session->visit = pgb_edges_new();
	}
	session->samples++;
	place(session, record);
	edges = pgb_edges_unsorted(session->visit, &count);
	pgb_visits_add(session->visits, &visit, edges, count);
	pgb_edges_clear(session->visit);
	if (pgb_visits_full(session->visits))
		pgb_session_settle_visits(session);
}

void pgb_session_settle_visits(struct pgb_session *session)
{
	if (session->visits)
		pgb_visits_settle(session->visits, session->edges);
}

void pgb_session_visits_release(struct pgb_session *session)
{
	pgb_visits_free(session->visits);
	pgb_edges_free(session->visit);
}
