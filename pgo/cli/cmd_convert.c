/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "pgo/cli/quality_report.h"
#include "pgo/cli/weights.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/convert.h"
#include "pgobolt/pgo/recording.h"

struct convert_options {
	const char *output, *min_grade;
	struct pgb_option_list binaries, formats, weights;
	int compat, infer;
	bool basic, ignore_build_id;
};

static const char *const infer_words[] = {"single", "always", "never", NULL};
static const char *const compat_words[] = {"none", "perf2bolt", NULL};

#define AT(field) .offset = offsetof(struct convert_options, field)

static const struct pgb_option options[] = {
	{.letter = 'b',
	 .name = "binary",
	 .kind = PGB_OPTION_LIST,
	 .argument = "BINARY",
	 AT(binaries),
	 .help = "the program or library that ran; may be repeated: OUT is a recording's folder "
		 "then"},
	{.letter = 'o',
	 .name = "output",
	 .kind = PGB_OPTION_STRING,
	 .argument = "OUT",
	 AT(output),
	 .help = "write to OUT, a file, or the folder of a recording where it ends in a slash; "
		 "default: the binary's name and .fdata, .preagg or .afdo, for several "
		 "pgobolt.data"},
	{.name = "format",
	 .kind = PGB_OPTION_COMMA_LIST,
	 .argument = "FORMAT",
	 AT(formats),
	 .help = "fdata, for llvm-bolt; preagg, BOLT's pre-aggregated text; autofdo, LLVM's sample "
		 "profile for clang, as text, or autofdo-binary; or several (default: fdata)"},
	{.letter = 'w',
	 .name = "weight",
	 .kind = PGB_OPTION_LIST,
	 .argument = "N",
	 AT(weights),
	 .help = "multiply the counts of the inputs after it by N (default: 1)"},
	{.name = "min-grade",
	 .kind = PGB_OPTION_STRING,
	 .argument = "GRADE",
	 AT(min_grade),
	 .help = "fail, and write nothing, where the profile's quality is worse: A to F"},
	{.name = "compat",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = compat_words,
	 AT(compat),
	 .help = "perf2bolt: repeat its choices, even where ours are better (default: none)"},
	{.name = "infer",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = infer_words,
	 AT(infer),
	 .help = "single: of single branches (IBS, SPE), infer what runs between them; always: of "
		 "sampled addresses, too; never (default: single)"},
	{.name = "basic",
	 AT(basic),
	 .help = "take the samples' addresses, even where there are branch stacks"},
	{.name = "ignore-build-id",
	 AT(ignore_build_id),
	 .help = "tell binaries by their names, even where the build-ids differ"},
	{.name = NULL},
};

/* ---- what was asked for */

static int read_formats(const struct pgb_option_list *list, unsigned int *formats,
			struct pgb_error *error)
{
	static const struct {
		const char *name;
		unsigned int format;
	} known[] = {{"fdata", PGB_CONVERT_FDATA},
		     {"preagg", PGB_CONVERT_PREAGG},
		     {"autofdo", PGB_CONVERT_AUTOFDO},
		     {"autofdo-binary", PGB_CONVERT_AUTOFDO_BINARY}};

