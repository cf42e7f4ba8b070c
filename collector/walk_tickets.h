/* SPDX-License-Identifier: MIT */
/*
 * Tickets: which thread used a period of CPU time in user mode just now. From perf's cpu-clock,
 * inherited by threads and children, one small ring per CPU that wakes us at every sample; where
 * perf events are forbidden, from /proc.
 */
#ifndef PGOBOLT_COLLECTOR_WALK_TICKETS_H
#define PGOBOLT_COLLECTOR_WALK_TICKETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/perf_sys.h"

struct walk_ticket {
	pid_t pid, tid;
	int cpu; /* where it was drawn; -1: not known */
};

/* What was drawn since the last time. */
struct walk_draw {
	uint64_t tickets;
	uint64_t cpu_ns;	   /* that they stand for */
	struct walk_ticket winner; /* one of them, by CPU time; none: tickets is 0 */
	pid_t privileged;	   /* a process that has just gained privileges by exec; 0: none */
	uint64_t tasks;		   /* that were started */
};

struct walk_tickets;

struct walk_tickets_config {
	const struct pgb_perf_sys *sys;
	const struct pgb_host *host;
	const pid_t *pids;
	size_t pid_count;
	bool enable_on_exec;
	uint64_t period_ns;
	const struct pgb_log *log; /* told when perf events are not to be had */
};

int walk_tickets_open(struct walk_tickets **tickets, const struct walk_tickets_config *config,
		      struct pgb_error *error);
/* NULL is legal. */
void walk_tickets_close(struct walk_tickets *tickets);
int walk_tickets_enable(struct walk_tickets *tickets, struct pgb_error *error);

enum walk_ready { WALK_READY_TICKET = 1, WALK_READY_FD = 2 };
/*
 * Sleep until there may be a ticket, if they are to wake us, or `fd` is readable: which of these; 0
 * at a signal. At the time-out there may be tickets, if they were not to wake us.
 */
unsigned int walk_tickets_wait(struct walk_tickets *tickets, int fd, uint64_t timeout_ns,
			       bool tickets_wake);
/* Take all tickets at hand; `random` chooses. */
void walk_tickets_take(struct walk_tickets *tickets, uint64_t random, struct walk_draw *draw);
/*
 * A task draws its first ticket after a whole period of CPU time; until then it is young, and may
 * never come to it. This one is to be asked whether it runs; false: there is none. The last that
 * were started come first, `random` chooses among them; each call names another one.
 */
bool walk_tickets_has_young(const struct walk_tickets *tickets);
bool walk_tickets_young(struct walk_tickets *tickets, uint64_t random, struct walk_ticket *task);
/* What all that are followed have used, ns, for differences; takes longer the more there are. */
uint64_t walk_tickets_program_ns(struct walk_tickets *tickets);
/* A time between two calls of it that costs next to nothing. */
uint64_t walk_tickets_look_ns(const struct walk_tickets *tickets);
/*
 * Let a program that we started, and tasks that start from now on, draw their tickets at this
 * period, a quarter more or less: those of many alike children must not all fall on the same
 * places. A task keeps for life what it starts with. Call it now and then.
 */
void walk_tickets_vary(struct walk_tickets *tickets, uint64_t period_ns, uint64_t random);

/* The same without perf events (walk_tickets_proc.c). */
struct walk_proc;
struct walk_proc *walk_proc_open(const struct walk_tickets_config *config);
void walk_proc_close(struct walk_proc *proc);
unsigned int walk_proc_wait(struct walk_proc *proc, int fd, uint64_t timeout_ns);
void walk_proc_take(struct walk_proc *proc, uint64_t random, struct walk_draw *draw);
uint64_t walk_proc_program_ns(const struct walk_proc *proc);
void walk_proc_vary(struct walk_proc *proc, uint64_t period_ns);

#endif
