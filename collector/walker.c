/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/walker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/walker_thread.h"
#include "pgobolt/base/array.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"

enum {
	CACHES = 64,
	CACHE_BYTES_MOST = 64 * 1024 * 1024,
	/* A page of code is compared with memory again after this time. */
	EPOCH_NS = 100 * 1000 * 1000,
	/* How long to wait for a thread to stop. A timer ends the system call that waits. */
	PATIENCE_NS = 100 * 1000 * 1000,
	STATUS_BYTES = 4096,
};

/* Decoded code of one process as of one exec. */
struct cache {
	pid_t pid;
	struct pgb_walk_identity identity;
	struct pgb_lookahead_code *code;
	uint64_t used_ns, epoch_ns;
};

struct pgb_walker {
	struct pgb_walker_config config;
	struct pgb_lookahead *look;
	struct cache caches[CACHES];
	struct cache *current;
	pid_t tid; /* being visited */
	int cpu;   /* where we are; -1: anywhere */
	struct pgb_lookahead_branch *branches;
	PGB_ARRAY(pid_t) late;
	cpu_set_t affinity; /* as it was */
	timer_t alarm;
	bool has_alarm;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- decoded code by process */

static bool same_identity(const struct pgb_walk_identity *a, const struct pgb_walk_identity *b)
{
	return a->start_time == b->start_time && a->start_stack == b->start_stack;
}

static struct cache *find_cache(struct pgb_walker *walker, pid_t pid,
				const struct pgb_walk_identity *identity)
{
	struct cache *oldest = &walker->caches[0];
	uint64_t now = now_ns();

	for (unsigned int i = 0; i < CACHES; i++) {
		struct cache *cache = &walker->caches[i];

		if (cache->pid == pid) {
			oldest = cache;
			break;
		}
		if (cache->used_ns < oldest->used_ns)
			oldest = cache;
	}
	if (oldest->pid != pid || !same_identity(&oldest->identity, identity) ||
	    pgb_lookahead_code_bytes(oldest->code) > CACHE_BYTES_MOST) {
		pgb_lookahead_code_free(oldest->code);
		*oldest = (struct cache){.pid = pid,
					 .identity = *identity,
					 .code = pgb_lookahead_code_new(),
					 .epoch_ns = now};
	}
	oldest->used_ns = now;
	if (now - oldest->epoch_ns > EPOCH_NS) {
		pgb_lookahead_code_stale(oldest->code);
		oldest->epoch_ns = now;
	}
	return oldest;
}

void pgb_walker_distrust(struct pgb_walker *walker)
{
	if (walker->current)
		pgb_lookahead_code_stale(walker->current->code);
}

/* ---- the stopped thread */

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	struct pgb_walker *walker = context;
	struct iovec local = {bytes, size_bytes}, remote = {(void *)(uintptr_t)address, size_bytes};
	ssize_t got = process_vm_readv(walker->tid, &local, 1, &remote, 1, 0);

	return got == (ssize_t)size_bytes ? 0 : -1;
}

static ssize_t read_vectors(void *context, void *bytes, size_t size_bytes)
{
	struct pgb_walker *walker = context;

	return walker_get_vectors(walker->tid, bytes, size_bytes);
}

