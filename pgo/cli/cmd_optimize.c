/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgo/cli/optimize_gate.h"
#include "pgo/cli/optimize_report.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/interrupt.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/layout_file.h"
#include "pgobolt/pgo/optimize_json.h"
#include "pgobolt/pgo/strip.h"

/* Where llvm-bolt takes longer, a second run for a picture is too much to ask. */
#define LAYOUT_RUN_MOST_NS (UINT64_C(60) * 1000000000)
#define LAYOUT_TIMEOUT_S   300

struct optimize_options {
	const char *output, *profile, *llvm_bolt, *version, *skip_functions_file, *log;
	const char *check, *bench;
	struct pgb_option_list skip;
	int preset, huge_pages;
	uint64_t threads, timeout_ns, check_timeout_ns, bench_time_ns;
	double stale_percent_most, min_gain;
	bool drop_debug, in_place, no_verify, no_search, strip, locked;
};

static const char *const preset_words[] = {"safe", "default", "max", NULL};
static const char *const huge_pages_words[] = {"auto", "yes", "no", NULL};

#define NO_GATE (-1.0)

static const struct optimize_options defaults = {
	.preset = PGB_PRESET_DEFAULT,
	.timeout_ns = UINT64_C(3600) * 1000000000,
	.check_timeout_ns = UINT64_C(1800) * 1000000000,
	.bench_time_ns = UINT64_C(60) * 1000000000,
	.stale_percent_most = 50,
	.min_gain = NO_GATE,
};

#define AT(field) .offset = offsetof(struct optimize_options, field)

static const struct pgb_option table[] = {
	{.letter = 'o',
	 .name = "output",
	 .kind = PGB_OPTION_STRING,
	 .argument = "OUT",
	 AT(output),
	 .help = "write to OUT, a file or a folder; default: BINARY.bolt, beside the binary"},
	{.name = "profile",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 AT(profile),
	 .help = "a recording or an fdata file; default: pgobolt.data"},
	{.name = "preset",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = preset_words,
	 AT(preset),
	 .help = "safe: code layout alone; default: exception tables, jump tables and PLT calls "
		 "too; "
		 "max: also folding, inlining and promoted calls, which programs that compare "
		 "addresses of functions may notice"},
	{.name = "check",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(check),
	 .help = "a test that must end and print alike with both binaries; {} in it and "
		 "$PGOBOLT_BINARY are the binary's path. Where the result fails it, the functions "
		 "that make it fail are found and left alone"},
	{.name = "check-timeout",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "TIME",
	 .minimum = 1,
	 AT(check_timeout_ns),
	 .help = "the test hangs when it takes longer, or ten times as long as with the original; "
		 "default: 30m"},
	{.name = "no-search",
	 AT(no_search),
	 .help = "do not look for the functions that make the result wrong, but fail; nor for "
		 "those that llvm-bolt crashes on, but ask less of it"},
	{.name = "bench",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(bench),
	 .help = "time CMD with both binaries, named as in --check"},
	{.name = "bench-time",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "TIME",
	 .minimum = 1,
	 AT(bench_time_ns),
	 .help = "begin no new round of --bench after TIME; default: 60s"},
	{.name = "min-gain",
	 .kind = PGB_OPTION_PERCENT,
	 .argument = "PCT",
	 AT(min_gain),
	 .help = "keep the result only if --bench shows that it is PCT faster; else exit with 1"},
	{.name = "strip",
	 AT(strip),
	 .help = "take symbols and debug information out of the result, with llvm-strip"},
	{.name = "locked",
	 AT(locked),
	 .help = "the same bytes everywhere, or an error: --profile and --llvm-bolt-version must "
		 "be "
		 "given, and nothing is left out because it failed or took long"},
	{.name = "llvm-bolt",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 AT(llvm_bolt),
	 .help = "this llvm-bolt; default: $PGOBOLT_LLVM_BOLT, PATH, the newest in "
		 "/usr/lib/llvm-*"},
	{.name = "llvm-bolt-version",
	 .kind = PGB_OPTION_STRING,
	 .argument = "VERSION",
	 AT(version),
	 .help = "this release of llvm-bolt and no other: 22.1.8"},
	{.name = "skip",
	 .kind = PGB_OPTION_COMMA_LIST,
	 .argument = "FUNCTION",
	 AT(skip),
	 .help = "leave this function as it is"},
	{.name = "skip-funcs-file",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 AT(skip_functions_file),
	 .help = "leave the functions listed in FILE as they are; a pattern on each line"},
	{.name = "drop-debug",
	 AT(drop_debug),
	 .help = "leave out debug information instead of updating it"},
	{.name = "huge-pages",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = huge_pages_words,
	 AT(huge_pages),
	 .help = "align hot code for huge pages; auto: where there are 2 MiB of code"},
	{.name = "in-place",
	 AT(in_place),
	 .help = "do without relocations: blocks move inside their functions only"},
	{.name = "max-stale",
	 .kind = PGB_OPTION_PERCENT,
	 .argument = "PCT",
	 AT(stale_percent_most),
	 .help = "refuse a profile of which more samples do not fit the binary; default: 50%"},
	{.name = "no-verify",
	 AT(no_verify),
	 .help = "keep the output even where a check of it fails"},
	{.letter = 'j',
	 .name = "threads",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .maximum = 4096,
	 AT(threads),
	 .help = "threads of llvm-bolt; default: its own choice"},
	{.name = "timeout",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "TIME",
	 .maximum = UINT64_C(1000000) * 1000000000,
	 AT(timeout_ns),
	 .help = "stop llvm-bolt after TIME; default: 1h"},
	{.name = "log",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 AT(log),
	 .help = "append all that llvm-bolt prints to FILE"},
	{.name = NULL},
};

