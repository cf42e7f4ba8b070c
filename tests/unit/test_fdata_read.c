/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"

static int read_text(struct pgb_profile *profile, const char *text, uint64_t weight,
		     struct pgb_error *error)
{
	return pgb_fdata_read(pgb_cursor_of(text, strlen(text)), "in.fdata", weight, profile,
			      error);
}

/* What the profile looks like when written; the caller frees it. */
static char *written(struct pgb_profile *profile)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	pgb_fdata_write(stream, profile);
	assert_int_equal(fclose(stream), 0);
	return text;
}

struct row {
	int line;
	const char *in;
	uint64_t weight;
	const char *out; /* NULL: the same as `in` */
};

static const struct row good[] = {
	{__LINE__, "1 main 32 1 multi 0 0 10\n", 1, NULL},
	{__LINE__, "1 main 32 1 multi 0 2 10\n", 3, "1 main 32 1 multi 0 6 30\n"},
	/* Equal lines are summed. */
	{__LINE__, "1 f 1 1 f 2 1 2\n1 f 1 1 f 2 3 4\n", 1, "1 f 1 1 f 2 4 6\n"},
	/* Local symbols are symbols, and hexadecimal may be in capitals. */
	{__LINE__, "2 f aB 2 g 0 0 1\n", 1, "1 f ab 1 g 0 0 1\n"},
	/* Spaces in a row; a space at the end. */
	{__LINE__, "1   f  1  1 g   0  0  7 \n", 1, "1 f 1 1 g 0 0 7\n"},
	/* Outside: whatever the name and offset, it is [unknown] 0. */
	{__LINE__, "0 libc.so 7f00 1 f 0 0 2\n1 f 4 0 [unknown] 0 0 3\n", 1,
	 "1 f 4 0 [unknown] 0 0 3\n0 [unknown] 0 1 f 0 0 2\n"},
	{__LINE__, "0 a 1 0 b 2 0 1\n1 f 1 1 f 4 0 1\n", 1, "1 f 1 1 f 4 0 1\n"},
	/* Escaped names. */
	{__LINE__, "1 we\\ ird e 1 b\\\\s 0 0 1\n", 1, NULL},
	{__LINE__, "1 a\\b 1 1 a\\b 2 0 1\n", 1, "1 ab 1 1 ab 2 0 1\n"},
	/* Order: functions by name, then offset, outside first, then names, then entries. */
	{__LINE__,
	 "0 [unknown] 0 1 b 0 0 1\n1 b 10 1 b 4 0 1\n1 b 9 1 c 0 0 1\n1 b 9 1 a 0 0 1\n"
	 "1 b 9 0 [unknown] 0 0 1\n1 a 5 1 b 0 0 1\n",
	 1,
	 "1 a 5 1 b 0 0 1\n1 b 9 0 [unknown] 0 0 1\n1 b 9 1 a 0 0 1\n1 b 9 1 c 0 0 1\n"
	 "1 b 10 1 b 4 0 1\n0 [unknown] 0 1 b 0 0 1\n"},
	/* Byte order of names, shorter first. */
	{__LINE__, "1 ab 1 1 ab 2 0 1\n1 a 1 1 a 2 0 1\n1 B 1 1 B 2 0 1\n1 \xc3\xa9 1 1 a 2 0 1\n",
	 1, "1 B 1 1 B 2 0 1\n1 a 1 1 a 2 0 1\n1 ab 1 1 ab 2 0 1\n1 \xc3\xa9 1 1 a 2 0 1\n"},
	/* Samples. */
	{__LINE__, "no_lbr\n1 f a 3\n", 1, NULL},
	{__LINE__, "no_lbr cycles:u cpu-clock:\n1 f 10 3\n1 f 4 1\n0 x 5 9\n1 f 10 2\n", 2,
	 "no_lbr cpu-clock: cycles:u\n1 f 4 2\n1 f 10 10\n"},
	{__LINE__, "no_lbr cycles \n1 f a 3\n", 1, "no_lbr cycles\n1 f a 3\n"},
	{__LINE__, "no_lbr a\\b c\\ d\n1 f a 3\n", 1, NULL},
	{__LINE__, "boltedcollection\n1 f 1 1 f 2 0 3\n", 1, NULL},
	{__LINE__, "no_lbr cycles\nboltedcollection\n1 f 1 3\n", 1, NULL},
	/* Memory lines, alone or behind others. */
	{__LINE__, "4 f 1 3 [unknown] 7fff 2\n", 1, NULL},
	{__LINE__, "1 f 1 1 f 2 0 3\n4 f 1 4 data 8 2\n5 f 1 5 data 8 2\n3 x 1 4 data 8 2\n", 1,
	 "1 f 1 1 f 2 0 3\n4 f 1 4 data 8 4\n"},
	/* Counts stop at the largest that fdata can hold. */
	{__LINE__, "1 f 1 1 f 2 0 9223372036854775807\n1 f 1 1 f 2 1 1\n", 1,
	 "1 f 1 1 f 2 1 9223372036854775807\n"},
	{__LINE__, "1 f 1 1 f 2 0 4611686018427387904\n", 5, "1 f 1 1 f 2 0 9223372036854775807\n"},
	{__LINE__, "1 f ffffffffffffffff 1 f 0000000000000000000000000000002 0 00001\n", 1,
	 "1 f ffffffffffffffff 1 f 2 0 1\n"},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct pgb_profile *profile = pgb_profile_new();
		struct pgb_error error = {0};
		const char *expected = good[i].out ? good[i].out : good[i].in;
		char *text;

		if (read_text(profile, good[i].in, good[i].weight, &error) != 0)
			fail_msg("row of line %d: %s", good[i].line, error.message);
		text = written(profile);
		if (strcmp(text, expected) != 0)
			fail_msg("row of line %d: wrote\n%s", good[i].line, text);
		free(text);
		pgb_profile_free(profile);
	}
}

