/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/pgo/cli/table.h"

static void test_alignment(void **state)
{
	static const char *const cells[] = {
		"NAME", "COUNT", "WHAT", "größe", "7", "a", "x", "12345", "long last column",
	};
	struct pgb_table table = {.columns = 3, .right = "-r-", .header = true, .indent = 1};
	struct pgb_output output = {.color = PGB_COLOR_NEVER};
	size_t length;
	char *text;

	(void)state;
	output.people = open_memstream(&text, &length);
	for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		pgb_table_cell(&table, "%s", cells[i]);
	pgb_table_print(&table, &output);
	fclose(output.people);
	assert_string_equal(text, " NAME   COUNT  WHAT\n"
				  " größe      7  a\n"
				  " x      12345  long last column\n");
	free(text);
	pgb_table_release(&table);
	assert_int_equal(table.cells.count, 0);
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(pgb_text_columns(""), 0);
	assert_int_equal(pgb_text_columns("plain"), 5);
	assert_int_equal(pgb_text_columns("größe"), 5);
	assert_int_equal(pgb_text_columns("\xff\xfe"), 2);
}

static void test_printable(void **state)
{
	char text[] = "a\033[2Jb\tc\177 gr\303\274\302\233";

	(void)state;
	pgb_text_printable(text);
	assert_string_equal(text, "a?[2Jb?c? gr\303\274??");
	pgb_text_printable(NULL);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_string_equal(PGB_COUNT(0), "0");
	assert_string_equal(PGB_COUNT(999), "999");
	assert_string_equal(PGB_COUNT(1000), "1.00 k");
	assert_string_equal(PGB_COUNT(9994), "9.99 k");
	assert_string_equal(PGB_COUNT(9996), "10.0 k");
	assert_string_equal(PGB_COUNT(123456), "123 k");
	assert_string_equal(PGB_COUNT(999600), "1.00 M");
	assert_string_equal(PGB_COUNT(34500000), "34.5 M");
	assert_string_equal(PGB_COUNT(UINT64_MAX), "18446744 T");
	assert_string_equal(PGB_SIZE(1023), "1023 B");
	assert_string_equal(PGB_SIZE(1024), "1.00 KiB");
	assert_string_equal(PGB_SIZE(3565158), "3.40 MiB");
	assert_string_equal(PGB_SIZE(1073741824), "1.00 GiB");
	assert_string_equal(PGB_PERCENT(0), "0%");
	assert_string_equal(PGB_PERCENT(0.04), "0.04%");
	assert_string_equal(PGB_PERCENT(12.34), "12.3%");
	assert_string_equal(PGB_PERCENT(100), "100%");
	assert_string_equal(PGB_PERCENT(99.96), "100%");
	assert_string_equal(PGB_DURATION(120), "120 ns");
	assert_string_equal(PGB_DURATION(3400000), "3.40 ms");
	assert_string_equal(PGB_DURATION(999700000), "1.00 s");
	assert_string_equal(PGB_DURATION(12300000000), "12.3 s");
	assert_string_equal(PGB_DURATION(125000000000), "2 min 5 s");
	assert_string_equal(PGB_DURATION(12000000000000), "3 h 20 min");
}

static void test_nouns(void **state)
{
	(void)state;
	assert_string_equal(PGB_PLURAL(0, "function"), "0 functions");
	assert_string_equal(PGB_PLURAL(1, "function"), "1 function");
	assert_string_equal(PGB_PLURAL(12345, "function"), "12345 functions");
	assert_string_equal(PGB_PLURAL(2, "branch"), "2 branches");
	assert_string_equal(PGB_PLURAL(1, "branch"), "1 branch");
	assert_string_equal(PGB_PLURAL(2, "process"), "2 processes");
	assert_string_equal(PGB_PLURAL(2, "binary"), "2 binaries");
	assert_string_equal(PGB_PLURAL(1, "binary"), "1 binary");
	assert_string_equal(PGB_PLURAL(2, "key"), "2 keys");
	assert_string_equal(PGB_PLURAL(2, "path"), "2 paths");
	assert_string_equal(PGB_COUNT_OF(1, "branch"), "1 branch");
	assert_string_equal(PGB_COUNT_OF(0, "sample"), "0 samples");
	assert_string_equal(PGB_COUNT_OF(12345, "branch"), "12.3 k branches");
}

static void test_bar(void **state)
{
	static const struct {
		double share;
		const char *unicode, *ascii;
		int line;
	} rows[] = {
		{0, "", "", __LINE__},
		{-1, "", "", __LINE__},
		{1e-9, "\xe2\x96\x8f", "#", __LINE__},
		{0.125, "\xe2\x96\x88\xe2\x96\x8c", "##", __LINE__},
		{0.25, "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88", "###", __LINE__},
		{0.999, NULL, "############", __LINE__},
		{1, NULL, "############", __LINE__},
		{1e30, NULL, "############", __LINE__},
	};
	struct pgb_output unicode = {.unicode = true}, ascii = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_bar blocks = pgb_bar(&unicode, rows[i].share);

		if (strcmp(PGB_BAR(&ascii, rows[i].share), rows[i].ascii) != 0)
			fail_msg("line %d: %s", rows[i].line, PGB_BAR(&ascii, rows[i].share));
		if (rows[i].unicode && strcmp(blocks.text, rows[i].unicode) != 0)
			fail_msg("line %d: %s", rows[i].line, blocks.text);
		if (rows[i].unicode == NULL && pgb_text_columns(blocks.text) != PGB_BAR_COLUMNS)
			fail_msg("line %d: %zu columns", rows[i].line,
				 pgb_text_columns(blocks.text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar),	cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_columns), cmocka_unit_test(test_printable),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_nouns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
