/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "tests/support/workshop.h"

static const char program[] =
	"#include <stdio.h>\n"
	"#include <stdlib.h>\n"
	"static unsigned seed = 1;\n"
	"static unsigned next(void) { return (seed = seed * 1103515245u + 12345u) >> 16; }\n"
	"__attribute__((noinline)) static int rare(int a) { fprintf(stderr, \"r\"); return a; }\n"
	"__attribute__((noinline)) int step(int op, int a) {\n"
	"	switch (op) { case 0: return a + 1; case 1: if (a > 9999) return a % 77; return a "
	"* 3;\n"
	"	case 2: return a ^ 21; case 3: return a < 5 ? 5 : a; default: return rare(a); } }\n"
	"int main(void) { int a = 0; for (int i = 0; i < 300000; i++) a = step(next() & 3, a);\n"
	"	printf(\"%d\\n\", a); return 0; }\n";

/* A table of code addresses in a position-independent program: 19 asks to skip the function. */
static const char computed_goto[] =
	"#include <stdio.h>\n"
	"__attribute__((noinline)) static int interpret(const unsigned char *at, int a) {\n"
	"	static const void *const table[] = {&&add, &&mix, &&halt};\n"
	"	goto *table[*at++];\n"
	"add:	a += 3; goto *table[*at++];\n"
	"mix:	a ^= 5; goto *table[*at++];\n"
	"halt:	return a; }\n"
	"static int branchy(int a) { return a % 3 ? a + 1 : a / 2; }\n"
	"int main(void) { static const unsigned char code[] = {0, 1, 0, 0, 1, 2}; int a = 0;\n"
	"	for (int i = 0; i < 100000; i++) a = branchy(interpret(code, a));\n"
	"	printf(\"%d\\n\", a); return 0; }\n";

struct test {
	struct workshop workshop;
	char *input, *output, *profile, *fake;
	struct pgb_elf_image *image;
};

static int set_up(void **state)
{
	struct test *test = pgb_calloc(1, sizeof(*test));

	workshop_open(&test->workshop);
	test->input = workshop_path(&test->workshop, "a");
	test->output = workshop_path(&test->workshop, "a.bolt");
	test->profile = workshop_path(&test->workshop, "a.fdata");
	test->fake = workshop_path(&test->workshop, "fake");
	workshop_compile(&test->workshop, "a", "-O2 -Wl,-q -Wl,--build-id", program);
	workshop_write(&test->workshop, "a.fdata", "1 main 0 1 step 0 0 1\n");
	assert_int_equal(pgb_elf_image_open(&test->image, test->input, NULL), 0);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	pgb_elf_image_close(test->image);
	workshop_close(&test->workshop);
	free(test->input);
	free(test->output);
	free(test->profile);
	free(test->fake);
	free(test);
	return 0;
}

static struct pgb_llvm_bolt_job job_of(const struct test *test)
{
	return (struct pgb_llvm_bolt_job){.input = test->input,
					  .output = test->output,
					  .profile = test->profile,
					  .preset = PGB_PRESET_DEFAULT};
}

/* ---- argv */

static char *golden_help(const char *release)
{
	const char *source = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	char *path = pgb_format("%s/tests/golden/llvm_bolt/%s-help.txt", source, release);
	struct pgb_text text = {0};

	assert_int_equal(pgb_file_read(&text, path, 1 << 20, NULL), 0);
	free(path);
	return pgb_text_detach(&text);
}

static char *arguments_text(const char *release, const struct pgb_elf_image *image,
			    const struct pgb_llvm_bolt_job *job)
{
	char path[] = "/bolt", version[] = "1.2.3";
	struct pgb_llvm_bolt bolt = {
		.path = path, .version = version, .help = golden_help(release)};
	char **argv;
	struct pgb_text text = {0};

	bolt.major = (unsigned int)strtoul(release, NULL, 10);
	argv = pgb_llvm_bolt_arguments(&bolt, image, job);
	for (size_t i = 0; argv[i] != NULL; i++)
		pgb_text_addf(&text, "%s%s", i ? " " : "", argv[i]);
	pgb_llvm_bolt_arguments_free(argv);
	free(bolt.help);
	return pgb_text_detach(&text);
}

#define SAFE_16                                                                                    \
	"-reorder-blocks=ext-tsp -reorder-functions=hfsort+ -split-functions -split-all-cold"
#define SAFE_19 "-reorder-blocks=ext-tsp -reorder-functions=cdsort -split-functions -split-all-cold"

