/* SPDX-License-Identifier: MIT */
/* The end of a child: waiting for it, and bringing it about. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/collector/process_tree.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* true also where there is no such child. It is not reaped. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		return true;
	/* Who traces a child is told of its stops, asked for or not. */
	return info.si_pid == pid && (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
				      info.si_code == CLD_DUMPED);
}

/* Sleep until the child ended or the time is over; it is not reaped. */
static void await_end(pid_t pid, int timeout_ms)
{
	struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int64_t deadline = now_ms() + timeout_ms;
	int64_t left;

	while (!has_ended(pid) && (left = deadline - now_ms()) > 0) {
		if (ended.fd < 0 && left > 10)
			left = 10; /* no pidfd: before Linux 5.3, or forbidden */
		poll(&ended, ended.fd >= 0 ? 1 : 0, (int)left);
	}
	if (ended.fd >= 0)
		close(ended.fd);
}

static uint64_t nanoseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

/* 1 reaped, 0 not ended yet. */
static int reap(struct pgb_process *process, int options, int *wait_status)
{
	struct rusage usage = {0};
	int status = 0;

	if ((options & WNOHANG) && !has_ended(process->pid))
		return 0;
	while (wait4(process->pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	process->pid = 0;
	process->cpu_time_ns = nanoseconds(&usage.ru_utime) + nanoseconds(&usage.ru_stime);
	pgb_process_release(process);
	if (wait_status != NULL)
		*wait_status = status;
	return 1;
}

int pgb_process_wait(struct pgb_process *process, int timeout_ms, int *wait_status,
		     struct pgb_error *error)
{
	if (process->pid <= 0)
		return pgb_fail(error, PGB_E_GONE, "waited for a process that is no more");
	if (timeout_ms < 0)
		return reap(process, 0, wait_status);
	if (timeout_ms > 0)
		await_end(process->pid, timeout_ms);
	return reap(process, WNOHANG, wait_status);
}

static void stop_group(struct pgb_process *process, int grace_ms)
{
	kill(-process->pid, SIGTERM);
	kill(-process->pid, SIGCONT); /* a stopped process would not see SIGTERM */
	await_end(process->pid, grace_ms);
	/* Before reaping: until then the number cannot name another group. */
	kill(-process->pid, SIGKILL);
}

static void stop_tree(struct pgb_process *process, int grace_ms)
{
	struct pgb_process_tree tree = {0};

	pgb_process_tree_hold(&tree, process->pid);
	pgb_process_tree_signal(&tree, process->pid, SIGTERM);
	await_end(process->pid, grace_ms);
	pgb_process_tree_hold(&tree, process->pid);
	pgb_process_tree_signal(&tree, process->pid, SIGKILL);
	pgb_process_tree_release(&tree);
}

void pgb_process_stop(struct pgb_process *process, int grace_ms)
{
	if (process->pid <= 0)
		return;
	if (process->own_group)
		stop_group(process, grace_ms);
	else
		stop_tree(process, grace_ms);
	reap(process, 0, NULL);
}

int pgb_process_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
