/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgo/cli/state_size.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/build.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/pipeline.h"
#include "pgobolt/pgo/pipeline_sources.h"
#include "pgobolt/pgo/pipeline_state.h"

struct status_options {
	const char *state;
};

static const struct status_options defaults = {.state = PGB_STATE_DEFAULT};

static const struct pgb_option options[] = {
	{.name = "state",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct status_options, state),
	 .help = "the state folder (" PGB_STATE_DEFAULT ")"},
	{.name = NULL},
};

static const char *const mode_texts[] = {
	[PGB_BUILD_NONE] = "as ever",
	[PGB_BUILD_INSTRUMENT] = "instrumented",
	[PGB_BUILD_USE] = "with the profile",
};

static const char *mode_text(enum pgb_build_mode mode)
{
	size_t count = sizeof(mode_texts) / sizeof(mode_texts[0]);

	return (size_t)mode < count && mode_texts[mode] ? mode_texts[mode] : "in a way of its own";
}

/* Done, but is what came of it still there as it was? */
static bool is_damaged(const char *folder, const struct pgb_step *step)
{
	char *path = pgb_format("%s/%s", folder, step->output ? step->output : "");
	char *hash = step->output ? pgb_pipeline_hash_file(path) : NULL;
	bool damaged = step->status == PGB_STEP_DONE && step->output_hash &&
		       (hash == NULL || strcmp(hash, step->output_hash) != 0);

	free(path);
	free(hash);
	return damaged;
}

/* While a run is at work, the step that would be interrupted if it died is the one at hand. */
static const char *status_text(const char *folder, const struct pgb_step *step, bool running)
{
	if (running && step->status == PGB_STEP_INTERRUPTED)
		return "running";
	return is_damaged(folder, step) ? "changed since" : pgb_step_status_word(step->status);
}

static void show_step(struct pgb_table *table, const char *folder, const struct pgb_step *step,
		      bool running)
{
	char *output = pgb_format("%s/%s", folder, step->output ? step->output : "");
	uint64_t size = step->output_hash ? pgb_state_size(output) : 0;

	pgb_table_cell(table, "%s", step->title);
	pgb_table_cell(table, "%s", status_text(folder, step, running));
	pgb_table_cell(table, "%s",
		       step->seconds > 0 ? PGB_DURATION((uint64_t)(step->seconds * 1e9)) : "");
	pgb_table_cell(table, "%s", size ? PGB_SIZE(size) : "");
	free(output);
}

static void show_steps(struct pgb_output *output, const struct pgb_pipeline_state *state,
		       const char *folder, const char *changed, bool running)
{
	struct pgb_table table = {.columns = 4, .right = "--rr", .header = true, .indent = 2};

	pgb_output_line(output, "%s: the steps of pgobolt run", state->binary);
	pgb_table_cell(&table, "step");
	pgb_table_cell(&table, "status");
	pgb_table_cell(&table, "time");
	pgb_table_cell(&table, "size");
	for (size_t i = 0; i < state->steps.count; i++)
		if (state->steps.items[i].commands.items.count > 0)
			show_step(&table, folder, &state->steps.items[i], running);
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	if (changed)
		pgb_output_line(output, "  %s changed since: all builds are stale", changed);
}

static json_t *status_json(const char *path, const struct pgb_pipeline_state *state,
			   const char *changed)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < state->steps.count; i++) {
		const struct pgb_step *step = &state->steps.items[i];

		if (step->commands.items.count > 0)
			json_array_append_new(steps, json_pack("{s:o, s:s, s:f}", "name",
							       pgb_json_text(step->name), "status",
							       pgb_step_status_word(step->status),
							       "seconds", step->seconds));
	}
	return json_pack("{s:o, s:I, s:s, s:o, s:o, s:o}", "state", pgb_json_text(path),
			 "size_bytes", (json_int_t)pgb_state_size(path), "last_build",
			 mode_text(pgb_build_last_mode(path)), "binary",
			 state->binary ? pgb_json_text(state->binary) : json_null(), "changed",
			 changed ? pgb_json_text(changed) : json_null(), "steps", steps);
}

static void show_folders(struct pgb_output *output, const char *state)
{
	static const char *const folders[] = {"run", "runs", "raw", "profile", "bin", NULL};
	static const char *const what[] = {"steps of pgobolt run", "training runs",
					   "counts of programs nobody trained", "merged profiles",
					   "compiler stand-ins"};
	struct pgb_table table = {.columns = 3, .right = "-r-", .indent = 2};

	for (size_t i = 0; folders[i]; i++) {
		char *path = pgb_format("%s/%s", state, folders[i]);

		if (access(path, F_OK) == 0) {
			pgb_table_cell(&table, "%s", folders[i]);
			pgb_table_cell(&table, "%s", PGB_SIZE(pgb_state_size(path)));
			pgb_table_cell(&table, "%s", what[i]);
		}
		free(path);
	}
	pgb_table_print(&table, output);
	pgb_table_release(&table);
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct status_options *wanted = cli->options;
	struct pgb_pipeline_state state = {0};
	struct pgb_sources sources = {0};
	struct pgb_error none = {0};
	char *folder = pgb_format("%s/" PGB_PIPELINE_FOLDER, wanted->state);
	char *list = pgb_format("%s/sources", folder);
	const char *changed = NULL;
	int code = 0;

	if (access(wanted->state, F_OK) != 0) {
		pgb_fail(error, PGB_E_NOT_FOUND, "nothing was done here: there is no %s",
			 wanted->state);
		code = pgb_remedy(error, "pgobolt run --build CMD --train CMD BINARY");
	}
	if (code == 0) {
		code = pgb_pipeline_state_read(&state, folder, &none);
		if (code == PGB_E_NOT_FOUND)
			code = 0;
		else if (code != 0)
			*error = none;
	}
	if (code == 0) {
		if (state.steps.count > 0 && pgb_sources_read(&sources, list, NULL) == 0)
			changed = pgb_sources_changed(&sources);
		pgb_output_line(&cli->output, "%s: %s; last build: %s", wanted->state,
				PGB_SIZE(pgb_state_size(wanted->state)),
				mode_text(pgb_build_last_mode(wanted->state)));
		show_folders(&cli->output, wanted->state);
		if (state.steps.count > 0)
			show_steps(&cli->output, &state, folder, changed,
				   pgb_pipeline_is_running(wanted->state));
		pgb_output_json(&cli->output, status_json(wanted->state, &state, changed));
	}
	pgb_pipeline_state_release(&state);
	pgb_sources_release(&sources);
	free(folder);
	free(list);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt status", "which steps of pgobolt run are done, and what they take"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_status = {
	.name = "status",
	.summary = "show what build, train and run keep",
	.synopsis = "",
	.description =
		"Shows the state folder: its size, the last build, training runs and profiles, and "
		"the steps of pgobolt run with their status: done, running, failed, interrupted, "
		"todo, or changed since.\n\n"
		"--json: state, size_bytes, last_build, binary, changed (the source file that "
		"makes builds stale, or null), steps (name, status, seconds).",
	.options = options,
	.options_size = sizeof(struct status_options),
	.defaults = &defaults,
	.examples = examples,
	.run = run,
};
