/* SPDX-License-Identifier: MIT */
/* Files and pipes as perf and simpleperf write them; broken ones are in _damage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/feed_perfdata_stream.h"
#include "tests/support/perf_file.h"

#define LBR_TYPE                                                                                   \
	(PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU |                   \
	 PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_IDENTIFIER)

static const uint64_t first_ids[] = {77, 78}, second_ids[] = {90};
static const struct perf_entry entries[] = {
	{0x401000, 0x402000, 1},
	{0x403000, 0x404000, 2},
	{0x405000, 0x406000, 2},
};
static const uint8_t build_id[20] = {0xa0, 5, 0xde, 3, 8, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static struct perf_file_event lbr_event(void)
{
	return (struct perf_file_event){
		.attr = {.type = PERF_TYPE_HARDWARE,
			 .config = PERF_COUNT_HW_CPU_CYCLES,
			 .sample_period = 1000003,
			 .sample_type = LBR_TYPE,
			 .branch_sample_type = 9,
			 .exclude_kernel = 1,
			 .precise_ip = 2,
			 .mmap2 = 1,
			 .sample_id_all = 1},
		.ids = first_ids,
		.id_count = 2,
	};
}

static struct perf_identity at_time(uint64_t time_ns)
{
	return (struct perf_identity){.pid = 5, .tid = 6, .cpu = 1, .time_ns = time_ns, .id = 77};
}

static void put_sample(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t time_ns,
		       size_t entry_count)
{
	perf_encode_sample(out, attr,
			   &(struct perf_sample){.who = at_time(time_ns),
						 .misc = PERF_RECORD_MISC_USER,
						 .ip = 0x400000 + time_ns,
						 .entries = entries,
						 .entry_count = entry_count});
}

static void put_map(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t time_ns)
{
	struct perf_identity who = at_time(time_ns);

	perf_encode_map(out, attr, &who,
			&(struct perf_map){.pid = 5,
					   .tid = 5,
					   .address = 0x400000,
					   .length = 0x10000,
					   .protection = 5,
					   .path = "/bin/app"});
}

static struct pgb_feed *open_feed(const char *path)
{
	struct pgb_feed_perfdata_config config = {.path = path};
	struct pgb_error error = {0};
	struct pgb_feed *feed;

	if (pgb_feed_perfdata_new(&feed, &config, &error) < 0)
		fail_msg("%s", error.message);
	return feed;
}

static struct pgb_feed *open_bytes(int *fd, const struct perf_bytes *bytes)
{
	char path[PERF_FILE_PATH_BYTES];

	*fd = perf_file_open(path, bytes);
	return open_feed(path);
}

static uint64_t count_samples(struct pgb_feed *feed)
{
	struct pgb_error error = {0};
	struct pgb_record record;
	uint64_t samples = 0;
	int code;

	while ((code = pgb_feed_next(feed, &record, &error)) == 1)
		samples += record.type == PERF_RECORD_SAMPLE;
	assert_int_equal(code, 0);
	assert_int_equal(pgb_feed_next(feed, &record, &error), 0);
	return samples;
}

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
	struct perf_file_event event = lbr_event();
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
		put_map(&bytes, &event.attr, 10);
		put_sample(&bytes, &event.attr, 20, 3);
		put_sample(&bytes, &event.attr, 21, 3);
		perf_file_end(&bytes, &file);
		feed = open_bytes(&fd, &bytes);
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

static void a_real_pipe(void **state)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1, .pipe_mode = true};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	char path[64];
	int ends[2];

	(void)state;
	perf_file_begin(&bytes, &file);
	for (uint64_t i = 1; i <= 300; i++)
		put_sample(&bytes, &event.attr, i, 3);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes.data, bytes.length), (ssize_t)bytes.length);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	feed = open_feed(path);
	assert_int_equal(count_samples(feed), 300);
	assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
	pgb_feed_free(feed);
	close(ends[0]);
	perf_bytes_release(&bytes);
}

/* Linux 2.6.32 to those of the future; the branch stack's format came with 72 bytes and more. */
static void attrs_of_any_size(void **state)
{
	static const size_t sizes[] = {64, 72, 80, 96, 104, 112, 120, 128, 136, 144, 200};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct perf_file_event event = lbr_event();
		struct perf_file file = {.events = &event, .event_count = 1};
		struct perf_bytes bytes = {0};
		struct pgb_feed *feed;
		int fd;

		file.pipe_mode = i & 1;
		file.attr_bytes = sizes[i / 2];
		event.attr.branch_sample_type = file.attr_bytes >= 80 ? 9 | 1u << 17 : 0;
		perf_file_begin(&bytes, &file);
		put_sample(&bytes, &event.attr, 1, 2);
		perf_file_end(&bytes, &file);
		feed = open_bytes(&fd, &bytes);
		assert_int_equal(count_samples(feed), 1);
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
		struct perf_file_event pair[2] = {lbr_event(), lbr_event()};
		struct perf_file file = {.events = pair, .event_count = 2};
		struct perf_bytes bytes = {0};
		struct perf_sample sample = {.who = at_time(5), .ip = 1, .period_events = 3};
		const struct pgb_perfdata_info *info;
		struct pgb_feed *feed;
		struct pgb_record record;
		int fd;

		for (size_t k = 0; k < 2; k++)
			pair[k].attr.sample_type = (LBR_TYPE & ~PERF_SAMPLE_IDENTIFIER) |
						   PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_ADDR |
						   id_types[i];
		pair[1].attr.sample_type &= ~(uint64_t)PERF_SAMPLE_BRANCH_STACK;
		pair[1].attr.sample_type |= PERF_SAMPLE_PERIOD;
		pair[1].attr.config = PERF_COUNT_HW_INSTRUCTIONS;
		pair[1].ids = second_ids;
		pair[1].id_count = 1;
		perf_file_begin(&bytes, &file);
		put_map(&bytes, &pair[0].attr, 1);
		put_sample(&bytes, &pair[0].attr, 2, 3);
		sample.who.id = 90;
		perf_encode_sample(&bytes, &pair[1].attr, &sample);
		sample.who.id = 1234;
		perf_encode_sample(&bytes, &pair[1].attr, &sample);
		perf_file_end(&bytes, &file);
		feed = open_bytes(&fd, &bytes);
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

/* The plain bytes of a recording with mappings, samples of many sizes and rounds. */
static uint64_t put_many(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t count)
{
	for (uint64_t i = 1; i <= count; i++) {
		put_sample(out, attr, i * 10, i % 4);
		if (i % 50 == 0)
			put_map(out, attr, i * 10 + 1);
	}
	return count;
}

static void check_compressed(uint32_t type, size_t piece_bytes, bool pipe_mode, bool big_endian)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1, .pipe_mode = pipe_mode};
	struct perf_bytes plain = {.big_endian = big_endian}, bytes = {.big_endian = big_endian};
	struct perf_file_zstd *zstd = perf_file_zstd_new(type);
	struct perf_identity who = at_time(3);
	struct pgb_feed *feed;
	uint64_t samples, pieces = 0;
	int fd;

	samples = put_many(&plain, &event.attr, 200);
	perf_file_begin(&bytes, &file);
	put_map(&bytes, &event.attr, 0);
	for (size_t at = 0; at < plain.length; at += piece_bytes, pieces++) {
		size_t left = plain.length - at;

		perf_file_compress(&bytes, zstd, plain.data + at,
				   left < piece_bytes ? left : piece_bytes);
		/* records of perf itself stand uncompressed between the pieces */
		perf_encode_lost(&bytes, &event.attr, &who, 1);
		perf_file_round(&bytes);
	}
	perf_file_end(&bytes, &file);
	feed = open_bytes(&fd, &bytes);
	assert_int_equal(count_samples(feed), samples);
	assert_true(pgb_feed_perfdata_info(feed)->compressed);
	assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
	assert_int_equal(feed->stats.malformed, 0);
	assert_int_equal(feed->stats.lost_records, pieces);
	pgb_feed_free(feed);
	close(fd);
	perf_file_zstd_free(zstd);
	perf_bytes_release(&plain);
	perf_bytes_release(&bytes);
}

