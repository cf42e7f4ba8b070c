/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/check.h"
#include "tests/support/workshop.h"

#define SECOND UINT64_C(1000000000)

static struct workshop shop;
static char *original, *result;

static struct pgb_check_outcome run(const struct pgb_check_job *job, const char *binary)
{
	struct pgb_check_outcome outcome;
	struct pgb_error error = {0};

	if (pgb_check_run(job, binary, &outcome, &error) != 0)
		fail_msg("%s", error.message);
	return outcome;
}

static char *read_text(const char *name)
{
	char *path = workshop_path(&shop, name);
	struct pgb_text text = {0};

	assert_int_equal(pgb_file_read(&text, path, 65536, NULL), 0);
	free(path);
	return pgb_text_detach(&text);
}

/* ---- one run */

static void ends(void **state)
{
	static const struct {
		const char *command;
		int status; /* as a shell gives it */
		const char *tail;
	} rows[] = {
		{"{} hello", 0, "args: hello"},
		{"\"$PGOBOLT_BINARY\" x; exit 7", 7, "args: x"},
		{"{}; kill -SEGV $$", 128 + SIGSEGV, "args:"},
		{"echo one; echo two >&2", 0, "two"},
		{"printf 'a\\033[31mb\\000c'", 0, "a?[31mb?c"},
		{"exit 0", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_check_job job = {.command = rows[i].command, .folder = shop.folder};
		struct pgb_check_outcome outcome = run(&job, original);
		int status = outcome.wait_status;

		assert_false(outcome.timed_out);
		assert_int_equal(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
				 rows[i].status);
		assert_non_null(strstr(outcome.tail, rows[i].tail));
		pgb_check_outcome_release(&outcome);
	}
}

static void hangs_and_is_ended(void **state)
{
	struct pgb_check_job job = {.command = "trap '' TERM; {} x; while :; do sleep 1; done",
				    .timeout_ns = SECOND / 2};
	struct pgb_check_outcome outcome = run(&job, original);
	char text[128];

	(void)state;
	assert_true(outcome.timed_out);
	pgb_check_describe(&outcome, text, sizeof(text));
	assert_non_null(strstr(text, "no end after"));
	pgb_check_outcome_release(&outcome);
}

static void is_stopped_when_asked(void **state)
{
	static volatile sig_atomic_t stop = 1;
	struct pgb_check_job job = {.command = "sleep 100", .stop = &stop};
	struct pgb_check_outcome outcome;
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_check_run(&job, original, &outcome, &error), PGB_E_INTERRUPTED);
	pgb_check_outcome_release(&outcome);
}

static void endless_output_is_not_kept(void **state)
{
	struct pgb_check_job job = {
		.command = "{} x; yes", .timeout_ns = 3 * SECOND, .output_max_bytes = 1000000};
	struct pgb_check_outcome outcome = run(&job, original);

	(void)state;
	assert_true(outcome.timed_out);
	assert_true(outcome.output_truncated);
	assert_true(outcome.output_bytes > 1000000);
	assert_true(strlen(outcome.tail) < 8192);
	pgb_check_outcome_release(&outcome);
}

/* Only as much as is asked for counts: what is different behind it goes unseen. */
static void output_is_compared_to_a_limit(void **state)
{
	struct pgb_check_job job = {.command = "printf 12345; {}", .output_max_bytes = 5};
	struct pgb_check_job other = {.command = "printf 12345; {} y", .output_max_bytes = 5};
	struct pgb_check_outcome a = run(&job, original), b = run(&other, original);

	(void)state;
	assert_true(a.output_hash == b.output_hash && a.output_truncated && b.output_truncated);
	pgb_check_outcome_release(&a);
	pgb_check_outcome_release(&b);
}

/* Zombies are dead. */
static bool is_running(pid_t pid)
{
	char *path = pgb_format("/proc/%d/stat", (int)pid);
	struct pgb_text text = {0};
	bool running = pgb_file_read(&text, path, 4096, NULL) == 0 &&
		       strstr(pgb_text_string(&text), ") Z ") == NULL;

	free(path);
	pgb_text_release(&text);
	return running;
}

