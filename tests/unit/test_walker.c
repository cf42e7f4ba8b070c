/* SPDX-License-Identifier: MIT */
/* Visits to real children: what they yield, and that the child does not feel them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "pgobolt/collector/walker.h"

enum { DEPTH = 32 };

/* What parent and child share. */
static volatile struct shared {
	unsigned long rounds, signals, interrupted, visits;
	int stop;
} * shared;

static volatile unsigned long sink;

static void busy(void)
{
	for (unsigned int i = 0; i < 20000; i++)
		if (i % 3)
			sink = sink * 31 + i;
	shared->rounds++;
}

/* Until it is no longer `former`: a busy machine may take its time. */
static void await_change(const volatile unsigned long *count, unsigned long former)
{
	for (unsigned int i = 0; i < 60000 && *count == former; i++)
		usleep(1000);
	assert_true(*count != former);
}

static pid_t start(void (*work)(void))
{
	pid_t child;

	memset((void *)shared, 0, sizeof(*shared));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* a test that fails may not leave it behind, busy for ever */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!shared->stop)
			work();
		_exit(42);
	}
	return child;
}

/* Let it end by itself; its exit status. */
static int finish(pid_t child)
{
	int status = -1;

	shared->stop = 1;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct pgb_walker *new_walker(pid_t own_child)
{
	const struct pgb_walker_config config = {
		.depth = DEPTH, .own_child = own_child, .follow_cpu = true};
	struct pgb_error error = {0};
	struct pgb_walker *walker = NULL;

	if (pgb_walker_probe(&error) != 0 || pgb_walker_new(&walker, &config, &error) != 0) {
		print_message("%s\n", error.message);
		skip();
	}
	return walker;
}

struct standing {
	char state; /* 'S': it sleeps */
	int tracer;
};

static struct standing standing_of(pid_t pid)
{
	struct standing standing = {.tracer = -1};
	char path[64], line[256];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "r");
	assert_non_null(status);
	while (fgets(line, sizeof(line), status)) {
		sscanf(line, "State: %c", &standing.state);
		sscanf(line, "TracerPid: %d", &standing.tracer);
	}
	fclose(status);
	return standing;
}

static void a_busy_child_is_walked(void **state)
{
	struct pgb_walker *walker = new_walker(0);
	pid_t child = start(busy);
	struct pgb_walk walk;
	unsigned int walked = 0;

	(void)state;
	for (unsigned int i = 0; i < 200 && walked < 20; i++) {
		usleep(500);
		/* a sanitizer's start-up, in a child just forked, may end a walk early */
		if (pgb_walker_visit(walker, child, child, &walk) != PGB_VISIT_WALKED ||
		    walk.result.end != PGB_LOOKAHEAD_DEPTH)
			continue;
		walked++;
		assert_int_equal(walk.result.branch_count, DEPTH);
		/* each branch is behind the target of the one before it */
		for (size_t b = 1; b < DEPTH; b++)
			assert_true(walk.branches[b].from >= walk.branches[b - 1].to);
		assert_int_equal(standing_of(child).tracer, 0);
	}
	assert_int_equal(walked, 20);
	pgb_walker_free(walker);
	assert_int_equal(finish(child), 42);
}

static void sleep_for_good(void)
{
	shared->rounds++;
	for (;;)
		pause();
}

static void who_was_asked_is_not_asked_again(void **state)
{
	struct pgb_walker *walker = new_walker(0);
	pid_t child = start(busy);
	enum pgb_visit first = PGB_VISIT_IDLE;

	(void)state;
	for (unsigned int i = 0; i < 200 && first != PGB_VISIT_PENDING; i++) {
		usleep(500);
		first = pgb_walker_begin(walker, child, child, -1);
	}
	assert_int_equal(first, PGB_VISIT_PENDING);
	assert_int_equal(pgb_walker_begin(walker, child, child, -1), PGB_VISIT_ASKED);
	pgb_walker_let_go(walker);
	pgb_walker_free(walker);
	assert_int_equal(finish(child), 42);
}

static void others_are_left_alone(void **state)
{
	struct pgb_walker *walker = new_walker(0);
	pid_t child = start(sleep_for_good);
	struct pgb_walk walk;

	(void)state;
	await_change(&shared->rounds, 0);
	while (standing_of(child).state != 'S')
		usleep(1000);
	assert_int_equal(pgb_walker_visit(walker, child, child, &walk), PGB_VISIT_IDLE);
	assert_int_equal(pgb_walker_visit(walker, child, 1, &walk), PGB_VISIT_GONE);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(pgb_walker_visit(walker, child, child, &walk), PGB_VISIT_GONE);
	pgb_walker_free(walker);
}

static void count_signal(int number)
{
	(void)number;
	shared->signals++;
}

static void count_signals(void)
{
	static bool ready;

	if (!ready) {
		signal(SIGUSR1, count_signal);
		ready = true;
	}
	busy();
}

