/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>

#include "pgo/cli/weights.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/merge.h"

struct merge_options {
	const char *output;
	struct pgb_option_list weights;
};

struct merging {
	struct pgb_progress progress;
	const struct pgb_merge_job *job;
};

static void show_progress(void *context, size_t index)
{
	struct merging *merging = context;

	pgb_progress_update(&merging->progress, "reading %zu of %zu: %s", index + 1,
			    merging->job->input_count, merging->job->inputs[index].path);
}

static void print_result(struct pgb_cli *cli, const struct pgb_merge_job *job,
			 const struct pgb_merge_result *result)
{
	bool folder = result->kind == PGB_INPUT_RECORDING && !result->fdata_only;
	const char *const of_folder[] = {"pgobolt", "optimize", "--profile", job->output, NULL};
	const char *const of_binary[] = {"pgobolt",   "optimize",  "BINARY",
					 "--profile", job->output, NULL};

	pgb_output_note(&cli->output, "%s: %s from %s, counts of %s in all", job->output,
			PGB_PLURAL(result->lines, folder ? "binary" : "line"),
			PGB_PLURAL(job->input_count, "input"), PGB_COUNT(result->total));
	if (result->lost)
		pgb_output_warning(&cli->output, "%s could not be carried by this format",
				   PGB_PLURAL(result->lost, "count"));
	if (pgb_file_same(job->output, "/dev/stdout"))
		return;
	if (folder)
		pgb_output_next_command(&cli->output, of_folder);
	else if (result->kind != PGB_INPUT_PREAGG)
		pgb_output_next_command(&cli->output, of_binary);
}

static void print_json(struct pgb_cli *cli, const struct pgb_merge_job *job,
		       const struct pgb_merge_result *result)
{
	pgb_output_json(
		&cli->output,
		json_pack("{s:o, s:s, s:I, s:I, s:I}", "output", pgb_json_text(job->output), "kind",
			  pgb_input_kind_name(result->fdata_only ? PGB_INPUT_FDATA : result->kind),
			  "lines", (json_int_t)result->lines, "total",
			  (json_int_t)(result->total > INT64_MAX ? INT64_MAX : result->total),
			  "lost", (json_int_t)result->lost));
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct merge_options *options = cli->options;
	size_t count = cli->arguments.operands.count;
	struct pgb_merge_input *inputs;
	struct pgb_merge_result result;
	struct pgb_merge_job job = {.input_count = count,
				    .output = options->output,
				    .log = &cli->output.log,
				    .progress = show_progress};
	struct merging merging = {.job = &job};
	int code;

	if (options->output == NULL) {
		pgb_fail(error, PGB_E_USAGE, "merge needs an output");
		return pgb_remedy(error, "name it: -o OUT");
	}
	if (strcmp(options->output, "-") == 0)
		job.output = "/dev/stdout";
	if (pgb_file_same(job.output, "/dev/stdout")) {
		if (cli->output.json)
			return pgb_fail(error, PGB_E_USAGE,
					"the profile and the JSON document cannot both go to "
					"standard output");
		pgb_output_use_stderr(&cli->output);
	}
	inputs = pgb_calloc(count, sizeof(*inputs));
	job.inputs = inputs;
	job.progress_context = &merging;
	pgb_progress_init(&merging.progress, &cli->output);
	code = pgb_cli_weigh_inputs(&cli->arguments, &options->weights, inputs, error);
	if (code == 0)
		code = pgb_merge(&job, &result, error);
	pgb_progress_done(&merging.progress);
	if (code == 0) {
		print_result(cli, &job, &result);
		print_json(cli, &job, &result);
	}
	free(inputs);
	return code;
}

static const struct pgb_option options[] = {
	{.letter = 'o',
	 .name = "output",
	 .kind = PGB_OPTION_STRING,
	 .argument = "OUT",
	 .offset = offsetof(struct merge_options, output),
	 .help = "write to OUT: a file, a folder where recordings are merged, or - for stdout"},
	{.letter = 'w',
	 .name = "weight",
	 .kind = PGB_OPTION_LIST,
	 .argument = "N",
	 .offset = offsetof(struct merge_options, weights),
	 .help = "multiply the counts of the inputs after it by N; default: 1"},
	{.name = NULL},
};

static const struct pgb_example examples[] = {
	{"pgobolt merge run1.fdata run2.fdata -o all.fdata", "add two profiles"},
	{"pgobolt merge common.fdata --weight 3 important.fdata -o all.fdata",
	 "let one workload count three times"},
	{"pgobolt merge host1.data host2.data -o all.data",
	 "add recordings of the same binaries, made on two machines"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_merge = {
	.name = "merge",
	.summary = "add up profiles or recordings, with weights",
	.synopsis = "[--weight N] INPUT.. -o OUT",
	.description =
		"INPUTs are fdata files, pre-aggregated text, or recordings, all of one kind: "
		"counts "
		"of different kinds mean different things and are not added. Recordings must be of "
		"the same builds of their programs, told by build-id.\n\nThe result does not "
		"depend "
		"on the order of the inputs. OUT appears whole or not at all, and may not be an "
		"input.",
	.options = options,
	.options_size = sizeof(struct merge_options),
	.examples = examples,
	.operands_min = 1,
	.operands_max = UINT_MAX,
	.operand_name = "INPUT",
	.run = run,
};
