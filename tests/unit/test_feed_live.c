/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/source.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"
#include "tests/support/perf_encode.h"

#define LOST_FORMAT 16 /* PERF_FORMAT_LOST */

static const struct perf_event_attr clock_attr = {
	.type = PERF_TYPE_SOFTWARE,
	.config = PERF_COUNT_SW_CPU_CLOCK,
	.sample_period = 250007,
	.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	.exclude_kernel = 1,
	.exclude_hv = 1,
};

/* A machine, the kernel's stand-in, and processes 42 (threads 42 and 43) and 50. */
struct fixture {
	char *root;
	struct pgb_host host;
	struct fake_perf *perf;
	struct pgb_feed *feed;
	struct pgb_error error;
	struct perf_bytes bytes;
	struct pgb_text log;
};

static void keep_log(void *context, enum pgb_log_level level, const char *message)
{
	(void)level;
	pgb_text_add(context, message);
}

static void set_up(struct fixture *fixture, enum fake_machine machine)
{
	*fixture = (struct fixture){.root = fake_root_new(machine), .perf = fake_perf_new()};
	fake_root_write(fixture->root, "/proc/42/task/42/comm", "a");
	fake_root_write(fixture->root, "/proc/42/task/43/comm", "b");
	fake_root_write(fixture->root, "/proc/50/task/50/comm", "c");
	assert_int_equal(pgb_host_init(&fixture->host, fixture->root, &fixture->error), 0);
}

static void tear_down(struct fixture *fixture)
{
	pgb_feed_free(fixture->feed);
	fake_perf_free(fixture->perf);
	perf_bytes_release(&fixture->bytes);
	pgb_text_release(&fixture->log);
	pgb_host_release(&fixture->host);
	fake_root_remove(fixture->root);
	free(fixture->root);
}

static int open_feed(struct fixture *fixture, const struct pgb_feed_live_config *changes)
{
	static const pid_t pids[] = {42};
	struct pgb_log log = {keep_log, &fixture->log};
	struct pgb_feed_live_config config = *changes;

	config.sys = fake_perf_sys(fixture->perf);
	config.host = &fixture->host;
	config.log = &log;
	if (config.attrs == NULL) {
		config.attrs = &clock_attr;
		config.attr_count = 1;
	}
	if (config.pids == NULL && !config.system_wide) {
		config.pids = pids;
		config.pid_count = 1;
	}
	return pgb_feed_live_new(&fixture->feed, &config, &fixture->error);
}

/* A sample of `ip` at `time_ns`, through the event of this task on this CPU. */
static bool write_sample(struct fixture *fixture, pid_t event_tid, int cpu, pid_t tid, uint64_t ip,
			 uint64_t time_ns)
{
	struct fake_event *event = fake_perf_find(fixture->perf, event_tid, cpu);
	struct perf_sample sample = {
		.who = {.pid = 42, .tid = (uint32_t)tid, .time_ns = time_ns, .id = event->id},
		.misc = PERF_RECORD_MISC_USER,
		.ip = ip,
	};

	fixture->bytes.length = 0;
	perf_encode_sample(&fixture->bytes, &event->attr, &sample);
	return fake_perf_write(fixture->perf, event, fixture->bytes.data, fixture->bytes.length);
}

/* The samples that come until next() says 0: "ip ip ip". */
static char *drain(struct fixture *fixture)
{
	struct pgb_text text = {0};
	struct pgb_record record;
	int result;

	while ((result = pgb_feed_next(fixture->feed, &record, &fixture->error)) == 1)
		if (record.type == PERF_RECORD_SAMPLE)
			pgb_text_addf(&text, "%s%llx", text.length ? " " : "",
				      (unsigned long long)record.ip);
	assert_int_equal(result, 0);
	return pgb_text_detach(&text);
}

static void assert_drained(struct fixture *fixture, const char *expected, int line)
{
	char *text = drain(fixture);

	if (strcmp(text, expected) != 0)
		fail_msg("line %d: '%s' instead of '%s'", line, text, expected);
	free(text);
}

