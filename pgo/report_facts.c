/* SPDX-License-Identifier: MIT */
/* What the HTML page and its Markdown twin both say. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/report_private.h"
#include "pgobolt/collector/process.h"

static const json_t *commands_of(const struct pgb_report *report)
{
	return json_object_get(report->bench, "commands");
}

/* The builds that `run` compares. */
static bool is_of_run(const struct pgb_report *report)
{
	return report->run != NULL && pgb_report_size(commands_of(report)) == 3;
}

/* Two commands, of which one names the original and one what llvm-bolt made of it. */
static bool is_of_optimize(const struct pgb_report *report)
{
	const json_t *commands = commands_of(report);
	const char *binary = pgb_report_text(report->optimized, "binary");
	const char *output = pgb_report_text(report->optimized, "output");

	return pgb_report_size(commands) == 2 && binary[0] && output[0] &&
	       strstr(pgb_report_text(json_array_get(commands, 0), "command"), binary) &&
	       strstr(pgb_report_text(json_array_get(commands, 1), "command"), output);
}

struct pgb_number pgb_report_label(const struct pgb_report *report, size_t command)
{
	static const char *const builds[] = {"baseline", "PGO", "PGO + BOLT"};
	struct pgb_number label;

	if (is_of_run(report) && command < 3)
		snprintf(label.text, sizeof(label.text), "%s", builds[command]);
	else if (is_of_optimize(report))
		snprintf(label.text, sizeof(label.text), "%s",
			 command == 0 ? "original" : "optimized");
	else if (command < 26)
		snprintf(label.text, sizeof(label.text), "%c", (int)('A' + command));
	else
		snprintf(label.text, sizeof(label.text), "%zu", command + 1);
	return label;
}

const json_t *pgb_report_last_command(const struct pgb_report *report)
{
	const json_t *commands = commands_of(report);
	size_t count = pgb_report_size(commands);

	return count > 1 ? json_array_get(commands, count - 1) : NULL;
}

char *pgb_report_title(const struct pgb_report *report)
{
	const json_t *last = pgb_report_last_command(report);
	const char *name = report->binary ? report->binary->name : "a recording";
	const char *verdict = pgb_report_text(last, "verdict");
	double ratio = pgb_report_number(json_object_get(last, "ratio"), "value");

	if (strcmp(verdict, "faster") == 0)
		return pgb_format("%s: %.2f times as fast", name, ratio);
	if (strcmp(verdict, "slower") == 0)
		return pgb_format("%s: slower, %.2f times as fast", name, ratio);
	if (strcmp(verdict, "too few runs to tell") == 0)
		return pgb_format("%s: too few runs to tell its speed", name);
	if (last)
		return pgb_format("%s: no difference in speed shown", name);
	return pgb_format(report->optimized ? "%s, laid out anew" : "%s, recorded", name);
}

char *pgb_report_subtitle(const struct pgb_report *report)
{
	const json_t *last = pgb_report_last_command(report);
	const json_t *ratio = json_object_get(last, "ratio");
	size_t count = pgb_report_size(commands_of(report));
	const char *metric = pgb_report_text(report->bench, "metric");

	if (last == NULL)
		return pgb_format("No benchmark was run: how much faster it is, is not known.");
	return pgb_format("%s, %s against %s: ratio of medians %.3f, 95%% interval %.3f to %.3f; "
			  "%.0f rounds.",
			  strcmp(metric, "wall") == 0  ? "Wall time"
			  : strcmp(metric, "cpu") == 0 ? "CPU time"
						       : "The program's own figure",
			  pgb_report_label(report, count - 1).text,
			  pgb_report_label(report, 0).text, pgb_report_number(ratio, "value"),
			  pgb_report_number(ratio, "low"), pgb_report_number(ratio, "high"),
			  pgb_report_number(report->bench, "rounds"));
}

