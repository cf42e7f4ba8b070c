/* SPDX-License-Identifier: MIT */
#include "pgobolt/bench/runner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/collector/process.h"

/* A tenth of ten runs: one failure is an accident, the second at once is none. */
#define FAILURES_OF_RUNS_AT_LEAST 10

/* Shares of the budget after which we look; each twice the last, as precision grows with roots. */
static const double look_fractions[] = {1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2};
#define LOOKS (sizeof(look_fractions) / sizeof(look_fractions[0]))

struct bench {
	const struct pgb_bench_job *job;
	const struct pgb_bench_executor *executor;
	struct pgb_bench_result *result;
	struct pgb_stats_plan plan;
	struct pgb_random random;
	size_t *order;		     /* of the commands in this round */
	struct pgb_bench_run *round; /* by command */
	uint64_t began_ns;
	size_t looks_due; /* of look_fractions, how many are behind us */
};

double pgb_bench_value(const struct pgb_bench_job *job, const struct pgb_bench_run *run)
{
	switch (job->metric) {
	case PGB_BENCH_WALL:
		return (double)(run->wall_ns ? run->wall_ns : 1);
	case PGB_BENCH_CPU:
		return (double)(run->cpu_ns ? run->cpu_ns : 1);
	case PGB_BENCH_COMMAND:
		break;
	}
	return run->metric;
}

static bool is_stopped(const struct pgb_bench_job *job)
{
	return job->stop && *job->stop;
}

/* ---- one round */

static void shuffle(struct bench *bench)
{
	for (size_t i = bench->job->command_count; i > 1; i--) {
		size_t j = pgb_random_below(&bench->random, i);
		size_t swapped = bench->order[j];

		bench->order[j] = bench->order[i - 1];
		bench->order[i - 1] = swapped;
	}
}

static int check_failures(const struct bench *bench, size_t command,
			  const struct pgb_bench_run *run, struct pgb_error *error)
{
	uint64_t failed = bench->result->failed[command], tried = bench->result->tried[command];
	uint64_t of = tried > FAILURES_OF_RUNS_AT_LEAST ? tried : FAILURES_OF_RUNS_AT_LEAST;
	const char *shell = bench->job->commands[command].shell;
	int status = pgb_process_exit_status(run->wait_status);

	if ((double)failed <= bench->job->failures_share_max * (double)of)
		return 0;
	pgb_fail(error, PGB_E_TOOL,
		 "the command ended with status %d%s (%" PRIu64 " of %" PRIu64 " runs failed): %s",
		 status,
		 status == 127	 ? ", command not found"
		 : status == 126 ? ", cannot be executed"
		 : status > 128	 ? ", killed by a signal"
				 : "",
		 failed, tried, shell);
	return pgb_remedy(error, "run it by hand to see what it says; where failures are to be "
				 "expected: --failures 50");
}

static void note_output(struct pgb_bench_outputs *outputs, uint64_t hash)
{
	if (outputs->runs++ == 0)
		outputs->first_hash = hash;
	else if (hash != outputs->first_hash)
		outputs->differing++;
}

/* Two commands that each print the same every time, but not the same as each other. */
static int check_outputs(const struct bench *bench, struct pgb_error *error)
{
	const struct pgb_bench_outputs *outputs = bench->result->outputs;
	size_t first = SIZE_MAX;

	for (size_t c = 0; bench->job->compare_outputs && c < bench->job->command_count; c++) {
		if (outputs[c].runs < 2 || outputs[c].differing > 0)
			continue;
		if (first == SIZE_MAX)
			first = c;
		if (outputs[c].first_hash == outputs[first].first_hash)
			continue;
		pgb_fail(error, PGB_E_CHECK, "'%s' and '%s' do not print the same",
			 bench->job->commands[first].shell, bench->job->commands[c].shell);
		return pgb_remedy(error, "compare what they print; where it may differ: "
					 "--no-compare");
	}
	return 0;
}