static void a_launch_opens_one_event_per_cpu(void **state)
{
	struct fixture fixture;
	static const pid_t child[] = {50};

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture,
				   &(struct pgb_feed_live_config){
					   .pids = child,
					   .pid_count = 1,
					   .enable_on_exec = true,
				   }),
			 0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 4);
	for (int cpu = 0; cpu < 4; cpu++) {
		const struct fake_event *event = fake_perf_find(fixture.perf, 50, cpu);

		assert_non_null(event);
		assert_int_equal(event->flags, PERF_FLAG_FD_CLOEXEC);
		assert_true(event->attr.disabled && event->attr.enable_on_exec &&
			    event->attr.inherit && event->attr.sample_id_all);
		assert_true(event->attr.mmap && event->attr.mmap2 && event->attr.comm &&
			    event->attr.comm_exec && event->attr.task);
		assert_true(event->attr.use_clockid && event->attr.clockid == CLOCK_MONOTONIC);
		assert_true(event->attr.watermark && event->attr.wakeup_watermark == 0);
		assert_int_equal(event->attr.size, PERF_ATTR_SIZE_VER3);
		assert_ptr_equal(event->output, event);
		assert_false(event->enabled);
	}
	assert_int_equal(pgb_feed_live_ring_bytes(fixture.feed), 4 * 512 * 1024);
	assert_false(write_sample(&fixture, 50, 0, 50, 1, 1));
	fake_perf_exec(fixture.perf, 50);
	assert_true(write_sample(&fixture, 50, 0, 50, 1, 1));
	tear_down(&fixture);
}

static void attaching_opens_every_thread_on_every_cpu(void **state)
{
	static const pid_t pids[] = {42, 50};
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(
		open_feed(&fixture, &(struct pgb_feed_live_config){.pids = pids, .pid_count = 2}),
		0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 3 * 4);
	for (int cpu = 0; cpu < 4; cpu++) {
		struct fake_event *first = fake_perf_find(fixture.perf, 50, cpu);

		/* one ring per CPU: all three write into one of them */
		assert_ptr_equal(fake_perf_find(fixture.perf, 42, cpu)->output, first->output);
		assert_ptr_equal(fake_perf_find(fixture.perf, 43, cpu)->output, first->output);
		assert_false(first->enabled);
	}
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	assert_true(fake_perf_find(fixture.perf, 43, 3)->enabled);
	assert_true(write_sample(&fixture, 43, 3, 43, 0x10, 1));
	assert_drained(&fixture, "10", __LINE__);
	pgb_feed_live_disable(fixture.feed);
	assert_false(write_sample(&fixture, 43, 3, 43, 0x10, 1));
	tear_down(&fixture);
}

static void system_wide_opens_one_event_per_cpu(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_GUEST);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.system_wide = true}),
			 0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 2);
	assert_false(fake_perf_find(fixture.perf, -1, 1)->attr.inherit);
	tear_down(&fixture);
}

static void each_kind_of_core_gets_its_event(void **state)
{
	struct pgb_source_plan plan;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_ALDERLAKE);
	assert_int_equal(pgb_source_lbr.plan(&fixture.host, NULL, &plan, &fixture.error), 0);
	assert_int_equal(plan.attr_count, 2);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.attrs = plan.attrs,
									    .attr_count = 2,
									    .system_wide = true}),
			 0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 8);
	for (int cpu = 0; cpu < 8; cpu++)
		assert_int_equal(fake_perf_find(fixture.perf, -1, cpu)->attr.config >> 32,
				 cpu < 4 ? 4 : 10);
	/* half of perf_event_mlock_kb is too much for two MiB: an ordinary user's share */
	assert_int_equal(pgb_feed_live_ring_bytes(fixture.feed), 8 * 512 * 1024);
	tear_down(&fixture);
}

