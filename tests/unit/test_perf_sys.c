/* SPDX-License-Identifier: MIT */
/*
 * The kernel itself: a program of ours is started held, recorded with cpu-clock through the same
 * calls as a real recording, and has to be found where it was. Skipped where perf_event_open is
 * forbidden.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/collector/source.h"

#define CPU_MS 200

static uint64_t cpu_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What is recorded: user-space time, on two threads. */
static void *burn(void *unused)
{
	volatile unsigned int sink = 0;
	uint64_t end = cpu_time_ns() + CPU_MS * UINT64_C(1000000);

	while (cpu_time_ns() < end)
		for (int i = 0; i < 200000; i++)
			sink += (unsigned int)i;
	return unused;
}

static int burn_on_two_threads(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, burn, NULL) != 0)
		return 1;
	burn(NULL);
	return pthread_join(thread, NULL);
}

struct seen {
	uint64_t samples, exec_maps, execs, forks, exits;
	pid_t pid;
	pid_t tids[2];
	uint64_t last_time_ns;
	struct pgb_source_stats stats;
};

static void see_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	struct seen *seen = context;
	size_t slot = seen->tids[0] != 0 && seen->tids[0] != (pid_t)record->tid;

	assert_true(address != 0);
	if ((pid_t)record->pid != seen->pid)
		return; /* a child, as the leak checker has one */
	seen->tids[slot] = (pid_t)record->tid;
	seen->samples++;
}

static void drain(struct pgb_feed *feed, struct seen *seen)
{
	struct pgb_sink sink = {.ip = see_ip, .context = seen};
	struct pgb_error error = {0};
	struct pgb_record record;

	while (pgb_feed_next(feed, &record, &error) == 1) {
		assert_true(record.has_time);
		switch (record.type) {
		case PERF_RECORD_SAMPLE:
			pgb_source_ip.decode(&record, NULL, &sink, &seen->stats);
			break;
		case PERF_RECORD_MMAP2:
			seen->exec_maps += strstr(record.mmap.path, "test_perf_sys") != NULL;
			break;
		case PERF_RECORD_COMM:
			seen->execs += (record.misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
			break;
		case PERF_RECORD_FORK:
			seen->forks++;
			break;
		case PERF_RECORD_EXIT:
			seen->exits++;
			break;
		}
	}
}

static struct pgb_host host;
static struct pgb_source_plan plan;

/* May we? Fills host and plan. */
static int look(struct pgb_error *error)
{
	static const struct pgb_source_request request = {.event = "cpu-clock",
							  .rate = {.period_events = 250007}};
	int result = pgb_host_init(&host, NULL, error);

	if (result == 0)
		result = pgb_source_ip.plan(&host, &request, &plan, error);
	if (result == 0)
		result = pgb_feed_live_settle(&pgb_perf_sys_kernel, &host, plan.attrs,
					      plan.attr_count, error);
	return result;
}

static struct pgb_feed *open_feed(pid_t pid, bool on_exec)
{
	struct pgb_feed_live_config config = {
		.sys = &pgb_perf_sys_kernel,
		.host = &host,
		.attrs = plan.attrs,
		.attr_count = plan.attr_count,
		.pids = &pid,
		.pid_count = 1,
		.enable_on_exec = on_exec,
		.ring_pages = 16,
	};
	struct pgb_error error = {0};
	struct pgb_feed *feed;

	if (pgb_feed_live_new(&feed, &config, &error) < 0)
		fail_msg("%s (%s)", error.message, error.remedy);
	return feed;
}

static void drain_until_hung_up(struct pgb_feed *feed, struct seen *seen)
{
	while (pgb_feed_wait(feed, 250) >= 0)
		drain(feed, seen);
	pgb_feed_live_finish(feed);
	drain(feed, seen);
}

/* cpu-clock is a timer of 250 us: what is asserted leaves room for a busy machine. */
static void check(const struct pgb_feed *feed, const struct seen *seen)
{
	struct pgb_feed_live_counts counts;

	pgb_feed_live_count(feed, &counts);
	assert_true(counts.time_running_ns >= CPU_MS * UINT64_C(1000000));
	assert_true(seen->samples > 20);
	assert_true(seen->tids[0] != 0 && seen->tids[1] != 0);
	assert_int_equal(feed->stats.malformed, 0);
	assert_int_equal(feed->stats.unknown, 0);
	assert_true(feed->stats.records >= seen->samples);
}

static void records_a_program_from_its_exec_on(void **state)
{
	const char *argv[] = {"/proc/self/exe", "burn", NULL};
	struct pgb_spawn spawn = {.argv = argv, .held = true, .die_with_parent = true};
	struct pgb_process process;
	struct pgb_error error = {0};
	struct seen seen = {0};
	struct pgb_feed *feed;
	int status;

	(void)state;
	assert_int_equal(pgb_process_spawn(&process, &spawn, &error), 0);
	feed = open_feed(process.pid, true);
	seen.pid = process.pid;
	assert_int_equal(pgb_process_start(&process, &error), 0);
	drain_until_hung_up(feed, &seen);
	assert_int_equal(pgb_process_wait(&process, -1, &status, &error), 1);
	assert_int_equal(status, 0);
	check(feed, &seen);
	assert_true(seen.exec_maps >= 1);
	assert_int_equal(seen.execs, 1);
	assert_true(seen.forks >= 1); /* its second thread */
	assert_true(seen.exits >= 2);
	pgb_feed_free(feed);
}

static void attaches_to_a_running_program(void **state)
{
	struct pgb_error error = {0};
	struct seen seen = {0};
	struct pgb_feed *feed;
	int go[2], status;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(go), 0);
	seen.pid = fork();
	if (seen.pid == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(burn_on_two_threads());
	}
	feed = open_feed(seen.pid, false);
	assert_int_equal(pgb_feed_live_enable(feed, &error), 0);
	assert_int_equal(write(go[1], &byte, 1), 1);
	drain_until_hung_up(feed, &seen);
	assert_int_equal(waitpid(seen.pid, &status, 0), seen.pid);
	assert_int_equal(status, 0);
	check(feed, &seen);
	assert_int_equal(seen.execs, 0);
	pgb_feed_free(feed);
	close(go[0]);
	close(go[1]);
}

