/* SPDX-License-Identifier: MIT */
/*
 * An edge file. What was read adds up: reading it once more doubles each count that is not at the
 * top.
 */
#include "pgobolt/collector/edge_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static int read_into(struct pgb_edges *edges, const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_edge_file_head head;
	struct pgb_error error = {0};
	int code = pgb_edge_file_read(pgb_cursor_of(bytes, size_bytes), "fuzz", 1, &head, edges, 0,
				      &error);

	pgb_assert(code == error.code);
	pgb_assert((code == 0) == (error.message[0] == '\0'));
	if (code == 0)
		pgb_assert(head.name && head.source && head.event);
	pgb_edge_file_head_release(&head);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_edges *once = pgb_edges_new_limited(64), *twice = pgb_edges_new_limited(64);
	size_t count, count_twice;
	const struct pgb_edge *sorted, *sorted_twice;

	read_into(once, bytes, size_bytes);
	pgb_assert(read_into(twice, bytes, size_bytes) == read_into(twice, bytes, size_bytes));
	sorted = pgb_edges_sorted(once, &count);
	sorted_twice = pgb_edges_sorted(twice, &count_twice);
	pgb_assert(count == count_twice);
	for (size_t i = 0; i < count; i++)
		pgb_assert(sorted_twice[i].count ==
			   pgb_count_add(sorted[i].count, sorted[i].count));
	pgb_edges_free(once);
	pgb_edges_free(twice);
	return 0;
}