/* What the slow cores map and start must be seen, even if only the fast ones are sampled. */
static void other_cores_still_report_mappings(void **state)
{
	static const struct pgb_source_request request = {.event = "cpu_core/cycles/"};
	const struct fake_event *event;
	struct pgb_source_plan plan;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_ALDERLAKE);
	assert_int_equal(pgb_source_lbr.plan(&fixture.host, &request, &plan, &fixture.error), 0);
	assert_int_equal(
		open_feed(&fixture, &(struct pgb_feed_live_config){.attrs = plan.attrs,
								   .attr_count = plan.attr_count}),
		0);
	event = fake_perf_find(fixture.perf, 43, 7);
	assert_int_equal(event->attr.type, PERF_TYPE_SOFTWARE);
	assert_int_equal(event->attr.config, PERF_COUNT_SW_DUMMY);
	assert_true(event->attr.mmap2 && event->attr.comm_exec && event->attr.task);
	assert_int_equal(fake_perf_find(fixture.perf, 43, 0)->attr.type, PERF_TYPE_HARDWARE);
	tear_down(&fixture);
}

static void rings_are_merged_by_time(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	assert_drained(&fixture, "", __LINE__);
	for (uint64_t i = 0; i < 40; i++) /* CPU 3 first: order of writing is not order of time */
		assert_true(write_sample(&fixture, 42, 3 - (int)(i / 10), 42, i / 10 + i % 10 * 4,
					 1000 + (i / 10 + i % 10 * 4)));
	assert_drained(&fixture,
		       "0 1 2 3 4 5 6 7 8 9 a b c d e f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d "
		       "1e 1f 20 21 22 23 24 25 26 27",
		       __LINE__);
	assert_int_equal(fixture.feed->stats.records, 40);
	assert_int_equal(fixture.feed->stats.disordered, 0);
	assert_drained(&fixture, "", __LINE__);
	/* one that comes too late is delivered, and counted */
	assert_true(write_sample(&fixture, 42, 0, 42, 0x99, 5));
	assert_drained(&fixture, "99", __LINE__);
	assert_int_equal(fixture.feed->stats.disordered, 1);
	tear_down(&fixture);
}

static void what_may_still_be_overtaken_waits(void **state)
{
	const uint64_t now = UINT64_C(5000000000000);
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	fake_perf_set_clock(fixture.perf, now);
	write_sample(&fixture, 42, 0, 42, 1, now - 1000000000);
	write_sample(&fixture, 42, 0, 42, 4, now - 1000); /* younger than the margin */
	write_sample(&fixture, 42, 0, 42, 5, now + 1000);
	write_sample(&fixture, 42, 1, 42, 2, now - 900000000);
	assert_drained(&fixture, "1 2", __LINE__);
	assert_true(fake_perf_waiting(fake_perf_find(fixture.perf, 42, 0)) > 0);
	write_sample(&fixture, 42, 1, 42, 3, now - 2000);
	assert_drained(&fixture, "", __LINE__);
	fake_perf_set_clock(fixture.perf, now + 20000000);
	assert_drained(&fixture, "3 4 5", __LINE__);
	assert_int_equal(fake_perf_waiting(fake_perf_find(fixture.perf, 42, 0)), 0);
	/* a time stamp that cannot be does not block the ring */
	write_sample(&fixture, 42, 0, 42, 6, now + UINT64_C(1000000000000));
	assert_drained(&fixture, "6", __LINE__);
	/* at the end everything comes */
	write_sample(&fixture, 42, 0, 42, 7, now + 19999999);
	assert_drained(&fixture, "", __LINE__);
	pgb_feed_live_finish(fixture.feed);
	assert_drained(&fixture, "7", __LINE__);
	tear_down(&fixture);
}

/* The end comes while a round is under way that left out a ring and saw older heads. */
static void the_end_in_the_middle_of_a_round(void **state)
{
	const uint64_t now = UINT64_C(5000000000000);
	struct fixture fixture;
	struct pgb_record record;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	fake_perf_set_clock(fixture.perf, now);
	write_sample(&fixture, 42, 0, 42, 1, now - 1000000000);
	write_sample(&fixture, 42, 0, 42, 2, now - 900000000);
	write_sample(&fixture, 42, 1, 42, 4, now - 1000);
	assert_int_equal(pgb_feed_next(fixture.feed, &record, &fixture.error), 1);
	write_sample(&fixture, 42, 0, 42, 3, now - 2000);
	pgb_feed_live_finish(fixture.feed);
	assert_drained(&fixture, "2 3 4", __LINE__);
	tear_down(&fixture);
}

