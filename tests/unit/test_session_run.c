/* SPDX-License-Identifier: MIT */
/* The live run with a stand-in for the kernel's perf events: real programs, records of ours. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/session.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"
#include "tests/support/perf_encode.h"

#define CLOCK_NS UINT64_C(1000000000000)

struct world {
	struct fake_perf *perf;
	struct pgb_host host;
	struct pgb_session_config config;
	struct pgb_session *session;
	struct pgb_session_signals signals;
	char *path;	  /* of this test's own program, which plays the program */
	uint64_t address; /* of landmark() */
	struct perf_map map;
};

__attribute__((noinline)) static int landmark(int value)
{
	__asm__ volatile("" : "+r"(value));
	return value + 1;
}

static int set_up(void **state)
{
	struct world *world = pgb_calloc(1, sizeof(*world));

	world->perf = fake_perf_new();
	fake_perf_set_clock(world->perf, CLOCK_NS);
	fake_host_init(&world->host, FAKE_SKYLAKE);
	/* its CPU and kernel, but our processes */
	free(world->host.root);
	world->host.root = pgb_dup("");
	world->path = realpath("/proc/self/exe", NULL);
	world->address = (uint64_t)(uintptr_t)(void *)landmark;
	world->map = perf_map_of_self(world->address, world->path);
	world->config = (struct pgb_session_config){
		.sys = fake_perf_sys(world->perf),
		.host = &world->host,
		.source = &pgb_source_lbr,
		.context = world,
		.signals = &world->signals,
	};
	*state = world;
	return landmark(1) != 2;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	pgb_session_free(world->session);
	pgb_host_release(&world->host);
	fake_perf_free(world->perf); /* asserts that all is closed and unmapped */
	free(world->path);
	free(world);
	return waitpid(-1, NULL, WNOHANG) != -1; /* nobody is left */
}

static int run(struct world *world, struct pgb_error *error)
{
	assert_int_equal(pgb_session_new(&world->session, &world->config, error), 0);
	return pgb_session_run(world->session, error);
}

static void put(struct world *world, struct fake_event *event, struct perf_bytes *bytes)
{
	assert_true(fake_perf_write(world->perf, event, bytes->data, bytes->length));
	perf_bytes_release(bytes);
}

static struct perf_identity identity(const struct fake_event *event, uint32_t pid, uint64_t time_ns)
{
	return (struct perf_identity){.pid = pid,
				      .tid = pid,
				      .cpu = (uint32_t)event->cpu,
				      .time_ns = CLOCK_NS - 1000000000 + time_ns,
				      .id = event->id};
}

/* A branch stack of two: a jump in landmark's neighbourhood and the one before it. */
static void put_stack(struct world *world, struct fake_event *event, uint32_t pid, uint64_t time_ns)
{
	const struct perf_entry entries[] = {{world->address + 8, world->address, 1},
					     {world->address + 16, world->address + 4, 0}};
	const struct perf_sample sample = {.who = identity(event, pid, time_ns),
					   .misc = PERF_RECORD_MISC_USER,
					   .ip = world->address,
					   .entries = entries,
					   .entry_count = 2};
	struct perf_bytes bytes = {0};

	perf_encode_sample(&bytes, &event->attr, &sample);
	put(world, event, &bytes);
}

/* What exec leaves in the ring of the CPU where it happens. */
static void put_exec(struct world *world, struct fake_event *event, uint32_t pid)
{
	struct perf_identity who = identity(event, pid, 1);
	struct perf_map map = world->map;
	struct perf_bytes bytes = {0};

	perf_encode_comm(&bytes, &event->attr, &who, "program", true);
	put(world, event, &bytes);
	map.pid = map.tid = pid;
	who.time_ns++;
	perf_encode_map(&bytes, &event->attr, &who, &map);
	put(world, event, &bytes);
}

/* Whom the events are for. Events that are closed again were trials. */
static pid_t first_target(struct fake_perf *perf)
{
	struct fake_event *event;

	for (size_t i = 0; (event = fake_perf_event(perf, i)) != NULL; i++)
		if (!event->closed)
			return event->pid;
	fail();
	return -1;
}

/* The program is held, its events are open: now it "runs", on two CPUs. */
static void on_opened_launch(void *context, const struct pgb_session *session)
{
	struct world *world = context;
	pid_t pid = first_target(world->perf);
	struct fake_event *first = fake_perf_find(world->perf, pid, 0);
	struct fake_event *second = fake_perf_find(world->perf, pid, 3);

	assert_false(pgb_session_stats(session)->starting);
	assert_int_equal(fake_perf_open_count(world->perf), 4);
	assert_true(first->attr.enable_on_exec);
	assert_false(first->enabled);
	fake_perf_exec(world->perf, pid);
	put_stack(world, second, (uint32_t)pid, 30);
	put_exec(world, first, (uint32_t)pid);
	put_stack(world, first, (uint32_t)pid, 20);
}