static void show_waiting(void *context, uint64_t elapsed_ns)
{
	pgb_progress_update(context, "llvm-bolt: %s", PGB_DURATION(elapsed_ns));
}

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* NULL: beside the binary. In a folder: NAME.bolt. */
static char *output_of(const struct optimize_options *options, const char *binary)
{
	const char *slash = strrchr(binary, '/');

	if (options->output == NULL)
		return NULL;
	if (!is_folder(options->output))
		return pgb_dup(options->output);
	return pgb_format("%s/%s.bolt", options->output, slash ? slash + 1 : binary);
}

struct batch {
	struct pgb_cli *cli;
	const struct optimize_options *options;
	struct pgb_llvm_bolt bolt;
	char *strip;
	struct pgb_progress progress;
	PGB_ARRAY(const char *) skip;
	json_t *documents;
};

/* ---- one binary */

/* For report, from a second run of llvm-bolt; nothing fails because it cannot be had. */
static void record_layout(struct batch *batch, const struct pgb_chosen_profile *profile,
			  const struct pgb_optimize_result *result)
{
	const struct pgb_layout_file_job job = {
		.recording = profile->recording,
		.fdata = profile->fdata,
		.binary = profile->binary,
		.output = result->output,
		.command_line = result->bolt.command_line,
		.timeout_s = LAYOUT_TIMEOUT_S,
	};
	struct pgb_error error = {0};

	if (profile->recording == NULL || result->bolt.duration_ns > LAYOUT_RUN_MOST_NS)
		return;
	pgb_progress_update(&batch->progress, "layout: llvm-bolt, once more");
	if (pgb_layout_file_make(&job, &error) != 0)
		pgb_log(&batch->cli->output.log, PGB_LOG_DETAIL, "no %s for report: %s",
			PGB_LAYOUT_FILE, error.message);
	pgb_progress_erase(&batch->progress);
}

static void report(struct batch *batch, const struct pgb_optimize_job *job,
		   const struct pgb_optimize_result *result, struct pgb_optimize_gate *gate)
{
	json_t *document = pgb_optimize_json(&batch->bolt, job, result);

	pgb_optimize_print(&batch->cli->output, &batch->bolt, job, result);
	if (gate->measured)
		pgb_bench_print(&batch->cli->output, &gate->bench.report);
	pgb_optimize_print_next(&batch->cli->output, job, result);
	json_object_set_new(document, "bench",
			    gate->measured ? pgb_bench_json(&gate->bench.report) : json_null());
	json_array_append_new(batch->documents, document);
}

