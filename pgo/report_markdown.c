/* SPDX-License-Identifier: MIT */
/* The Markdown twin: the same parts in the same order; heat as rows of block characters. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/report_private.h"

enum {
	CELLS_IN_ROW = 64,
};

static void add_speed(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *commands = json_object_get(report->bench, "commands");
	const json_t *warnings = json_object_get(report->bench, "warnings");
	bool is_time = strcmp(pgb_report_text(report->bench, "metric"), "command") != 0;

	pgb_page_add(page, "\n## Speed\n\n");
	if (pgb_report_size(commands) == 0) {
		pgb_page_add(page, "No benchmark was run:\n");
		pgb_page_add_code(page, "pgobolt bench --save DIR/bench.json './app work' "
					"'./app.bolt work'");
		return;
	}
	pgb_page_add(page,
		     "| | %s | 95%% interval | times as fast | 95%% interval | |\n"
		     "|---|--:|--:|--:|--:|---|\n",
		     is_time ? "seconds" : "metric");
	for (size_t i = 0; i < pgb_report_size(commands); i++) {
		const json_t *command = json_array_get(commands, i);
		const json_t *median = json_object_get(command, "median");
		const json_t *ratio = json_object_get(command, "ratio");

		pgb_page_add(page, "| %s | %.4g | %.4g to %.4g |", pgb_report_label(report, i).text,
			     pgb_report_number(median, "value"), pgb_report_number(median, "low"),
			     pgb_report_number(median, "high"));
		if (ratio)
			pgb_page_add(page, " %.3f | %.3f to %.3f | %s |\n",
				     pgb_report_number(ratio, "value"),
				     pgb_report_number(ratio, "low"),
				     pgb_report_number(ratio, "high"),
				     pgb_report_text(command, "verdict"));
		else
			pgb_page_add(page, " 1 | | |\n");
	}
	if (report->last_step.value > 0)
		pgb_page_add(page, "\nBOLT, on top of PGO: %.3f (%.3f to %.3f).\n",
			     report->last_step.value, report->last_step.low,
			     report->last_step.high);
	pgb_page_add(page, "\n");
	for (size_t i = 0; i < pgb_report_size(commands); i++)
		pgb_page_add(page, "- %s: %s\n", pgb_report_label(report, i).text,
			     pgb_report_text(json_array_get(commands, i), "command"));
	for (size_t i = 0; i < pgb_report_size(warnings); i++)
		pgb_page_add(page, "- Mind: %s\n",
			     pgb_report_text(json_array_get(warnings, i), "message"));
}

/* ---- layout */

static void add_heat(struct pgb_page *page, const json_t *layout, const json_t *section,
		     double hottest)
{
	static const char *const cells[] = {"\xc2\xb7",	    "\xe2\x96\x81", "\xe2\x96\x82",
					    "\xe2\x96\x83", "\xe2\x96\x85", "\xe2\x96\x86",
					    "\xe2\x96\x88"};
	const json_t *heat = json_object_get(section, "heat");
	struct pgb_text text = {0};

	pgb_page_add(page, "\n%s, %s, one sign for %s:\n", pgb_report_text(section, "name"),
		     PGB_SIZE(pgb_report_count(section, "size_bytes")),
		     PGB_SIZE(pgb_report_count(layout, "bucket_bytes")));
	for (size_t i = 0; i < pgb_report_size(heat); i++) {
		double value = json_number_value(json_array_get(heat, i));

		if (i > 0 && i % CELLS_IN_ROW == 0)
			pgb_text_add(&text, "\n");
		pgb_text_add(&text, cells[pgb_report_heat(hottest > 0 ? value / hottest : 0)]);
	}
	pgb_page_add_code(page, pgb_text_string(&text));
	pgb_text_release(&text);
}

static double hottest_of(const json_t *sections)
{
	double hottest = 0;

	for (size_t i = 0; i < pgb_report_size(sections); i++) {
		const json_t *heat = json_object_get(json_array_get(sections, i), "heat");

		for (size_t k = 0; k < pgb_report_size(heat); k++)
			hottest = fmax(hottest, json_number_value(json_array_get(heat, k)));
	}
	return hottest;
}

