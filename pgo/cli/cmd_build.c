/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/cli/run_command.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/interrupt.h"
#include "pgobolt/pgo/cli/table.h"

struct build_options {
	const char *state, *sample;
	bool instrument, use, sampling, cs, partial_training, plain, strict;
};

static const struct build_options defaults = {.state = PGB_STATE_DEFAULT};

static const struct pgb_option options[] = {
	{.name = "instrument",
	 .offset = offsetof(struct build_options, instrument),
	 .help = "build programs that count where they branch, for pgobolt train"},
	{.name = "use",
	 .offset = offsetof(struct build_options, use),
	 .help = "build with the profile of pgobolt train, and with what llvm-bolt needs: "
		 "relocations kept, symbols kept, functions in one piece"},
	{.name = "plain",
	 .offset = offsetof(struct build_options, plain),
	 .help = "build as ever, with no flags of ours, in the same way: for comparison"},
	{.name = "strict",
	 .offset = offsetof(struct build_options, strict),
	 .help = "fail where objects of an earlier build were linked, instead of warning"},
	{.name = "sampling",
	 .offset = offsetof(struct build_options, sampling),
	 .help = "build as usual, but with lines and relocations kept, for pgobolt record and a "
		 "sample profile; with --use as well, for the next one"},
	{.name = "sample",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 .offset = offsetof(struct build_options, sample),
	 .help = "with --use, clang: use the sample profile FILE (pgobolt convert --format "
		 "autofdo), no trained one"},
	{.name = "cs",
	 .offset = offsetof(struct build_options, cs),
	 .help = "with --instrument, clang: use the profile there is, and count again, apart for "
		 "each place that a function was inlined into"},
	{.name = "partial-training",
	 .offset = offsetof(struct build_options, partial_training),
	 .help = "with --use, gcc: optimize what training did not reach as usual, not for size"},
	{.name = "state",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct build_options, state),
	 .help = "keep profiles and compiler stand-ins in DIR (" PGB_STATE_DEFAULT ")"},
	{.name = NULL},
};

enum { UNFIT_SHOWN_MAX = 5 };

static void warn_stale(struct pgb_output *output, const struct pgb_build_result *result)
{
	char *names = pgb_shim_words_name(&result->stale);

	if (result->stale.items.count > 0)
		pgb_output_warning(output,
				   "linked, but compiled before, without these flags; clean and "
				   "build again: %s",
				   names);
	free(names);
}

static void warn_bypassed(struct pgb_output *output, const struct build_options *wanted,
			  const struct pgb_build_result *result)
{
	char *names = pgb_shim_words_name(&result->bypassed);

	if (result->bypassed.items.count > 0)
		pgb_output_warning(
			output,
			"linked, but not compiled by this build, so %s: %s. Clean and "
			"build again; what is named then, too, is compiled by a path: "
			"name that compiler without one",
			wanted->instrument ? "they count nothing" : "without these flags", names);
	free(names);
}

/* Something else than the compiler and strip took them away: objcopy, ld. */
static void warn_unfit(struct pgb_output *output, const struct pgb_build_result *result)
{
	for (size_t i = 0; i < result->unfit.items.count && i < UNFIT_SHOWN_MAX; i++)
		pgb_output_warning(output,
				   "%s has no relocations or no symbols: pgobolt optimize cannot "
				   "rearrange it. Does the build strip it by a path "
				   "(/usr/bin/strip), by objcopy or a tool of its own, or link it "
				   "by ld? Leave that out, link with -Wl,-q",
				   result->unfit.items.items[i]);
}

static char *joined(const struct pgb_shim_words *words, const char *between)
{
	struct pgb_text text = {0};

	for (size_t i = 0; i < words->items.count; i++)
		pgb_text_addf(&text, "%s%s", i ? between : "", words->items.items[i]);
	return pgb_text_detach(&text);
}

static void warn_untrained(struct pgb_output *output, const struct pgb_build_result *result,
			   const char *key)
{
	char *trained = joined(&result->trained, ", ");

	if (result->trained.items.count == 0)
		pgb_output_warning(output, "there is no profile for %s: compiled without one", key);
	else
		pgb_output_warning(output,
				   "there is no profile for %s: compiled without one. There is one "
				   "for %s: build with that compiler, or count and train with this "
				   "one (pgobolt build --instrument, pgobolt train)",
				   key, trained);
	free(trained);
}

