/* SPDX-License-Identifier: MIT */
/* What the searches after a wrong result and after a crash have in common. */
#include <stdlib.h>
#include <unistd.h>

#include "pgo/optimize_private.h"

enum {
	/* With more than that, it is no accident of some functions. */
	GUILTY_MOST = 16,
	CPUS_EACH = 2,
	PARALLEL_MOST = 2,
};

static unsigned int choose_parallel(const struct pgb_optimize_run *run)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (run->job->parallel > 0)
		return run->job->parallel < PARALLEL_MOST ? run->job->parallel : PARALLEL_MOST;
	return cpus >= CPUS_EACH * PARALLEL_MOST ? PARALLEL_MOST : 1;
}

int pgb_trials_bisect(struct pgb_trials *trials, bool options, struct pgb_bisect_result *found,
		      struct pgb_error *error)
{
	struct pgb_bisect_job job = {
		.items = options ? trials->option_count : trials->names.functions.count,
		.parallel = choose_parallel(trials->run),
		.guilty_most = GUILTY_MOST,
		.test = options ? pgb_trials_of_options : pgb_trials_of_functions,
		.context = trials,
	};

	return pgb_bisect(&job, found, error);
}

void pgb_trials_note_functions(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			       const char *what)
{
	struct pgb_optimize_run *run = trials->run;

	for (size_t i = 0; i < found->guilty.count; i++) {
		const struct pgb_elf_function *function =
			trials->names.functions.items[found->guilty.items[i]];

		pgb_array_push(&trials->search->functions, pgb_dup(function->name));
		pgb_log(run->log, PGB_LOG_WARNING,
			"optimized, the function %s %s: it stays as it is", function->name, what);
	}
}

int pgb_trials_find_harmful(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			    struct pgb_error *error)
{
	struct pgb_optimize_search *search = trials->search;
	PGB_ARRAY(const struct pgb_elf_function *) guilty = {0};
	struct pgb_bisect_result harmful = {0};
	int code;

	for (size_t i = 0; i < found->guilty.count; i++)
		pgb_array_push(&guilty, trials->names.functions.items[found->guilty.items[i]]);
	trials->only = guilty.items;
	trials->only_count = guilty.count;
	code = pgb_trials_bisect(trials, true, &harmful, error);
	for (size_t i = 0; code == 0 && i < harmful.guilty.count; i++)
		pgb_array_push(&search->options, trials->options[harmful.guilty.items[i]]);
	trials->only = NULL;
	trials->only_count = 0;
	pgb_bisect_result_release(&harmful);
	pgb_array_release(&guilty);
	return code;
}

int pgb_trials_write_kept(struct pgb_trials *trials, const struct pgb_bisect_result *found,
			  struct pgb_error *error)
{
	struct pgb_optimize_search *search = trials->search;
	PGB_ARRAY(const struct pgb_elf_function *) kept = {0};
	int code;

	for (size_t i = 0, k = 0; i < trials->names.functions.count; i++) {
		if (k < found->guilty.count && found->guilty.items[k] == i)
			k++;
		else
			pgb_array_push(&kept, trials->names.functions.items[i]);
	}
	free(search->kept);
	search->kept = pgb_format("%s/kept", trials->folder);
	code = pgb_trials_write_names(trials, search->kept, kept.items, kept.count, error);
	pgb_array_release(&kept);
	return code;
}

void pgb_trials_write_reproducer(struct pgb_trials *trials)
{
	struct pgb_optimize_run *run = trials->run;
	char *folder = pgb_format("%s.%s", run->result->output,
				  trials->of_crash ? "crash-reproducer" : "reproducer");
	struct pgb_error failure = {0};

	if (pgb_reproducer_write(trials, folder, &failure) == 0) {
		free(trials->search->reproducer);
		trials->search->reproducer = folder;
		return;
	}
	pgb_log(run->log, PGB_LOG_WARNING, "no reproducer was written: %s", failure.message);
	free(folder);
}