/* A small file of /proc in one read, NUL-terminated; false: not there, or empty. */
static bool read_text(const char *path, char *text, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return false;
	size = read(fd, text, most - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	return size > 0;
}

/* State, start time, stack and CPU of a thread out of /proc; false: it has ended. */
static bool read_stat(pid_t pid, pid_t tid, char *state, int *cpu,
		      struct pgb_walk_identity *identity)
{
	char path[64], text[1024], *at;
	unsigned long long fields[40] = {0};

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (!read_text(path, text, sizeof(text)))
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

static void move_to_cpu(struct pgb_walker *walker, int cpu)
{
	cpu_set_t set;

	if (!walker->config.follow_cpu || cpu == walker->cpu || cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	walker->cpu = sched_setaffinity(0, sizeof(set), &set) == 0 ? cpu : -1;
}

/* /proc/TID/status; false: it has ended. */
static bool read_status(pid_t tid, char text[STATUS_BYTES])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return read_text(path, text, STATUS_BYTES);
}

static bool status_mask(const char *text, const char *name, unsigned long long *mask)
{
	const char *at = strstr(text, name);

	if (at == NULL)
		return false;
	*mask = strtoull(at + strlen(name), NULL, 16);
	return true;
}

/* Is a signal on its way that the thread does not block? When in doubt, yes. */
static bool signal_pending(pid_t tid)
{
	unsigned long long own, shared, blocked;
	char text[STATUS_BYTES];

	if (!read_status(tid, text) || !status_mask(text, "\nSigPnd:", &own) ||
	    !status_mask(text, "\nShdPnd:", &shared) || !status_mask(text, "\nSigBlk:", &blocked))
		return true;
	return ((own | shared) & ~blocked) != 0;
}

static void detach(pid_t tid, int signal)
{
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal);
}

/*
 * Look at a thread that stopped, as waitid told it; true: it stopped for us and nothing else.
 * Otherwise it has been let go.
 */
static bool stopped_for_us(pid_t tid, const siginfo_t *info)
{
	int signal = info->si_status & 0xff, event = info->si_status >> 8;

	if (event == PTRACE_EVENT_STOP && signal == SIGTRAP)
		return true;
	/* a group stop stays one; a signal is delivered; another event is none of ours */
	detach(tid, event == 0 ? signal : 0);
	return false;
}

/*
 * Wait for the stop. 1 stopped, 0 ended, -1 not yet. The exit of our own child is its parent's to
 * reap: only peeked at here.
 */
static int await_stop(struct pgb_walker *walker, pid_t pid, pid_t tid, int flags, siginfo_t *info)
{
	bool mine = tid == pid && pid == walker->config.own_child;
	uint64_t start = now_ns();

	info->si_pid = 0;
	while (waitid(P_PID, (id_t)tid, info, WSTOPPED | WEXITED | WNOWAIT | __WALL | flags) != 0) {
		if (errno != EINTR)
			return 0;
		if (now_ns() - start > PATIENCE_NS)
			return -1;
	}
	if (info->si_pid == 0)
		return -1;
	if (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
	    info->si_code == CLD_DUMPED) {
		if (!mine)
			waitid(P_PID, (id_t)tid, info, WEXITED | WNOHANG | __WALL);
		return 0;
	}
	waitid(P_PID, (id_t)tid, info, WSTOPPED | WNOHANG | __WALL);
	return 1;
}

/* Why PTRACE_SEIZE was refused. */
static enum pgb_visit refusal(pid_t tid, int number)
{
	unsigned long long tracer;
	char text[STATUS_BYTES];

	if (number != EPERM)
		return PGB_VISIT_GONE;
	/* a decimal number: anything but 0 is all we ask */
	if (read_status(tid, text) && status_mask(text, "\nTracerPid:", &tracer) && tracer != 0)
		return PGB_VISIT_TRACED;
	return PGB_VISIT_FORBIDDEN;
}

static enum pgb_visit walk_stopped(struct pgb_walker *walker, pid_t pid, pid_t tid,
				   struct pgb_walk *walk)
{
	const struct pgb_lookahead_thread thread = {
		.read = read_memory, .vectors = read_vectors, .context = walker};
	struct walker_registers registers;

	if (walker_get_registers(tid, &registers) != 0)
		return PGB_VISIT_GONE;
	if (registers.foreign)
		return PGB_VISIT_FOREIGN;
	if (registers.in_kernel) {
		if (registers.interrupted && !signal_pending(tid))
			walker_restart_syscall(tid);
		return PGB_VISIT_KERNEL;
	}
	walker->tid = tid;
	walker->current = find_cache(walker, pid, &walk->identity);
	walk->pc = registers.general.pc;
	walk->branches = walker->branches;
	pgb_lookahead_run(walker->look, walker->current->code, &registers.general, &thread,
			  walker->branches, walker->config.depth, &walk->result);
	if (walker->config.stopped)
		walker->config.stopped(walker->config.context, pid, tid, walk);
	return PGB_VISIT_WALKED;
}

enum pgb_visit pgb_walker_visit(struct pgb_walker *walker, pid_t pid, pid_t tid,
				struct pgb_walk *walk)
{
	enum pgb_visit visit;
	siginfo_t info;
	char state;
	int cpu, stopped;

	*walk = (struct pgb_walk){0};
	if (!read_stat(pid, tid, &state, &cpu, &walk->identity))
		return PGB_VISIT_GONE;
	if (cpu != walker->cpu && walker->config.follow_cpu) {
		/* here it cannot go on while we look */
		move_to_cpu(walker, cpu);
		if (!read_stat(pid, tid, &state, &cpu, &walk->identity))
			return PGB_VISIT_GONE;
	}
	if (state != 'R')
		return PGB_VISIT_IDLE;
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
		return refusal(tid, errno);
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	stopped = await_stop(walker, pid, tid, 0, &info);
	if (stopped < 0) {
		pgb_array_push(&walker->late, tid);
		return PGB_VISIT_LATE;
	}
	if (stopped == 0)
		return PGB_VISIT_GONE;
	if (!stopped_for_us(tid, &info))
		return PGB_VISIT_SIGNAL;
	visit = walk_stopped(walker, pid, tid, walk);
	detach(tid, 0);
	return visit;
}

void pgb_walker_tend(struct pgb_walker *walker)
{
	for (size_t i = 0; i < walker->late.count;) {
		pid_t tid = walker->late.items[i];
		siginfo_t info;
		int stopped = await_stop(walker, tid, tid, WNOHANG, &info);

		if (stopped < 0) {
			i++;
			continue;
		}
		if (stopped > 0 && stopped_for_us(tid, &info))
			detach(tid, 0);
		walker->late.items[i] = walker->late.items[--walker->late.count];
	}
}

/* ---- life */

static void nothing(int number)
{
	(void)number;
}

/* A signal to this thread every PATIENCE_NS, so that no waitid sleeps for good. */
static void start_alarm(struct pgb_walker *walker)
{
	const struct itimerspec interval = {.it_interval.tv_nsec = PATIENCE_NS,
					    .it_value.tv_nsec = PATIENCE_NS};
	struct sigaction action = {.sa_handler = nothing};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMAX - 2};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	sigaction(SIGRTMAX - 2, &action, NULL);
	walker->has_alarm = timer_create(CLOCK_MONOTONIC, &event, &walker->alarm) == 0;
	if (walker->has_alarm)
		timer_settime(walker->alarm, 0, &interval, NULL);
}

