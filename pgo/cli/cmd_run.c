/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "pgo/cli/run_options.h"
#include "pgo/cli/run_report.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cargo.h"
#include "pgobolt/pgo/cli/interrupt.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/pipeline.h"
#include "pgobolt/pgo/recording.h"

#define RECORD_TIME_NS UINT64_C(30000000000)

enum { TAIL_LINES = 15, TAIL_BYTES = 16384, LOG_SIZE_MAX = 64 << 20 };

struct run {
	struct pgb_cli *cli;
	struct pgb_run_options options;
	struct pgb_ini ini;
	struct pgb_cargo_target cargo;
	struct pgb_pipeline_training *training;
	struct pgb_pipeline_config config;
	struct pgb_pipeline *pipeline;
	struct pgb_progress progress;
	char *tool;
	uint64_t kept, done;
};

/* ---- what is wanted */

static int read_training(struct run *run, struct pgb_error *error)
{
	const struct pgb_option_list *train = &run->options.train, *weights = &run->options.weights;

	run->training = pgb_calloc(train->items.count, sizeof(*run->training));
	if (weights->items.count > train->items.count)
		return pgb_fail(error, PGB_E_USAGE, "there are more --weight than --train");
	for (size_t i = 0; i < train->items.count; i++) {
		struct pgb_pipeline_training *training = &run->training[i];
		int code = 0;

		*training = (struct pgb_pipeline_training){train->items.items[i].value, 1};
		if (i < weights->items.count)
			code = pgb_parse_unsigned(weights->items.items[i].value, &training->weight,
						  error);
		if (code == 0 && (training->weight < 1 || training->weight > UINT32_MAX))
			code = pgb_fail(error, PGB_E_USAGE,
					"--weight is a number from 1 to %" PRIu32, UINT32_MAX);
		if (code)
			return code;
	}
	run->config.training = run->training;
	run->config.training_count = train->items.count;
	return 0;
}

/* BINARY, on the command line or in the file; for cargo its target's name. */
static int choose_binary(struct run *run, struct pgb_error *error)
{
	const struct pgb_arguments *arguments = &run->cli->arguments;
	const char *named =
		arguments->operands.count ? arguments->operands.items[0] : run->options.binary;
	int code;

	run->config.binary = named;
	run->config.build = run->options.build;
	if (!run->options.cargo)
		return 0;
	if (run->options.build)
		return pgb_fail(error, PGB_E_USAGE,
				"--cargo builds by itself: leave out --build, "
				"or leave out --cargo");
	code = pgb_cargo_find(&run->cargo, named, error);
	run->config.binary = run->cargo.binary;
	run->config.build = run->cargo.build;
	run->config.sources = run->cargo.sources;
	return code;
}

static void show_progress(void *context, const struct pgb_step *step, uint64_t elapsed_ns,
			  const char *line)
{
	struct run *run = context;
	char *printable = pgb_dup(line);

	pgb_text_printable(printable);
	pgb_progress_update(&run->progress, "%s, %s: %s", step->title, PGB_DURATION(elapsed_ns),
			    printable);
	free(printable);
}

/* A profile that tells too little is the first thing to know about a small gain. */
static void show_grade(struct run *run)
{
	char *path = pgb_format("%s/recording", pgb_pipeline_folder(run->pipeline));
	struct pgb_output *output = &run->cli->output;
	struct pgb_recording recording = {0};
	const struct pgb_recorded_binary *binary = NULL;

	if (pgb_recording_read(&recording, path, NULL) == 0)
		binary = pgb_recording_main(&recording);
	if (binary != NULL && binary->quality.reasons.count > 0 && !output->quiet) {
		char head[] = "    profile of grade ?: ";

		*strchr(head, '?') = binary->quality.grade;
		pgb_output_wrapped(output, head, 4, binary->quality.reasons.items[0].text);
	}
	pgb_recording_release(&recording);
	free(path);
}

