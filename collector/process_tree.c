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
#include <unistd.h>

struct kinship {
	pid_t pid, parent;
};

typedef PGB_ARRAY(struct kinship) kinships;
typedef PGB_ARRAY(pid_t) pids;

/* Field 4 of proc_pid_stat(5); -1: it has ended. */
static pid_t parent_of(const char *pid)
{
	char path[64], text[512], *at;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	/* the name stands in parentheses and may hold anything: the last one ends it */
	at = strrchr(text, ')');
	return at != NULL && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : -1;
}

static void read_kinships(kinships *all)
{
	DIR *listing = opendir("/proc");
	struct dirent *entry;

	while (listing && (entry = readdir(listing)) != NULL) {
		struct kinship one = {.pid = (pid_t)atoi(entry->d_name)};

		if (one.pid <= 0)
			continue;
		one.parent = parent_of(entry->d_name);
		if (one.parent > 0)
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

/* Add the descendants that `root` and the members have now. true: there were new ones. */
static bool gather(struct pgb_process_tree *tree, pid_t root)
{
	size_t known = tree->members.count;
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
	pgb_array_release(&all);
	pgb_array_release(&family);
	return tree->members.count > known;
}

static void send_all(const struct pgb_process_tree *tree, pid_t root, int number)
{
	kill(root, number);
	for (size_t i = 0; i < tree->members.count; i++)
		send_signal(tree->members.items[i].pidfd, number);
}

void pgb_process_tree_hold(struct pgb_process_tree *tree, pid_t root)
{
	/* a fork that a signal overtakes is not done: kernel/fork.c, copy_process() */
	do
		send_all(tree, root, SIGSTOP);
	while (gather(tree, root));
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
