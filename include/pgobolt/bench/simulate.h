/* SPDX-License-Identifier: MIT */
/*
 * Instruction cache and branch figures where the CPU counts nothing: by valgrind's cachegrind, of
 * one and the same machine everywhere (32 KiB first-level caches in 8 ways, an 8 MiB last level, 64
 * byte lines; cachegrind's own branch predictor). No model of a real CPU, but it counts exactly,
 * and what a better layout saves shows.
 */
#ifndef PGOBOLT_BENCH_SIMULATE_H
#define PGOBOLT_BENCH_SIMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/error.h"

enum pgb_simulated {
	PGB_SIMULATED_INSTRUCTIONS,
	PGB_SIMULATED_L1I_MISSES,
	PGB_SIMULATED_LLI_MISSES,
	PGB_SIMULATED_BRANCHES, /* conditional */
	PGB_SIMULATED_BRANCH_MISSES,
	PGB_SIMULATED_INDIRECT, /* jumps and calls */
	PGB_SIMULATED_INDIRECT_MISSES,
	PGB_SIMULATED_COUNT
};

/* "instructions", "L1-icache misses": for people. */
const char *pgb_simulated_name(enum pgb_simulated figure);

struct pgb_simulation {
	uint64_t values[PGB_SIMULATED_COUNT]; /* of all processes of the command */
	uint64_t processes;
};

/* The path of valgrind; NULL: PGB_E_NOT_FOUND, the remedy names the package. The caller frees it.
 */
char *pgb_simulate_find(struct pgb_error *error);

/*
 * Run a command (for /bin/sh -c; environment as in struct pgb_spawn) under cachegrind, some fifty
 * times slower than by itself; its output is thrown away. Errors: PGB_E_TOOL (it failed, or took
 * longer than timeout_s), PGB_E_CORRUPT (what cachegrind wrote is not understood),
 * PGB_E_RESOURCE (no room for its files).
 */
int pgb_simulate(struct pgb_simulation *simulation, const char *valgrind, const char *shell,
		 const char *const *environment, unsigned int timeout_s, struct pgb_error *error);

/* Add what one file of cachegrind's holds; false: it is something else. */
bool pgb_simulate_parse(struct pgb_simulation *simulation, const char *text);

#endif
