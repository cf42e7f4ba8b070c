/* SPDX-License-Identifier: MIT */
#include "pgo/cli/optimize_gate.h"

#include <stdlib.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/check.h"
#include "pgobolt/pgo/cli/interrupt.h"

#define PRECISION      0.01
#define FAILURES_SHARE 0.1
#define RUN_TIMEOUT_NS (UINT64_C(1800) * 1000000000)

static const char *const *environment_of(const char *path)
{
	const char **environment = pgb_calloc(2, sizeof(*environment));

	environment[0] = pgb_format("PGOBOLT_BINARY=%s", path);
	return environment;
}

static struct pgb_bench_command command_for(const char *shell, const char *binary)
{
	char *path = realpath(binary, NULL);
	struct pgb_bench_command command = {
		.shell = pgb_check_command(shell, path ? path : binary),
		.environment = environment_of(path ? path : binary),
	};

	free(path);
	return command;
}

void pgb_optimize_gate_release(struct pgb_optimize_gate *gate)
{
	for (size_t i = 0; i < 2; i++) {
		free((void *)(uintptr_t)gate->commands[i].shell);
		if (gate->commands[i].environment != NULL)
			free((void *)(uintptr_t)gate->commands[i].environment[0]);
		free((void *)(uintptr_t)gate->commands[i].environment);
	}
	if (gate->measured)
		pgb_bench_measured_release(&gate->bench);
}

int pgb_optimize_gate(void *context, const char *path, struct pgb_error *error)
{
	struct pgb_optimize_gate *gate = context;
	int code;

	pgb_optimize_gate_release(gate); /* of an attempt before */
	gate->commands[0] = command_for(gate->command, gate->original);
	gate->commands[1] = command_for(gate->command, path);
	gate->job = (struct pgb_bench_job){
		.commands = gate->commands,
		.command_count = 2,
		.time_ns = gate->time_ns,
		.precision = gate->gain_percent_min >= 0 ? 0 : PRECISION,
		.gated = gate->gain_percent_min >= 0,
		.gain_min = gate->gain_percent_min / 100,
		.warmup_rounds = 1,
		.failures_share_max = FAILURES_SHARE,
		.run_timeout_ns = RUN_TIMEOUT_NS,
		.seed = 1,
		.stop = &pgb_interrupted,
	};
	code = pgb_bench_measure(&gate->bench, &gate->job, gate->gain_percent_min, gate->progress,
				 error);
	gate->measured = true;
	if (code != 0)
		return code;
	if (gate->bench.result.end == PGB_BENCH_END_STOPPED)
		return pgb_fail(error, PGB_E_INTERRUPTED, "stopped; nothing was written");
	if (pgb_bench_gate_met(&gate->bench.report))
		return 0;
	pgb_fail(error, PGB_E_CHECK,
		 "a gain of %.3g%% is not shown: the result is %.3f times as fast (%.3f .. %.3f), "
		 "and was thrown away",
		 gate->gain_percent_min, gate->bench.result.comparisons[1].ratio.value,
		 gate->bench.result.comparisons[1].ratio.low,
		 gate->bench.result.comparisons[1].ratio.high);
	return pgb_remedy(error, "the original is as good, or give it more time: --bench-time 5m");
}