static void warn_mixed(struct pgb_output *output, const struct pgb_build_result *result)
{
	const char *one, *other;

	if (pgb_build_is_mixed(result, &one, &other))
		pgb_output_warning(output,
				   "compiled by %s and %s: of a program that holds objects of "
				   "both, counts are lost, if it can be linked at all. Have one "
				   "compiler, of one version, compile all of it (CC, CXX)",
				   one, other);
}

static void warn_unprofiled(struct pgb_output *output, const struct build_options *wanted,
			    const struct pgb_build_result *result, const char *key)
{
	if (wanted->sample == NULL)
		warn_untrained(output, result, key);
	else if (strncmp(key, "gcc", 3) == 0)
		pgb_output_warning(output,
				   "%s reads no sample profiles of LLVM's kind: compiled without "
				   "one. Build with clang, or train: pgobolt build --instrument, "
				   "pgobolt train",
				   key);
	else
		pgb_output_warning(output,
				   "rustc (%s) reads sample profiles in nightly builds only "
				   "(-Zprofile-sample-use): compiled without one. Train instead: "
				   "pgobolt build --instrument, pgobolt train",
				   key);
}

/* Debian's rustc is one of these. */
static void explain_failure(struct pgb_output *output, const struct build_options *wanted,
			    const struct pgb_build_result *result)
{
	const char *flags = getenv("RUSTFLAGS");
	char *rustc = NULL, *remedy = NULL;

	if (wanted->instrument && result->rust &&
	    (flags == NULL || strstr(flags, "no-profiler-runtime") == NULL))
		rustc = pgb_process_find_command("rustc");
	if (rustc)
		remedy = pgb_rustc_runtime_remedy(rustc);
	if (remedy)
		pgb_output_warning(output,
				   "%s was built without the runtime that counting needs. %s",
				   rustc, remedy);
	free(rustc);
	free(remedy);
}

static const char *what_was_built(const struct build_options *wanted,
				  const struct pgb_build_result *result)
{
	if (wanted->plain)
		return "As ever";
	if (wanted->use && result->compiled_by.items.count > 0 && result->cargo == 0 &&
	    result->compiled_by.items.count == result->unprofiled.items.count)
		return "Without a profile";
	if (wanted->use)
		return wanted->sample ? "With the sample profile" : "With the profile";
	if (wanted->sampling)
		return "To be sampled";
	return wanted->cs ? "Instrumented, with the profile" : "Instrumented";
}

static void show(struct pgb_cli *cli, const struct build_options *wanted,
		 const struct pgb_build_result *result)
{
	struct pgb_output *output = &cli->output;
	bool state_given = strcmp(wanted->state, PGB_STATE_DEFAULT) != 0;
	static const char *const train[] = {"pgobolt", "train", "--", "PROGRAM", "ARGS", NULL};
	const char *const train_there[] = {"pgobolt", "train",	 "--state", wanted->state,
					   "--",      "PROGRAM", "ARGS",    NULL};

	warn_stale(output, result);
	warn_bypassed(output, wanted, result);
	warn_unfit(output, result);
	for (size_t i = 0; i < result->unprofiled.items.count; i++)
		warn_unprofiled(output, wanted, result, result->unprofiled.items.items[i]);
	if (wanted->instrument)
		warn_mixed(output, result);
	if (result->own_profile.items.count > 0)
		pgb_output_warning(output, "left as they are for their own profiling flags: %s",
				   PGB_PLURAL(result->own_profile.items.count, "compiler call"));
	if (result->exit_status != 0) {
		explain_failure(output, wanted, result);
		return;
	}
	pgb_output_note(output, "%s: %s compiled, %" PRIu64 " linked%s",
			what_was_built(wanted, result), PGB_PLURAL(result->compiled, "file"),
			result->linked, result->cargo ? ", besides what cargo compiled" : "");
	if (wanted->plain)
		return;
	if (result->compiled && !result->linked)
		pgb_output_note(output,
				"  a library alone cannot be %s: link the program by "
				"pgobolt build as well, and by the compiler, not by ld itself",
				wanted->instrument ? "trained" : "rearranged");
	if (wanted->sampling)
		pgb_output_next(output, "pgobolt record -- PROGRAM ARGS, then pgobolt convert "
					"-b PROGRAM pgobolt.data --format autofdo");
	else if (wanted->instrument)
		pgb_output_next_command(output, state_given ? train_there : train);
	else
		pgb_output_next(output, "pgobolt record -- PROGRAM ARGS");
}

static enum pgb_build_mode mode_of(const struct build_options *wanted)
{
	if (wanted->plain)
		return PGB_BUILD_NONE;
	if (wanted->use)
		return PGB_BUILD_USE;
	if (wanted->sampling)
		return PGB_BUILD_SAMPLING;
	return wanted->cs ? PGB_BUILD_INSTRUMENT_CS : PGB_BUILD_INSTRUMENT;
}