static void daemons_end_with_it(void **state)
{
	static const char *const commands[] = {
		"sleep 1000 & echo $! >daemon",
		/* out of its session, and its parent gone */
		"setsid sh -c 'sleep 1000 & echo $! >daemon' </dev/null >/dev/null 2>&1 &"
		" while ! test -s daemon; do sleep 0.1; done",
		/* two levels down, and with another environment */
		"(setsid env -i sh -c '(setsid sh -c \"echo \\$\\$ >daemon; exec sleep 1000\") &"
		" exec sleep 1000' &) ; while ! test -s daemon; do sleep 0.1; done",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct pgb_check_job job = {
			.command = commands[i], .folder = shop.folder, .timeout_ns = 60 * SECOND};
		struct pgb_check_outcome outcome;
		char *digits;

		workshop_shell(&shop, "rm -f daemon");
		outcome = run(&job, original);
		assert_int_equal(outcome.wait_status, 0);
		assert_false(outcome.timed_out);
		digits = read_text("daemon");
		assert_false(is_running(atoi(digits)));
		free(digits);
		pgb_check_outcome_release(&outcome);
	}
}

static void daemons_end_with_a_time_out(void **state)
{
	struct pgb_check_job job = {
		.command = "setsid sh -c 'sleep 1000 & echo $! >daemon; wait'; sleep 1000",
		.folder = shop.folder,
		.timeout_ns = SECOND};
	struct pgb_check_outcome outcome = run(&job, original);
	char *digits = read_text("daemon");

	(void)state;
	assert_true(outcome.timed_out);
	assert_false(is_running(atoi(digits)));
	free(digits);
	pgb_check_outcome_release(&outcome);
}

static void tells_whether_the_binary_ran(void **state)
{
	struct pgb_check_job job = {.command = "{} x"}, other = {.command = "true"};
	struct pgb_check_outcome a = run(&job, original), b = run(&other, original);

	(void)state;
	assert_true(a.opened);
	assert_false(b.opened);
	pgb_check_outcome_release(&a);
	pgb_check_outcome_release(&b);
}

static void missing_things_are_named(void **state)
{
	struct pgb_check_job job = {.command = "true", .folder = "/nowhere/at/all"};
	struct pgb_check_outcome outcome;
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_check_run(&job, original, &outcome, &error), PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "/nowhere/at/all"));
	pgb_check_outcome_release(&outcome);
	pgb_error_clear(&error);
	job.folder = NULL;
	assert_int_equal(pgb_check_run(&job, "/nowhere/prog", &outcome, &error), PGB_E_NOT_FOUND);
	pgb_check_outcome_release(&outcome);
}

/* ---- in the original's place, and without one */

static void takes_the_place(void **state)
{
	char *command = pgb_format("%s && {} && echo $PGOBOLT_BINARY", original);
	struct pgb_check_job job = {.command = command, .original = original};
	struct pgb_check_outcome before = run(&job, original), after = run(&job, result);

	(void)state;
	free(command);
	if (!after.in_place) {
		pgb_check_outcome_release(&before);
		pgb_check_outcome_release(&after);
		skip();
	}
	/* the path that it was told, and that it tells, is the original's */
	assert_true(before.in_place && before.opened && after.opened);
	assert_int_equal(after.wait_status, 0);
	assert_non_null(strstr(after.tail, original));
	assert_null(strstr(after.tail, result));
	assert_true(before.output_hash == after.output_hash);
	pgb_check_outcome_release(&before);
	pgb_check_outcome_release(&after);
}

static void names_are_read_as_the_originals(void **state)
{
	static const struct {
		const char *command;
		bool same;
	} rows[] = {
		{"{} a", true}, /* prints $0 */
		{"basename {}", true},
		{"{} a; yes \"x{}\" | head -n 9000", true}, /* across the ends of chunks */
		{"{} a; stat -c %i {}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_check_job job = {
			.command = rows[i].command, .original = original, .never_in_place = true};
		struct pgb_check_outcome a = run(&job, original), b = run(&job, result);

		assert_false(a.in_place || b.in_place);
		assert_int_equal(a.output_hash == b.output_hash, rows[i].same);
		pgb_check_outcome_release(&a);
		pgb_check_outcome_release(&b);
	}
}

/* ---- judging */

static struct pgb_check begin(const char *command, int wanted, const char *message)
{
	struct pgb_check_job job = {
		.command = command, .original = original, .folder = shop.folder};
	struct pgb_check check;
	struct pgb_error error = {0};
	int code = pgb_check_begin(&check, &job, &error);

	if (code != wanted)
		fail_msg("%d %s", code, error.message);
	if (wanted != 0)
		assert_true(strstr(error.message, message) || strstr(error.remedy, message));
	return check;
}

static void a_useless_check_is_refused(void **state)
{
	struct pgb_check check = begin("{} x; echo oh no; exit 3", PGB_E_CHECK, "oh no");

	(void)state;
	pgb_check_end(&check);
	check = begin("true", PGB_E_CHECK, "never runs");
	pgb_check_end(&check);
}

