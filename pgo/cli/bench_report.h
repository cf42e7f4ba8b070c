/* SPDX-License-Identifier: MIT */
/* What `bench` found, as text and as JSON. */
#ifndef PGO_CLI_BENCH_REPORT_H
#define PGO_CLI_BENCH_REPORT_H

#include "pgobolt/bench/noise.h"
#include "pgobolt/bench/runner.h"
#include "pgobolt/bench/simulate.h"
#include "pgobolt/pgo/cli/output.h"

struct pgb_bench_report {
	const struct pgb_bench_job *job;
	const struct pgb_bench_result *result;
	const struct pgb_noise *noise;
	const struct pgb_simulation *simulations; /* per command; NULL: none */
	const char *counters_missing;		  /* why there are none; "" where there are some */
	double gain_percent_min;		  /* the gate; negative: none */
};

/* Is the gain of every command but the first at least what was asked? true without a gate. */
bool pgb_bench_gate_met(const struct pgb_bench_report *report);

/* "A  COMMAND" for each, to be said before anything runs; a remark. */
void pgb_bench_print_commands(struct pgb_output *output, const struct pgb_bench_job *job);
void pgb_bench_print(struct pgb_output *output, const struct pgb_bench_report *report);
/* What --json prints and --save writes; the caller owns it. */
struct json_t *pgb_bench_json(const struct pgb_bench_report *report);

#endif
