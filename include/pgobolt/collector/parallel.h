/* SPDX-License-Identifier: MIT */
/*
 * A piece of work that several threads share, until all have done with it.
 */
#ifndef PGOBOLT_COLLECTOR_PARALLEL_H
#define PGOBOLT_COLLECTOR_PARALLEL_H

#include <stddef.h>

/* Processors that this process may run on; at least 1. */
size_t pgb_parallel_processors(void);

/*
 * Call `work` with each index below `count`, each in a thread of its own, 0 in the caller's;
 * return when all have returned. Where there is no thread to be had the caller's does it, after its
 * own: nobody may wait for one with a higher index. Signals are for the thread that calls.
 */
void pgb_parallel_run(size_t count, void (*work)(void *context, size_t index), void *context);

#endif