/* *whole: no run failed. */
static int run_round(struct bench *bench, bool *whole, struct pgb_error *error)
{
	const struct pgb_bench_job *job = bench->job;
	struct pgb_bench_result *result = bench->result;

	*whole = true;
	shuffle(bench);
	for (size_t i = 0; i < job->command_count; i++) {
		size_t command = bench->order[i];
		struct pgb_bench_run *run = &bench->round[command];
		int code;

		*run = (struct pgb_bench_run){0};
		code = bench->executor->run(bench->executor->context, job, command, run, error);
		if (code != 0)
			return code;
		result->tried[command]++;
		if (run->failed) {
			*whole = false;
			result->failed[command]++;
			code = check_failures(bench, command, run, error);
			if (code != 0)
				return code;
			continue;
		}
		note_output(&result->outputs[command], run->output_hash);
	}
	return check_outputs(bench, error);
}

/* ---- looking, and when to end */

static uint64_t elapsed_ns(const struct bench *bench)
{
	return bench->executor->clock_ns(bench->executor->context) - bench->began_ns;
}

/* How much of the budget is used up: of rounds or time, whichever runs out first. */
static double used_fraction(const struct bench *bench)
{
	const struct pgb_bench_job *job = bench->job;
	double of_rounds =
		job->rounds_max ? (double)bench->result->rounds / (double)job->rounds_max : 0;
	double of_time =
		job->time_ns ? (double)bench->result->elapsed_ns / (double)job->time_ns : 0;

	return of_rounds > of_time ? of_rounds : of_time;
}

static void compare(struct bench *bench, double level)
{
	const struct pgb_bench_job *job = bench->job;
	struct pgb_bench_result *result = bench->result;
	double *values = pgb_calloc(result->runs.count, sizeof(*values));
	struct pgb_samples samples = {.values = values,
				      .commands = job->command_count,
				      .rounds = result->rounds,
				      .higher_is_better = job->metric == PGB_BENCH_COMMAND &&
							  job->higher_is_better};

	for (size_t i = 0; i < result->runs.count; i++)
		values[i] = pgb_bench_value(job, &result->runs.items[i]);
	pgb_stats_compare(&samples, level, job->seed, result->comparisons);
	result->level = level;
	result->looks++;
	result->precision = pgb_stats_precision(result->comparisons, job->command_count);
	free(values);
}

bool pgb_bench_gains(const struct pgb_comparison *comparison, double gain_min)
{
	return comparison->verdict == PGB_VERDICT_FASTER && comparison->ratio.low >= 1 + gain_min;
}

static bool is_gate_decided(const struct pgb_bench_job *job, const struct pgb_bench_result *result)
{
	for (size_t c = 1; c < job->command_count; c++)
		if (!pgb_bench_gains(&result->comparisons[c], job->gain_min) &&
		    result->comparisons[c].ratio.high >= 1 + job->gain_min)
			return false;
	return true;
}

/* Is it time for a look, and is the answer there? Then result->end says why. */
static bool is_answered(struct bench *bench)
{
	const struct pgb_bench_job *job = bench->job;
	struct pgb_bench_result *result = bench->result;
	double fraction = used_fraction(bench), level;
	bool due = false;

	while (bench->looks_due < LOOKS && fraction >= look_fractions[bench->looks_due]) {
		bench->looks_due++;
		due = true;
	}
	if (!due || (job->precision <= 0 && !job->gated) || fraction >= 1)
		return false;
	level = pgb_stats_plan_look(&bench->plan, fraction, result->rounds);
	if (level == 0)
		return false;
	compare(bench, level);
	result->end = PGB_BENCH_END_PRECISION;
	if (result->precision <= job->precision)
		return true;
	result->end = PGB_BENCH_END_GATE;
	return job->gated && is_gate_decided(job, result);
}