/* What pgobolt's own commands warned of, in a step that is done. */
static void show_warnings(struct run *run, const struct pgb_step *step)
{
	static const char mark[] = "pgobolt: warning: ";
	char *path = pgb_format("%s/%s", pgb_pipeline_folder(run->pipeline), step->log);
	struct pgb_text text = {0};

	if (pgb_file_read(&text, path, LOG_SIZE_MAX, NULL) == 0)
		for (const char *line = pgb_text_string(&text); line; line = strchr(line, '\n')) {
			line += *line == '\n';
			if (strncmp(line, mark, strlen(mark)) == 0)
				pgb_output_warning(&run->cli->output, "%s: %.*s", step->title,
						   (int)strcspn(line + strlen(mark), "\n"),
						   line + strlen(mark));
		}
	pgb_text_release(&text);
	free(path);
}

static void show_ended(void *context, const struct pgb_step *step, bool kept)
{
	struct run *run = context;
	struct pgb_output *output = &run->cli->output;
	struct pgb_number time = pgb_number_duration((uint64_t)(step->seconds * 1e9));

	pgb_progress_erase(&run->progress);
	run->kept += kept;
	run->done += !kept && step->status == PGB_STEP_DONE;
	if (kept)
		pgb_output_note(output, "  %-20s kept from before", step->title);
	else if (step->status == PGB_STEP_DONE)
		pgb_output_note(output, "  %-20s %s", step->title, time.text);
	else
		pgb_output_note(output, "  %-20s %s after %s", step->title,
				pgb_step_status_word(step->status), time.text);
	if (!kept && step->status == PGB_STEP_DONE)
		show_warnings(run, step);
	if (step->status == PGB_STEP_DONE && strcmp(step->name, "recording") == 0)
		show_grade(run);
}

static void show_warning(void *context, const char *text)
{
	struct run *run = context;

	pgb_output_warning(&run->cli->output, "%s", text);
}

static void fill_config(struct run *run)
{
	const struct pgb_run_options *options = &run->options;
	struct pgb_pipeline_config *config = &run->config;

	config->tool = run->tool ? run->tool : PACKAGE_NAME;
	config->program = PACKAGE_NAME " " PACKAGE_VERSION;
	config->state = options->state;
	config->clean = options->clean;
	config->record = options->record;
	config->check = options->check;
	config->bench = options->bench;
	config->source = options->source;
	config->optimize = options->optimize;
	config->record_time_ns = options->record_time_ns ? options->record_time_ns : RECORD_TIME_NS;
	config->llvm_bolt = options->llvm_bolt;
	config->bench_runs = options->bench_runs;
	config->bench_time_ns = options->bench_time_ns;
	config->sample = options->sample;
	config->partial_training = options->partial_training;
	config->no_compare = options->no_compare;
	config->allow_stale = options->allow_stale;
	config->fresh = options->fresh;
	config->has_report = !options->no_report && pgb_command_find("report") != NULL;
	config->stop = &pgb_interrupted;
	config->progress = show_progress;
	config->ended = show_ended;
	config->warning = show_warning;
	config->context = run;
}

/* ---- what came of it */

/* The last lines of a step's log, for whoever has to find out what went wrong. */
static void show_log(struct run *run, const struct pgb_step *step)
{
	char *path = pgb_format("%s/%s", pgb_pipeline_folder(run->pipeline), step->log);
	struct pgb_file_map map = {0};
	size_t from, lines = 0;

	if (!run->cli->output.json && pgb_file_map_open(&map, path, NULL) == 0) {
		from = map.size_bytes;
		while (from > 0 && map.size_bytes - from < TAIL_BYTES) {
			if (map.bytes[from - 1] == '\n' && from < map.size_bytes &&
			    ++lines == TAIL_LINES)
				break;
			from--;
		}
		fprintf(run->cli->output.stderr_stream, "%.*s%s", (int)(map.size_bytes - from),
			(const char *)map.bytes + from,
			map.size_bytes > 0 && map.bytes[map.size_bytes - 1] != '\n' ? "\n" : "");
		pgb_file_map_close(&map);
	}
	free(path);
}

