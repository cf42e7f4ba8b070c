/* SPDX-License-Identifier: MIT */
/*
 * What the project's own decoders make of a recording, as `lab --truth` writes what is in it:
 *
 *	decode lbr|spe|ibs|ip BINARY PERF.DATA
 *
 * prints the edges of one binary and, to standard error, the counters that are not zero.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/session.h"

/* The binary as it is now; others need not be known. */
static int open_binary(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	const char *wanted = context;

	if (strcmp(event->path, wanted) == 0)
		return pgb_binary_read(binary, event->path, wanted, NULL);
	binary->path = pgb_dup(event->path);
	binary->path_open = pgb_dup(event->path);
	binary->kind = PGB_BINARY_NOT_ELF;
	return 0;
}

static uint64_t place(uint64_t address)
{
	return address == PGB_ADDRESS_EXTERNAL ? 0 : address;
}

/* Where a branch that is not told leads is written as 0. */
static uint64_t target(uint64_t address)
{
	return address == PGB_ADDRESS_NONE ? 0 : place(address);
}

/* Stacks are written as chains, also the branch that nothing is known behind. */
static void print_edge(const struct pgb_edge *edge, bool chains)
{
	bool taken = edge->kind == PGB_EDGE_TRACE || edge->kind == PGB_EDGE_BRANCH ||
		     edge->kind == PGB_EDGE_RETURN;

	if (edge->kind == PGB_EDGE_IP)
		printf("S %" PRIx64 " %" PRIu64 "\n", edge->branch, edge->count);
	else if (edge->branch == PGB_ADDRESS_NONE)
		printf("F %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", place(edge->from),
		       place(edge->to), edge->count);
	else if (taken && chains)
		printf("T %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", place(edge->branch),
		       place(edge->from), edge->to, edge->count);
	else
		printf("%c %" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIu64 "\n", taken ? 'B' : 'N',
		       place(edge->branch), target(edge->from), edge->count, edge->mispredicts);
}

static void print_edges(struct pgb_session *session, const char *path, bool chains)
{
	struct pgb_addrspace *space = pgb_session_addrspace(session);
	const struct pgb_edge *edges;
	size_t count;

	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space); i++) {
		if (strcmp(pgb_addrspace_binary(space, i)->path, path) != 0)
			continue;
		edges = pgb_edges_of_binary(pgb_session_edges(session), i, &count);
		for (size_t at = 0; at < count; at++)
			print_edge(&edges[at], chains);
	}
}

static void print_counters(const struct pgb_session_stats *stats)
{
	const struct {
		const char *name;
		uint64_t count;
	} counters[] = {
		{"samples", stats->source.samples},
		{"branches", stats->source.branches},
		{"operations", stats->source.operations},
		{"dropped", pgb_source_dropped(&stats->source)},
		{"malformed", stats->source.malformed + stats->feed.malformed},
		{"aux_collided", stats->source.aux_collided},
		{"aux_truncated", stats->source.aux_truncated},
		{"aux_gaps", stats->source.aux_gaps},
		{"aux_bad_bytes", stats->source.aux_bad_bytes},
		{"unmapped", stats->unmapped},
		{"lost", stats->feed.lost_records},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (counters[i].count)
			fprintf(stderr, "%s %" PRIu64 "\n", counters[i].name, counters[i].count);
}

static int fail(const struct pgb_error *error)
{
	fprintf(stderr, "decode: %s\n", error->message);
	return 1;
}

int main(int argc, char **argv)
{
	struct pgb_feed_perfdata_config feed_config = {.path = argc > 3 ? argv[3] : NULL};
	struct pgb_binary_opener opener = {.open = open_binary,
					   .context = argc > 2 ? argv[2] : NULL};
	struct pgb_session_config config = {.opener = &opener};
	struct pgb_error error = {0};
	struct pgb_session *session;
	struct pgb_feed *feed;

	config.source = argc == 4 ? pgb_source_find(argv[1]) : NULL;
	if (config.source == NULL) {
		fputs("usage: decode lbr|spe|ibs|ip BINARY PERF.DATA\n", stderr);
		return 2;
	}
	if (pgb_feed_perfdata_new(&feed, &feed_config, &error) < 0)
		return fail(&error);
	if (config.source->reads_aux)
		pgb_feed_perfdata_attach_aux(feed);
	if (pgb_session_new(&session, &config, &error) < 0 ||
	    pgb_session_consume(session, feed, &error) < 0)
		return fail(&error);
	print_edges(session, argv[2], !config.source->is_sparse);
	print_counters(pgb_session_stats(session));
	pgb_session_free(session);
	pgb_feed_free(feed);
	return 0;
}
