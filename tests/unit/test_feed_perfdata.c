/* SPDX-License-Identifier: MIT */
/*
 * Files and pipes as perf and simpleperf write them; what lies in many pieces is in _stream.c,
 * broken ones are in _damage.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_perfdata_stream.h"
#include "tests/support/lbr_file.h"

static const uint64_t second_ids[] = {90};
static const uint8_t build_id[20] = {0xa0, 5, 0xde, 3, 8, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static const char *const command_line[] = {"perf", "record", "-b", "./my app", NULL};

static void check_info(const struct pgb_perfdata_info *info)
{
	assert_string_equal(info->host_name, "box");
	assert_string_equal(info->os_release, "6.8.0");
	assert_string_equal(info->perf_version, "6.8.12");
	assert_string_equal(info->arch, "x86_64");
	assert_string_equal(info->cpu_description, "A CPU of more than sixty-three characters, "
						   "so that it needs two units of padding");
	assert_string_equal(info->cpu_id, "GenuineIntel,6,63,2");
	assert_string_equal(info->command_line, "perf record -b ./my app");
	assert_string_equal(info->events.items[0].name, "cycles:Pu");
	assert_int_equal(info->events.count, 1);
	assert_int_equal(info->events.items[0].attr.precise_ip, 2);
	assert_true(info->events.items[0].attr.exclude_kernel);
	assert_false(info->events.items[0].attr.exclude_user);
	assert_int_equal(info->events.items[0].attr.sample_period, 1000003);
	assert_int_equal(info->events.items[0].samples, 2);
	assert_int_equal(info->end, PGB_PERFDATA_WHOLE);
}

static void check_records(struct pgb_feed *feed)
{
	struct pgb_record record;
	struct pgb_cursor stack;

	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_MMAP2);
	assert_string_equal(record.mmap.path, "/bin/app");
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
		assert_int_equal(record.type, PERF_RECORD_SAMPLE);
		assert_int_equal(record.time_ns, 20 + i);
		assert_int_equal(record.pid, 5);
		assert_int_equal(record.cpu, 1);
		assert_int_equal(record.event, 0);
		assert_int_equal(record.stack.count, 3);
		stack = record.stack.entries;
		assert_int_equal(pgb_record_entry(&stack).from, 0x401000);
		assert_int_equal(pgb_record_entry(&stack).bits, 2);
	}
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 0);
}

static void check_build_ids(struct pgb_feed *feed)
{
	const struct pgb_build_id *id = pgb_feed_perfdata_build_id(feed, "/bin/app");

	assert_non_null(id);
	assert_int_equal(id->size_bytes, 20);
	assert_memory_equal(id->bytes, build_id, 20);
	id = pgb_feed_perfdata_build_id(feed, "[kernel.kallsyms]");
	assert_non_null(id);
	assert_int_equal(id->size_bytes, 16); /* without a size, and zeros at the end */
	assert_memory_equal(id->bytes, build_id, 16);
	id = pgb_feed_perfdata_build_id(feed, "/lib/short");
	assert_non_null(id);
	assert_int_equal(id->size_bytes, 8);
	assert_null(pgb_feed_perfdata_build_id(feed, "/bin/ap"));
}

/* File and pipe, either byte order: the same records, names and build-ids. */
static void file_and_pipe_mode(void **state)
{
	static const struct perf_file_build_id build_ids[] = {
		{"[kernel.kallsyms]", build_id, 0, true},
		{"/lib/short", build_id, 8, false},
		{"/bin/app", build_id, 20, false},
	};
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {
		.events = &event,
		.event_count = 1,
		.build_ids = build_ids,
		.build_id_count = 3,
		.host_name = "box",
		.os_release = "6.8.0",
		.version = "6.8.12",
		.arch = "x86_64",
		.cpu_description = "A CPU of more than sixty-three characters, "
				   "so that it needs two units of padding",
		.cpu_id = "GenuineIntel,6,63,2",
		.command_line = command_line,
	};

	(void)state;
	event.name = "cycles:Pu";
	for (int variant = 0; variant < 4; variant++) {
		struct perf_bytes bytes = {.big_endian = variant & 1};
		struct pgb_feed *feed;
		int fd;

		file.pipe_mode = variant & 2;
		perf_file_begin(&bytes, &file);
		lbr_file_map(&bytes, &event.attr, 10);
		lbr_file_sample(&bytes, &event.attr, 20, 3);
		lbr_file_sample(&bytes, &event.attr, 21, 3);
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		assert_int_equal(pgb_feed_perfdata_info(feed)->pipe_mode, file.pipe_mode);
		assert_int_equal(pgb_feed_perfdata_info(feed)->big_endian, bytes.big_endian);
		assert_true(pgb_feed_perfdata_has_branch_stacks(feed));
		check_records(feed);
		check_info(pgb_feed_perfdata_info(feed));
		check_build_ids(feed);
		pgb_feed_free(feed);
		close(fd);
		perf_bytes_release(&bytes);
	}
}