static void add_layout(struct pgb_page *page, const struct pgb_report *report)
{
	static const char *const keys[] = {"pages_99", "pages", "lines_99", "lines"};
	static const char *const names[] = {"4 KiB pages, 99% of the weight", "4 KiB pages, all",
					    "64-byte lines, 99%", "64-byte lines, all"};
	static const char *const sides[] = {"before", "after"}, *const titles[] = {"Before",
										   "After"};
	double hottest = 0;

	pgb_page_add(page, "\n## Where the hot code is\n\n");
	if (report->layout == NULL) {
		pgb_page_add(page, "Not known.\n");
		return;
	}
	pgb_page_add(page, "| memory for the hot code | before | after |\n|---|--:|--:|\n");
	for (size_t i = 0; i < 4; i++)
		pgb_page_add(page, "| %s | %.0f | %.0f |\n", names[i],
			     pgb_report_number(json_object_get(report->layout, "before"), keys[i]),
			     pgb_report_number(json_object_get(report->layout, "after"), keys[i]));
	for (size_t s = 0; s < 2; s++)
		hottest = fmax(hottest,
			       hottest_of(json_object_get(json_object_get(report->layout, sides[s]),
							  "sections")));
	for (size_t s = 0; s < 2; s++) {
		const json_t *sections =
			json_object_get(json_object_get(report->layout, sides[s]), "sections");

		pgb_page_add(page, "\n### %s\n", titles[s]);
		for (size_t i = 0; i < pgb_report_size(sections); i++)
			if (pgb_report_size(json_object_get(json_array_get(sections, i), "heat")) >
			    2)
				add_heat(page, report->layout, json_array_get(sections, i),
					 hottest);
	}
}

static void add_functions(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *functions = json_object_get(report->layout, "functions");
	double weight = fmax(1, pgb_report_number(report->layout, "weight"));

	if (pgb_report_size(functions) == 0)
		return;
	pgb_page_add(page, "\n## The hottest functions\n\n| function | weight | blocks that ran | "
			   "size before | hot part after |\n|---|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < pgb_report_size(functions); i++) {
		const json_t *function = json_array_get(functions, i);
		const json_t *hot = json_array_get(json_object_get(function, "fragments"), 0);

		pgb_page_add(page, "| %s | %.1f%% | %.0f of %.0f | %s | %s |\n",
			     pgb_report_text(function, "name"),
			     100 * pgb_report_number(function, "weight") / weight,
			     pgb_report_number(function, "blocks_run"),
			     pgb_report_number(function, "blocks_all"),
			     PGB_SIZE(pgb_report_count(function, "size_bytes")),
			     PGB_SIZE(pgb_report_count(hot, "size_bytes")));
	}
}

static void add_dyno_stats(struct pgb_page *page, const struct pgb_report *report)
{
	json_t *stats = json_object_get(report->optimized, "dyno_stats"), *stat;
	const char *name;

	if (json_object_size(stats) == 0)
		return;
	pgb_page_add(page, "\n## What llvm-bolt expects\n\n| | before | after | change |\n"
			   "|---|--:|--:|--:|\n");
	json_object_foreach (stats, name, stat) {
		double before = pgb_report_number(stat, "before");
		double after = pgb_report_number(stat, "after");

		if (before > 0 || after > 0)
			pgb_page_add(page, "| %s | %.0f | %.0f | %s |\n", name, before, after,
				     pgb_report_change(before, after, 1).text);
	}
}

/* ---- the rest */

