/* SPDX-License-Identifier: MIT */
/* What `run` shows in the end: the three builds side by side. */
#ifndef PGOBOLT_PGO_CLI_RUN_REPORT_H
#define PGOBOLT_PGO_CLI_RUN_REPORT_H

#include "pgobolt/pgo/cli/output.h"

/* One comparison of a bench.json: times and ratio, with their intervals. */
struct pgb_run_ratio {
	double value, low, high;
	bool shown; /* the interval does not hold 1, and there were runs enough to tell */
	bool few;   /* so few runs that the interval says nothing */
};

/* Of the builds baseline, PGO and PGO+BOLT. */
struct pgb_run_times {
	struct pgb_run_ratio seconds[3];
	struct pgb_run_ratio to_baseline[3];
	struct pgb_run_ratio to_pgo; /* of PGO+BOLT */
	size_t rounds;
};

/*
 * From bench.json's runs. Errors: those of reading; PGB_E_CORRUPT.
 */
int pgb_run_times_read(struct pgb_run_times *times, const char *path, struct pgb_error *error);

/* `paths` of the three binaries, for their sizes. */
void pgb_run_times_print(struct pgb_output *output, const struct pgb_run_times *times,
			 const char *const *paths);
struct json_t *pgb_run_times_json(const struct pgb_run_times *times);

#endif
