/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/collector/edge_file.h"
#include "pgobolt/collector/file.h"

#define HEAD "pgobolt-edges 1\nbuild-id a05de386\nname a\\ b\\\\c\\nd\nsource lbr\nevent cycles:u\n"

static const char sample[] = HEAD "edges 8\n"
				  "T 401136 401120 401134 17 2\n"
				  "T - 401120 401134 18446744073709551615 0\n"
				  "B 401136 x 1 0\n"
				  "B x 401120 3 1\n"
				  "N 40112e 401130 5 1\n"
				  "I 0 4\n"
				  "R x 401120 - 17 2\n"
				  "f 401120 401134 5\n";

static const struct pgb_edge sample_edges[] = {
	{3, PGB_EDGE_TRACE, 0x401136, 0x401120, 0x401134, 17, 2},
	{3, PGB_EDGE_TRACE, PGB_ADDRESS_NONE, 0x401120, 0x401134, UINT64_MAX, 0},
	{3, PGB_EDGE_BRANCH, 0x401136, PGB_ADDRESS_EXTERNAL, PGB_ADDRESS_NONE, 1, 0},
	{3, PGB_EDGE_BRANCH, PGB_ADDRESS_EXTERNAL, 0x401120, PGB_ADDRESS_NONE, 3, 1},
	{3, PGB_EDGE_NOT_TAKEN, 0x40112e, 0x401130, PGB_ADDRESS_NONE, 5, 1},
	{3, PGB_EDGE_IP, 0, PGB_ADDRESS_NONE, PGB_ADDRESS_NONE, 4, 0},
	{3, PGB_EDGE_RETURN, PGB_ADDRESS_EXTERNAL, 0x401120, PGB_ADDRESS_NONE, 17, 2},
	{3, PGB_EDGE_RANGE, PGB_ADDRESS_EXTERNAL, 0x401120, 0x401134, 5, 0},
};

enum { SAMPLE_EDGES = sizeof(sample_edges) / sizeof(sample_edges[0]) };

static int read_text(const char *text, size_t size_bytes, uint64_t weight,
		     struct pgb_edge_file_head *head, struct pgb_edges *edges,
		     struct pgb_error *error)
{
	return pgb_edge_file_read(pgb_cursor_of(text, size_bytes), "some.edges", weight, head,
				  edges, 3, error);
}

static void reads_every_kind(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge_file_head head;
	const struct pgb_edge *sorted;
	char *id;
	size_t count;

	(void)state;
	assert_int_equal(read_text(sample, strlen(sample), 1, &head, edges, NULL), 0);
	id = pgb_build_id_string(&head.build_id);
	assert_string_equal(id, "a05de386");
	free(id);
	assert_string_equal(head.name, "a b\\c\nd");
	assert_string_equal(head.source, "lbr");
	assert_string_equal(head.event, "cycles:u");
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, SAMPLE_EDGES);
	assert_memory_equal(sorted, sample_edges, sizeof(sample_edges));
	pgb_edge_file_head_release(&head);
	pgb_edge_file_head_release(&head);
	/* twice the same file, thrice: counts add up, and stop at the top */
	assert_int_equal(read_text(sample, strlen(sample), 3, &head, edges, NULL), 0);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, SAMPLE_EDGES);
	assert_true(sorted[0].count == 4 * 17 && sorted[0].mispredicts == 4 * 2);
	assert_true(sorted[1].count == UINT64_MAX);
	pgb_edge_file_head_release(&head);
	pgb_edges_free(edges);
}

/* Write, and hold against the text. */
static void assert_written(const struct pgb_edge_file_head *head, struct pgb_edges *edges,
			   uint32_t binary, const char *wanted)
{
	char path[] = "/tmp/pgobolt-test-edges.XXXXXX";
	struct pgb_text text = {0};

	close(mkstemp(path));
	assert_int_equal(pgb_edge_file_write(path, head, edges, binary, NULL), 0);
	assert_int_equal(pgb_file_read(&text, path, 1 << 24, NULL), 0);
	assert_string_equal(pgb_text_string(&text), wanted);
	pgb_text_release(&text);
	unlink(path);
}

