/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/tasks.h"
#include "pgobolt/base/search.h"

#include "pgobolt/base/limits.h"

void pgb_tasks_release(struct pgb_tasks *tasks)
{
	pgb_array_release(&tasks->keys);
}

static uint64_t key_of(uint32_t pid, uint32_t tid)
{
	return (uint64_t)pid << 32 | tid;
}

/* Index of the first key that is not less. */
static size_t lower_bound(const struct pgb_tasks *tasks, uint64_t key)
{
	return pgb_search(tasks->keys.count, i, tasks->keys.items[i] < key);
}

static bool holds(const struct pgb_tasks *tasks, size_t at, uint64_t key)
{
	return at < tasks->keys.count && tasks->keys.items[at] == key;
}

static bool has_process(const struct pgb_tasks *tasks, uint32_t pid)
{
	size_t at = lower_bound(tasks, key_of(pid, 0));

	return at < tasks->keys.count && tasks->keys.items[at] >> 32 == pid;
}

static void cut(struct pgb_tasks *tasks, size_t from, size_t to)
{
	uint64_t *items = tasks->keys.items;

	memmove(items + from, items + to, (tasks->keys.count - to) * sizeof(*items));
	tasks->keys.count -= to - from;
}

bool pgb_tasks_add(struct pgb_tasks *tasks, uint32_t pid, uint32_t tid)
{
	uint64_t key = key_of(pid, tid);
	size_t at = lower_bound(tasks, key);
	uint64_t *items;

	if (holds(tasks, at, key))
		return false;
	if (tasks->keys.count >= PGB_LIMIT_PROCESSES)
		return true;
	pgb_array_push(&tasks->keys, key);
	items = tasks->keys.items;
	memmove(items + at + 1, items + at, (tasks->keys.count - 1 - at) * sizeof(*items));
	items[at] = key;
	return true;
}

bool pgb_tasks_remove(struct pgb_tasks *tasks, uint32_t pid, uint32_t tid)
{
	uint64_t key = key_of(pid, tid);
	size_t at = lower_bound(tasks, key);

	if (!holds(tasks, at, key))
		return pid == tid && !has_process(tasks, pid);
	cut(tasks, at, at + 1);
	return !has_process(tasks, pid);
}

uint32_t pgb_tasks_process_of(const struct pgb_tasks *tasks, uint32_t tid)
{
	uint64_t key = key_of(tid, tid);

	if (holds(tasks, lower_bound(tasks, key), key))
		return tid;
	for (size_t i = 0; i < tasks->keys.count; i++)
		if ((uint32_t)tasks->keys.items[i] == tid)
			return (uint32_t)(tasks->keys.items[i] >> 32);
	return 0;
}

void pgb_tasks_exec(struct pgb_tasks *tasks, uint32_t pid)
{
	size_t from = lower_bound(tasks, key_of(pid, 0));
	size_t to = from;

	while (to < tasks->keys.count && tasks->keys.items[to] >> 32 == pid)
		to++;
	if (to > from)
		cut(tasks, from, to);
	pgb_tasks_add(tasks, pid, pid);
}
