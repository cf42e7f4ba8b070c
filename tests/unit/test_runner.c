/* SPDX-License-Identifier: MIT */
/*
 * Rounds, looks and stopping on simulated runs, with simulated time; then real commands.
 */
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bench/runner.h"

#define TRIALS	     200
#define RUN_NS	     1e8
#define SECOND_NS    UINT64_C(1000000000)
#define COMMANDS_MAX 3
#define COMMAND(text)                                                                              \
	{                                                                                          \
		.shell = (text)                                                                    \
	}

/* Runs of about RUN_NS each, on a machine with noise: mostly small, now and then a slow phase. */
struct simulation {
	struct pgb_random random;
	double factor[COMMANDS_MAX]; /* of the time of each command */
	double noise;		     /* standard deviation of one run, as a share */
	uint64_t now_ns;
	uint64_t runs[COMMANDS_MAX];
	size_t slow_runs_left;
	size_t fail_every[COMMANDS_MAX]; /* 0: never */
	uint64_t output[COMMANDS_MAX];
	bool output_varies;
	size_t order[8]; /* of the first runs */
	size_t ordered;
	uint64_t stop_after; /* runs in all; 0: never */
	sig_atomic_t stop;
};

static double uniform(struct simulation *simulation)
{
	return ((double)(pgb_random_next(&simulation->random) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller. */
static double normal(struct simulation *simulation)
{
	double radius = sqrt(-2 * log(uniform(simulation)));

	return radius * cos(6.283185307179586 * uniform(simulation));
}

static int simulated_run(void *context, const struct pgb_bench_job *job, size_t command,
			 struct pgb_bench_run *run, struct pgb_error *error)
{
	struct simulation *simulation = context;
	double time =
		RUN_NS * simulation->factor[command] * exp(simulation->noise * normal(simulation));
	uint64_t number = ++simulation->runs[command];

	(void)job;
	if (simulation->ordered < sizeof(simulation->order) / sizeof(simulation->order[0]))
		simulation->order[simulation->ordered++] = command;
	if (simulation->slow_runs_left > 0) {
		simulation->slow_runs_left--;
		time *= 1.2;
	} else if (pgb_random_below(&simulation->random, 40) == 0) {
		simulation->slow_runs_left = 3;
	}
	run->wall_ns = (uint64_t)time;
	run->cpu_ns = (uint64_t)(time / 2);
	run->output_hash = simulation->output[command] + (simulation->output_varies ? number : 0);
	run->failed = simulation->fail_every[command] > 0 &&
		      number % simulation->fail_every[command] == 0;
	run->wait_status = run->failed ? 3 << 8 : 0;
	simulation->now_ns += run->wall_ns;
	if (simulation->stop_after > 0 && --simulation->stop_after == 0) {
		simulation->stop = 1;
		return pgb_fail(error, PGB_E_INTERRUPTED, "stopped");
	}
	return 0;
}

static uint64_t simulated_clock(void *context)
{
	return ((struct simulation *)context)->now_ns;
}

static const struct pgb_bench_command three[] = {COMMAND("a"), COMMAND("b"), COMMAND("c")};

static int simulate(struct simulation *simulation, struct pgb_bench_job *job,
		    struct pgb_bench_result *result, struct pgb_error *error)
{
	struct pgb_bench_executor executor = {simulated_run, simulated_clock, simulation};

	for (size_t i = 0; i < COMMANDS_MAX; i++)
		simulation->factor[i] = simulation->factor[i] ? simulation->factor[i] : 1;
	job->commands = three;
	job->command_count = job->command_count ? job->command_count : 2;
	job->executor = &executor;
	job->stop = &simulation->stop;
	return pgb_bench_run(job, result, error);
}

struct tally {
	unsigned int faster, slower, held, precise; /* held: the interval holds the true ratio */
	unsigned int gate;
	unsigned int claims; /* trials with any verdict of a difference */
	unsigned int looks_most;
};

/* Trials with seeds of their own; command B takes `factor` of A's time. */
static struct tally try_often(size_t commands, double factor, double precision, bool gated)
{
	struct tally tally = {0};

	for (uint64_t trial = 0; trial < TRIALS; trial++) {
		struct simulation simulation = {
			.random = {1000 + trial}, .noise = 0.01, .factor = {1, factor}};
		struct pgb_bench_job job = {.command_count = commands,
					    .time_ns = 16 * SECOND_NS,
					    .precision = precision,
					    .gated = gated,
					    .failures_share_max = 0.1,
					    .seed = trial};
		struct pgb_bench_result result;
		struct pgb_error error = {0};
		const struct pgb_comparison *b;
		bool claimed = false;

		assert_int_equal(simulate(&simulation, &job, &result, &error), 0);
		b = &result.comparisons[1];
		tally.faster += b->verdict == PGB_VERDICT_FASTER;
		tally.slower += b->verdict == PGB_VERDICT_SLOWER;
		tally.held += b->ratio.low <= 1 / factor && b->ratio.high >= 1 / factor;
		tally.gate += result.end == PGB_BENCH_END_GATE;
		tally.precise += result.end == PGB_BENCH_END_PRECISION;
		for (size_t c = 1; c < commands; c++)
			claimed |= result.comparisons[c].verdict >= PGB_VERDICT_FASTER;
		tally.claims += claimed;
		if (result.looks > tally.looks_most)
			tally.looks_most = result.looks;
		pgb_bench_result_release(&result);
	}
	return tally;
}

/* Equal commands: a difference may be claimed in 5 % of 200 trials, by chance in at most 16. */
static void equal_commands_are_not_told_apart(void **state)
{
	struct tally tally = try_often(2, 1, 0.0001, false);

	(void)state;
	assert_true(tally.looks_most >= 4);
	assert_in_range(tally.claims, 0, 16);
	assert_in_range(tally.held, TRIALS - 16, TRIALS);
	assert_int_equal(tally.precise, 0);
}

static void equal_commands_when_precision_ends_it(void **state)
{
	struct tally tally = try_often(2, 1, 0.008, false);

	(void)state;
	assert_in_range(tally.precise, 100, TRIALS);
	assert_in_range(tally.claims, 0, 16);
}

static void equal_commands_of_three(void **state)
{
	struct tally tally = try_often(3, 1, 0.01, false);

	(void)state;
	assert_in_range(tally.claims, 0, 16);
}

/* Who stops at the first difference seen has the most to gain from looking often. */
static void equal_commands_when_a_difference_ends_it(void **state)
{
	struct tally tally = try_often(2, 1, 0, true);

	(void)state;
	assert_true(tally.looks_most >= 4);
	assert_in_range(tally.claims, 0, 16);
	assert_in_range(tally.held, TRIALS - 16, TRIALS);
}

static void a_clear_gain_ends_it(void **state)
{
	struct tally tally = try_often(2, 0.9, 0, true);

	(void)state;
	assert_int_equal(tally.gate, TRIALS);
	assert_int_equal(tally.faster, TRIALS);
	assert_in_range(tally.looks_most, 1, 3);
}

static void two_percent_are_found(void **state)
{
	struct tally tally = try_often(2, 1.02, 0.01, false);

	(void)state;
	assert_in_range(tally.slower, TRIALS * 95 / 100, TRIALS);
	assert_int_equal(tally.faster, 0);
	assert_in_range(tally.held, TRIALS - 16, TRIALS);
}

static void rounds_warmup_and_order(void **state)
{
	struct simulation simulation = {.random = {5}, .noise = 0.01};
	struct pgb_bench_job job = {.command_count = 3,
				    .rounds_max = 7,
				    .warmup_rounds = 2,
				    .metric = PGB_BENCH_CPU,
				    .seed = 5};
	struct pgb_bench_result result;
	bool in_order = true;

	(void)state;
	assert_int_equal(simulate(&simulation, &job, &result, NULL), 0);
	assert_int_equal(result.end, PGB_BENCH_END_ROUNDS);
	assert_int_equal(result.rounds, 7);
	assert_int_equal(result.runs.count, 21);
	assert_int_equal(simulation.runs[2], 9);
	assert_int_equal(result.looks, 1);
	assert_true(fabs(result.level - 0.025) < 1e-12); /* shared by two comparisons */
	assert_true(fabs(result.comparisons[0].median.value / (RUN_NS / 2) - 1) < 0.05);
	/* each round is a permutation, and not always the same */
	assert_int_equal(simulation.order[0] + simulation.order[1] + simulation.order[2], 3);
	for (size_t i = 0; i < 6; i++)
		in_order &= simulation.order[i] == i % 3;
	assert_false(in_order);
	pgb_bench_result_release(&result);
}

static void failures(void **state)
{
	static const struct {
		size_t fail_every;
		double share_max;
		int code;
	} rows[] = {
		{0, 0, 0},   {1, 0.1, PGB_E_TOOL},  {20, 0.1, 0},	  {20, 0, PGB_E_TOOL},
		{2, 0.6, 0}, {1, 0.99, PGB_E_TOOL}, {4, 0.1, PGB_E_TOOL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct simulation simulation = {
			.random = {5}, .noise = 0.01, .fail_every = {0, rows[i].fail_every}};
		struct pgb_bench_job job = {.rounds_max = 60,
					    .failures_share_max = rows[i].share_max};
		struct pgb_bench_result result;
		struct pgb_error error = {0};

		assert_int_equal(simulate(&simulation, &job, &result, &error), rows[i].code);
		if (rows[i].code != 0) {
			assert_non_null(strstr(error.message, "status 3"));
			assert_non_null(strstr(error.message, ": b"));
		} else if (rows[i].fail_every > 0) {
			assert_int_equal(result.failed[1], 60 / rows[i].fail_every);
			assert_int_equal(result.rounds, 60 - result.failed[1]);
			assert_int_equal(result.runs.count, 2 * result.rounds);
		}
		pgb_bench_result_release(&result);
	}
}

static void outputs(void **state)
{
	static const struct {
		uint64_t output_b;
		bool varies, compare;
		int code;
	} rows[] = {
		{1, false, true, 0},
		{2, false, true, PGB_E_CHECK},
		{2, false, false, 0},
		{2, true, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct simulation simulation = {.random = {5},
						.output = {1, rows[i].output_b},
						.output_varies = rows[i].varies};
		struct pgb_bench_job job = {.rounds_max = 8, .compare_outputs = rows[i].compare};
		struct pgb_bench_result result;
		struct pgb_error error = {0};

		assert_int_equal(simulate(&simulation, &job, &result, &error), rows[i].code);
		assert_int_equal(result.outputs[0].differing > 0, rows[i].varies);
		pgb_bench_result_release(&result);
	}
}

static void stopped(void **state)
{
	struct simulation simulation = {.random = {5}, .stop_after = 8};
	struct pgb_bench_job job = {.rounds_max = 100};
	struct pgb_bench_result result;
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(simulate(&simulation, &job, &result, &error), 0);
	assert_int_equal(result.end, PGB_BENCH_END_STOPPED);
	assert_int_equal(result.rounds, 3); /* the fourth was not whole */
	assert_int_equal(result.comparisons[1].verdict, PGB_VERDICT_TOO_FEW);
	assert_int_equal(error.code, 0);
	pgb_bench_result_release(&result);

	simulation = (struct simulation){.random = {5}, .stop_after = 1};
	job = (struct pgb_bench_job){.rounds_max = 100};
	assert_int_equal(simulate(&simulation, &job, &result, &error), PGB_E_INTERRUPTED);
	pgb_bench_result_release(&result);
}

/* ---- real commands */

static int run_real(struct pgb_bench_job *job, const char *a, const char *b,
		    struct pgb_bench_result *result, struct pgb_error *error)
{
	struct pgb_bench_command commands[] = {COMMAND(a), COMMAND(b)};

	pgb_error_clear(error);
	job->commands = commands;
	job->command_count = b ? 2 : 1;
	job->rounds_max = job->rounds_max ? job->rounds_max : 1;
	return pgb_bench_run(job, result, error);
}

static void real_commands(void **state)
{
	static const struct {
		const char *a, *b;
		bool compare;
		int code;
		const char *message;
	} rows[] = {
		{"true", "exit 0", true, 0, NULL},
		{"true", "exit 7", true, PGB_E_TOOL, "status 7"},
		{"true", "kill -9 $$", true, PGB_E_TOOL, "killed by a signal"},
		{"no-such-command-here", NULL, true, PGB_E_TOOL, "not found"},
		{"echo same", "printf 'same\\n'", true, 0, NULL},
		{"echo one", "echo two", true, PGB_E_CHECK, "'echo one' and 'echo two'"},
		{"echo one", "echo two", false, 0, NULL},
		{"echo error >&2", "true", true, 0, NULL},
		{"yes | head -c 1000000", "yes | head -c 1000000", true, 0, NULL},
		{"cat", "true", true, 0, NULL}, /* nothing to read */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_bench_job job = {.rounds_max = 2, .compare_outputs = rows[i].compare};
		struct pgb_bench_result result;
		struct pgb_error error;
		int code = run_real(&job, rows[i].a, rows[i].b, &result, &error);

		if (code != rows[i].code)
			fail_msg("row %zu: %s: %s", i, pgb_code_name(code), error.message);
		if (rows[i].message && strstr(error.message, rows[i].message) == NULL)
			fail_msg("row %zu: '%s' lacks '%s'", i, error.message, rows[i].message);
		pgb_bench_result_release(&result);
	}
}

static void cpu_time_of_children_counts(void **state)
{
	struct pgb_bench_job job = {.rounds_max = 1};
	struct pgb_bench_result result;
	struct pgb_error error;

	(void)state;
	assert_int_equal(run_real(&job, "(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done); true",
				  NULL, &result, &error),
			 0);
	assert_true(result.runs.items[0].cpu_ns > 1000000);
	assert_true(result.runs.items[0].wall_ns > 1000000);
	pgb_bench_result_release(&result);
}

/* Neither waited for nor left running. */
static void background_processes_end(void **state)
{
	char path[] = "/tmp/pgobolt-test-runner-XXXXXX";
	int fd = mkstemp(path);
	char *command = pgb_format("sleep 1000 & echo $! >%s", path);
	struct pgb_bench_job job = {.compare_outputs = true};
	struct pgb_bench_result result;
	struct pgb_error error;
	char text[32] = "";
	long pid;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(run_real(&job, command, NULL, &result, &error), 0);
	assert_true(result.runs.items[0].wall_ns < 100 * SECOND_NS);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	pid = strtol(text, NULL, 10);
	assert_true(pid > 1);
	/* it is init's to reap: until then kill(2) still finds it */
	for (int i = 0; i < 1000 && kill((pid_t)pid, 0) == 0; i++) {
		char *status = pgb_format("/proc/%ld/stat", pid);
		FILE *stream = fopen(status, "re");
		char state_letter = 'Z';

		if (stream) {
			(void)!fscanf(stream, "%*d (%*[^)]) %c", &state_letter);
			fclose(stream);
		}
		free(status);
		if (state_letter == 'Z')
			break;
		usleep(10000);
		assert_true(i < 999);
	}
	pgb_bench_result_release(&result);
	free(command);
	close(fd);
	unlink(path);
}

static void a_run_that_does_not_end(void **state)
{
	struct pgb_bench_job job = {.run_timeout_ns = SECOND_NS / 20};
	struct pgb_bench_result result;
	struct pgb_error error;

	(void)state;
	assert_int_equal(run_real(&job, "sleep 1000 | cat", NULL, &result, &error), PGB_E_TOOL);
	assert_non_null(strstr(error.message, "sleep 1000"));
	pgb_bench_result_release(&result);
}

static void metrics(void **state)
{
	static const struct {
		const char *command, *metric_from;
		int code;
		double value;
	} rows[] = {
		{"echo speed 42.5", "cut -d' ' -f2", 0, 42.5},
		{"echo speed fast", "cut -d' ' -f2", PGB_E_TOOL, 0},
		{"echo 1 2", "cat", PGB_E_TOOL, 0},
		{"echo -3", "cat", PGB_E_TOOL, 0},
		{"echo 0", "cat", PGB_E_TOOL, 0},
		{"true", "cat", PGB_E_TOOL, 0},
		{"echo inf", "cat", PGB_E_TOOL, 0},
		{"echo 1", "cat; exit 2", PGB_E_TOOL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_bench_job job = {.metric = PGB_BENCH_COMMAND,
					    .metric_from = rows[i].metric_from};
		struct pgb_bench_result result;
		struct pgb_error error;

		assert_int_equal(run_real(&job, rows[i].command, NULL, &result, &error),
				 rows[i].code);
		if (rows[i].code == 0)
			assert_true(result.comparisons[0].median.value == rows[i].value);
		else
			assert_non_null(strstr(error.message, "--metric-from"));
		pgb_bench_result_release(&result);
	}
}

static void pinned_to_a_cpu(void **state)
{
	struct pgb_bench_job job = {.metric = PGB_BENCH_COMMAND, .metric_from = "cat"};
	struct pgb_bench_result result;
	struct pgb_error error;
	cpu_set_t mine;
	unsigned int cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	while (!CPU_ISSET(cpu, &mine))
		cpu++;
	pgb_array_push(&job.cpus, cpu);
	assert_int_equal(run_real(&job, "nproc", NULL, &result, &error), 0);
	assert_true(result.comparisons[0].median.value == 1);
	pgb_bench_result_release(&result);
	job.cpus.items[0] = 4095;
	assert_int_equal(run_real(&job, "nproc", NULL, &result, &error), PGB_E_UNSUPPORTED);
	pgb_bench_result_release(&result);
	pgb_array_release(&job.cpus);
}

static void environment_is_set(void **state)
{
	static const char *const environment[] = {"WHICH=17", NULL};
	struct pgb_bench_command command = {"echo $WHICH", environment};
	struct pgb_bench_job job = {.commands = &command,
				    .command_count = 1,
				    .rounds_max = 1,
				    .metric = PGB_BENCH_COMMAND,
				    .metric_from = "cat"};
	struct pgb_bench_result result;

	(void)state;
	assert_int_equal(pgb_bench_run(&job, &result, NULL), 0);
	assert_true(result.comparisons[0].median.value == 17);
	pgb_bench_result_release(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_commands_are_not_told_apart),
		cmocka_unit_test(equal_commands_when_precision_ends_it),
		cmocka_unit_test(equal_commands_of_three),
		cmocka_unit_test(equal_commands_when_a_difference_ends_it),
		cmocka_unit_test(a_clear_gain_ends_it),
		cmocka_unit_test(two_percent_are_found),
		cmocka_unit_test(rounds_warmup_and_order),
		cmocka_unit_test(failures),
		cmocka_unit_test(outputs),
		cmocka_unit_test(stopped),
		cmocka_unit_test(real_commands),
		cmocka_unit_test(cpu_time_of_children_counts),
		cmocka_unit_test(background_processes_end),
		cmocka_unit_test(a_run_that_does_not_end),
		cmocka_unit_test(metrics),
		cmocka_unit_test(pinned_to_a_cpu),
		cmocka_unit_test(environment_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
