/* SPDX-License-Identifier: MIT */
#include "collector/walk_tickets.h"

#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/record.h"
#include "pgobolt/collector/ring.h"

/* The end of an exec, from the new name on, takes less; no program lives so shortly. */
enum { EXEC_NS = 200 * 1000 };

enum {
	YOUNG_MOST = 64, /* remembered; those before them sleep, or are many */
	YOUNG_AMONG = 8, /* of which the next one is drawn */
	YOUNG_ASKED = 4, /* whoever was asked so often sleeps, or will soon have a ticket */
	/* Reading one event's count is to be a small part of the time between. */
	LOOK_LEAST_NS = 20 * 1000 * 1000,
	LOOK_EVENT_NS = 100 * 1000,
};

struct cpu_ring {
	unsigned int cpu;
	uint32_t executed; /* the last task that did so here, and when */
	uint64_t executed_ns;
	struct pgb_ring ring;
};

struct young {
	struct walk_ticket task;
	uint64_t since_ns;
	unsigned int asked;
};

struct walk_tickets {
	const struct pgb_perf_sys *sys;
	const struct pgb_host *host;
	struct perf_event_attr attr;
	struct pgb_record_format format;
	struct walk_proc *proc; /* NULL: perf events */
	pid_t root;		/* the one task whose period we vary; 0: none */
	uint64_t root_period_ns;
	int keeper;			/* see open_root(); < 0: none */
	struct young young[YOUNG_MOST]; /* as they were started */
	size_t young_count;
	struct {
		pid_t tid;
		uint64_t time_ns;
	} ended[YOUNG_MOST]; /* since the last look; rings are not in order with each other */
	size_t ended_count;
	PGB_ARRAY(int) fds;
	PGB_ARRAY(struct cpu_ring) rings; /* of the first event on each CPU */
	PGB_ARRAY(struct pollfd) polls;
};

static struct perf_event_attr clock_attr(const struct walk_tickets_config *config)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.size = PERF_ATTR_SIZE_VER5,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = config->period_ns,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_PERIOD,
		.disabled = 1,
		.enable_on_exec = config->enable_on_exec,
		.inherit = 1,
		.exclude_kernel = 1,
		.comm = 1,
		.comm_exec = 1,
		.sample_id_all = 1,
		.task = 1,
		.exclude_hv = 1,
		.wakeup_events = 1,
	};
}

static int open_ring(struct walk_tickets *tickets, int fd, unsigned int cpu,
		     struct pgb_error *error)
{
	struct cpu_ring ring = {.cpu = cpu};
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	int code = pgb_ring_open(&ring.ring, tickets->sys, fd, 2, error);

	if (code == 0) {
		pgb_array_push(&tickets->rings, ring);
		pgb_array_push(&tickets->polls, poll);
	}
	return code;
}

/* One event of one task on one CPU; it writes to the ring that this CPU has already. */
static int open_event(struct walk_tickets *tickets, pid_t tid, unsigned int cpu,
		      struct pgb_error *error)
{
	const struct pgb_perf_sys *sys = tickets->sys;
	int fd = sys->event_open(sys->context, &tickets->attr, tid, (int)cpu, -1,
				 PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return pgb_feed_live_explain(tickets->host, &tickets->attr, fd, false, error);
	pgb_array_push(&tickets->fds, fd);
	for (size_t i = 0; i < tickets->rings.count; i++) {
		if (tickets->rings.items[i].cpu == cpu)
			return sys->control(sys->context, fd, PERF_EVENT_IOC_SET_OUTPUT,
					    (uintptr_t)tickets->rings.items[i].ring.fd) < 0
				       ? pgb_fail(error, PGB_E_IO, "walk: cannot share a ring")
				       : 0;
	}
	return open_ring(tickets, fd, cpu, error);
}

static int open_thread(struct walk_tickets *tickets, pid_t tid, struct pgb_error *error)
{
	int code = 0;

	for (size_t i = 0; i < tickets->host->cpus_online.count && code == 0; i++)
		code = open_event(tickets, tid, tickets->host->cpus_online.items[i], error);
	return code;
}

/*
 * When a task and its child that have the same events take turns on a CPU, the kernel may swap the
 * events instead of changing them; ours would end with the first child, and nobody could vary
 * their period any more. An event that is not inherited makes the two differ.
 */
static int open_root(struct walk_tickets *tickets, pid_t tid, struct pgb_error *error)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = PERF_ATTR_SIZE_VER5,
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = tickets->sys->event_open(tickets->sys->context, &attr, tid, -1, -1,
					  PERF_FLAG_FD_CLOEXEC);

