/* SPDX-License-Identifier: MIT */
/* Threads that appeared while we attached: their samples must not count twice. */
#include "pgobolt/collector/feed_live_open.h"

static struct pgb_live_late *find_late(struct pgb_live_set *set, uint32_t tid)
{
	for (size_t i = 0; i < set->late.count; i++)
		if (set->late.items[i].tid == (pid_t)tid)
			return &set->late.items[i];
	return NULL;
}

/* Samples of late threads count where they come from the events that were opened for them. */
static bool counts_twice(struct pgb_live_set *set, const struct pgb_record *record)
{
	const struct pgb_live_late *late = find_late(set, record->tid);

	for (size_t i = 0; late && i < set->late_ids.count; i++)
		if (set->late_ids.items[i].id == record->id &&
		    set->late_ids.items[i].tid == late->opened_tid)
			return false;
	return late != NULL;
}

/* What a late thread starts inherits what it has; an ended one's number may be given again. */
static void follow_late(struct pgb_live_set *set, const struct pgb_record *record)
{
	struct pgb_live_late *parent = find_late(set, record->task.parent_tid);
	struct pgb_live_late *subject = find_late(set, record->subject_tid);

	if (record->type == PERF_RECORD_FORK && parent && !subject) {
		struct pgb_live_late child = {(pid_t)record->subject_tid, parent->opened_tid};

		pgb_array_push(&set->late, child);
	} else if (record->type == PERF_RECORD_EXIT && subject) {
		*subject = set->late.items[--set->late.count];
	}
}

bool pgb_live_accept(struct pgb_live_set *set, const struct pgb_record *record)
{
	if (set->late.count == 0)
		return true;
	if (record->type == PERF_RECORD_FORK || record->type == PERF_RECORD_EXIT)
		follow_late(set, record);
	return record->type != PERF_RECORD_SAMPLE || !counts_twice(set, record);
}