/* Records are cut at every place by the pieces that are compressed. */
static void compressed_records(void **state)
{
	static const size_t pieces[] = {1, 3, 7, 8, 24, 100, 1000, 4096, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (unsigned int variant = 0; variant < 4; variant++)
			check_compressed(variant & 1 ? 81 : 83, pieces[i], variant & 2, i % 2);
}

/* Larger than the reader's chunks, records of up to 64 KiB across their borders. */
static void records_across_chunks(void **state)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_sample sample = {.who = at_time(1), .raw_bytes = 0};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	uint64_t samples = 0;
	int fd;

	(void)state;
	event.attr.sample_type = (LBR_TYPE | PERF_SAMPLE_RAW) & ~(uint64_t)PERF_SAMPLE_BRANCH_STACK;
	perf_file_begin(&bytes, &file);
	while (bytes.length < 8u * PGB_PERFDATA_CHUNK_BYTES) {
		sample.raw_bytes = samples % 3 ? samples % 61 * 8 + 4 : 65460 - samples % 7 * 8;
		sample.who.time_ns = ++samples;
		perf_encode_sample(&bytes, &event.attr, &sample);
	}
	perf_file_end(&bytes, &file);
	feed = open_bytes(&fd, &bytes);
	assert_int_equal(count_samples(feed), samples);
	assert_int_equal(feed->stats.malformed, 0);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* Two CPUs, ring after ring: the mapping that CPU 1's samples need stands behind them. */
static void order_across_rings(void **state)
{
	struct perf_file_event event = lbr_event();
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
		put_sample(&bytes, &event.attr, i, 1);
	perf_file_round(&bytes);
	put_map(&bytes, &event.attr, 50);
	for (uint64_t i = 60; i < 300; i++)
		put_sample(&bytes, &event.attr, i, 1);
	perf_file_round(&bytes);
	perf_file_end(&bytes, &file);
	feed = open_bytes(&fd, &bytes);
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

/* What is read ahead stays small, with rounds and without. */
static void memory_does_not_follow_the_file(void **state)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};

	(void)state;
	for (int rounds = 0; rounds < 2; rounds++) {
		struct perf_bytes bytes = {0};
		struct pgb_error error = {0};
		struct pgb_feed *feed;
		struct pgb_record record;
		uint64_t furthest = 0;
		int fd;

		perf_file_begin(&bytes, &file);
		for (uint64_t i = 1; bytes.length < 6000000; i++) {
			put_sample(&bytes, &event.attr, i, 3);
			if (rounds && i % 1000 == 0)
				perf_file_round(&bytes);
		}
		perf_file_end(&bytes, &file);
		feed = open_bytes(&fd, &bytes);
		while (pgb_feed_next(feed, &record, &error) == 1) {
			uint64_t ahead =
				pgb_feed_perfdata_info(feed)->end_offset - feed->stats.bytes;

			furthest = ahead > furthest ? ahead : furthest;
		}
		assert_in_range(furthest, 1, 6u * PGB_PERFDATA_CHUNK_BYTES);
		pgb_feed_free(feed);
		close(fd);
		perf_bytes_release(&bytes);
	}
}

