/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/collector/preagg.h"

#define X    PGB_ADDRESS_EXTERNAL
#define NONE PGB_ADDRESS_NONE

static const struct pgb_build_id own = {4, {0xab, 0xcd, 0xef, 0x01}};

/* One record, and the edge that it is; kind PGB_EDGE_KINDS: none. */
static const struct record_row {
	const char *text;
	struct pgb_edge edge;
} record_rows[] = {
	{"T 40 10 20 7\n", {0, PGB_EDGE_TRACE, 0x40, 0x10, 0x20, 7, 0}},
	{"T 40 10 20 7 3\n", {0, PGB_EDGE_TRACE, 0x40, 0x10, 0x20, 7, 3}},
	{"  T  40 10   20 7\n", {0, PGB_EDGE_TRACE, 0x40, 0x10, 0x20, 7, 0}},
	{"T AbC 10 20 7\n", {0, PGB_EDGE_TRACE, 0xabc, 0x10, 0x20, 7, 0}},
	{"T 40 10 ffffffffffffffff 7\n", {0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 0}},
	{"T 40 10 -1 7\n", {0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 0}},
	{"T ffffffffffffffff 10 20 7\n", {0, PGB_EDGE_TRACE, NONE, 0x10, 0x20, 7, 0}},
	{"T -2 10 20 7\n", {0, PGB_EDGE_RANGE, X, 0x10, 0x20, 7, 0}},
	{"T -3 10 20 7\n", {0, PGB_EDGE_RETURN, X, 0x10, 0x20, 7, 0}},
	{"T 0 10 20 7\n", {0, PGB_EDGE_TRACE, X, 0x10, 0x20, 7, 0}},
	{"T 40 0 20 7\n", {0, PGB_EDGE_BRANCH, 0x40, X, NONE, 7, 0}},
	{"T 0 0 20 7\n", {.kind = PGB_EDGE_KINDS}},
	{"T -1 10 -1 7\n", {.kind = PGB_EDGE_KINDS}},
	{"T -2 10 -1 7\n", {.kind = PGB_EDGE_KINDS}},
	{"T 40 -1 20 7\n", {0, PGB_EDGE_BRANCH, 0x40, X, NONE, 7, 0}},
	{"T 40 10 -2 7\n", {0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 0}},
	{"B -1 10 7 2\n", {0, PGB_EDGE_BRANCH, X, 0x10, NONE, 7, 2}},
	{"F 10 -1 7\n", {.kind = PGB_EDGE_KINDS}},
	{"S -1 7\n", {.kind = PGB_EDGE_KINDS}},
	{"R -1 10 20 7\n", {0, PGB_EDGE_RETURN, X, 0x10, 0x20, 7, 0}},
	{"R 40 10 20 7\n", {0, PGB_EDGE_RETURN, 0x40, 0x10, 0x20, 7, 0}},
	{"R 0 10 20 7 1\n", {0, PGB_EDGE_RETURN, X, 0x10, 0x20, 7, 1}},
	{"R 40 10 -1 7\n", {0, PGB_EDGE_RETURN, 0x40, 0x10, NONE, 7, 0}},
	{"B 40 10 7 2\n", {0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 2}},
	{"B 0 10 7 2\n", {0, PGB_EDGE_BRANCH, X, 0x10, NONE, 7, 2}},
	{"B 40 0 7 2\n", {0, PGB_EDGE_BRANCH, 0x40, X, NONE, 7, 2}},
	{"B 0 0 7 2\n", {.kind = PGB_EDGE_KINDS}},
	{"B ffffffff81e01006 40 8 0\n", {0, PGB_EDGE_BRANCH, 0xffffffff81e01006, 0x40, NONE, 8, 0}},
	{"F 10 20 7\n", {0, PGB_EDGE_TRACE, NONE, 0x10, 0x20, 7, 0}},
	{"f 10 20 7\n", {0, PGB_EDGE_RANGE, X, 0x10, 0x20, 7, 0}},
	{"r 10 20 7\n", {0, PGB_EDGE_RETURN, X, 0x10, 0x20, 7, 0}},
	{"S 10 7\n", {0, PGB_EDGE_IP, 0x10, NONE, NONE, 7, 0}},
	{"E cycles:u\n", {.kind = PGB_EDGE_KINDS}},
	/* ids: ours, cut, padded, another, any other */
	{"B abcdef01:40 ABCDEF01:10 7 0\n", {0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 0}},
	{"B abcd:40 abcdef0100:10 7 0\n", {0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 0}},
	{"B abcdef02:40 10 7 0\n", {0, PGB_EDGE_BRANCH, X, 0x10, NONE, 7, 0}},
	{"B 40 X:10 7 0\n", {0, PGB_EDGE_BRANCH, 0x40, X, NONE, 7, 0}},
	{"B X:40 X:10 7 0\n", {.kind = PGB_EDGE_KINDS}},
	{"T 40 X:10 X:20 7\n", {0, PGB_EDGE_BRANCH, 0x40, X, NONE, 7, 0}},
	{"T X:40 10 20 7\n", {0, PGB_EDGE_TRACE, X, 0x10, 0x20, 7, 0}},
	{"T X:ffffffffffffffff 10 20 7\n", {0, PGB_EDGE_TRACE, X, 0x10, 0x20, 7, 0}},
	{"F X:10 X:20 7\n", {.kind = PGB_EDGE_KINDS}},
	{"S X:10 7\n", {.kind = PGB_EDGE_KINDS}},
};

