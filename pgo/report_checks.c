/* SPDX-License-Identifier: MIT */
/* The parts on llvm-bolt's own figures, on checks, and on how to do it again. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/report_private.h"

/* ---- dyno-stats */

/* Fewer of these is better; of others (fall-throughs, loads) it depends. */
static bool is_cost(const char *name)
{
	static const char *const costs[] = {"taken", "executed instructions", "total branches",
					    "unconditional branches"};

	if (strncmp(name, "non-taken", 9) == 0)
		return false;
	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		if (strstr(name, costs[i]))
			return true;
	return false;
}

static void add_dyno_row(struct pgb_page *page, const char *name, const json_t *stat)
{
	double before = pgb_report_number(stat, "before");
	double after = pgb_report_number(stat, "after");
	double change = before > 0 ? after / before - 1 : 0, length = fmin(fabs(change), 1) * 150;
	bool cost = is_cost(name);

	pgb_page_add(page, "<tr><td class=name>%s<td class=n>%s<td class=n>%s<td class=\"n %s\">",
		     name, PGB_COUNT(pgb_report_whole(before)), PGB_COUNT(pgb_report_whole(after)),
		     !cost || change == 0 ? ""
		     : change < 0	  ? "better"
					  : "worse");
	if (before > 0)
		pgb_page_add(page, "%s", pgb_report_change(before, after, 1).text);
	pgb_page_add(
		page,
		"<td class=wide><svg viewBox=\"0 0 300 14\" height=14 preserveAspectRatio=none "
		"aria-hidden=true><rect class=rule x=150 width=1 height=14 /><rect class=%s "
		"x=\"%.1f\" y=3 width=\"%.1f\" height=8 /></svg>\n",
		!cost	     ? "rule"
		: change < 0 ? "bar"
			     : "barw",
		change < 0 ? 150 - length : 150, length);
}

static bool is_changed(const json_t *stat)
{
	return pgb_report_number(stat, "before") != pgb_report_number(stat, "after");
}

/* The one that llvm-bolt works for comes first; what stays as it was is one sentence. */
void pgb_report_add_dyno_stats(struct pgb_page *page, const struct pgb_report *report)
{
	static const char *const main_name = "taken branches";
	json_t *stats = json_object_get(report->optimized, "dyno_stats"), *stat;
	const char *name, *comma = "";

	if (json_object_size(stats) == 0)
		return;
	pgb_page_add(page, "<section><h2>What llvm-bolt expects</h2>\n<p>Its estimates "
			   "(dyno-stats) from the profile, before and after.</p>\n"
			   "<div class=scroll><table><thead><tr><th><th class=n>before"
			   "<th class=n>after<th class=n>change<th class=wide><tbody>\n");
	if (is_changed(json_object_get(stats, main_name)))
		add_dyno_row(page, main_name, json_object_get(stats, main_name));
	json_object_foreach (stats, name, stat) {
		if (is_changed(stat) && strcmp(name, main_name) != 0)
			add_dyno_row(page, name, stat);
	}
	pgb_page_add(page, "</table></div>\n<p class=soft>As before: ");
	json_object_foreach (stats, name, stat) {
		if (is_changed(stat) || pgb_report_number(stat, "before") <= 0)
			continue;
		pgb_page_add(page, "%s%s (%s)", comma, name,
			     PGB_COUNT(pgb_report_count(stat, "before")));
		comma = ", ";
	}
	pgb_page_add(page, "%s.</p></section>\n", comma[0] ? "" : "nothing");
}

/* ---- checks */

static void add_findings(struct pgb_page *page, const char *title, const json_t *findings)
{
	if (pgb_report_size(findings) == 0)
		return;
	pgb_page_add(page, "<h3>%s</h3>\n<ul class=marks>\n", title);
	for (size_t i = 0; i < pgb_report_size(findings); i++) {
		const json_t *finding = json_array_get(findings, i);
		const char *severity = pgb_report_text(finding, "severity");
		const char *remedy = pgb_report_text(finding, "remedy");

		pgb_page_add(page, "<li><b class=\"%s\">%s</b><span>%s%s%s%s</span>\n", severity,
			     severity, pgb_report_text(finding, "message"), remedy[0] ? " (" : "",
			     remedy, remedy[0] ? ")" : "");
	}
	pgb_page_add(page, "</ul>\n");
}

