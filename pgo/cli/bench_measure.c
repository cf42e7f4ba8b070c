/* SPDX-License-Identifier: MIT */
#include "pgo/cli/bench_measure.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgobolt/collector/perf_sys.h"
#include "pgobolt/pgo/cli/table.h"

#define SHORT_RUN_NS 5e6 /* starting /bin/sh takes about one millisecond of it */
#define CPUS_BUSY    0.9

/* Some fifty times as long as the command takes. */
enum { SIMULATION_TIMEOUT_S = 3600 };

static void show_progress(void *context, const struct pgb_bench_result *result)
{
	/* Not the ratio so far: who sees it may stop when it pleases. */
	pgb_progress_update(context, "%s, %s", PGB_PLURAL(result->rounds, "round"),
			    PGB_DURATION(result->elapsed_ns));
}

/* What the runs themselves tell about the machine. */
static void judge_runs(const struct pgb_bench_job *job, const struct pgb_bench_result *result,
		       struct pgb_noise *noise)
{
	long cpus = job->cpus.count ? (long)job->cpus.count : sysconf(_SC_NPROCESSORS_ONLN);
	double shortest = INFINITY, wall = 0, cpu = 0;

	for (size_t i = 0; i < result->runs.count; i++) {
		const struct pgb_bench_run *run = &result->runs.items[i];

		wall += (double)run->wall_ns;
		cpu += (double)run->cpu_ns;
		shortest = fmin(shortest, (double)run->wall_ns);
	}
	if (shortest < SHORT_RUN_NS)
		pgb_noise_add(noise, "give each run more to do: a second of work is a good size",
			      "the shortest run took %.1f ms, of which starting it is a good part",
			      shortest / 1e6);
	if (cpus > 1 && cpu > CPUS_BUSY * (double)cpus * wall)
		pgb_noise_add(noise,
			      "give the commands fewer threads than there are CPUs, or compare CPU "
			      "time: --metric cpu",
			      "the commands keep all %ld CPUs busy: whatever else runs takes time "
			      "from them",
			      cpus);
}

int pgb_bench_measure(struct pgb_bench_measured *measured, struct pgb_bench_job *job,
		      double gain_percent_min, struct pgb_progress *progress,
		      struct pgb_error *error)
{
	struct pgb_counters counters;
	struct pgb_host host;
	int code;

	*measured = (struct pgb_bench_measured){0};
	code = pgb_host_init(&host, NULL, error);
	if (code != 0)
		return code;
	if (pgb_counters_init(&counters, &host, &pgb_perf_sys_kernel, &measured->refusal) == 0)
		job->counters = &counters;
	pgb_noise_begin(&measured->noise, NULL);
	job->progress = show_progress;
	job->progress_context = progress;
	code = pgb_bench_run(job, &measured->result, error);
	job->counters = NULL;
	if (code == 0) {
		pgb_noise_end(&measured->noise);
		judge_runs(job, &measured->result, &measured->noise);
	}
	measured->report = (struct pgb_bench_report){.job = job,
						     .result = &measured->result,
						     .noise = &measured->noise,
						     .counters_missing = measured->refusal.message,
						     .gain_percent_min = gain_percent_min};
	pgb_host_release(&host);
	return code;
}

int pgb_bench_measure_simulated(struct pgb_bench_measured *measured, struct pgb_progress *progress,
				struct pgb_error *error)
{
	const struct pgb_bench_job *job = measured->report.job;
	struct pgb_error failure = {0};
	char *valgrind = pgb_simulate_find(&failure);
	int code = valgrind ? 0 : failure.code;

	measured->simulations = pgb_calloc(job->command_count, sizeof(*measured->simulations));
	for (size_t i = 0; i < job->command_count && code == 0; i++) {
		if (job->stop != NULL && *job->stop)
			break;
		pgb_progress_update(progress, "simulating command %zu of %zu", i + 1,
				    job->command_count);
		code = pgb_simulate(&measured->simulations[i], valgrind, job->commands[i].shell,
				    job->commands[i].environment, SIMULATION_TIMEOUT_S, &failure);
	}
	free(valgrind);
	if (job->stop != NULL && *job->stop)
		return pgb_fail(error, PGB_E_INTERRUPTED, "stopped during the simulation");
	if (code == 0)
		measured->report.simulations = measured->simulations;
	else
		pgb_noise_add(&measured->noise,
			      failure.remedy[0] ? failure.remedy
						: "run it under cachegrind by hand",
			      "%s", failure.message);
	return 0;
}

void pgb_bench_measured_release(struct pgb_bench_measured *measured)
{
	free(measured->simulations);
	pgb_bench_result_release(&measured->result);
	pgb_noise_release(&measured->noise);
}
