/* SPDX-License-Identifier: MIT */
/*
 * Ticks of the CPU's own counter, which hardware puts into its traces, as times of records.
 * Source: include/uapi/linux/perf_event.h, time_mult and time_shift.
 */
#ifndef PGOBOLT_BASE_TICKS_H
#define PGOBOLT_BASE_TICKS_H

#include <stdint.h>

/* Multiplier 0: it is not known how. */
struct pgb_ticks {
	uint64_t zero_ns; /* when the counter was 0; may have wrapped around */
	uint64_t multiplier;
	unsigned int shift; /* below 64 */
};

static inline uint64_t pgb_ticks_to_ns(const struct pgb_ticks *ticks, uint64_t count)
{
	uint64_t rest = count & ((UINT64_C(1) << ticks->shift) - 1);

	return ticks->zero_ns + (count >> ticks->shift) * ticks->multiplier +
	       (rest * ticks->multiplier >> ticks->shift);
}

#endif
