/* SPDX-License-Identifier: MIT */
/*
 * Live AUX areas: which events and areas are opened, that every byte comes once and in order, and
 * what happens when the reader is slower than the hardware.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"

enum { SPE_TYPE = 9, PID = 42, CPUS = 4 };

static const struct perf_event_attr spe_attr = {
	.type = SPE_TYPE,
	.sample_period = 64256,
	.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
		       PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
	.exclude_kernel = 1,
	.exclude_hv = 1,
};

struct fixture {
	char *root;
	struct pgb_host host;
	struct fake_perf *perf;
	struct pgb_feed *feed;
	struct pgb_error error;
	size_t page_bytes;
	uint64_t now_ns;
};

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){
		.root = fake_root_new(FAKE_NEOVERSE),
		.perf = fake_perf_new(),
		.page_bytes = (size_t)sysconf(_SC_PAGESIZE),
		.now_ns = UINT64_C(2000000000000),
	};
	fake_root_write(fixture->root, "/proc/42/task/42/comm", "a");
	fake_root_write(fixture->root, "/proc/42/task/43/comm", "b");
	assert_int_equal(pgb_host_init(&fixture->host, fixture->root, &fixture->error), 0);
	fake_perf_set_clock(fixture->perf, fixture->now_ns);
}

static void tear_down(struct fixture *fixture)
{
	pgb_feed_free(fixture->feed);
	fake_perf_free(fixture->perf);
	pgb_host_release(&fixture->host);
	fake_root_remove(fixture->root);
	free(fixture->root);
}

static int open_feed(struct fixture *fixture, struct pgb_feed_live_config config)
{
	static const pid_t pids[] = {PID};

	config.sys = fake_perf_sys(fixture->perf);
	config.host = &fixture->host;
	config.attrs = &spe_attr;
	config.attr_count = 1;
	config.aux = true;
	if (!config.system_wide) {
		config.pids = pids;
		config.pid_count = 1;
	}
	return pgb_feed_live_new(&fixture->feed, &config, &fixture->error);
}

/* The event of SPE of a task on a CPU: it is opened before the one for mappings. */
static struct fake_event *spe_event(struct fixture *fixture, pid_t pid, int cpu)
{
	struct fake_event *event = fake_perf_find(fixture->perf, pid, cpu);

	assert_non_null(event);
	assert_int_equal(event->attr.type, SPE_TYPE);
	return event;
}

/* `size_bytes` bytes, each of them `value`. */
static bool write_bytes(struct fixture *fixture, struct fake_event *event, uint32_t tid,
			uint8_t value, size_t size_bytes, uint64_t flags)
{
	const struct perf_identity who = {.pid = PID, .tid = tid, .cpu = (uint32_t)event->cpu};
	uint8_t *bytes = malloc(size_bytes);
	bool fits;

	memset(bytes, value, size_bytes);
	fake_perf_set_clock(fixture->perf, ++fixture->now_ns);
	fits = fake_perf_write_aux(fixture->perf, event, &who, bytes, size_bytes, flags);
	free(bytes);
	return fits;
}

/* Each AUX record as "tid:value*count", with "T" for truncated, "C" for collided. */
static char *drain(struct fixture *fixture)
{
	struct pgb_text text = {0};
	struct pgb_record record;
	int result;

	fake_perf_set_clock(fixture->perf, fixture->now_ns += 1000000000);
	while ((result = pgb_feed_next(fixture->feed, &record, &fixture->error)) == 1) {
		size_t count = pgb_cursor_left(&record.aux_bytes);

		if (record.type != PERF_RECORD_AUX)
			continue;
		assert_int_equal(record.aux_bytes.offset, record.aux.offset);
		pgb_text_addf(&text, "%s%u:", text.length ? " " : "", record.tid);
		if (count)
			pgb_text_addf(&text, "%x*%zu", record.aux_bytes.at[0], count);
		for (size_t i = 1; i < count; i++)
			assert_int_equal(record.aux_bytes.at[i], record.aux_bytes.at[0]);
		pgb_text_addf(&text, "%s%s", record.aux.flags & PERF_AUX_FLAG_TRUNCATED ? "T" : "",
			      record.aux.flags & PERF_AUX_FLAG_COLLISION ? "C" : "");
	}
	assert_int_equal(result, 0);
	return pgb_text_detach(&text);
}

