/* SPDX-License-Identifier: MIT */
#include "collector/walker_proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

bool walker_read_text(const char *path, char *text, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	text[0] = '\0';
	if (fd < 0)
		return false;
	size = read(fd, text, most - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	return size > 0;
}

enum { STAT_BYTES = 1024 };

static bool parse_stat(const char *text, char *state, int *cpu, struct pgb_walk_identity *identity)
{
	/* the name stands in parentheses and may hold anything: the last one ends it */
	const char *at = strrchr(text, ')');
	unsigned long long fields[40] = {0};
	char *end;

	if (at == NULL || at[1] != ' ')
		return false;
	*state = at[2];
	at += 3;
	/* proc_pid_stat(5) counts from 1: the number behind the state is field 4 */
	for (unsigned int field = 4; field < 40 && *at != '\0'; field++, at = end)
		fields[field] = strtoull(at, &end, 10);
	identity->start_time = fields[22];
	identity->start_stack = fields[28];
	*cpu = (int)fields[39];
	return true;
}

unsigned long walker_task_flags(pid_t pid)
{
	enum { FLAGS_FIELD = 9 };
	char path[64], text[STAT_BYTES], *at;
	unsigned long flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!walker_read_text(path, text, sizeof(text)) || (at = strrchr(text, ')')) == NULL)
		return 0;
	at += strcspn(at, "0123456789-");
	for (int field = 4; field <= FLAGS_FIELD; field++)
		flags = strtoul(at, &at, 10);
	return flags;
}

bool walker_has_ended(pid_t pid)
{
	enum { THREADS_FIELD = 20 };
	char path[64], text[STAT_BYTES], *at, state;
	unsigned long threads = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!walker_read_text(path, text, sizeof(text)) || (at = strrchr(text, ')')) == NULL ||
	    at[1] != ' ')
		return true;
	state = at[2];
	at += 3;
	for (int field = 4; field <= THREADS_FIELD; field++)
		threads = strtoul(at, &at, 10);
	/* the first thread may end before the others, and is a zombie then */
	return (state == 'Z' || state == 'X') && threads <= 1;
}

static int open_stat(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool read_stat(int fd, char *state, int *cpu, struct pgb_walk_identity *identity)
{
	char text[STAT_BYTES];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	text[size > 0 ? size : 0] = '\0';
	return parse_stat(text, state, cpu, identity);
}

bool walker_read_stat(pid_t pid, pid_t tid, char *state, int *cpu,
		      struct pgb_walk_identity *identity)
{
	int fd = open_stat(pid, tid);
	bool is_there;

	if (fd < 0)
		return false;
	is_there = read_stat(fd, state, cpu, identity);
	close(fd);
	return is_there;
}

bool walker_read_stat_again(struct walker_stat_files *files, pid_t pid, pid_t tid, char *state,
			    int *cpu, struct pgb_walk_identity *identity)
{
	unsigned int slot = (unsigned int)tid % WALKER_STAT_FILES;

	/* the file of a thread that ended says so, whoever has its number now */
	if (files->items[slot].tid == tid && read_stat(files->items[slot].fd, state, cpu, identity))
		return true;
	if (files->items[slot].tid != 0)
		close(files->items[slot].fd);
	files->items[slot].fd = open_stat(pid, tid);
	files->items[slot].tid = files->items[slot].fd >= 0 ? tid : 0;
	return files->items[slot].tid != 0 &&
	       read_stat(files->items[slot].fd, state, cpu, identity);
}

void walker_stat_files_close(struct walker_stat_files *files)
{
	for (unsigned int i = 0; i < WALKER_STAT_FILES; i++)
		if (files->items[i].tid != 0)
			close(files->items[i].fd);
	memset(files, 0, sizeof(*files));
}

enum { STATUS_BYTES = 4096 };

/* /proc/TID/status; false: it has ended. */
static bool read_status(pid_t tid, char text[STATUS_BYTES])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return walker_read_text(path, text, STATUS_BYTES);
}

static bool status_mask(const char *text, const char *name, unsigned long long *mask)
{
	const char *at = strstr(text, name);

	if (at == NULL)
		return false;
	*mask = strtoull(at + strlen(name), NULL, 16);
	return true;
}

bool walker_signal_pending(pid_t tid)
{
	unsigned long long own, shared, blocked;
	char text[STATUS_BYTES];

	if (!read_status(tid, text) || !status_mask(text, "\nSigPnd:", &own) ||
	    !status_mask(text, "\nShdPnd:", &shared) || !status_mask(text, "\nSigBlk:", &blocked))
		return true;
	return ((own | shared) & ~blocked) != 0;
}

bool walker_is_traced(pid_t tid)
{
	unsigned long long tracer;
	char text[STATUS_BYTES];

	/* a decimal number, but anything that is not 0 is all we ask */
	return read_status(tid, text) && status_mask(text, "\nTracerPid:", &tracer) && tracer != 0;
}

pid_t walker_fork(void)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
		raise(SIGKILL);
	return child;
}