bool pgb_report_dyno_change(const struct pgb_report *report, const char *name, double *percent)
{
	const json_t *stat =
		json_object_get(json_object_get(report->optimized, "dyno_stats"), name);
	double before = pgb_report_number(stat, "before");

	if (before <= 0)
		return false;
	*percent = 100 * (pgb_report_number(stat, "after") / before - 1);
	return true;
}

const char *pgb_report_checked(const struct pgb_report *report)
{
	const json_t *check = json_object_get(report->optimized, "check");

	if (json_is_object(check) && json_is_true(json_object_get(check, "output_varies")))
		return "Its own test ends the same on the original and on the result; what it "
		       "prints varies, and was not compared.";
	if (json_is_object(check))
		return "Its own test prints the same on the original and on the result, and ends "
		       "with the same status.";
	if (json_is_true(json_object_get(report->check, "passed")))
		return "Its own test passed on the baseline, with PGO, and with PGO and BOLT.";
	return "No test of its own was run on the result: pgobolt optimize --check CMD.";
}

size_t pgb_report_good(const json_t *findings)
{
	size_t good = 0;

	for (size_t i = 0; i < pgb_report_size(findings); i++) {
		const char *severity = pgb_report_text(json_array_get(findings, i), "severity");

		good += strcmp(severity, "good") == 0 || strcmp(severity, "note") == 0;
	}
	return good;
}

/* ---- the profile */

static void add_figure(struct pgb_report_figure *figures, size_t *count, const char *name,
		       const char *enough, double value, const char *format)
{
	struct pgb_report_figure *figure = &figures[*count];

	if (value < 0)
		return;
	*figure = (struct pgb_report_figure){.name = name, .enough = enough};
	snprintf(figure->value, sizeof(figure->value), format, value);
	++*count;
}

size_t pgb_report_figures(const struct pgb_quality *quality, struct pgb_report_figure *figures)
{
	size_t count = 0;

	add_figure(figures, &count, "density: runs of each hot byte", "60", quality->density,
		   "%.1f");
	add_figure(figures, &count, "agreement of two halves", "90%", 100 * quality->agreement,
		   "%.1f%%");
	add_figure(figures, &count, "flow: what enters a block leaves it", "90%",
		   100 * quality->flow, "%.1f%%");
	add_figure(figures, &count, "branches that do not fit the code", "1%",
		   100 * quality->dropped, "%.2f%%");
	add_figure(figures, &count, "ranges that do not fit the code", "1%",
		   100 * quality->mismatching, "%.2f%%");
	add_figure(figures, &count, "samples lost by the kernel", "5%", 100 * quality->lost,
		   "%.2f%%");
	figures[count] = (struct pgb_report_figure){.name = "counts in all", .enough = "1,000"};
	snprintf(figures[count].value, sizeof(figures[count].value), "%s",
		 pgb_report_grouped(quality->count).text);
	count++;
	return count;
}

void pgb_report_addends(const struct pgb_session_stats *stats, struct pgb_report_addend *addends)
{
	const struct pgb_report_addend all[PGB_REPORT_ADDENDS] = {
		{"in files", stats->mapped},
		{"in no file: JIT, vDSO", stats->anonymous},
		{"where nothing is known to be", stats->unmapped},
		{"in, to or from the kernel", stats->source.kernel},
		{"with an end at 0", stats->source.zero},
		{"on a wrong path", stats->source.speculative},
		{"of aborted transactions", stats->source.aborted},
		{"seen twice", stats->source.duplicate},
		{"whose address the hardware could not tell", stats->source.misplaced},
		{"of a process that was not told", stats->source.ownerless},
	};

	memcpy(addends, all, sizeof(all));
}

uint64_t pgb_report_seen(const struct pgb_recording *recording)
{
	struct pgb_report_addend addends[PGB_REPORT_ADDENDS];
	uint64_t sum = 0;

	pgb_report_addends(&recording->stats, addends);
	for (size_t i = 0; i < PGB_REPORT_ADDENDS; i++)
		sum = pgb_count_add(sum, addends[i].count);
	return sum;
}

struct pgb_number pgb_report_change(double before, double after, int decimals)
{
	double percent = before > 0 ? 100 * (after / before - 1) : 0;
	struct pgb_number number = {""};