static void errors_are_negative_errnos(void **state)
{
	const struct pgb_perf_sys *sys = &pgb_perf_sys_kernel;
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};
	uint64_t value;
	void *address;

	(void)state;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.exclude_kernel = 1;
	assert_int_equal(sys->event_open(sys->context, &attr, -1, -1, -1, 0), -EINVAL);
	assert_int_equal(sys->close(sys->context, -1), -EBADF);
	assert_int_equal(sys->read(sys->context, -1, &value, sizeof(value)), -EBADF);
	assert_int_equal(sys->control(sys->context, -1, PERF_EVENT_IOC_ENABLE, 0), -EBADF);
	assert_true(sys->map(sys->context, -1, 4096, 1, 0, &address) < 0);
	assert_int_equal(sys->poll(sys->context, NULL, 0, 0), 0);
	assert_true(sys->clock_ns(sys->context) > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_a_program_from_its_exec_on),
		cmocka_unit_test(attaches_to_a_running_program),
		cmocka_unit_test(errors_are_negative_errnos),
	};
	struct pgb_error error = {0};
	int result;

	if (argc > 1 && strcmp(argv[1], "burn") == 0)
		return burn_on_two_threads();
	result = look(&error);
	if (result == 0)
		result = cmocka_run_group_tests(tests, NULL, NULL);
	else if (result == PGB_E_PERMISSION || result == PGB_E_UNSUPPORTED)
		result = 77;
	pgb_host_release(&host);
	if (error.code)
		printf("%s\n", error.message);
	return result;
}