/* Named, and as standard input. */
static void a_real_pipe(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1, .pipe_mode = true};
	struct perf_bytes bytes = {0};

	(void)state;
	perf_file_begin(&bytes, &file);
	for (uint64_t i = 1; i <= 300; i++)
		lbr_file_sample(&bytes, &event.attr, i, 3);
	for (int standard_input = 0; standard_input < 2; standard_input++) {
		int before = dup(STDIN_FILENO);
		struct pgb_feed *feed;
		char path[64];
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], bytes.data, bytes.length), (ssize_t)bytes.length);
		close(ends[1]);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
		if (standard_input)
			dup2(ends[0], STDIN_FILENO);
		feed = lbr_file_feed(standard_input ? "-" : path);
		assert_int_equal(lbr_file_samples(feed), 300);
		assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
		pgb_feed_free(feed);
		close(ends[0]);
		dup2(before, STDIN_FILENO);
		close(before);
	}
	perf_bytes_release(&bytes);
}

/* Linux 2.6.32 to those of the future; the branch stack's format came with 72 bytes and more. */
static void attrs_of_any_size(void **state)
{
	static const size_t sizes[] = {64, 72, 80, 96, 104, 112, 120, 128, 136, 144, 200};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct perf_file_event event = lbr_file_event();
		struct perf_file file = {.events = &event, .event_count = 1};
		struct perf_bytes bytes = {0};
		struct pgb_feed *feed;
		int fd;

		file.pipe_mode = i & 1;
		file.attr_bytes = sizes[i / 2];
		event.attr.branch_sample_type = file.attr_bytes >= 80 ? 9 | 1u << 17 : 0;
		perf_file_begin(&bytes, &file);
		lbr_file_sample(&bytes, &event.attr, 1, 2);
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		assert_int_equal(lbr_file_samples(feed), 1);
		assert_int_equal(feed->stats.malformed, 0);
		assert_string_equal(pgb_feed_perfdata_info(feed)->events.items[0].name, "cycles:u");
		pgb_feed_free(feed);
		close(fd);
		perf_bytes_release(&bytes);
	}
}

/* Two events, of which one has branch stacks: told apart by IDENTIFIER, or by ID at its place. */
static void events_by_id(void **state)
{
	static const uint64_t id_types[] = {PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_ID};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct perf_file_event pair[2] = {lbr_file_event(), lbr_file_event()};
		struct perf_file file = {.events = pair, .event_count = 2};
		struct perf_bytes bytes = {0};
		struct perf_sample sample = {.who = lbr_file_at(5), .ip = 1, .period_events = 3};
		const struct pgb_perfdata_info *info;
		struct pgb_feed *feed;
		struct pgb_record record;
		int fd;

		for (size_t k = 0; k < 2; k++)
			pair[k].attr.sample_type = (LBR_FILE_TYPE & ~PERF_SAMPLE_IDENTIFIER) |
						   PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_ADDR |
						   id_types[i];
		pair[1].attr.sample_type &= ~(uint64_t)PERF_SAMPLE_BRANCH_STACK;
		pair[1].attr.sample_type |= PERF_SAMPLE_PERIOD;
		pair[1].attr.config = PERF_COUNT_HW_INSTRUCTIONS;
		pair[1].ids = second_ids;
		pair[1].id_count = 1;
		perf_file_begin(&bytes, &file);
		lbr_file_map(&bytes, &pair[0].attr, 1);
		lbr_file_sample(&bytes, &pair[0].attr, 2, 3);
		sample.who.id = 90;
		perf_encode_sample(&bytes, &pair[1].attr, &sample);
		sample.who.id = 1234;
		perf_encode_sample(&bytes, &pair[1].attr, &sample);
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		info = pgb_feed_perfdata_info(feed);
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
		assert_int_equal(record.event, 0);
		assert_int_equal(record.stack.count, 3);
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
		assert_int_equal(record.event, 1);
		assert_int_equal(record.period_events, 3);
		assert_int_equal(record.stack.count, 0);
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 0);
		assert_int_equal(info->events.items[0].samples, 1);
		assert_int_equal(info->events.items[1].samples, 1);
		assert_string_equal(info->events.items[1].name, "instructions:u");
		assert_int_equal(info->unknown_ids, 1);
		assert_int_equal(feed->stats.malformed, 0);
		pgb_feed_free(feed);
		close(fd);
		perf_bytes_release(&bytes);
	}
}

