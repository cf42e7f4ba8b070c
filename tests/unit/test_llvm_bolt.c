/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/collector/file.h"

/* What llvm-bolt of each release really printed, cut to what matters here. */
static char *golden(const char *name)
{
	const char *source = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	char *path = pgb_format("%s/tests/golden/llvm_bolt/%s", source, name);
	struct pgb_text text = {0};
	struct pgb_error error = {0};

	if (pgb_file_read(&text, path, 1 << 20, &error) != 0)
		fail_msg("%s: %s", path, error.message);
	free(path);
	return pgb_text_detach(&text);
}

static void parse_golden(const char *name, struct pgb_llvm_bolt_result *result)
{
	char *text = golden(name);

	*result = (struct pgb_llvm_bolt_result){0};
	pgb_llvm_bolt_parse_output(text, result);
	free(text);
}

static const struct pgb_dyno_stat *dyno(const struct pgb_llvm_bolt_result *result, const char *name)
{
	for (size_t i = 0; i < result->dyno_stats.count; i++)
		if (strcmp(result->dyno_stats.items[i].name, name) == 0)
			return &result->dyno_stats.items[i];
	fail_msg("no dyno-stat '%s'", name);
	return NULL;
}

static void reads_a_good_run(void **state)
{
	static const char *const names[] = {"16-optimized.txt", "19-optimized.txt",
					    "22-optimized.txt"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pgb_llvm_bolt_result result;

		parse_golden(names[i], &result);
		assert_int_equal(result.functions, 14);
		assert_int_equal(result.functions_profiled, 10);
		assert_int_equal(result.functions_not_optimized, 2);
		assert_int_equal(result.functions_reordered, 3);
		assert_int_equal(result.functions_stale, 0);
		assert_int_equal(result.objects_ignored, 1);
		assert_int_equal(result.bytes_hot, 211);
		assert_int_equal(result.bytes_cold, 51);
		assert_true(result.stale_percent == 0);
		assert_int_equal(result.dyno_stats.count, 18);
		assert_int_equal(dyno(&result, "taken branches")->before, 1129965);
		assert_int_equal(dyno(&result, "taken branches")->after, 1012657);
		assert_int_equal(dyno(&result, "PLT calls")->after, 0);
		assert_int_equal(dyno(&result, "executed instructions")->after, 37195686);
		assert_null(result.error_line);
		assert_int_equal(result.skip_advised.count, 0);
		pgb_llvm_bolt_result_release(&result);
	}
}

static void reads_stale_and_unmatched_profiles(void **state)
{
	static const char *const releases[] = {"16", "19", "22"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pgb_llvm_bolt_result result;
		char *name = pgb_format("%s-stale.txt", releases[i]);

		parse_golden(name, &result);
		free(name);
		assert_int_equal(result.functions_profiled, 10);
		assert_int_equal(result.functions_stale, 2);
		assert_int_equal(result.samples_stale, 4429115);
		assert_int_equal(result.samples_total, 4571745);
		assert_true(result.stale_percent > 96.89 && result.stale_percent < 96.91);
		pgb_llvm_bolt_result_release(&result);

		name = pgb_format("%s-nothing-matched.txt", releases[i]);
		parse_golden(name, &result);
		free(name);
		assert_int_equal(result.functions, 14);
		assert_int_equal(result.functions_profiled, 0);
		assert_int_equal(result.objects_ignored, 14);
		pgb_llvm_bolt_result_release(&result);
	}
}

static void reads_advice_and_errors(void **state)
{
	struct pgb_llvm_bolt_result result;

	(void)state;
	parse_golden("19-computed-goto.txt", &result);
	assert_int_equal(result.skip_advised.count, 1);
	assert_string_equal(result.skip_advised.items[0], "interp/1");
	assert_non_null(strstr(result.error_line, "unable to get new address"));
	pgb_llvm_bolt_result_release(&result);

	parse_golden("22-bad-profile.txt", &result);
	assert_string_equal(result.error_line, "Error reading BOLT data input file: line 1, "
					       "column 12: malformed field");
	pgb_llvm_bolt_result_release(&result);
}

