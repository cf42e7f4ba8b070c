/* SPDX-License-Identifier: MIT */
/*
 * A result that is wrong: which functions, or which of llvm-bolt's options, make it so; and the
 * result without them.
 */
#include <stdlib.h>

#include "pgo/optimize_private.h"

/* As the faulty result was made in the end, without debug information: it only takes time. */
static void set_base(struct pgb_trials *trials, struct pgb_optimize_run *run)
{
	const struct pgb_llvm_bolt_result *bolt = &run->result->bolt;
	const struct pgb_optimize_search *crash = &run->result->crash;
	PGB_ARRAY(const char *) options = {0}, names = {0};

	trials->base = pgb_optimize_bolt_job(run);
	trials->base.update_debug = false;
	trials->base.only_functions_file = crash->kept;
	for (size_t i = 0; i < bolt->steps.count; i++)
		for (const char *const *at = bolt->steps.items[i].options; at && *at; at++)
			pgb_array_push(&options, *at);
	for (const char *const *at = trials->base.skip_functions; at && *at; at++)
		pgb_array_push(&names, pgb_dup(*at));
	for (size_t i = 0; i < bolt->skipped.count; i++)
		pgb_array_push(&names, pgb_dup(bolt->skipped.items[i]));
	for (size_t i = 0; i < crash->functions.count; i++)
		pgb_array_push(&names, pgb_dup(crash->functions.items[i]));
	pgb_array_push(&options, NULL);
	pgb_array_push(&names, NULL);
	trials->base.without = options.items;
	trials->base.skip_functions = names.items;
	trials->option_count =
		pgb_llvm_bolt_options(run->bolt, run->image, &trials->base, trials->options,
				      sizeof(trials->options) / sizeof(trials->options[0]));
}

static void release_base(struct pgb_trials *trials)
{
	for (const char *const *at = trials->base.skip_functions; *at != NULL; at++)
		free((void *)(uintptr_t)*at);
	free((void *)(uintptr_t)trials->base.skip_functions);
	free((void *)(uintptr_t)trials->base.without);
}

/* The output itself, with what was found left alone. */
static int make_result(struct pgb_trials *trials, const char *const *options,
		       const char *only_functions_file, struct pgb_error *error)
{
	struct pgb_optimize_run *run = trials->run;
	const struct pgb_optimize_search *search = &run->result->search;
	struct pgb_llvm_bolt_job job = trials->base;
	PGB_ARRAY(const char *) skip = {0}, without = {0};
	int code;

	job.update_debug =
		pgb_optimize_bolt_job(run).update_debug && !run->result->bolt.debug_dropped;
	for (size_t i = 0; job.skip_functions[i] != NULL; i++)
		pgb_array_push(&skip, job.skip_functions[i]);
	for (size_t i = 0; i < search->functions.count; i++)
		pgb_array_push(&skip, search->functions.items[i]);
	for (size_t i = 0; job.without[i] != NULL; i++)
		pgb_array_push(&without, job.without[i]);
	for (size_t i = 0; options != NULL && options[i] != NULL; i++)
		pgb_array_push(&without, options[i]);
	pgb_array_push(&skip, NULL);
	pgb_array_push(&without, NULL);
	job.skip_functions = skip.items;
	job.without = without.items;
	if (only_functions_file != NULL)
		job.only_functions_file = only_functions_file;
	code = pgb_optimize_attempt(run, &job, error);
	pgb_array_release(&skip);
	pgb_array_release(&without);
	return code;
}

/* Right without the guilty; else right with the others alone, which is what was tried. */
static int finish_functions(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			    struct pgb_error *error)
{
	struct pgb_optimize_search *search = trials->search;
	struct pgb_error failure = {0};
	int code = PGB_E_CHECK;

	/* where llvm-bolt crashes on other functions, the others alone it must be */
	if (found->guilty.count > 0 && !trials->run->result->crash.only_profiled) {
		code = make_result(trials, NULL, NULL, &failure);
		if (code == 0 || !trials->run->faulty) {
			if (code != 0)
				pgb_fail(error, code, "%s", failure.message);
			return code;
		}
	}
	search->only_profiled = true;
	code = pgb_trials_write_kept(trials, found, error);
	if (code == 0)
		code = make_result(trials, NULL, search->kept, error);
	return code;
}