static void assert_drained(struct fixture *fixture, const char *expected)
{
	char *text = drain(fixture);

	assert_string_equal(text, expected);
	free(text);
}

static void what_is_opened(void **state)
{
	struct fixture fixture;
	struct fake_event *event, *side_band, *first;

	(void)state;
	set_up(&fixture);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){0}), 0);
	/* two threads on each CPU, and for each an event that tells of mappings */
	assert_int_equal(fake_perf_open_count(fixture.perf), 2 * 2 * CPUS);
	event = spe_event(&fixture, 42, 0);
	assert_int_equal(event->attr.mmap + event->attr.comm + event->attr.task, 0);
	assert_int_equal(event->attr.inherit, 1);
	/* ring and area are those of the thread that was met first: folders have no order */
	first = event->output;
	assert_ptr_equal(first->output, first);
	assert_ptr_equal(spe_event(&fixture, 43, 0)->output, first);
	side_band = fake_perf_event(fixture.perf, 2); /* behind the one that was tried */
	assert_int_equal(side_band->attr.type, PERF_TYPE_SOFTWARE);
	assert_int_equal(side_band->attr.config, PERF_COUNT_SW_DUMMY);
	assert_int_equal(side_band->attr.mmap2 + side_band->attr.comm_exec + side_band->attr.task,
			 3);
	assert_int_equal(side_band->attr.context_switch, 0);
	assert_int_equal(side_band->attr.clockid, CLOCK_MONOTONIC);
	assert_ptr_equal(side_band->output, first);
	assert_int_equal(pgb_feed_live_ring_bytes(fixture.feed) % (CPUS * fixture.page_bytes), 0);
	tear_down(&fixture);
}

static void bytes_come_once_and_in_order(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.aux_pages = 4}), 0);
	pgb_feed_enable(fixture.feed, NULL);
	write_bytes(&fixture, spe_event(&fixture, 42, 0), 42, 0xa, 64, 0);
	write_bytes(&fixture, spe_event(&fixture, 43, 1), 43, 0xb, 128, 0);
	write_bytes(&fixture, spe_event(&fixture, 43, 0), 43, 0xc, 192, PERF_AUX_FLAG_COLLISION);
	assert_drained(&fixture, "42:a*64 43:b*128 43:c*192C");
	assert_drained(&fixture, "");
	tear_down(&fixture);
}

/* More than the area holds, piece by piece: it is given back as it is read. */
static void around_the_end_many_times(void **state)
{
	struct fixture fixture;
	struct fake_event *event;
	char expected[64];

	(void)state;
	set_up(&fixture);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.aux_pages = 2}), 0);
	pgb_feed_enable(fixture.feed, NULL);
	event = spe_event(&fixture, 42, 2);
	for (unsigned int i = 0; i < 100; i++) {
		assert_true(write_bytes(&fixture, event, 42, (uint8_t)i, 3000, 0));
		snprintf(expected, sizeof(expected), "42:%x*3000", i);
		assert_drained(&fixture, expected);
	}
	tear_down(&fixture);
}

static void no_room_stops_and_reading_starts_again(void **state)
{
	struct fixture fixture;
	struct fake_event *event;
	size_t area;

	(void)state;
	set_up(&fixture);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.aux_pages = 2}), 0);
	pgb_feed_enable(fixture.feed, NULL);
	event = spe_event(&fixture, 42, 3);
	area = 2 * fixture.page_bytes;
	assert_true(write_bytes(&fixture, event, 42, 1, area - 64, 0));
	assert_false(write_bytes(&fixture, event, 42, 2, 128, 0));
	assert_false(event->enabled);
	assert_false(write_bytes(&fixture, event, 42, 3, 64, 0)); /* it is off */
	{
		char *text = drain(&fixture), *expected = pgb_format("42:1*%zu 42:T", area - 64);

		assert_string_equal(text, expected);
		free(text);
		free(expected);
	}
	assert_true(event->enabled);
	assert_true(write_bytes(&fixture, event, 42, 4, 128, 0));
	assert_drained(&fixture, "42:4*128");
	/* when recording ends it stays off */
	assert_true(write_bytes(&fixture, event, 42, 5, 64, PERF_AUX_FLAG_TRUNCATED));
	pgb_feed_disable(fixture.feed);
	assert_drained(&fixture, "42:5*64T");
	assert_false(event->enabled);
	tear_down(&fixture);
}

