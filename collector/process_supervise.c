/* SPDX-License-Identifier: MIT */
/*
 * A command and all that it starts, as one thing that can be ended. Daemons leave their session and
 * their parent, but not a subreaper (PR_SET_CHILD_SUBREAPER, Linux 3.4): they become its children.
 *
 * Runs between fork and exec, so async-signal-safe calls only.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/process_private.h"

enum {
	NANOSECONDS_PER_MS = 1000000,
	GRACE_MS = 300, /* for SIGTERM to do its work */
	ROUND_MS = 10,
	/* Who forks faster than it is killed is given up on after that. */
	ROUNDS_MOST = 1000,
	FDS_MOST = 65536,
};

struct dirent64 {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* The parent of a process by its /proc/N/stat: "N (name) state parent ..". 0: it has gone. */
static pid_t parent_of(const char *digits)
{
	char path[64] = "/proc/", stat[512], *at;
	ssize_t length;
	pid_t parent = 0;
	int fd;

	strncat(path, digits, 20);
	strcat(path, "/stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[length > 0 ? length : 0] = '\0';
	at = strrchr(stat, ')');
	if (at == NULL || strlen(at) < 5)
		return 0;
	for (at += 4; *at >= '0' && *at <= '9'; at++)
		parent = parent * 10 + (*at - '0');
	return parent;
}

static pid_t number_of(const char *digits)
{
	pid_t number = 0;

	for (; *digits >= '0' && *digits <= '9'; digits++)
		number = number * 10 + (*digits - '0');
	return *digits == '\0' ? number : 0;
}

/* SIGKILL to each child; what these leave becomes our child in its turn. */
static void kill_children(pid_t self)
{
	static _Alignas(8) char entries[32768];
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long length;

	while (fd >= 0 && (length = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < length;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			pid_t pid = number_of(entry->name);

			if (pid > 0 && parent_of(entry->name) == self)
				kill(pid, SIGKILL);
			at += entry->length;
		}
	}
	if (fd >= 0)
		close(fd);
}

/* Reap what has ended. true: no child is left. */
static bool reap(pid_t command, int *wait_status, bool *ended)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command) {
			*wait_status = status;
			*ended = true;
		}
	return pid < 0 && errno == ECHILD;
}

/* The number of a signal that came, or -1. */
static int await_signal(int timeout_ms)
{
	const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
					 .tv_nsec = (long)(timeout_ms % 1000) * NANOSECONDS_PER_MS};
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	return timeout_ms < 0 ? sigwaitinfo(&wanted, NULL) : sigtimedwait(&wanted, NULL, &timeout);
}

static void close_all(void)
{
	if (syscall(SYS_close_range, 0, ~0U, 0) == 0)
		return;
	for (int fd = 0; fd < FDS_MOST; fd++)
		close(fd);
}

/* At once: nothing of the process that was forked is to run, or to be flushed. */
static _Noreturn void leave(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static _Noreturn void end_as(int wait_status)
{
	const struct rlimit no_core = {0};
	sigset_t all;

	if (WIFSIGNALED(wait_status)) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(WTERMSIG(wait_status), SIG_DFL);
		sigemptyset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		raise(WTERMSIG(wait_status));
		leave(128 + WTERMSIG(wait_status));
	}
	leave(WEXITSTATUS(wait_status));
}

static _Noreturn void supervise(pid_t command)
{
	int wait_status = SIGTERM; /* as if by this signal, if it has to be ended */
	bool ended = false;

	close_all();
	while (!ended) {
		if (await_signal(-1) == SIGTERM) {
			kill(-command, SIGTERM);
			kill(-command, SIGCONT);
			for (int ms = 0; ms < GRACE_MS && !ended; ms += ROUND_MS) {
				await_signal(ROUND_MS);
				reap(command, &wait_status, &ended);
			}
			break;
		}
		reap(command, &wait_status, &ended);
	}
	if (!ended)
		kill(-command, SIGKILL);
	for (int i = 0; i < ROUNDS_MOST && !reap(command, &wait_status, &ended); i++) {
		kill_children(getpid());
		await_signal(ROUND_MS);
	}
	end_as(wait_status);
}

void pgb_process_supervise(bool die_with_parent)
{
	pid_t self = getpid(), command;

	if (die_with_parent)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	command = fork();
	if (command < 0)
		leave(127);
	if (command > 0)
		supervise(command);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self)
		leave(127);
}
