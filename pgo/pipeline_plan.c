/* SPDX-License-Identifier: MIT */
/* The table of steps, and the commands of each. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgo/pipeline_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"

#define OF(step) (1u << (step))

static const struct pgb_step_facts facts[STEP_COUNT] = {
	[STEP_BASELINE] = {"baseline", "baseline build", "baseline/%", 0, STEP_COUNT, true},
	[STEP_INSTRUMENTED] = {"instrumented", "instrumented build", "instrumented/%", 0,
			       STEP_COUNT, true},
	[STEP_TRAINING] = {"training", "training", "training", OF(STEP_INSTRUMENTED),
			   STEP_INSTRUMENTED, false},
	[STEP_PGO] = {"pgo", "PGO build", "pgo/%", OF(STEP_TRAINING), STEP_COUNT, true},
	[STEP_RECORDING] = {"recording", "recording", "recording/recording.json", OF(STEP_PGO),
			    STEP_PGO, false},
	[STEP_BOLT] = {"bolt", "BOLT", "bolt/%", OF(STEP_PGO) | OF(STEP_RECORDING), STEP_COUNT,
		       false},
	[STEP_CHECK] = {"check", "check", "check.json",
			OF(STEP_BASELINE) | OF(STEP_PGO) | OF(STEP_BOLT), STEP_PGO, false},
	[STEP_BENCH] = {"bench", "benchmark", "bench.json",
			OF(STEP_BASELINE) | OF(STEP_PGO) | OF(STEP_BOLT), STEP_PGO, false},
	[STEP_REPORT] = {"report", "report", "report.html",
			 OF(STEP_BOLT) | OF(STEP_CHECK) | OF(STEP_BENCH), STEP_COUNT, false},
};

/* Without instrumentation the training is a recording. */
static const struct pgb_step_facts sampled_facts[] = {
	[STEP_INSTRUMENTED] = {"instrumented", "build to be sampled", "instrumented/%", 0,
			       STEP_COUNT, true},
	[STEP_TRAINING] = {"training", "sampling", "sample.afdo", OF(STEP_INSTRUMENTED),
			   STEP_INSTRUMENTED, false},
};

const struct pgb_step_facts *pgb_step_facts(const struct pgb_pipeline *pipeline, size_t step)
{
	if (pipeline->config->sample && (step == STEP_INSTRUMENTED || step == STEP_TRAINING))
		return &sampled_facts[step];
	return &facts[step];
}

char *pgb_pipeline_output(const struct pgb_pipeline *pipeline, size_t step)
{
	const char *output = pgb_step_facts(pipeline, step)->output;
	const char *sign = strchr(output, '%');

	if (sign == NULL)
		return pgb_format("%s/%s", pipeline->folder, output);
	return pgb_format("%s/%.*s%s", pipeline->folder, (int)(sign - output), output,
			  pipeline->name);
}

/* ---- words */

/* {} is the binary's path. */
static char *expand(const struct pgb_pipeline *pipeline, const char *command)
{
	char *path = pgb_pipeline_quoted(pipeline->binary);
	struct pgb_text text = {0};
	const char *at;

	while ((at = strstr(command, "{}")) != NULL) {
		pgb_text_add_bytes(&text, command, (size_t)(at - command));
		pgb_text_add(&text, path);
		command = at + 2;
	}
	pgb_text_add(&text, command);
	free(path);
	return pgb_text_detach(&text);
}

/* Words and blanks that a shell takes as they are: needs none. */
static bool is_plain(const char *command)
{
	static const char *const builtins[] = {"cd",   "export", "exec",   "set",     "unset",
					       "if",   "for",	 "while",  "case",    "until",
					       "eval", "umask",	 "ulimit", "read",    "wait",
					       ".",    ":",	 "trap",   "command", NULL};
	size_t first = strcspn(command, " ");

	if (command[0] == '\0' || command[0] == ' ' || memchr(command, '=', first))
		return false;
	for (size_t i = 0; builtins[i]; i++)
		if (strlen(builtins[i]) == first && strncmp(builtins[i], command, first) == 0)
			return false;
	return strspn(command, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "-_=+,./:@% ") == strlen(command);
}