static void a_full_ring_loses_and_tells(void **state)
{
	struct fixture fixture;
	struct pgb_record record;
	uint64_t written = 0, seen = 0, lost = 0;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 1}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	/* many times around the ring, so that records wrap at every place */
	for (uint64_t i = 0; i < 3000; i++) {
		if (write_sample(&fixture, 42, 1, 42, i, 1000 + i))
			written++;
		else
			lost++;
		if (i % 301 == 0)
			while (pgb_feed_next(fixture.feed, &record, &fixture.error) == 1)
				seen += record.type == PERF_RECORD_SAMPLE;
	}
	assert_true(lost > 100);
	pgb_feed_live_finish(fixture.feed);
	while (pgb_feed_next(fixture.feed, &record, &fixture.error) == 1)
		seen += record.type == PERF_RECORD_SAMPLE;
	assert_int_equal(seen, written);
	/* those after the last LOST record are known from PERF_FORMAT_LOST */
	assert_int_equal(fixture.feed->stats.lost_records, lost);
	assert_int_equal(fixture.feed->stats.malformed, 0);
	tear_down(&fixture);
}

/* A round is under way when the end comes, and the last one has a LOST record. */
static void what_was_lost_counts_once(void **state)
{
	struct fake_event *event;
	struct pgb_record record;
	struct fixture fixture;
	uint64_t lost = 0;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 1}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	event = fake_perf_find(fixture.perf, 42, 0);
	for (uint64_t i = 0; i < 200; i++)
		lost += !write_sample(&fixture, 42, 0, 42, i, 1000 + i);
	fake_perf_set_clock(fixture.perf, UINT64_C(3000000000000));
	for (int i = 0; i < 60; i++)
		assert_int_equal(pgb_feed_next(fixture.feed, &record, &fixture.error), 1);
	assert_true(write_sample(&fixture, 42, 0, 42, 1, 2000)); /* and the LOST record */
	pgb_feed_live_finish(fixture.feed);
	free(drain(&fixture));
	assert_true(lost > 50);
	assert_int_equal(fixture.feed->stats.lost_records, lost);
	assert_int_equal(event->lost, lost);
	tear_down(&fixture);
}

static void what_was_read_is_given_back_early(void **state)
{
	struct fake_event *event;
	struct pgb_record record;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 1}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	event = fake_perf_find(fixture.perf, 42, 0);
	for (uint64_t i = 0; i < 100; i++)
		assert_true(write_sample(&fixture, 42, 0, 42, i, 1000 + i));
	for (int i = 0; i < 60; i++)
		assert_int_equal(pgb_feed_next(fixture.feed, &record, &fixture.error), 1);
	assert_true(fake_perf_waiting(event) < 100 * fixture.bytes.length / 4 * 3);
	tear_down(&fixture);
}

static void garbage_in_a_ring_costs_one_counter(void **state)
{
	struct perf_event_header short_size = {.type = PERF_RECORD_SAMPLE, .size = 8};
	struct perf_event_header no_size = {.type = PERF_RECORD_SAMPLE, .size = 0};
	struct fake_event *event;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	event = fake_perf_find(fixture.perf, 42, 0);
	write_sample(&fixture, 42, 0, 42, 1, 1001);
	fake_perf_write(fixture.perf, event, &short_size, sizeof(short_size));
	write_sample(&fixture, 42, 0, 42, 2, 1002);
	assert_drained(&fixture, "1 2", __LINE__);
	assert_int_equal(fixture.feed->stats.malformed, 1);
	fake_perf_write(fixture.perf, event, &no_size, sizeof(no_size));
	write_sample(&fixture, 42, 0, 42, 3, 1003); /* where it begins cannot be known */
	assert_drained(&fixture, "", __LINE__);
	assert_int_equal(fixture.feed->stats.malformed, 2);
	write_sample(&fixture, 42, 0, 42, 4, 1004);
	assert_drained(&fixture, "4", __LINE__);
	tear_down(&fixture);
}

