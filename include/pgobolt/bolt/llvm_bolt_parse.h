/* SPDX-License-Identifier: MIT */
/* What a run of llvm-bolt came to, as it prints it. */
#ifndef PGOBOLT_BOLT_LLVM_BOLT_PARSE_H
#define PGOBOLT_BOLT_LLVM_BOLT_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/text.h"

/* One row of the dyno-stats table. */
struct pgb_dyno_stat {
	char *name; /* "taken branches" */
	uint64_t before, after;
};

/* What was given up, and what llvm-bolt said of it. */
struct pgb_llvm_bolt_step {
	const char *what; /* "splitting of functions"; static */
	char *why;
	const char *const *options; /* of the preset, NULL-terminated; NULL: none */
};

struct pgb_llvm_bolt_result {
	int exit_status;
	uint64_t functions, functions_profiled; /* "N out of M functions .. non-empty" */
	uint64_t functions_stale;
	uint64_t functions_not_optimized; /* "could not be optimized" */
	uint64_t functions_reordered;	  /* whose blocks were laid out anew */
	uint64_t objects_ignored;	  /* names in the profile that matched nothing */
	uint64_t samples_stale, samples_total;
	double stale_percent;		/* of samples; of functions where samples are not told */
	uint64_t bytes_hot, bytes_cold; /* of the functions that were split */
	PGB_ARRAY(struct pgb_dyno_stat) dyno_stats;
	PGB_ARRAY(char *) skip_advised; /* functions it says to skip; owned */
	char *error_line;		/* its last fatal line; NULL: none */
	/* filled by pgb_llvm_bolt_run() */
	PGB_ARRAY(char *) skipped; /* functions left alone in a second attempt; owned */
	bool debug_dropped;	   /* update_debug was given up */
	PGB_ARRAY(struct pgb_llvm_bolt_step) steps;
	char *command_line; /* of the last attempt, as typed into a shell, with job.output */
	struct pgb_text output;
	uint64_t duration_ns;
};

void pgb_llvm_bolt_result_release(struct pgb_llvm_bolt_result *result);

/* Parse what llvm-bolt printed; pure. */
void pgb_llvm_bolt_parse_output(const char *output, struct pgb_llvm_bolt_result *result);

#endif
