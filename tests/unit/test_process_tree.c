/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/process.h"
#include "pgobolt/collector/process_tree.h"

/* All that run hold the pipe's other end: it is at its end when the last of them is gone. */
struct family {
	struct pgb_process process;
	int fd_alive;
};

/* `script` prints a line when it is ready to be ended. */
static void start(struct family *family, const char *script)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	struct pgb_spawn spawn = {.argv = argv};
	struct pgb_error error = {0};
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, 0), 0);
	spawn.fd_stdout = ends[1];
	assert_int_equal(pgb_process_spawn(&family->process, &spawn, &error), 0);
	close(ends[1]);
	family->fd_alive = ends[0];
	alarm(100);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	alarm(0);
}

static void expect_all_gone(struct family *family)
{
	char byte;

	alarm(100);
	assert_int_equal(read(family->fd_alive, &byte, 1), 0);
	alarm(0);
	close(family->fd_alive);
}

static const char *const families[] = {
	"echo; sleep 1000",
	"sleep 1000 & echo; wait",
	"sh -c 'sleep 1000 & sh -c \"sleep 1000; :\" & wait' & sleep 0.2; echo; wait",
	"sh -c 'trap \"\" TERM; echo; sleep 1000; sleep 1000' ; :",
	"echo; kill -STOP $$; sleep 1000",
	/* in the midst of forking */
	"echo; for i in 1 2 3 4 5 6 7 8 9; do for k in 1 2 3 4 5; do sleep 1000 & done; done; wait",
};

static void stopping_leaves_nobody_behind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct family family;

		start(&family, families[i]);
		pgb_process_stop(&family.process, 200);
		expect_all_gone(&family);
	}
}

static void kills_those_that_children_started(void **state)
{
	struct family family;
	int status = 0;

	(void)state;
	start(&family, families[2]);
	pgb_process_tree_kill(family.process.pid, SIGTERM);
	assert_int_equal(pgb_process_wait(&family.process, -1, &status, NULL), 1);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	expect_all_gone(&family);
}

static void leaves_others_alone(void **state)
{
	struct family doomed, other;

	(void)state;
	start(&other, families[1]);
	start(&doomed, families[1]);
	pgb_process_stop(&doomed.process, 200);
	assert_int_equal(pgb_process_wait(&other.process, 50, NULL, NULL), 0);
	pgb_process_stop(&other.process, 200);
	expect_all_gone(&other);
	close(doomed.fd_alive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopping_leaves_nobody_behind),
		cmocka_unit_test(kills_those_that_children_started),
		cmocka_unit_test(leaves_others_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