static void waiting(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 1}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 0);
	write_sample(&fixture, 42, 2, 42, 1, 1001);
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 0); /* not for one record */
	for (uint64_t i = 0; i < 60; i++)
		write_sample(&fixture, 42, 2, 42, i, 1002 + i);
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 1); /* half a ring */
	free(drain(&fixture));
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 0);
	tear_down(&fixture);
}

/* The thread whose event carries the ring ends before the others. */
static void a_thread_that_ends_does_not_wake_us_for_ever(void **state)
{
	struct fixture fixture;
	pid_t first;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 1}), 0);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	first = fake_perf_event(fixture.perf, 1)->pid; /* 0 was the trial */
	for (int cpu = 0; cpu < 4; cpu++)
		fake_perf_find(fixture.perf, first, cpu)->hung_up = true;
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 1);
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 0);
	/* the other thread's records still wake */
	for (uint64_t i = 0; i < 60; i++)
		write_sample(&fixture, 42 + 43 - first, 2, 43, i, 1002 + i);
	assert_int_equal(pgb_feed_wait(fixture.feed, 250), 1);
	free(drain(&fixture));
	for (int cpu = 0; cpu < 4; cpu++)
		fake_perf_find(fixture.perf, 42 + 43 - first, cpu)->hung_up = true;
	assert_true(pgb_feed_wait(fixture.feed, 250) < 0);
	assert_true(pgb_feed_wait(fixture.feed, 250) < 0);
	write_sample(&fixture, 42, 0, 42, 0x77, 9000);
	pgb_feed_live_finish(fixture.feed);
	assert_drained(&fixture, "77", __LINE__);
	tear_down(&fixture);
}

/* A new thread appears in /proc while the first event is opened. */
static int start_thread(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	struct fixture *fixture = context;

	(void)attr;
	(void)cpu;
	if (pid == 43)
		fake_root_write(fixture->root, "/proc/42/task/44/comm", "late");
	return 0;
}

/* FORK or EXIT of `tid`, through the event of `event_tid` on CPU 0. */
static void write_task(struct fixture *fixture, pid_t event_tid, uint32_t type, uint32_t tid,
		       uint32_t parent_tid, uint64_t time_ns)
{
	struct fake_event *event = fake_perf_find(fixture->perf, event_tid, 0);
	struct perf_identity who = {.pid = 42, .tid = tid, .time_ns = time_ns};

	fixture->bytes.length = 0;
	perf_encode_task(&fixture->bytes, &event->attr, type, &who, 42, parent_tid);
	assert_true(
		fake_perf_write(fixture->perf, event, fixture->bytes.data, fixture->bytes.length));
}

static void a_thread_that_starts_meanwhile_counts_once(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	fake_perf_refuse(fixture.perf, start_thread, &fixture);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), 0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 3 * 4);
	assert_int_equal(pgb_feed_live_enable(fixture.feed, &fixture.error), 0);
	write_sample(&fixture, 44, 0, 44, 1, 1001);
	write_sample(&fixture, 43, 0, 44, 2, 1002); /* inherited from thread 43: the same again */
	write_sample(&fixture, 43, 0, 43, 3, 1003);
	write_sample(&fixture, 44, 1, 44, 4, 1004);
	write_sample(&fixture, 42, 0, 99, 5, 1005); /* a new thread: inherited only */
	assert_drained(&fixture, "1 3 4 5", __LINE__);
	/* what it starts inherits its own events and those that it may have inherited */
	write_task(&fixture, 44, PERF_RECORD_FORK, 45, 44, 1006);
	write_sample(&fixture, 44, 1, 45, 6, 1007);
	write_sample(&fixture, 43, 0, 45, 7, 1008);
	assert_drained(&fixture, "6", __LINE__);
	/* once it has ended, its number may be another thread's */
	write_task(&fixture, 44, PERF_RECORD_EXIT, 45, 44, 1009);
	write_sample(&fixture, 43, 0, 45, 8, 1010);
	assert_drained(&fixture, "8", __LINE__);
	tear_down(&fixture);
}

static int gone(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	(void)attr;
	(void)cpu;
	return pid == *(const pid_t *)context ? -ESRCH : 0;
}

