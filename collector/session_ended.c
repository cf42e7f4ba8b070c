/* SPDX-License-Identifier: MIT */
/*
 * Samples of AUX areas are told later than they were taken: who ran then, and threads that have
 * ended, kept for a while, as samples may be of somebody who is gone by then.
 */
#include "collector/session_private.h"

enum { ENDED_MAX = 4096 };

static void forget(struct pgb_session *session, size_t index)
{
	struct pgb_session_ended *items = session->ended.items;

	if (items[index].was_last)
		pgb_addrspace_exit(session->space, items[index].pid);
	session->ended.count--;
	memmove(&items[index], &items[index + 1],
		(session->ended.count - index) * sizeof(items[0]));
}

void pgb_session_end_later(struct pgb_session *session, uint32_t pid, uint32_t tid, bool was_last)
{
	struct pgb_session_ended ended = {pid, tid, was_last};

	if (session->ended.count == ENDED_MAX)
		forget(session, 0);
	pgb_array_push(&session->ended, ended);
}

void pgb_session_begin_again(struct pgb_session *session, uint32_t pid, uint32_t tid)
{
	for (size_t i = session->ended.count; i-- > 0;)
		if (session->ended.items[i].tid == tid ||
		    (session->ended.items[i].pid == pid && pid == tid))
			forget(session, i);
}

uint32_t pgb_session_process_of(void *context, uint32_t tid)
{
	const struct pgb_session_counter *counter = context;
	const struct pgb_session *session = counter->session;
	uint32_t pid = pgb_tasks_process_of(&session->tasks, tid);

	for (size_t i = session->ended.count; pid == 0 && i-- > 0;)
		if (session->ended.items[i].tid == tid)
			pid = session->ended.items[i].pid;
	return pid;
}

bool pgb_session_thread_at(void *context, uint32_t cpu, uint64_t time_ns, struct pgb_switch *thread)
{
	const struct pgb_session_counter *counter = context;

	return pgb_switches_find(&counter->session->switches, cpu, time_ns, thread);
}
