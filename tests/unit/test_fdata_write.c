/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/collector/file.h"

static const char path[] = "test_fdata_write.out";

static struct pgb_place place(struct pgb_profile *profile, const char *name, uint64_t offset)
{
	return (struct pgb_place){pgb_profile_intern(profile, name, strlen(name)), offset};
}

static void test_file(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_branch branch = {.mispredicts = 1, .count = UINT64_MAX};
	struct pgb_text text = {0};
	struct pgb_error error = {0};

	(void)state;
	branch.from = place(profile, "a b", 0x1f);
	branch.to = place(profile, "c\\d", 0);
	pgb_profile_add_branch(profile, &branch);
	assert_int_equal(pgb_fdata_write_file(path, profile, &error), 0);
	assert_int_equal(pgb_file_read(&text, path, 4096, &error), 0);
	assert_string_equal(pgb_text_string(&text),
			    "1 a\\ b 1f 1 c\\\\d 0 1 9223372036854775807\n");
	pgb_text_release(&text);
	pgb_profile_free(profile);
	unlink(path);
}

static void test_empty_is_not_written(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_profile_set_kind(profile, PGB_PROFILE_SAMPLES, false, &error), 0);
	pgb_profile_add_event(profile, "cycles");
	assert_int_equal(pgb_fdata_write_file(path, profile, &error), PGB_E_EMPTY);
	assert_int_equal(access(path, F_OK), -1);
	pgb_profile_free(profile);
}

static void test_no_folder(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_sample sample = {.count = 1};
	struct pgb_error error = {0};

	(void)state;
	sample.at = place(profile, "f", 1);
	pgb_profile_add_sample(profile, &sample);
	assert_int_equal(pgb_fdata_write_file("/nonexistent/x.fdata", profile, &error),
			 PGB_E_NOT_FOUND);
	pgb_profile_free(profile);
}

/* More than the writer's buffer holds, long names, written and read back. */
static void test_round_trip_large(void **state)
{
	struct pgb_profile *profile = pgb_profile_new(), *again = pgb_profile_new();
	const struct pgb_profile_branch *lines, *lines_again;
	struct pgb_error error = {0};
	size_t count, count_again;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		struct pgb_profile_branch branch = {.count = i + 1, .mispredicts = i % 7};
		char name[600];

		memset(name, 'x', sizeof(name));
		snprintf(name, sizeof(name), "name %u", i * 7919 % 20000);
		if (i % 100 == 0) {
			name[strlen(name)] = 'y';
			name[sizeof(name) - 1] = '\0';
		}
		branch.from = place(profile, name, i);
		branch.to = place(profile, "callee", i % 3);
		pgb_profile_add_branch(profile, &branch);
	}
	assert_int_equal(pgb_fdata_write_file(path, profile, &error), 0);
	assert_int_equal(pgb_fdata_read_file(path, 1, again, &error), 0);
	lines = pgb_profile_branches(profile, &count);
	lines_again = pgb_profile_branches(again, &count_again);
	assert_int_equal(count, 20000);
	assert_int_equal(count_again, count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(pgb_profile_name(profile, lines[i].from.name),
				    pgb_profile_name(again, lines_again[i].from.name));
		assert_int_equal(lines[i].count, lines_again[i].count);
		assert_int_equal(lines[i].mispredicts, lines_again[i].mispredicts);
		assert_int_equal(lines[i].from.offset, lines_again[i].from.offset);
		assert_int_equal(lines[i].to.offset, lines_again[i].to.offset);
	}
	pgb_profile_free(profile);
	pgb_profile_free(again);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_empty_is_not_written),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_round_trip_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
