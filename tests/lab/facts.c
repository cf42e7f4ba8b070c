/* SPDX-License-Identifier: MIT */
#include "tests/lab/facts.h"

#include <inttypes.h>
#include <string.h>

/* The binary as it is now; others need not be known. */
int lab_open_binary(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
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
static void print_edge(const struct pgb_edge *edge, bool chains, FILE *out)
{
	bool taken = edge->kind == PGB_EDGE_TRACE || edge->kind == PGB_EDGE_BRANCH ||
		     edge->kind == PGB_EDGE_RETURN;

	if (edge->kind == PGB_EDGE_IP)
		fprintf(out, "S %" PRIx64 " %" PRIu64 "\n", edge->branch, edge->count);
	else if (edge->branch == PGB_ADDRESS_NONE)
		fprintf(out, "F %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", place(edge->from),
			place(edge->to), edge->count);
	else if (taken && chains)
		fprintf(out, "T %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 "\n",
			place(edge->branch), place(edge->from), edge->to, edge->count);
	else
		fprintf(out, "%c %" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
			taken ? 'B' : 'N', place(edge->branch), target(edge->from), edge->count,
			edge->mispredicts);
}

void lab_print_edges(struct pgb_session *session, const char *path, bool chains, FILE *out)
{
	struct pgb_addrspace *space = pgb_session_addrspace(session);
	const struct pgb_edge *edges;
	size_t count;

	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space); i++) {
		if (strcmp(pgb_addrspace_binary(space, i)->path, path) != 0)
			continue;
		edges = pgb_edges_of_binary(pgb_session_edges(session), i, &count);
		for (size_t at = 0; at < count; at++)
			print_edge(&edges[at], chains, out);
	}
}

void lab_print_counters(const struct pgb_session_stats *stats, FILE *out)
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
		{"throttled", stats->feed.throttled},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (counters[i].count)
			fprintf(out, "%s %" PRIu64 "\n", counters[i].name, counters[i].count);
}