static int read_text(const char *text, uint64_t weight, struct pgb_edges *edges,
		     struct pgb_error *error)
{
	return pgb_preagg_read(pgb_cursor_of(text, strlen(text)), "some.preagg", weight, &own,
			       edges, 0, error);
}

static void every_record_is_its_edge(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(record_rows) / sizeof(record_rows[0]); i++) {
		const struct record_row *row = &record_rows[i];
		struct pgb_edges *edges = pgb_edges_new();
		struct pgb_error error = {0};
		const struct pgb_edge *sorted;
		size_t count;

		if (read_text(row->text, 1, edges, &error) != 0)
			fail_msg("%s%s", row->text, error.message);
		sorted = pgb_edges_sorted(edges, &count);
		if (count != (row->edge.kind != PGB_EDGE_KINDS) ||
		    (count == 1 && memcmp(sorted, &row->edge, sizeof(*sorted)) != 0))
			fail_msg("%s%zu edges, kind %u", row->text, count,
				 count ? sorted->kind : 0);
		pgb_edges_free(edges);
	}
}

static void an_id_says_nothing_where_ours_is_unknown(void **state)
{
	static const char text[] = "B 1234:40 X:10 7 0\n";
	struct pgb_edges *edges = pgb_edges_new();
	const struct pgb_edge *sorted;
	size_t count;

	(void)state;
	assert_int_equal(pgb_preagg_read(pgb_cursor_of(text, sizeof(text) - 1), "x", 1, NULL, edges,
					 5, NULL),
			 0);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, 1);
	assert_true(sorted->branch == 0x40 && sorted->from == X && sorted->binary == 5);
	pgb_edges_free(edges);
}

static void counts_are_summed_and_weighed(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	const struct pgb_edge *sorted;
	size_t count;

	(void)state;
	assert_int_equal(read_text("B 40 10 7 2\nB 40 10 1 1\n", 10, edges, NULL), 0);
	assert_int_equal(read_text("B 40 10 18446744073709551615 0\n", 2, edges, NULL), 0);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, 1);
	assert_true(sorted->count == UINT64_MAX && sorted->mispredicts == 30);
	pgb_edges_free(edges);
}