/* The record that tells that the hardware stopped may itself be lost. */
static void what_stopped_unseen_is_started_again(void **state)
{
	struct perf_identity who = {.pid = PID, .tid = 42, .cpu = 3};
	struct perf_bytes bytes = {0};
	struct fixture fixture;
	struct fake_event *event;

	(void)state;
	set_up(&fixture);
	assert_int_equal(
		open_feed(&fixture, (struct pgb_feed_live_config){.ring_pages = 1, .aux_pages = 2}),
		0);
	pgb_feed_enable(fixture.feed, NULL);
	event = spe_event(&fixture, 42, 3);
	who.time_ns = fixture.now_ns;
	who.id = event->id;
	perf_encode_switch(&bytes, &event->attr, &who, 0);
	while (fake_perf_write(fixture.perf, event, bytes.data, bytes.length))
		;
	assert_false(write_bytes(&fixture, event, 42, 1, 3 * fixture.page_bytes, 0));
	assert_false(event->enabled);
	assert_drained(&fixture, ""); /* room again */
	event->enabled = true;	      /* another one of the CPU writes what tells of the loss */
	assert_true(fake_perf_write(fixture.perf, event, bytes.data, bytes.length));
	event->enabled = false;
	assert_drained(&fixture, "");
	assert_true(event->enabled);
	perf_bytes_release(&bytes);
	tear_down(&fixture);
}

/* What no driver writes: a piece around the area's end, one that is not there. */
static void impossible_pieces(void **state)
{
	struct fixture fixture;
	struct fake_event *event;
	struct perf_bytes bytes = {0};
	struct perf_identity who = {.pid = PID, .tid = 42, .cpu = 0};
	size_t area;

	(void)state;
	set_up(&fixture);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.aux_pages = 2}), 0);
	pgb_feed_enable(fixture.feed, NULL);
	area = 2 * fixture.page_bytes;
	event = spe_event(&fixture, 42, 0);
	who.time_ns = fixture.now_ns;
	who.id = event->id;
	assert_true(write_bytes(&fixture, event, 42, 0, area, 0));
	perf_encode_aux(&bytes, &event->attr, &who, area - 32, 64, 0); /* wraps: half of it */
	perf_encode_aux(&bytes, &event->attr, &who, 0, 64, 0);	       /* given back already */
	perf_encode_aux(&bytes, &event->attr, &who, area, 4 * area, 0);
	perf_encode_aux(&bytes, &event->attr, &who, UINT64_MAX - 8, UINT64_MAX, 0);
	fake_perf_write(fixture.perf, event, bytes.data, bytes.length);
	{
		char *text = drain(&fixture);
		char *expected = pgb_format("42:0*%zu 42: 42: 42: 42:", area);

		assert_string_equal(text, expected);
		free(text);
		free(expected);
	}
	perf_bytes_release(&bytes);
	tear_down(&fixture);
}

static int refuse_trial_on_task(void *context, const struct perf_event_attr *attr, pid_t pid,
				int cpu)
{
	(void)context;
	(void)cpu;
	return attr->type == SPE_TYPE && pid != -1 ? -EINVAL : 0;
}

