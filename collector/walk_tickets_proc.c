/* SPDX-License-Identifier: MIT */
/*
 * Tickets without perf events: a timer, and the CPU time of each thread as /proc tells it.
 * Children are found through /proc/PID/task/TID/children. Short-lived ones are missed more often
 * than with perf, and time in the kernel counts as well.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "collector/walk_tickets.h"
#include "collector/walker_proc.h"
#include "pgobolt/base/array.h"
#include "pgobolt/base/hash.h"

enum {
	/* Looking for new threads and children costs a few system calls for each. */
	SEARCH_NS = 5 * 1000 * 1000,
	THREADS_MOST = 4096,
	/* The shortest sleep on average. */
	TICK_NS = 1000 * 1000,
};

struct thread {
	pid_t pid, tid;
	uint64_t run_ns;
	bool seen; /* in the search that is going on */
};

struct walk_proc {
	uint64_t period_ns;
	uint64_t searched_ns;
	uint64_t jitter;
	uint64_t carry_ns; /* CPU time that is no whole ticket yet */
	uint64_t program_ns;
	PGB_ARRAY(pid_t) roots;
	PGB_ARRAY(struct thread) threads; /* ascending by tid */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* schedstat's first number: time on a CPU in ns; false: the thread ended. */
static bool read_run_time(const struct thread *thread, uint64_t *run_ns)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", thread->pid, thread->tid);
	if (!walker_read_text(path, text, sizeof(text)))
		return false;
	*run_ns = strtoull(text, NULL, 10);
	return true;
}

/* Where a tid stands or belongs. */
static size_t place_of(const struct walk_proc *proc, pid_t tid)
{
	size_t low = 0, high = proc->threads.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (proc->threads.items[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_thread(struct walk_proc *proc, pid_t pid, pid_t tid)
{
	size_t place = place_of(proc, tid);
	struct thread thread = {.pid = pid, .tid = tid, .seen = true};

	if (place < proc->threads.count && proc->threads.items[place].tid == tid) {
		proc->threads.items[place].seen = true;
		return;
	}
	if (proc->threads.count == THREADS_MOST)
		return;
	read_run_time(&thread, &thread.run_ns);
	pgb_array_push(&proc->threads, thread);
	memmove(&proc->threads.items[place + 1], &proc->threads.items[place],
		(proc->threads.count - 1 - place) * sizeof(thread));
	proc->threads.items[place] = thread;
}

/* The threads of a process, and the processes that each of them started. */
static void search_process(struct walk_proc *proc, pid_t pid, unsigned int depth)
{
	char path[320], children[4096], *at;
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = depth < 64 ? opendir(path) : NULL;
	while (folder && (entry = readdir(folder)) != NULL) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10), child;

		if (tid <= 0)
			continue;
		add_thread(proc, pid, tid);
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tid);
		walker_read_text(path, children, sizeof(children));
		for (at = children; (child = (pid_t)strtol(at, &at, 10)) > 0;)
			search_process(proc, child, depth + 1);
	}
	if (folder)
		closedir(folder);
}

static void search(struct walk_proc *proc)
{
	size_t kept = 0;

	for (size_t i = 0; i < proc->threads.count; i++)
		proc->threads.items[i].seen = false;
	for (size_t i = 0; i < proc->roots.count; i++)
		search_process(proc, proc->roots.items[i], 0);
	/* a child whose parent ended is nobody's we know; it stays while it lives */
	for (size_t i = 0; i < proc->threads.count; i++) {
		const struct thread *thread = &proc->threads.items[i];

		if (thread->seen || kill(thread->tid, 0) == 0 || errno == EPERM)
			proc->threads.items[kept++] = *thread;
	}
	proc->threads.count = kept;
	proc->searched_ns = now_ns();
}

struct walk_proc *walk_proc_open(const struct walk_tickets_config *config)
{
	struct walk_proc *proc = pgb_calloc(1, sizeof(*proc));

	proc->period_ns = config->period_ns;
	for (size_t i = 0; i < config->pid_count; i++)
		pgb_array_push(&proc->roots, config->pids[i]);
	return proc;
}

void walk_proc_close(struct walk_proc *proc)
{
	if (proc == NULL)
		return;
	pgb_array_release(&proc->roots);
	pgb_array_release(&proc->threads);
	free(proc);
}

/* One period, more or less: never in step with the program. */
unsigned int walk_proc_wait(struct walk_proc *proc, int fd, uint64_t timeout_ns)
{
	struct pollfd other = {.fd = fd, .events = POLLIN};
	uint64_t period_ns = proc->period_ns < TICK_NS ? TICK_NS : proc->period_ns;
	uint64_t sleep_ns = period_ns / 2 + pgb_hash_u64(proc->jitter++) % period_ns;
	struct timespec time;

	if (sleep_ns > timeout_ns)
		sleep_ns = timeout_ns;
	time.tv_sec = (time_t)(sleep_ns / 1000000000u);
	time.tv_nsec = (long)(sleep_ns % 1000000000u);
	return WALK_READY_TICKET | (ppoll(&other, 1, &time, NULL) > 0 ? WALK_READY_FD : 0);
}

void walk_proc_take(struct walk_proc *proc, uint64_t random, struct walk_draw *draw)
{
	uint64_t total = 0;

	if (now_ns() - proc->searched_ns > SEARCH_NS)
		search(proc);
	for (size_t i = 0; i < proc->threads.count; i++) {
		struct thread *thread = &proc->threads.items[i];
		uint64_t run_ns, used;

		if (!read_run_time(thread, &run_ns) || run_ns <= thread->run_ns)
			continue;
		used = run_ns - thread->run_ns;
		thread->run_ns = run_ns;
		total += used;
		/* a reservoir of one, weighted by CPU time */
		random = pgb_hash_u64(random + i);
		if (random % total < used)
			draw->winner = (struct walk_ticket){thread->pid, thread->tid, -1};
	}
	proc->program_ns += total;
	proc->carry_ns += total;
	if (total == 0 || proc->carry_ns < proc->period_ns)
		return;
	draw->tickets = proc->carry_ns / proc->period_ns;
	draw->cpu_ns = draw->tickets * proc->period_ns;
	proc->carry_ns -= draw->cpu_ns;
}

uint64_t walk_proc_program_ns(const struct walk_proc *proc)
{
	return proc->program_ns;
}

void walk_proc_vary(struct walk_proc *proc, uint64_t period_ns)
{
	proc->period_ns = period_ns;
}
