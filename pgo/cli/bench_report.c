/* SPDX-License-Identifier: MIT */
#include "pgo/cli/bench_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/table.h"

static const char *const verdict_words[] = {
	[PGB_VERDICT_TOO_FEW] = "too few runs to tell",
	[PGB_VERDICT_NO_DIFFERENCE] = "no difference shown",
	[PGB_VERDICT_FASTER] = "faster",
	[PGB_VERDICT_SLOWER] = "slower",
};

static const char *const end_words[] = {
	[PGB_BENCH_END_ROUNDS] = "rounds",	 [PGB_BENCH_END_TIME] = "time",
	[PGB_BENCH_END_PRECISION] = "precision", [PGB_BENCH_END_GATE] = "gate",
	[PGB_BENCH_END_STOPPED] = "interrupted",
};

static const char *const metric_words[] = {
	[PGB_BENCH_WALL] = "wall",
	[PGB_BENCH_CPU] = "cpu",
	[PGB_BENCH_COMMAND] = "command",
};

bool pgb_bench_gate_met(const struct pgb_bench_report *report)
{
	const struct pgb_bench_result *result = report->result;

	if (report->gain_percent_min < 0)
		return true;
	for (size_t c = 1; c < report->job->command_count; c++)
		if (!pgb_bench_gains(&result->comparisons[c], report->gain_percent_min / 100))
			return false;
	return true;
}

/* A, B .. Z, then 27, 28 .. */
static struct pgb_number label(size_t command)
{
	struct pgb_number label;

	if (command < 26)
		snprintf(label.text, sizeof(label.text), "%c", (int)('A' + command));
	else
		snprintf(label.text, sizeof(label.text), "%zu", command + 1);
	return label;
}

