/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgo/cli/state_size.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/build.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/pipeline.h"

struct clean_options {
	const char *state;
	bool keep_profiles, run_only;
};

static const struct clean_options defaults = {.state = PGB_STATE_DEFAULT};

static const struct pgb_option options[] = {
	{.name = "keep-profiles",
	 .offset = offsetof(struct clean_options, keep_profiles),
	 .help = "keep training runs and merged profiles"},
	{.name = "run",
	 .offset = offsetof(struct clean_options, run_only),
	 .help = "remove what pgobolt run keeps, and nothing else"},
	{.name = "state",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct clean_options, state),
	 .help = "the state folder (" PGB_STATE_DEFAULT ")"},
	{.name = NULL},
};

/* Whoever mistypes --state must not lose a folder of his own. */
static int check_state(const char *state, struct pgb_error *error)
{
	static const char *const marks[] = {"bin/.real", "mode", PGB_PIPELINE_FOLDER "/logs", NULL};
	bool is_state = false;

	for (size_t i = 0; marks[i]; i++) {
		char *path = pgb_format("%s/%s", state, marks[i]);

		is_state |= access(path, F_OK) == 0;
		free(path);
	}
	if (is_state)
		return 0;
	pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is no state folder of pgobolt: nothing was removed",
		 state);
	return pgb_remedy(error, "look at it, and remove it yourself if it is meant: rm -r %s",
			  state);
}

static int remove_inside(const char *state, const char *name, struct pgb_error *error)
{
	char *path = pgb_format("%s/%s", state, name);
	int code = pgb_file_remove_tree(path, error);

	if (unlink(path) != 0 && errno == EISDIR)
		code = pgb_fail(error, PGB_E_IO, "%s is still there", path);
	free(path);
	return code;
}

static int clean(const struct clean_options *wanted, struct pgb_error *error)
{
	static const char *const always[] = {PGB_PIPELINE_FOLDER, "run.lock", NULL};
	static const char *const without_profiles[] = {"bin",	   "raw",  "discarded",
						       "compiled", "mode", NULL};
	int code = 0;

	if (!wanted->run_only)
		pgb_build_forget_scripts(wanted->state);
	if (!wanted->run_only && !wanted->keep_profiles)
		return pgb_file_remove_tree(wanted->state, error);
	for (size_t i = 0; always[i] && code == 0; i++)
		code = remove_inside(wanted->state, always[i], error);
	for (size_t i = 0; !wanted->run_only && without_profiles[i] && code == 0; i++)
		code = remove_inside(wanted->state, without_profiles[i], error);
	return code;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct clean_options *wanted = cli->options;
	uint64_t before = pgb_state_size(wanted->state), after;
	int lock = -1;
	int code = 0;

	if (access(wanted->state, F_OK) != 0) {
		pgb_output_line(&cli->output, "Nothing to remove: there is no %s", wanted->state);
		pgb_output_json(&cli->output, json_pack("{s:i}", "removed_bytes", 0));
		return 0;
	}
	code = check_state(wanted->state, error);
	if (code == 0)
		code = pgb_pipeline_lock(wanted->state, &lock, error);
	if (code == 0)
		code = clean(wanted, error);
	if (lock >= 0)
		close(lock);
	if (code != 0)
		return code;
	after = pgb_state_size(wanted->state);
	pgb_output_line(&cli->output, "Removed %s%s", PGB_SIZE(before - after),
			after ? "" : ", all of it");
	pgb_output_json(&cli->output,
			json_pack("{s:I}", "removed_bytes", (json_int_t)(before - after)));
	return 0;
}

static const struct pgb_example examples[] = {
	{"pgobolt clean", "remove .pgobolt"},
	{"pgobolt clean --keep-profiles", "but keep what training gave"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_clean = {
	.name = "clean",
	.summary = "remove what build, train and run keep",
	.synopsis = "",
	.description =
		"Removes the state folder, and only that: what the build made is the build's, and "
		"recordings elsewhere are yours. Cargo will run those build scripts again that "
		"compiled something with the state's flags. A folder that CMake configured under "
		"pgobolt build names the compiler stand-ins: configure it again afterwards.",
	.options = options,
	.options_size = sizeof(struct clean_options),
	.defaults = &defaults,
	.examples = examples,
	.run = run,
};
