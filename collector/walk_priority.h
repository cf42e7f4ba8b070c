/* SPDX-License-Identifier: MIT */
/*
 * How soon the scheduler lets the calling thread run. Next to 64 busy threads one of many gets a
 * 65th of the CPU, at some time: not enough to visit them all, and too late for each.
 */
#ifndef PGOBOLT_COLLECTOR_WALK_PRIORITY_H
#define PGOBOLT_COLLECTOR_WALK_PRIORITY_H

#include <stdbool.h>

struct walk_priority {
	bool is_raised;
	int nice;
};

/* As far as we may: without privileges only sooner, not more. */
void walk_priority_raise(struct walk_priority *before);
void walk_priority_restore(const struct walk_priority *before);

#endif