/* perf inject and the like: an event is announced when records of others have passed already. */
static void an_event_announced_late(void **state)
{
	struct perf_file_event pair[2] = {lbr_file_event(), lbr_file_event()};
	struct perf_file first = {.events = pair, .event_count = 1, .pipe_mode = true};
	struct perf_file second = {.events = pair + 1, .event_count = 1, .pipe_mode = true};
	struct perf_sample sample = {.who = lbr_file_at(3), .period_events = 9};
	struct perf_bytes bytes = {0}, late = {0};
	struct pgb_feed *feed;
	struct pgb_record record;
	int fd;

	(void)state;
	pair[1].attr.sample_type &= ~(uint64_t)PERF_SAMPLE_BRANCH_STACK;
	pair[1].attr.sample_type |= PERF_SAMPLE_PERIOD;
	pair[1].ids = second_ids;
	pair[1].id_count = 1;
	sample.who.id = second_ids[0];
	perf_file_begin(&bytes, &first);
	lbr_file_sample(&bytes, &pair[0].attr, 1, 3);
	perf_file_begin(&late, &second);
	perf_put(&bytes, late.data + 16, late.length - 16);
	perf_encode_sample(&bytes, &pair[1].attr, &sample);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.stack.count, 3);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.event, 1);
	assert_int_equal(record.period_events, 9);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
	perf_bytes_release(&late);
}

/* Before Linux 2.6.38 only samples carried an id and a time: other records stay in their place. */
static void without_sample_id_all(void **state)
{
	struct perf_file_event pair[2] = {lbr_file_event(), lbr_file_event()};
	struct perf_file file = {.events = pair, .event_count = 2};
	struct perf_identity who = lbr_file_at(0);
	struct perf_bytes bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	int fd;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pair[i].attr.sample_id_all = 0;
		pair[i].attr.sample_type &= ~(uint64_t)PERF_SAMPLE_IDENTIFIER;
		pair[i].attr.sample_type |= PERF_SAMPLE_ID;
	}
	pair[1].ids = second_ids;
	pair[1].id_count = 1;
	perf_file_begin(&bytes, &file);
	/* where the id would be in a trailer stands what looks like the second event's */
	who.pid = (uint32_t)second_ids[0];
	who.tid = 0;
	perf_encode_comm(&bytes, &pair[0].attr, &who, "app", false);
	assert_int_equal(bytes.data[bytes.length - 16], second_ids[0]);
	lbr_file_sample(&bytes, &pair[0].attr, 1, 3);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_COMM);
	assert_int_equal(record.event, 0);
	assert_false(record.has_time);
	assert_int_equal(lbr_file_samples(feed), 1);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* No TIME in sample_type: nothing is moved, however long the samples. */
static void without_times(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_sample sample = {.who = lbr_file_at(0), .callchain_count = 600};
	struct perf_bytes bytes = {0};
	uint64_t chain[600];
	struct pgb_record record;
	struct pgb_feed *feed;
	int fd;

	(void)state;
	event.attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN;
	sample.callchain = chain;
	perf_file_begin(&bytes, &file);
	for (uint64_t i = 0; i < 20; i++) {
		for (size_t k = 0; k < 600; k++)
			chain[k] = 1000 - i;
		sample.ip = i;
		perf_encode_sample(&bytes, &event.attr, &sample);
	}
	lbr_file_map(&bytes, &event.attr, 0);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
		assert_int_equal(record.ip, i);
	}
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_MMAP2);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* perf writes all ones where it knows no time: such a record is not the last of all. */
static void a_time_of_all_ones_is_none(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	lbr_file_sample(&bytes, &event.attr, 5, 1);
	lbr_file_map(&bytes, &event.attr, UINT64_MAX);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_MMAP2);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* An attr says how much of it is filled; what stands behind that in its place is not read. */