static void spells_for_each_release(void **state)
{
	static const char *const user_order[] = {"--reorder-functions=random", "-icf", NULL};
	static const char *const names[] = {"f.cold/1", "a$b", NULL};
	static const struct {
		const char *release;
		struct pgb_llvm_bolt_job job;
		const char *text;
	} rows[] = {
		{"16", {.preset = PGB_PRESET_SAFE}, "-data=P " SAFE_16 " -dyno-stats"},
		{"19", {.preset = PGB_PRESET_SAFE}, "-data=P " SAFE_19 " -dyno-stats"},
		{"22", {.preset = PGB_PRESET_SAFE}, "-data=P " SAFE_19 " -icf=safe -dyno-stats"},
		{"16",
		 {.preset = PGB_PRESET_DEFAULT},
		 "-data=P " SAFE_16 " -split-eh -jump-tables=move -inline-small-functions "
		 "-dyno-stats"},
		{"22",
		 {.preset = PGB_PRESET_DEFAULT},
		 "-data=P " SAFE_19 " -split-eh -icf=safe -jump-tables=move "
		 "-inline-small-functions -dyno-stats"},
		{"22",
		 {.preset = PGB_PRESET_SAFE, .without_relocations = true},
		 "-data=P -reorder-blocks=ext-tsp -split-functions -split-all-cold -dyno-stats"},
		{"19",
		 {.preset = PGB_PRESET_SAFE, .extra = user_order},
		 "-data=P -reorder-blocks=ext-tsp -split-functions -split-all-cold -dyno-stats "
		 "--reorder-functions=random -icf"},
		{"22",
		 {.preset = PGB_PRESET_SAFE,
		  .update_debug = true,
		  .no_huge_pages = true,
		  .infer_fall_throughs = true,
		  .threads = 3,
		  .skip_functions_file = "S",
		  .skip_functions = names},
		 "-data=P " SAFE_19 " -icf=safe -dyno-stats -infer-fall-throughs "
		 "-update-debug-sections -no-huge-pages -thread-count=3 -skip-funcs-file=S "
		 "-skip-funcs=f\\.cold/1,a\\$b"},
		{"22",
		 {.instrument_prefix = "/p"},
		 "-instrument -instrumentation-file=/p -instrumentation-file-append-pid"},
		{"22",
		 {.instrument_prefix = "/p", .instrument_every_s = 5},
		 "-instrument -instrumentation-file=/p -instrumentation-sleep-time=5 "
		 "-instrumentation-no-counters-clear"},
	};
	struct test *test = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_llvm_bolt_job job = rows[i].job;
		char *wanted = pgb_format("/bolt ./-in -o out %s", rows[i].text);
		char *got;

		job.input = "-in";
		job.output = "out";
		job.profile = "P";
		got = arguments_text(rows[i].release, test->image, &job);
		assert_string_equal(got, wanted);
		free(wanted);
		free(got);
	}
}

/* -plt makes the output bind at once: only where it does so already. */
static void optimizes_the_plt_of_programs_that_bind_now(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	struct pgb_elf_image *image;
	char *path = workshop_path(&test->workshop, "now");
	char *text;

	workshop_compile(&test->workshop, "now", "-Wl,-q -Wl,-z,lazy", program);
	assert_int_equal(pgb_elf_image_open(&image, path, NULL), 0);
	text = arguments_text("22", image, &job);
	assert_null(strstr(text, "-plt"));
	free(text);
	pgb_elf_image_close(image);
	workshop_compile(&test->workshop, "now", "-Wl,-q -Wl,-z,now", program);
	assert_int_equal(pgb_elf_image_open(&image, path, NULL), 0);
	text = arguments_text("22", image, &job);
	assert_non_null(strstr(text, "-plt=hot"));
	free(text);
	pgb_elf_image_close(image);
	free(path);
}

static void asks_for_more_at_the_maximum(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	char *text;

	job.preset = PGB_PRESET_MAX;
	text = arguments_text("16", test->image, &job);
	assert_null(strstr(text, "cdsplit"));
	assert_non_null(strstr(text, " -icf "));
	free(text);
	text = arguments_text("22", test->image, &job);
	assert_non_null(strstr(text, "-split-strategy=cdsplit"));
	assert_non_null(strstr(text, " -icf "));
	assert_null(strstr(text, "-icf=safe"));
	assert_null(strstr(text, "-use-gnu-stack"));
	free(text);
}

/* ---- running a script in its place */

