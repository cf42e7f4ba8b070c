/* SPDX-License-Identifier: MIT */
#include "collector/walker_proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

bool walker_read_stat(pid_t pid, pid_t tid, char *state, int *cpu,
		      struct pgb_walk_identity *identity)
{
	char path[64], text[1024], *at;
	unsigned long long fields[40] = {0};

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!walker_read_text(path, text, sizeof(text)))
		return false;
	/* the name stands in parentheses and may hold anything: the last one ends it */
	at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ')
		return false;
	*state = at[2];
	at += 3;
	/* proc_pid_stat(5) counts from 1: the number behind the state is field 4 */
	for (unsigned int field = 4; field < 40 && *at != '\0'; field++)
		fields[field] = strtoull(at, &at, 10);
	identity->start_time = fields[22];
	identity->start_stack = fields[28];
	*cpu = (int)fields[39];
	return true;
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