	*formats = 0;
	for (size_t i = 0; i < list->items.count; i++) {
		const char *word = list->items.items[i].value;
		unsigned int format = 0;

		for (size_t j = 0; j < sizeof(known) / sizeof(*known); j++)
			if (strcmp(word, known[j].name) == 0)
				format = known[j].format;
		if (format == 0) {
			pgb_fail(error, PGB_E_USAGE, "--format %s: there is no such format", word);
			return pgb_remedy(error,
					  "there are: fdata, preagg, autofdo, autofdo-binary");
		}
		*formats |= format;
	}
	if (*formats == 0)
		*formats = PGB_CONVERT_FDATA;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The caller frees it. */
static char *choose_output(const struct convert_options *wanted, unsigned int formats)
{
	if (wanted->output)
		return pgb_dup(strcmp(wanted->output, "-") == 0 ? "/dev/stdout" : wanted->output);
	if (wanted->binaries.items.count > 1)
		return pgb_dup(PGB_RECORDING_DEFAULT);
	return pgb_format("%s%s", base_name(wanted->binaries.items.items[0].value),
			  formats == PGB_CONVERT_PREAGG		  ? ".preagg"
			  : formats == PGB_CONVERT_AUTOFDO	  ? ".afdo"
			  : formats == PGB_CONVERT_AUTOFDO_BINARY ? ".afdo.bin"
								  : ".fdata");
}

/* ---- what is shown */

struct converting {
	struct pgb_progress progress;
	const struct pgb_convert_job *job;
};

static void show_progress(void *context, size_t index, uint64_t bytes, uint64_t size)
{
	struct converting *converting = context;
	const char *path = converting->job->inputs[index].path;

	if (size > 0)
		pgb_progress_update(&converting->progress, "reading %s: %s of %s", path,
				    PGB_SIZE(bytes), PGB_SIZE(size));
	else
		pgb_progress_update(&converting->progress, "reading %s: %s", path, PGB_SIZE(bytes));
}

static double share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void print_samples(struct pgb_output *output, const struct pgb_converted *converted)
{
	const struct pgb_sample_stats *stats = &converted->samples;
	const char *files[] = {converted->autofdo_file, converted->autofdo_binary_file};

	if (stats->lines == 0)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i])
			pgb_output_note(output,
					"%s: %" PRIu64 " places in %" PRIu64
					" functions and %" PRIu64 " inlined into them",
					files[i], stats->lines, stats->functions, stats->inlined);
	if (stats->ranges_outside > 0)
		pgb_output_note(output, "  %s of what ran has no debug information",
				PGB_PERCENT(share(stats->ranges_outside, stats->ranges)));
	if (stats->ranges_dropped > 0)
		pgb_output_note(output, "  %s does not fit the code",
				PGB_PERCENT(share(stats->ranges_dropped, stats->ranges)));
	if (!stats->from_clang)
		pgb_output_warning(output,
				   "%s was not compiled by clang: clang's places in a line may be "
				   "others",
				   converted->path);
}

static void print_binary(struct pgb_output *output, const struct pgb_converted *converted)
{
	static const char *const units[] = {
		[PGB_PROFILE_UNKNOWN] = "count",
		[PGB_PROFILE_BRANCHES] = "branch",
		[PGB_PROFILE_SAMPLES] = "sample",
	};

	if (converted->fdata_file)
		pgb_output_note(output, "%s: %s, %s in %s", converted->fdata_file,
				PGB_PLURAL(converted->lines, "line"),
				PGB_COUNT_OF(converted->count, units[converted->kind]),
				PGB_PLURAL(converted->functions, "function"));
	pgb_quality_print(output, &converted->quality);
	if (converted->preagg_file)
		pgb_output_note(output, "%s: %s, counts of %s in all", converted->preagg_file,
				PGB_PLURAL(converted->edges, "edge"), PGB_COUNT(converted->count));
	print_samples(output, converted);
	if (converted->preagg_lost > 0)
		pgb_output_warning(output,
				   "%s: %" PRIu64 " counts (mispredictions, mostly) cannot be "
				   "carried by this format",
				   converted->preagg_file, converted->preagg_lost);
}

/* "93.7% in app": nothing of what was not there. */
__attribute__((format(printf, 3, 4))) static void add_part(struct pgb_text *parts, double percent,
							   const char *what, ...)
{
	va_list arguments;

	if (percent <= 0)
		return;
	pgb_text_addf(parts, "%s%s ", parts->length ? ", " : "", PGB_PERCENT(percent));
	va_start(arguments, what);
	pgb_text_addv(parts, what, arguments);
	va_end(arguments);
}

