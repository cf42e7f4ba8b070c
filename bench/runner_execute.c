/* SPDX-License-Identifier: MIT */
/* One run of one command: started, timed, its output read, whatever it left behind ended. */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/bench/runner.h"
#include "pgobolt/collector/process.h"

enum {
	OUTPUT_KEPT_MAX = 64 * 1024 * 1024, /* what metric_from gets to read */
	CHUNK_BYTES = 65536,
	POLL_MS = 100, /* how late a request to stop, or the time-out, is seen */
	POLL_BLIND_MS = 1,
	GRACE_MS = 1000,
	METRIC_TIMEOUT_S = 60,
};

struct execution {
	const struct pgb_bench_job *job;
	const char *shell;
	struct pgb_process process;
	int fd_output;	      /* our end of the pipe; -1: none, or ended */
	int fd_ended;	      /* pidfd; -1: before Linux 5.3, or forbidden */
	uint64_t hash;	      /* of the output so far */
	struct pgb_text kept; /* the output itself, for metric_from */
};

static uint64_t clock_ns(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Above 2, so that our own closed stdin or stdout is not mistaken for it. */
static void raise_fd(int *fd)
{
	int raised;

	if (*fd < 0 || *fd > 2)
		return;
	raised = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	close(*fd);
	*fd = raised;
}

static int pin(const struct execution *execution, struct pgb_error *error)
{
	const struct pgb_cpu_list *cpus = &execution->job->cpus;
	unsigned int most = 0;
	size_t size_bytes;
	cpu_set_t *set;
	int status;

	if (cpus->count == 0)
		return 0;
	for (size_t i = 0; i < cpus->count; i++)
		most = cpus->items[i] > most ? cpus->items[i] : most;
	set = CPU_ALLOC(most + 1);
	pgb_assert(set != NULL);
	size_bytes = CPU_ALLOC_SIZE(most + 1);
	CPU_ZERO_S(size_bytes, set);
	for (size_t i = 0; i < cpus->count; i++)
		CPU_SET_S(cpus->items[i], size_bytes, set);
	status = sched_setaffinity(execution->process.pid, size_bytes, set);
	CPU_FREE(set);
	if (status == 0)
		return 0;
	pgb_fail(error, PGB_E_UNSUPPORTED, "cannot run on the CPUs asked for: %s", strerror(errno));
	return pgb_remedy(error, "which there are: cat /sys/devices/system/cpu/online");
}

/* *fd_child: what becomes the command's stdout. */
static int open_output(struct execution *execution, int *fd_child, struct pgb_error *error)
{
	int fds[2] = {-1, -1};

	if (!execution->job->compare_outputs && !execution->job->metric_from)
		fds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	else if (pipe2(fds, O_CLOEXEC) == 0)
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
	raise_fd(&fds[0]);
	raise_fd(&fds[1]);
	execution->fd_output = fds[0];
	*fd_child = fds[1];
	if (fds[1] < 0)
		return pgb_fail(error, PGB_E_RESOURCE, "cannot take the output of %s: %s",
				execution->shell, strerror(errno));
	return 0;
}

static int spawn_held(struct execution *execution, const char *const *environment,
		      struct pgb_error *error)
{
	const char *const argv[] = {"/bin/sh", "-c", execution->shell, NULL};
	struct pgb_spawn spawn = {.argv = argv,
				  .environment = environment,
				  .quiet_stdin = true,
				  .own_group = true,
				  .die_with_parent = true,
				  .held = true};
	int fd_null, code = open_output(execution, &spawn.fd_stdout, error);

	if (code != 0)
		return code;
	fd_null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	raise_fd(&fd_null);
	spawn.fd_stderr = fd_null > 0 ? fd_null : spawn.fd_stdout;
	code = pgb_process_spawn(&execution->process, &spawn, error);
	close_fd(&fd_null);
	close_fd(&spawn.fd_stdout);
	return code;
}

/* Take what is there now. */
static void read_output(struct execution *execution)
{
	char chunk[CHUNK_BYTES];

	while (execution->fd_output >= 0) {
		ssize_t length = read(execution->fd_output, chunk, sizeof(chunk));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno == EAGAIN)
			return;
		if (length <= 0) {
			close_fd(&execution->fd_output);
			return;
		}
		execution->hash = pgb_hash_fnv(execution->hash, chunk, (size_t)length);
		if (execution->job->metric_from && execution->kept.length < OUTPUT_KEPT_MAX)
			pgb_text_add_bytes(&execution->kept, chunk, (size_t)length);
	}
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid == pid;
}

/*
 * Until the command itself has ended; what it leaves in the background with our pipe open is not
 * waited for. The child is not reaped.
 */