struct outcome {
	int code;
	struct pgb_error error;
	struct pgb_llvm_bolt_result result;
	char *files_before, *files_after;
};

static void run_fake(struct test *test, const char *script, const struct pgb_llvm_bolt_job *job,
		     struct outcome *outcome)
{
	char version[] = "22.1.8", library[] = "/lib.a";
	struct pgb_llvm_bolt bolt = {.path = test->fake,
				     .major = 22,
				     .version = version,
				     .runtime_library = library,
				     .help = golden_help("22")};

	workshop_script(&test->workshop, "fake", script);
	*outcome = (struct outcome){.files_before = workshop_list(&test->workshop)};
	outcome->code =
		pgb_llvm_bolt_run(&bolt, test->image, job, &outcome->result, NULL, &outcome->error);
	outcome->files_after = workshop_list(&test->workshop);
	assert_int_equal(outcome->code, outcome->error.code);
	free(bolt.help);
}

static void release_outcome(struct outcome *outcome)
{
	pgb_llvm_bolt_result_release(&outcome->result);
	free(outcome->files_before);
	free(outcome->files_after);
}

/* Fails with this code and words; the folder is as it was. */
static void expect_failure(struct test *test, const char *script,
			   const struct pgb_llvm_bolt_job *job, int code, const char *says)
{
	struct outcome outcome;

	run_fake(test, script, job, &outcome);
	if (outcome.code != code || strstr(outcome.error.message, says) == NULL)
		fail_msg("%s: %s '%s', not %s '%s'", script, pgb_code_name(outcome.code),
			 outcome.error.message, pgb_code_name(code), says);
	assert_string_equal(outcome.files_before, outcome.files_after);
	release_outcome(&outcome);
}

#define WRITE	 "cp \"$1\" \"$3\"\n"
#define PROFILED "echo 'BOLT-INFO: 4 out of 9 functions in the binary (44.4%) have non-empty'\n"

static void publishes_a_whole_file(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	struct outcome outcome;
	struct stat before, after;

	assert_int_equal(chmod(test->input, 0750), 0);
	assert_int_equal(stat(test->input, &before), 0);
	job.log_path = "/dev/full"; /* a log that cannot be written harms nothing */
	run_fake(test, WRITE PROFILED, &job, &outcome);
	assert_string_equal(outcome.error.message, "");
	assert_int_equal(outcome.result.functions_profiled, 4);
	assert_non_null(strstr(outcome.result.command_line, "a.bolt"));
	assert_int_equal(stat(test->output, &after), 0);
	assert_int_equal(after.st_mode & 07777, 0750);
	assert_int_equal(after.st_size, before.st_size);
	assert_string_equal(outcome.files_after, "a a.bolt a.c a.fdata fake ");
	release_outcome(&outcome);
}

static void explains_failures(void **state)
{
	static const struct {
		const char *script;
		int code;
		const char *says;
	} rows[] = {
		{"exit 3", PGB_E_TOOL, "status 3 and gave no reason"},
		{"kill -SEGV $$", PGB_E_TOOL, "crashed"},
		{"kill -KILL $$", PGB_E_TOOL, "out of memory"},
		{"echo 'BOLT-ERROR: something new' >&2; exit 1", PGB_E_TOOL, "something new"},
		{"echo half >\"$3\"; echo 'LLVM ERROR: IO failure on output stream: No space left "
		 "on "
		 "device'; kill -ABRT $$",
		 PGB_E_RESOURCE, "disk of the output is full"},
		{"echo 'BOLT-ERROR: input file was processed by BOLT. Cannot re-optimize.'; exit 1",
		 PGB_E_NOT_SUITABLE, "already"},
		{"echo 'BOLT-ERROR: function reordering only works when relocations are enabled'; "
		 "exit 1",
		 PGB_E_NOT_SUITABLE, "relocations"},
		{"echo 'ERROR: no valid profile data found'\n"
		 "echo \"BOLT-ERROR: 'cannot pre-process profile': Input/output error.\"; exit 1",
		 PGB_E_EMPTY, "no line"},
		{"echo 'Error reading BOLT data input file: line 1, column 12: malformed field'\n"
		 "echo \"BOLT-ERROR: 'cannot pre-process profile': Input/output error.\"; exit 1",
		 PGB_E_CORRUPT, "line 1, column 12"},
		{"echo \"llvm-bolt: Unknown command line argument '-x'.\"; exit 1", PGB_E_USAGE,
		 "-x"},
		{WRITE
		 "echo 'BOLT-INFO: 0 out of 14 functions in the binary (0.0%) have non-empty'",
		 PGB_E_EMPTY, "none of the 14 functions"},
		{WRITE PROFILED
		 "echo 'BOLT-WARNING: 9 out of 10 samples in the binary (90.0%) belong "
		 "to functions with invalid (possibly stale) profile.'",
		 PGB_E_MISMATCH, "90.0% of the samples"},
	};
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_failure(test, rows[i].script, &job, rows[i].code, rows[i].says);
}

