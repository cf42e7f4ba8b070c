/* SPDX-License-Identifier: MIT */
/* optimize --bench: is the finished file faster than the original? */
#ifndef PGO_CLI_OPTIMIZE_GATE_H
#define PGO_CLI_OPTIMIZE_GATE_H

#include "pgo/cli/bench_measure.h"

struct pgb_optimize_gate {
	const char *command; /* {} and $PGOBOLT_BINARY: the binary */
	const char *original;
	double gain_percent_min; /* negative: measure only */
	uint64_t time_ns;
	struct pgb_progress *progress;
	/* filled */
	bool measured;
	struct pgb_bench_command commands[2];
	struct pgb_bench_job job;
	struct pgb_bench_measured bench;
};

/*
 * As pgb_optimize_job.accept; `context` is the gate, which must not move. Measures, and refuses
 * with PGB_E_CHECK what does not show the gain.
 */
int pgb_optimize_gate(void *context, const char *path, struct pgb_error *error);
void pgb_optimize_gate_release(struct pgb_optimize_gate *gate);

#endif