static void refuses_what_breaks_the_format(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} rows[] = {
		{"", PGB_E_EMPTY, "some.preagg"},
		{"\n", PGB_E_CORRUPT, "line 1: expected a record"},
		{"B 40 10 7 2\n\n", PGB_E_CORRUPT, "line 2: expected a record"},
		{"B 40 10 7 2", PGB_E_TRUNCATED, "line 1"},
		{"B 40 10 7 2\r\n", PGB_E_CORRUPT, "line 1: expected the end"},
		{"B 40 10 7 2 \n", PGB_E_CORRUPT, "expected the end"},
		{"b 40 10 7 2\n", PGB_E_CORRUPT, "T, R, S, E, B, F, f or r"},
		{"BB 40 10 7 2\n", PGB_E_CORRUPT, "an address"},
		{"B 40 10 7\n", PGB_E_CORRUPT, "a count"},
		{"B 40 10 7 2 1\n", PGB_E_CORRUPT, "expected the end"},
		{"B 40 10 -7 2\n", PGB_E_CORRUPT, "not negative"},
		{"B 0x40 10 7 2\n", PGB_E_CORRUPT, "an address"},
		{"B :40 10 7 2\n", PGB_E_CORRUPT, "an address"},
		{"B a: 10 7 2\n", PGB_E_CORRUPT, "without 0x"},
		{"T 40 10 7\n", PGB_E_CORRUPT, "a count"},
		{"T 40 10 -4 7\n", PGB_E_CORRUPT, "-1, -2, -3"},
		{"T 40 10 -0 7\n", PGB_E_CORRUPT, "-1, -2, -3"},
		{"T 40 10 -123456789abcdef01 7\n", PGB_E_CORRUPT, "-1, -2, -3"},
		{"T 40 10 20 7 1 1\n", PGB_E_CORRUPT, "expected the end"},
		{"F 10 20 7 1\n", PGB_E_CORRUPT, "expected the end"},
		{"S 10000000000000000 7\n", PGB_E_CORRUPT, "an address"},
		{"S 1 18446744073709551616\n", PGB_E_CORRUPT, "a count"},
		{"E\n", PGB_E_CORRUPT, "a record"},
		{"E a b\n", PGB_E_CORRUPT, "expected the end"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_edges *edges = pgb_edges_new();
		struct pgb_error error = {0};
		int code = read_text(rows[i].text, 1, edges, &error);

		if (code != rows[i].code || strstr(error.message, rows[i].message) == NULL)
			fail_msg("row %zu: %s %s", i, pgb_code_name(code), error.message);
		pgb_edges_free(edges);
	}
}

/* Whole lines, or an error: no record is read of half a line. */
static void a_file_cut_anywhere_is_told(void **state)
{
	static const char text[] = "E cycles:u\nT 40 10 20 7\nB 40 10 7 2\nS 30 9\nR 40 10 20 1\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct pgb_edges *edges = pgb_edges_new();
		char *start = pgb_dup_bytes(text, cut);
		int code = read_text(start, 1, edges, NULL);

		if (cut == 0)
			assert_int_equal(code, PGB_E_EMPTY);
		else if (cut < sizeof(text) - 1 && text[cut - 1] != '\n')
			assert_int_equal(code, PGB_E_TRUNCATED);
		else
			assert_true(code == 0 || code == PGB_E_EMPTY);
		free(start);
		pgb_edges_free(edges);
	}
}

static char *write_text(struct pgb_edges *edges, const char *event, uint64_t *lost, int *code)
{
	char *text = NULL;
	size_t size_bytes;
	FILE *stream = open_memstream(&text, &size_bytes);

	assert_non_null(stream);
	*code = pgb_preagg_write(stream, edges, 0, event, lost, NULL);
	assert_int_equal(fclose(stream), 0);
	return text;
}

