/* SPDX-License-Identifier: MIT */
/*
 * What a visit costs a program beyond our own CPU time, on this machine: in a virtual one an
 * interrupt may take ten times as long. A child on our CPU watches the clock while it is visited:
 * it misses the time in which it did not run. Takes some milliseconds.
 */
#ifndef PGOBOLT_COLLECTOR_WALK_CALIBRATE_H
#define PGOBOLT_COLLECTOR_WALK_CALIBRATE_H

#include "collector/walk_budget.h"

void walk_calibrate(struct walk_prices *prices);

#endif