static void judges(void **state)
{
	static const struct {
		const char *command, *why;
		bool good, varies;
	} rows[] = {
		{"{} x", "", true, false},
		/* `kind` is what the two differ in */
		{"{} kind >/dev/null", "", true, false},
		{"{} kind", "prints something else", false, false},
		{"{} kind | grep -q original", "exit status 1", false, false},
		{"{} kind | grep -q original || kill -ABRT $$", "Aborted", false, false},
		/* another output each time, but each ends well */
		{"{} x; date +%N; echo $$", "", true, true},
		{"{} x; date +%N; {} kind | grep -q original", "exit status 1", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_check check = begin(rows[i].command, 0, NULL);
		struct pgb_check_verdict verdict;
		struct pgb_error error = {0};
		bool passes;

		assert_int_equal(pgb_check_judge(&check, result, &verdict, &error), 0);
		assert_int_equal(verdict.good, rows[i].good);
		assert_int_equal(check.output_varies, rows[i].varies);
		if (strstr(verdict.why, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].command, verdict.why);
		assert_int_equal(check.repeats, 1);
		assert_int_equal(pgb_check_passes(&check, result, &passes, &error), 0);
		assert_int_equal(passes, rows[i].good);
		pgb_check_end(&check);
	}
}

/* Every other run: the original is not to be blamed on the result, nor the other way round. */
static void a_check_that_fails_by_chance_is_refused(void **state)
{
	struct pgb_check check =
		begin("{} x; n=$(cat n); echo $((n + 1)) >n; exit $((n % 2))", 0, NULL);
	struct pgb_check_verdict verdict;
	struct pgb_error error = {0};

	(void)state;
	/* n is 1: the result fails; then the original passes, the result fails .. */
	workshop_write(&shop, "n", "1");
	assert_int_equal(pgb_check_judge(&check, result, &verdict, &error), 0);
	assert_false(verdict.good);
	/* .. and now the original fails */
	workshop_write(&shop, "n", "1");
	check.job.command = "{} x; n=$(cat n); echo $((n + 1)) >n; test $n != 1 -a $n != 2";
	assert_int_equal(pgb_check_judge(&check, result, &verdict, &error), PGB_E_CHECK);
	assert_non_null(strstr(error.message, "now and then"));
	pgb_check_end(&check);
}

static void a_result_that_fails_by_chance_is_run_more_often(void **state)
{
	struct pgb_check check = begin("if {} kind | grep -q original; then exit 0; fi;"
				       " n=$(cat n); echo $((n + 1)) >n; exit $((n % 2))",
				       0, NULL);
	struct pgb_check_verdict verdict;
	struct pgb_error error = {0};

	(void)state;
	workshop_write(&shop, "n", "1");
	assert_int_equal(pgb_check_judge(&check, result, &verdict, &error), 0);
	assert_false(verdict.good);
	assert_true(verdict.failures > 0 && verdict.failures < verdict.runs);
	assert_true(check.repeats > 1);
	pgb_check_end(&check);
}

static int open_shop(void **state)
{
	static const char script[] = "test \"$1\" = kind && { echo %s; exit; }\n"
				     "echo \"args: $*\"\necho \"I am $0\"\n";
	char *text = pgb_format(script, "original");

	(void)state;
	workshop_open(&shop);
	workshop_script(&shop, "prog", text);
	free(text);
	text = pgb_format(script, "result");
	workshop_script(&shop, "prog.bolt.new", text);
	free(text);
	workshop_write(&shop, "n", "0");
	original = workshop_path(&shop, "prog");
	result = workshop_path(&shop, "prog.bolt.new");
	return 0;
}

static int close_shop(void **state)
{
	(void)state;
	free(original);
	free(result);
	workshop_close(&shop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(hangs_and_is_ended),
		cmocka_unit_test(is_stopped_when_asked),
		cmocka_unit_test(endless_output_is_not_kept),
		cmocka_unit_test(output_is_compared_to_a_limit),
		cmocka_unit_test(daemons_end_with_it),
		cmocka_unit_test(daemons_end_with_a_time_out),
		cmocka_unit_test(tells_whether_the_binary_ran),
		cmocka_unit_test(missing_things_are_named),
		cmocka_unit_test(takes_the_place),
		cmocka_unit_test(names_are_read_as_the_originals),
		cmocka_unit_test(a_useless_check_is_refused),
		cmocka_unit_test(judges),
		cmocka_unit_test(a_check_that_fails_by_chance_is_refused),
		cmocka_unit_test(a_result_that_fails_by_chance_is_run_more_often),
	};

	return cmocka_run_group_tests(tests, open_shop, close_shop);
}