static void a_thread_that_ends_meanwhile_is_left_out(void **state)
{
	pid_t thread = 43, process = 50;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	fake_perf_refuse(fixture.perf, gone, &thread);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), 0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 4);
	pgb_feed_free(fixture.feed);
	fixture.feed = NULL;
	fake_perf_refuse(fixture.perf, gone, &process);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.pids = &process,
									    .pid_count = 1}),
			 PGB_E_GONE);
	assert_null(fixture.feed);
	tear_down(&fixture);
}

static void a_process_that_is_not_there(void **state)
{
	static const pid_t pids[] = {42, 4711};
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	assert_int_equal(
		open_feed(&fixture, &(struct pgb_feed_live_config){.pids = pids, .pid_count = 2}),
		PGB_E_GONE);
	assert_non_null(strstr(fixture.error.message, "4711"));
	assert_int_equal(fake_perf_open_count(fixture.perf), 0);
	tear_down(&fixture);
}

/* What a kernel or PMU does not have, and the attr that is left. */
struct lack {
	bool lost_format, exclude_guest, branch_stack;
	unsigned int precise_max;
	int code;
};

static int refuse_lacking(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	const struct lack *lack = context;

	(void)pid;
	(void)cpu;
	if ((lack->lost_format && attr->read_format & LOST_FORMAT) ||
	    (lack->exclude_guest && attr->exclude_guest))
		return -EINVAL;
	if (attr->precise_ip > lack->precise_max ||
	    (lack->branch_stack && attr->sample_type & PERF_SAMPLE_BRANCH_STACK))
		return lack->code ? lack->code : -EOPNOTSUPP;
	return 0;
}

static void settles_for_what_there_is(void **state)
{
	static const struct {
		int line;
		const char *event;
		struct lack lack;
		int code;
		unsigned int precise;
		bool lost_format, exclude_guest;
	} rows[] = {
		{__LINE__, "cycles:P", {.precise_max = 3}, 0, 3, true, true},
		{__LINE__, "cycles:P", {.precise_max = 2}, 0, 2, false, false},
		{__LINE__, "cycles:P", {.precise_max = 0}, 0, 0, false, false},
		{__LINE__, "cycles", {.lost_format = true}, 0, 0, false, true},
		{__LINE__,
		 "cycles",
		 {.lost_format = true, .exclude_guest = true},
		 0,
		 0,
		 false,
		 false},
		{__LINE__, "cycles", {.branch_stack = true}, PGB_E_UNSUPPORTED, 0, 0, 0},
		{__LINE__,
		 "cycles",
		 {.branch_stack = true, .code = -EBUSY},
		 PGB_E_RESOURCE,
		 0,
		 0,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_source_request request = {.event = rows[i].event};
		const struct perf_event_attr *attr;
		struct pgb_source_plan plan;
		struct lack lack = rows[i].lack;
		struct fixture fixture;
		int result;

		set_up(&fixture, FAKE_SKYLAKE);
		assert_int_equal(
			pgb_source_lbr.plan(&fixture.host, &request, &plan, &fixture.error), 0);
		attr = &plan.attrs[0];
		fake_perf_refuse(fixture.perf, refuse_lacking, &lack);
		result = pgb_feed_live_settle(fake_perf_sys(fixture.perf), &fixture.host,
					      plan.attrs, plan.attr_count, &fixture.error);
		if (result != rows[i].code)
			fail_msg("row of line %d: %s", rows[i].line, fixture.error.message);
		assert_int_equal(fake_perf_open_count(fixture.perf), 0);
		if (result == 0 && (attr->precise_ip != rows[i].precise ||
				    !(attr->read_format & LOST_FORMAT) != !rows[i].lost_format ||
				    attr->exclude_guest != rows[i].exclude_guest ||
				    attr->enable_on_exec || attr->inherit || attr->disabled))
			fail_msg("row of line %d: another attr", rows[i].line);
		if (result == 0)
			assert_int_equal(open_feed(&fixture,
						   &(struct pgb_feed_live_config){
							   .attrs = plan.attrs,
							   .attr_count = 1,
						   }),
					 0);
		tear_down(&fixture);
	}
}

static void rings_shrink_when_locked_memory_is_short(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_SKYLAKE);
	fake_perf_limit(fixture.perf, 0, 4 * 68 * 1024);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 16}), 0);
	assert_string_equal(pgb_text_string(&fixture.log), "");
	pgb_feed_free(fixture.feed);
	fixture.feed = NULL;
	fake_perf_limit(fixture.perf, 0, 4 * 68 * 1024);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.ring_pages = 64}), 0);
	/* all of them alike: the first must not take what the last one needs */
	assert_int_equal(pgb_feed_live_ring_bytes(fixture.feed), 4 * 16 * 4096);
	assert_int_equal(fake_perf_open_count(fixture.perf), 2 * 4);
	assert_non_null(strstr(fixture.log.data, "perf_event_mlock_kb"));
	pgb_feed_free(fixture.feed);
	fixture.feed = NULL;
	fake_perf_limit(fixture.perf, 0, 4096);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), PGB_E_RESOURCE);
	assert_true(fixture.error.remedy[0] != '\0');
	assert_int_equal(fake_perf_open_count(fixture.perf), 0);
	tear_down(&fixture);
}

