/* SPDX-License-Identifier: MIT */
/*
 * Spawn and wait: the only fork and exec in the tool.
 */
#ifndef PGOBOLT_COLLECTOR_PROCESS_H
#define PGOBOLT_COLLECTOR_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/text.h"

/* All pointers are borrowed for the time of the call. Zeroed fields mean: inherit. */
struct pgb_spawn {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH unless .. */
	const char *file;	 /* .. this names what to execute (argv[0] stays what it is) */
	const char *directory;
	const char *const *environment; /* "NAME=value" to set, "NAME" to remove; NULL-ended */
	bool quiet_stdin;		/* /dev/null instead of ours */
	int fd_stdout, fd_stderr;	/* 0: inherit */
	bool own_group;	      /* a process group of its own, so that all of it can be killed */
	bool die_with_parent; /* SIGKILL when we die (PR_SET_PDEATHSIG) */
	bool held;	      /* wait before exec until pgb_process_start() */
	/* In a private mount namespace, bind `bind_from` over `bind_to` first (both or none). */
	const char *bind_from, *bind_to;
};

struct pgb_process {
	pid_t pid;
	int fd_go;   /* held child: write one byte to let it exec; -1 */
	int fd_exec; /* reads the errno of a failed exec; closed by a good one; -1 */
	bool own_group;
};

/*
 * Errors, also of the exec itself: PGB_E_NOT_FOUND (command not found), PGB_E_PERMISSION (cannot
 * execute), PGB_E_RESOURCE. A held child reports exec errors in pgb_process_start().
 */
int pgb_process_spawn(struct pgb_process *process, const struct pgb_spawn *spawn,
		      struct pgb_error *error);
int pgb_process_start(struct pgb_process *process, struct pgb_error *error);

/* 1 ended (status as from waitpid), 0 still running after timeout_ms (-1: no limit), or error. */
int pgb_process_wait(struct pgb_process *process, int timeout_ms, int *wait_status,
		     struct pgb_error *error);

/* SIGTERM, after grace_ms SIGKILL, to the group where it has one; reaps. */
void pgb_process_stop(struct pgb_process *process, int grace_ms);

/* Exit status as a shell gives it: status, or 128 + signal. */
int pgb_process_exit_status(int wait_status);

/*
 * Run to the end and gather output. `out` and `err` may be NULL (inherit) or the same text.
 * timeout_s 0: none. Each is cut at 64 MiB. PGB_E_TOOL on a time-out, with the command named;
 * a non-zero status is no error: see *wait_status.
 */
int pgb_process_run(const struct pgb_spawn *spawn, unsigned int timeout_s, struct pgb_text *out,
		    struct pgb_text *err, int *wait_status, struct pgb_error *error);

/* The command as one could type it into a shell, quoted where needed; the caller frees it. */
char *pgb_process_command_line(const char *const *argv);

#endif