static struct {
	struct perf_bytes bytes;
	uint64_t areas;
} taken;

static void take_aux(void *context, const struct pgb_perfdata_aux *piece)
{
	assert_ptr_equal(context, &taken);
	assert_int_equal(piece->cpu, 3);
	assert_int_equal(piece->tid, 9);
	assert_int_equal(piece->offset, 0x1000);
	assert_int_equal(piece->reference, 0x77);
	taken.areas += piece->at == 0;
	perf_put(&taken.bytes, piece->bytes.at, pgb_cursor_left(&piece->bytes));
}

static void take_aux_info(void *context, struct pgb_cursor bytes)
{
	assert_ptr_equal(context, &taken);
	assert_int_equal(pgb_cursor_u32(&bytes), 4);
}

static void aux_areas(void **state)
{
	enum { AREA_BYTES = 700000 };
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct pgb_feed_perfdata_config config = {.context = &taken};
	struct perf_bytes bytes = {0};
	uint8_t *area = pgb_calloc(AREA_BYTES, 1);
	char path[PERF_FILE_PATH_BYTES];
	struct pgb_feed *feed;
	int fd;

	(void)state;
	for (size_t i = 0; i < AREA_BYTES; i++)
		area[i] = (uint8_t)(i * 31 >> 3);
	perf_file_begin(&bytes, &file);
	perf_file_aux_info(&bytes, 4);
	put_sample(&bytes, &event.attr, 1, 3);
	perf_file_aux(&bytes, 3, 9, area, AREA_BYTES);
	put_sample(&bytes, &event.attr, 2, 3);
	perf_file_aux(&bytes, 3, 9, area, 64);
	put_sample(&bytes, &event.attr, 3, 3);
	perf_file_end(&bytes, &file);
	fd = perf_file_open(path, &bytes);
	config.path = path;
	for (int take = 0; take < 2; take++) {
		config.aux = take ? take_aux : NULL;
		config.aux_info = take ? take_aux_info : NULL;
		assert_int_equal(pgb_feed_perfdata_new(&feed, &config, NULL), 0);
		assert_int_equal(count_samples(feed), 3);
		assert_string_equal(pgb_feed_perfdata_info(feed)->aux_kind, "arm_spe");
		assert_int_equal(pgb_feed_perfdata_info(feed)->aux_bytes, AREA_BYTES + 64);
		pgb_feed_free(feed);
	}
	assert_int_equal(taken.areas, 2);
	assert_int_equal(taken.bytes.length, AREA_BYTES + 64);
	assert_memory_equal(taken.bytes.data, area, AREA_BYTES);
	perf_bytes_release(&taken.bytes);
	free(area);
	close(fd);
	perf_bytes_release(&bytes);
}

