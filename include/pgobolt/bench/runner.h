/* SPDX-License-Identifier: MIT */
/*
 * Runs commands in turn, in random order within each round, as often as the answer needs.
 */
#ifndef PGOBOLT_BENCH_RUNNER_H
#define PGOBOLT_BENCH_RUNNER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bench/counters.h"
#include "pgobolt/bench/stats.h"
#include "pgobolt/collector/host.h"

struct pgb_bench_job;
struct pgb_bench_result;

struct pgb_bench_command {
	const char *shell;		/* for /bin/sh -c */
	const char *const *environment; /* as in struct pgb_spawn; may be NULL */
};

/* One run of one command. */
struct pgb_bench_run {
	uint64_t wall_ns, cpu_ns;
	double metric; /* what metric_from printed */
	int wait_status;
	bool failed; /* did not exit with 0 */
	uint64_t output_hash;
	struct pgb_counts counts;
};

/* What runs a command and tells the time; NULL in a job: the real one. Tests have another. */
struct pgb_bench_executor {
	/* PGB_E_TOOL: no use going on. PGB_E_INTERRUPTED: job->stop was set. */
	int (*run)(void *context, const struct pgb_bench_job *job, size_t command,
		   struct pgb_bench_run *run, struct pgb_error *error);
	uint64_t (*clock_ns)(void *context);
	void *context;
};
extern const struct pgb_bench_executor pgb_bench_executor_real;

enum pgb_bench_metric { PGB_BENCH_WALL, PGB_BENCH_CPU, PGB_BENCH_COMMAND };

/* All pointers are borrowed. */
struct pgb_bench_job {
	const struct pgb_bench_command *commands;
	size_t command_count; /* at least 1; all are compared to the first */
	uint64_t rounds_max;  /* 0: no limit */
	uint64_t time_ns;     /* no new round after that; 0: no limit. One of the two is needed */
	double precision;     /* stop when the ratio is known to +- this share; 0: never */
	bool gated;	      /* stop when it is clear for all commands .. */
	double gain_min;      /* .. whether they gain at least this share, or less */
	unsigned int warmup_rounds;
	double failures_share_max; /* of a command's runs, of ten at least; see runner.c */
	uint64_t run_timeout_ns;   /* 0: none */
	bool compare_outputs;
	enum pgb_bench_metric metric;
	const char *metric_from;  /* shell command: a run's output in, one positive number out */
	bool higher_is_better;	  /* of that number */
	struct pgb_cpu_list cpus; /* run there only; empty: anywhere */
	uint64_t seed;
	struct pgb_counters *counters; /* NULL: none */
	const struct pgb_bench_executor *executor;
	const volatile sig_atomic_t *stop; /* set: end now, with what there is; may be NULL */
	void (*progress)(void *context, const struct pgb_bench_result *result);
	void *progress_context;
};

enum pgb_bench_end {
	PGB_BENCH_END_ROUNDS,
	PGB_BENCH_END_TIME,
	PGB_BENCH_END_PRECISION,
	PGB_BENCH_END_GATE,
	PGB_BENCH_END_STOPPED,
};

struct pgb_bench_outputs {
	uint64_t first_hash, runs, differing; /* from the command's own first one */
};

struct pgb_bench_result {
	/* Whole rounds in which no run failed: runs.items[round * command_count + command]. */
	PGB_ARRAY(struct pgb_bench_run) runs;
	size_t rounds;
	uint64_t *failed; /* per command, warm-up included */
	uint64_t *tried;
	struct pgb_bench_outputs *outputs;  /* per command */
	struct pgb_comparison *comparisons; /* per command */
	double level;			    /* chance of error of the last look */
	unsigned int looks;
	double precision; /* reached */
	uint64_t elapsed_ns;
	enum pgb_bench_end end;
};

/* Chance that any difference is claimed where there is none. */
#define PGB_BENCH_ERROR_RATE 0.05

/*
 * Errors: PGB_E_TOOL (a command fails too often, or does not end; it is named with its status),
 * PGB_E_CHECK (two commands print different things), PGB_E_INTERRUPTED (stopped before the first
 * round was whole), PGB_E_EMPTY (no round was whole), and those of starting a process.
 * `result` is to be released in any case.
 */
int pgb_bench_run(const struct pgb_bench_job *job, struct pgb_bench_result *result,
		  struct pgb_error *error);
void pgb_bench_result_release(struct pgb_bench_result *result);

/* Is it shown that this command gains at least the share `gain_min`? */
bool pgb_bench_gains(const struct pgb_comparison *comparison, double gain_min);

/* The number that is compared. */
double pgb_bench_value(const struct pgb_bench_job *job, const struct pgb_bench_run *run);

#endif
