/* SPDX-License-Identifier: MIT */
/* A file of cachegrind's: all of its sums are taken, or nothing. */
#include <stdlib.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/bench/simulate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char *text = pgb_dup_bytes(bytes, size_bytes);
	struct pgb_simulation simulation = {0}, before;
	bool good = pgb_simulate_parse(&simulation, text);

	pgb_assert(simulation.processes == good);
	before = simulation;
	pgb_assert(pgb_simulate_parse(&simulation, text) == good);
	for (int i = 0; i < PGB_SIMULATED_COUNT; i++) {
		pgb_assert(good || simulation.values[i] == 0);
		pgb_assert(simulation.values[i] >= before.values[i]);
	}
	free(text);
	return 0;
}