	if (before > 0)
		snprintf(number.text, sizeof(number.text), "%s%.*f%%",
			 percent < 0   ? "\xe2\x88\x92"
			 : percent > 0 ? "+"
				       : "",
			 decimals, fabs(percent));
	return number;
}

struct pgb_number pgb_report_grouped(uint64_t count)
{
	struct pgb_number number;
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count), at = 0;

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			number.text[at++] = ',';
		number.text[at++] = digits[i];
	}
	number.text[at] = '\0';
	return number;
}

int pgb_report_heat(double share)
{
	static const double steps[] = {0.5, 0.2, 0.05, 0.01, 0.001};

	if (share <= 0)
		return 0;
	for (int i = 0; i < 5; i++)
		if (share >= steps[i])
			return 6 - i;
	return 1;
}

/* ---- the way here */

static void add_words(struct pgb_text *text, const char *const *words)
{
	char *line = pgb_process_command_line(words);

	pgb_text_addf(text, "%s\n", line);
	free(line);
}

static void add_run_commands(struct pgb_text *text, const json_t *run)
{
	const json_t *steps = json_object_get(run, "steps");

	for (size_t i = 0; i < pgb_report_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		const json_t *commands = json_object_get(step, "commands");

		if (pgb_report_size(commands) == 0)
			continue;
		pgb_text_addf(text, "# %s\n", pgb_report_text(step, "title"));
		for (size_t k = 0; k < pgb_report_size(commands); k++) {
			const char *command = json_string_value(json_array_get(commands, k));

			pgb_text_addf(text, "%s\n", command ? command : "");
		}
	}
}

static void add_record_command(struct pgb_text *text, const struct pgb_recording *recording)
{
	pgb_text_addf(text, "pgobolt record -s %s", recording->source);
	if (recording->event[0])
		pgb_text_addf(text, " -e %s", recording->event);
	if (recording->rate.period_events)
		pgb_text_addf(text, " -c %" PRIu64, recording->rate.period_events);
	else if (recording->rate.frequency_hz)
		pgb_text_addf(text, " -F %" PRIu64, recording->rate.frequency_hz);
	if (recording->command[0])
		pgb_text_addf(text, " -- %s\n", recording->command);
	else
		pgb_text_add(text, " -p PID   # it was attached, or system-wide\n");
}

static void add_bench_command(struct pgb_text *text, const json_t *commands)
{
	PGB_ARRAY(const char *) words = {0};

	pgb_array_push(&words, "pgobolt");
	pgb_array_push(&words, "bench");
	for (size_t i = 0; i < pgb_report_size(commands); i++)
		pgb_array_push(&words, pgb_report_text(json_array_get(commands, i), "command"));
	pgb_array_push(&words, NULL);
	add_words(text, words.items);
	pgb_array_release(&words);
}

char *pgb_report_commands(const struct pgb_report *report)
{
	const char *binary = pgb_report_text(report->optimized, "binary");
	const char *output = pgb_report_text(report->optimized, "output");
	const json_t *llvm_bolt = json_object_get(report->optimized, "llvm_bolt");
	struct pgb_text text = {0};

	if (report->run) {
		add_run_commands(&text, report->run);
	} else {
		add_record_command(&text, &report->recording);
		if (report->optimized) {
			add_words(&text, (const char *const[]){
						 "pgobolt", "optimize", "--preset",
						 pgb_report_text(report->optimized, "preset"), "-o",
						 output, binary, NULL});
			add_words(&text,
				  (const char *const[]){"pgobolt", "verify", output, binary, NULL});
		}
		if (report->bench)
			add_bench_command(&text, commands_of(report));
	}
	if (report->optimized)
		pgb_text_addf(&text, "# what pgobolt ran: llvm-bolt %s\n%s\n",
			      pgb_report_text(llvm_bolt, "version"),
			      pgb_report_text(llvm_bolt, "command"));
	return pgb_text_detach(&text);
}