/* What stands behind `--`: the compiler that CC=.. names is seen where it is a word of its own. */
static char *program_words(const char *command)
{
	char *word, *words;

	if (is_plain(command))
		return pgb_dup(command);
	word = pgb_pipeline_quoted(command);
	words = pgb_format("/bin/sh -c %s", word);
	free(word);
	return words;
}

/* ---- commands */

static struct pgb_step *step_at(struct pgb_pipeline *pipeline, enum pgb_step_index step)
{
	return &pipeline->state.steps.items[step];
}

__attribute__((format(printf, 3, 4))) static void
add(struct pgb_pipeline *pipeline, enum pgb_step_index step, const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	pgb_array_push(&step_at(pipeline, step)->commands.items, pgb_text_detach(&text));
}

static char *quoted_output(const struct pgb_pipeline *pipeline, size_t step)
{
	char *path = pgb_pipeline_output(pipeline, step), *word = pgb_pipeline_quoted(path);

	free(path);
	return word;
}

static void plan_build(struct pgb_pipeline *pipeline, enum pgb_step_index step, const char *options)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *copy = quoted_output(pipeline, step),
	     *state = pgb_build_state_option(pipeline->config->state);
	char *words = program_words(config->build), *binary = pgb_pipeline_quoted(config->binary);
	char *folder = pgb_pipeline_quoted(pipeline->folder);

	if (config->clean) {
		char *clean = program_words(config->clean);

		add(pipeline, step, "%s || true", clean);
		free(clean);
	}
	add(pipeline, step, "pgobolt build %s%s%s -- %s", options,
	    config->allow_stale ? "" : " --strict", state, words);
	add(pipeline, step, "mkdir -p %s/%s && rm -f %s && cp -pL %s %s", folder,
	    pgb_step_facts(pipeline, step)->name, copy, binary, copy);
	free(folder);
	free(copy);
	free(state);
	free(words);
	free(binary);
}

char *pgb_pipeline_place(const struct pgb_pipeline *pipeline, enum pgb_step_index step)
{
	char *copy = quoted_output(pipeline, step),
	     *binary = pgb_pipeline_quoted(pipeline->config->binary);
	char *line = pgb_format("rm -f %s && cp -p %s %s", binary, copy, binary);

	free(copy);
	free(binary);
	return line;
}

static void add_place(struct pgb_pipeline *pipeline, enum pgb_step_index step,
		      enum pgb_step_index variant)
{
	pgb_array_push(&step_at(pipeline, step)->commands.items,
		       pgb_pipeline_place(pipeline, variant));
}

/* All training commands, one after the other. */
static char *all_training(const struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	struct pgb_text text = {0};

	for (size_t i = 0; i < config->training_count; i++) {
		char *command = expand(pipeline, config->training[i].command);

		pgb_text_addf(&text, config->training_count > 1 ? "%s( %s )" : "%s%s",
			      i ? " && " : "", command);
		free(command);
	}
	return pgb_text_detach(&text);
}

/* Samples need time: again and again, until it has run for so long. */
static char *recorded_words(const struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *command = config->record ? expand(pipeline, config->record) : all_training(pipeline);
	unsigned long seconds = (unsigned long)(config->record_time_ns / 1000000000);
	char *loop, *words;

	if (seconds == 0) {
		words = program_words(command);
		free(command);
		return words;
	}
	loop = pgb_format("end=$(($(date +%%s) + %lu)); while :; do ( %s ) || exit; "
			  "[ $(date +%%s) -lt $end ] || exit 0; done",
			  seconds, command);
	words = program_words(loop);
	free(loop);
	free(command);
	return words;
}

/* Nobody waits for the program meanwhile: four times what `record` takes by itself. */
static const char *overhead_option(const struct pgb_pipeline_config *config)
{
	bool may_walk = config->source == NULL || strcmp(config->source, "auto") == 0 ||
			strcmp(config->source, "walk") == 0;

	return may_walk ? " --max-overhead 40" : "";
}

/* One recording: FOLDER/NAME, anew. */
static void plan_recording(struct pgb_pipeline *pipeline, enum pgb_step_index step,
			   const char *name)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *path = pgb_format("%s/%s", pipeline->folder, name),
	     *folder = pgb_pipeline_quoted(path);
	char *binary = pgb_pipeline_quoted(config->binary), *words = recorded_words(pipeline);
	char *source = config->source ? pgb_pipeline_quoted(config->source) : NULL;

	add(pipeline, step, "rm -rf %s %s.old", folder, folder);
	add(pipeline, step, "pgobolt record%s%s%s -o %s --for %s -- %s", source ? " --source " : "",
	    source ? source : "", overhead_option(config), folder, binary, words);
	free(path);
	free(folder);
	free(binary);
	free(words);
	free(source);
}

