/* SPDX-License-Identifier: MIT */
/* What the optimize*.c files share. */
#ifndef PGOBOLT_PGO_OPTIMIZE_PRIVATE_H
#define PGOBOLT_PGO_OPTIMIZE_PRIVATE_H

#include <regex.h>

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
	bool strict;		/* llvm-bolt's -strict may be given */
	/* Functions to leave alone, the user's among them, NULL-terminated. Borrowed names. */
	PGB_ARRAY(const char *) skip;
	/* The result was looked at and is wrong; why is in result->failure. */
	bool faulty;
};

/* optimize_strict.c: may -strict be given? Fills run->strict and result->strict. */
int pgb_optimize_prove(struct pgb_optimize_run *run, struct pgb_error *error);
void pgb_optimize_give_up_strict(struct pgb_optimize_run *run);

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

/* As pgb_llvm_bolt_job.crashed; `context` is the run. */
int pgb_optimize_crashed(void *context, const struct pgb_llvm_bolt_job *job,
			 const struct pgb_error *failure, struct pgb_llvm_bolt_mend *mend,
			 struct pgb_error *error);

/*
 * Functions of the profile, by address; and the cold fragments of any. Borrowed. Without those that
 * are to be left alone anyway.
 */
struct pgb_optimize_names {
	PGB_ARRAY(const struct pgb_elf_function *) functions;
	PGB_ARRAY(const struct pgb_elf_function *) fragments;
	PGB_ARRAY(regex_t) patterns; /* of the user's file of functions to skip */
};

/* optimize_trial.c: trials of the search, remembered in a file so that it can be taken up again. */
struct pgb_trials {
	struct pgb_optimize_run *run;
	struct pgb_optimize_search *search; /* of run->result: the one that this is for */
	struct pgb_llvm_bolt_job base;	    /* what the faulty result was made with */
	bool of_crash;	  /* a trial is good when llvm-bolt ends well, whatever comes of it */
	uint64_t setting; /* hash of what is the same for all trials */
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
/* Which of the functions, or of the options, make a trial fail? */
int pgb_trials_bisect(struct pgb_trials *trials, bool options, struct pgb_bisect_result *found,
		      struct pgb_error *error);
/* The functions found guilty, into search->functions. `what` they do is logged. */
void pgb_trials_note_functions(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			       const char *what);
/* Which options harm the functions found? Into search->options, for the report alone. */
int pgb_trials_find_harmful(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			    struct pgb_error *error);
/* The functions that are not guilty, into a file, search->kept. */
int pgb_trials_write_kept(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			  struct pgb_error *error);
/* search->reproducer; that it cannot be written is only logged. */
void pgb_trials_write_reproducer(struct pgb_trials *trials);

/* optimize_names.c: by index of the function: does the profile tell of it? To be freed. */
bool *pgb_optimize_profiled(const struct pgb_optimize_run *run);
/* Fill trials->names, both by address. */
int pgb_trials_collect_names(struct pgb_trials *trials, struct pgb_error *error);
void pgb_trials_release_names(struct pgb_trials *trials);
/* Write these functions' names, and those of all fragments, one a line. */
int pgb_trials_write_names(const struct pgb_trials *trials, const char *path,
			   const struct pgb_elf_function *const *functions, size_t count,
			   struct pgb_error *error);

/* reproducer.c: a folder with all that a report to llvm-bolt's authors needs. */
int pgb_reproducer_write(struct pgb_trials *trials, const char *folder, struct pgb_error *error);

#endif
