/* SPDX-License-Identifier: MIT */
/* llvm-bolt crashed and did not say on what: which functions must be left alone? */
#include "pgo/optimize_private.h"

/* It ends well without the guilty, or without all functions that have no profile. */
static int note_mend(struct pgb_trials *trials, const struct pgb_bisect_result *found,
		     struct pgb_llvm_bolt_mend *mend, struct pgb_error *error)
{
	struct pgb_optimize_search *search = trials->search;
	size_t known = search->functions.count;
	int code;

	if (found->guilty.count > 0) {
		pgb_trials_note_functions(trials, found, "makes llvm-bolt fail");
		for (size_t i = known; i < search->functions.count; i++)
			pgb_array_push(&mend->skip, search->functions.items[i]);
		return pgb_trials_find_harmful(trials, found, error);
	}
	pgb_log(trials->run->log, PGB_LOG_WARNING,
		"llvm-bolt fails on functions without a profile: they stay as they are");
	code = pgb_trials_write_kept(trials, found, error);
	search->only_profiled = code == 0;
	mend->only_functions_file = code == 0 ? search->kept : NULL;
	return code;
}

static int search_crash(struct pgb_trials *trials, struct pgb_llvm_bolt_mend *mend,
			struct pgb_error *error)
{
	struct pgb_optimize_search *search = trials->search;
	struct pgb_bisect_result found = {0};
	int code = pgb_trials_bisect(trials, false, &found, error);

	if (search->candidates == 0)
		search->candidates = trials->names.functions.count;
	search->runs += found.runs;
	search->end = found.end;
	if (code == 0 && found.end == PGB_BISECT_FOUND)
		code = note_mend(trials, &found, mend, error);
	else if (code == 0)
		pgb_log(trials->run->log, PGB_LOG_WARNING, "%s",
			found.end == PGB_BISECT_ELSEWHERE
				? "llvm-bolt fails also when it moves no function"
				: "llvm-bolt fails on too many functions");
	pgb_bisect_result_release(&found);
	return code;
}

int pgb_optimize_crashed(void *context, const struct pgb_llvm_bolt_job *job,
			 const struct pgb_error *failure, struct pgb_llvm_bolt_mend *mend,
			 struct pgb_error *error)
{
	struct pgb_optimize_run *run = context;
	struct pgb_optimize_search *search = &run->result->crash;
	struct pgb_trials trials = {.search = search, .base = *job, .of_crash = true};
	int code;

	/* the functions of the profile were tried alone, and passed */
	if (search->only_profiled)
		return 0;
	if (!search->done)
		search->failure = pgb_dup(failure->message);
	search->done = true;
	pgb_log(run->log, PGB_LOG_WARNING,
		"%s; looking for the functions that make it fail (Ctrl-C: the next run goes on "
		"there; --no-search: asks less of it instead)",
		failure->message);
	/* it failed without debug information, too */
	trials.base.update_debug = false;
	trials.option_count =
		pgb_llvm_bolt_options(run->bolt, run->image, &trials.base, trials.options,
				      sizeof(trials.options) / sizeof(trials.options[0]));
	code = pgb_trials_begin(&trials, run, error);
	if (code == 0)
		code = search_crash(&trials, mend, error);
	if (code == 0 && search->end == PGB_BISECT_FOUND)
		pgb_trials_write_reproducer(&trials);
	/* the run reads search->kept, and the next one what is known: pgb_optimize() removes it */
	pgb_trials_end(&trials, true);
	return code;
}