static void reads_single_lines(void **state)
{
	static const struct {
		const char *text;
		const char *error; /* NULL: none */
		const char *skip;  /* NULL: none */
		double stale_percent;
	} rows[] = {
		{"BOLT-ERROR: function __restore_rt is in conflict with FDE [401, 402). "
		 "Skipping.\n",
		 NULL, NULL, 0},
		{"BOLT-ERROR: parent function not found for noodle.cold/1(*2)\n",
		 "BOLT-ERROR: parent function not found for noodle.cold/1(*2)", "noodle.cold/1", 0},
		{"BOLT-ERROR: unable to get new address corresponding to input address 0x10390 in "
		 "function main. Consider adding this function to --skip-funcs=...",
		 "BOLT-ERROR: unable to get new address corresponding to input address 0x10390 in "
		 "function main. Consider adding this function to --skip-funcs=...",
		 "main", 0},
		{"llvm-bolt: Unknown command line argument '-x'.  Try: 'llvm-bolt --help'\n"
		 "llvm-bolt: Did you mean '--o'?\n",
		 "llvm-bolt: Unknown command line argument '-x'.  Try: 'llvm-bolt --help'", NULL,
		 0},
		{"BOLT-WARNING: 1 (100.0% of all profiled) function have invalid (possibly stale) "
		 "profile. Use -report-stale to see the list.\n",
		 NULL, NULL, 100},
		{"BOLT-WARNING: 18446744073709551617 (1.5% of all profiled) functions have "
		 "invalid\n",
		 NULL, NULL, 1.5},
		{"   : \n 12 : \n12 :\n 7 :  (=)\nBOLT-INFO: \nBOLT-WARNING: \nBOLT-ERROR:", NULL,
		 NULL, 0},
		{"", NULL, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_llvm_bolt_result result = {0};

		pgb_llvm_bolt_parse_output(rows[i].text, &result);
		if (rows[i].error)
			assert_string_equal(result.error_line, rows[i].error);
		else
			assert_null(result.error_line);
		assert_int_equal(result.skip_advised.count, rows[i].skip ? 1 : 0);
		if (rows[i].skip)
			assert_string_equal(result.skip_advised.items[0], rows[i].skip);
		assert_true(result.stale_percent > rows[i].stale_percent - 0.01 &&
			    result.stale_percent < rows[i].stale_percent + 0.01);
		pgb_llvm_bolt_result_release(&result);
	}
}

static void probes_help(void **state)
{
	static const struct {
		const char *help, *option, *value;
		bool known;
	} rows[] = {
		{"16-help.txt", "reorder-functions", "hfsort+", true},
		{"16-help.txt", "reorder-functions", "cdsort", false},
		{"16-help.txt", "reorder-functions", "hfsor", false},
		{"16-help.txt", "split-strategy", "profile2", true},
		{"16-help.txt", "split-strategy", "cdsplit", false},
		{"16-help.txt", "icf", NULL, true},
		{"16-help.txt", "icf", "safe", false},
		{"16-help.txt", "reorder-blocks", "ext-tsp", true},
		{"16-help.txt", "reorder", NULL, false},
		{"19-help.txt", "reorder-functions", "cdsort", true},
		{"19-help.txt", "split-strategy", "cdsplit", true},
		{"19-help.txt", "icf", "safe", false},
		{"22-help.txt", "icf", NULL, true},
		{"22-help.txt", "icf", "safe", true},
		{"22-help.txt", "icf", "hot", false},
		{"22-help.txt", "plt", "hot", true},
		{"22-help.txt", "dyno-stats", NULL, true},
		{"22-help.txt", "no-such-option", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_llvm_bolt bolt = {.help = golden(rows[i].help)};
		bool known = rows[i].value
				     ? pgb_llvm_bolt_has_value(&bolt, rows[i].option, rows[i].value)
				     : pgb_llvm_bolt_has_option(&bolt, rows[i].option);

		if (known != rows[i].known)
			fail_msg("%s: -%s=%s", rows[i].help, rows[i].option,
				 rows[i].value ? rows[i].value : "");
		free(bolt.help);
	}
}

/* A folder with programs that answer --version and --help-hidden as llvm-bolt would. */
struct bench {
	char folder[64];
	char *path_before;
};

static void write_fake(const struct bench *bench, const char *name, const char *version,
		       const char *help)
{
	char *path = pgb_format("%s/%s", bench->folder, name);
	char *slash = strrchr(path, '/');
	FILE *stream;

	*slash = '\0';
	assert_int_equal(pgb_file_make_directories(path, NULL), 0);
	*slash = '/';
	stream = fopen(path, "w");
	assert_non_null(stream);
	fprintf(stream,
		"#!/bin/sh\ncase $1 in --version) echo 'Debian LLVM version %s'; "
		"echo 'BOLT revision <unknown>';; *) echo '%s';; esac\n",
		version, help);
	fclose(stream);
	assert_int_equal(chmod(path, 0755), 0);
	free(path);
}

static int set_up(void **state)
{
	struct bench *bench = pgb_calloc(1, sizeof(*bench));

	strcpy(bench->folder, "/tmp/pgobolt-test.XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	bench->path_before = pgb_dup(getenv("PATH"));
	unsetenv("PGOBOLT_LLVM_BOLT");
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	setenv("PATH", bench->path_before, 1);
	unsetenv("PGOBOLT_LLVM_BOLT");
	pgb_file_remove_tree(bench->folder, NULL);
	free(bench->path_before);
	free(bench);
	return 0;
}

static void search_only_in(const struct bench *bench, const char *folder)
{
	char *path = pgb_format("%s/%s:/usr/bin:/bin", bench->folder, folder);

	setenv("PATH", path, 1);
	free(path);
}

static void expect_found(const struct bench *bench, const char *explicit_path, const char *name,
			 const char *version)
{
	struct pgb_llvm_bolt bolt;
	struct pgb_error error = {0};
	char *wanted = pgb_format("%s/%s", bench->folder, name);

	if (pgb_llvm_bolt_find(&bolt, explicit_path, &error) != 0)
		fail_msg("%s", error.message);
	assert_string_equal(bolt.path, wanted);
	assert_string_equal(bolt.version, version);
	assert_int_equal(bolt.major, strtoul(version, NULL, 10));
	pgb_llvm_bolt_release(&bolt);
	free(wanted);
}

static const char good_help[] = "  --reorder-blocks=<value>  - change layout";

static void finds_the_newest(void **state)
{
	struct bench *bench = *state;
	char *path;

	write_fake(bench, "a/llvm-bolt-9001", "91.0.2", good_help);
	write_fake(bench, "a/llvm-bolt-9002", "92.1.0", good_help);
	write_fake(bench, "a/llvm-bolt-heatmap-9999", "99.0.0", good_help);
	write_fake(bench, "a/llvm-bolt-9999x", "99.0.0", good_help);
	search_only_in(bench, "a");
	expect_found(bench, NULL, "a/llvm-bolt-9002", "92.1.0");
	/* a newer one that does not answer is passed over */
	write_fake(bench, "a/llvm-bolt-9003", "93.1.0", "no help here");
	expect_found(bench, NULL, "a/llvm-bolt-9002", "92.1.0");
	/* the plain name is somebody's choice: it goes first */
	write_fake(bench, "a/llvm-bolt", "17.0.6", good_help);
	expect_found(bench, NULL, "a/llvm-bolt", "17.0.6");
	path = pgb_format("%s/a/llvm-bolt-9001", bench->folder);
	setenv("PGOBOLT_LLVM_BOLT", path, 1);
	expect_found(bench, NULL, "a/llvm-bolt-9001", "91.0.2");
	free(path);
	expect_found(bench, "llvm-bolt-9002", "a/llvm-bolt-9002", "92.1.0");
}

/* Releases up to 19 look for their library beside argv[0]: a link must be resolved. */
static void resolves_links_and_finds_the_library(void **state)
{
	struct bench *bench = *state;
	struct pgb_llvm_bolt bolt;
	char *target = pgb_format("%s/root/bin/llvm-bolt", bench->folder);
	char *library = pgb_format("%s/root/lib/libbolt_rt_instr.a", bench->folder);
	char *link = pgb_format("%s/b/llvm-bolt-9009", bench->folder);

	write_fake(bench, "root/bin/llvm-bolt", "19.1.7", good_help);
	write_fake(bench, "b/other", "19.1.7", good_help);
	assert_int_equal(symlink(target, link), 0);
	search_only_in(bench, "b");
	assert_int_equal(pgb_llvm_bolt_find(&bolt, NULL, NULL), 0);
	assert_string_equal(bolt.path, target);
	assert_null(bolt.runtime_library);
	pgb_llvm_bolt_release(&bolt);
	write_fake(bench, "root/lib/libbolt_rt_instr.a", "", "");
	assert_int_equal(pgb_llvm_bolt_find(&bolt, NULL, NULL), 0);
	assert_string_equal(bolt.runtime_library, library);
	pgb_llvm_bolt_release(&bolt);
	free(target);
	free(library);
	free(link);
}

static void says_why_it_finds_none(void **state)
{
	struct bench *bench = *state;
	struct pgb_llvm_bolt bolt;
	static const struct {
		const char *name, *version, *help;
		int code;
		const char *says;
	} rows[] = {
		{"old", "14.0.6", good_help, PGB_E_UNSUPPORTED, "14.0.6"},
		{"other", "19.1.7", "  --emit-llvm", PGB_E_TOOL, "not llvm-bolt"},
		{"strange", "x", good_help, PGB_E_TOOL, "no LLVM version"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_error error = {0};
		char *path = pgb_format("%s/%s", bench->folder, rows[i].name);

		write_fake(bench, rows[i].name, rows[i].version, rows[i].help);
		assert_int_equal(pgb_llvm_bolt_find(&bolt, path, &error), rows[i].code);
		assert_non_null(strstr(error.message, rows[i].says));
		assert_true(error.remedy[0] != '\0');
		pgb_llvm_bolt_release(&bolt);
		free(path);
	}
	{
		struct pgb_error error = {0};

		assert_int_equal(pgb_llvm_bolt_find(&bolt, "/nonexistent/llvm-bolt", &error),
				 PGB_E_NOT_FOUND);
		assert_non_null(strstr(error.message, "--llvm-bolt"));
		pgb_llvm_bolt_release(&bolt);
		pgb_error_clear(&error);
		setenv("PGOBOLT_LLVM_BOLT", "/nonexistent/llvm-bolt", 1);
		assert_int_equal(pgb_llvm_bolt_find(&bolt, NULL, &error), PGB_E_NOT_FOUND);
		assert_non_null(strstr(error.message, "PGOBOLT_LLVM_BOLT"));
		pgb_llvm_bolt_release(&bolt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_good_run),
		cmocka_unit_test(reads_stale_and_unmatched_profiles),
		cmocka_unit_test(reads_advice_and_errors),
		cmocka_unit_test(reads_single_lines),
		cmocka_unit_test(probes_help),
		cmocka_unit_test_setup_teardown(finds_the_newest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(resolves_links_and_finds_the_library, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(says_why_it_finds_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
