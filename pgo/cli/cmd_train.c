/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/cli/run_command.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"
#include "pgobolt/pgo/cli/interrupt.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/train.h"

struct train_options {
	const char *state;
	uint64_t weight;
	bool new_runs;
};

static const struct train_options defaults = {.state = PGB_STATE_DEFAULT, .weight = 1};

static const struct pgb_option options[] = {
	{.name = "weight",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .minimum = 1,
	 .maximum = UINT32_MAX,
	 .offset = offsetof(struct train_options, weight),
	 .help = "let this run's counts count N times (1)"},
	{.name = "new",
	 .offset = offsetof(struct train_options, new_runs),
	 .help = "forget the runs before this one"},
	{.name = "state",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct train_options, state),
	 .help = "the state folder of pgobolt build (" PGB_STATE_DEFAULT ")"},
	{.name = NULL},
};

static void show_profile(struct pgb_output *output, const struct pgb_train_profile *profile)
{
	pgb_output_note(output,
			"%s: %" PRIu64 " raw profile%s, %s; merged over %" PRIu64 " run%s: %s",
			profile->key, profile->raw_count, profile->raw_count == 1 ? "" : "s",
			PGB_SIZE(profile->raw_size_bytes), profile->runs,
			profile->runs == 1 ? "" : "s", PGB_SIZE(profile->size_bytes));
	if (profile->counts.functions)
		pgb_output_note(output, "  %lu functions, %lu of them ran%s%s",
				profile->counts.functions, profile->counts.functions_run,
				profile->unreached_path ? "; the others: " : "",
				profile->unreached_path ? profile->unreached_path : "");
	if (profile->counts.raw_damaged)
		pgb_output_warning(output,
				   "%s of %s could not be read, left out: of a process that was "
				   "killed while it wrote, of a full disk, or of a compiler of "
				   "another version",
				   PGB_PLURAL(profile->counts.raw_damaged, "raw profile"),
				   profile->key);
}

static void show_next(struct pgb_output *output, const char *state)
{
	static const char *const here[] = {"pgobolt", "build",	 "--use", "--",
					   "BUILD",   "COMMAND", NULL};
	const char *const there[] = {"pgobolt", "build", "--use",   "--state", state,
				     "--",	"BUILD", "COMMAND", NULL};

	pgb_output_next_command(output, strcmp(state, PGB_STATE_DEFAULT) == 0 ? here : there);
}

static json_t *result_json(const struct pgb_train_result *result)
{
	json_t *profiles = json_array();

	for (size_t i = 0; i < result->profiles.count; i++) {
		const struct pgb_train_profile *profile = &result->profiles.items[i];

		json_array_append_new(
			profiles,
			json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "compiler",
				  pgb_json_text(profile->key), "path", pgb_json_text(profile->path),
				  "unreached_path",
				  profile->unreached_path ? pgb_json_text(profile->unreached_path)
							  : json_null(),
				  "runs", (json_int_t)profile->runs, "raw_profiles",
				  (json_int_t)profile->raw_count, "raw_size_bytes",
				  (json_int_t)profile->raw_size_bytes, "size_bytes",
				  (json_int_t)profile->size_bytes, "functions",
				  (json_int_t)profile->counts.functions, "functions_run",
				  (json_int_t)profile->counts.functions_run, "raw_damaged",
				  (json_int_t)profile->counts.raw_damaged));
	}
	return json_pack("{s:i, s:o}", "exit_status", pgb_process_exit_status(result->wait_status),
			 "profiles", profiles);
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct train_options *wanted = cli->options;
	struct pgb_train_config config = {
		.state = wanted->state,
		.argv = cli->arguments.program,
		.weight = (unsigned long)wanted->weight,
		.new_runs = wanted->new_runs,
		.stop = &pgb_interrupted,
	};
	struct pgb_train_result result;
	int code = pgb_cli_check_program(cli, "pgobolt train -- ./app input", error);

	if (code)
		return code;
	pgb_output_use_stderr(&cli->output);
	pgb_cli_leave_signals_to_child();
	code = pgb_train_run(&config, &result, error);
	if (code == 0) {
		for (size_t i = 0; i < result.profiles.count; i++)
			show_profile(&cli->output, &result.profiles.items[i]);
		code = pgb_process_exit_status(result.wait_status);
		if (code != 0)
			pgb_output_warning(&cli->output,
					   "it ended with status %d; what it counted is in the "
					   "profile all the same. To begin anew with another "
					   "command: pgobolt train --new -- ..",
					   code);
		show_next(&cli->output, wanted->state);
		pgb_output_json(&cli->output, result_json(&result));
	} else {
		pgb_output_error(&cli->output, error);
		code = pgb_exit_status_of_runner(code, result.starting, result.started);
	}
	pgb_train_result_release(&result);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt train -- ./app input", "one run; more of them add up"},
	{"pgobolt train --weight 3 -- ./app usual-input", "what matters more"},
	{"pgobolt train -- make check", "tests as training"},
	{"pgobolt train --new -- cargo bench", "benchmarks as training, nothing before them"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_train = {
	.name = "train",
	.summary = "run an instrumented program and merge its counts",
	.synopsis = "-- COMMAND ARGS..",
	.description =
		"Runs COMMAND, which starts programs that pgobolt build --instrument made, and "
		"merges what all its processes counted into the profile that pgobolt build --use "
		"reads. Runs add up until the program is built again. Counts are written when a "
		"process exits: of one that is killed there are none.\n\n"
		"The exit status is COMMAND's, or 128 and the number of the signal that ended it; "
		"125 when pgobolt fails, also when no profile was written.",
	.options = options,
	.options_size = sizeof(struct train_options),
	.defaults = &defaults,
	.examples = examples,
	.takes_program = true,
	.run = run,
};