static void refuses_before_it_runs(void **state)
{
	static const char *const no_hugify[] = {"-use-gnu-stack", NULL};
	static const char *const own_output[] = {"-o=x", NULL};
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	char *nowhere = workshop_path(&test->workshop, "no/such/folder/x");
	static const char ran[] = "touch \"${3%/*}/ran\"";

	job.output = test->input;
	expect_failure(test, ran, &job, PGB_E_EXISTS, "one file");
	assert_int_equal(link(test->input, test->output), 0);
	job.output = test->output;
	expect_failure(test, ran, &job, PGB_E_EXISTS, "one file");
	assert_int_equal(unlink(test->output), 0);
	assert_int_equal(symlink("a", test->output), 0);
	expect_failure(test, ran, &job, PGB_E_EXISTS, "one file");
	assert_int_equal(unlink(test->output), 0);
	job.output = "/dev/null";
	expect_failure(test, ran, &job, PGB_E_EXISTS, "no regular file");
	job.output = nowhere;
	expect_failure(test, ran, &job, PGB_E_NOT_FOUND, "cannot write into the folder");
	job = job_of(test);
	job.profile = nowhere;
	expect_failure(test, ran, &job, PGB_E_NOT_FOUND, "no/such");
	workshop_write(&test->workshop, "empty", "");
	job.profile = workshop_path(&test->workshop, "empty");
	expect_failure(test, ran, &job, PGB_E_EMPTY, "is empty");
	free((char *)job.profile);
	job = job_of(test);
	job.extra = no_hugify;
	expect_failure(test, ran, &job, PGB_E_UNSUPPORTED, "stack");
	job.extra = own_output;
	expect_failure(test, ran, &job, PGB_E_USAGE, "-o");
	free(nowhere);
}

static void refuses_without_permission(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);

	if (geteuid() == 0) {
		print_message("skipped: root may write everywhere\n");
		return;
	}
	workshop_script(&test->workshop, "fake", "");
	assert_int_equal(chmod(test->workshop.folder, 0500), 0);
	job.output = test->output;
	expect_failure(test, "touch \"${3%/*}/ran\"", &job, PGB_E_PERMISSION,
		       "cannot write into the folder");
}