static int await_end(struct execution *execution, uint64_t began_ns, struct pgb_error *error)
{
	const struct pgb_bench_job *job = execution->job;

	for (;;) {
		struct pollfd waiting[2] = {{execution->fd_ended, POLLIN, 0},
					    {execution->fd_output, POLLIN, 0}};

		poll(waiting, 2, execution->fd_ended >= 0 ? POLL_MS : POLL_BLIND_MS);
		if (waiting[0].revents == 0)
			read_output(execution);
		if (waiting[0].revents != 0 ||
		    (execution->fd_ended < 0 && has_ended(execution->process.pid)))
			return 0;
		if (job->stop && *job->stop)
			return pgb_fail(error, PGB_E_INTERRUPTED, "stopped in the middle of a run");
		if (job->run_timeout_ns == 0 || clock_ns(NULL) - began_ns < job->run_timeout_ns)
			continue;
		pgb_fail(error, PGB_E_TOOL, "no end after %.3g s, so it was stopped: %s",
			 (double)job->run_timeout_ns / 1e9, execution->shell);
		return pgb_remedy(error, "more time for each run: --timeout 1h");
	}
}

/* The number that metric_from makes of the output. */
static int read_metric(const struct execution *execution, double *metric, struct pgb_error *error)
{
	const char *const argv[] = {"/bin/sh", "-c", execution->job->metric_from, NULL};
	int fd = memfd_create("output", MFD_CLOEXEC), status = 0, code;
	struct pgb_spawn spawn = {.argv = argv, .die_with_parent = true};
	struct pgb_text text = {0};
	char *end;

	raise_fd(&fd);
	if (fd < 0 || write(fd, pgb_text_string(&execution->kept), execution->kept.length) !=
			      (ssize_t)execution->kept.length) {
		code = pgb_fail(error, PGB_E_RESOURCE, "cannot keep a command's output: %s",
				strerror(errno));
		close_fd(&fd);
		return code;
	}
	lseek(fd, 0, SEEK_SET);
	spawn.fd_stdin = fd;
	code = pgb_process_run(&spawn, METRIC_TIMEOUT_S, &text, NULL, &status, error);
	close_fd(&fd);
	*metric = strtod(pgb_text_string(&text), &end);
	end += strspn(end, " \t\r\n");
	if (code == 0 &&
	    (status != 0 || text.length == 0 || *end || !isfinite(*metric) || *metric <= 0)) {
		pgb_fail(error, PGB_E_TOOL,
			 "--metric-from: status %d, and not one positive number but '%.40s': %s",
			 pgb_process_exit_status(status), pgb_text_string(&text),
			 execution->job->metric_from);
		code = pgb_remedy(error, "try it: { %s ; } | %s", execution->shell,
				  execution->job->metric_from);
	}
	pgb_text_release(&text);
	return code;
}

static int run_to_end(struct execution *execution, struct pgb_bench_run *run,
		      struct pgb_error *error)
{
	const struct pgb_bench_job *job = execution->job;
	struct pgb_process *process = &execution->process;
	pid_t pid = process->pid;
	uint64_t began_ns;
	int code = pin(execution, error);

	if (code != 0)
		return code;
	execution->fd_ended = (int)syscall(SYS_pidfd_open, pid, 0);
	if (job->counters)
		pgb_counters_open(job->counters, pid);
	began_ns = clock_ns(NULL);
	code = pgb_process_start(process, error);
	if (code == 0)
		code = await_end(execution, began_ns, error);
	run->wall_ns = clock_ns(NULL) - began_ns;
	read_output(execution);
	if (job->counters)
		pgb_counters_take(job->counters, &run->counts);
	if (code != 0)
		return code;
	/* Before it is reaped: until then the number cannot name another group. */
	kill(-pid, SIGKILL);
	code = pgb_process_wait(process, -1, &run->wait_status, error);
	run->cpu_ns = process->cpu_time_ns;
	run->failed = run->wait_status != 0;
	run->output_hash = execution->hash;
	return code < 0 ? code : 0;
}

static int execute(void *context, const struct pgb_bench_job *job, size_t command,
		   struct pgb_bench_run *run, struct pgb_error *error)
{
	struct execution execution = {.job = job,
				      .shell = job->commands[command].shell,
				      .fd_output = -1,
				      .fd_ended = -1,
				      .hash = PGB_HASH_SEED};
	int code = spawn_held(&execution, job->commands[command].environment, error);

	(void)context;
	if (code == 0)
		code = run_to_end(&execution, run, error);
	pgb_process_stop(&execution.process, GRACE_MS);
	close_fd(&execution.fd_ended);
	close_fd(&execution.fd_output);
	if (code == 0 && !run->failed && job->metric_from)
		code = read_metric(&execution, &run->metric, error);
	pgb_text_release(&execution.kept);
	return code;
}

const struct pgb_bench_executor pgb_bench_executor_real = {.run = execute, .clock_ns = clock_ns};
