/* SPDX-License-Identifier: MIT */
#include "pgo/cli/cmd_record_summary.h"

#include <jansson.h>
#include <string.h>

#include "pgo/cli/quality_report.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/cli/table.h"

enum {
	/* Rows of the table; the rest is one row. */
	BINARIES_SHOWN = 8,
	/* Worth a warning. */
	LOST_PERCENT = 5,
};

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* What the counts are counts of. */
static const char *unit(const struct pgb_recording *recording)
{
	if (strcmp(recording->source, "instrument") == 0)
		return "counts";
	return recording->branches ? "branches" : "samples";
}

static uint64_t total(const struct pgb_recording *recording)
{
	const struct pgb_session_stats *stats = &recording->stats;
	uint64_t sum = stats->anonymous + stats->unmapped;

	for (size_t i = 0; i < recording->binaries.count; i++)
		sum = pgb_count_add(sum, recording->binaries.items[i].count);
	return sum;
}

static void add_row(struct pgb_output *output, struct pgb_table *table, uint64_t count,
		    uint64_t whole, const char *functions, const char *what)
{
	pgb_table_cell(table, "%s", PGB_PERCENT(percent(count, whole)));
	pgb_table_cell(table, "%s", PGB_BAR(output, percent(count, whole) / 100));
	pgb_table_cell(table, "%s", PGB_COUNT(count));
	pgb_table_cell(table, "%s", functions);
	pgb_table_cell(table, "%s", what);
}

static void add_binary(struct pgb_output *output, struct pgb_table *table,
		       const struct pgb_recording *recording, size_t index, uint64_t whole)
{
	const struct pgb_recorded_binary *binary = &recording->binaries.items[index];
	char *functions = binary->fdata_file ? pgb_dup(PGB_COUNT(binary->functions)) : pgb_dup("-");
	char *what = pgb_format("%s%s%s%s", binary->path, index == recording->main ? " (main)" : "",
				binary->reason ? ": " : "", binary->reason ? binary->reason : "");

	add_row(output, table, binary->count, whole, functions, what);
	free(functions);
	free(what);
}

static void add_rest(struct pgb_output *output, struct pgb_table *table,
		     const struct pgb_recording *recording, uint64_t whole)
{
	uint64_t rest = 0;
	char *what;

	if (recording->binaries.count <= BINARIES_SHOWN)
		return;
	for (size_t i = BINARIES_SHOWN; i < recording->binaries.count; i++)
		rest = pgb_count_add(rest, recording->binaries.items[i].count);
	what = pgb_dup(PGB_PLURAL(recording->binaries.count - BINARIES_SHOWN, "more file"));
	add_row(output, table, rest, whole, "", what);
	free(what);
}

static void print_binaries(struct pgb_output *output, const struct pgb_recording *recording)
{
	struct pgb_table table = {.columns = 5, .right = "r-rr-", .header = true, .indent = 2};
	const struct pgb_session_stats *stats = &recording->stats;
	uint64_t whole = total(recording);

	pgb_table_cell(&table, "share");
	pgb_table_cell(&table, "%s", "");
	pgb_table_cell(&table, "%s", unit(recording));
	pgb_table_cell(&table, "functions");
	pgb_table_cell(&table, "file");
	for (size_t i = 0; i < recording->binaries.count && i < BINARIES_SHOWN; i++)
		add_binary(output, &table, recording, i, whole);
	add_rest(output, &table, recording, whole);
	if (stats->anonymous > 0)
		add_row(output, &table, stats->anonymous, whole, "", "code in no file: JIT, vDSO");
	if (stats->unmapped > 0)
		add_row(output, &table, stats->unmapped, whole, "", "where no file was known");
	pgb_table_print(&table, output);
	pgb_table_release(&table);
}

