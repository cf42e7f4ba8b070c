/* SPDX-License-Identifier: MIT */
/* Is what a binary does what the original does? With doubts about the test itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/check.h"

enum {
	/* Of the original and of the binary in turn, once the binary has failed. */
	DOUBTS = 3,
	REPEATS_MOST = 12,
	TIMES_LONGER = 10,
};

/* What starting alone may take on a busy machine. */
#define TIME_AT_LEAST_NS (UINT64_C(20) * 1000000000)
/* A fault that shows now and then is overlooked at most so often. */
#define OVERLOOKED 0.02

void pgb_check_describe(const struct pgb_check_outcome *outcome, char *text, size_t size)
{
	int status = outcome->wait_status;

	if (outcome->timed_out)
		snprintf(text, size, "no end after %.0f s", (double)outcome->elapsed_ns / 1e9);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) > 128 && WEXITSTATUS(status) < 128 + 65)
		/* a shell tells of its commands in this way */
		snprintf(text, size, "exit status %d (%s)", WEXITSTATUS(status),
			 strsignal(WEXITSTATUS(status) - 128));
	else
		snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}

static bool succeeded(const struct pgb_check_outcome *outcome)
{
	return !outcome->timed_out && outcome->wait_status == 0;
}

static bool same_output(const struct pgb_check_outcome *a, const struct pgb_check_outcome *b)
{
	return a->output_hash == b->output_hash && a->output_bytes == b->output_bytes;
}

static bool is_good(const struct pgb_check *check, const struct pgb_check_outcome *outcome)
{
	return succeeded(outcome) &&
	       (check->output_varies || same_output(&check->original, outcome));
}

static struct pgb_check_job job_of_results(const struct pgb_check *check)
{
	struct pgb_check_job job = check->job;

	job.timeout_ns = check->timeout_ns;
	return job;
}

static int fail_on_original(const struct pgb_check *check, const struct pgb_check_outcome *outcome,
			    struct pgb_error *error)
{
	char what[128];

	pgb_check_describe(outcome, what, sizeof(what));
	pgb_fail(error, PGB_E_CHECK, "the check fails on the original, %s: %s", check->job.original,
		 what);
	return pgb_remedy(error, "%s%.600s%srun it by hand: PGOBOLT_BINARY=%s sh -c '%s'",
			  outcome->tail[0] ? "it printed last:\n" : "", outcome->tail,
			  outcome->tail[0] ? "\n" : "", check->job.original, check->job.command);
}

/* Some tests cannot run in a namespace: they replace the program, or need other users. */
static int run_original(struct pgb_check *check, struct pgb_error *error)
{
	int code = pgb_check_run(&check->job, check->job.original, &check->original, error);

	if (code != 0 || succeeded(&check->original) || !check->original.in_place ||
	    check->original.timed_out)
		return code;
	pgb_check_outcome_release(&check->original);
	check->job.never_in_place = true;
	return pgb_check_run(&check->job, check->job.original, &check->original, error);
}

int pgb_check_begin(struct pgb_check *check, const struct pgb_check_job *job,
		    struct pgb_error *error)
{
	int code;

	*check = (struct pgb_check){.job = *job, .repeats = 1};
	code = run_original(check, error);
	if (code != 0)
		return code;
	if (!succeeded(&check->original))
		return fail_on_original(check, &check->original, error);
	if (!check->original.opened) {
		pgb_fail(error, PGB_E_CHECK, "the check never runs %s: it would say nothing",
			 check->job.original);
		return pgb_remedy(error, "write {} or $PGOBOLT_BINARY for the program: --check "
					 "'{} --version'");
	}
	check->timeout_ns = TIMES_LONGER * check->original.elapsed_ns;
	if (check->timeout_ns < TIME_AT_LEAST_NS)
		check->timeout_ns = TIME_AT_LEAST_NS;
	if (job->timeout_ns > 0 && check->timeout_ns > job->timeout_ns)
		check->timeout_ns = job->timeout_ns;
	return 0;
}

void pgb_check_end(struct pgb_check *check)
{
	pgb_check_outcome_release(&check->original);
}