	tickets->keeper = fd;
	return open_thread(tickets, tid, error);
}

/* All threads of a process that runs already; a thread that ends meanwhile is no error. */
static int open_process(struct walk_tickets *tickets, pid_t pid, struct pgb_error *error)
{
	char *path = pgb_format("/proc/%d/task", pid);
	DIR *folder = opendir(path);
	struct dirent *entry;
	int code = 0, threads = 0;

	free(path);
	while (folder && (entry = readdir(folder)) != NULL && code == 0) {
		struct pgb_error cause = {0};
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		code = open_thread(tickets, tid, &cause);
		if (code == PGB_E_GONE)
			code = 0;
		else if (code == 0)
			threads++;
		else if (error)
			*error = cause;
	}
	if (folder)
		closedir(folder);
	if (code == 0 && threads == 0)
		code = pgb_fail(error, PGB_E_GONE, "walk: process %d is not there", pid);
	return code;
}

static void close_events(struct walk_tickets *tickets)
{
	for (size_t i = 0; i < tickets->rings.count; i++)
		pgb_ring_close(&tickets->rings.items[i].ring);
	for (size_t i = 0; i < tickets->fds.count; i++)
		tickets->sys->close(tickets->sys->context, tickets->fds.items[i]);
	if (tickets->keeper >= 0)
		tickets->sys->close(tickets->sys->context, tickets->keeper);
	tickets->keeper = -1;
	pgb_array_release(&tickets->rings);
	pgb_array_release(&tickets->fds);
	pgb_array_release(&tickets->polls);
}

int walk_tickets_open(struct walk_tickets **result, const struct walk_tickets_config *config,
		      struct pgb_error *error)
{
	struct walk_tickets *tickets = pgb_calloc(1, sizeof(*tickets));
	struct pgb_error cause = {0};
	int code = 0;

	tickets->keeper = -1;
	tickets->sys = config->sys;
	tickets->host = config->host;
	tickets->root = config->enable_on_exec ? config->pids[0] : 0;
	tickets->root_period_ns = config->period_ns;
	tickets->attr = clock_attr(config);
	tickets->format = pgb_record_format_of(&tickets->attr);
	for (size_t i = 0; i < config->pid_count && code == 0; i++)
		code = config->enable_on_exec ? open_root(tickets, config->pids[i], &cause)
					      : open_process(tickets, config->pids[i], &cause);
	if (code == PGB_E_PERMISSION || code == PGB_E_UNSUPPORTED || code == PGB_E_RESOURCE) {
		pgb_log(config->log, PGB_LOG_INFO,
			"walk: no perf events here (%s): threads are found through /proc",
			cause.message);
		close_events(tickets);
		tickets->proc = walk_proc_open(config);
		code = 0;
	}
	if (code != 0) {
		walk_tickets_close(tickets);
		if (error && error->code == PGB_OK)
			*error = cause;
		return code;
	}
	*result = tickets;
	return 0;
}

void walk_tickets_close(struct walk_tickets *tickets)
{
	if (tickets == NULL)
		return;
	close_events(tickets);
	walk_proc_close(tickets->proc);
	free(tickets);
}

int walk_tickets_enable(struct walk_tickets *tickets, struct pgb_error *error)
{
	for (size_t i = 0; i < tickets->fds.count; i++)
		if (tickets->sys->control(tickets->sys->context, tickets->fds.items[i],
					  PERF_EVENT_IOC_ENABLE, 0) < 0)
			return pgb_fail(error, PGB_E_IO, "walk: cannot start the CPU clock");
	return 0;
}