static void the_whole_system_is_tried_on_a_cpu(void **state)
{
	struct fixture fixture;
	struct pgb_record record;

	(void)state;
	set_up(&fixture);
	fake_perf_refuse(fixture.perf, refuse_trial_on_task, NULL);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.system_wide = true}),
			 0);
	assert_int_equal(fake_perf_open_count(fixture.perf), 2 * CPUS);
	pgb_feed_enable(fixture.feed, NULL);
	write_bytes(&fixture, spe_event(&fixture, -1, 0), 42, 0xa, 64, 0);
	fake_perf_set_clock(fixture.perf, fixture.now_ns += 1000000000);
	assert_int_equal(pgb_feed_next(fixture.feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_AUX);
	assert_true(record.aux_of_cpu);
	assert_null(record.aux_ticks); /* there is no counter */
	tear_down(&fixture);
}

/* Who ran is told by switches, and the hardware's times by the same clock as those of records. */
static void the_whole_system_tells_who_ran(void **state)
{
	struct fixture fixture;
	struct pgb_record record;
	struct fake_event *spe, *side_band;

	(void)state;
	set_up(&fixture);
	fake_perf_set_ticks(fixture.perf, 1000, 40 << 10, 10);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.system_wide = true}),
			 0);
	spe = spe_event(&fixture, -1, 0);
	side_band = fake_perf_event(fixture.perf, 2);
	assert_int_equal(spe->attr.context_switch, 0);
	assert_int_equal(side_band->attr.context_switch, 1);
	assert_int_equal(side_band->attr.clockid, CLOCK_MONOTONIC_RAW);
	assert_int_equal(spe->attr.clockid, CLOCK_MONOTONIC_RAW);
	pgb_feed_enable(fixture.feed, NULL);
	write_bytes(&fixture, spe, 42, 0xa, 64, 0);
	fake_perf_set_clock(fixture.perf, fixture.now_ns += 1000000000);
	assert_int_equal(pgb_feed_next(fixture.feed, &record, NULL), 1);
	assert_non_null(record.aux_ticks);
	assert_true(pgb_ticks_to_ns(record.aux_ticks, 1000) == UINT64_C(2000000000000));
	assert_true(pgb_ticks_to_ns(record.aux_ticks, 1025) == UINT64_C(2000000001000));
	tear_down(&fixture);
}

static void areas_shrink_when_locked_memory_is_short(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	fake_perf_limit(fixture.perf, 0, CPUS * 24 * fixture.page_bytes);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){.ring_pages = 64,
									   .aux_pages = 64}),
			 0);
	assert_true(pgb_feed_live_ring_bytes(fixture.feed) <= CPUS * 24 * fixture.page_bytes);
	assert_true(pgb_feed_live_ring_bytes(fixture.feed) >= CPUS * 8 * fixture.page_bytes);
	tear_down(&fixture);
	set_up(&fixture);
	fake_perf_limit(fixture.perf, 0, CPUS * 2 * fixture.page_bytes);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){0}), PGB_E_RESOURCE);
	assert_non_null(strstr(fixture.error.remedy, "ulimit -l"));
	tear_down(&fixture);
}

/* A thread that appears while we attach may have inherited the event: then it needs no other. */
static int late_thread(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	struct fixture *fixture = context;

	if (pid == 43 && cpu == 0)
		fake_root_write(fixture->root, "/proc/42/task/44/comm", "late");
	return pid == 44 && attr->type == SPE_TYPE ? -EBUSY : 0;
}

static void an_inherited_event_is_enough(void **state)
{
	struct fixture fixture;

	(void)state;
	set_up(&fixture);
	fake_perf_refuse(fixture.perf, late_thread, &fixture);
	assert_int_equal(open_feed(&fixture, (struct pgb_feed_live_config){0}), 0);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_opened),
		cmocka_unit_test(bytes_come_once_and_in_order),
		cmocka_unit_test(around_the_end_many_times),
		cmocka_unit_test(no_room_stops_and_reading_starts_again),
		cmocka_unit_test(what_stopped_unseen_is_started_again),
		cmocka_unit_test(impossible_pieces),
		cmocka_unit_test(the_whole_system_is_tried_on_a_cpu),
		cmocka_unit_test(the_whole_system_tells_who_ran),
		cmocka_unit_test(areas_shrink_when_locked_memory_is_short),
		cmocka_unit_test(an_inherited_event_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