static void print_samples(struct pgb_output *output, const struct pgb_recording *recording)
{
	const struct pgb_session_stats *stats = &recording->stats;
	uint64_t samples = stats->source.samples, lost = stats->feed.lost_records;

	if (strcmp(recording->source, "instrument") == 0) {
		pgb_output_line(output, "Counted in %s: every branch of %s",
				PGB_DURATION(stats->duration_ns),
				PGB_COUNT_OF(stats->processes, "process"));
		return;
	}
	pgb_output_line(output, "%s of %s in %s, %s lost; pgobolt itself took %s of a CPU",
			PGB_COUNT_OF(samples, "sample"), recording->event,
			PGB_DURATION(stats->duration_ns), lost ? PGB_COUNT(lost) : "none",
			PGB_PERCENT(percent(stats->cpu_ns, stats->duration_ns)));
	if (percent(lost, samples + lost) >= LOST_PERCENT)
		pgb_output_warning(output,
				   "%s of the samples were lost: sample less often (-F, -c)",
				   PGB_PERCENT(percent(lost, samples + lost)));
	if (stats->feed.throttled > 0)
		pgb_output_warning(output,
				   "the kernel held sampling back %s, which distorts the "
				   "profile: sample less often (-F, -c)",
				   PGB_COUNT_OF(stats->feed.throttled, "time"));
	if (stats->edges_overflow > 0)
		pgb_output_warning(output, "%s found no room: too many distinct places",
				   PGB_COUNT_OF(stats->edges_overflow, "count"));
	if (recording->branches && pgb_source_dropped(&stats->source) > 0)
		pgb_output_line(
			output, "%s of %s dropped: %s kernel, %s other",
			PGB_COUNT(pgb_source_dropped(&stats->source)),
			PGB_COUNT_OF(stats->source.branches + stats->source.operations, "branch"),
			PGB_COUNT(stats->source.kernel),
			PGB_COUNT(pgb_source_dropped(&stats->source) - stats->source.kernel));
}

static void print_program(struct pgb_output *output, const struct pgb_session_stats *stats)
{
	if (stats->stopped)
		pgb_output_note(output, "The program was stopped when the time was over");
	else if (stats->interrupted)
		pgb_output_note(output,
				"The recording was ended by a signal; what there was is kept");
	if (stats->exit_signal != 0 && !stats->stopped && !stats->interrupted)
		pgb_output_warning(output, "the program was ended by signal %d (%s)",
				   stats->exit_signal, strsignal(stats->exit_signal));
	else if (stats->has_exit_status && stats->exit_status != 0 && stats->exit_signal == 0)
		pgb_output_warning(output, "the program ended with status %d", stats->exit_status);
}

/* What there is most to win with. */
static const struct pgb_recorded_binary *heaviest_profile(const struct pgb_recording *recording)
{
	const struct pgb_recorded_binary *heaviest = NULL;

	for (size_t i = 0; i < recording->binaries.count; i++) {
		const struct pgb_recorded_binary *binary = &recording->binaries.items[i];

		if (binary->fdata_file && (!heaviest || binary->count > heaviest->count))
			heaviest = binary;
	}
	return heaviest;
}

static void print_quality(struct pgb_output *output, const struct pgb_recording *recording)
{
	const struct pgb_recorded_binary *binary = heaviest_profile(recording);

	if (binary != NULL)
		pgb_quality_print(output, &binary->quality);
}

static void print_next(struct pgb_output *output, const struct pgb_recording *recording)
{
	const struct pgb_recorded_binary *binary = heaviest_profile(recording);
	const char *argv[6] = {"pgobolt", "optimize"};
	size_t count = 2;

	if (binary == NULL) {
		argv[1] = "dump";
		argv[count++] = recording->directory;
	} else if (strcmp(recording->directory, PGB_RECORDING_DEFAULT) != 0) {
		argv[count++] = "--profile";
		argv[count++] = recording->directory;
	}
	if (binary != NULL && binary != pgb_recording_main(recording))
		argv[count++] = binary->path;
	pgb_output_next_command(output, argv);
}

static void print_json(struct pgb_output *output, const struct pgb_recording *recording)
{
	char *text = pgb_recording_text(recording);
	json_t *document = json_loads(text, 0, NULL);

	json_object_set_new(document, "directory", pgb_json_text(recording->directory));
	pgb_output_json(output, document);
	free(text);
}

void pgb_record_summary(struct pgb_output *output, const struct pgb_recording *recording)
{
	if (output->json) {
		print_json(output, recording);
		return;
	}
	print_program(output, &recording->stats);
	print_samples(output, recording);
	print_binaries(output, recording);
	print_quality(output, recording);
	pgb_output_line(output, "Recording: %s", recording->directory);
	print_next(output, recording);
}