void pgb_bench_print_commands(struct pgb_output *output, const struct pgb_bench_job *job)
{
	struct pgb_table table = {.columns = 2};

	for (size_t c = 0; c < job->command_count; c++) {
		pgb_table_cell(&table, "%s", label(c).text);
		pgb_table_cell(&table, "%s", job->commands[c].shell);
	}
	if (!output->quiet)
		pgb_table_print(&table, output);
	pgb_table_release(&table);
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Of what `value` gives for each run of a command; negative ones are left out; -1: none is left. */
static double median_of(const struct pgb_bench_report *report, size_t command,
			double (*value)(const struct pgb_bench_run *run, int which), int which)
{
	const struct pgb_bench_result *result = report->result;
	double *values = pgb_calloc(result->rounds, sizeof(*values)), median = -1;
	size_t count = 0;

	for (size_t i = command; i < result->runs.count; i += report->job->command_count) {
		values[count] = value(&result->runs.items[i], which);
		count += values[count] >= 0;
	}
	qsort(values, count, sizeof(*values), compare_doubles);
	if (count > 0)
		median = (values[(count - 1) / 2] + values[count / 2]) / 2;
	free(values);
	return median;
}

static double wall_time(const struct pgb_bench_run *run, int which)
{
	(void)which;
	return (double)run->wall_ns;
}

static double cpu_time(const struct pgb_bench_run *run, int which)
{
	(void)which;
	return (double)run->cpu_ns;
}

static double counted(const struct pgb_bench_run *run, int which)
{
	return run->counts.values[which];
}

/* ---- text */

/* All numbers of a column in the unit that suits its first. */
struct unit {
	const char *name;
	double nanoseconds;
};

static struct unit unit_for(double time_ns)
{
	if (time_ns < 1e6)
		return (struct unit){"us", 1e3};
	if (time_ns < 1e9)
		return (struct unit){"ms", 1e6};
	return (struct unit){"s", 1e9};
}

static struct pgb_number number(double value)
{
	struct pgb_number number;
	int decimals = value < 10 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0;

	snprintf(number.text, sizeof(number.text), "%.*f", decimals, value);
	return number;
}

static void verdict_cell(struct pgb_table *table, const struct pgb_comparison *comparison)
{
	const char *word = verdict_words[comparison->verdict];
	double low = 100 * (comparison->ratio.low - 1), high = 100 * (comparison->ratio.high - 1);

	if (comparison->verdict == PGB_VERDICT_FASTER)
		pgb_table_cell(table, "%s to %s %s", PGB_PERCENT(low), PGB_PERCENT(high), word);
	else if (comparison->verdict == PGB_VERDICT_SLOWER)
		pgb_table_cell(table, "%s to %s %s", PGB_PERCENT(-high), PGB_PERCENT(-low), word);
	else
		pgb_table_cell(table, "%s", word);
}

static void print_table(struct pgb_output *output, const struct pgb_bench_report *report)
{
	const struct pgb_bench_job *job = report->job;
	const struct pgb_comparison *comparisons = report->result->comparisons;
	bool times = job->metric != PGB_BENCH_COMMAND;
	struct unit unit = times ? unit_for(comparisons[0].median.value) : (struct unit){"", 1};
	struct unit cpu_unit = unit_for(median_of(report, 0, cpu_time, 0));
	const char *title = job->metric == PGB_BENCH_WALL  ? "wall time"
			    : job->metric == PGB_BENCH_CPU ? "CPU time"
							   : "metric";
	bool alone = job->command_count == 1;
	struct pgb_table table = {
		.columns = alone ? 4 : 7, .right = alone ? "-rrr" : "-rrrrr-", .header = true};

	pgb_table_cell(&table, "%s", "");
	pgb_table_cell(&table, "%s%s%s", title, times ? ", " : "", unit.name);
	pgb_table_cell(&table, "95%% interval");
	pgb_table_cell(&table, "CPU, %s", cpu_unit.name);
	if (!alone) {
		pgb_table_cell(&table, "ratio");
		pgb_table_cell(&table, "95%% interval");
		pgb_table_cell(&table, "%s", "");
	}
	for (size_t c = 0; c < job->command_count; c++) {
		const struct pgb_comparison *at = &comparisons[c];

		pgb_table_cell(&table, "%s", label(c).text);
		pgb_table_cell(&table, "%s", number(at->median.value / unit.nanoseconds).text);
		pgb_table_cell(&table, "%s .. %s", number(at->median.low / unit.nanoseconds).text,
			       number(at->median.high / unit.nanoseconds).text);
		pgb_table_cell(
			&table, "%s",
			number(median_of(report, c, cpu_time, 0) / cpu_unit.nanoseconds).text);
		if (alone)
			break;
		pgb_table_cell(&table, "%.3fx", at->ratio.value);
		if (c == 0) {
			pgb_table_cell(&table, "%s", "");
			pgb_table_cell(&table, "%s", "");
			continue;
		}
		pgb_table_cell(&table, "%.3f .. %.3f", at->ratio.low, at->ratio.high);
		verdict_cell(&table, at);
	}
	pgb_table_print(&table, output);
	pgb_table_release(&table);
}

/* What was counted of each command, beside the first; a value below 0 is not known. */
struct counted_rows {
	const char *title;
	int count;
	const char *(*name)(int row);
	double (*value)(const struct pgb_bench_report *report, size_t command, int row);
};

static const char *counter_name(int row)
{
	return pgb_counter_name((enum pgb_counter)row);
}

static double counter_value(const struct pgb_bench_report *report, size_t command, int row)
{
	return median_of(report, command, counted, row);
}

static const char *simulated_name(int row)
{
	return pgb_simulated_name((enum pgb_simulated)row);
}

static double simulated_value(const struct pgb_bench_report *report, size_t command, int row)
{
	return (double)report->simulations[command].values[row];
}

static void value_cell(struct pgb_table *table, double value, double first)
{
	if (value < 0)
		pgb_table_cell(table, "-");
	else if (first > 0)
		pgb_table_cell(table, "%s (%+.1f%%)", PGB_COUNT((uint64_t)value),
			       100 * (value / first - 1));
	else
		pgb_table_cell(table, "%s", PGB_COUNT((uint64_t)value));
}

static void print_counted(struct pgb_output *output, const struct pgb_bench_report *report,
			  const struct counted_rows *rows)
{
	size_t commands = report->job->command_count;
	char *right = pgb_calloc(commands + 2, 1);
	struct pgb_table table = {
		.columns = (unsigned int)commands + 1, .right = right, .header = true};

	memset(right, 'r', commands + 1);
	right[0] = '-';
	pgb_table_cell(&table, "%s", rows->title);
	for (size_t c = 0; c < commands; c++)
		pgb_table_cell(&table, "%s", label(c).text);
	for (int i = 0; i < rows->count; i++) {
		double first = rows->value(report, 0, i);

		if (first < 0)
			continue;
		pgb_table_cell(&table, "%s", rows->name(i));
		pgb_table_cell(&table, "%s", PGB_COUNT((uint64_t)first));
		for (size_t c = 1; c < commands; c++)
			value_cell(&table, rows->value(report, c, i), first);
	}
	pgb_output_line(output, "%s", "");
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	free(right);
}

static void print_end(struct pgb_output *output, const struct pgb_bench_report *report)
{
	const struct pgb_bench_job *job = report->job;
	const struct pgb_bench_result *result = report->result;
	double precision = 100 * result->precision;
	size_t needed = pgb_stats_rounds_needed(result->level);

	pgb_output_note(output, "%s in %s, %s known to +-%s%s", PGB_PLURAL(result->rounds, "round"),
			PGB_DURATION(result->elapsed_ns),
			job->command_count > 1 ? "ratio" : "median", PGB_PERCENT(precision),
			result->end == PGB_BENCH_END_STOPPED ? "; ended early, as asked" : "");
	if (job->command_count > 1 && result->rounds < needed)
		pgb_output_next(output, "%s at least can show a difference: -n %zu",
				PGB_PLURAL(needed, "round"), needed);
	else if (result->end == PGB_BENCH_END_TIME && job->precision > 0 &&
		 result->precision > job->precision) {
		double more = result->precision / job->precision;
		double seconds = ceil((double)job->time_ns / 1e9 * more * more);

		pgb_output_next(
			output, "for +-%s about --time %.0f%s", PGB_PERCENT(100 * job->precision),
			seconds < 120 ? seconds : ceil(seconds / 60), seconds < 120 ? "s" : "m");
	}
}

static void print_warnings(struct pgb_output *output, const struct pgb_bench_report *report)
{
	const struct pgb_bench_job *job = report->job;
	const struct pgb_bench_result *result = report->result;

	if (output->json)
		return; /* they are in the document */
	for (size_t c = 0; c < job->command_count; c++) {
		const struct pgb_bench_outputs *outputs = &result->outputs[c];

		if (result->failed[c] > 0)
			pgb_output_warning(output,
					   "%s: %" PRIu64
					   " of %s failed; the rounds they were in do not count",
					   label(c).text, result->failed[c],
					   PGB_PLURAL(result->tried[c], "run"));
		if (job->compare_outputs && outputs->differing > 0)
			pgb_output_warning(output,
					   "%s does not always print the same (%" PRIu64
					   " of %" PRIu64 " runs differ from the first): "
					   "its output was not compared",
					   label(c).text, outputs->differing, outputs->runs);
	}
	for (size_t i = 0; i < report->noise->remarks.count; i++) {
		const struct pgb_noise_remark *remark = &report->noise->remarks.items[i];

		pgb_output_warning(output, "%s; %s", remark->message, remark->remedy);
	}
}

void pgb_bench_print(struct pgb_output *output, const struct pgb_bench_report *report)
{
	static const struct counted_rows counters = {"counted in user space", PGB_COUNTERS,
						     counter_name, counter_value};
	static const struct counted_rows simulated = {"simulated, 32 KiB L1", PGB_SIMULATED_COUNT,
						      simulated_name, simulated_value};

	pgb_output_note(output, "%s", "");
	print_table(output, report);
	if (report->counters_missing[0] == '\0')
		print_counted(output, report, &counters);
	else
		pgb_output_note(output, "counters: not available: %s", report->counters_missing);
	if (report->simulations != NULL)
		print_counted(output, report, &simulated);
	print_end(output, report);
	if (report->gain_percent_min >= 0)
		pgb_output_line(output, "gate: a gain of at least %s is %s",
				PGB_PERCENT(report->gain_percent_min),
				pgb_bench_gate_met(report) ? "shown" : "NOT shown");
	print_warnings(output, report);
}

/* ---- JSON; doc/json.md describes the keys */

static json_t *estimate_json(const struct pgb_estimate *estimate, double scale)
{
	return json_pack("{s:f, s:f, s:f}", "value", estimate->value / scale, "low",
			 estimate->low / scale, "high", estimate->high / scale);
}

static json_t *runs_json(const struct pgb_bench_report *report, size_t command)
{
	json_t *runs = json_array();

	for (size_t i = command; i < report->result->runs.count; i += report->job->command_count) {
		const struct pgb_bench_run *run = &report->result->runs.items[i];
		json_t *one = json_pack("{s:f, s:f}", "wall_seconds", (double)run->wall_ns / 1e9,
					"cpu_seconds", (double)run->cpu_ns / 1e9);

		if (report->job->metric == PGB_BENCH_COMMAND)
			json_object_set_new(one, "metric", json_real(run->metric));
		json_array_append_new(runs, one);
	}
	return runs;
}

static json_t *counters_json(const struct pgb_bench_report *report, size_t command)
{
	json_t *counters = json_object();

	for (int i = 0; i < PGB_COUNTERS; i++) {
		double median = median_of(report, command, counted, i);

		if (median >= 0)
			json_object_set_new(counters, pgb_counter_name((enum pgb_counter)i),
					    json_real(median));
	}
	return counters;
}

static json_t *simulated_json(const struct pgb_bench_report *report, size_t command)
{
	json_t *figures = json_object();

	for (int i = 0; i < PGB_SIMULATED_COUNT; i++)
		json_object_set_new(figures, pgb_simulated_name((enum pgb_simulated)i),
				    pgb_json_count(report->simulations[command].values[i]));
	return figures;
}

static json_t *command_json(const struct pgb_bench_report *report, size_t command)
{
	const struct pgb_bench_result *result = report->result;
	const struct pgb_comparison *comparison = &result->comparisons[command];
	double scale = report->job->metric == PGB_BENCH_COMMAND ? 1 : 1e9;
	json_t *object = json_pack("{s:o, s:o, s:f, s:f, s:I, s:b, s:o}", "command",
				   pgb_json_text(report->job->commands[command].shell), "median",
				   estimate_json(&comparison->median, scale), "wall_seconds",
				   median_of(report, command, wall_time, 0) / 1e9, "cpu_seconds",
				   median_of(report, command, cpu_time, 0) / 1e9, "failed",
				   (json_int_t)result->failed[command], "output_varies",
				   result->outputs[command].differing > 0, "runs",
				   runs_json(report, command));

	if (report->counters_missing[0] == '\0')
		json_object_set_new(object, "counters", counters_json(report, command));
	if (report->simulations != NULL)
		json_object_set_new(object, "simulated", simulated_json(report, command));
	if (command > 0) {
		json_object_set_new(object, "ratio", estimate_json(&comparison->ratio, 1));
		json_object_set_new(object, "p", json_real(comparison->p));
		json_object_set_new(object, "verdict",
				    json_string(verdict_words[comparison->verdict]));
	}
	return object;
}

json_t *pgb_bench_json(const struct pgb_bench_report *report)
{
	const struct pgb_bench_result *result = report->result;
	json_t *commands = json_array(), *warnings = json_array(), *document;

	for (size_t c = 0; c < report->job->command_count; c++)
		json_array_append_new(commands, command_json(report, c));
	for (size_t i = 0; i < report->noise->remarks.count; i++) {
		const struct pgb_noise_remark *remark = &report->noise->remarks.items[i];

		json_array_append_new(warnings, json_pack("{s:o, s:o}", "message",
							  pgb_json_text(remark->message), "remedy",
							  pgb_json_text(remark->remedy)));
	}
	document = json_pack(
		"{s:s, s:I, s:f, s:s, s:f, s:f, s:i, s:o, s:o}", "metric",
		metric_words[report->job->metric], "rounds", (json_int_t)result->rounds, "seconds",
		(double)result->elapsed_ns / 1e9, "ended_by", end_words[result->end],
		"precision_percent", 100 * result->precision, "level", result->level, "looks",
		(int)result->looks, "commands", commands, "warnings", warnings);
	if (report->gain_percent_min >= 0)
		json_object_set_new(document, "gate",
				    json_pack("{s:f, s:b}", "min_gain_percent",
					      report->gain_percent_min, "met",
					      pgb_bench_gate_met(report)));
	return document;
}