/* ---- doubts */

static void explain(const struct pgb_check *check, const struct pgb_check_outcome *outcome,
		    struct pgb_check_verdict *verdict)
{
	char what[128];

	if (!succeeded(outcome)) {
		pgb_check_describe(outcome, what, sizeof(what));
		snprintf(verdict->why, sizeof(verdict->why), "%s, where the original ends well",
			 what);
	} else if (!outcome->opened) {
		snprintf(verdict->why, sizeof(verdict->why), "the check never runs it");
	} else {
		snprintf(verdict->why, sizeof(verdict->why),
			 "it prints something else than the original (%llu bytes, there %llu)",
			 (unsigned long long)outcome->output_bytes,
			 (unsigned long long)check->original.output_bytes);
	}
	snprintf(verdict->tail, sizeof(verdict->tail), "%s", outcome->tail);
}

/* Once more on the original: does it still end well, and print the same? */
static int doubt_original(struct pgb_check *check, struct pgb_error *error)
{
	struct pgb_check_outcome again = {0};
	int code = pgb_check_run(&check->job, check->job.original, &again, error);

	if (code == 0 && !succeeded(&again)) {
		char what[128];

		pgb_check_describe(&again, what, sizeof(what));
		code = pgb_fail(error, PGB_E_CHECK,
				"the check fails on the original now and then: %s", what);
		pgb_remedy(error, "it cannot tell a good binary from a bad one: leave out the "
				  "parts that fail by chance");
	} else if (code == 0 && !same_output(&check->original, &again)) {
		check->output_varies = true;
	}
	pgb_check_outcome_release(&again);
	return code;
}

static int run_result(const struct pgb_check *check, const char *binary,
		      struct pgb_check_verdict *verdict, struct pgb_error *error)
{
	struct pgb_check_job job = job_of_results(check);
	struct pgb_check_outcome outcome = {0};
	int code = pgb_check_run(&job, binary, &outcome, error);

	if (code == 0) {
		verdict->runs++;
		if (!is_good(check, &outcome) || !outcome.opened) {
			verdict->failures++;
			explain(check, &outcome, verdict);
		}
	}
	pgb_check_outcome_release(&outcome);
	return code;
}

/* How often to run it so that a fault that shows in this share of the runs is seldom missed. */
static unsigned int repeats_for(unsigned int failures, unsigned int runs)
{
	double passes = 1 - (double)failures / runs, needed;

	if (failures == runs)
		return 1;
	needed = ceil(log(OVERLOOKED) / log(passes));
	return needed < REPEATS_MOST ? (unsigned int)needed : REPEATS_MOST;
}

int pgb_check_judge(struct pgb_check *check, const char *binary, struct pgb_check_verdict *verdict,
		    struct pgb_error *error)
{
	int code;

	*verdict = (struct pgb_check_verdict){0};
	do
		code = run_result(check, binary, verdict, error);
	while (code == 0 && verdict->failures == 0 && verdict->runs < check->repeats);
	if (code != 0 || verdict->failures == 0) {
		verdict->good = code == 0;
		return code;
	}
	for (int i = 0; i < DOUBTS; i++) {
		bool varied = check->output_varies;

		code = doubt_original(check, error);
		if (code == 0 && check->output_varies && !varied)
			/* the failure so far may have been that alone */
			*verdict = (struct pgb_check_verdict){0};
		if (code == 0)
			code = run_result(check, binary, verdict, error);
		if (code != 0)
			return code;
	}
	verdict->good = verdict->failures == 0;
	if (!verdict->good && check->repeats < repeats_for(verdict->failures, verdict->runs))
		check->repeats = repeats_for(verdict->failures, verdict->runs);
	return 0;
}

int pgb_check_passes(const struct pgb_check *check, const char *binary, bool *good,
		     struct pgb_error *error)
{
	struct pgb_check_verdict verdict = {0};
	int code = 0;

	for (unsigned int i = 0; i < check->repeats && code == 0 && verdict.failures == 0; i++)
		code = run_result(check, binary, &verdict, error);
	*good = code == 0 && verdict.failures == 0;
	return code;
}
