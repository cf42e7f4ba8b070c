/* SPDX-License-Identifier: MIT */
/*
 * One line on stderr that says how far the work is: only on a terminal, rewritten at most ten
 * times a second, erased at the end and before anything else is printed.
 */
#ifndef PGOBOLT_PGO_CLI_PROGRESS_H
#define PGOBOLT_PGO_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pgobolt/pgo/cli/output.h"

struct pgb_progress {
	FILE *stream;
	bool active; /* a terminal, and neither -q nor --json */
	bool shown;
	unsigned int width;
	uint64_t last_ns;
	uint64_t (*clock_ns)(void); /* CLOCK_MONOTONIC; tests have their own */
	struct pgb_output *output;
};

/* The output keeps a pointer to `progress` until pgb_progress_done(): call that on every way out.
 */
void pgb_progress_init(struct pgb_progress *progress, struct pgb_output *output);
/* Cheap when it is too early or nobody watches: call it as often as you like. */
__attribute__((format(printf, 2, 3))) void pgb_progress_update(struct pgb_progress *progress,
							       const char *format, ...);
/* Take the line away; the next update shows it again. */
void pgb_progress_erase(struct pgb_progress *progress);
void pgb_progress_done(struct pgb_progress *progress);

#endif
