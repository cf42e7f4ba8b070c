/* SPDX-License-Identifier: MIT */
/*
 * One visit to one running thread: stop it, look where it will go, let it run on.
 *
 * A visit attaches with PTRACE_SEIZE, stops with PTRACE_INTERRUPT, reads registers and memory,
 * and detaches. Nothing is ever written to the thread, but for one case (see below); between
 * visits nobody traces it. Should we die at any instant, the kernel detaches and the thread runs
 * on: there is no breakpoint, no single-step flag and no signal of ours to be left behind.
 *
 * Signals: one that arrives during a visit is handed on when detaching. Group stops stay.
 * System calls: a thread that a visit finds in the kernel is let go at once. Linux fails a few
 * calls with EINTR when ptrace stops them (signal(7), "Interruption of system calls .. by stop
 * signals"). Where that happened and no signal is pending, the visit sets the call up to be made
 * again, as the kernel itself does for the others.
 * Not on AArch64: the call's first argument is lost to ptrace, and the thread sees the EINTR.
 */
#ifndef PGOBOLT_COLLECTOR_WALKER_H
#define PGOBOLT_COLLECTOR_WALKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgobolt/base/error.h"
#include "pgobolt/collector/lookahead.h"

enum pgb_visit {
	PGB_VISIT_WALKED,    /* walk->branches are good */
	PGB_VISIT_KERNEL,    /* it was in a system call */
	PGB_VISIT_IDLE,	     /* not running: it was left alone */
	PGB_VISIT_SIGNAL,    /* a signal or a stop came first */
	PGB_VISIT_GONE,	     /* it ended */
	PGB_VISIT_TRACED,    /* somebody else traces it */
	PGB_VISIT_FORBIDDEN, /* not ours: setuid, another user, yama */
	PGB_VISIT_FOREIGN,   /* 32-bit or another instruction set */
	PGB_VISIT_ASKED,     /* it was asked to stop before, and did not yet; or too many were */
	PGB_VISIT_PENDING,   /* it will stop when it next runs: see pgb_walker_collect() */
	PGB_VISITS
};

/* Who a process is: these change with exec and with pid reuse. */
struct pgb_walk_identity {
	uint64_t start_time;  /* clock ticks after boot */
	uint64_t start_stack; /* of this exec */
};

struct pgb_walk {
	pid_t pid, tid;
	struct pgb_walk_identity identity;
	struct pgb_lookahead_branch *branches; /* the walker's; valid until the next visit */
	struct pgb_lookahead_result result;
	uint64_t pc;
};

struct pgb_walker;

struct pgb_walker_config {
	size_t depth;	       /* taken branches of one visit, at most */
	uint64_t instructions; /* of one visit, at most; 0: what depth makes of it */
	pid_t own_child;       /* its exit is left for its parent, us, to reap; 0: none */
	/*
	 * Move to the CPU of the thread, where stops are four times as cheap; this thread gets as
	 * much priority as it may have, since it competes with those that it visits.
	 */
	bool follow_cpu;
	/*
	 * Called while the thread is stopped and before it is let go, after a walk; may read
	 * /proc of it. NULL: none.
	 */
	void (*stopped)(void *context, const struct pgb_walk *walk);
	void *context;
};

/* PGB_E_UNSUPPORTED where this build has no look-ahead for its own machine. */
int pgb_walker_new(struct pgb_walker **walker, const struct pgb_walker_config *config,
		   struct pgb_error *error);
void pgb_walker_free(struct pgb_walker *walker);

/*
 * Ask a thread to stop. PENDING: it will, when the scheduler next lets it run, at once or, on a
 * crowded machine, much later; anything else is the outcome, ASKED that no visit was begun. `cpu`
 * is where it ran just now; -1: not known.
 */
enum pgb_visit pgb_walker_begin(struct pgb_walker *walker, pid_t pid, pid_t tid, int cpu);
/*
 * Walk one that has stopped, if any has. PENDING: none has; PGB_VISITS: none is asked for.
 * Does not block. pgb_walker_fd() becomes readable when there is something to collect.
 */
enum pgb_visit pgb_walker_collect(struct pgb_walker *walker, struct pgb_walk *walk);
/*
 * Let go of all that were asked to stop, without looking at them. Waits for those that have not
 * run since, for at most some seconds: whoever stops later stays stopped until pgb_walker_free().
 */
void pgb_walker_let_go(struct pgb_walker *walker);
/*
 * A signalfd of SIGCHLD, which this thread blocks from pgb_walker_new() to pgb_walker_free();
 * the end of a child makes it readable as well. Drained by collect.
 */
int pgb_walker_fd(const struct pgb_walker *walker);

/* Both in one: begin, and wait for the outcome. For tests and single threads. */
enum pgb_visit pgb_walker_visit(struct pgb_walker *walker, pid_t pid, pid_t tid,
				struct pgb_walk *walk);
/* "walked", "in a system call", .. */
const char *pgb_visit_name(enum pgb_visit visit);

/*
 * May we trace our own children here? Tries it on a child. PGB_E_PERMISSION: what forbids it
 * (seccomp, a container without SYS_PTRACE, yama 3) and how to allow it.
 */
int pgb_walker_probe(struct pgb_error *error);

#endif