static int run_job(struct batch *batch, struct pgb_optimize_job *job, struct pgb_error *error)
{
	struct pgb_output *output = &batch->cli->output;
	struct pgb_optimize_gate gate = {.command = batch->options->bench,
					 .original = job->profile->binary,
					 .gain_percent_min = batch->options->min_gain,
					 .time_ns = batch->options->bench_time_ns,
					 .progress = &batch->progress};
	struct pgb_optimize_result result = {0};
	int code;

	if (batch->options->bench != NULL) {
		job->accept = pgb_optimize_gate;
		job->accept_context = &gate;
	}
	code = pgb_optimize(job, &batch->bolt, &result, &output->log, error);
	pgb_progress_erase(&batch->progress);
	if (code == 0) {
		record_layout(batch, job->profile, &result);
		report(batch, job, &result, &gate);
	} else {
		pgb_optimize_print_failure(output, &result);
		if (gate.measured && error->code == PGB_E_CHECK)
			pgb_bench_print(output, &gate.bench.report);
	}
	if (code == 0 && job->profile->recording != NULL) {
		json_t *document = json_pack("{s:O}", "optimized", batch->documents);

		code = pgb_optimize_json_write(document, job->profile->recording, error);
		json_decref(document);
	}
	pgb_optimize_gate_release(&gate);
	pgb_optimize_result_release(&result);
	return code;
}

static int optimize_one(struct batch *batch, const char *binary, struct pgb_error *error)
{
	const struct optimize_options *options = batch->options;
	struct pgb_chosen_profile profile = {0};
	const struct pgb_check_job check = {.command = options->check,
					    .timeout_ns = options->check_timeout_ns,
					    .stop = &pgb_interrupted};
	struct pgb_optimize_job job = {
		.profile = &profile,
		.huge_pages = (enum pgb_huge_pages)options->huge_pages,
		.drop_debug = options->drop_debug,
		.keep_unverified = options->no_verify,
		.strip = batch->strip,
		.check = options->check ? &check : NULL,
		.no_search = options->no_search || options->locked,
		.bolt = {.preset = (enum pgb_preset)options->preset,
			 .without_relocations = options->in_place,
			 .skip_functions_file = options->skip_functions_file,
			 .skip_functions = batch->skip.items,
			 .no_steps = options->locked,
			 .extra = batch->cli->arguments.program,
			 .threads = (unsigned int)options->threads,
			 .log_path = options->log,
			 .timeout_s = (unsigned int)(options->timeout_ns / 1000000000),
			 .stale_percent_most = options->stale_percent_most,
			 .interrupted = &pgb_interrupted,
			 .waiting = show_waiting,
			 .waiting_context = &batch->progress},
	};
	char *output = NULL;
	int code = pgb_profile_choose(&profile, binary, options->profile, error);

	if (code == 0) {
		output = output_of(options, profile.binary);
		job.output = output;
		code = run_job(batch, &job, error);
	}
	pgb_chosen_profile_release(&profile);
	free(output);
	return code;
}

static int optimize_all(struct batch *batch, struct pgb_error *error)
{
	size_t count = batch->cli->arguments.operands.count;
	int code = 0;

	if (count == 0)
		return optimize_one(batch, NULL, error);
	for (size_t i = 0; i < count && code == 0; i++)
		code = optimize_one(batch, batch->cli->arguments.operands.items[i], error);
	return code;
}

/* ---- before the first binary */

static int check_options(const struct pgb_cli *cli, struct pgb_error *error)
{
	const struct optimize_options *options = cli->options;

	if (options->locked && (options->profile == NULL || options->version == NULL)) {
		pgb_fail(error, PGB_E_USAGE, "--locked needs --profile and --llvm-bolt-version");
		return pgb_remedy(error, "pgobolt optimize --locked --profile app.fdata "
					 "--llvm-bolt-version 22.1.8 ./app");
	}
	if (options->locked && options->threads > 0)
		return pgb_fail(error, PGB_E_USAGE,
				"--locked and --threads: the number is written into the output");
	if (options->min_gain >= 0 && options->bench == NULL)
		return pgb_fail(error, PGB_E_USAGE, "--min-gain needs --bench to measure it");
	if (options->bench != NULL && strstr(options->bench, "{}") == NULL &&
	    strstr(options->bench, "PGOBOLT_BINARY") == NULL)
		return pgb_fail(error, PGB_E_USAGE,
				"--bench must name the binary, as {} or $PGOBOLT_BINARY: %s",
				options->bench);
	if (cli->arguments.operands.count > 1 && options->output != NULL)
		return pgb_file_make_directories(options->output, error);
	return 0;
}