static json_t *steps_json(const struct run *run)
{
	const struct pgb_pipeline_state *state = pgb_pipeline_state(run->pipeline);
	json_t *steps = json_array();

	for (size_t i = 0; i < state->steps.count; i++) {
		const struct pgb_step *step = &state->steps.items[i];
		json_t *commands = json_array();

		for (size_t c = 0; c < step->commands.items.count; c++)
			json_array_append_new(commands,
					      pgb_json_text(step->commands.items.items[c]));
		if (step->commands.items.count > 0)
			json_array_append_new(
				steps, json_pack("{s:o, s:s, s:b, s:f, s:o}", "name",
						 pgb_json_text(step->name), "status",
						 pgb_step_status_word(step->status), "todo",
						 pgb_pipeline_is_todo(run->pipeline, i), "seconds",
						 step->seconds, "commands", commands));
		else
			json_decref(commands);
	}
	return steps;
}

static int show_result(struct run *run, struct pgb_error *error)
{
	static const char *const folders[] = {"baseline", "pgo", "bolt"};
	const char *slash = strrchr(run->config.binary, '/');
	const char *name = slash ? slash + 1 : run->config.binary;
	const char *folder = pgb_pipeline_folder(run->pipeline);
	char *bench = pgb_format("%s/bench.json", folder), *paths[3];
	struct pgb_output *output = &run->cli->output;
	struct pgb_run_times times;
	int code = pgb_run_times_read(&times, bench, error);

	for (size_t i = 0; i < 3; i++)
		paths[i] = pgb_format("%s/%s/%s", folder, folders[i], name);
	if (code == 0) {
		pgb_output_line(output, "%s", "");
		pgb_run_times_print(output, &times, (const char *const *)paths);
		pgb_output_line(output, "The optimized program: %s", paths[2]);
		if (run->config.has_report)
			pgb_output_note(output, "The report: %s/report.html", folder);
		pgb_output_note(output, "The exact commands: %s/replay.sh", folder);
		pgb_output_json(output,
				json_pack("{s:o, s:o, s:o, s:o}", "binary",
					  pgb_json_text(run->config.binary), "optimized",
					  pgb_json_text(paths[2]), "times",
					  pgb_run_times_json(&times), "steps", steps_json(run)));
	}
	for (size_t i = 0; i < 3; i++)
		free(paths[i]);
	free(bench);
	return code;
}

static void print_dry_run(struct run *run)
{
	const struct pgb_pipeline_state *state = pgb_pipeline_state(run->pipeline);
	struct pgb_output *output = &run->cli->output;

	for (size_t i = 0; i < state->steps.count; i++) {
		const struct pgb_step *step = &state->steps.items[i];

		if (step->commands.items.count == 0)
			continue;
		pgb_output_line(output, "# %s%s", step->title,
				pgb_pipeline_is_todo(run->pipeline, i) ? "" : ": kept from before");
		for (size_t c = 0; c < step->commands.items.count; c++)
			pgb_output_line(output, "%s", step->commands.items.items[c]);
	}
	pgb_output_json(output, json_pack("{s:o, s:o}", "binary", pgb_json_text(run->config.binary),
					  "steps", steps_json(run)));
}

static int do_run(struct run *run, struct pgb_error *error)
{
	const struct pgb_step *failed = NULL;
	const char *changed = pgb_pipeline_changed(run->pipeline);
	struct pgb_output *output = &run->cli->output;
	int code;

	if (changed)
		pgb_output_note(output, "Built anew: %s changed", changed);
	pgb_progress_init(&run->progress, output);
	pgb_interrupt_catch(true);
	code = pgb_pipeline_run(run->pipeline, &failed, error);
	pgb_interrupt_catch(false);
	pgb_progress_done(&run->progress);
	if (code == 0)
		return show_result(run, error);
	if (failed && code != PGB_E_INTERRUPTED)
		show_log(run, failed);
	if (code == PGB_E_INTERRUPTED)
		pgb_remedy(error, "what is done stays: type the same again to go on");
	return code;
}

