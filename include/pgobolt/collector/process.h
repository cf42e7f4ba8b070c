/* SPDX-License-Identifier: MIT */
/*
 * Spawn and wait: the only fork and exec in the tool.
 *
 * The child starts with default signal actions where we have handlers (what we ignore stays
 * ignored) and the signal mask that the caller had. Descriptors are inherited but for those
 * marked close-on-exec, as all of ours are.
 */
#ifndef PGOBOLT_COLLECTOR_PROCESS_H
#define PGOBOLT_COLLECTOR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/text.h"

/* A file that takes the place of another. Absolute paths without links. */
struct pgb_bind {
	const char *from, *to;
};

/* All pointers are borrowed for the time of the call. Zeroed fields mean: inherit. */
struct pgb_spawn {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH unless .. */
	const char *file;	 /* .. this names what to execute (argv[0] stays what it is) */
	const char *directory;	 /* relative names of commands are looked up from there */
	const char *const *environment; /* "NAME=value" to set, "NAME" to remove; NULL-ended */
	bool quiet_stdin;		/* /dev/null instead of ours */
	int fd_stdin;			/* 0: inherit, unless quiet_stdin */
	int fd_stdout, fd_stderr;	/* 0: inherit */
	bool own_group;	      /* a process group of its own, so that all of it can be killed */
	bool die_with_parent; /* SIGKILL when we die (PR_SET_PDEATHSIG) */
	/*
	 * With a supervisor between: when the command ends, or is stopped, all that it has started
	 * ends as well, daemons included. It gets a session of its own. Not with own_group. To
	 * stop it takes a grace of some seconds.
	 */
	bool whole_tree;
	bool held; /* wait before exec until pgb_process_start() */
	/* These first, in a private mount namespace; without CAP_SYS_ADMIN in a user namespace. */
	const struct pgb_bind *binds;
	size_t bind_count;
};

struct pgb_process {
	pid_t pid;   /* 0: there is none, or it was reaped */
	int fd_go;   /* held child: pgb_process_start() lets it exec through this; -1 */
	int fd_exec; /* reads why an exec failed; closed by a good one; -1 */
	bool own_group;
	uint64_t cpu_time_ns; /* user and system, with that of children waited for; once reaped */
	struct pgb_launch *launch; /* private: what a held child waits to become */
};

/*
 * Errors, also of the exec itself: PGB_E_NOT_FOUND (command not found), PGB_E_PERMISSION (cannot
 * execute), PGB_E_UNSUPPORTED (no private mount namespace here), PGB_E_RESOURCE. A held child
 * reports exec errors in pgb_process_start(). After an error there is no child.
 */
int pgb_process_spawn(struct pgb_process *process, const struct pgb_spawn *spawn,
		      struct pgb_error *error);
int pgb_process_start(struct pgb_process *process, struct pgb_error *error);

/*
 * 1 ended (status as from waitpid), 0 still running after timeout_ms (-1: no limit), or
 * PGB_E_GONE (reaped before). A signal that arrives meanwhile does not end the wait.
 */
int pgb_process_wait(struct pgb_process *process, int timeout_ms, int *wait_status,
		     struct pgb_error *error);

/*
 * SIGTERM, after grace_ms SIGKILL, to the group where it has one, else to it and what it started;
 * reaps. Does nothing to a process that was reaped or a zeroed object.
 */
void pgb_process_stop(struct pgb_process *process, int grace_ms);

/* Close and free what a child that was never started still holds. wait and stop call it. */
void pgb_process_release(struct pgb_process *process);

/*
 * Become this program (argv, file and environment count): returns only when that failed, with the
 * errors of an exec.
 */
int pgb_process_become(const struct pgb_spawn *spawn, struct pgb_error *error);

/* Exit status as a shell gives it: status, or 128 + signal. */
int pgb_process_exit_status(int wait_status);

/*
 * Run to the end and gather output. `out` and `err` may be NULL (inherit) or the same text.
 * timeout_s 0: none. Each is cut at 64 MiB. PGB_E_TOOL on a time-out, with the command named;
 * a non-zero status is no error: see *wait_status.
 */
int pgb_process_run(const struct pgb_spawn *spawn, unsigned int timeout_s, struct pgb_text *out,
		    struct pgb_text *err, int *wait_status, struct pgb_error *error);

/* PATH where the environment has none. */
#define PGB_PROCESS_PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/*
 * The file that a command name stands for: itself where it has a slash, else the first that can
 * be executed in PATH. NULL: not found. The caller frees it.
 */
char *pgb_process_find_command(const char *name);

/* Would this work here? 0, or PGB_E_UNSUPPORTED with the reason. */
int pgb_process_try_bind(const struct pgb_bind *bind, struct pgb_error *error);

/* The command as one could type it into a shell, quoted where needed; the caller frees it. */
char *pgb_process_command_line(const char *const *argv);

#endif
