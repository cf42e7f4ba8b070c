/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/walker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/walk_priority.h"
#include "collector/walker_proc.h"
#include "collector/walker_thread.h"
#include "collector/walker_vvar.h"
#include "pgobolt/base/array.h"
#include "pgobolt/base/text.h"

enum {
	CACHES = 64,
	/* A page of code is compared with memory again after this time. */
	EPOCH_NS = 100 * 1000 * 1000,
	/* Threads asked to stop that have not run since. */
	PENDING_MOST = 32,
	/* A stop this late may be one of another program: exec happened. */
	FRESH_NS = 1000 * 1000,
};

/* How long to wait at the end for those that have not stopped yet. */
#define LET_GO_NS UINT64_C(10000000000)

/* A thread that is asked to stop. */
struct pending {
	pid_t pid, tid;
	struct pgb_walk_identity identity;
	uint64_t since_ns;
};

/* One process as of one exec: its code as far as decoded, and its memory. */
struct cache {
	pid_t pid;
	struct pgb_walk_identity identity;
	struct pgb_lookahead_code *code;
	int fd_memory; /* a third faster than process_vm_readv; -1: could not be opened */
	uint64_t used_ns, epoch_ns;
	uint64_t vdso;
};

struct pgb_walker {
	struct pgb_walker_config config;
	struct pgb_lookahead *look;
	struct cache caches[CACHES];
	struct cache *current;
	pid_t tid; /* being visited */
	int cpu;   /* where we are; -1: anywhere */
	struct pgb_lookahead_branch *branches;
	struct pending pending[PENDING_MOST];
	unsigned int pending_count;
	bool letting_go;
	cpu_set_t affinity; /* as it was */
	struct walk_priority priority;
	sigset_t signals; /* as they were */
	struct walker_vvar vvar;
	struct walker_stat_files stat_files;
	int fd_signal;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what is kept of a process */

static bool same_identity(const struct pgb_walk_identity *a, const struct pgb_walk_identity *b)
{
	return a->start_time == b->start_time && a->start_stack == b->start_stack;
}

static int open_memory(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void empty_cache(struct cache *cache)
{
	if (cache->code == NULL)
		return;
	pgb_lookahead_code_free(cache->code);
	if (cache->fd_memory >= 0)
		close(cache->fd_memory);
	*cache = (struct cache){0};
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
	if (oldest->pid != pid || !same_identity(&oldest->identity, identity)) {
		empty_cache(oldest);
		*oldest = (struct cache){.pid = pid,
					 .identity = *identity,
					 .code = pgb_lookahead_code_new(),
					 .fd_memory = open_memory(pid),
					 .epoch_ns = now,
					 .vdso = walker_vvar_find(pid)};
	}
	oldest->used_ns = now;
	if (now - oldest->epoch_ns > EPOCH_NS) {
		pgb_lookahead_code_stale(oldest->code);
		oldest->epoch_ns = now;
	}
	return oldest;
}

/* ---- the stopped thread */

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	struct pgb_walker *walker = context;
	struct iovec local = {bytes, size_bytes}, remote = {(void *)(uintptr_t)address, size_bytes};
	int fd = walker->current->fd_memory;

	if (fd >= 0 && pread(fd, bytes, size_bytes, (off_t)address) == (ssize_t)size_bytes)
		return 0;
	if (process_vm_readv(walker->tid, &local, 1, &remote, 1, 0) == (ssize_t)size_bytes)
		return 0;
	return walker_vvar_read(&walker->vvar, walker->current->vdso, address, bytes, size_bytes)
		       ? 0
		       : -1;
}

static ssize_t read_vectors(void *context, void *bytes, size_t size_bytes)
{
	struct pgb_walker *walker = context;

	return walker_get_vectors(walker->tid, bytes, size_bytes);
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
 * 1 stopped, 0 ended, -1 not yet. The exit of our own child is its parent's to reap: only peeked at
 * here.
 */
static int check_stop(struct pgb_walker *walker, const struct pending *pending, siginfo_t *info)
{
	bool mine = pending->tid == pending->pid && pending->pid == walker->config.own_child;
	id_t tid = (id_t)pending->tid;

	info->si_pid = 0;
	if (waitid(P_PID, tid, info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) != 0)
		return 0;
	if (info->si_pid == 0)
		return -1;
	if (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
	    info->si_code == CLD_DUMPED) {
		if (!mine)
			waitid(P_PID, tid, info, WEXITED | WNOHANG | __WALL);
		return 0;
	}
	waitid(P_PID, tid, info, WSTOPPED | WNOHANG | __WALL);
	return 1;
}

/* Why PTRACE_SEIZE was refused. */
static enum pgb_visit refusal(pid_t pid, pid_t tid, int number)
{
	struct pgb_walk_identity identity;
	char state;
	int cpu;

	/* a task that has ended, but is not reaped yet, may not be traced either */
	if (number != EPERM || !walker_read_stat(pid, tid, &state, &cpu, &identity) ||
	    state == 'Z' || state == 'X')
		return PGB_VISIT_GONE;
	return walker_is_traced(tid) ? PGB_VISIT_TRACED : PGB_VISIT_FORBIDDEN;
}

static enum pgb_visit walk_stopped(struct pgb_walker *walker, struct pgb_walk *walk)
{
	const struct pgb_lookahead_thread thread = {
		.read = read_memory, .vectors = read_vectors, .context = walker};
	struct walker_registers registers;

	if (walker_get_registers(walk->tid, &registers) != 0)
		return PGB_VISIT_GONE;
	if (registers.foreign)
		return PGB_VISIT_FOREIGN;
	if (registers.in_kernel) {
		if (registers.interrupted && !walker_signal_pending(walk->tid))
			walker_restart_syscall(walk->tid);
		return PGB_VISIT_KERNEL;
	}
	if (walker->letting_go)
		return PGB_VISIT_KERNEL;
	walker->tid = walk->tid;
	walker->current = find_cache(walker, walk->pid, &walk->identity);
	walk->pc = registers.general.pc;
	walk->branches = walker->branches;
	pgb_lookahead_run(walker->look, walker->current->code, &registers.general, &thread,
			  walker->branches, walker->config.depth, &walk->result);
	if (walker->config.stopped)
		walker->config.stopped(walker->config.context, walk);
	return PGB_VISIT_WALKED;
}

static bool is_pending(const struct pgb_walker *walker, pid_t tid)
{
	for (unsigned int i = 0; i < walker->pending_count; i++)
		if (walker->pending[i].tid == tid)
			return true;
	return false;
}

enum pgb_visit pgb_walker_begin(struct pgb_walker *walker, pid_t pid, pid_t tid, int cpu)
{
	struct pending pending = {.pid = pid, .tid = tid};
	struct walker_stat_files *files = &walker->stat_files;
	char state;

	if (is_pending(walker, tid) || walker->pending_count == PENDING_MOST)
		return PGB_VISIT_ASKED;
	/* on its CPU it cannot go on while we look */
	move_to_cpu(walker, cpu);
	if (!walker_read_stat_again(files, pid, tid, &state, &cpu, &pending.identity))
		return PGB_VISIT_GONE;
	if (cpu != walker->cpu && walker->config.follow_cpu) {
		move_to_cpu(walker, cpu);
		if (!walker_read_stat_again(files, pid, tid, &state, &cpu, &pending.identity))
			return PGB_VISIT_GONE;
	}
	if (state != 'R')
		return PGB_VISIT_IDLE;
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
		return refusal(pid, tid, errno);
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	pending.since_ns = now_ns();
	walker->pending[walker->pending_count++] = pending;
	return PGB_VISIT_PENDING;
}

/* What became of one that is no longer pending; it is let go. */
static enum pgb_visit take(struct pgb_walker *walker, const struct pending *pending, int stopped,
			   const siginfo_t *info, struct pgb_walk *walk)
{
	enum pgb_visit visit;
	char state;
	int cpu;

	*walk = (struct pgb_walk){
		.pid = pending->pid, .tid = pending->tid, .identity = pending->identity};
	if (stopped == 0)
		return PGB_VISIT_GONE;
	if (!stopped_for_us(pending->tid, info))
		return PGB_VISIT_SIGNAL;
	if (now_ns() - pending->since_ns > FRESH_NS)
		walker_read_stat(pending->pid, pending->tid, &state, &cpu, &walk->identity);
	visit = walk_stopped(walker, walk);
	detach(pending->tid, 0);
	return visit;
}

static void drain_signals(struct pgb_walker *walker)
{
	struct signalfd_siginfo signals[8];

	while (read(walker->fd_signal, signals, sizeof(signals)) == sizeof(signals))
		;
}

enum pgb_visit pgb_walker_collect(struct pgb_walker *walker, struct pgb_walk *walk)
{
	/* before looking: what stops after the look makes it readable again */
	drain_signals(walker);
	if (walker->pending_count == 0)
		return PGB_VISITS;
	for (unsigned int i = 0; i < walker->pending_count; i++) {
		struct pending pending = walker->pending[i];
		siginfo_t info;
		int stopped = check_stop(walker, &pending, &info);

		if (stopped < 0)
			continue;
		walker->pending[i] = walker->pending[--walker->pending_count];
		return take(walker, &pending, stopped, &info, walk);
	}
	return PGB_VISIT_PENDING;
}

enum pgb_visit pgb_walker_visit(struct pgb_walker *walker, pid_t pid, pid_t tid,
				struct pgb_walk *walk)
{
	struct pollfd poll_signal = {.fd = walker->fd_signal, .events = POLLIN};
	enum pgb_visit visit = pgb_walker_begin(walker, pid, tid, -1);

	*walk = (struct pgb_walk){.pid = pid, .tid = tid};
	while (visit == PGB_VISIT_PENDING) {
		poll(&poll_signal, 1, 10);
		visit = pgb_walker_collect(walker, walk);
	}
	return visit;
}

int pgb_walker_fd(const struct pgb_walker *walker)
{
	return walker->fd_signal;
}

void pgb_walker_let_go(struct pgb_walker *walker)
{
	struct pollfd poll_signal = {.fd = walker->fd_signal, .events = POLLIN};
	uint64_t deadline = now_ns() + LET_GO_NS;
	struct pgb_walk walk;

	walker->letting_go = true;
	while (walker->pending_count > 0 && now_ns() < deadline)
		if (pgb_walker_collect(walker, &walk) == PGB_VISIT_PENDING)
			poll(&poll_signal, 1, 10);
	walker->letting_go = false;
}

/* ---- life */

/* SIGCHLD comes with every stop; nobody else in this thread may take it meanwhile. */
static void block_signals(struct pgb_walker *walker)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, &walker->signals);
	walker->fd_signal = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
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
	pgb_lookahead_limit(look, config->instructions);
	walker->cpu = -1;
	sched_getaffinity(0, sizeof(walker->affinity), &walker->affinity);
	walker->branches = pgb_calloc(config->depth, sizeof(*walker->branches));
	block_signals(walker);
	if (config->follow_cpu)
		walk_priority_raise(&walker->priority);
	walker_vvar_init(&walker->vvar);
	*result = walker;
	return 0;
}