static int run_command(struct pgb_cli *cli, struct pgb_error *error)
{
	struct run run = {.cli = cli};
	int code = pgb_run_options_merge(&run.options, cli->options, &run.ini, error);

	run.tool = realpath("/proc/self/exe", NULL);
	if (code == 0)
		code = read_training(&run, error);
	if (code == 0)
		code = choose_binary(&run, error);
	if (code == 0) {
		fill_config(&run);
		code = pgb_pipeline_open(&run.pipeline, &run.config, error);
	}
	if (code == 0 && run.options.dry_run)
		print_dry_run(&run);
	else if (code == 0)
		code = do_run(&run, error);
	pgb_pipeline_close(run.pipeline);
	pgb_cargo_target_release(&run.cargo);
	pgb_options_release(pgb_run_table, &run.options);
	pgb_ini_release(&run.ini);
	free(run.training);
	free(run.tool);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt run --build 'make clean all' --train './app work' ./app", "all of it"},
	{"pgobolt run --build make --clean 'make clean' --train './app work' --check 'make test' "
	 "./app",
	 "and the tests must pass with each build"},
	{"pgobolt run --build 'cmake -B b && cmake --build b' --clean 'rm -rf b' --train "
	 "'./b/app work' ./b/app",
	 "CMake keeps the compiler that it was configured with: configured for each build"},
	{"pgobolt run --cargo --train '{} work' app", "a Rust program"},
	{"pgobolt run --cargo --train 'cargo bench' --record '{} work' app",
	 "benchmarks train the compiler, the program itself is recorded"},
	{"pgobolt run --sample --build make --clean 'make clean' --train './app work' ./app",
	 "no instrumented build: clang compiles with a recording"},
	{"pgobolt run --dry-run", "with pgobolt.ini: what would be done?"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_run = {
	.name = "run",
	.summary = "all of it: build, train, build, record, optimize, check, time",
	.synopsis = "--build CMD --train CMD BINARY",
	.description =
		"Builds the program three times, as ever, instrumented, and with the profile of "
		"the training; records the last one at work and has llvm-bolt lay it out anew; "
		"checks and times all three, in turn; and says what each brought. BINARY is the "
		"program or the shared library as the build leaves it.\n\n"
		"Each CMD is one string for /bin/sh -c, run in this folder; {} in it and "
		"$PGOBOLT_BINARY stand for BINARY's path. The build that is trained, recorded, "
		"checked or timed always lies in BINARY's place; in the end the PGO build does. "
		"The optimized one is " PGB_PIPELINE_FOLDER "/bolt/ in the state folder.\n\n"
		"What is done is kept, by content: when the command is given again, only those "
		"steps are done whose commands, tools, source files or inputs changed. So after "
		"an error, or Ctrl-C, type it again. Source files are looked for below this "
		"folder; for what lies elsewhere there is --fresh.\n\n"
		"Options may stand in " PGB_INI_DEFAULT
		" in this folder, without their dashes, one on "
		"each line, as in: train = ./app work. BINARY is `binary` there. A line that "
		"begins with a blank goes on with the one before; # begins a comment. What the "
		"command line says goes first.\n\n"
		"--json: binary, optimized, times (rounds; baseline, pgo and bolt with seconds and "
		"to_baseline; bolt_to_pgo: value, low, high, shown), steps (name, status, todo: it "
		"was to be done, seconds, commands).",
	.options = pgb_run_table,
	.options_size = sizeof(struct pgb_run_options),
	.defaults = &pgb_run_defaults,
	.examples = examples,
	.operands_max = 1,
	.run = run_command,
};
