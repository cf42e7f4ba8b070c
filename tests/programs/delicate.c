/* SPDX-License-Identifier: MIT */
/*
 * A program that a tracer could hurt in many ways: signals, timers, waiting system calls, stops,
 * children, code that it writes itself, bytes that are no code, breakpoints and traps of its own,
 * all debug registers, a debugger of its own.
 * Each part checks itself, again and again until SIGTERM or for so many seconds.
 *
 *	delicate [SECONDS [PART]..]	prints "PART ROUNDS" and exits with 0, or says what broke
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static const char *part_name;

static void broke(const char *what, long got, long wanted)
{
	fprintf(stderr, "delicate: %s: %s: %ld, not %ld (errno %d)\n", part_name, what, got, wanted,
		errno);
	exit(1);
}

static void expect(const char *what, long got, long wanted)
{
	if (got != wanted)
		broke(what, got, wanted);
}

/* A known answer that takes some hundred microseconds of branches. */
static uint32_t compute(uint32_t seed)
{
	uint32_t value = seed, odd = 0;

	for (unsigned int i = 0; i < 40000; i++) {
		value = value * 1664525u + 1013904223u;
		if (value & 0x10000)
			odd += value >> 24;
		else if (value & 0x20000)
			odd ^= value;
	}
	return odd;
}

/* ---- computing: the same every time, in threads that begin and end */

static uint32_t expected;

static void *compute_thread(void *unused)
{
	for (unsigned int i = 0; i < 5; i++)
		expect("a thread's answer", compute(7), expected);
	return unused;
}

static void part_threads(void)
{
	pthread_t threads[4];

	expected = compute(7);
	for (unsigned int i = 0; i < 4; i++)
		expect("pthread_create", pthread_create(&threads[i], NULL, compute_thread, NULL),
		       0);
	for (unsigned int i = 0; i < 4; i++)
		expect("pthread_join", pthread_join(threads[i], NULL), 0);
}

/* ---- signals: none lost, none invented, registers kept */

static volatile sig_atomic_t caught;

static void count_signal(int number)
{
	(void)number;
	caught++;
}

static void part_signals(void)
{
	const struct sigaction action = {.sa_handler = count_signal};
	uint32_t answer = compute(3);

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	caught = 0;
	for (int i = 0; i < 20; i++) {
		raise(SIGUSR1);
		sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
		expect("answer between signals", compute(3), answer);
		expect("signals caught", caught, 2 * (i + 1));
	}
}

static void part_timers(void)
{
	const struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	uint32_t answer = compute(4);

	sigaction(SIGALRM, &action, NULL);
	caught = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 20 || caught == 0; i++)
		expect("answer under a timer", compute(4), answer);
	setitimer(ITIMER_REAL, &never, NULL);
}

static void part_sigwait(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			compute(5);
			sigqueue(getppid(), SIGUSR2, (union sigval){.sival_int = i});
			_exit(0);
		}
		expect("sigwaitinfo", sigwaitinfo(&set, &info), SIGUSR2);
		expect("its value", info.si_value.sival_int, i);
		expect("waitpid", waitpid(child, NULL, 0), child);
	}
}

/* ---- system calls that wait: with no handler none of these may say EINTR */

static void part_waiting(void)
{
	const struct itimerspec soon = {.it_value = {0, 300000}};
	const struct timespec brief = {0, 300000};
	int queue = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0), ends[2];
	struct pollfd readable = {.fd = timer, .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t expirations;
	uint32_t word = 0;

	expect("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	expect("epoll_ctl", epoll_ctl(queue, EPOLL_CTL_ADD, timer, &event), 0);
	for (int i = 0; i < 20; i++) {
		timerfd_settime(timer, 0, &soon, NULL);
		compute(6);
		expect("epoll_wait", epoll_wait(queue, &event, 1, 1000), 1);
		expect("poll", poll(&readable, 1, 1000), 1);
		expect("read", read(timer, &expirations, sizeof(expirations)), 8);
		expect("epoll_wait in vain", epoll_wait(queue, &event, 1, 1), 0);
		expect("nanosleep", nanosleep(&brief, NULL), 0);
		expect("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &brief, NULL, 0), -1);
		expect("futex's reason", errno, ETIMEDOUT);
		setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 300},
			   sizeof(struct timeval));
		expect("recv in vain", recv(ends[0], &word, 1, 0), -1);
		expect("recv's reason", errno, EAGAIN);
	}
	close(queue);
	close(timer);
	close(ends[0]);
	close(ends[1]);
}