static void plan_training(struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *state = pgb_build_state_option(pipeline->config->state),
	     *done = quoted_output(pipeline, STEP_TRAINING);
	char *id = pgb_format("%s/profile/id", config->state), *id_word = pgb_pipeline_quoted(id);

	add_place(pipeline, STEP_TRAINING, STEP_INSTRUMENTED);
	for (size_t i = 0; i < config->training_count; i++) {
		char *command = expand(pipeline, config->training[i].command);
		char *words = program_words(command);
		char *weight = config->training[i].weight > 1
				       ? pgb_format(" --weight %lu",
						    (unsigned long)config->training[i].weight)
				       : pgb_dup("");

		add(pipeline, STEP_TRAINING, "pgobolt train%s%s%s -- %s", i == 0 ? " --new" : "",
		    weight, state, words);
		free(command);
		free(words);
		free(weight);
	}
	add(pipeline, STEP_TRAINING, "cp %s %s", id_word, done);
	free(state);
	free(done);
	free(id);
	free(id_word);
}

static void plan_sampling(struct pgb_pipeline *pipeline)
{
	char *binary = pgb_pipeline_quoted(pipeline->config->binary);
	char *profile = quoted_output(pipeline, STEP_TRAINING),
	     *folder = pgb_pipeline_quoted(pipeline->folder);

	add_place(pipeline, STEP_TRAINING, STEP_INSTRUMENTED);
	plan_recording(pipeline, STEP_TRAINING, "sampling");
	add(pipeline, STEP_TRAINING, "pgobolt convert --format autofdo -b %s -o %s %s/sampling",
	    binary, profile, folder);
	free(binary);
	free(profile);
	free(folder);
}

static void plan_pgo(struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *profile = quoted_output(pipeline, STEP_TRAINING);
	char *options = pgb_format("%s%s%s", config->sample ? "--use --sample " : "--use",
				   config->sample ? profile : "",
				   config->partial_training ? " --partial-training" : "");

	plan_build(pipeline, STEP_PGO, options);
	free(profile);
	free(options);
}

static void plan_bolt(struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *input = quoted_output(pipeline, STEP_PGO),
	     *folder = pgb_pipeline_quoted(pipeline->folder);
	char *output = quoted_output(pipeline, STEP_BOLT);
	char *tool = config->llvm_bolt ? pgb_pipeline_quoted(config->llvm_bolt) : NULL;

	add(pipeline, STEP_BOLT,
	    "mkdir -p %s/bolt && pgobolt optimize%s%s --profile %s/recording -o %s %s%s%s", folder,
	    tool ? " --llvm-bolt " : "", tool ? tool : "", folder, output, input,
	    config->optimize ? " " : "", config->optimize ? config->optimize : "");
	free(input);
	free(folder);
	free(output);
	free(tool);
}

/* ---- the three variants */

static const enum pgb_step_index variants[] = {STEP_BASELINE, STEP_PGO, STEP_BOLT};
enum { VARIANTS = sizeof(variants) / sizeof(variants[0]) };

/* The device of a path, or of the nearest folder above that is there already. */
static dev_t device_of(const char *path)
{
	char *folder = pgb_dup(path);
	struct stat status = {0};
	char *slash;

	while (stat(folder, &status) != 0 && (slash = strrchr(folder, '/')) != NULL)
		*slash = '\0';
	if (folder[0] == '\0' || status.st_nlink == 0)
		(void)stat(path[0] == '/' ? "/" : ".", &status);
	free(folder);
	return status.st_dev;
}

/* Can a link stand in the binary's place, or must it be a copy? */
static bool can_link(const struct pgb_pipeline *pipeline)
{
	return device_of(pipeline->config->state) == device_of(pipeline->binary);
}