/* Where all that was read went; nothing where only text was read. */
static void print_shares(struct pgb_output *output, const struct pgb_convert_result *result)
{
	const struct pgb_session_stats *stats = &result->stats;
	const struct pgb_source_stats *source = &stats->source;
	bool branches = source->branches > 0;
	uint64_t seen = branches ? source->branches + source->operations : source->samples;
	uint64_t doubtful = pgb_source_dropped(source) - source->kernel;
	uint64_t outside = stats->anonymous + stats->unmapped, others = 0, given = 0;
	struct pgb_text parts = {0};

	if (seen == 0)
		return;
	for (size_t i = 0; i < result->binaries.count; i++)
		given = pgb_count_add(given, result->binaries.items[i].count);
	for (size_t i = 0; i < result->others.count; i++)
		others = pgb_count_add(others, result->others.items[i].count);
	/* A branch from one file into another counts in both. */
	given = (uint64_t)(share(given, pgb_count_add(given, others)) / 100 *
			   (double)stats->mapped);
	add_part(&parts, share(given, seen), "in %s",
		 result->binaries.count == 1 ? result->binaries.items[0].name : "these binaries");
	add_part(&parts, share(stats->mapped - given, seen), "in other files");
	add_part(&parts, share(source->kernel, seen), "in the kernel");
	add_part(&parts, share(outside, seen), "in no file");
	add_part(&parts, share(doubtful, seen), "doubtful");
	pgb_output_note(output, "Read: %s %s%s%s: %s", PGB_COUNT(seen),
			branches ? "branches in " : "", branches ? PGB_COUNT(source->samples) : "",
			branches ? " samples" : "samples", pgb_text_string(&parts));
	pgb_text_release(&parts);
}

static void print_next(struct pgb_output *output, const struct pgb_convert_job *job,
		       const struct pgb_converted *first)
{
	const char *samples =
		first->autofdo_file ? first->autofdo_file : first->autofdo_binary_file;
	const char *profile = pgb_convert_to_folder(job) ? job->output : first->fdata_file;
	const char *const optimize[] = {"pgobolt",   "optimize", first->path,
					"--profile", profile,	 NULL};
	const char *const build[] = {"pgobolt", "build", "--use",   "--sample", samples,
				     "--",	"BUILD", "COMMAND", NULL};
	const char *const perf2bolt[] = {"perf2bolt", first->path, "-p",	first->preagg_file,
					 "-pa",	      "-o",	   "OUT.fdata", NULL};

	pgb_output_next_command(output, profile ? optimize : samples ? build : perf2bolt);
}

static void print_result(struct pgb_cli *cli, const struct pgb_convert_job *job,
			 const struct pgb_convert_result *result)
{
	struct pgb_output *output = &cli->output;
	const struct pgb_converted *first = &result->binaries.items[0];

	print_shares(output, result);
	for (size_t i = 0; i < result->binaries.count; i++)
		print_binary(output, &result->binaries.items[i]);
	if (result->left_out > 0)
		pgb_output_warning(output, "%" PRIu64 " samples of other events were left out",
				   result->left_out);
	if (pgb_file_same(job->output, "/dev/stdout"))
		return;
	print_next(output, job, first);
}

/* ---- the command */

static int fill_job(struct pgb_cli *cli, struct pgb_convert_job *job, struct pgb_error *error)
{
	const struct convert_options *wanted = cli->options;
	int code = read_formats(&wanted->formats, &job->formats, error);

	if (code != 0)
		return code;
	if (wanted->min_grade) {
		job->min_grade = pgb_quality_grade(wanted->min_grade);
		if (job->min_grade == 0)
			return pgb_fail(error, PGB_E_USAGE,
					"--min-grade %s: a grade is a letter from A to F",
					wanted->min_grade);
	}
	if (wanted->binaries.items.count == 0) {
		pgb_fail(error, PGB_E_USAGE, "convert needs the binary that ran");
		return pgb_remedy(error, "name it: -b BINARY");
	}
	return 0;
}

