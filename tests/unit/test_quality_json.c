/* SPDX-License-Identifier: MIT */
/* What is written is read back, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <cmocka.h>

#include "pgobolt/pgo/quality_json.h"

static struct pgb_quality some_quality(void)
{
	struct pgb_quality quality = {
		.grade = 'D',
		.branches = true,
		.count = UINT64_MAX,
		.count_unmatched = 2,
		.functions = 3,
		.functions_in_binary = 4,
		.functions_90 = 5,
		.functions_99 = 6,
		.bytes_90 = 7,
		.bytes_99 = 8,
		.density = 9.5,
		.more_samples = 10.25,
		.flow = -1,
		.agreement = 0.75,
		.dropped = 0,
		.mismatching = -1,
		.lost = 0.5,
	};
	struct pgb_quality_reason reason = {'D', pgb_dup("too \"short\"")};

	pgb_array_push(&quality.reasons, reason);
	return quality;
}

static void reads_what_it_writes(void **state)
{
	struct pgb_quality written = some_quality(), read = {0};
	json_t *json = pgb_quality_json(&written);
	json_t *again;

	(void)state;
	assert_true(pgb_quality_from_json(&read, json));
	assert_int_equal(read.grade, 'D');
	assert_true(read.branches);
	assert_int_equal(read.count, INT64_MAX);
	assert_int_equal(read.bytes_99, 8);
	assert_true(read.density == 9.5 && read.flow < 0 && read.dropped == 0);
	assert_int_equal(read.reasons.count, 1);
	assert_string_equal(read.reasons.items[0].text, "too \"short\"");
	again = pgb_quality_json(&read);
	assert_true(json_equal(json, again));
	json_decref(again);
	json_decref(json);
	pgb_quality_release(&written);
	pgb_quality_release(&read);
}

static void nothing_is_null(void **state)
{
	struct pgb_quality quality = {0};
	json_t *json = pgb_quality_json(&quality);

	(void)state;
	assert_true(json_is_null(json));
	assert_true(pgb_quality_from_json(&quality, json));
	assert_true(pgb_quality_from_json(&quality, NULL));
	assert_int_equal(quality.grade, 0);
	json_decref(json);
}

static void refuses_other_json(void **state)
{
	static const struct {
		const char *key, *value; /* NULL: the key is taken away */
	} rows[] = {
		{"grade", NULL},	 {"grade", "\"G\""}, {"grade", "1"},
		{"reasons", NULL},	 {"reasons", "[1]"}, {"reasons", "[{\"grade\": \"B\"}]"},
		{"branches", "1"},	 {"count", NULL},    {"count", "-1"},
		{"functions_99", "1.5"}, {"density", "-1"},  {"density", "\"9\""},
		{"agreement", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pgb_quality quality = some_quality(), read = {0};
		json_t *json = pgb_quality_json(&quality);

		if (rows[i].value)
			json_object_set_new(json, rows[i].key,
					    json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(json, rows[i].key);
		if (pgb_quality_from_json(&read, json))
			fail_msg("%s: %s", rows[i].key, rows[i].value ? rows[i].value : "gone");
		json_decref(json);
		pgb_quality_release(&quality);
		pgb_quality_release(&read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(nothing_is_null),
		cmocka_unit_test(refuses_other_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
