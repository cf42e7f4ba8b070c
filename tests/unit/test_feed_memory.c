/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_memory.h"
#include "tests/support/perf_encode.h"

static const struct perf_event_attr attr = {
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	.sample_id_all = 1,
};
static const struct perf_identity who = {.pid = 1, .tid = 1, .time_ns = 10};

static void encode_all(struct perf_bytes *bytes)
{
	size_t start;

	perf_encode_sample(bytes, &attr, &(struct perf_sample){.who = who, .ip = 0x1000});
	perf_encode_lost(bytes, &attr, &who, 5);
	perf_encode_lost_samples(bytes, &attr, &who, 2);
	perf_encode_throttle(bytes, &attr, PERF_RECORD_THROTTLE, &who);
	perf_encode_throttle(bytes, &attr, PERF_RECORD_UNTHROTTLE, &who);
	start = perf_record_begin(bytes, 200, 0); /* a type of the future */
	perf_record_end(bytes, start);
	start = perf_record_begin(bytes, PERF_RECORD_SAMPLE, 0); /* without its fields */
	perf_record_end(bytes, start);
	perf_encode_sample(bytes, &attr, &(struct perf_sample){.who = who, .ip = 0x2000});
}

static void counts_what_it_meets(void **state)
{
	struct pgb_record_format format = pgb_record_format_of(&attr);
	struct perf_bytes bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	uint64_t last_ip = 0;

	(void)state;
	encode_all(&bytes);
	feed = pgb_feed_memory_new(pgb_cursor_of(bytes.data, bytes.length), &format);
	while (pgb_feed_next(feed, &record, NULL) == 1)
		if (record.type == PERF_RECORD_SAMPLE)
			last_ip = record.ip;
	assert_int_equal(last_ip, 0x2000);
	assert_int_equal(feed->stats.records, 7);
	assert_int_equal(feed->stats.bytes, bytes.length - 8);
	assert_int_equal(feed->stats.lost_records, 7);
	assert_int_equal(feed->stats.lost_events, 2);
	assert_int_equal(feed->stats.throttled, 1);
	assert_int_equal(feed->stats.unknown, 1);
	assert_int_equal(feed->stats.malformed, 1);
	assert_int_equal(feed->stats.truncated, 0);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 0);
	assert_int_equal(pgb_feed_wait(feed, 0), 0);
	pgb_feed_free(feed);
	pgb_feed_free(NULL);
	perf_bytes_release(&bytes);
}

static void a_cut_stream_ends_once(void **state)
{
	struct pgb_record_format format = pgb_record_format_of(&attr);
	struct perf_bytes bytes = {0};

	(void)state;
	encode_all(&bytes);
	for (size_t cut = 0; cut <= bytes.length; cut++) {
		struct pgb_feed *feed =
			pgb_feed_memory_new(pgb_cursor_of(bytes.data, cut), &format);
		struct pgb_record record;
		uint64_t used;

		while (pgb_feed_next(feed, &record, NULL) == 1)
			;
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 0);
		used = feed->stats.bytes + 8 * feed->stats.malformed;
		assert_int_equal(feed->stats.truncated, used < cut);
		pgb_feed_free(feed);
	}
	perf_bytes_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_it_meets),
		cmocka_unit_test(a_cut_stream_ends_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
