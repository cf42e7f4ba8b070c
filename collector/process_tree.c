/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct kinship {
	pid_t pid, parent;
	char state;
};

typedef PGB_ARRAY(struct kinship) kinships;
typedef PGB_ARRAY(pid_t) pids;

enum {
	/* How long one that waits for the disk or for vfork() is waited for: it may take for ever.
	 */
	HOLD_MS = 100,
	/* Others stop as soon as they have a CPU, which may take long on a busy machine. */
	HOLD_MOST_MS = 5000,
};

/* Of a process and its descendants, what keeps them from being all stopped. */
enum hindrance { NONE, WAITING, RUNNING };

/* Fields 3 and 4 of proc_pid_stat(5). false: it has ended. */
static bool read_kinship(struct kinship *one, const char *pid)
{
	char path[64], text[512], *at;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	/* the name stands in parentheses and may hold anything: the last one ends it */
	at = strrchr(text, ')');
	if (at == NULL || strlen(at) <= 4)
		return false;
	one->state = at[2];
	one->parent = (pid_t)strtol(at + 4, NULL, 10);
	return one->parent > 0;
}

static void read_kinships(kinships *all)
{
	DIR *listing = opendir("/proc");
	struct dirent *entry;

	while (listing && (entry = readdir(listing)) != NULL) {
		struct kinship one = {.pid = (pid_t)atoi(entry->d_name)};

		if (one.pid > 0 && read_kinship(&one, entry->d_name))
			pgb_array_push(all, one);
	}
	if (listing)
		closedir(listing);
}

static int send_signal(int pidfd, int number)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

static void add_member(struct pgb_process_tree *tree, const struct kinship *kin)
{
	struct pgb_process_relative member = {.pid = kin->pid, .parent = kin->parent};

	member.pidfd = (int)syscall(SYS_pidfd_open, kin->pid, 0);
	if (member.pidfd >= 0)
		pgb_array_push(&tree->members, member);
}

static bool holds(const pids *family, pid_t pid)
{
	for (size_t i = 0; i < family->count; i++)
		if (family->items[i] == pid)
			return true;
	return false;
}

static bool is_member(const struct pgb_process_tree *tree, pid_t root, pid_t pid)
{
	for (size_t i = 0; i < tree->members.count; i++)
		if (tree->members.items[i].pid == pid)
			return true;
	return pid == root;
}

/* What is stopped, or has ended, does not fork. */
static enum hindrance find_hindrance(const struct pgb_process_tree *tree, pid_t root,
				     const kinships *all)
{
	enum hindrance found = NONE;

	for (size_t i = 0; i < all->count; i++) {
		char state = all->items[i].state;

		if (strchr("TtZX", state) != NULL || !is_member(tree, root, all->items[i].pid))
			continue;
		if (state != 'D')
			return RUNNING;
		found = WAITING;
	}
	return found;
}

/*
 * Add the descendants that `root` and the members have now. NONE: these are all of them, as there
 * were no new ones and nobody ran.
 */
static enum hindrance gather(struct pgb_process_tree *tree, pid_t root)
{
	size_t known = tree->members.count;
	enum hindrance found;
	kinships all = {0};
	pids family = {0};

	read_kinships(&all);
	pgb_array_push(&family, root);
	/* who is still there now had this number while /proc was read */
	for (size_t i = 0; i < known; i++)
		if (send_signal(tree->members.items[i].pidfd, 0) == 0)
			pgb_array_push(&family, tree->members.items[i].pid);
	/* `family` grows while it is walked: children, then theirs */
	for (size_t i = 0; i < family.count; i++) {
		for (size_t k = 0; k < all.count; k++) {
			if (all.items[k].parent != family.items[i] ||
			    holds(&family, all.items[k].pid))
				continue;
			pgb_array_push(&family, all.items[k].pid);
			add_member(tree, &all.items[k]);
		}
	}
	found = tree->members.count == known ? find_hindrance(tree, root, &all) : RUNNING;
	pgb_array_release(&all);
	pgb_array_release(&family);
	return found;
}

static void send_all(const struct pgb_process_tree *tree, pid_t root, int number)
{
	kill(root, number);
	for (size_t i = 0; i < tree->members.count; i++)
		send_signal(tree->members.items[i].pidfd, number);
}

void pgb_process_tree_hold(struct pgb_process_tree *tree, pid_t root)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	/*
	 * A fork that a signal finds under way is completed: only what was seen stopped has no
	 * children but those that /proc shows after that (kernel/fork.c, copy_process()).
	 */
	for (int pauses = 0; pauses < HOLD_MOST_MS; pauses++) {
		enum hindrance found;

		send_all(tree, root, SIGSTOP);
		found = gather(tree, root);
		if (found == NONE || (found == WAITING && pauses >= HOLD_MS))
			return;
		nanosleep(&pause, NULL);
	}
}

void pgb_process_tree_signal(const struct pgb_process_tree *tree, pid_t root, int number)
{
	send_all(tree, root, number);
	send_all(tree, root, SIGCONT); /* a stopped process would not see it */
}

void pgb_process_tree_release(struct pgb_process_tree *tree)
{
	for (size_t i = 0; i < tree->members.count; i++)
		close(tree->members.items[i].pidfd);
	pgb_array_release(&tree->members);
}

static void spare(struct pgb_process_tree *tree, pgb_process_spared *spared, const void *context)
{
	size_t kept = 0;

	for (size_t i = 0; i < tree->members.count; i++) {
		const struct pgb_process_relative member = tree->members.items[i];

		if (!spared(&member, context)) {
			tree->members.items[kept++] = member;
			continue;
		}
		send_signal(member.pidfd, SIGCONT);
		close(member.pidfd);
	}
	tree->members.count = kept;
}

void pgb_process_tree_kill_but(pid_t root, int number, pgb_process_spared *spared,
			       const void *context)
{
	struct pgb_process_tree tree = {0};

	pgb_process_tree_hold(&tree, root);
	if (spared)
		spare(&tree, spared, context);
	pgb_process_tree_signal(&tree, root, number);
	pgb_process_tree_release(&tree);
}

void pgb_process_tree_kill(pid_t root, int number)
{
	pgb_process_tree_kill_but(root, number, NULL, NULL);
}