static void add_user_check(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *check = json_object_get(report->optimized, "check");
	const char *command = pgb_report_text(check, "command");

	pgb_page_add(page, "<p>%s</p>\n", pgb_report_checked(report));
	if (command[0])
		pgb_page_add_code(page, command);
}

void pgb_report_add_checks(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *search = json_object_get(report->optimized, "search");
	const json_t *left_out = json_object_get(report->optimized, "left_out");

	if (report->optimized == NULL)
		return;
	pgb_page_add(page, "<section><h2>Checks</h2>\n");
	add_user_check(page, report);
	for (size_t i = 0; i < pgb_report_size(left_out); i++)
		pgb_page_add(page, "<p>llvm-bolt failed with %s, which was given up: %s</p>\n",
			     pgb_report_text(json_array_get(left_out, i), "what"),
			     pgb_report_text(json_array_get(left_out, i), "why"));
	for (size_t i = 0; i < pgb_report_size(json_object_get(search, "functions")); i++) {
		const char *name =
			json_string_value(json_array_get(json_object_get(search, "functions"), i));

		pgb_page_add(page,
			     "<p>Left as it is, as the result is wrong with it: "
			     "<code>%s</code></p>\n",
			     name ? name : "");
	}
	add_findings(page, "Of the result", json_object_get(report->optimized, "findings_after"));
	add_findings(page, "Of the original",
		     json_object_get(report->optimized, "findings_before"));
	pgb_page_add(page, "</section>\n");
}

/* ---- environment */

__attribute__((format(printf, 3, 4))) static void add_fact(struct pgb_page *page, const char *name,
							   const char *format, ...)
{
	struct pgb_text value = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&value, format, arguments);
	va_end(arguments);
	pgb_page_add(page, "<dt>%s<dd>%s\n", name, pgb_text_string(&value));
	pgb_text_release(&value);
}

static void add_recording_facts(struct pgb_page *page, const struct pgb_recording *recording)
{
	const struct pgb_session_stats *stats = &recording->stats;

	add_fact(page, "processor", "%s, %s%s", recording->cpu, recording->machine,
		 recording->is_virtual ? ", in a virtual machine" : "");
	add_fact(page, "kernel", "Linux %s", recording->kernel);
	add_fact(page, "source", "%s (%s)", recording->source, recording->reason);
	if (recording->rate.period_events)
		add_fact(page, "event", "%s, every %" PRIu64, recording->event,
			 recording->rate.period_events);
	else if (recording->rate.frequency_hz)
		add_fact(page, "event", "%s, %" PRIu64 " times a second", recording->event,
			 recording->rate.frequency_hz);
	add_fact(page, "recorded", "%s, of which %s of CPU time for recording; %" PRIu64 " run%s",
		 PGB_DURATION(stats->duration_ns), PGB_DURATION(stats->cpu_ns), recording->runs,
		 recording->runs == 1 ? "" : "s");
	if (recording->command[0])
		add_fact(page, "program", "%s", recording->command);
}

void pgb_report_add_environment(struct pgb_page *page, const struct pgb_report *report)
{
	const json_t *optimized = report->optimized;
	const json_t *llvm_bolt = json_object_get(optimized, "llvm_bolt");
	const json_t *functions = json_object_get(optimized, "functions");
	char *commands = pgb_report_commands(report);

	pgb_page_add(page, "<section><h2>How it was made</h2>\n<dl class=facts>\n");
	add_recording_facts(page, &report->recording);
	if (report->binary && report->binary->build_id)
		add_fact(page, "build-id", "%s", report->binary->build_id);
	if (optimized) {
		add_fact(page, "llvm-bolt", "%s, preset %s, %.1f s",
			 pgb_report_text(llvm_bolt, "version"),
			 pgb_report_text(optimized, "preset"),
			 pgb_report_number(llvm_bolt, "seconds"));
		add_fact(page, "functions", "%.0f, %.0f with a profile, %.0f laid out anew",
			 pgb_report_number(functions, "all"),
			 pgb_report_number(functions, "profiled"),
			 pgb_report_number(functions, "laid_out"));
		add_fact(page, "size", "%s before, %s after",
			 PGB_SIZE(pgb_report_count(optimized, "size_before")),
			 PGB_SIZE(pgb_report_count(optimized, "size_after")));
	}
	pgb_page_add(page, "</dl>\n<h3>To do it again</h3>\n");
	pgb_page_add_code(page, commands);
	pgb_page_add(page, "</section>\n");
	free(commands);
}