static void writes_what_it_reads(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge other = sample_edges[0];
	struct pgb_edge_file_head head;

	(void)state;
	assert_int_equal(read_text(sample, strlen(sample), 1, &head, edges, NULL), 0);
	/* other binaries' edges stay out */
	for (other.binary = 0; other.binary < 8; other.binary++)
		if (other.binary != 3)
			pgb_edges_add(edges, &other);
	assert_written(&head, edges, 3, sample);
	assert_written(&head, edges, 9, HEAD "edges 0\n");
	pgb_edge_file_head_release(&head);
	head.code_hash = 0x123;
	assert_written(&head, edges, 9,
		       "pgobolt-edges 1\ncode-hash 0000000000000123\nname \nsource \nevent \n"
		       "edges 0\n");
	pgb_edges_free(edges);
}

/* Random edges of all kinds, whatever order they were counted in: out, in, out. */
static void round_trip(void **state)
{
	char first_path[] = "/tmp/pgobolt-test-edges.XXXXXX";
	struct pgb_edges *edges = pgb_edges_new(), *again = pgb_edges_new();
	struct pgb_edge_file_head head = {.code_hash = 1, .name = pgb_dup("x")}, head_again;
	const struct pgb_edge *sorted, *sorted_again;
	struct pgb_file_map map;
	size_t count, count_again;

	(void)state;
	close(mkstemp(first_path));
	for (uint64_t i = 0; i < 3000; i++) {
		uint64_t random = pgb_hash_u64(i);
		struct pgb_edge edge = {.kind = (uint32_t)(random % PGB_EDGE_KINDS),
					.branch = random >> (random & 63),
					.from = PGB_ADDRESS_NONE,
					.to = PGB_ADDRESS_NONE,
					.count = pgb_hash_u64(random) >> (random >> 8 & 63)};

		if (edge.kind != PGB_EDGE_IP)
			edge.from = pgb_hash_u64(random + 1) >> (random >> 16 & 63);
		if (edge.kind == PGB_EDGE_TRACE || edge.kind == PGB_EDGE_RETURN ||
		    edge.kind == PGB_EDGE_RANGE)
			edge.to = random % 5 ? random >> 9 : PGB_ADDRESS_EXTERNAL;
		if (edge.kind == PGB_EDGE_RANGE)
			edge.branch = PGB_ADDRESS_EXTERNAL;
		else if (edge.kind != PGB_EDGE_IP)
			edge.mispredicts = edge.count / 3;
		pgb_edges_add(edges, &edge);
	}
	assert_int_equal(pgb_edge_file_write(first_path, &head, edges, 0, NULL), 0);
	assert_int_equal(pgb_file_map_open(&map, first_path, NULL), 0);
	assert_int_equal(pgb_edge_file_read(pgb_cursor_of(map.bytes, map.size_bytes), "x", 1,
					    &head_again, again, 0, NULL),
			 0);
	sorted = pgb_edges_sorted(edges, &count);
	sorted_again = pgb_edges_sorted(again, &count_again);
	assert_int_equal(count, count_again);
	assert_memory_equal(sorted, sorted_again, count * sizeof(*sorted));
	pgb_file_map_close(&map);
	unlink(first_path);
	pgb_edge_file_head_release(&head);
	pgb_edge_file_head_release(&head_again);
	pgb_edges_free(edges);
	pgb_edges_free(again);
}

static void a_file_cut_anywhere_is_told(void **state)
{
	(void)state;
	for (size_t size = 0; size < strlen(sample); size++) {
		struct pgb_edges *edges = pgb_edges_new();
		char *exact = malloc(size ? size : 1);
		struct pgb_error error = {0};
		struct pgb_edge_file_head head;

		assert_non_null(exact);
		memcpy(exact, sample, size);
		assert_int_equal(read_text(exact, size, 1, &head, edges, &error), PGB_E_TRUNCATED);
		assert_non_null(strstr(error.message, "some.edges"));
		pgb_edge_file_head_release(&head);
		pgb_edges_free(edges);
		free(exact);
	}
}