static int convert(struct pgb_cli *cli, struct pgb_convert_job *job, struct pgb_error *error)
{
	struct converting converting = {.job = job};
	struct pgb_convert_result result;
	int code;

	if (pgb_file_same(job->output, "/dev/stdout")) {
		if (cli->output.json)
			return pgb_fail(error, PGB_E_USAGE,
					"the profile and the JSON document cannot both go to "
					"standard output");
		pgb_output_use_stderr(&cli->output);
	}
	job->progress = show_progress;
	job->progress_context = &converting;
	pgb_progress_init(&converting.progress, &cli->output);
	code = pgb_convert(job, &result, error);
	pgb_progress_done(&converting.progress);
	if (code == 0) {
		print_result(cli, job, &result);
		pgb_output_json(&cli->output, pgb_convert_json(&result));
	}
	pgb_convert_result_release(&result);
	return code;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct convert_options *wanted = cli->options;
	size_t count = cli->arguments.operands.count, binary_count = wanted->binaries.items.count;
	struct pgb_merge_input *inputs = pgb_calloc(count, sizeof(*inputs));
	const char **binaries = pgb_calloc(binary_count, sizeof(*binaries));
	struct pgb_convert_job job = {
		.inputs = inputs,
		.input_count = count,
		.binaries = binaries,
		.binary_count = binary_count,
		.compat_perf2bolt = wanted->compat == 1,
		.infer = (enum pgb_infer_when)wanted->infer,
		.basic = wanted->basic,
		.ignore_build_id = wanted->ignore_build_id,
		.program = PACKAGE_NAME " " PACKAGE_VERSION,
		.log = &cli->output.log,
	};
	char *output = NULL;
	int code = pgb_cli_weigh_inputs(&cli->arguments, &wanted->weights, inputs, error);

	for (size_t i = 0; i < binary_count; i++)
		binaries[i] = wanted->binaries.items.items[i].value;
	if (code == 0)
		code = fill_job(cli, &job, error);
	if (code == 0) {
		job.output = output = choose_output(wanted, job.formats);
		code = convert(cli, &job, error);
	}
	free(output);
	free(binaries);
	free(inputs);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt convert -b ./app perf.data -o app.fdata",
	 "from perf record -e cycles:u -j any,u -- ./app"},
	{"pgobolt convert -b ./app -", "from a pipe: perf record -o - -j any,u -- ./app | .."},
	{"pgobolt convert -b ./app monday.data --weight 3 release.data", "add up, with weights"},
	{"pgobolt convert -b ./app -b ./libapp.so perf.data",
	 "a recording, pgobolt.data, with a profile for each"},
	{"pgobolt convert -b ./app --format preagg perf.data", "text for other tools of BOLT"},
	{"pgobolt convert -b ./app --format autofdo pgobolt.data",
	 "app.afdo, for pgobolt build --use --sample"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_convert = {
	.name = "convert",
	.summary = "make profiles for llvm-bolt of perf.data and other recordings",
	.synopsis = "-b BINARY INPUT..",
	.description =
		"INPUTs are perf.data files (file or pipe mode, compressed or not, of any age), "
		"BOLT's pre-aggregated text, fdata files, and recordings of pgobolt; several are "
		"added up.\n\nA binary is found in a recording by its build-id, wherever it lay "
		"when it ran, or by its name where the recording tells no build-id. Without branch "
		"stacks the addresses of the samples are converted (no_lbr), with a warning.\n\n"
		"OUT appears whole or not at all. Beside an fdata file OUT.json says which build "
		"it is of.",
	.options = options,
	.options_size = sizeof(struct convert_options),
	.examples = examples,
	.operands_min = 1,
	.operands_max = UINT_MAX,
	.operand_name = "INPUT",
	.run = run,
};
