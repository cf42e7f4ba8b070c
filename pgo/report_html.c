/* SPDX-License-Identifier: MIT */
/* The page from its head to its foot, and the part on speed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/report_private.h"

/* ---- figures at the top */

static void add_tile(struct pgb_page *page, const char *name, const char *value, const char *more)
{
	pgb_page_add(page, "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n", name, value,
		     more);
}

static void add_speed_tile(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *ratio = json_object_get(pgb_report_last_command(report), "ratio");
	char *value = pgb_format("%.3f\xc3\x97", pgb_report_number(ratio, "value"));
	char *more = pgb_format("95%% interval %.3f to %.3f", pgb_report_number(ratio, "low"),
				pgb_report_number(ratio, "high"));

	if (ratio)
		add_tile(page, "Speed", value, more);
	else
		add_tile(page, "Speed", "\xe2\x80\x93", "not measured");
	free(value);
	free(more);
}

static void add_layout_tiles(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *before = json_object_get(report->layout, "before");
	const json_t *after = json_object_get(report->layout, "after");
	double change;

	if (pgb_report_dyno_change(report, "taken branches", &change)) {
		char *value =
			pgb_format("%s%.0f%%", change < 0 ? "\xe2\x88\x92" : "+", fabs(change));

		add_tile(page, "Taken branches", value, "llvm-bolt's estimate");
		free(value);
	}
	if (report->layout) {
		char *value =
			pgb_format("%.0f \xe2\x86\x92 %.0f", pgb_report_number(before, "pages_99"),
				   pgb_report_number(after, "pages_99"));

		add_tile(page, "Pages of hot code", value, "of 4 KiB, for 99% of it");
		free(value);
	}
}

static void add_tiles(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *findings = json_object_get(report->optimized, "findings_after");

	pgb_page_add(page, "<dl class=tiles>\n");
	add_speed_tile(page, report);
	add_layout_tiles(page, report);
	if (report->binary && report->binary->quality.grade) {
		char grade[] = {report->binary->quality.grade, '\0'};

		add_tile(page, "Profile", grade, "grade, A to F");
	}
	if (findings) {
		char *value = pgb_format("%zu of %zu", pgb_report_good(findings),
					 pgb_report_size(findings));

		add_tile(page, "Checks", value, "of the result are good");
		free(value);
	}
	pgb_page_add(page, "</dl>\n");
}

/* ---- speed */

static struct pgb_number decimal(double value, int decimals)
{
	struct pgb_number number;

	snprintf(number.text, sizeof(number.text), "%.*f", decimals, value);
	return number;
}

/* Four significant digits of the value; all three alike. */
static int decimals_for(double value)
{
	return value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
}

static void add_estimate(struct pgb_page *page, const json_t *estimate, double scale)
{
	double value = pgb_report_number(estimate, "value") / scale;
	int decimals = decimals_for(value);

	pgb_page_add(page, "<td class=n>%s<td class=n><span class=soft>%s to %s</span>",
		     decimal(value, decimals).text,
		     decimal(pgb_report_number(estimate, "low") / scale, decimals).text,
		     decimal(pgb_report_number(estimate, "high") / scale, decimals).text);
}

/* A bar from 1 to the ratio's interval and its value, on a scale that all rows share. */
static void add_ratio_bar(struct pgb_page *page, const json_t *ratio, double low, double high)
{
	double unit = 300 / (high - low);
	double from = (pgb_report_number(ratio, "low") - low) * unit;
	double to = (pgb_report_number(ratio, "high") - low) * unit;
	double at = (pgb_report_number(ratio, "value") - low) * unit, one = (1 - low) * unit;
	const char *kind = at < one ? "barw" : "bar";

	pgb_page_add(page,
		     "<td class=wide><svg viewBox=\"0 0 300 18\" height=18 "
		     "preserveAspectRatio=none aria-hidden=true>"
		     "<rect class=%s x=\"%.2f\" y=7 width=\"%.2f\" height=4 opacity=.35 />"
		     "<rect class=%s x=\"%.2f\" y=4 width=\"%.2f\" height=10 opacity=.6 />"
		     "<rect class=%s x=\"%.2f\" y=2 width=2 height=14 />"
		     "<rect class=rule x=\"%.2f\" width=1 height=18 /></svg>",
		     kind, at < one ? at : one, fabs(at - one), kind, from,
		     to - from > 1 ? to - from : 1, kind, at - 1, one);
}

