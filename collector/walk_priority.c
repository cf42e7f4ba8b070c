/* SPDX-License-Identifier: MIT */
#include "collector/walk_priority.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	REALTIME_LEAST = 1,
	NICE_LEAST = -20,
	/* Since Linux 6.12: how long we run at a time. A short slice is served at once. */
	SLICE_NS = 100 * 1000,
};

/* struct sched_attr of sched_setattr(2), its first version, which C libraries lack. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

static void set_slice(int nice, uint64_t slice_ns)
{
	struct attributes attributes = {.size = sizeof(attributes),
					.policy = SCHED_OTHER,
					.nice = nice,
					.runtime_ns = slice_ns};

	syscall(SYS_sched_setattr, 0, &attributes, 0);
}

/*
 * Others, however nice, wait for the next tick of a kernel with lazy preemption: 64 threads on two
 * CPUs had us wait for half of the time.
 */
static bool raise_to_realtime(void)
{
	const struct sched_param parameter = {.sched_priority = REALTIME_LEAST};

	return sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameter) == 0;
}

static void raise_nice(int nice_before)
{
	struct rlimit limit;
	int nice = NICE_LEAST;

	if (setpriority(PRIO_PROCESS, 0, nice) != 0) {
		nice = nice_before;
		if (getrlimit(RLIMIT_NICE, &limit) == 0 && 20 - (int)limit.rlim_cur < nice &&
		    setpriority(PRIO_PROCESS, 0, 20 - (int)limit.rlim_cur) == 0)
			nice = 20 - (int)limit.rlim_cur;
	}
	set_slice(nice, SLICE_NS);
}

void walk_priority_raise(struct walk_priority *before)
{
	errno = 0;
	*before = (struct walk_priority){.nice = getpriority(PRIO_PROCESS, 0)};
	if (errno != 0 || sched_getscheduler(0) != SCHED_OTHER)
		return;
	before->is_raised = true;
	if (!raise_to_realtime())
		raise_nice(before->nice);
}

void walk_priority_restore(const struct walk_priority *before)
{
	const struct sched_param none = {0};

	if (!before->is_raised)
		return;
	sched_setscheduler(0, SCHED_OTHER, &none);
	setpriority(PRIO_PROCESS, 0, before->nice);
	set_slice(before->nice, 0);
}