static int search_functions(struct pgb_trials *trials, bool *settled, struct pgb_error *error)
{
	struct pgb_optimize_search *search = &trials->run->result->search;
	struct pgb_bisect_result found = {0};
	int code = pgb_trials_bisect(trials, false, &found, error);

	search->candidates = trials->names.functions.count;
	search->runs += found.runs;
	search->end = found.end;
	*settled = code != 0 || found.end == PGB_BISECT_FOUND;
	if (code == 0 && found.end == PGB_BISECT_FOUND) {
		pgb_trials_note_functions(trials, &found, "makes the result wrong");
		if (found.guilty.count > 0)
			code = pgb_trials_find_harmful(trials, &found, error);
		if (code == 0)
			code = finish_functions(trials, &found, error);
	}
	pgb_bisect_result_release(&found);
	return code;
}

/* It is not one function or another: is it an option? */
static int search_options(struct pgb_trials *trials, struct pgb_error *error)
{
	struct pgb_optimize_run *run = trials->run;
	struct pgb_optimize_search *search = &run->result->search;
	struct pgb_bisect_result found = {0};
	PGB_ARRAY(const char *) options = {0};
	int code = pgb_trials_bisect(trials, true, &found, error);

	search->runs += found.runs;
	if (code == 0 && found.end != PGB_BISECT_FOUND) {
		search->end = PGB_BISECT_ELSEWHERE;
		code = pgb_fail(error, PGB_E_CHECK, "%s (also when llvm-bolt moves nothing)",
				search->failure);
	} else if (code == 0) {
		search->end = PGB_BISECT_FOUND;
		for (size_t i = 0; i < found.guilty.count; i++) {
			const char *option = trials->options[found.guilty.items[i]];

			pgb_array_push(&search->options, option);
			pgb_array_push(&options, option);
			pgb_log(run->log, PGB_LOG_WARNING,
				"llvm-bolt's option -%s makes the result wrong: it is left out",
				option);
		}
		pgb_array_push(&options, NULL);
		code = make_result(trials, options.items, NULL, error);
	}
	pgb_array_release(&options);
	pgb_bisect_result_release(&found);
	return code;
}

int pgb_optimize_search(struct pgb_optimize_run *run, struct pgb_error *error)
{
	struct pgb_optimize_search *search = &run->result->search;
	struct pgb_trials trials = {.search = search};
	struct pgb_error failure = {0};
	char remedy[sizeof(error->remedy)];
	bool settled = false;
	int code;

	search->done = true;
	search->failure = pgb_dup(error->message);
	pgb_log(run->log, PGB_LOG_WARNING,
		"%s; looking for the functions that make it so (Ctrl-C: the next run goes on "
		"there)",
		error->message);
	snprintf(remedy, sizeof(remedy), "%s", error->remedy);
	pgb_error_clear(error);
	set_base(&trials, run);
	code = pgb_trials_begin(&trials, run, &failure);
	if (code == 0)
		code = search_functions(&trials, &settled, &failure);
	if (code == 0 && !settled)
		code = search_options(&trials, &failure);
	if (code == 0 || (search->functions.count > 0 && code != PGB_E_INTERRUPTED))
		pgb_trials_write_reproducer(&trials);
	if (code != 0) {
		pgb_fail(error, code, "%s", failure.message);
		pgb_remedy(error, "%s", failure.remedy[0] ? failure.remedy : remedy);
	}
	pgb_trials_end(&trials, code == PGB_E_INTERRUPTED || code == PGB_E_RESOURCE);
	release_base(&trials);
	return code;
}
