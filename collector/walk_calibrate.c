/* SPDX-License-Identifier: MIT */
#include "collector/walk_calibrate.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/walker_proc.h"

enum {
	VISITS = 15,
	PAUSE_NS = 150 * 1000,
	/* The child's own loop takes less; an interrupt takes more. */
	GAP_NS = 1000,
	/* What other programs do meanwhile shall not count for more than it can be. */
	MISSED_LEAST_NS = 2 * 1000,
	MISSED_MOST_NS = 30 * 1000,
	MISSED_USUAL_NS = 10 * 1000,
	COLD_NS = 25 * 1000,
};

/*
 * Interrupts and switches are a part of what a program loses, which the child sees; caches and
 * predictors that are cold afterwards are another, which it does not. Both as measured on
 * interpreters, 64 threads and short processes, so that the whole is what they really lost.
 */
static struct walk_prices prices_of(uint64_t missed_ns)
{
	return (struct walk_prices){.visit_ns = COLD_NS + missed_ns * 4,
				    .ticket_ns = missed_ns * 3 / 2,
				    .task_ns = missed_ns * 3};
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The child: adds up what it misses, until it is killed. */
static _Noreturn void watch(volatile uint64_t *missed_ns)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC);

	for (;;) {
		uint64_t now = clock_now(CLOCK_MONOTONIC);

		if (now - before > GAP_NS)
			*missed_ns += now - before;
		before = now;
	}
}

static bool visit(pid_t child)
{
	int status;

	if (ptrace(PTRACE_SEIZE, child, NULL, NULL) != 0)
		return false;
	ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
	if (waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status))
		return false;
	return ptrace(PTRACE_DETACH, child, NULL, NULL) == 0;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* The median of what a visit and our waking up for it cost the child, less our own CPU time. */
static uint64_t measure(pid_t child, const volatile uint64_t *missed_ns)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t each[VISITS];

	nanosleep(&pause, NULL);
	for (unsigned int i = 0; i < VISITS; i++) {
		uint64_t missed = *missed_ns, own = clock_now(CLOCK_THREAD_CPUTIME_ID);

		if (!visit(child))
			return MISSED_USUAL_NS;
		nanosleep(&pause, NULL);
		missed = *missed_ns - missed;
		own = clock_now(CLOCK_THREAD_CPUTIME_ID) - own;
		each[i] = missed > own ? missed - own : 0;
	}
	qsort(each, VISITS, sizeof(each[0]), compare);
	return each[VISITS / 2];
}

/* Where we are, for us and for the child. */
static bool stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return false;
	CPU_SET((unsigned int)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

void walk_calibrate(struct walk_prices *prices)
{
	uint64_t missed = MISSED_USUAL_NS, *shared;
	cpu_set_t affinity;
	pid_t child;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared != MAP_FAILED && sched_getaffinity(0, sizeof(affinity), &affinity) == 0 &&
	    stay_here()) {
		child = walker_fork();
		if (child == 0)
			watch(shared);
		if (child > 0) {
			missed = measure(child, shared);
			kill(child, SIGKILL);
			waitpid(child, NULL, __WALL);
		}
		sched_setaffinity(0, sizeof(affinity), &affinity);
	}
	if (shared != MAP_FAILED)
		munmap(shared, sizeof(*shared));
	*prices = prices_of(missed < MISSED_LEAST_NS  ? MISSED_LEAST_NS
			    : missed > MISSED_MOST_NS ? MISSED_MOST_NS
						      : missed);
}