static const struct {
	int line;
	const char *in;
	int code;
	const char *message; /* part of it */
} bad[] = {
	{__LINE__, "", PGB_E_EMPTY, "empty"},
	{__LINE__, "no_lbr\n", PGB_E_EMPTY, "header"},
	{__LINE__, "boltedcollection\n", PGB_E_EMPTY, "header"},
	{__LINE__, "1 f 1 1 f 2 0 3", PGB_E_TRUNCATED, "newline"},
	{__LINE__, "# comment\n", PGB_E_CORRUPT, "line 1: expected 0, 1 or 2"},
	{__LINE__, "1 f 1 1 f 2 0 3\n\n1 f 1 1 f 2 0 3\n", PGB_E_CORRUPT, "line 2"},
	{__LINE__, "1 f 1 1 f 2 0 3\r\n", PGB_E_CORRUPT, "no CR"},
	{__LINE__, "1 f 0xa 1 f 2 0 3\n", PGB_E_CORRUPT, "space behind the offset"},
	{__LINE__, "1 f g 1 f 2 0 3\n", PGB_E_CORRUPT, "hexadecimal"},
	{__LINE__, "1 f 10000000000000000 1 f 2 0 3\n", PGB_E_CORRUPT, "below 2^64"},
	{__LINE__, "1 f 1 1 f 2 0 9223372036854775808\n", PGB_E_CORRUPT, "below 2^63"},
	{__LINE__, "1 f 1 1 f 2 0 -1\n", PGB_E_CORRUPT, "a count"},
	{__LINE__, "1 f 1 1 f 2 -1 1\n", PGB_E_CORRUPT, "mispredictions"},
	{__LINE__, "1 f 1 1 f 2 0 3 4\n", PGB_E_CORRUPT, "end of the line"},
	{__LINE__, "1 f 1 1 f 2 3\n", PGB_E_CORRUPT, "a space and the count"},
	{__LINE__, "1 f 1 5 f 2 0 3\n", PGB_E_CORRUPT, "0, 1 or 2"},
	{__LINE__, "6 f 1 1 f 2 0 3\n", PGB_E_CORRUPT, "0, 1 or 2"},
	{__LINE__, "1f 1 1 f 2 0 3\n", PGB_E_CORRUPT, "a space"},
	{__LINE__, "1\n", PGB_E_CORRUPT, "a space"},
	{__LINE__, "1 \n", PGB_E_CORRUPT, "a name"},
	{__LINE__, "1 f\\\n 1 1 f 2 0 3\n", PGB_E_CORRUPT, "a name"},
	{__LINE__, "4 f 1 4 d 1 2\n1 f 1 1 f 2 0 3\n", PGB_E_CORRUPT, "line 2: expected 3, 4 or 5"},
	{__LINE__, "no_lbrcycles\n1 f 1 2\n", PGB_E_CORRUPT, "behind no_lbr"},
	{__LINE__, "no_lbr a  b\n1 f 1 2\n", PGB_E_CORRUPT, "one space"},
	{__LINE__, "no_lbr\n1 f 1 1 f 2 0 3\n", PGB_E_CORRUPT, "line 2: expected the end"},
	{__LINE__, "boltedcollection x\n1 f 1 1 f 2 0 3\n", PGB_E_CORRUPT, "boltedcollection"},
	{__LINE__, "boltedcollection\nno_lbr\n1 f 1 2\n", PGB_E_CORRUPT, "line 2"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pgb_profile *profile = pgb_profile_new();
		struct pgb_error error = {0};
		int code = read_text(profile, bad[i].in, 1, &error);

		if (code != bad[i].code || strstr(error.message, bad[i].message) == NULL)
			fail_msg("row of line %d: %s: %s", bad[i].line, pgb_code_name(code),
				 error.message);
		pgb_profile_free(profile);
	}
}

static void test_zero_byte(void **state)
{
	static const char text[] = "1 f\0g 1 1 f 2 0 3\n";
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(
		pgb_fdata_read(pgb_cursor_of(text, sizeof(text) - 1), "z", 1, profile, &error),
		PGB_E_CORRUPT);
	pgb_profile_free(profile);
}

/* A file cut at any byte is complete lines or an error, never a shorter profile. */
static void test_every_cut(void **state)
{
	static const char text[] = "no_lbr cycles\nboltedcollection\n1 f 1 3\n1 a\\ b ff 12\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
		struct pgb_profile *profile = pgb_profile_new();
		int code = pgb_fdata_read(pgb_cursor_of(text, cut), "cut", 1, profile, NULL);

		if (cut > 0 && text[cut - 1] == '\n')
			assert_true(code == 0 || code == PGB_E_EMPTY);
		else
			assert_true(code == PGB_E_TRUNCATED || code == PGB_E_EMPTY);
		pgb_profile_free(profile);
	}
}

static void test_kinds_do_not_mix(void **state)
{
	static const char *const texts[] = {"1 f 1 1 f 2 0 3\n", "no_lbr\n1 f 1 3\n",
					    "boltedcollection\n1 f 1 1 f 2 0 3\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			struct pgb_profile *profile = pgb_profile_new();
			struct pgb_error error = {0};

			assert_int_equal(read_text(profile, texts[i], 1, &error), 0);
			assert_int_equal(read_text(profile, texts[j], 1, &error),
					 i == j ? 0 : PGB_E_MISMATCH);
			assert_true(i == j || strstr(error.remedy, "in.fdata") != NULL ||
				    error.remedy[0] != '\0');
			pgb_profile_free(profile);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_kinds_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