int pgb_walker_new(struct pgb_walker **result, const struct pgb_walker_config *config,
		   struct pgb_error *error)
{
#if defined(__x86_64__)
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
#else
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_AARCH64);
#endif
	struct pgb_walker *walker;

	if (look == NULL)
		return pgb_fail(
			error, PGB_E_UNSUPPORTED,
			"walk: this build cannot look ahead on this machine's instructions");
	walker = pgb_calloc(1, sizeof(*walker));
	walker->config = *config;
	walker->look = look;
	walker->cpu = -1;
	sched_getaffinity(0, sizeof(walker->affinity), &walker->affinity);
	walker->branches = pgb_calloc(config->depth, sizeof(*walker->branches));
	start_alarm(walker);
	*result = walker;
	return 0;
}

void pgb_walker_free(struct pgb_walker *walker)
{
	if (walker == NULL)
		return;
	/* who is still to stop must not stay stopped; after that our own end detaches it */
	for (unsigned int i = 0; i < 5000 && walker->late.count > 0; i++) {
		pgb_walker_tend(walker);
		usleep(1000);
	}
	sched_setaffinity(0, sizeof(walker->affinity), &walker->affinity);
	if (walker->has_alarm)
		timer_delete(walker->alarm);
	for (unsigned int i = 0; i < CACHES; i++)
		pgb_lookahead_code_free(walker->caches[i].code);
	pgb_lookahead_free(walker->look);
	pgb_array_release(&walker->late);
	free(walker->branches);
	free(walker);
}

int pgb_walker_probe(struct pgb_error *error)
{
	static const char *const argv[] = {"true", NULL};
	const struct pgb_spawn spawn = {.argv = argv, .held = true};
	struct pgb_process process;
	int code = pgb_process_spawn(&process, &spawn, error), number = 0;

	if (code != 0)
		return code;
	if (ptrace(PTRACE_SEIZE, process.pid, NULL, NULL) != 0)
		number = errno;
	pgb_process_stop(&process, 0);
	if (number == 0)
		return 0;
	pgb_fail(error, PGB_E_PERMISSION, "walk: tracing a program of our own is refused: %s",
		 strerror(number));
	return pgb_remedy(error, "in a container, start it with --cap-add=SYS_PTRACE; on the host, "
				 "sysctl kernel.yama.ptrace_scope=1 or less");
}