/* Its names, its mappings of the start, and its own records with 32 bits of size. */
static void simpleperf(void **state)
{
	static const char meta[] = "simpleperf_version\0001.2\0event_type_info\0"
				   "cpu-clock,1,0\ncpu-cycles,0,0\nbroken\n";
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes init_map = {0}, bytes = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	int fd;

	(void)state;
	put_map(&init_map, &event.attr, 0);
	file.init_map = init_map.data;
	file.init_map_bytes = init_map.length;
	file.meta_info = meta;
	file.meta_info_bytes = sizeof(meta);
	perf_file_begin(&bytes, &file);
	put_sample(&bytes, &event.attr, 1, 3);
	perf_put_u32(&bytes, 32769); /* kernel symbols */
	perf_put_u16(&bytes, 300008 >> 16);
	perf_put_u16(&bytes, 300008 & 0xffff);
	for (int i = 0; i < 30; i++)
		perf_put(&bytes, NULL, 10000);
	put_sample(&bytes, &event.attr, 2, 3);
	perf_put_u32(&bytes, 32770);
	perf_put_u16(&bytes, 0);
	perf_put_u16(&bytes, 16);
	perf_put_u64(&bytes, 0);
	put_sample(&bytes, &event.attr, 3, 3);
	perf_file_end(&bytes, &file);
	feed = open_bytes(&fd, &bytes);
	assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
	assert_int_equal(record.type, PERF_RECORD_MMAP2);
	assert_int_equal(count_samples(feed), 3);
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
	struct perf_file_event event = lbr_event();
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
	put_sample(&bytes, &event.attr, 1, 3);
	perf_file_end(&bytes, &file);
	feed = open_bytes(&fd, &bytes);
	assert_int_equal(count_samples(feed), 1);
	assert_int_equal(feed->stats.unknown, 3);
	assert_string_equal(pgb_feed_perfdata_info(feed)->events.items[0].name, "my/event/");
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_and_pipe_mode),
		cmocka_unit_test(a_real_pipe),
		cmocka_unit_test(attrs_of_any_size),
		cmocka_unit_test(events_by_id),
		cmocka_unit_test(compressed_records),
		cmocka_unit_test(records_across_chunks),
		cmocka_unit_test(order_across_rings),
		cmocka_unit_test(memory_does_not_follow_the_file),
		cmocka_unit_test(aux_areas),
		cmocka_unit_test(simpleperf),
		cmocka_unit_test(other_record_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
