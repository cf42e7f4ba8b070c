/* SPDX-License-Identifier: MIT */
/* Samples that are handed out together: the same ones in the same places as one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/array.h"
#include "pgobolt/collector/feed_perfdata_stream.h"
#include "tests/support/lbr_file.h"

/* A record as it came: its type, its time and its event. */
struct seen {
	uint32_t type, event;
	uint64_t time_ns;
};

struct list {
	PGB_ARRAY(struct seen) records;
	struct pgb_feed_stats stats;
	uint64_t samples[2];
	size_t runs;
};

enum { LENT_MOST = 12 };

/* Runs that were not given back yet, as helpers at work have them. */
struct lent {
	struct pgb_feed_run runs[LENT_MOST];
	size_t count;
};

static void note(struct list *list, const struct pgb_record *record)
{
	const struct seen seen = {record->type, record->event, record->time_ns};

	pgb_array_push(&list->records, seen);
}

static void note_run(struct list *list, struct pgb_feed_run *run)
{
	struct pgb_cursor bytes = pgb_cursor_of(run->bytes, run->size_bytes);
	struct pgb_record record;
	uint64_t count = 0;
	int code;

	list->runs++;
	while ((code = pgb_record_parse(&bytes, &run->format, &record)) != 0) {
		record.event = run->event;
		count++;
		if (code == 1) {
			assert_int_equal(record.type, PERF_RECORD_SAMPLE);
			note(list, &record);
			continue;
		}
		assert_int_equal(code, PGB_E_CORRUPT);
		run->malformed++;
		run->malformed_bytes += record.size_bytes;
	}
	assert_int_equal(count, run->count);
}

/* Whose bytes must not have changed meanwhile. */
static void give_back(struct pgb_feed *feed, struct lent *lent, size_t at)
{
	struct pgb_cursor bytes = pgb_cursor_of(lent->runs[at].bytes, lent->runs[at].size_bytes);
	struct pgb_record record;
	uint64_t count = 0;

	while (pgb_record_parse(&bytes, &lent->runs[at].format, &record) != 0)
		count++;
	assert_int_equal(count, lent->runs[at].count);
	pgb_feed_give_back(feed, &lent->runs[at]);
	lent->runs[at] = lent->runs[--lent->count];
}

static void finish(struct list *list, const struct pgb_feed *feed)
{
	const struct pgb_perfdata_info *info = pgb_feed_perfdata_info(feed);

	list->stats = feed->stats;
	for (size_t i = 0; i < info->events.count; i++)
		list->samples[i] = info->events.items[i].samples;
}

static void read_runs(struct list *list, struct pgb_feed *feed, unsigned int random)
{
	struct lent lent = {.count = 0};
	struct pgb_record record;
	struct pgb_feed_run run;
	int code;

	while ((code = pgb_feed_next_run(feed, &record, &run, NULL)) > 0) {
		if (code != PGB_FEED_RUN) {
			note(list, &record);
			continue;
		}
		note_run(list, &run);
		lent.runs[lent.count++] = run;
		while (lent.count == LENT_MOST || (lent.count > 0 && rand_r(&random) % 3 == 0))
			give_back(feed, &lent, (size_t)rand_r(&random) % lent.count);
	}
	assert_int_equal(code, 0);
	while (lent.count > 0)
		give_back(feed, &lent, 0);
	finish(list, feed);
}

static void read_records(struct list *list, struct pgb_feed *feed)
{
	struct pgb_record record;

	while (pgb_feed_next(feed, &record, NULL) == 1)
		note(list, &record);
	finish(list, feed);
}

static void compare(const struct perf_bytes *bytes, unsigned int random, size_t runs_most)
{
	struct list singly = {.runs = 0}, together = {.runs = 0};
	struct pgb_feed *feed;
	int fd;

	feed = lbr_file_feed_of(&fd, bytes);
	read_records(&singly, feed);
	pgb_feed_free(feed);
	close(fd);
	feed = lbr_file_feed_of(&fd, bytes);
	read_runs(&together, feed, random);
	pgb_feed_free(feed);
	close(fd);
	assert_int_equal(together.records.count, singly.records.count);
	for (size_t i = 0; i < singly.records.count; i++) {
		const struct seen *one = &singly.records.items[i];
		const struct seen *other = &together.records.items[i];

		if (one->type != other->type || one->event != other->event ||
		    one->time_ns != other->time_ns)
			fail_msg("record %zu: type %u event %u time %llu; in runs %u, %u, %llu", i,
				 one->type, one->event, (unsigned long long)one->time_ns,
				 other->type, other->event, (unsigned long long)other->time_ns);
	}
	assert_memory_equal(&together.stats, &singly.stats, sizeof(singly.stats));
	assert_memory_equal(together.samples, singly.samples, sizeof(singly.samples));
	assert_in_range(together.runs, 1, runs_most);
	pgb_array_release(&singly.records);
	pgb_array_release(&together.records);
}