static void a_program_is_recorded_from_its_exec_on(void **state)
{
	static const char *const argv[] = {"sh", "-c", "exit 6", NULL};
	struct world *world = *state;
	const struct pgb_session_stats *stats;
	struct pgb_error error = {0};
	size_t count;

	world->config.argv = argv;
	world->config.opened = on_opened_launch;
	assert_int_equal(run(world, &error), 0);
	stats = pgb_session_stats(world->session);
	assert_true(stats->starting && stats->started && stats->has_exit_status);
	assert_int_equal(stats->exit_status, 6);
	assert_int_equal(stats->exit_signal, 0);
	assert_int_equal(stats->execs, 1);
	assert_int_equal(stats->source.samples, 2);
	assert_int_equal(stats->source.branches, 4);
	assert_int_equal(stats->mapped, 4);
	assert_true(stats->ring_bytes > 0);
	assert_int_equal(pgb_session_main_binary(world->session), 0);
	assert_string_equal(pgb_addrspace_binary(pgb_session_addrspace(world->session), 0)->path,
			    world->path);
	(void)pgb_edges_sorted(pgb_session_edges(world->session), &count);
	assert_int_equal(count, 2);
	assert_string_equal(pgb_session_event_name(world->session), "cycles");
	assert_true(pgb_session_rate(world->session).period_events > 0);
}

/* Attached: what is mapped already is read from /proc; the end is the end of all of them. */
static void on_opened_attach(void *context, const struct pgb_session *session)
{
	struct world *world = context;
	struct fake_event *event;

	(void)session;
	for (size_t i = 0; (event = fake_perf_event(world->perf, i)) != NULL; i++) {
		if (event->closed)
			continue;
		assert_false(event->attr.enable_on_exec);
		event->enabled = true;
		put_stack(world, event, (uint32_t)getpid(), 10 + i);
		event->hung_up = true;
	}
}

static void a_running_process_is_learned(void **state)
{
	struct world *world = *state;
	const pid_t pids[] = {getpid()};
	const struct pgb_session_stats *stats;
	struct pgb_error error = {0};
	uint32_t main_binary;

	world->config.pids = pids;
	world->config.pid_count = 1;
	world->config.opened = on_opened_attach;
	assert_int_equal(run(world, &error), 0);
	stats = pgb_session_stats(world->session);
	assert_false(stats->starting || stats->has_exit_status || stats->interrupted);
	assert_int_equal(stats->source.samples, 4);
	assert_int_equal(stats->mapped, 8);
	main_binary = pgb_session_main_binary(world->session);
	assert_int_not_equal(main_binary, PGB_BINARY_NONE);
	assert_string_equal(
		pgb_addrspace_binary(pgb_session_addrspace(world->session), main_binary)->path,
		world->path);
}

static int refuse_access(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	(void)context;
	(void)attr;
	(void)pid;
	(void)cpu;
	return -EACCES;
}

static void what_the_kernel_refuses_never_runs(void **state)
{
	struct world *world = *state;
	char *mark = pgb_format("/tmp/pgobolt-test-session-%d", (int)getpid());
	const char *argv[] = {"touch", mark, NULL};
	struct pgb_error error = {0};

	fake_perf_refuse(world->perf, refuse_access, NULL);
	world->config.argv = argv;
	assert_int_equal(run(world, &error), PGB_E_PERMISSION);
	assert_int_not_equal(error.remedy[0], '\0');
	assert_false(pgb_session_stats(world->session)->starting);
	assert_int_equal(access(mark, F_OK), -1);
	free(mark);
}

static void what_cannot_be_executed_is_told_apart(void **state)
{
	static const char *const argv[] = {"/no/such/program", NULL};
	struct world *world = *state;
	struct pgb_error error = {0};

	world->config.argv = argv;
	assert_int_equal(run(world, &error), PGB_E_NOT_FOUND);
	assert_true(pgb_session_stats(world->session)->starting);
	assert_false(pgb_session_stats(world->session)->started);
}

static const struct signal_row {
	int count, number, from_terminal;
	int exit_signal;
} signal_rows[] = {
	{1, SIGTERM, 0, SIGTERM},
	{2, SIGINT, 0, SIGINT},
	{3, SIGINT, 1, SIGKILL}, /* not passed on, but the third one kills */
};

static void signals_end_the_recording(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct world *world = *state;

	/* what a shell starts in the background ignores it, and so would our child */
	signal(SIGINT, SIG_DFL);
	world->config.argv = argv;
	for (size_t i = 0; i < sizeof(signal_rows) / sizeof(signal_rows[0]); i++) {
		const struct signal_row *row = &signal_rows[i];
		const struct pgb_session_stats *stats;

		world->signals =
			(struct pgb_session_signals){row->count, row->number, row->from_terminal};
		assert_int_equal(run(world, NULL), 0);
		stats = pgb_session_stats(world->session);
		assert_true(stats->interrupted);
		assert_int_equal(stats->exit_signal, row->exit_signal);
		assert_int_equal(stats->exit_status, 128 + row->exit_signal);
		pgb_session_free(world->session);
		world->session = NULL;
	}
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_program_is_recorded_from_its_exec_on),
		IN_WORLD(a_running_process_is_learned),
		IN_WORLD(what_the_kernel_refuses_never_runs),
		IN_WORLD(what_cannot_be_executed_is_told_apart),
		IN_WORLD(signals_end_the_recording),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