/* ---- a futex handed to and fro */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	long turn;
} table = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void take_turns(long rest)
{
	for (long i = 0; i < 200; i++) {
		pthread_mutex_lock(&table.lock);
		while (table.turn % 2 != rest)
			pthread_cond_wait(&table.changed, &table.lock);
		table.turn++;
		pthread_cond_signal(&table.changed);
		pthread_mutex_unlock(&table.lock);
	}
}

static void *other_player(void *unused)
{
	take_turns(1);
	return unused;
}

static void part_futexes(void)
{
	pthread_t other;

	table.turn = 0;
	pthread_create(&other, NULL, other_player, NULL);
	take_turns(0);
	pthread_join(other, NULL);
	expect("turns taken", table.turn, 400);
}

/* ---- children */

static void part_children(void)
{
	for (int i = 0; i < 10; i++) {
		int status = 0;
		pid_t child = vfork();

		if (child == 0) {
			execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
			_exit(127);
		}
		compute(8);
		expect("waitpid after vfork", waitpid(child, &status, 0), child);
		expect("its status", status, 7 << 8);
	}
}

/* Job control: each stop and each continuation is told once. */
static void part_stops(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			compute(9);
	for (int i = 0; i < 20; i++) {
		usleep(300);
		kill(child, SIGSTOP);
		expect("wait for the stop", waitpid(child, &status, WUNTRACED), child);
		expect("stopped", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, 1);
		usleep(300);
		expect("still stopped", waitpid(child, &status, WUNTRACED | WCONTINUED | WNOHANG),
		       0);
		kill(child, SIGCONT);
		expect("wait for SIGCONT", waitpid(child, &status, WCONTINUED), child);
		expect("continued", WIFCONTINUED(status), 1);
	}
	kill(child, SIGKILL);
	expect("wait for the end", waitpid(child, &status, 0), child);
	expect("killed", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, 1);
}

/* ---- code that is written while it runs */

#ifdef __x86_64__
static void put_code(uint8_t *code, uint32_t value)
{
	const uint8_t add_and_return[] = {0x8d, 0x87, 0, 0, 0, 0, 0xc3}; /* lea value(%rdi), %eax */

	memcpy(code, add_and_return, sizeof(add_and_return));
	memcpy(code + 2, &value, sizeof(value));
}

static void part_jit(void)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t (*function)(uint32_t) = (uint32_t(*)(uint32_t))(uintptr_t)code;

	if (code == MAP_FAILED)
		return;
	for (uint32_t i = 0; i < 3000; i++) {
		put_code(code, i * 2654435761u);
		for (uint32_t j = 0; j < 50; j++)
			expect("what new code says", function(j), (uint32_t)(i * 2654435761u + j));
	}
	munmap(code, 4096);
}

/* ---- bytes that are no instruction, between others */

static volatile sig_atomic_t illegal;

static void skip_byte(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	illegal++;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]++;
}

static void part_illegal(void)
{
	const struct sigaction action = {.sa_sigaction = skip_byte, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	illegal = 0;
	for (int i = 0; i < 500; i++) {
		for (volatile int j = 0; j < 10 + i % 7; j++)
			;
		__asm__ volatile(".byte 0x06"); /* push %es, in 32-bit code */
	}
	expect("illegal instructions", illegal, 500);
}

/* ---- traps of its own: int3, and single steps by the trap flag */

static volatile sig_atomic_t traps;

static void count_trap(int number)
{
	(void)number;
	traps++;
}

static void part_traps(void)
{
	const struct sigaction action = {.sa_handler = count_trap};

	sigaction(SIGTRAP, &action, NULL);
	for (int i = 0; i < 200; i++) {
		traps = 0;
		__asm__ volatile("int3");
		expect("breakpoints hit", traps, 1);
		traps = 0;
		/* the flag works behind popf's successor: two nops and the pushf are stepped */
		__asm__ volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\tnop\n\tnop\n\t"
				 "pushf\n\tandl $~0x100, (%%rsp)\n\tpopf" ::
					 : "memory", "cc");
		expect("single steps", traps, 5);
		compute(2);
	}
}

/* ---- all four debug registers, each counting how often a function is entered */

#define COUNTED(number)                                                                            \
	static __attribute__((noinline)) uint32_t counted_##number(uint32_t value)                 \
	{                                                                                          \
		__asm__ volatile("");                                                              \
		return value * 3 + (number);                                                       \
	}
COUNTED(0)
COUNTED(1)
COUNTED(2)
COUNTED(3)

static __attribute__((noinline)) uint32_t watched(uint32_t value)
{
	__asm__ volatile("");
	return value + 1;
}