static bool sleep_for(struct pollfd *polls, size_t count, uint64_t timeout_ns)
{
	struct timespec time = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
				.tv_nsec = (long)(timeout_ns % 1000000000u)};

	return ppoll(polls, count, &time, NULL) > 0;
}

unsigned int walk_tickets_wait(struct walk_tickets *tickets, int fd, uint64_t timeout_ns,
			       bool tickets_wake)
{
	struct pollfd other = {.fd = fd, .events = POLLIN};
	unsigned int ready = 0;

	if (tickets->proc)
		return walk_proc_wait(tickets->proc, fd, timeout_ns);
	if (!tickets_wake)
		return sleep_for(&other, 1, timeout_ns) ? WALK_READY_FD : 0;
	pgb_array_push(&tickets->polls, other);
	if (sleep_for(tickets->polls.items, tickets->polls.count, timeout_ns))
		for (size_t i = 0; i < tickets->polls.count; i++)
			if (tickets->polls.items[i].revents != 0)
				ready |= i + 1 < tickets->polls.count ? WALK_READY_TICKET
								      : WALK_READY_FD;
	tickets->polls.count--;
	return ready;
}

/* ---- young tasks */

static void forget_young(struct walk_tickets *tickets, size_t at)
{
	struct young *young = &tickets->young[at];

	tickets->young_count--;
	memmove(young, young + 1, (tickets->young_count - at) * sizeof(*young));
}

/* As of that time; a later task may have its number. */
static void grow_up(struct walk_tickets *tickets, pid_t tid, uint64_t time_ns)
{
	for (size_t i = tickets->young_count; i-- > 0;)
		if (tickets->young[i].task.tid == tid && tickets->young[i].since_ns <= time_ns)
			forget_young(tickets, i);
}

static void bury(struct walk_tickets *tickets)
{
	for (size_t i = 0; i < tickets->ended_count; i++)
		grow_up(tickets, tickets->ended[i].tid, tickets->ended[i].time_ns);
	tickets->ended_count = 0;
}

static void remember_young(struct walk_tickets *tickets, const struct pgb_record *record)
{
	const struct young young = {
		.task = {(pid_t)record->subject_pid, (pid_t)record->subject_tid, -1},
		.since_ns = record->time_ns};

	if (tickets->young_count == YOUNG_MOST)
		forget_young(tickets, 0);
	tickets->young[tickets->young_count++] = young;
}

static void remember_end(struct walk_tickets *tickets, const struct pgb_record *record)
{
	if (tickets->ended_count == YOUNG_MOST)
		bury(tickets);
	tickets->ended[tickets->ended_count].tid = (pid_t)record->subject_tid;
	tickets->ended[tickets->ended_count++].time_ns = record->time_ns;
}

bool walk_tickets_has_young(const struct walk_tickets *tickets)
{
	return tickets->young_count > 0;
}

bool walk_tickets_young(struct walk_tickets *tickets, uint64_t random, struct walk_ticket *task)
{
	size_t among = tickets->young_count < YOUNG_AMONG ? tickets->young_count : YOUNG_AMONG;
	size_t at;

	if (among == 0)
		return false;
	at = tickets->young_count - 1 - random % among;
	*task = tickets->young[at].task;
	if (++tickets->young[at].asked == YOUNG_ASKED)
		forget_young(tickets, at);
	return true;
}

/*
 * The kernel ends the events of a process that gains privileges (setuid, file capabilities) in its
 * exec. We are told as if it had exited, right behind the exec.
 */
