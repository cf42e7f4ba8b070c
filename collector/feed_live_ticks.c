/* SPDX-License-Identifier: MIT */
/*
 * The clock of a live feed's records. Where hardware traces whole CPUs, what it stamps its samples
 * with is the CPU's counter: then the records have a clock that goes as evenly.
 */
#include <time.h>

#include "pgobolt/collector/feed_live_open.h"

enum { TRIES = 8 };

bool pgb_live_uses_ticks(const struct pgb_feed_live_config *config)
{
	return config->aux && config->system_wide;
}

uint64_t pgb_live_now_ns(const struct pgb_live_set *set)
{
	const struct pgb_perf_sys *sys = set->sys;
	uint64_t ticks;

	return set->uses_ticks ? sys->raw_clock_ns(sys->context, &ticks)
			       : sys->clock_ns(sys->context);
}

/* The earliest zero of some tries: in the others something came between counter and clock. */
void pgb_live_set_ticks(struct pgb_live_set *set)
{
	const struct perf_event_mmap_page *page = set->rings.items[0].ring.page;
	const struct pgb_perf_sys *sys = set->sys;
	struct pgb_ticks best = {0};

	if (!set->uses_ticks || !page->cap_user_time || page->time_shift > 63)
		return;
	for (int i = 0; i < TRIES; i++) {
		struct pgb_ticks found = {.multiplier = page->time_mult, .shift = page->time_shift};
		uint64_t ticks, now_ns = sys->raw_clock_ns(sys->context, &ticks);

		if (ticks == 0)
			return;
		found.zero_ns = now_ns - pgb_ticks_to_ns(&found, ticks);
		if (i == 0 || (int64_t)(found.zero_ns - best.zero_ns) < 0)
			best = found;
	}
	set->ticks = best;
}