static void refuses_what_breaks_the_format(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} rows[] = {
		{"hello\n", PGB_E_CORRUPT, "line 1: expected pgobolt-edges"},
		{"pgobolt-edges 2\n", PGB_E_UNSUPPORTED, "version 2"},
		{"pgobolt-edges 1 \n", PGB_E_CORRUPT, "line 1: "},
		{"pgobolt-edges 1\r\n", PGB_E_CORRUPT, "line 1: "},
		{"pgobolt-edges 1\nid 1\n", PGB_E_CORRUPT, "line 2: expected build-id"},
		{"pgobolt-edges 1\nbuild-id \n", PGB_E_CORRUPT, "line 2: "},
		{"pgobolt-edges 1\nbuild-id abc\n", PGB_E_CORRUPT, "line 2: "},
		{"pgobolt-edges 1\nbuild-id xy\n", PGB_E_CORRUPT, "line 2: "},
		{"pgobolt-edges 1\ncode-hash 11112222333344445\n", PGB_E_CORRUPT, "line 2: "},
		{"pgobolt-edges 1\ncode-hash 1\nname a b\n", PGB_E_CORRUPT, "line 3: "},
		{"pgobolt-edges 1\ncode-hash 1\nname a\\b\n", PGB_E_CORRUPT, "line 3: "},
		{"pgobolt-edges 1\ncode-hash 1\nsource x\n", PGB_E_CORRUPT,
		 "line 3: expected name"},
		{HEAD "edges x\n", PGB_E_CORRUPT, "line 6: "},
		{HEAD "edges 18446744073709551616\n", PGB_E_CORRUPT, "line 6: "},
		{HEAD "edges 18446744073709551615\nI 1 1\n", PGB_E_TRUNCATED, "line 7"},
		{HEAD "edges 0\nI 1 1\n", PGB_E_CORRUPT, "line 7: expected the end"},
		{HEAD "edges 1\nX 1 1\n", PGB_E_CORRUPT, "line 7: expected an edge"},
		{HEAD "edges 1\n\n", PGB_E_CORRUPT, "line 7: expected an edge"},
		{HEAD "edges 1\nI  1 1\n", PGB_E_CORRUPT, "line 7: expected an address"},
		{HEAD "edges 1\nI 0x1 1\n", PGB_E_CORRUPT, "line 7: expected a count"},
		{HEAD "edges 1\nI 10000000000000000 1\n", PGB_E_CORRUPT, "expected an address"},
		{HEAD "edges 1\nI 1 -1\n", PGB_E_CORRUPT, "expected a count"},
		{HEAD "edges 1\nI 1 18446744073709551616\n", PGB_E_CORRUPT, "expected a count"},
		{HEAD "edges 1\nI 1 1 1\n", PGB_E_CORRUPT, "expected the end of the line"},
		{HEAD "edges 1\nI 1 1 \n", PGB_E_CORRUPT, "expected the end of the line"},
		{HEAD "edges 1\nT 1 2 3 4\n", PGB_E_CORRUPT, "mispredictions"},
		{HEAD "edges 1\nB 1 2 3\n", PGB_E_CORRUPT, "mispredictions"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_edges *edges = pgb_edges_new();
		struct pgb_error error = {0};
		struct pgb_edge_file_head head;
		int code = read_text(rows[i].text, strlen(rows[i].text), 1, &head, edges, &error);

		if (code != rows[i].code || strstr(error.message, rows[i].message) == NULL)
			fail_msg("row %zu: %s %s", i, pgb_code_name(code), error.message);
		assert_int_equal(pgb_edges_count(edges), code == PGB_E_TRUNCATED ? 1 : 0);
		pgb_edge_file_head_release(&head);
		pgb_edges_free(edges);
	}
}

static void writing_into_nothing_is_told(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge_file_head head = {0};
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_edge_file_write("/missing/x.edges", &head, edges, 0, &error),
			 PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "/missing/x.edges"));
	pgb_edges_free(edges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(a_file_cut_anywhere_is_told),
		cmocka_unit_test(refuses_what_breaks_the_format),
		cmocka_unit_test(writing_into_nothing_is_told),
	};

	return cmocka_run_group_tests_name("edge_file", tests, NULL, NULL);
}
