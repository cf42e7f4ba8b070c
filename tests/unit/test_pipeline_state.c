/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/pipeline_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"

static struct pgb_cursor bytes_of(const char *text)
{
	return pgb_cursor_of(text, strlen(text));
}

static void test_written_and_read(void **state)
{
	struct pgb_pipeline_state first = {.program = pgb_dup("pgobolt 0"),
					   .binary = pgb_dup("a b/\xff\"app\""),
					   .tree = pgb_dup("pgo")};
	struct pgb_pipeline_state second;
	struct pgb_step step = {.name = pgb_dup("bolt"),
				.title = pgb_dup("BOLT"),
				.status = PGB_STEP_FAILED,
				.seconds = 1.5,
				.key = pgb_dup("0123456789abcdef"),
				.output = pgb_dup("bolt/app"),
				.log = pgb_dup("logs/bolt.log")};
	struct pgb_error error = {0};
	char *text, *again;

	(void)state;
	pgb_shim_words_add(&step.commands, "a 'b'\nc");
	pgb_array_push(&first.steps, step);
	text = pgb_pipeline_state_text(&first);
	assert_int_equal(pgb_pipeline_state_parse(&second, bytes_of(text), "x", &error), 0);
	assert_string_equal(second.binary, "a b/?\"app\"");
	assert_string_equal(second.tree, "pgo");
	assert_int_equal(second.steps.count, 1);
	assert_non_null(pgb_pipeline_state_find(&second, "bolt"));
	assert_null(pgb_pipeline_state_find(&second, "bench"));
	assert_int_equal(second.steps.items[0].status, PGB_STEP_FAILED);
	assert_null(second.steps.items[0].output_hash);
	assert_string_equal(second.steps.items[0].commands.items.items[0], "a 'b'\nc");
	again = pgb_pipeline_state_text(&second);
	free(text);
	text = pgb_pipeline_state_text(&second);
	assert_string_equal(text, again);
	free(text);
	free(again);
	pgb_pipeline_state_release(&first);
	pgb_pipeline_state_release(&second);
}

#define HEAD "{\"format\": \"pgobolt-run\", \"version\": 1, \"program\": \"p\", \"binary\": \"b\", "
#define STEP "\"name\": \"n\", \"title\": \"t\", \"commands\": [], \"key\": null, "

static void test_damaged(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *said;
	} rows[] = {
		{"", PGB_E_CORRUPT, "x: line"},
		{"{\"format\": \"other\"}", PGB_E_CORRUPT, "'format'"},
		{"{\"format\": \"pgobolt-run\", \"version\": 2}", PGB_E_UNSUPPORTED,
		 "another version"},
		{HEAD "\"steps\": []}", PGB_E_CORRUPT, "'tree'"},
		{HEAD "\"tree\": \"\", \"steps\": 1}", PGB_E_CORRUPT, "'steps'"},
		{HEAD "\"tree\": \"\", \"steps\": [1]}", PGB_E_CORRUPT, "'name'"},
		{HEAD "\"tree\": \"\", \"steps\": [{" STEP "\"output\": \"../x\"}]}", PGB_E_CORRUPT,
		 "'output'"},
		{HEAD "\"tree\": \"\", \"steps\": [{" STEP
		      "\"output\": null, \"output_hash\": null, "
		      "\"log\": \"/etc/passwd\"}]}",
		 PGB_E_CORRUPT, "'log'"},
		{HEAD "\"tree\": \"\", \"steps\": [{" STEP
		      "\"output\": null, \"output_hash\": null, "
		      "\"log\": null, \"status\": \"almost\"}]}",
		 PGB_E_CORRUPT, "'status'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_pipeline_state parsed;
		struct pgb_error error = {0};

		assert_int_equal(
			pgb_pipeline_state_parse(&parsed, bytes_of(rows[i].text), "x", &error),
			rows[i].code);
		assert_non_null(strstr(error.message, rows[i].said));
		pgb_pipeline_state_release(&parsed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
