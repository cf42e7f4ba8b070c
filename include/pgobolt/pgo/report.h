/* SPDX-License-Identifier: MIT */
/*
 * What a recording and the work after it came to, as one HTML page that needs nothing else (no
 * script, no network, light and dark, printable) and as Markdown with the same content.
 *
 * Made of recording.json and, where they are there, optimize.json, layout.json and bench.json in
 * the same folder; or of the folder of a `run`. What is missing is said, with the command that
 * makes it. The same files give the same bytes.
 */
#ifndef PGOBOLT_PGO_REPORT_H
#define PGOBOLT_PGO_REPORT_H

#include "pgobolt/base/error.h"
#include "pgobolt/pgo/recording.h"

struct json_t; /* jansson's */

/* Of a bench with baseline, PGO and PGO+BOLT: what BOLT adds. value 0: not known. */
struct pgb_report_ratio {
	double value, low, high;
};

struct pgb_report {
	char *directory; /* as given */
	struct pgb_recording recording;
	struct json_t *optimize, *layouts, *bench, *run, *check; /* owned; NULL: not there */
	/* The binary it is about. Borrowed from the above; NULL: nothing was optimized. */
	const struct pgb_recorded_binary *binary;
	const struct json_t *optimized, *layout;
	struct pgb_report_ratio last_step;
};

/*
 * Read what is in `directory`: a recording, or the folder of a run. Errors: those of
 * pgb_recording_read(); PGB_E_CORRUPT, PGB_E_LIMIT for the other files. `report` must be released
 * either way.
 */
int pgb_report_read(struct pgb_report *report, const char *directory, struct pgb_error *error);
void pgb_report_release(struct pgb_report *report);

/* The caller frees them. */
char *pgb_report_html(const struct pgb_report *report);
char *pgb_report_markdown(const struct pgb_report *report);

#endif