/* The release that was asked for, also where it is not the newest one. */
static int find_llvm_bolt(struct batch *batch, struct pgb_error *error)
{
	const struct optimize_options *options = batch->options;
	int code = pgb_llvm_bolt_find(&batch->bolt, options->llvm_bolt, error);

	if (code != 0 || options->version == NULL)
		return code;
	if (strcmp(batch->bolt.version, options->version) != 0 && options->llvm_bolt == NULL) {
		char *path = pgb_format("/usr/lib/llvm-%lu/bin/llvm-bolt",
					strtoul(options->version, NULL, 10));
		struct pgb_llvm_bolt other;

		if (pgb_llvm_bolt_find(&other, path, NULL) == 0) {
			pgb_llvm_bolt_release(&batch->bolt);
			batch->bolt = other;
		} else {
			pgb_llvm_bolt_release(&other);
		}
		free(path);
	}
	if (strcmp(batch->bolt.version, options->version) == 0)
		return 0;
	pgb_fail(error, PGB_E_MISMATCH, "llvm-bolt %s is asked for, and %s is %s", options->version,
		 batch->bolt.path, batch->bolt.version);
	return pgb_remedy(error, "install that release, or name it with --llvm-bolt PATH");
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct optimize_options *options = cli->options;
	struct batch batch = {.cli = cli, .options = options};
	int code = check_options(cli, error);

	if (code != 0)
		return code;
	code = find_llvm_bolt(&batch, error);
	if (code == 0 && options->strip) {
		batch.strip = pgb_strip_find(&batch.bolt, error);
		code = batch.strip ? 0 : error->code;
	}
	if (code == 0) {
		for (size_t i = 0; i < options->skip.items.count; i++)
			pgb_array_push(&batch.skip, options->skip.items.items[i].value);
		pgb_array_push(&batch.skip, NULL);
		batch.documents = json_array();
		pgb_progress_init(&batch.progress, &cli->output);
		pgb_interrupt_catch(true);
		code = optimize_all(&batch, error);
		pgb_interrupt_catch(false);
		pgb_progress_done(&batch.progress);
		if (code == 0)
			pgb_output_json(&cli->output,
					json_pack("{s:O}", "optimized", batch.documents));
		json_decref(batch.documents);
	}
	pgb_array_release(&batch.skip);
	pgb_llvm_bolt_release(&batch.bolt);
	free(batch.strip);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt optimize", "the main binary of pgobolt.data"},
	{"pgobolt optimize -o app.fast ./app", "one of its binaries, to a name of your choice"},
	{"pgobolt optimize -o out ./app ./libwork.so", "a program and its library, into a folder"},
	{"pgobolt optimize --profile app.fdata ./app", "with a profile from elsewhere"},
	{"pgobolt optimize --check 'make test' ./app", "must pass the same test as the original"},
	{"pgobolt optimize --bench '{} work' --min-gain 2 ./app", "only if it is 2% faster"},
	{"pgobolt optimize --locked --llvm-bolt-version 22.1.8 --profile app.fdata ./app",
	 "in CI: a committed profile gives the same bytes everywhere"},
	{"pgobolt optimize ./app -- -align-functions=64", "with an option for llvm-bolt itself"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_optimize = {
	.name = "optimize",
	.summary = "lay out a binary anew with llvm-bolt, and verify the result",
	.synopsis = "[BINARY..] [-- LLVM-BOLT OPTIONS]",
	.description =
		"Takes a binary and its profile, checks that they belong together and that the "
		"binary "
		"was built so that llvm-bolt can work on it, runs llvm-bolt with options that suit "
		"its "
		"release, and looks at the result before it gets its name. The input is never "
		"touched, and the output appears whole or not at all.\n\n"
		"Without a binary: the main one of the recording, that is, of the programs that "
		"were "
		"started, the one that was seen most.\n\n"
		"Functions that llvm-bolt cannot move are left as they are, and named. Where it "
		"crashes without a name, the functions that it crashes on are searched for and "
		"left alone, and OUTPUT.crash-reproducer is written. Where it still fails, less is "
		"asked of it, step by step, beginning with debug information; each step is "
		"said.\n\n"
		"The test of --check runs on the original and on the result, which takes the "
		"original's place in a private mount namespace where that is allowed. Its exit "
		"status and standard output must be the same; what it starts ends with it. A "
		"result that fails, or that is no sound ELF file, is tried again with fewer and "
		"fewer functions (Ctrl-C: the same command goes on there) until those that make it "
		"wrong are known: they are left alone, and OUTPUT.reproducer holds what a report "
		"to llvm-bolt's authors needs.\n\n"
		"What it came to is kept in the recording's folder as optimize.json.",
	.options = table,
	.options_size = sizeof(struct optimize_options),
	.defaults = &defaults,
	.examples = examples,
	.operands_max = UINT_MAX,
	.takes_program = true,
	.run = run,
};