/* What perf writes: rounds of what each CPU's ring held; mappings now and then. */
struct shape {
	const char *name;
	unsigned int rounds, cpus, samples; /* of each CPU in a round */
	bool mark_rounds;
	unsigned int maps_every, damage_every, other_every, late_every; /* samples; 0: none */
	size_t runs_most;
};

static const struct shape shapes[] = {
	{"one ring", 1, 1, 6000, false, 0, 0, 0, 0, 30},
	{"one ring, mappings", 1, 1, 6000, false, 500, 0, 0, 0, 50},
	{"rings in rounds", 20, 4, 200, true, 0, 0, 0, 0, 120},
	{"rings in rounds, mappings", 20, 4, 200, true, 900, 0, 0, 0, 16000},
	{"rings without marks", 5, 4, 200, false, 300, 0, 0, 0, 4000},
	{"damaged samples", 20, 2, 200, true, 700, 13, 0, 0, 9000},
	{"two events", 20, 2, 100, true, 700, 0, 7, 0, 9000},
	{"late ones", 20, 2, 100, true, 0, 0, 0, 31, 500},
	{"no times", 1, 1, 3000, false, 400, 0, 0, 1, 40},
};

static void put_sample(struct perf_bytes *bytes, const struct perf_file_event *events,
		       const struct shape *shape, unsigned int number, uint64_t time_ns)
{
	bool other = shape->other_every && number % shape->other_every == 0;
	struct perf_sample sample = {.who = lbr_file_at(time_ns),
				     .entries = lbr_file_entries,
				     .entry_count = number % 4};
	size_t before = bytes->length;

	sample.who.id = events[other].ids[0];
	if (shape->maps_every && number % shape->maps_every == 0)
		lbr_file_map(bytes, &events[0].attr, time_ns);
	before = bytes->length;
	perf_encode_sample(bytes, &events[other].attr, &sample);
	if (shape->damage_every && number % shape->damage_every == 0 && !other)
		bytes->data[before + 8 + 8 * 5] = 0xff; /* so many entries are not there */
}

static void the_same_in_runs(void **state)
{
	static const uint64_t second_ids[] = {90};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *shape = &shapes[i];
		struct perf_file_event events[2] = {lbr_file_event(), lbr_file_event()};
		struct perf_file file = {.events = events,
					 .event_count = shape->other_every ? 2 : 1};
		struct perf_bytes bytes = {0};
		unsigned int number = 0;

		events[1].attr.config = PERF_COUNT_HW_INSTRUCTIONS;
		events[1].ids = second_ids;
		events[1].id_count = 1;
		perf_file_begin(&bytes, &file);
		for (unsigned int round = 0; round < shape->rounds; round++) {
			for (unsigned int k = 0; k < shape->cpus * shape->samples; k++) {
				uint64_t cpu = k / shape->samples, at = k % shape->samples;
				uint64_t time = 1000000 + round * 10000 + at * 10 + cpu;

				number++;
				if (shape->late_every && number % shape->late_every == 0)
					time = shape->late_every == 1 ? 0 : time / 2;
				put_sample(&bytes, events, shape, number, time);
			}
			if (shape->mark_rounds)
				perf_file_round(&bytes);
		}
		perf_file_end(&bytes, &file);
		print_message("%s\n", shape->name);
		compare(&bytes, (unsigned int)i, shape->runs_most);
		perf_bytes_release(&bytes);
	}
}

/* Expanded records are as good as plain ones; a run never reaches into the next chunk. */
static void compressed_ones_too(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};

	(void)state;
	for (size_t piece = 40; piece < 70000; piece = piece * 3 + 1) {
		struct perf_file_zstd *zstd = perf_file_zstd_new(83);
		struct perf_bytes plain = {0}, bytes = {0};

		for (uint64_t i = 1; i < 3000; i++)
			lbr_file_sample(&plain, &event.attr, i, i % 4);
		perf_file_begin(&bytes, &file);
		for (size_t at = 0; at < plain.length; at += piece)
			perf_file_compress(&bytes, zstd, plain.data + at,
					   plain.length - at < piece ? plain.length - at : piece);
		perf_file_end(&bytes, &file);
		compare(&bytes, 1, 3000);
		perf_file_zstd_free(zstd);
		perf_bytes_release(&plain);
		perf_bytes_release(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_in_runs),
		cmocka_unit_test(compressed_ones_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