static void watch_task(struct walk_tickets *tickets, struct cpu_ring *ring,
		       const struct pgb_record *record, struct walk_draw *draw)
{
	if (record->type == PERF_RECORD_FORK) {
		remember_young(tickets, record);
		draw->tasks++;
	}
	if (record->type == PERF_RECORD_EXIT)
		remember_end(tickets, record);
	if (record->type == PERF_RECORD_COMM && (record->misc & PERF_RECORD_MISC_COMM_EXEC)) {
		ring->executed = record->subject_tid;
		ring->executed_ns = record->time_ns;
	}
	if (record->type == PERF_RECORD_EXIT && record->subject_tid == ring->executed &&
	    record->time_ns - ring->executed_ns < EXEC_NS)
		draw->privileged = (pid_t)record->subject_pid;
}

/* Adds the tickets of a ring to `draw`; the newest one becomes the winner. */
static void drain(struct walk_tickets *tickets, struct cpu_ring *ring, struct walk_draw *draw)
{
	struct pgb_cursor bytes;

	if (pgb_ring_acquire(&ring->ring) == 0)
		return;
	while (pgb_ring_peek(&ring->ring, &bytes) == 1) {
		struct pgb_record record;

		if (pgb_record_parse(&bytes, &tickets->format, &record) != 1) {
			pgb_ring_advance(&ring->ring);
			continue;
		}
		if (record.type == PERF_RECORD_SAMPLE) {
			draw->winner = (struct walk_ticket){(pid_t)record.pid, (pid_t)record.tid,
							    (int)ring->cpu};
			draw->tickets++;
			/* the kernel tells the period that the event had at first */
			draw->cpu_ns += (pid_t)record.tid == tickets->root ? tickets->root_period_ns
									   : record.period_events;
			grow_up(tickets, (pid_t)record.tid, record.time_ns);
		} else {
			watch_task(tickets, ring, &record, draw);
		}
		pgb_ring_advance(&ring->ring);
	}
	pgb_ring_release(&ring->ring);
}

void walk_tickets_take(struct walk_tickets *tickets, uint64_t random, struct walk_draw *draw)
{
	*draw = (struct walk_draw){0};
	if (tickets->proc) {
		walk_proc_take(tickets->proc, random, draw);
		return;
	}
	for (size_t i = 0; i < tickets->rings.count; i++) {
		struct walk_draw here = {0};

		drain(tickets, &tickets->rings.items[i], &here);
		if (here.privileged)
			draw->privileged = here.privileged;
		draw->tasks += here.tasks;
		if (here.tickets == 0)
			continue;
		draw->tickets += here.tickets;
		draw->cpu_ns += here.cpu_ns;
		/* a CPU is drawn by its tickets; on it runs who drew the newest */
		if (pgb_hash_u64(random + i) % draw->cpu_ns < here.cpu_ns)
			draw->winner = here.winner;
	}
	bury(tickets);
}

uint64_t walk_tickets_program_ns(struct walk_tickets *tickets)
{
	uint64_t sum = 0, count;

	if (tickets->proc)
		return walk_proc_program_ns(tickets->proc);
	/* those of a root include what its threads and children used */
	for (size_t i = 0; i < tickets->fds.count; i++)
		if (tickets->sys->read(tickets->sys->context, tickets->fds.items[i], &count,
				       sizeof(count)) == sizeof(count))
			sum += count;
	return sum;
}

uint64_t walk_tickets_look_ns(const struct walk_tickets *tickets)
{
	uint64_t look_ns = tickets->fds.count * LOOK_EVENT_NS;

	return look_ns > LOOK_LEAST_NS ? look_ns : LOOK_LEAST_NS;
}

void walk_tickets_vary(struct walk_tickets *tickets, uint64_t period_ns, uint64_t random)
{
	uint64_t period = period_ns * 3 / 4 + random % (period_ns / 2);

	if (tickets->proc)
		walk_proc_vary(tickets->proc, period_ns);
	if (tickets->root == 0)
		return;
	tickets->root_period_ns = period;
	for (size_t i = 0; i < tickets->fds.count; i++)
		tickets->sys->control(tickets->sys->context, tickets->fds.items[i],
				      PERF_EVENT_IOC_PERIOD, (uintptr_t)&period);
}