static json_t *words_json(const struct pgb_shim_words *words)
{
	json_t *array = json_array();

	for (size_t i = 0; i < words->items.count; i++)
		json_array_append_new(array, pgb_json_text(words->items.items[i]));
	return array;
}

static json_t *result_json(const struct build_options *wanted,
			   const struct pgb_build_result *result)
{
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "mode",
			 pgb_build_mode_word(mode_of(wanted)), "exit_status", result->exit_status,
			 "compiled", (json_int_t)result->compiled, "linked",
			 (json_int_t)result->linked, "cargo_calls", (json_int_t)result->cargo,
			 "left_alone", (json_int_t)result->own_profile.items.count, "compilers",
			 words_json(&result->compilers), "unfit", words_json(&result->unfit),
			 "without_profile", words_json(&result->unprofiled), "stale",
			 words_json(&result->stale), "bypassed", words_json(&result->bypassed));
}

static int check(const struct pgb_cli *cli, const struct build_options *wanted,
		 struct pgb_error *error)
{
	int modes = wanted->instrument + (wanted->use || wanted->sampling) + wanted->plain;

	if (modes != 1) {
		pgb_fail(error, PGB_E_USAGE, "build needs --instrument or --use%s",
			 modes ? ", not both" : ", or --sampling");
		return pgb_remedy(error, "first: pgobolt build --instrument -- make");
	}
	if (wanted->cs && !wanted->instrument)
		return pgb_fail(error, PGB_E_USAGE, "--cs goes with --instrument");
	if (wanted->sample && !wanted->use)
		return pgb_fail(error, PGB_E_USAGE, "--sample goes with --use");
	if (wanted->partial_training && !wanted->use)
		return pgb_fail(error, PGB_E_USAGE, "--partial-training goes with --use");
	return pgb_cli_check_program(cli, "pgobolt build --instrument -- make", error);
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct build_options *wanted = cli->options;
	struct pgb_build_config config = {
		.mode = mode_of(wanted),
		.state = wanted->state,
		.argv = cli->arguments.program,
		.partial_training = wanted->partial_training,
		.sample = wanted->sample,
		.lines = wanted->use && wanted->sampling,
		.stop = &pgb_interrupted,
	};
	struct pgb_build_result result;
	int code = check(cli, wanted, error);

	if (code)
		return code;
	/* stdout is the build's, but for the one document of --json */
	pgb_output_use_stderr(&cli->output);
	pgb_cli_leave_signals_to_child();
	code = pgb_build_run(&config, &result, error);
	if (code == 0) {
		show(cli, wanted, &result);
		pgb_output_json(&cli->output, result_json(wanted, &result));
		code = result.exit_status;
		if (code == 0 && wanted->strict && result.stale.items.count > 0)
			code = pgb_code_exit_status(PGB_E_MISMATCH);
	}
	pgb_build_result_release(&result);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt build --instrument -- make clean all", "make, with whatever compiler it uses"},
	{"pgobolt build --instrument -- sh -c 'cmake -B b && cmake --build b'",
	 "configure and build"},
	{"pgobolt build --use -- make clean all", "after pgobolt train"},
	{"pgobolt build --instrument --cs -- make clean all",
	 "after pgobolt train: clang's second, context-sensitive stage; train again"},
	{"pgobolt build --sampling -- make clean all", "no training: a program to be recorded"},
	{"pgobolt build --use --sample app.afdo -- make clean all",
	 "after pgobolt convert --format autofdo"},
	{"pgobolt build --use -- cargo build --bin app", "a Rust program"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_build = {
	.name = "build",
	.summary = "build a program with PGO flags",
	.synopsis = "--instrument|--use|--sampling -- BUILD COMMAND",
	.description =
		"Runs BUILD COMMAND with stand-ins for clang, gcc, rustc and cargo first in PATH, "
		"which add the flags and become the real compiler; compilers that CC and CXX name "
		"by a path, and those behind ccache or distcc, get the flags as well. The project "
		"and its build files stay as they are.\n\n"
		"What was compiled before has no such flags: clean first. Instrumented and final "
		"build are best made in the same folder: gcc finds a file's counts by the path of "
		"its object. CMake remembers the stand-ins: they work as long as the state folder "
		"is there.\n\n"
		"The exit status is BUILD COMMAND's where it ran.",
	.options = options,
	.options_size = sizeof(struct build_options),
	.defaults = &defaults,
	.examples = examples,
	.takes_program = true,
	.run = run,
};
