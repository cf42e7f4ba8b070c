/* SPDX-License-Identifier: MIT */
/*
 * Pre-aggregated text: what is read can be written, and what was written is read again, with
 * nothing lost then.
 */
#include "pgobolt/collector/preagg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static const struct pgb_build_id own = {2, {0xab, 0xcd}};

struct output {
	char *text;
	size_t size_bytes;
	uint64_t lost;
	int code;
};

static struct output read_and_write(const void *bytes, size_t size_bytes)
{
	struct pgb_edges *edges = pgb_edges_new_limited(1024);
	struct output output = {0};
	FILE *stream = open_memstream(&output.text, &output.size_bytes);

	pgb_assert(stream != NULL);
	(void)pgb_preagg_read(pgb_cursor_of(bytes, size_bytes), "fuzz", 1, &own, edges, 0, NULL);
	output.code = pgb_preagg_write(stream, edges, 0, NULL, &output.lost, NULL);
	fclose(stream);
	pgb_edges_free(edges);
	return output;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct output first = read_and_write(bytes, size_bytes);
	struct output again = read_and_write(first.text, first.size_bytes);

	pgb_assert(first.code == again.code && again.lost == 0);
	pgb_assert(first.size_bytes == again.size_bytes);
	pgb_assert(memcmp(first.text, again.text, first.size_bytes) == 0);
	free(first.text);
	free(again.text);
	free(pgb_preagg_events(pgb_cursor_of(bytes, size_bytes)));
	return 0;
}
