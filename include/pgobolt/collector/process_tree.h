/* SPDX-License-Identifier: MIT */
/*
 * What a process started, and what that started in turn, as /proc tells it. What has left the tree
 * (its parent ended before: daemons) is not in it.
 */
#ifndef PGOBOLT_COLLECTOR_PROCESS_TREE_H
#define PGOBOLT_COLLECTOR_PROCESS_TREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "pgobolt/base/array.h"

struct pgb_process_relative {
	pid_t pid, parent;
	int pidfd; /* what is signalled: a number may name another process by then */
};

struct pgb_process_tree {
	PGB_ARRAY(struct pgb_process_relative) members;
};

/*
 * SIGSTOP to `root`, which was not reaped yet, and to its descendants, until all are members:
 * nobody forks out of it after that. Where the kernel has no pidfds (before 5.3) or no descriptor
 * is left, the tree stays smaller.
 */
void pgb_process_tree_hold(struct pgb_process_tree *tree, pid_t root);
/* To `root` and each member that still runs; to held ones followed by SIGCONT. */
void pgb_process_tree_signal(const struct pgb_process_tree *tree, pid_t root, int number);
void pgb_process_tree_release(struct pgb_process_tree *tree);

/* Hold, signal and release. */
void pgb_process_tree_kill(pid_t root, int number);
/* Those for whom `spared` is true are not signalled: they go on. */
typedef bool pgb_process_spared(const struct pgb_process_relative *member, const void *context);
void pgb_process_tree_kill_but(pid_t root, int number, pgb_process_spared *spared,
			       const void *context);

#endif
