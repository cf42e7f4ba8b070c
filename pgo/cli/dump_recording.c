/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "pgo/cli/dump.h"
#include "pgobolt/pgo/recording.h"

static void print_facts(const struct dump *dump, const struct pgb_recording *recording)
{
	const struct pgb_session_stats *stats = &recording->stats;
	struct pgb_table table = {.columns = 2, .indent = 2};

	pgb_table_pair(&table, "made by", "%s", recording->program);
	if (recording->command[0])
		pgb_table_pair(&table, "command", "%s", recording->command);
	pgb_table_pair(&table, "source", "%s (%s)", recording->source, recording->reason);
	if (recording->rate.period_events)
		pgb_table_pair(&table, "event", "%s, every %" PRIu64, recording->event,
			       recording->rate.period_events);
	else if (recording->rate.frequency_hz)
		pgb_table_pair(&table, "event", "%s, %" PRIu64 " Hz", recording->event,
			       recording->rate.frequency_hz);
	pgb_table_pair(&table, "duration", "%s in %" PRIu64 " %s", PGB_DURATION(stats->duration_ns),
		       recording->runs, recording->runs == 1 ? "run" : "runs");
	pgb_table_pair(&table, "own CPU time", "%s (%s)", PGB_DURATION(stats->cpu_ns),
		       pgb_dump_share(stats->cpu_ns, stats->duration_ns).text);
	if (stats->has_exit_status)
		pgb_table_pair(&table, "exit status", "%d", stats->exit_status);
	pgb_table_pair(&table, "machine", "%s, %s, kernel %s%s", recording->machine, recording->cpu,
		       recording->kernel, recording->is_virtual ? ", virtual" : "");
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
}

static void account_row(const struct dump *dump, struct pgb_table *table, const char *where,
			uint64_t count, uint64_t whole)
{
	if (count == 0)
		return;
	pgb_table_cell(table, "%s", where);
	pgb_table_cell(table, "%" PRIu64, count);
	pgb_table_cell(table, "%s", pgb_dump_share(count, whole).text);
	pgb_table_cell(table, "%s", PGB_BAR(dump->output, (double)count / (double)whole));
}

/* Where everything that was seen went: the rows add up to the first one. */
static void print_account(const struct dump *dump, const struct pgb_recording *recording)
{
	const struct pgb_session_stats *stats = &recording->stats;
	uint64_t seen = recording->branches ? stats->source.branches + stats->source.operations
					    : stats->source.samples;
	struct pgb_table table = {.columns = 4, .right = "-rr-", .indent = 2};

	if (seen == 0)
		return;
	pgb_output_heading(dump->output, "Where they went");
	account_row(dump, &table, recording->branches ? "branches seen" : "samples", seen, seen);
	account_row(dump, &table, "in binaries", stats->mapped, seen);
	account_row(dump, &table, "in code of no file", stats->anonymous, seen);
	account_row(dump, &table, "in unknown places", stats->unmapped, seen);
	account_row(dump, &table, "dropped: kernel", stats->source.kernel, seen);
	account_row(dump, &table, "dropped: no address", stats->source.zero, seen);
	account_row(dump, &table, "dropped: wrong path", stats->source.speculative, seen);
	account_row(dump, &table, "dropped: aborted", stats->source.aborted, seen);
	account_row(dump, &table, "dropped: wrong address", stats->source.misplaced, seen);
	account_row(dump, &table, "dropped: whose is not told", stats->source.ownerless, seen);
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
}

static void print_losses(const struct dump *dump, const struct pgb_session_stats *stats)
{
	const struct {
		uint64_t count;
		const char *what;
	} losses[] = {
		{stats->feed.lost_records, "records were lost in the kernel"},
		{stats->feed.throttled, "times the kernel throttled sampling"},
		{stats->feed.malformed, "records were malformed"},
		{stats->source.malformed, "samples were malformed"},
		{stats->source.aux_collided, "AUX pieces in which the CPU skipped samples"},
		{stats->source.aux_truncated, "AUX pieces that filled their buffer"},
		{stats->source.aux_gaps, "gaps in the AUX data"},
		{stats->source.aux_bad_bytes, "bytes of AUX data that are no packets"},
		{stats->edges_overflow, "counts did not fit into the table"},
	};

	for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++)
		if (losses[i].count)
			pgb_output_line(dump->output, "  %" PRIu64 " %s", losses[i].count,
					losses[i].what);
}

static void print_binaries(const struct dump *dump, const struct pgb_recording *recording)
{
	static const char *const heads[] = {"NAME",	 "COUNT", "SHARE", "EDGES",
					    "FUNCTIONS", "FDATA", "ID"};
	struct pgb_table table = {.columns = 7, .right = "-rrrr--", .header = true, .indent = 2};
	uint64_t whole = 0;

	if (recording->binaries.count == 0)
		return;
	pgb_output_heading(dump->output, "Binaries");
	pgb_dump_heads(&table, heads);
	for (size_t i = 0; i < recording->binaries.count; i++)
		whole += recording->binaries.items[i].count;
	for (size_t i = 0; i < pgb_dump_rows(dump, recording->binaries.count); i++) {
		const struct pgb_recorded_binary *binary = &recording->binaries.items[i];

		pgb_table_cell(&table, "%s", binary->name);
		pgb_table_cell(&table, "%" PRIu64, binary->count);
		pgb_table_cell(&table, "%s", pgb_dump_share(binary->count, whole).text);
		pgb_table_cell(&table, "%" PRIu64, binary->edges);
		pgb_table_cell(&table, "%" PRIu64, binary->functions);
		pgb_table_cell(&table, "%s",
			       binary->fdata_file ? "yes"
			       : binary->reason	  ? binary->reason
						  : "no");
		pgb_table_cell(&table, "%s", binary->id);
	}
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
	pgb_dump_left_out(dump, recording->binaries.count);
}

static json_t *recording_json(const struct dump *dump, const struct pgb_recording *recording)
{
	json_t *document = pgb_dump_document(dump);
	char *text = pgb_recording_text(recording);

	json_object_set_new(document, "recording", json_loads(text, 0, NULL));
	free(text);
	return document;
}

int pgb_dump_recording(const struct dump *dump, struct pgb_error *error)
{
	struct pgb_recording recording;
	int code = pgb_recording_read(&recording, dump->path, error);

	if (code == 0) {
		pgb_dump_title(dump, "");
		print_facts(dump, &recording);
		print_account(dump, &recording);
		print_losses(dump, &recording.stats);
		print_binaries(dump, &recording);
		pgb_output_json(dump->output, recording_json(dump, &recording));
	}
	pgb_recording_release(&recording);
	return code;
}
