/* SPDX-License-Identifier: MIT */
/* Measuring, with what it tells about the machine: for `bench` and for `optimize --bench`. */
#ifndef PGO_CLI_BENCH_MEASURE_H
#define PGO_CLI_BENCH_MEASURE_H

#include "pgo/cli/bench_report.h"
#include "pgobolt/pgo/cli/progress.h"

/* Must not move once it was filled: `report` points into it. */
struct pgb_bench_measured {
	struct pgb_bench_result result;
	struct pgb_noise noise;
	struct pgb_error refusal; /* of the counters */
	struct pgb_simulation *simulations;
	struct pgb_bench_report report;
};

/*
 * Run the job, whose counters and progress are set here, and note what made the times vary. The
 * job must outlive `measured`, which is to be released in any case. Errors: those of
 * pgb_bench_run().
 */
int pgb_bench_measure(struct pgb_bench_measured *measured, struct pgb_bench_job *job,
		      double gain_percent_min, struct pgb_progress *progress,
		      struct pgb_error *error);
/*
 * Run each command once more, under cachegrind. Where that cannot be done a remark among the noise
 * says so; only a request to stop is an error.
 */
int pgb_bench_measure_simulated(struct pgb_bench_measured *measured, struct pgb_progress *progress,
				struct pgb_error *error);
void pgb_bench_measured_release(struct pgb_bench_measured *measured);

#endif
