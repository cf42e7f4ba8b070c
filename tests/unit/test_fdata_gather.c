/* SPDX-License-Identifier: MIT */
/* Lines in any order, gathered by threads, come out as those of a profile in memory do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"

enum { INPUTS = 3 };

/* NULL: it was not understood. */
static char *gather(const char *const *texts, size_t count, uint64_t weight, size_t threads,
		    struct pgb_fdata_merged *merged)
{
	struct pgb_fdata_lines lines[INPUTS] = {0};
	struct pgb_fdata_gathered *gathered;
	char *text = NULL;
	size_t size;
	FILE *stream;

	for (size_t i = 0; i < count; i++) {
		lines[i].bytes = pgb_cursor_of((const uint8_t *)texts[i], strlen(texts[i]));
		lines[i].weight = weight + i;
	}
	gathered = pgb_fdata_gather(lines, count, threads);
	if (gathered == NULL)
		return NULL;
	stream = open_memstream(&text, &size);
	assert_non_null(stream);
	pgb_fdata_gathered_write(gathered, stream, merged);
	fclose(stream);
	pgb_fdata_gathered_free(gathered);
	return text;
}

static char *read_in_turn(const char *const *texts, size_t count, uint64_t weight,
			  struct pgb_fdata_merged *merged)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_error error = {0};
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			pgb_fdata_read(pgb_cursor_of((const uint8_t *)texts[i], strlen(texts[i])),
				       "in", weight + i, profile, &error),
			0);
	pgb_fdata_write(stream, profile);
	fclose(stream);
	merged->lines = pgb_profile_line_count(profile);
	merged->total = pgb_profile_total(profile);
	pgb_profile_free(profile);
	return text;
}

static void check(const char *const *texts, size_t count, uint64_t weight)
{
	struct pgb_fdata_merged wanted = {0};
	char *expected = read_in_turn(texts, count, weight, &wanted);

	for (size_t threads = 1; threads <= 4; threads++) {
		struct pgb_fdata_merged merged = {0};
		char *text = gather(texts, count, weight, threads, &merged);

		assert_non_null(text);
		if (strcmp(text, expected) != 0)
			fail_msg("%zu threads: other lines than a profile writes", threads);
		assert_int_equal(merged.lines, wanted.lines);
		assert_int_equal(merged.total, wanted.total);
		free(text);
	}
	free(expected);
}

static void few_lines(void **state)
{
	static const char *const rows[][INPUTS] = {
		{"1 f 1 1 f 2 0 3\n"},
		{"1 g 1 1 f 2 0 3\n1 f 1 1 f 2 0 3\n", "1 f 1 1 f 2 1 4\n"},
		{"0 [unknown] 0 1 f 0 0 1\n1 f 1 1 f 2 0 3\n1 f 1 0 libc.so 5 0 3\n"},
		{"1 b 9 1 c 0 0 1\n1 b 9 1 a 0 0 1\n1 b 9 0 [unknown] 0 0 1\n1 b A 1 a 0 0 1\n"},
		{"0 x 0 0 [unknown] 0 0 3\n1 f 1 1 f 2 0 3\n"},
		{"1 [unknown] 1 1 f 2 0 3\n"},
		{"1 f 1 1 f 2 900000000000000000 900000000000000000\n",
		 "1 f 1 1 f 2 900000000000000000 900000000000000000\n",
		 "1 f 0 1 f 2 999999999999999999 999999999999999999\n"},
		{"1 f ffffffff 1 f FFFFFFFF 0 000000000000000003\n"},
		{"1 aaaaaaa 0 1 aaaaaaaa 0 0 1\n1 aaaaaaaaa 0 1 aaaaaaaaaaaaaaaa 0 0 1\n"
		 "1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
		 "0 0 1\n"
		 "1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab 0 1 \xc3\xa4 0 0 1\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t count = 0;

		while (count < INPUTS && rows[i][count] != NULL)
			count++;
		check(rows[i], count, 1);
		check(rows[i], count, 7);
		check(rows[i], count, 100);
	}
}

static void add_place(struct pgb_text *text, uint64_t random, bool outside)
{
	static const char tail[] = "_and_a_tail_that_is_longer_than_what_stands_in_a_slot";
	unsigned int number = (unsigned int)(random % 300);

	if (outside)
		pgb_text_add(text, "0 [unknown] 0 ");
	else
		pgb_text_addf(text, "1 name%u%.*s %x ", number, (int)(number % sizeof(tail)), tail,
			      (unsigned int)(random >> 32) % 40);
}

static char *make_text(size_t lines, uint64_t seed)
{
	struct pgb_text text = {0};

	for (size_t i = 0; i < lines; i++) {
		uint64_t from = pgb_hash_u64(seed + 3 * i), to = pgb_hash_u64(seed + 3 * i + 1);
		unsigned int count = (unsigned int)(from >> 20) % 1000;

		add_place(&text, from, to % 16 == 0);
		add_place(&text, i % 3 ? to : from, to % 16 == 1);
		pgb_text_addf(&text, "%u %u\n", count / 9, count);
	}
	return pgb_text_detach(&text);
}

/* Several pieces for each thread; functions with many lines and with few. */
static void many_lines(void **state)
{
	const char *texts[INPUTS];
	char *made[INPUTS];

	(void)state;
	for (size_t i = 0; i < INPUTS; i++)
		texts[i] = made[i] = make_text(i == 1 ? 1000 : 60000, i);
	assert_true(strlen(texts[0]) > 4000000);
	check(texts, INPUTS, 2);
	check(&texts[1], 1, 1);
	for (size_t i = 0; i < INPUTS; i++)
		free(made[i]);
}

/* These are for pgb_fdata_read(), which takes some of them and has words for the others. */
static void leaves_what_is_not_plain(void **state)
{
	static const char *const rows[] = {
		"2 f 1 1 f 2 0 3\n",
		"4 a 1 3 [unknown] 7 2\n",
		"1  f 1 1 f 2 0 3\n",
		"1 f  1 1 f 2 0 3\n",
		"1 f 1 1 f 2 0 3 \n",
		"1 f 1 1 f 2 0  3\n",
		"1 f 1 1 f 2 0\n",
		"1 f 1 1 f 2\n",
		"1 f 1\n",
		"1 f\n",
		"1 \n",
		"1\n",
		"\n",
		"1 f 1 1 f 2 0 3\r\n",
		"1 f g 1 f 2 0 3\n",
		"1 f 1 1 f  0 3\n",
		"1 f 123456789 1 f 2 0 3\n",
		"1 f 1 1 f 2 0 1234567890123456789\n",
		"1 f 1 1 f 2 1234567890123456789 3\n",
		"1 f 1 1 f 2 -1 3\n",
		"1 f\\ g 1 1 f 2 0 3\n",
		"1 f\t 1 1 f 2 0 3\n",
		"1 \x01 1 1 f 2 0 3\n",
		"1 f 1 1 abcdefgh\\\\ 2 0 3\n",
		"no_lbr\n",
	};
	struct pgb_fdata_merged merged;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const texts[] = {"1 f 1 1 f 2 0 3\n", rows[i]};
		char *text = gather(texts, 2, 1, 2, &merged);

		if (text != NULL)
			fail_msg("row %zu was taken: %s", i, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_lines),
		cmocka_unit_test(many_lines),
		cmocka_unit_test(leaves_what_is_not_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