static void the_descriptor_limit_is_raised_first(void **state)
{
	struct rlimit before, after;
	struct fixture fixture;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	if (before.rlim_cur == before.rlim_max) {
		struct rlimit lower = {before.rlim_max - 1, before.rlim_max};

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
	}
	set_up(&fixture, FAKE_SKYLAKE);
	fake_perf_limit(fixture.perf, 3, 0);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){0}), PGB_E_RESOURCE);
	assert_non_null(strstr(fixture.error.message, "EMFILE"));
	assert_non_null(strstr(fixture.error.remedy, "ulimit -n"));
	assert_int_equal(fake_perf_open_count(fixture.perf), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
	assert_true(after.rlim_cur == after.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	tear_down(&fixture);
}

static void counts_are_summed(void **state)
{
	struct pgb_feed_live_counts counts;
	struct fixture fixture;

	(void)state;
	set_up(&fixture, FAKE_GUEST);
	assert_int_equal(open_feed(&fixture, &(struct pgb_feed_live_config){.system_wide = true}),
			 0);
	for (int cpu = 0; cpu < 2; cpu++) {
		struct fake_event *event = fake_perf_find(fixture.perf, -1, cpu);

		event->value = 100;
		event->time_enabled_ns = 1000;
		event->time_running_ns = 500;
		event->lost = 3;
	}
	pgb_feed_live_count(fixture.feed, &counts);
	assert_int_equal(counts.events, 200);
	assert_int_equal(counts.time_enabled_ns, 2000);
	assert_int_equal(counts.time_running_ns, 1000);
	assert_int_equal(counts.lost, 6);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_launch_opens_one_event_per_cpu),
		cmocka_unit_test(attaching_opens_every_thread_on_every_cpu),
		cmocka_unit_test(system_wide_opens_one_event_per_cpu),
		cmocka_unit_test(each_kind_of_core_gets_its_event),
		cmocka_unit_test(other_cores_still_report_mappings),
		cmocka_unit_test(rings_are_merged_by_time),
		cmocka_unit_test(what_may_still_be_overtaken_waits),
		cmocka_unit_test(the_end_in_the_middle_of_a_round),
		cmocka_unit_test(a_full_ring_loses_and_tells),
		cmocka_unit_test(what_was_lost_counts_once),
		cmocka_unit_test(what_was_read_is_given_back_early),
		cmocka_unit_test(garbage_in_a_ring_costs_one_counter),
		cmocka_unit_test(waiting),
		cmocka_unit_test(a_thread_that_ends_does_not_wake_us_for_ever),
		cmocka_unit_test(a_thread_that_starts_meanwhile_counts_once),
		cmocka_unit_test(a_thread_that_ends_meanwhile_is_left_out),
		cmocka_unit_test(a_process_that_is_not_there),
		cmocka_unit_test(settles_for_what_there_is),
		cmocka_unit_test(rings_shrink_when_locked_memory_is_short),
		cmocka_unit_test(the_descriptor_limit_is_raised_first),
		cmocka_unit_test(counts_are_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