/* The variant in the binary's place, quickly, and then the command. */
static char *with_variant(const struct pgb_pipeline *pipeline, enum pgb_step_index variant,
			  const char *command)
{
	char *copy = quoted_output(pipeline, variant),
	     *binary = pgb_pipeline_quoted(pipeline->config->binary);
	char *line = pgb_format("%s %s %s; %s", can_link(pipeline) ? "ln -f" : "cp -fp", copy,
				binary, command);

	free(copy);
	free(binary);
	return line;
}

/*
 * Of the builds the PGO one was made last: beside its objects make would take the baseline for
 * outdated, and link it anew from them.
 */
static void touch_variants(struct pgb_pipeline *pipeline, enum pgb_step_index step)
{
	struct pgb_text line = {0};

	pgb_text_add(&line, "touch -c");
	for (size_t i = 0; i < VARIANTS; i++) {
		char *copy = quoted_output(pipeline, variants[i]);

		pgb_text_addf(&line, " %s", copy);
		free(copy);
	}
	add(pipeline, step, "%s", line.data);
	pgb_text_release(&line);
}

static void plan_check(struct pgb_pipeline *pipeline)
{
	char *command = expand(pipeline, pipeline->config->check);

	touch_variants(pipeline, STEP_CHECK);
	for (size_t i = 0; i < VARIANTS; i++)
		pgb_array_push(&step_at(pipeline, STEP_CHECK)->commands.items,
			       with_variant(pipeline, variants[i], command));
	add_place(pipeline, STEP_CHECK, STEP_PGO);
	free(command);
}

static void plan_bench(struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	char *command = config->bench ? expand(pipeline, config->bench) : all_training(pipeline);
	char *output = quoted_output(pipeline, STEP_BENCH);
	struct pgb_text line = {0};

	touch_variants(pipeline, STEP_BENCH);
	/* its words go to the log, where they are looked for when it fails */
	pgb_text_addf(&line, "pgobolt bench --save %s.new", output);
	if (config->no_compare)
		pgb_text_add(&line, " --no-compare");
	if (config->bench_runs)
		pgb_text_addf(&line, " -n %lu", (unsigned long)config->bench_runs);
	if (config->bench_time_ns)
		pgb_text_addf(&line, " --time %lums",
			      (unsigned long)((config->bench_time_ns + 999999) / 1000000));
	for (size_t i = 0; i < VARIANTS; i++) {
		char *variant = with_variant(pipeline, variants[i], command);
		char *word = pgb_pipeline_quoted(variant);

		pgb_text_addf(&line, " %s", word);
		free(variant);
		free(word);
	}
	add(pipeline, STEP_BENCH, "%s && mv %s.new %s", line.data, output, output);
	add_place(pipeline, STEP_BENCH, STEP_PGO);
	pgb_text_release(&line);
	free(command);
	free(output);
}

static void plan_report(struct pgb_pipeline *pipeline)
{
	char *folder = pgb_pipeline_quoted(pipeline->folder),
	     *output = quoted_output(pipeline, STEP_REPORT);

	add(pipeline, STEP_REPORT, "pgobolt report -o %s %s", output, folder);
	free(folder);
	free(output);
}

void pgb_pipeline_plan(struct pgb_pipeline *pipeline)
{
	const struct pgb_pipeline_config *config = pipeline->config;

	for (size_t i = 0; i < STEP_COUNT; i++) {
		struct pgb_step step = {
			.name = pgb_dup(pgb_step_facts(pipeline, i)->name),
			.title = pgb_dup(pgb_step_facts(pipeline, i)->title),
			.log = pgb_format("logs/%s.log", pgb_step_facts(pipeline, i)->name),
		};
		char *output = pgb_pipeline_output(pipeline, i);

		step.output = pgb_dup(output + strlen(pipeline->folder) + 1);
		free(output);
		pgb_array_push(&pipeline->state.steps, step);
	}
	plan_build(pipeline, STEP_BASELINE, "--plain");
	plan_build(pipeline, STEP_INSTRUMENTED, config->sample ? "--sampling" : "--instrument");
	if (config->sample)
		plan_sampling(pipeline);
	else
		plan_training(pipeline);
	plan_pgo(pipeline);
	add_place(pipeline, STEP_RECORDING, STEP_PGO);
	plan_recording(pipeline, STEP_RECORDING, "recording");
	plan_bolt(pipeline);
	if (config->check)
		plan_check(pipeline);
	plan_bench(pipeline);
	if (config->has_report)
		plan_report(pipeline);
}