static void add_profile(struct pgb_page *page, const struct pgb_report *report)
{
	struct pgb_report_figure figures[PGB_REPORT_FIGURES_MOST];
	struct pgb_report_addend addends[PGB_REPORT_ADDENDS];
	const struct pgb_recording *recording = &report->recording;
	const struct pgb_quality *quality = report->binary ? &report->binary->quality : NULL;

	pgb_page_add(page, "\n## The profile\n\n");
	if (quality && quality->grade) {
		size_t count = pgb_report_figures(quality, figures);

		pgb_page_add(page, "Grade **%c**.\n\n", quality->grade);
		for (size_t i = 0; i < quality->reasons.count; i++)
			pgb_page_add(page, "- %c: %s\n", quality->reasons.items[i].grade,
				     quality->reasons.items[i].text);
		pgb_page_add(page, "\n| figure | here | for an A |\n|---|--:|--:|\n");
		for (size_t i = 0; i < count; i++)
			pgb_page_add(page, "| %s | %s | %s |\n", figures[i].name, figures[i].value,
				     figures[i].enough);
	}
	pgb_report_addends(&recording->stats, addends);
	pgb_page_add(page, "\n| %s | count |\n|---|--:|\n",
		     recording->branches ? "branches" : "samples");
	for (size_t i = 0; i < PGB_REPORT_ADDENDS; i++)
		if (addends[i].count > 0)
			pgb_page_add(page, "| %s | %" PRIu64 " |\n", addends[i].name,
				     addends[i].count);
	pgb_page_add(page,
		     "| in all | %" PRIu64 " |\n\n| file | counts | functions | |\n"
		     "|---|--:|--:|---|\n",
		     pgb_report_seen(recording));
	for (size_t i = 0; i < recording->binaries.count && i < 20; i++)
		pgb_page_add(page, "| %s | %" PRIu64 " | %" PRIu64 " | %s |\n",
			     recording->binaries.items[i].name, recording->binaries.items[i].count,
			     recording->binaries.items[i].functions,
			     recording->binaries.items[i].reason
				     ? recording->binaries.items[i].reason
				     : "");
}

static void add_checks(struct pgb_page *page, const struct pgb_report *report)
{
	static const char *const keys[] = {"findings_after", "findings_before"};

	if (report->optimized == NULL)
		return;
	pgb_page_add(page, "\n## Checks\n\n%s\n", pgb_report_checked(report));
	for (size_t k = 0; k < 2; k++) {
		const json_t *findings = json_object_get(report->optimized, keys[k]);

		pgb_page_add(page, "\n%s:\n\n", k == 0 ? "Of the result" : "Of the original");
		for (size_t i = 0; i < pgb_report_size(findings); i++)
			pgb_page_add(page, "- %s: %s\n",
				     pgb_report_text(json_array_get(findings, i), "severity"),
				     pgb_report_text(json_array_get(findings, i), "message"));
	}
}

static void add_environment(struct pgb_page *page, const struct pgb_report *report)
{
	const struct pgb_recording *recording = &report->recording;
	const json_t *llvm_bolt = json_object_get(report->optimized, "llvm_bolt");
	char *commands = pgb_report_commands(report);

	pgb_page_add(page,
		     "\n## How it was made\n\n- processor: %s, %s%s\n- kernel: Linux %s\n"
		     "- source: %s (%s)\n- recorded: %s\n",
		     recording->cpu, recording->machine,
		     recording->is_virtual ? ", in a virtual machine" : "", recording->kernel,
		     recording->source, recording->reason,
		     PGB_DURATION(recording->stats.duration_ns));
	if (report->binary && report->binary->build_id)
		pgb_page_add(page, "- build-id: %s\n", report->binary->build_id);
	if (report->optimized)
		pgb_page_add(page, "- llvm-bolt: %s, preset %s\n- size: %s before, %s after\n",
			     pgb_report_text(llvm_bolt, "version"),
			     pgb_report_text(report->optimized, "preset"),
			     PGB_SIZE(pgb_report_count(report->optimized, "size_before")),
			     PGB_SIZE(pgb_report_count(report->optimized, "size_after")));
	pgb_page_add(page, "\nTo do it again:\n");
	pgb_page_add_code(page, commands);
	free(commands);
}

char *pgb_report_markdown(const struct pgb_report *report)
{
	char *title = pgb_report_title(report), *subtitle = pgb_report_subtitle(report);
	struct pgb_page page = {.markdown = true};

	pgb_page_add(&page, "# %s\n\n%s\n", title, subtitle);
	add_speed(&page, report);
	add_layout(&page, report);
	add_functions(&page, report);
	add_dyno_stats(&page, report);
	add_profile(&page, report);
	add_checks(&page, report);
	add_environment(&page, report);
	free(title);
	free(subtitle);
	return pgb_text_detach(&page.text);
}