static void signals_arrive(void **state)
{
	struct pgb_walker *walker = new_walker(0);
	pid_t child = start(count_signals);
	struct pgb_walk walk;
	unsigned long sent = 0;

	(void)state;
	await_change(&shared->rounds, 0); /* the handler is there */
	for (unsigned int i = 0; i < 200; i++) {
		unsigned long before = shared->signals;

		kill(child, SIGUSR1);
		sent++;
		pgb_walker_visit(walker, child, child, &walk);
		/* SIGUSR1 does not queue: wait for each */
		await_change(&shared->signals, before);
	}
	assert_int_equal(shared->signals, sent);
	pgb_walker_free(walker);
	assert_int_equal(finish(child), 42);
}

/* epoll_wait is one of the calls that ptrace stops make fail with EINTR. */
static void wait_for_events(void)
{
	static int queue = -1;
	struct epoll_event event;

	if (queue < 0)
		queue = epoll_create1(0);
	for (unsigned int i = 0; i < 300; i++)
		sink = sink * 31 + i;
	if (epoll_wait(queue, &event, 1, 1) != 0)
		shared->interrupted++;
	shared->rounds++;
}

static void system_calls_are_not_interrupted(void **state)
{
	struct pgb_walker *walker = new_walker(0);
	pid_t child = start(wait_for_events);
	struct pgb_walk walk;

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		pgb_walker_visit(walker, child, child, &walk);
		usleep(i % 97);
	}
	pgb_walker_free(walker);
	await_change(&shared->rounds, 0);
#ifdef __x86_64__ /* elsewhere ptrace cannot have the call made again: see walker.h */
	assert_int_equal(shared->interrupted, 0);
#endif
	assert_int_equal(finish(child), 42);
}

#ifdef __x86_64__
static void skip_byte(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	shared->signals++;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]++;
}

/* A function whose first byte is no instruction. */
void nonsense(void);
__asm__(".pushsection .text\n"
	".globl nonsense\n"
	"nonsense: .byte 0x06\n"
	"ret\n"
	".popsection");

static void run_into_nonsense(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		for (volatile unsigned int j = 0; j < 10; j++)
			;
		nonsense();
	}
	shared->rounds++;
}

static void what_is_no_code_ends_a_walk(void **state)
{
	const struct sigaction action = {.sa_sigaction = skip_byte, .sa_flags = SA_SIGINFO};
	struct pgb_walker *walker = new_walker(0);
	struct pgb_walk walk;
	struct sigaction before;
	unsigned int met = 0;
	pid_t child;

	(void)state;
	/* inherited: a sanitizer's sigaction() is code that a walk may end in, too */
	sigaction(SIGILL, &action, &before);
	child = start(run_into_nonsense);
	sigaction(SIGILL, &before, NULL);
	for (unsigned int i = 0; i < 20000 && met < 5; i++) {
		usleep(100 + i % 83);
		if (pgb_walker_visit(walker, child, child, &walk) == PGB_VISIT_WALKED &&
		    walk.result.end == PGB_LOOKAHEAD_UNDECODABLE) {
			assert_ptr_equal(walk.result.end_address, nonsense);
			met++;
		}
	}
	assert_int_equal(met, 5);
	pgb_walker_free(walker);
	assert_int_equal(finish(child), 42);
	/* the child met them all, and went on */
	assert_int_equal(shared->signals, shared->rounds * 20);
}
#endif

/* Killed at any moment of a visit, the visitor leaves the child running and whole. */
static void a_killed_visitor_leaves_no_trace(void **state)
{
	struct pgb_walker *walker = new_walker(0);
	pid_t child = start(busy);

	(void)state;
	pgb_walker_free(walker);
	for (unsigned int i = 0; i < 50; i++) {
		unsigned long before;
		pid_t visitor;

		shared->visits = 0;
		visitor = fork();
		assert_true(visitor >= 0);
		if (visitor == 0) {
			struct pgb_walk walk;

			walker = new_walker(0);
			for (;; shared->visits++)
				pgb_walker_visit(walker, child, child, &walk);
		}
		await_change(&shared->visits, 0);
		usleep(i * 37);
		kill(visitor, SIGKILL);
		assert_int_equal(waitpid(visitor, NULL, 0), visitor);
		assert_int_equal(standing_of(child).tracer, 0);
		before = shared->rounds;
		await_change(&shared->rounds, before);
	}
	assert_int_equal(finish(child), 42);
}

static int make_shared(void **state)
{
	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared == MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_child_is_walked),
		cmocka_unit_test(who_was_asked_is_not_asked_again),
		cmocka_unit_test(others_are_left_alone),
		cmocka_unit_test(signals_arrive),
		cmocka_unit_test(system_calls_are_not_interrupted),
#ifdef __x86_64__
		cmocka_unit_test(what_is_no_code_ends_a_walk),
#endif
		cmocka_unit_test(a_killed_visitor_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, make_shared, NULL);
}
