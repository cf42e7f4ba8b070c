/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/profile.h"

static uint32_t intern(struct pgb_profile *profile, const char *name)
{
	return pgb_profile_intern(profile, name, strlen(name));
}

static void test_names(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	uint32_t first = intern(profile, "name0");
	const char *first_text = pgb_profile_name(profile, first);

	(void)state;
	assert_int_not_equal(first, PGB_NAME_UNKNOWN);
	/* A function may be called so: it is not the outside. */
	assert_int_not_equal(intern(profile, "[unknown]"), PGB_NAME_UNKNOWN);
	for (unsigned int i = 0; i < 5000; i++) {
		char *name = pgb_format("name%u", i);
		uint32_t id = intern(profile, name);

		assert_string_equal(pgb_profile_name(profile, id), name);
		assert_int_equal(intern(profile, name), id);
		free(name);
	}
	assert_int_equal(intern(profile, "name0"), first);
	/* Names do not move. */
	assert_ptr_equal(pgb_profile_name(profile, first), first_text);
	assert_int_not_equal(pgb_profile_intern(profile, "name0", 4), first);
	pgb_profile_free(profile);
}

static void add(struct pgb_profile *profile, uint32_t from, uint64_t offset, uint32_t to,
		uint64_t count)
{
	struct pgb_profile_branch branch = {
		.from = {from, offset}, .to = {to, 8}, .count = count, .mispredicts = 1};

	pgb_profile_add_branch(profile, &branch);
}

/* Adding goes on after sorting. */
static void test_add_sort_add(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	uint32_t b = intern(profile, "b"), a = intern(profile, "a");
	const struct pgb_profile_branch *lines;
	size_t count;

	(void)state;
	add(profile, b, 2, b, 10);
	add(profile, a, 1, b, 20);
	lines = pgb_profile_branches(profile, &count);
	assert_int_equal(count, 2);
	assert_int_equal(lines[0].from.name, a);
	add(profile, b, 2, b, 5);
	add(profile, b, 1, b, 1);
	lines = pgb_profile_branches(profile, &count);
	assert_int_equal(count, 3);
	assert_int_equal(lines[1].from.offset, 1);
	assert_int_equal(lines[2].count, 15);
	assert_int_equal(lines[2].mispredicts, 2);
	assert_int_equal(pgb_profile_total(profile), 36);
	assert_int_equal(pgb_profile_function_count(profile), 2);
	pgb_profile_free(profile);
}

static void test_many_lines(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	uint32_t name = intern(profile, "f");
	const struct pgb_profile_branch *lines;
	size_t count;

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 50000; i++)
			add(profile, name, i * 4 % 50000 * 64, name, 1);
	}
	lines = pgb_profile_branches(profile, &count);
	assert_int_equal(count, 12500);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(lines[i].from.offset, i * 256);
		assert_int_equal(lines[i].count, 8);
	}
	pgb_profile_free(profile);
}

static void test_kind(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_profile_kind(profile), PGB_PROFILE_UNKNOWN);
	assert_int_equal(pgb_profile_set_kind(profile, PGB_PROFILE_BRANCHES, false, &error), 0);
	assert_int_equal(pgb_profile_set_kind(profile, PGB_PROFILE_BRANCHES, false, &error), 0);
	assert_int_equal(pgb_profile_set_kind(profile, PGB_PROFILE_SAMPLES, false, &error),
			 PGB_E_MISMATCH);
	assert_non_null(strstr(error.message, "no_lbr"));
	pgb_error_clear(&error);
	assert_int_equal(pgb_profile_set_kind(profile, PGB_PROFILE_BRANCHES, true, &error),
			 PGB_E_MISMATCH);
	assert_non_null(strstr(error.message, "boltedcollection"));
	pgb_profile_free(profile);
	pgb_profile_free(NULL);
}

static void test_events(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();

	(void)state;
	pgb_profile_add_event(profile, "cycles");
	pgb_profile_add_event(profile, "branches");
	pgb_profile_add_event(profile, "cycles");
	pgb_profile_add_event(profile, "zz");
	assert_int_equal(pgb_profile_event_count(profile), 3);
	assert_string_equal(pgb_profile_event(profile, 0), "branches");
	assert_string_equal(pgb_profile_event(profile, 1), "cycles");
	assert_string_equal(pgb_profile_event(profile, 2), "zz");
	pgb_profile_free(profile);
}

static void test_memory_lines(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_memory memory = {.at = {intern(profile, "f"), 4}, .count = 2};
	const struct pgb_profile_memory *lines;
	size_t count;

	(void)state;
	memory.data = (struct pgb_place){intern(profile, "data"), 16};
	pgb_profile_add_memory(profile, &memory);
	memory.data = (struct pgb_place){PGB_NAME_UNKNOWN, 0x7fff0000};
	pgb_profile_add_memory(profile, &memory);
	pgb_profile_add_memory(profile, &memory);
	lines = pgb_profile_memories(profile, &count);
	assert_int_equal(count, 2);
	assert_int_equal(lines[0].data.name, PGB_NAME_UNKNOWN);
	assert_int_equal(lines[0].data.offset, 0x7fff0000);
	assert_int_equal(lines[0].count, 4);
	assert_int_equal(lines[1].data.offset, 16);
	pgb_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_add_sort_add),
		cmocka_unit_test(test_many_lines), cmocka_unit_test(test_kind),
		cmocka_unit_test(test_events),	   cmocka_unit_test(test_memory_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
