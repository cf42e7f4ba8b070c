/* SPDX-License-Identifier: MIT */
#include "collector/walk_target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/walker_proc.h"

enum { STATUS_BYTES = 4096 };

/* The number behind NAME in /proc/PID/status; `otherwise` where it is not. */
static long status_number(const char *status, const char *name, long otherwise)
{
	const char *at = strstr(status, name);

	return at ? strtol(at + strlen(name), NULL, 10) : otherwise;
}

/* "7 (cat)" */
static void describe(pid_t pid, char *text, size_t size)
{
	char path[64], name[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	walker_read_text(path, name, sizeof(name));
	name[strcspn(name, "\n")] = '\0';
	snprintf(text, size, "%d (%s)", pid, name);
}

static int explain_traced(const char *who, pid_t tracer, struct pgb_error *error)
{
	char tracer_name[96];

	describe(tracer, tracer_name, sizeof(tracer_name));
	pgb_fail(error, PGB_E_PERMISSION,
		 "walk: process %s is traced already, by process %s: a process has one tracer", who,
		 tracer_name);
	return pgb_remedy(error, "end the debugger or strace that holds it, or use -s ip");
}

/* PTRACE_SEIZE says EPERM for all of these. */
static int explain_forbidden(const char *who, const char *status, const struct pgb_host *host,
			     struct pgb_error *error)
{
	long uid = status_number(status, "\nUid:", -1);
	const char *where = host->in_container ? " (on the host, not in the container)" : "";

	if (host->yama_scope >= 2) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "walk: kernel.yama.ptrace_scope is %d, which forbids to trace process %s",
			 host->yama_scope, who);
		return pgb_remedy(error,
				  host->yama_scope == 2
					  ? "sudo sysctl kernel.yama.ptrace_scope=1%s, or: sudo "
					    "setcap cap_sys_ptrace+ep \"$(command -v pgobolt)\""
					  : "it stays so until the next boot%s: set "
					    "kernel.yama.ptrace_scope=1 in /etc/sysctl.d",
				  where);
	}
	if (uid >= 0 && geteuid() != 0 && (uid_t)uid != geteuid()) {
		pgb_fail(error, PGB_E_PERMISSION, "walk: process %s belongs to user %ld, not to us",
			 who, uid);
		return pgb_remedy(error, "run pgobolt as that user or as root, or: sudo setcap "
					 "cap_sys_ptrace+ep \"$(command -v pgobolt)\"");
	}
	if (host->yama_scope == 1 && geteuid() != 0) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "walk: kernel.yama.ptrace_scope is 1, which forbids to trace process %s: "
			 "it was not started by pgobolt",
			 who);
		return pgb_remedy(
			error,
			"start it from pgobolt: pgobolt record -s walk -- COMMAND; or sudo "
			"sysctl kernel.yama.ptrace_scope=0%s",
			where);
	}
	if (host->in_container) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "walk: this container forbids to trace process %s", who);
		return pgb_remedy(error, "start the container with --cap-add=SYS_PTRACE");
	}
	pgb_fail(error, PGB_E_PERMISSION,
		 "walk: process %s may not be traced: it is setuid, has more privileges, or has "
		 "made itself undumpable",
		 who);
	return pgb_remedy(error, "sudo setcap cap_sys_ptrace+ep \"$(command -v pgobolt)\"");
}

/* Where the file cannot be read the first visit tells. */
static bool is_32_bit(pid_t pid)
{
	unsigned char ident[EI_NIDENT] = {0};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, ident, sizeof(ident)) < (ssize_t)sizeof(ident))
		ident[EI_CLASS] = ELFCLASSNONE;
	close(fd);
	return memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32;
}

/*
 * 0 or an errno. Only a stopped thread can be let go, and stopping might disturb a system call; so
 * a child of ours seizes and ends, which lets go as well.
 */
static int try_seize(pid_t pid)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0 ? errno : 0);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 0; /* not known: visits will tell */
	return WEXITSTATUS(status);
}

int walk_target_check(pid_t pid, const struct pgb_host *host, struct pgb_error *error)
{
	char path[64], status[STATUS_BYTES], who[96];
	const char *state;
	pid_t tracer;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (!walker_read_text(path, status, sizeof(status)))
		return pgb_fail(error, PGB_E_GONE, "walk: there is no process %d", pid);
	describe(pid, who, sizeof(who));
	state = strstr(status, "\nState:\t");
	if (state && strchr("ZX", state[strlen("\nState:\t")]))
		return pgb_fail(error, PGB_E_GONE,
				"walk: process %s has ended, and waits for its parent to notice",
				who);
	if (walker_task_flags(pid) & WALKER_FLAG_KERNEL_THREAD)
		return pgb_fail(error, PGB_E_UNSUPPORTED,
				"walk: %s is a thread of the kernel, no program", who);
	tracer = (pid_t)status_number(status, "\nTracerPid:", 0);
	if (tracer != 0)
		return explain_traced(who, tracer, error);
	if (is_32_bit(pid))
		return pgb_fail(error, PGB_E_NOT_SUITABLE,
				"walk: process %s is a 32-bit program, which llvm-bolt does not "
				"optimize",
				who);
	if (try_seize(pid) == EPERM)
		return explain_forbidden(who, status, host, error);
	return 0;
}