static int open_breakpoint(uint32_t (*function)(uint32_t))
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_X,
		.bp_addr = (uintptr_t)function,
		.bp_len = sizeof(long),
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void part_registers(void)
{
	static uint32_t (*const functions[])(uint32_t) = {counted_0, counted_1, counted_2,
							  counted_3};
	uint32_t value = 0;
	uint64_t count;
	int fds[4];

	for (int i = 0; i < 4; i++) {
		fds[i] = open_breakpoint(functions[i]);
		if (fds[i] < 0) {
			/* not on this machine: said so, and nothing broke */
			fprintf(stderr, "delicate: no debug register %d to be had\n", i);
			_exit(0);
		}
	}
	expect("a fifth debug register", open_breakpoint(watched), -1);
	for (uint32_t i = 0; i < 4000; i++)
		value = functions[i % 4](value + i % 5);
	for (int i = 0; i < 4; i++) {
		expect("bytes of a count", read(fds[i], &count, sizeof(count)), sizeof(count));
		expect("calls that a debug register counted", (long)count, 1000);
		close(fds[i]);
	}
}

/* ---- a debugger: its child stops at a debug register and is stepped */

static void debug(pid_t child)
{
	const size_t registers = offsetof(struct user, u_debugreg);
	int status, hits = 0;

	expect("wait for the debuggee", waitpid(child, &status, 0), child);
	if (ptrace(PTRACE_POKEUSER, child, registers, watched) == 0 &&
	    ptrace(PTRACE_POKEUSER, child, registers + 7 * sizeof(long), 1) == 0)
		hits = 10;
	for (int i = 0; i < hits; i++) {
		struct user_regs_struct regs;

		ptrace(PTRACE_CONT, child, NULL, NULL);
		expect("wait for a breakpoint", waitpid(child, &status, 0), child);
		expect("its signal", status, (SIGTRAP << 8) | 0x7f);
		ptrace(PTRACE_GETREGS, child, NULL, &regs);
		expect("its place", (long)regs.rip, (long)(uintptr_t)watched);
		expect("its argument", (long)regs.rdi, i);
		for (int step = 0; step < 3; step++) {
			ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
			expect("wait for a step", waitpid(child, &status, 0), child);
			expect("a step's signal", status, (SIGTRAP << 8) | 0x7f);
		}
	}
	ptrace(PTRACE_POKEUSER, child, registers + 7 * sizeof(long), 0);
	ptrace(PTRACE_CONT, child, NULL, NULL);
	expect("wait for its end", waitpid(child, &status, 0), child);
	expect("the debuggee's status", status, 5 << 8);
}

static void part_debugger(void)
{
	pid_t child = fork();

	if (child == 0) {
		uint32_t value = 0;

		expect("PTRACE_TRACEME", ptrace(PTRACE_TRACEME, 0, NULL, NULL), 0);
		raise(SIGSTOP);
		for (int i = 0; i < 10; i++) {
			compute(1);
			value = watched(value);
		}
		_exit(value == 10 ? 5 : 6);
	}
	debug(child);
}
#endif

/* ---- all parts, each in a process of its own */

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"threads", part_threads},   {"signals", part_signals},	    {"timers", part_timers},
	{"sigwait", part_sigwait},   {"waiting", part_waiting},	    {"futexes", part_futexes},
	{"children", part_children}, {"stops", part_stops},
#ifdef __x86_64__
	{"jit", part_jit},	     {"traps", part_traps},	    {"debugger", part_debugger},
	{"illegal", part_illegal},   {"registers", part_registers},
#endif
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static atomic_bool *stop;

static void run_part(const struct part *part)
{
	long rounds = 0;

	part_name = part->name;
	do {
		part->run();
		rounds++;
	} while (!atomic_load(stop));
	printf("%s %ld\n", part->name, rounds);
	fflush(stdout);
	_exit(0);
}

static bool wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return count == 0;
}

int main(int argc, char **argv)
{
	const struct timespec limit = {argc > 1 ? atoi(argv[1]) : 1, 0};
	int children = 0, status, failed = 0;
	sigset_t end;

	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < PARTS; i++) {
		if (!wanted(parts[i].name, argc - 2, argv + 2))
			continue;
		if (fork() == 0)
			run_part(&parts[i]);
		children++;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	sigtimedwait(&end, NULL, &limit);
	atomic_store(stop, true);
	while (children-- > 0)
		if (wait(&status) < 0 || status != 0)
			failed++;
	if (failed > 0)
		fprintf(stderr, "delicate: %d parts broke\n", failed);
	return failed > 0;
}