static void ratio_bounds(const json_t *commands, double *low, double *high)
{
	*low = *high = 1;
	for (size_t i = 1; i < pgb_report_size(commands); i++) {
		const json_t *ratio = json_object_get(json_array_get(commands, i), "ratio");

		*low = fmin(*low, pgb_report_number(ratio, "low"));
		*high = fmax(*high, pgb_report_number(ratio, "high"));
	}
	*low -= 0.02 + (*high - *low) * 0.05;
	*high += 0.02 + (*high - *low) * 0.05;
}

/* Seconds, or milliseconds where the first command takes less than one second. */
struct scales {
	double median, cpu;
};

static struct scales scales_of(const struct pgb_report *report)
{
	const json_t *first = json_array_get(json_object_get(report->bench, "commands"), 0);
	double median = pgb_report_number(json_object_get(first, "median"), "value");
	bool is_time = strcmp(pgb_report_text(report->bench, "metric"), "command") != 0;

	return (struct scales){is_time && median < 1 ? 1e-3 : 1,
			       pgb_report_number(first, "cpu_seconds") < 1 ? 1e-3 : 1};
}

static void add_speed_row(struct pgb_page *page, const struct pgb_report *report, size_t index,
			  double low, double high)
{
	const json_t *commands = json_object_get(report->bench, "commands");
	const json_t *command = json_array_get(commands, index);
	const json_t *ratio = json_object_get(command, "ratio");
	const char *verdict = pgb_report_text(command, "verdict");
	struct scales scales = scales_of(report);
	double cpu = pgb_report_number(command, "cpu_seconds") / scales.cpu;

	pgb_page_add(page, "<tr><th scope=row>%s", pgb_report_label(report, index).text);
	add_estimate(page, json_object_get(command, "median"), scales.median);
	pgb_page_add(page, "<td class=n>%s", decimal(cpu, decimals_for(cpu)).text);
	if (ratio == NULL) {
		pgb_page_add(page, "<td class=n>1<td><td><td class=wide>\n");
		return;
	}
	add_estimate(page, ratio, 1);
	pgb_page_add(page, "<td class=\"%s\">%s",
		     strcmp(verdict, "faster") == 0   ? "better"
		     : strcmp(verdict, "slower") == 0 ? "worse"
						      : "soft",
		     verdict);
	add_ratio_bar(page, ratio, low, high);
	pgb_page_add(page, "\n");
}

/* What each step brings: PGO, BOLT on top of it, both. */
static void add_phases(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *commands = json_object_get(report->bench, "commands");
	const json_t *pgo = json_object_get(json_array_get(commands, 1), "ratio");
	const json_t *both = json_object_get(json_array_get(commands, 2), "ratio");
	double bolt = pgb_report_number(pgo, "value") > 0
			      ? pgb_report_number(both, "value") / pgb_report_number(pgo, "value")
			      : 0;

	if (report->run == NULL || pgb_report_size(commands) != 3)
		return;
	pgb_page_add(page, "<h3>Step by step</h3>\n<div class=scroll><table><thead><tr><th>step"
			   "<th class=n>times as fast<th class=n>95%% interval<tbody>\n"
			   "<tr><th scope=row>PGO alone");
	add_estimate(page, pgo, 1);
	pgb_page_add(page, "<tr><th scope=row>BOLT, on top of PGO");
	if (report->last_step.value > 0)
		pgb_page_add(
			page, "<td class=n>%.3f<td class=n><span class=soft>%.3f to %.3f</span>",
			report->last_step.value, report->last_step.low, report->last_step.high);
	else
		pgb_page_add(page,
			     "<td class=n>%.3f<td class=n><span class=soft>the quotient "
			     "of the others</span>",
			     bolt);
	pgb_page_add(page, "<tr><th scope=row>both");
	add_estimate(page, both, 1);
	pgb_page_add(page, "</table></div>\n");
}