static void an_attr_shorter_than_its_place(void **state)
{
	enum { ATTR_SIZE_OFFSET = 4 };
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	int fd;

	(void)state;
	event.attr.branch_sample_type = 9 | 1u << 17;
	perf_file_begin(&bytes, &file);
	bytes.data[PERF_FILE_HEADER_BYTES + 16 + ATTR_SIZE_OFFSET] = PERF_ATTR_SIZE_VER1;
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_feed_perfdata_info(feed)->events.items[0].attr.sample_type,
			 LBR_FILE_TYPE);
	assert_int_equal(pgb_feed_perfdata_info(feed)->events.items[0].attr.branch_sample_type, 0);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* A header without the bitmap of features, as perf wrote it before Linux 2.6.33. */
static void a_header_without_features(void **state)
{
	enum { HEADER_SIZE_OFFSET = 8 };
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1, .arch = "x86_64"};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	bytes.data[HEADER_SIZE_OFFSET] = 72;
	lbr_file_sample(&bytes, &event.attr, 5, 1);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_null(pgb_feed_perfdata_info(feed)->arch);
	assert_int_equal(lbr_file_samples(feed), 1);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* Two CPUs, ring after ring: the mapping that CPU 1's samples need stands behind them. */
static void order_across_rings(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	uint64_t last_ns = 0;
	bool mapped = false;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	for (uint64_t i = 100; i < 200; i++)
		lbr_file_sample(&bytes, &event.attr, i, 1);
	perf_file_round(&bytes);
	lbr_file_map(&bytes, &event.attr, 50);
	for (uint64_t i = 60; i < 300; i++)
		lbr_file_sample(&bytes, &event.attr, i, 1);
	perf_file_round(&bytes);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	while (pgb_feed_next(feed, &record, NULL) == 1) {
		mapped |= record.type == PERF_RECORD_MMAP2;
		assert_true(mapped);
		assert_true(record.time_ns >= last_ns);
		last_ns = record.time_ns;
	}
	assert_int_equal(feed->stats.records, 341);
	assert_int_equal(feed->stats.disordered, 0);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/*
 * No rounds, rings of 2 MiB: once times have gone backwards the file is trusted no more, and
 * enough is read ahead to find the mapping.
 */
static void disorder_without_rounds(void **state)
{
	enum { FEW = 1000, MANY = 12000 };
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	uint64_t last_ns = 0;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	for (uint64_t i = 0; i < 2 * FEW; i++)
		lbr_file_sample(&bytes, &event.attr, 1 + i % FEW, 3);
	for (uint64_t i = 0; i < MANY; i++)
		lbr_file_sample(&bytes, &event.attr, 2 * FEW + i, 3);
	lbr_file_map(&bytes, &event.attr, 2 * FEW - 1);
	for (uint64_t i = 0; i < MANY; i++)
		lbr_file_sample(&bytes, &event.attr, 2 * FEW + i, 3);
	perf_file_end(&bytes, &file);
	assert_true(bytes.length > 8u * PGB_PERFDATA_CHUNK_BYTES);
	feed = lbr_file_feed_of(&fd, &bytes);
	while (pgb_feed_next(feed, &record, NULL) == 1) {
		assert_true(record.time_ns >= last_ns);
		last_ns = record.time_ns;
	}
	assert_int_equal(feed->stats.records, 2 * FEW + 2 * MANY + 1);
	assert_int_equal(feed->stats.disordered, 0);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* Its names, its mappings of the start, and its own records with 32 bits of size. */
static void simpleperf(void **state)
{
	static const char meta[] = "simpleperf_version\0001.2\0event_type_info\0"
				   "cpu-clock,1,0\ncpu-cycles,0,0\nbroken\n";
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes init_map = {0}, bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	int fd;

	(void)state;
	lbr_file_map(&init_map, &event.attr, 0);
	file.init_map = init_map.data;
	file.init_map_bytes = init_map.length;
	file.meta_info = meta;
	file.meta_info_bytes = sizeof(meta);
	perf_file_begin(&bytes, &file);
	lbr_file_sample(&bytes, &event.attr, 1, 3);
	perf_put_u32(&bytes, 32769); /* kernel symbols */
	perf_put_u16(&bytes, 300008 >> 16);
	perf_put_u16(&bytes, 300008 & 0xffff);
	for (int i = 0; i < 30; i++)
		perf_put(&bytes, NULL, 10000);
	lbr_file_sample(&bytes, &event.attr, 2, 3);
	perf_put_u32(&bytes, 32770);
	perf_put_u16(&bytes, 0);
	perf_put_u16(&bytes, 16);
	perf_put_u64(&bytes, 0);
	lbr_file_sample(&bytes, &event.attr, 3, 3);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_MMAP2);
	assert_int_equal(lbr_file_samples(feed), 3);
	assert_true(pgb_feed_perfdata_info(feed)->simpleperf);
	assert_string_equal(pgb_feed_perfdata_info(feed)->perf_version, "simpleperf 1.2");
	assert_string_equal(pgb_feed_perfdata_info(feed)->events.items[0].name, "cpu-cycles");
	assert_int_equal(feed->stats.unknown, 0);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&init_map);
	perf_bytes_release(&bytes);
}

