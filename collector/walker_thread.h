/* SPDX-License-Identifier: MIT */
/* What a visit needs of one stopped thread, by architecture. */
#ifndef PGOBOLT_COLLECTOR_WALKER_THREAD_H
#define PGOBOLT_COLLECTOR_WALKER_THREAD_H

#include <stdbool.h>

#include "pgobolt/collector/lookahead.h"

struct walker_registers {
	struct pgb_lookahead_registers general;
	bool in_kernel;	  /* stopped on the way out of a system call */
	bool interrupted; /* .. that returned EINTR */
	bool foreign;	  /* another instruction set than ours */
};

/* 0 or a negative errno. */
int walker_get_registers(pid_t tid, struct walker_registers *registers);
/* Make the interrupted system call again when the thread runs on. */
int walker_restart_syscall(pid_t tid);
ssize_t walker_get_vectors(pid_t tid, void *bytes, size_t size_bytes);

#endif