static void add_commands(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *commands = json_object_get(report->bench, "commands");
	const json_t *warnings = json_object_get(report->bench, "warnings");

	pgb_page_add(page, "<dl class=facts>\n");
	for (size_t i = 0; i < pgb_report_size(commands); i++)
		pgb_page_add(page, "<dt>%s<dd><code>%s</code>\n", pgb_report_label(report, i).text,
			     pgb_report_text(json_array_get(commands, i), "command"));
	pgb_page_add(page, "</dl>\n");
	for (size_t i = 0; i < pgb_report_size(warnings); i++)
		pgb_page_add(page, "<p class=soft>Mind: %s.</p>\n",
			     pgb_report_text(json_array_get(warnings, i), "message"));
}

void pgb_report_add_speed(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *commands = json_object_get(report->bench, "commands");
	const json_t *first = json_array_get(commands, 0);
	double low, high;
	const char *metric = pgb_report_text(report->bench, "metric");
	bool is_time = strcmp(metric, "command") != 0;

	pgb_page_add(page, "<section><h2>Speed</h2>\n");
	if (first == NULL) {
		pgb_page_add(page,
			     "<p>No benchmark was run. <code>pgobolt bench --save %s/bench.json "
			     "'./app work' './app.bolt work'</code> makes one; then make this "
			     "report again.</p></section>\n",
			     report->directory);
		return;
	}
	ratio_bounds(commands, &low, &high);
	pgb_page_add(page,
		     "<div class=scroll><table class=speed><thead><tr><th><th class=n>%s%s"
		     "<th class=n>95%% interval<th class=n>CPU, %s<th class=n>times as fast"
		     "<th class=n>95%% interval<th><th class=wide>against %s (upright)<tbody>\n",
		     !is_time			  ? "metric"
		     : strcmp(metric, "cpu") == 0 ? "CPU time"
						  : "wall time",
		     !is_time			    ? ""
		     : scales_of(report).median < 1 ? ", ms"
						    : ", s",
		     scales_of(report).cpu < 1 ? "ms" : "s", pgb_report_label(report, 0).text);
	for (size_t i = 0; i < pgb_report_size(commands); i++)
		add_speed_row(page, report, i, low, high);
	pgb_page_add(page,
		     "</table></div>\n<p class=soft>Medians of %.0f rounds in random order; "
		     "a difference is claimed only where an exact test and the interval "
		     "both show it.</p>\n",
		     pgb_report_number(report->bench, "rounds"));
	add_commands(page, report);
	add_phases(page, report);
	pgb_page_add(page, "</section>\n");
}

/* ---- all of it */

char *pgb_report_html(const struct pgb_report *report)
{
	char *title = pgb_report_title(report), *subtitle = pgb_report_subtitle(report);
	struct pgb_page page = {0};

	pgb_page_add(&page,
		     "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
		     "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
		     "<title>%s \xc2\xb7 pgobolt</title>\n",
		     title);
	pgb_report_add_style(&page);
	pgb_page_add(&page, "</head>\n<body>\n<main>\n<header><h1>%s</h1>\n<p class=lead>%s</p>\n",
		     title, subtitle);
	add_tiles(&page, report);
	pgb_page_add(&page, "</header>\n");
	pgb_report_add_speed(&page, report);
	pgb_report_add_heat_maps(&page, report);
	pgb_report_add_functions(&page, report);
	pgb_report_add_dyno_stats(&page, report);
	pgb_report_add_profile(&page, report);
	pgb_report_add_checks(&page, report);
	pgb_report_add_environment(&page, report);
	pgb_page_add(&page,
		     "<footer>Made by pgobolt from %s; recorded with %s.</footer>\n</main>\n"
		     "</body>\n</html>\n",
		     report->directory, report->recording.program);
	free(title);
	free(subtitle);
	return pgb_text_detach(&page.text);
}