/* A link that is the output stays a link; what it points to is replaced. */
static void writes_through_a_link(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	struct outcome outcome;
	struct stat status;

	workshop_write(&test->workshop, "target", "old");
	assert_int_equal(symlink("target", test->output), 0);
	run_fake(test, WRITE PROFILED, &job, &outcome);
	assert_int_equal(outcome.code, 0);
	assert_int_equal(lstat(test->output, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(stat(test->output, &status), 0);
	assert_true(status.st_size > 3);
	release_outcome(&outcome);
}

/* Nothing it started may outlive it: the script leaves a child, known by how long it sleeps. */
static void stops_in_time(void **state)
{
	static volatile sig_atomic_t yes = 1;
	char *stuck = pgb_format("(trap '' TERM HUP; exec sleep 300.%d) &\nsleep 100", getpid());
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);

	job.timeout_s = 1;
	expect_failure(test, stuck, &job, PGB_E_TOOL, "not done after 1 seconds");
	job.timeout_s = 0;
	job.interrupted = &yes;
	expect_failure(test, stuck, &job, PGB_E_INTERRUPTED, "stopped");
	/* who was killed may have to wait for a CPU before it is gone */
	assert_int_equal(workshop_shell(&test->workshop,
					"for i in $(seq 600); do grep -qszx '300[.]%d' "
					"/proc/[0-9]*/cmdline || exit 0; sleep 0.1; done; exit 1",
					getpid()),
			 0);
	free(stuck);
}

static void skips_what_it_is_told_to(void **state)
{
	static const char script[] =
		"for n in f.cold/1 g h; do case \"$*\" in *[=,]$(echo $n | sed "
		"'s/\\./\\\\\\\\./')*) ;; *)\n"
		"echo \"BOLT-ERROR: unable to get new address corresponding to input address 0x1 "
		"in "
		"function $n(*2). Consider adding this function to --skip-funcs=...\"; exit 1;;"
		" esac; done\n" WRITE PROFILED;
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	struct outcome outcome;

	run_fake(test, script, &job, &outcome);
	assert_string_equal(outcome.error.message, "");
	assert_int_equal(outcome.result.skipped.count, 3);
	assert_string_equal(outcome.result.skipped.items[0], "f.cold/1");
	assert_string_equal(outcome.result.skipped.items[2], "h");
	assert_non_null(strstr(outcome.result.command_line, "h"));
	assert_true(workshop_has(&test->workshop, "a.bolt"));
	release_outcome(&outcome);
	/* one that names the same function for ever is not asked for ever */
	assert_int_equal(unlink(test->output), 0);
	expect_failure(test, "echo 'BOLT-ERROR: parent function not found for f/1'; exit 1", &job,
		       PGB_E_TOOL, "parent function");
}

static void gives_up_debug_information_first(void **state)
{
	static const char script[] =
		"case \"$*\" in *update-debug*) echo 'BOLT-ERROR: broken DWARF "
		"found in CU at offset 0x0'; exit 1;; esac\n" WRITE PROFILED;
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	struct outcome outcome;

	job.update_debug = true;
	run_fake(test, script, &job, &outcome);
	assert_int_equal(outcome.code, 0);
	assert_true(outcome.result.debug_dropped);
	release_outcome(&outcome);
}

static int refuse(void *context, const char *path, struct pgb_error *error)
{
	assert_string_equal(context, "context");
	assert_int_equal(access(path, R_OK), 0);
	return pgb_fail(error, PGB_E_CHECK, "not good enough");
}

static void asks_before_it_publishes(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt_job job = job_of(test);
	char context[] = "context";

	job.accept = refuse;
	job.accept_context = context;
	expect_failure(test, WRITE PROFILED, &job, PGB_E_CHECK, "not good enough");
}

/* ---- the real ones */

static void expect_same_output(struct test *test, const char *a, const char *b)
{
	assert_int_equal(
		workshop_shell(&test->workshop, "./%s >one && ./%s >two && cmp one two", a, b), 0);
}

static bool find_release(struct pgb_llvm_bolt *bolt, const char *release)
{
	char *path = pgb_format("/usr/lib/llvm-%s/bin/llvm-bolt", release);
	bool found = pgb_file_is_executable(path) && pgb_llvm_bolt_find(bolt, path, NULL) == 0;

	if (!found)
		print_message("skipped: llvm-bolt %s is not installed\n", release);
	free(path);
	return found;
}

/* Count with llvm-bolt's own instrumentation, then optimize with that. */
static void instrument(struct test *test, const struct pgb_llvm_bolt *bolt)
{
	struct pgb_llvm_bolt_job job = job_of(test);
	struct pgb_llvm_bolt_result result;
	struct pgb_error error = {0};
	char *prefix = workshop_path(&test->workshop, "counts");

	job.profile = NULL;
	job.instrument_prefix = prefix;
	if (pgb_llvm_bolt_run(bolt, test->image, &job, &result, NULL, &error) != 0)
		fail_msg("%s: %s", bolt->version, error.message);
	pgb_llvm_bolt_result_release(&result);
	assert_int_equal(workshop_shell(&test->workshop, "./a.bolt && mv counts.*.fdata a.fdata"),
			 0);
	free(prefix);
}

static void optimize_with(struct test *test, const struct pgb_llvm_bolt *bolt,
			  enum pgb_preset preset, size_t skipped)
{
	struct pgb_llvm_bolt_job job = job_of(test);
	struct pgb_llvm_bolt_result result;
	struct pgb_error error = {0};

	job.preset = preset;
	if (pgb_llvm_bolt_run(bolt, test->image, &job, &result, NULL, &error) != 0)
		fail_msg("%s: %s", bolt->version, error.message);
	assert_true(result.functions_profiled > 0);
	assert_int_equal(result.functions_stale, 0);
	assert_true(result.dyno_stats.count > 10);
	assert_int_equal(result.skipped.count, skipped);
	pgb_llvm_bolt_result_release(&result);
	expect_same_output(test, "a", "a.bolt");
}

static void works_with_real_releases(void **state)
{
	static const char *const releases[] = {"22", "19", "16"};
	struct test *test = *state;

	for (size_t i = 0; i < 3; i++) {
		struct pgb_llvm_bolt bolt;

		if (!find_release(&bolt, releases[i]))
			continue;
		if (bolt.runtime_library == NULL) {
			print_message("skipped: no instrumentation library of %s\n", releases[i]);
		} else {
			instrument(test, &bolt);
			for (int preset = PGB_PRESET_SAFE; preset <= PGB_PRESET_MAX; preset++)
				optimize_with(test, &bolt, (enum pgb_preset)preset, 0);
		}
		pgb_llvm_bolt_release(&bolt);
	}
}

static void survives_computed_gotos(void **state)
{
	struct test *test = *state;
	struct pgb_llvm_bolt bolt;

	workshop_compile(&test->workshop, "a", "-O2 -Wl,-q -fPIE -pie", computed_goto);
	pgb_elf_image_close(test->image);
	assert_int_equal(pgb_elf_image_open(&test->image, test->input, NULL), 0);
	workshop_write(&test->workshop, "a.fdata",
		       "0 [unknown] 0 1 main 0 0 1\n1 main 1 1 interpret/1 0 0 100\n");
	if (!find_release(&bolt, "19"))
		return;
	{
		struct pgb_llvm_bolt_job job = job_of(test);
		struct pgb_llvm_bolt_result result;
		struct pgb_error error = {0};

		job.stale_percent_most = 100; /* the profile above is invented */
		if (pgb_llvm_bolt_run(&bolt, test->image, &job, &result, NULL, &error) != 0)
			fail_msg("%s", error.message);
		assert_int_equal(result.skipped.count, 1);
		assert_string_equal(result.skipped.items[0], "interpret/1");
		pgb_llvm_bolt_result_release(&result);
		expect_same_output(test, "a", "a.bolt");
	}
	pgb_llvm_bolt_release(&bolt);
}

/* Without a loader nobody runs the library's end: a watching process writes, where that works. */
static void counts_in_static_programs(void **state)
{
	static const char *const releases[] = {"22", "19", "16"};
	static const struct {
		const char *flags;
		unsigned int first, last; /* releases in which it works */
	} rows[] = {{"-O2 -Wl,-q -static", 16, 19}, {"-O2 -Wl,-q -static-pie -fPIE", 22, 99}};
	struct test *test = *state;
	char *prefix = workshop_path(&test->workshop, "counts");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		workshop_compile(&test->workshop, "a", rows[i].flags, program);
		pgb_elf_image_close(test->image);
		assert_int_equal(pgb_elf_image_open(&test->image, test->input, NULL), 0);
		for (size_t k = 0; k < 3; k++) {
			struct pgb_llvm_bolt bolt;
			struct pgb_llvm_bolt_job job = job_of(test);
			struct pgb_llvm_bolt_result result;
			struct pgb_error error = {0};
			int code;

			if (!find_release(&bolt, releases[k]))
				continue;
			job.instrument_prefix = prefix;
			code = pgb_llvm_bolt_run(&bolt, test->image, &job, &result, NULL, &error);
			if (bolt.major < rows[i].first || bolt.major > rows[i].last) {
				assert_int_equal(code, PGB_E_UNSUPPORTED);
				assert_true(error.remedy[0] != '\0');
			} else {
				if (code != 0)
					fail_msg("%s", error.message);
				/* the watcher looks once a second */
				assert_int_equal(
					workshop_shell(
						&test->workshop,
						"./a.bolt && for i in $(seq 60); do sleep 1;"
						" grep -q ' step ' counts && exit 0; done; exit 1"),
					0);
				assert_int_equal(workshop_shell(&test->workshop, "rm counts"), 0);
			}
			pgb_llvm_bolt_result_release(&result);
			pgb_llvm_bolt_release(&bolt);
		}
	}
	free(prefix);
}

#define WITH_FOLDER(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(spells_for_each_release),
		WITH_FOLDER(optimizes_the_plt_of_programs_that_bind_now),
		WITH_FOLDER(asks_for_more_at_the_maximum),
		WITH_FOLDER(publishes_a_whole_file),
		WITH_FOLDER(explains_failures),
		WITH_FOLDER(refuses_before_it_runs),
		WITH_FOLDER(refuses_without_permission),
		WITH_FOLDER(writes_through_a_link),
		WITH_FOLDER(stops_in_time),
		WITH_FOLDER(skips_what_it_is_told_to),
		WITH_FOLDER(gives_up_debug_information_first),
		WITH_FOLDER(asks_before_it_publishes),
		WITH_FOLDER(works_with_real_releases),
		WITH_FOLDER(survives_computed_gotos),
		WITH_FOLDER(counts_in_static_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
