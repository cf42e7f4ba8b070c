/* SPDX-License-Identifier: MIT */
/*
 * Which threads live in which process: tells the end of a process from the end of a thread.
 * A main thread may end long before its process does, so its EXIT record proves nothing.
 */
#ifndef PGOBOLT_COLLECTOR_TASKS_H
#define PGOBOLT_COLLECTOR_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"

struct pgb_tasks {
	PGB_ARRAY(uint64_t) keys; /* pid << 32 | tid, ascending; private */
};

void pgb_tasks_release(struct pgb_tasks *tasks);

/* false: it was known. Beyond PGB_LIMIT_PROCESSES threads none is remembered. */
bool pgb_tasks_add(struct pgb_tasks *tasks, uint32_t pid, uint32_t tid);

/*
 * A thread ended. true: its process has no thread left. Of a process that was never seen to
 * start, the main thread's end counts as that.
 */
bool pgb_tasks_remove(struct pgb_tasks *tasks, uint32_t pid, uint32_t tid);

/* The process that a thread lives in; 0: not known. */
uint32_t pgb_tasks_process_of(const struct pgb_tasks *tasks, uint32_t tid);

/* An exec leaves one thread, whose tid is the pid. */
void pgb_tasks_exec(struct pgb_tasks *tasks, uint32_t pid);

#endif
