/* SPDX-License-Identifier: MIT */
/* The part on the profile: its source, its quality, and where all that was seen went. */
#include <inttypes.h>
#include <math.h>

#include "pgo/report_private.h"
#include "pgobolt/base/number.h"

static void add_grade(struct pgb_page *page, const struct pgb_quality *quality)
{
	if (quality->grade == 0) {
		pgb_page_add(page, "<p>The profile was not graded.</p>\n");
		return;
	}
	pgb_page_add(page,
		     "<div class=grade><b aria-hidden=true>%c</b><div><p>The profile has the "
		     "grade %c.",
		     quality->grade, quality->grade);
	if (quality->reasons.count == 0) {
		pgb_page_add(page, " Nothing holds it back.</p></div></div>\n");
		return;
	}
	pgb_page_add(page, " What holds it back:</p>\n<ul>\n");
	for (size_t i = 0; i < quality->reasons.count; i++)
		pgb_page_add(page, "<li>%c: %s\n", quality->reasons.items[i].grade,
			     quality->reasons.items[i].text);
	pgb_page_add(page, "</ul></div></div>\n");
}

static void add_figures(struct pgb_page *page, const struct pgb_quality *quality)
{
	struct pgb_report_figure figures[PGB_REPORT_FIGURES_MOST];
	size_t count = pgb_report_figures(quality, figures);

	pgb_page_add(page, "<div class=scroll><table><thead><tr><th>figure<th class=n>here"
			   "<th class=n>for an A<tbody>\n");
	for (size_t i = 0; i < count; i++)
		pgb_page_add(page, "<tr><td>%s<td class=n>%s<td class=n>%s\n", figures[i].name,
			     figures[i].value, figures[i].enough);
	pgb_page_add(page, "</table></div>\n");
	pgb_page_add(page,
		     "<p class=soft>Of %s %" PRIu64 " have counts; 90%% of them are in %" PRIu64
		     " (%s of code), 99%% in %" PRIu64 " (%s).</p>\n",
		     PGB_PLURAL(quality->functions_in_binary, "function"), quality->functions,
		     quality->functions_90, PGB_SIZE(quality->bytes_90), quality->functions_99,
		     PGB_SIZE(quality->bytes_99));
}

/* All that was seen is somewhere: a sum, and a bar in its proportions. */
static void add_conservation(struct pgb_page *page, const struct pgb_recording *recording)
{
	struct pgb_report_addend addends[PGB_REPORT_ADDENDS];
	uint64_t seen = pgb_report_seen(recording);
	double at = 0;

	if (seen == 0)
		return;
	pgb_report_addends(&recording->stats, addends);
	pgb_page_add(page, "<h3>Where all that was seen went</h3>\n<figure><svg viewBox=\"0 0 "
			   "1000 12\" height=12 preserveAspectRatio=none aria-hidden=true>");
	for (size_t i = 0; i < PGB_REPORT_ADDENDS; i++) {
		double width = 1000.0 * (double)addends[i].count / (double)seen;

		if (width > 0)
			pgb_page_add(page,
				     "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=12 />",
				     i == 0	  ? "bar"
				     : i % 2 == 1 ? "rule"
						  : "softf",
				     at, fmax(width - 1, 1));
		at += width;
	}
	pgb_page_add(page,
		     "</svg></figure>\n<div class=scroll><table><thead><tr><th>%s"
		     "<th class=n>count<th class=n>share<tbody>\n",
		     recording->branches ? "branches" : "samples");
	for (size_t i = 0; i < PGB_REPORT_ADDENDS; i++)
		if (addends[i].count > 0)
			pgb_page_add(page, "<tr><td>%s<td class=n>%s<td class=n>%s\n",
				     addends[i].name, pgb_report_grouped(addends[i].count).text,
				     PGB_PERCENT(100.0 * (double)addends[i].count / (double)seen));
	pgb_page_add(page,
		     "<tr><th scope=row>in all<td class=n>%s<td class=n>100%%\n"
		     "</table></div>\n",
		     pgb_report_grouped(seen).text);
}

static void add_binaries(struct pgb_page *page, const struct pgb_recording *recording)
{
	pgb_page_add(page, "<h3>By file</h3>\n<div class=scroll><table><thead><tr><th>file"
			   "<th class=n>counts<th class=n>functions<th>grade<tbody>\n");
	for (size_t i = 0; i < recording->binaries.count && i < 20; i++) {
		const struct pgb_recorded_binary *binary = &recording->binaries.items[i];
		char grade[] = {binary->quality.grade, '\0'};

		pgb_page_add(page,
			     "<tr><td class=name><code>%s</code>%s%s<td class=n>%s<td "
			     "class=n>%s<td>%s\n",
			     binary->name, binary->reason ? ": " : "",
			     binary->reason ? binary->reason : "",
			     pgb_report_grouped(binary->count).text,
			     pgb_report_grouped(binary->functions).text, grade);
	}
	pgb_page_add(page, "</table></div>\n");
	if (recording->binaries.count > 20)
		pgb_page_add(page, "<p class=soft>and %zu more</p>\n",
			     recording->binaries.count - 20);
}

void pgb_report_add_profile(struct pgb_page *page, const struct pgb_report *report)
{
	const struct pgb_recording *recording = &report->recording;

	pgb_page_add(page, "<section><h2>The profile</h2>\n");
	if (report->binary) {
		add_grade(page, &report->binary->quality);
		if (report->binary->quality.grade)
			add_figures(page, &report->binary->quality);
	}
	add_conservation(page, recording);
	add_binaries(page, recording);
	pgb_page_add(page, "</section>\n");
}
