/* SPDX-License-Identifier: MIT */
/* Which of the binaries were started as programs, and which is the one that matters. */
#include <stdlib.h>

#include "collector/session_private.h"

void pgb_session_add_executable(struct pgb_session *session, uint32_t binary)
{
	if (binary == PGB_BINARY_NONE || binary == PGB_BINARY_ANONYMOUS ||
	    pgb_session_is_executable(session, binary))
		return;
	pgb_array_push(&session->executables, binary);
}

bool pgb_session_is_executable(const struct pgb_session *session, uint32_t binary)
{
	for (size_t i = 0; i < session->executables.count; i++)
		if (session->executables.items[i] == binary)
			return true;
	return false;
}

uint32_t pgb_session_main_binary(struct pgb_session *session)
{
	uint32_t binaries = pgb_addrspace_binary_count(session->space);
	uint64_t *counts = pgb_calloc(binaries, sizeof(*counts));
	uint32_t best = PGB_BINARY_NONE;
	size_t edge_count;
	const struct pgb_edge *edges = pgb_edges_sorted(pgb_session_edges(session), &edge_count);

	for (size_t i = 0; i < edge_count; i++)
		if (edges[i].binary < binaries)
			counts[edges[i].binary] += edges[i].count;
	/* In the order in which they were started: the first of equals. */
	for (size_t i = 0; i < session->executables.count; i++) {
		uint32_t binary = session->executables.items[i];

		if (best == PGB_BINARY_NONE || counts[binary] > counts[best])
			best = binary;
	}
	free(counts);
	return best;
}