/* Rounds until the answer, the budget or a person ends it; result->end says which. */
static int measure(struct bench *bench, struct pgb_error *error)
{
	const struct pgb_bench_job *job = bench->job;
	struct pgb_bench_result *result = bench->result;

	bench->began_ns = bench->executor->clock_ns(bench->executor->context);
	for (uint64_t tried = 0;; tried++) {
		bool whole;
		int code;

		result->elapsed_ns = elapsed_ns(bench);
		result->end = PGB_BENCH_END_TIME;
		if (job->time_ns && tried > 0 && result->elapsed_ns >= job->time_ns)
			return 0;
		result->end = PGB_BENCH_END_ROUNDS;
		if (job->rounds_max && tried >= job->rounds_max)
			return 0;
		result->end = PGB_BENCH_END_STOPPED;
		if (is_stopped(job))
			return 0;
		code = run_round(bench, &whole, error);
		if (code == PGB_E_INTERRUPTED && result->rounds > 0) {
			pgb_error_clear(error);
			return 0;
		}
		if (code != 0)
			return code;
		for (size_t c = 0; whole && c < job->command_count; c++)
			pgb_array_push(&result->runs, bench->round[c]);
		result->rounds += whole;
		result->elapsed_ns = elapsed_ns(bench);
		if (job->progress)
			job->progress(job->progress_context, result);
		if (whole && is_answered(bench))
			return 0;
	}
}

/* With what the looks before have left over. */
static int last_look(struct bench *bench, struct pgb_error *error)
{
	struct pgb_bench_result *result = bench->result;
	double level;

	if (result->rounds == 0 && result->end == PGB_BENCH_END_STOPPED)
		return pgb_fail(error, PGB_E_INTERRUPTED, "stopped before every command had run");
	if (result->rounds == 0)
		return pgb_fail(error, PGB_E_EMPTY, "in every round some run failed");
	if (result->end == PGB_BENCH_END_PRECISION || result->end == PGB_BENCH_END_GATE)
		return 0;
	level = pgb_stats_plan_look(&bench->plan, 1, result->rounds);
	if (level == 0)
		level = (bench->plan.error_rate - bench->plan.spent) /
			(double)bench->plan.comparisons;
	compare(bench, level);
	return 0;
}

int pgb_bench_run(const struct pgb_bench_job *job, struct pgb_bench_result *result,
		  struct pgb_error *error)
{
	size_t count = job->command_count;
	struct bench bench = {
		.job = job,
		.executor = job->executor ? job->executor : &pgb_bench_executor_real,
		.result = result,
		.plan = {.error_rate = PGB_BENCH_ERROR_RATE,
			 .comparisons = count > 1 ? count - 1 : 1},
		.random = {job->seed},
		.order = pgb_calloc(count, sizeof(*bench.order)),
		.round = pgb_calloc(count, sizeof(*bench.round)),
	};
	bool whole;
	int code = 0;

	pgb_assert(count > 0 && (job->rounds_max > 0 || job->time_ns > 0));
	*result = (struct pgb_bench_result){
		.failed = pgb_calloc(count, sizeof(*result->failed)),
		.tried = pgb_calloc(count, sizeof(*result->tried)),
		.outputs = pgb_calloc(count, sizeof(*result->outputs)),
		.comparisons = pgb_calloc(count, sizeof(*result->comparisons)),
	};
	for (size_t i = 0; i < count; i++)
		bench.order[i] = i;
	for (unsigned int i = 0; code == 0 && i < job->warmup_rounds && !is_stopped(job); i++)
		code = run_round(&bench, &whole, error);
	if (code == 0)
		code = measure(&bench, error);
	if (code == 0)
		code = last_look(&bench, error);
	free(bench.order);
	free(bench.round);
	return code;
}

void pgb_bench_result_release(struct pgb_bench_result *result)
{
	pgb_array_release(&result->runs);
	free(result->failed);
	free(result->tried);
	free(result->outputs);
	free(result->comparisons);
	*result = (struct pgb_bench_result){0};
}