/* What is written is read as the same edges, but for what is said to be lost. */
static void writes_every_kind(void **state)
{
	static const struct {
		struct pgb_edge edge;
		const char *text;
		uint64_t lost;
	} rows[] = {
		{{0, PGB_EDGE_TRACE, 0x40, 0x10, 0x20, 7, 2}, "T 40 10 20 7\n", 2},
		{{0, PGB_EDGE_TRACE, X, 0x10, 0x20, 7, 0}, "T 0 10 20 7\n", 0},
		{{0, PGB_EDGE_TRACE, NONE, 0x10, 0x20, 7, 0}, "F 10 20 7\n", 0},
		{{0, PGB_EDGE_TRACE, 0x40, 0x10, NONE, 7, 2}, "B 40 10 7 2\n", 0},
		{{0, PGB_EDGE_BRANCH, 0x40, 0x10, NONE, 7, 2}, "B 40 10 7 2\n", 0},
		{{0, PGB_EDGE_BRANCH, 0x40, X, NONE, 7, 2}, "B 40 0 7 2\n", 0},
		{{0, PGB_EDGE_BRANCH, X, X, NONE, 7, 2}, "", 7},
		{{0, PGB_EDGE_NOT_TAKEN, 0x40, 0x42, NONE, 7, 2}, "F 40 42 7\n", 2},
		{{0, PGB_EDGE_IP, 0x40, NONE, NONE, 7, 0}, "S 40 7\n", 0},
		{{0, PGB_EDGE_IP, X, NONE, NONE, 7, 0}, "", 7},
		{{0, PGB_EDGE_RETURN, 0x40, 0x10, 0x20, 7, 2}, "R 40 10 20 7\n", 2},
		{{0, PGB_EDGE_RETURN, X, 0x10, 0x20, 7, 0}, "r 10 20 7\n", 0},
		{{0, PGB_EDGE_RETURN, 0x40, 0x10, NONE, 7, 0}, "R 40 10 ffffffffffffffff 7\n", 0},
		{{0, PGB_EDGE_RANGE, X, 0x10, 0x20, 7, 0}, "f 10 20 7\n", 0},
		{{0, PGB_EDGE_IP, 0x40, NONE, NONE, UINT64_MAX, 0},
		 "S 40 9223372036854775807\n",
		 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_edges *edges = pgb_edges_new();
		struct pgb_edge other = {.binary = 1};
		uint64_t lost;
		char *text;
		int code;

		pgb_edges_add(edges, &rows[i].edge);
		pgb_edges_add(edges, &other);
		text = write_text(edges, NULL, &lost, &code);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(lost, rows[i].lost);
		assert_int_equal(code, rows[i].text[0] ? 0 : PGB_E_EMPTY);
		free(text);
		pgb_edges_free(edges);
	}
}

static void events_are_listed(void **state)
{
	static const char text[] = "E cycles:u\nS 1 1\nE b\nE cycles:u\nE cycle\nnonsense\nE cut";
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge edge = {.kind = PGB_EDGE_IP, .branch = 1, .count = 2};
	char *events = pgb_preagg_events(pgb_cursor_of(text, sizeof(text) - 1));
	uint64_t lost;
	int code;

	(void)state;
	assert_string_equal(events, "cycles:u,b,cycle,cut");
	free(events);
	events = pgb_preagg_events(pgb_cursor_of(NULL, 0));
	assert_string_equal(events, "");
	free(events);
	pgb_edges_add(edges, &edge);
	events = write_text(edges, "cpu-clock:", &lost, &code);
	assert_string_equal(events, "E cpu-clock:\nS 1 2\n");
	free(events);
	pgb_edges_free(edges);
}

/* A profile that others made: in, out, in again. */
static void a_real_profile(void **state)
{
	const char *corpus = getenv("PGOBOLT_CORPUS"), *source = getenv("SRCDIR");
	struct pgb_edges *edges = pgb_edges_new(), *again = pgb_edges_new();
	const struct pgb_edge *sorted, *sorted_again;
	size_t count, count_again;
	struct pgb_file_map map;
	uint64_t lost;
	char *path, *text;
	int code;

	(void)state;
	path = corpus ? pgb_format("%s/lbr/callcont-fallthru.preagg", corpus)
		      : pgb_format("%s/../shared/corpus/lbr/callcont-fallthru.preagg",
				   source ? source : ".");
	if (access(path, R_OK) != 0) {
		print_message("no recordings here (%s): skipped\n", path);
		free(path);
		pgb_edges_free(edges);
		pgb_edges_free(again);
		skip();
	}
	assert_int_equal(pgb_file_map_open(&map, path, NULL), 0);
	assert_int_equal(pgb_preagg_read(pgb_cursor_of(map.bytes, map.size_bytes), path, 1, NULL,
					 edges, 0, NULL),
			 0);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, 21);
	text = write_text(edges, NULL, &lost, &code);
	assert_int_equal(lost, 0);
	assert_int_equal(pgb_preagg_read(pgb_cursor_of(text, strlen(text)), "again", 1, NULL, again,
					 0, NULL),
			 0);
	sorted_again = pgb_edges_sorted(again, &count_again);
	assert_int_equal(count, count_again);
	assert_memory_equal(sorted, sorted_again, count * sizeof(*sorted));
	free(text);
	free(path);
	pgb_file_map_close(&map);
	pgb_edges_free(edges);
	pgb_edges_free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_is_its_edge),
		cmocka_unit_test(an_id_says_nothing_where_ours_is_unknown),
		cmocka_unit_test(counts_are_summed_and_weighed),
		cmocka_unit_test(refuses_what_breaks_the_format),
		cmocka_unit_test(a_file_cut_anywhere_is_told),
		cmocka_unit_test(writes_every_kind),
		cmocka_unit_test(events_are_listed),
		cmocka_unit_test(a_real_profile),
	};

	return cmocka_run_group_tests_name("preagg", tests, NULL, NULL);
}