void pgb_walker_free(struct pgb_walker *walker)
{
	if (walker == NULL)
		return;
	pgb_walker_let_go(walker);
	sched_setaffinity(0, sizeof(walker->affinity), &walker->affinity);
	walk_priority_restore(&walker->priority);
	walker_stat_files_close(&walker->stat_files);
	if (walker->fd_signal >= 0)
		close(walker->fd_signal);
	pthread_sigmask(SIG_SETMASK, &walker->signals, NULL);
	for (unsigned int i = 0; i < CACHES; i++)
		empty_cache(&walker->caches[i]);
	pgb_lookahead_free(walker->look);
	free(walker->branches);
	free(walker);
}

int pgb_walker_probe(struct pgb_error *error)
{
	pid_t child = walker_fork();
	int number = 0;

	if (child < 0)
		return pgb_fail(error, PGB_E_RESOURCE, "walk: cannot fork: %s", strerror(errno));
	if (child == 0)
		for (;;)
			pause();
	if (ptrace(PTRACE_SEIZE, child, NULL, NULL) != 0)
		number = errno;
	kill(child, SIGKILL);
	waitpid(child, NULL, __WALL);
	if (number == 0)
		return 0;
	pgb_fail(error, PGB_E_PERMISSION, "walk: tracing a program of our own is refused: %s",
		 strerror(number));
	return pgb_remedy(error, "in a container, start it with --cap-add=SYS_PTRACE; on the host, "
				 "sysctl kernel.yama.ptrace_scope=1 or less");
}

const char *pgb_visit_name(enum pgb_visit visit)
{
	switch (visit) {
	case PGB_VISIT_WALKED:
		return "walked";
	case PGB_VISIT_KERNEL:
		return "in a system call";
	case PGB_VISIT_IDLE:
		return "not running";
	case PGB_VISIT_SIGNAL:
		return "met by a signal";
	case PGB_VISIT_GONE:
		return "gone";
	case PGB_VISIT_TRACED:
		return "traced by another";
	case PGB_VISIT_FORBIDDEN:
		return "not ours to trace";
	case PGB_VISIT_FOREIGN:
		return "32-bit";
	case PGB_VISIT_ASKED:
		return "asked already";
	case PGB_VISIT_PENDING:
		return "pending";
	case PGB_VISITS:
		break;
	}
	return "";
}
