/* SPDX-License-Identifier: MIT */
/* What the optimize*.c files share. */
#ifndef PGOBOLT_PGO_OPTIMIZE_PRIVATE_H
#define PGOBOLT_PGO_OPTIMIZE_PRIVATE_H

#include "pgobolt/pgo/check.h"
#include "pgobolt/pgo/optimize.h"

/* One call of pgb_optimize(). */
struct pgb_optimize_run {
	const struct pgb_optimize_job *job;
	const struct pgb_llvm_bolt *bolt;
	struct pgb_optimize_result *result;
	struct pgb_elf_image *image;
	struct pgb_profile *profile;
	const struct pgb_log *log;
	struct pgb_check check; /* where the job has one */
	/* The result was looked at and is wrong; why is in result->failure. */
	bool faulty;
};

/* What llvm-bolt is to do, from what was asked for and what the binary is. No output, no accept. */
struct pgb_llvm_bolt_job pgb_optimize_bolt_job(const struct pgb_optimize_run *run);

/* Run it to the output, which must pass everything. Sets run->faulty. */
int pgb_optimize_attempt(struct pgb_optimize_run *run, const struct pgb_llvm_bolt_job *bolt_job,
			 struct pgb_error *error);

/*
 * optimize_search.c: after a faulty result, find what it takes to make it good, and make it.
 * `error` holds the failure; it is cleared where the search mends it.
 */
int pgb_optimize_search(struct pgb_optimize_run *run, struct pgb_error *error);

/* Names of the functions of the profile, by address; and of the cold fragments of any. Borrowed. */
struct pgb_optimize_names {
	PGB_ARRAY(const struct pgb_elf_function *) functions;
	PGB_ARRAY(const struct pgb_elf_function *) fragments;
};

/* optimize_trial.c: trials of the search, remembered in a file so that it can be taken up again. */
struct pgb_trials {
	struct pgb_optimize_run *run;
	struct pgb_llvm_bolt_job base; /* what the faulty result was made with */
	struct pgb_optimize_names names;
	const char *options[32]; /* of the preset, as given in base */
	size_t option_count;
	const struct pgb_elf_function *const *only; /* when options are tried: these functions .. */
	size_t only_count;			    /* .. where there are any, else all */
	char *folder;
	char *journal;
	PGB_ARRAY(uint64_t) passed, failed; /* keys of trials made before */
	size_t made, remembered;
};

int pgb_trials_begin(struct pgb_trials *trials, struct pgb_optimize_run *run,
		     struct pgb_error *error);
/* `keep`: so that the next run goes on here. */
void pgb_trials_end(struct pgb_trials *trials, bool keep);
/* As pgb_bisect_job.test; items are names.functions, or options. `context` is the trials. */
int pgb_trials_of_functions(void *context, const struct pgb_bisect_trial *trials, size_t count,
			    bool *passed, struct pgb_error *error);
int pgb_trials_of_options(void *context, const struct pgb_bisect_trial *trials, size_t count,
			  bool *passed, struct pgb_error *error);
/*
 * The journal of a search: `head`, then lines "KEY good" or "KEY bad". Nothing is taken of one with
 * another head; a line that was cut short or damaged is left out.
 */
void pgb_trials_read_journal(struct pgb_trials *trials, const char *text, const char *head);
/* Write these functions' names, and those of all fragments, one a line. */
int pgb_trials_write_names(const struct pgb_trials *trials, const char *path,
			   const struct pgb_elf_function *const *functions, size_t count,
			   struct pgb_error *error);

/* reproducer.c: a folder with all that a report to llvm-bolt's authors needs. */
int pgb_reproducer_write(struct pgb_trials *trials, const char *folder, struct pgb_error *error);

#endif