/* Records of perf's own types: known ones pass in silence, others are counted. */
static void other_record_types(void **state)
{
	static const uint32_t types[] = {65, 69, 73, 79, 82, 84, 86, 87, 500, 40000};
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	size_t start;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		start = perf_record_begin(&bytes, types[i], 0);
		perf_put_u64(&bytes, 0);
		perf_record_end(&bytes, start);
	}
	start = perf_record_begin(&bytes, 66, 0); /* tracing data: 13 bytes, padded to 16 */
	perf_put_u32(&bytes, 13);
	perf_put_u32(&bytes, 0);
	perf_record_end(&bytes, start);
	perf_put(&bytes, NULL, 16);
	start = perf_record_begin(&bytes, 78, 0); /* EVENT_UPDATE of the name, by id */
	perf_put_u64(&bytes, 2);
	perf_put_u64(&bytes, 78);
	perf_put_string(&bytes, "my/event/", 8);
	perf_record_end(&bytes, start);
	lbr_file_sample(&bytes, &event.attr, 1, 3);
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(lbr_file_samples(feed), 1);
	assert_int_equal(feed->stats.unknown, 3);
	assert_string_equal(pgb_feed_perfdata_info(feed)->events.items[0].name, "my/event/");
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* The kernel's reports in the rings, and perf's totals at the end, are not added up. */
static void losses_are_counted_once(void **state)
{
	static const struct {
		uint64_t in_ring, by_kernel, in_total, expected;
	} rows[] = {
		{17, 0, 17, 17}, {17, 0, 40, 40}, {17, 0, 0, 17}, {0, 5, 0, 5}, {17, 5, 20, 25},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct perf_file_event event = lbr_file_event();
		struct perf_file file = {.events = &event, .event_count = 1};
		struct perf_identity who = lbr_file_at(4), perf = lbr_file_at(0);
		struct perf_bytes bytes = {0};
		struct pgb_feed *feed;
		int fd;

		perf_file_begin(&bytes, &file);
		perf_encode_lost(&bytes, &event.attr, &who, rows[i].in_ring);
		perf_encode_lost_samples(&bytes, &event.attr, &who, rows[i].by_kernel);
		perf_file_round(&bytes);
		perf_encode_lost_samples(&bytes, &event.attr, &perf, rows[i].in_total);
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		assert_int_equal(lbr_file_samples(feed), 0);
		assert_int_equal(feed->stats.lost_records, rows[i].expected);
		pgb_feed_free(feed);
		close(fd);
		perf_bytes_release(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_and_pipe_mode),
		cmocka_unit_test(a_real_pipe),
		cmocka_unit_test(attrs_of_any_size),
		cmocka_unit_test(events_by_id),
		cmocka_unit_test(an_event_announced_late),
		cmocka_unit_test(without_sample_id_all),
		cmocka_unit_test(without_times),
		cmocka_unit_test(a_time_of_all_ones_is_none),
		cmocka_unit_test(an_attr_shorter_than_its_place),
		cmocka_unit_test(a_header_without_features),
		cmocka_unit_test(order_across_rings),
		cmocka_unit_test(disorder_without_rounds),
		cmocka_unit_test(simpleperf),
		cmocka_unit_test(other_record_types),
		cmocka_unit_test(losses_are_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
