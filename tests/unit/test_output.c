/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "pgobolt/pgo/cli/output.h"

/* An output whose two streams are memory. */
struct caught {
	struct pgb_output output;
	char *out, *err;
	size_t out_length, err_length;
};

static void catch_output(struct caught *caught, struct pgb_output settings)
{
	*caught = (struct caught){.output = settings};
	pgb_output_init(&caught->output);
	caught->output.stdout_stream = open_memstream(&caught->out, &caught->out_length);
	caught->output.stderr_stream = open_memstream(&caught->err, &caught->err_length);
	caught->output.people = caught->output.stdout_stream;
	caught->output.unicode = settings.unicode;
	caught->output.width = 40;
}

static void check_caught(struct caught *caught, const char *out, const char *err)
{
	fclose(caught->output.stdout_stream);
	fclose(caught->output.stderr_stream);
	assert_string_equal(caught->out, out);
	assert_string_equal(caught->err, err);
	free(caught->out);
	free(caught->err);
}

static void say_everything(struct pgb_output *output)
{
	pgb_output_heading(output, "Result");
	pgb_output_line(output, "%d samples", 7);
	pgb_output_heading(output, "More");
	pgb_output_note(output, "by the way");
	pgb_log(&output->log, PGB_LOG_DETAIL, "detail");
	pgb_log(&output->log, PGB_LOG_INFO, "in\tfo");
	pgb_log(&output->log, PGB_LOG_WARNING, "careful");
	pgb_output_next(output, "pgobolt %s", "optimize");
}

static void test_who_reads_what(void **state)
{
	struct caught caught;

	(void)state;
	catch_output(&caught, (struct pgb_output){0});
	say_everything(&caught.output);
	check_caught(&caught,
		     "Result\n7 samples\n\nMore\nby the way\nin?fo\n\nNext: pgobolt optimize\n",
		     "pgobolt: warning: careful\n");
	catch_output(&caught, (struct pgb_output){.quiet = true, .verbose = true});
	say_everything(&caught.output);
	check_caught(&caught, "Result\n7 samples\n\nMore\n", "detail\npgobolt: warning: careful\n");
	catch_output(&caught, (struct pgb_output){.json = true});
	say_everything(&caught.output);
	check_caught(&caught, "", "pgobolt: warning: careful\n");
	catch_output(&caught, (struct pgb_output){.quiet = true});
	pgb_output_use_stderr(&caught.output);
	say_everything(&caught.output);
	check_caught(&caught, "", "Result\n7 samples\n\nMore\npgobolt: warning: careful\n");
}

static void test_color(void **state)
{
	struct caught caught;

	(void)state;
	catch_output(&caught, (struct pgb_output){.color = PGB_COLOR_ALWAYS});
	pgb_output_heading(&caught.output, "Result");
	pgb_output_warning(&caught.output, "careful");
	check_caught(&caught, "\033[1mResult\033[0m\n",
		     "\033[33mpgobolt: warning: \033[0mcareful\n");
}

static void test_wrapping(void **state)
{
	struct caught caught;

	(void)state;
	catch_output(&caught, (struct pgb_output){0});
	pgb_output_wrapped(&caught.output, "  -", 4,
			   "words that fill the line up to\nits end, then go on in the next");
	pgb_output_wrapped(&caught.output, "", 0,
			   "averyverylongwordthatdoesnotfitintoanylineatall x");
	check_caught(&caught,
		     "  - words that fill the line up to its\n    end, then go on in the next\n"
		     "averyverylongwordthatdoesnotfitintoanylineatall\nx\n",
		     "");
}

static void test_errors(void **state)
{
	struct pgb_error error = {0};
	struct caught caught;

	(void)state;
	pgb_fail(&error, PGB_E_MISMATCH, "not \xff this build");
	catch_output(&caught, (struct pgb_output){0});
	pgb_output_error(&caught.output, &error);
	check_caught(&caught, "",
		     "pgobolt: not \xff this build\n  see: pgobolt explain MISMATCH\n");
	pgb_remedy(&error, "record again:\npgobolt record -- app");
	catch_output(&caught, (struct pgb_output){0});
	pgb_output_error(&caught.output, &error);
	check_caught(&caught, "",
		     "pgobolt: not \xff this build\n  record again:\n  pgobolt record -- app\n");
	catch_output(&caught, (struct pgb_output){.json = true});
	pgb_output_error(&caught.output, &error);
	check_caught(
		&caught,
		"{\n  \"error\": {\n    \"code\": \"MISMATCH\",\n    \"message\": \"not ? this "
		"build\",\n    \"remedy\": \"record again:\\npgobolt record -- app\"\n  }\n}\n",
		"");
}

/* A second document would make stdout unreadable: a late error goes to stderr. */
static void test_one_document(void **state)
{
	struct pgb_error error = {0};
	struct caught caught;

	(void)state;
	pgb_fail(&error, PGB_E_IO, "late");
	catch_output(&caught, (struct pgb_output){.json = true});
	pgb_output_json(&caught.output, json_pack("{s:i}", "a", 1));
	pgb_output_error(&caught.output, &error);
	check_caught(&caught, "{\n  \"a\": 1\n}\n", "pgobolt: late\n  see: pgobolt explain IO\n");
	catch_output(&caught, (struct pgb_output){0});
	pgb_output_json(&caught.output, json_pack("{s:i}", "a", 1));
	check_caught(&caught, "", "");
}

static void test_findings(void **state)
{
	static struct pgb_finding rows[] = {
		{PGB_FINDING_GOOD, 0, "machine", (char *)"x86-64", NULL},
		{PGB_FINDING_NOTE, 0, "debug", (char *)"debug\033info", NULL},
		{PGB_FINDING_WARNING, 0, "cold", (char *)"12 fragments",
		 (char *)"gcc: do this\nor that"},
		{PGB_FINDING_ERROR, PGB_E_NOT_SUITABLE, "relocations", (char *)"none",
		 (char *)"link with -Wl,-q"},
	};
	struct pgb_findings findings = {.list = {.items = rows, .count = 4}};
	struct caught caught;
	json_t *json;

	(void)state;
	catch_output(&caught, (struct pgb_output){.unicode = true});
	pgb_output_findings(&caught.output, &findings);
	check_caught(&caught,
		     "✓ x86-64\n· debug?info\n"
		     "! 12 fragments\n  gcc: do this\n  or that\n"
		     "✗ none\n  link with -Wl,-q\n",
		     "");
	catch_output(&caught, (struct pgb_output){.quiet = true});
	pgb_output_findings(&caught.output, &findings);
	check_caught(
		&caught,
		"warn 12 fragments\n     gcc: do this\n     or that\nBAD  none\n     link with "
		"-Wl,-q\n",
		"");
	json = pgb_findings_json(&findings);
	assert_int_equal(json_array_size(json), 4);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 3), "severity")),
			    "error");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 3), "code")),
			    "NOT_SUITABLE");
	assert_null(json_object_get(json_array_get(json, 0), "remedy"));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_reads_what), cmocka_unit_test(test_color),
		cmocka_unit_test(test_wrapping),       cmocka_unit_test(test_errors),
		cmocka_unit_test(test_one_document),   cmocka_unit_test(test_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
