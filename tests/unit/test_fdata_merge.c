/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_merge.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/collector/file.h"

#define INPUTS 3

static char folder[] = "/tmp/pgobolt-fdata-merge-XXXXXX";

static char *path_of(const char *name)
{
	struct pgb_text text = {0};

	pgb_text_addf(&text, "%s/%s", folder, name);
	return text.data;
}

static char *put_file(const char *name, const char *text)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return path;
}

static char *contents(const char *path)
{
	struct pgb_text text = {0};
	struct pgb_error error = {0};

	assert_int_equal(pgb_file_read(&text, path, 1 << 24, &error), 0);
	pgb_text_add_bytes(&text, "", 1);
	return text.data;
}

struct row {
	int line;
	bool sorted; /* merged without a profile in memory */
	const char *in[INPUTS];
	uint64_t weight;
	const char *out;
};

static const struct row good[] = {
	{__LINE__, true, {"1 f 1 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, true, {"1 f 1 1 f 2 1 3\n", "1 f 1 1 f 2 2 4\n"}, 1, "1 f 1 1 f 2 3 7\n"},
	{__LINE__, true, {"1 f 1 1 f 2 1 3\n", "1 f 1 1 f 2 2 4\n"}, 5, "1 f 1 1 f 2 15 35\n"},
	/* Each order criterion: function, from, outside, name, to, entry. */
	{__LINE__,
	 true,
	 {"1 a 5 1 a 6 0 1\n1 b 9 1 c 0 0 1\n0 [unknown] 0 1 b 0 0 1\n",
	  "1 a 5 1 a 6 0 2\n1 b 9 0 [unknown] 0 0 1\n1 b 9 1 a 0 0 4\n1 b 10 1 b 4 0 1\n",
	  "1 ab 1 1 ab 1 0 1\n1 b 9 1 c 0 1 5\n1 b 9 1 c 10 1 5\n0 [unknown] 0 1 b 4 0 1\n"},
	 1,
	 "1 a 5 1 a 6 0 3\n1 ab 1 1 ab 1 0 1\n1 b 9 0 [unknown] 0 0 1\n1 b 9 1 a 0 0 4\n"
	 "1 b 9 1 c 0 1 6\n1 b 9 1 c 10 1 5\n1 b 10 1 b 4 0 1\n0 [unknown] 0 1 b 0 0 1\n"
	 "0 [unknown] 0 1 b 4 0 1\n"},
	/* Byte order of names, a space before everything; escaped. */
	{__LINE__,
	 true,
	 {"1 a\\ b 1 1 a\\ b 2 0 1\n1 a\\\\b 1 1 a\\\\b 2 0 1\n",
	  "1 a\\ b 1 1 a\\ b 2 0 1\n1 aX 1 1 a 2 0 1\n1 a\\\\b 1 1 a\\\\b 2 0 1\n"},
	 1,
	 "1 a\\ b 1 1 a\\ b 2 0 2\n1 aX 1 1 a 2 0 1\n1 a\\\\b 1 1 a\\\\b 2 0 2\n"},
	/* Samples, and all events. */
	{__LINE__,
	 true,
	 {"no_lbr cycles:u\n1 f 1 3\n1 g a 4\n", "no_lbr cpu-clock:\n1 f a 1\n1 g a 1\n"},
	 2,
	 "no_lbr cpu-clock: cycles:u\n1 f 1 6\n1 f a 2\n1 g a 10\n"},
	{__LINE__, true, {"boltedcollection\n1 f 1 1 f 2 0 3\n"}, 1, NULL},
	/* Memory lines behind the others. */
	{__LINE__,
	 true,
	 {"1 f 1 1 f 2 0 3\n4 a 1 3 [unknown] 7fff 2\n",
	  "4 a 1 3 [unknown] 7fff 2\n4 a 1 4 d 8 1\n"},
	 1,
	 "1 f 1 1 f 2 0 3\n4 a 1 3 [unknown] 7fff 4\n4 a 1 4 d 8 1\n"},
	/* Saturated; long numbers are left to the reader. */
	{__LINE__,
	 true,
	 {"1 f 1 1 f 2 0 900000000000000000\n"},
	 100,
	 "1 f 1 1 f 2 0 9223372036854775807\n"},
	{__LINE__,
	 false,
	 {"1 f 1 1 f 2 0 9223372036854775807\n", "1 f 1 1 f 2 0 1\n"},
	 1,
	 "1 f 1 1 f 2 0 9223372036854775807\n"},
	{__LINE__, true, {"1 f 1 1 f 2 0 0003\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	/* Not sorted, within a file or a line twice. */
	{__LINE__, false, {"1 g 1 1 f 2 0 3\n1 f 1 1 f 2 0 3\n"}, 1,
	 "1 f 1 1 f 2 0 3\n1 g 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 f 1 1 f 2 0 3\n1 f 1 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 6\n"},
	{__LINE__, false, {"0 [unknown] 0 1 f 0 0 1\n1 f 1 1 f 2 0 3\n"}, 1,
	 "1 f 1 1 f 2 0 3\n0 [unknown] 0 1 f 0 0 1\n"},
	/* Not spelled as we would. */
	{__LINE__, false, {"2 f 1 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 f 01 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 f A 1 f 2 0 3\n"}, 1, "1 f a 1 f 2 0 3\n"},
	{__LINE__, false, {"1  f 1 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 f 1 1 f 2 0 3 \n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 f 1 1 f 2 0  3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 \\f 1 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"1 f 1 0 libc.so 2 0 3\n"}, 1, "1 f 1 0 [unknown] 0 0 3\n"},
	{__LINE__, false, {"1 f 1 0 [unknown] 2 0 3\n"}, 1, "1 f 1 0 [unknown] 0 0 3\n"},
	{__LINE__, false, {"0 x 0 0 [unknown] 0 0 3\n1 f 1 1 f 2 0 3\n"}, 1, "1 f 1 1 f 2 0 3\n"},
	{__LINE__, false, {"no_lbr\n0 [unknown] 0 3\n1 f 1 3\n"}, 1, "no_lbr\n1 f 1 3\n"},
};

static size_t row_inputs(const struct row *row)
{
	size_t count = 0;

	while (count < INPUTS && row->in[count] != NULL)
		count++;
	return count;
}

static bool is_sorted(const struct row *row)
{
	struct pgb_fdata_lines lines[INPUTS];
	struct pgb_profile *header = pgb_profile_new();
	struct pgb_fdata_merged merged = {0};
	struct pgb_error error = {0};
	size_t count = row_inputs(row), size;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &size);
	bool sorted;

	for (size_t i = 0; i < count; i++) {
		lines[i].weight = row->weight;
		lines[i].bytes = pgb_cursor_of(row->in[i], strlen(row->in[i]));
		assert_int_equal(pgb_fdata_read_header(&lines[i].bytes, "in", header, &error), 0);
	}
	sorted = pgb_fdata_merge_sorted(lines, count,
					pgb_profile_kind(header) == PGB_PROFILE_SAMPLES, stream,
					&merged);
	fclose(stream);
	free(text);
	pgb_profile_free(header);
	return sorted;
}

static void test_good(void **state)
{
	static const char *const names[INPUTS] = {"0.fdata", "1.fdata", "2.fdata"};
	char *output = path_of("out.fdata");

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct pgb_fdata_input inputs[INPUTS];
		struct pgb_fdata_merged merged;
		struct pgb_error error = {0};
		const char *expected = good[i].out ? good[i].out : good[i].in[0];
		size_t count = row_inputs(&good[i]);
		char *out, *paths[INPUTS];
		int code;

		for (size_t k = 0; k < count; k++) {
			paths[k] = put_file(names[k], good[i].in[k]);
			inputs[k] = (struct pgb_fdata_input){paths[k], good[i].weight};
		}
		code = pgb_fdata_merge(inputs, count, output, &merged, &error);
		if (code != 0)
			fail_msg("row of line %d: %s", good[i].line, error.message);
		out = contents(output);
		if (strcmp(out, expected) != 0)
			fail_msg("row of line %d: %s", good[i].line, out);
		if (is_sorted(&good[i]) != good[i].sorted)
			fail_msg("row of line %d: sorted or not", good[i].line);
		free(out);
		for (size_t k = 0; k < count; k++)
			free(paths[k]);
	}
	unlink(output);
	free(output);
}

struct bad_row {
	int line;
	const char *in[2];
	enum pgb_code code;
	const char *message; /* part of it */
};

static const struct bad_row bad[] = {
	{__LINE__, {"", "1 f 1 1 f 2 0 3\n"}, PGB_E_EMPTY, "0.fdata"},
	{__LINE__, {"1 f 1 1 f 2 0 3\n", "1 f 1 1 f 2 0 3"}, PGB_E_TRUNCATED, "1.fdata"},
	{__LINE__, {"1 f 1 1 f 2 0 3\n", "1 f 1 1 f 2 0 x\n"}, PGB_E_CORRUPT, "1.fdata: line 1"},
	{__LINE__, {"1 f 1 1 f 2 0 3\n", "1 f 1 1 f 2 0 3\n\n"}, PGB_E_CORRUPT, "1.fdata: line 2"},
	{__LINE__, {"no_lbr\n1 f 1 3\n", "1 f 1 1 f 2 0 3\n"}, PGB_E_MISMATCH, "1.fdata"},
	{__LINE__, {"no_lbr\n1 f 1 3\n", "no_lbr\n1 f 1 1 f 2 0 3\n"}, PGB_E_CORRUPT, "1.fdata"},
	{__LINE__, {"1 f 1 1 f 2 0 3\n", "no_lbr\n"}, PGB_E_MISMATCH, "1.fdata"},
	{__LINE__, {"no_lbr\n", "no_lbr\n"}, PGB_E_EMPTY, "0.fdata"},
	{__LINE__, {"0 x 0 0 x 0 0 1\n", "0 y 0 0 y 0 0 1\n"}, PGB_E_EMPTY, "symbol"},
	{__LINE__, {"1 f 1 1 f 2 0 3\n", "0 x 0 0 x 0 0\n"}, PGB_E_CORRUPT, "1.fdata: line 1"},
};

static void test_bad(void **state)
{
	static const char *const names[] = {"0.fdata", "1.fdata"};
	char *output = put_file("out.fdata", "as it was");

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pgb_fdata_input inputs[2];
		struct pgb_fdata_merged merged;
		struct pgb_error error = {0};
		char *out, *paths[2];
		int code;

		for (size_t k = 0; k < 2; k++) {
			paths[k] = put_file(names[k], bad[i].in[k]);
			inputs[k] = (struct pgb_fdata_input){paths[k], 1};
		}
		code = pgb_fdata_merge(inputs, 2, output, &merged, &error);
		if (code != (int)bad[i].code || !strstr(error.message, bad[i].message))
			fail_msg("row of line %d: %d %s", bad[i].line, code, error.message);
		out = contents(output);
		assert_string_equal(out, "as it was");
		free(out);
		for (size_t k = 0; k < 2; k++)
			free(paths[k]);
	}
	unlink(output);
	free(output);
}

static void test_many_inputs(void **state)
{
	struct pgb_fdata_input inputs[100];
	struct pgb_fdata_merged merged;
	struct pgb_error error = {0};
	char *path = put_file("one.fdata", "1 f 1 1 f 2 1 3\n1 f 1 1 f 4 1 1\n"), *out;
	char *output = path_of("out.fdata");

	(void)state;
	for (size_t i = 0; i < 100; i++)
		inputs[i] = (struct pgb_fdata_input){path, i + 1};
	for (size_t count = 63; count <= 100; count += 37) {
		struct pgb_text expected = {0};
		size_t sum = count * (count + 1) / 2;

		assert_int_equal(pgb_fdata_merge(inputs, count, output, &merged, &error), 0);
		pgb_text_addf(&expected, "1 f 1 1 f 2 %zu %zu\n1 f 1 1 f 4 %zu %zu\n", sum, 3 * sum,
			      sum, sum);
		out = contents(output);
		assert_string_equal(out, pgb_text_string(&expected));
		assert_int_equal(merged.lines, 2);
		assert_int_equal(merged.total, 4 * sum);
		pgb_text_release(&expected);
		free(out);
	}
	unlink(output);
	free(output);
	free(path);
}

/* What cannot be written twice is written once. */
static void test_fifo(void **state)
{
	char *in = put_file("in.fdata", "1 g 1 1 g 2 0 3\n1 f 1 1 f 2 0 3\n");
	char *fifo = path_of("fifo");
	struct pgb_fdata_input input = {in, 1};
	struct pgb_fdata_merged merged;
	struct pgb_error error = {0};
	char command[256], *out, *copy = path_of("copy");
	FILE *reader;

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(command, sizeof(command), "cat %s >%s", fifo, copy);
	reader = popen(command, "w");
	assert_non_null(reader);
	assert_int_equal(pgb_fdata_merge(&input, 1, fifo, &merged, &error), 0);
	assert_int_equal(pclose(reader), 0);
	out = contents(copy);
	assert_string_equal(out, "1 f 1 1 f 2 0 3\n1 g 1 1 g 2 0 3\n");
	free(out);
	unlink(fifo);
	unlink(copy);
	free(fifo);
	free(copy);
	free(in);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	return pgb_file_remove_tree(folder, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_many_inputs),
		cmocka_unit_test(test_fifo),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
