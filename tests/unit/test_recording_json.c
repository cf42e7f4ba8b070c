/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/recording.h"

static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return pgb_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static struct pgb_recording example(void)
{
	struct pgb_recording recording = {
		.program = pgb_dup("pgobolt 0.1.0"),
		.source = pgb_dup("ip"),
		.reason = pgb_dup("no branch records here"),
		.event = pgb_dup("cpu-clock:u"),
		.rate = {.frequency_hz = 1999},
		.command = pgb_dup("./a.out 'two words'"),
		.machine = pgb_dup("x86_64"),
		.cpu = pgb_dup("A CPU"),
		.kernel = pgb_dup("6.1.0"),
		.is_virtual = true,
		.runs = 2,
		.stats = {.feed = {.records = 10, .lost_records = 3},
			  .source = {.samples = 7, .kernel = 1},
			  .mapped = 6,
			  .exit_status = 143,
			  .exit_signal = 15,
			  .has_exit_status = true},
	};
	struct pgb_recorded_binary a = {
		.name = pgb_dup("a.out"),
		.path = pgb_dup("/tmp/a.out"),
		.id = pgb_dup("h0123456789abcdef"),
		.edges_file = pgb_dup("a.out-h0123456789abcdef.edges"),
		.fdata_file = pgb_dup("a.out-h0123456789abcdef.fdata"),
		.executable = true,
		.count = 5,
		.stats = {.seen = 5, .written = 4, .no_function = 1},
	};
	struct pgb_recorded_binary b = {
		.name = pgb_dup("libc.so.6"),
		.path = pgb_dup("/lib/libc\xff.so.6"), /* not UTF-8 */
		.id = pgb_dup("c0ffee"),
		.build_id = pgb_dup("c0ffee"),
		.reason = pgb_dup("it is stripped"),
		.count = 1,
	};

	pgb_array_push(&recording.binaries, a);
	pgb_array_push(&recording.binaries, b);
	return recording;
}

static int parse(struct pgb_recording *recording, const char *text, struct pgb_error *error)
{
	return pgb_recording_parse(recording, pgb_cursor_of(text, strlen(text)), "R", error);
}

static void what_is_written_is_read(void **state)
{
	struct pgb_recording first = example(), second;
	char *text = pgb_recording_text(&first), *again;
	struct pgb_error error = {0};
	const struct pgb_recorded_binary *main_binary;

	(void)state;
	assert_int_equal(parse(&second, text, &error), 0);
	again = pgb_recording_text(&second);
	assert_string_equal(again, text);
	main_binary = pgb_recording_main(&second);
	assert_non_null(main_binary);
	assert_string_equal(main_binary->name, "a.out");
	assert_null(main_binary->build_id);
	assert_true(main_binary->executable);
	assert_int_equal(main_binary->stats.written, 4);
	assert_string_equal(second.binaries.items[1].path, "/lib/libc?.so.6");
	assert_string_equal(second.binaries.items[1].reason, "it is stripped");
	assert_int_equal(second.stats.feed.lost_records, 3);
	assert_int_equal(second.stats.exit_signal, 15);
	assert_int_equal(second.rate.frequency_hz, 1999);
	assert_int_equal(second.runs, 2);
	pgb_recording_release(&first);
	pgb_recording_release(&second);
	free(text);
	free(again);
}

static const struct fault_row {
	const char *from, *to; /* changed in the text of the example */
	int code;
	const char *says;
} fault_rows[] = {
	{"pgobolt-recording", "another", PGB_E_CORRUPT, "no recording"},
	{"\"version\": 1", "\"version\": 2", PGB_E_UNSUPPORTED, "version 2"},
	{"\"version\": 1", "\"version\": 0", PGB_E_CORRUPT, "version"},
	{"\"version\": 1", "\"version\": \"1\"", PGB_E_CORRUPT, "version"},
	{"\"mapped\": 6", "\"mapped\": -6", PGB_E_CORRUPT, "'mapped'"},
	{"\"mapped\": 6", "\"mapped\": 6.5", PGB_E_CORRUPT, "'mapped'"},
	{"\"mapped\"", "\"mopped\"", PGB_E_CORRUPT, "'mapped'"},
	{"\"exit_signal\": 15", "\"exit_signal\": 5000000000", PGB_E_CORRUPT, "'exit_signal'"},
	{"\"source\": \"ip\"", "\"source\": null", PGB_E_CORRUPT, "'source'"},
	{"\"virtual\": true", "\"virtual\": 1", PGB_E_CORRUPT, "'virtual'"},
	{"\"a.out-h0123456789abcdef.edges\"", "\"../a\"", PGB_E_CORRUPT, "'edges_file'"},
	{"\"a.out-h0123456789abcdef.fdata\"", "\".a\"", PGB_E_CORRUPT, "'fdata_file'"},
	{"\"a.out-h0123456789abcdef.fdata\"", "\"\"", PGB_E_CORRUPT, "'fdata_file'"},
	{"\"main\": \"h01", "\"main\": \"h02", PGB_E_CORRUPT, "'main'"},
	{"\"binaries\": [", "\"binaries\": 1, \"x\": [", PGB_E_CORRUPT, "'binaries'"},
	{"\"binaries\": [", "\"binaries\": [7,", PGB_E_CORRUPT, "'name'"},
	{"\"host\": {", "\"host\": {,", PGB_E_CORRUPT, "line"},
	{"\"runs\": 2", "\"runs\": 2, \"runs\": 3", PGB_E_CORRUPT, "line"},
};

static void faults_are_named(void **state)
{
	struct pgb_recording recording = example();
	char *text = pgb_recording_text(&recording);

	(void)state;
	pgb_recording_release(&recording);
	for (size_t i = 0; i < sizeof(fault_rows) / sizeof(fault_rows[0]); i++) {
		char *changed = replaced(text, fault_rows[i].from, fault_rows[i].to);
		struct pgb_error error = {0};

		assert_int_equal(parse(&recording, changed, &error), fault_rows[i].code);
		assert_non_null(strstr(error.message, fault_rows[i].says));
		assert_non_null(strstr(error.message, "R"));
		assert_null(recording.source);
		free(changed);
	}
	free(text);
}

static void every_cut_is_an_error(void **state)
{
	struct pgb_recording recording = example();
	char *text = pgb_recording_text(&recording);
	size_t length = strlen(text) - 1; /* the newline is not missed */

	(void)state;
	pgb_recording_release(&recording);
	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(
			pgb_recording_parse(&recording, pgb_cursor_of(text, cut), "R", NULL),
			PGB_E_CORRUPT);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(every_cut_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
