/* SPDX-License-Identifier: MIT */
/* What the files pgo/report*.c share. */
#ifndef PGO_REPORT_PRIVATE_H
#define PGO_REPORT_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/report.h"

/* ---- a page under construction */

struct pgb_page {
	struct pgb_text text;
	bool markdown;
};

/*
 * As printf, but what %s and %c bring is escaped for the kind of page: names of functions, paths
 * and commands cannot become markup. The format itself is not. Known are %s %c %d %u %x %f %g with
 * flags, width, precision, and the lengths l and z.
 */
__attribute__((format(printf, 2, 3))) void pgb_page_add(struct pgb_page *page, const char *format,
							...);
/* A block of literal text, line by line. */
void pgb_page_add_code(struct pgb_page *page, const char *text);

/* ---- what the documents hold: "" or 0 where it is not there or of another kind */

const char *pgb_report_text(const json_t *json, const char *key);
double pgb_report_number(const json_t *json, const char *key);
/* A whole number, 0 to 2^53. */
uint64_t pgb_report_whole(double value);
uint64_t pgb_report_count(const json_t *json, const char *key);
/* Of a list, but no more than a page can show: what is behind that is left out. */
#define PGB_REPORT_ITEMS_MOST 4096
size_t pgb_report_size(const json_t *list);

/* ---- facts that both kinds of page tell */

/* How a command of the bench is called: "PGO+BOLT", "B". */
struct pgb_number pgb_report_label(const struct pgb_report *report, size_t command);
/* The last command of the bench, if there are two at least; NULL: nothing to compare. */
const json_t *pgb_report_last_command(const struct pgb_report *report);
/* "python: 1.21 times as fast" */
char *pgb_report_title(const struct pgb_report *report);
/* The interval in words, or why there is none. */
char *pgb_report_subtitle(const struct pgb_report *report);
/* Change in percent of a dyno-stat; false: not known. */
bool pgb_report_dyno_change(const struct pgb_report *report, const char *name, double *percent);
/* Commands that do all of it again, one a line; the caller frees it. */
char *pgb_report_commands(const struct pgb_report *report);
/* What the program's own test said. */
const char *pgb_report_checked(const struct pgb_report *report);
/* How many of the findings after are good or a note. */
size_t pgb_report_good(const json_t *findings);

/* A figure of the quality of a profile. */
struct pgb_report_figure {
	const char *name, *enough;
	char value[48];
};
#define PGB_REPORT_FIGURES_MOST 8
size_t pgb_report_figures(const struct pgb_quality *quality, struct pgb_report_figure *figures);

/* An addend of the conservation law. */
struct pgb_report_addend {
	const char *name;
	uint64_t count;
};
#define PGB_REPORT_ADDENDS 10
void pgb_report_addends(const struct pgb_session_stats *stats, struct pgb_report_addend *addends);
/* What was seen: branches, or samples. */
uint64_t pgb_report_seen(const struct pgb_recording *recording);

/* "+7.4%" or, with a real minus sign, "-88.0%"; "" where there was none before. */
struct pgb_number pgb_report_change(double before, double after, int decimals);
/* 106,465 */
struct pgb_number pgb_report_grouped(uint64_t count);
/* Heat by its share of the hottest: 0 none, 1 .. 6. */
int pgb_report_heat(double share);

/* ---- parts of the HTML page */

void pgb_report_add_style(struct pgb_page *page);
void pgb_report_add_speed(struct pgb_page *page, const struct pgb_report *report);
void pgb_report_add_profile(struct pgb_page *page, const struct pgb_report *report);
void pgb_report_add_heat_maps(struct pgb_page *page, const struct pgb_report *report);
void pgb_report_add_functions(struct pgb_page *page, const struct pgb_report *report);
void pgb_report_add_dyno_stats(struct pgb_page *page, const struct pgb_report *report);
void pgb_report_add_checks(struct pgb_page *page, const struct pgb_report *report);
void pgb_report_add_environment(struct pgb_page *page, const struct pgb_report *report);

#endif
