/* SPDX-License-Identifier: MIT */
/* What a visit asks /proc about one thread. */
#ifndef PGOBOLT_COLLECTOR_WALKER_PROC_H
#define PGOBOLT_COLLECTOR_WALKER_PROC_H

#include <stdbool.h>

#include "pgobolt/collector/walker.h"

/* A small file of /proc in one read, NUL-terminated; false: not there, or empty ("" then). */
bool walker_read_text(const char *path, char *text, size_t most);
/* State, CPU and whose exec it is; false: it has ended. */
bool walker_read_stat(pid_t pid, pid_t tid, char *state, int *cpu,
		      struct pgb_walk_identity *identity);

/* The same for threads that are asked about often: their files are kept open. Zeroed: empty. */
enum { WALKER_STAT_FILES = 64 };
struct walker_stat_files {
	struct {
		pid_t tid;
		int fd;
	} items[WALKER_STAT_FILES];
};
bool walker_read_stat_again(struct walker_stat_files *files, pid_t pid, pid_t tid, char *state,
			    int *cpu, struct pgb_walk_identity *identity);
void walker_stat_files_close(struct walker_stat_files *files);

/* PF_.. of the kernel, from /proc/PID/stat; 0: it has ended. */
enum { WALKER_FLAG_EXITING = 0x4, WALKER_FLAG_KERNEL_THREAD = 0x200000 };
unsigned long walker_task_flags(pid_t pid);
/* No thread of it runs any more, whether or not it is reaped. */
bool walker_has_ended(pid_t pid);
/* Is a signal on its way that the thread does not block? When in doubt, yes. */
bool walker_signal_pending(pid_t tid);
bool walker_is_traced(pid_t tid);
/* fork(), with a child that does not outlive us, however we end. */
pid_t walker_fork(void);

#endif
