/* SPDX-License-Identifier: MIT */
/* Compressed records, AUX areas, and files of many chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_perfdata_stream.h"
#include "tests/support/lbr_file.h"

/* The plain bytes of a recording with mappings, samples of many sizes and rounds. */
static uint64_t put_many(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t count)
{
	for (uint64_t i = 1; i <= count; i++) {
		lbr_file_sample(out, attr, i * 10, i % 4);
		if (i % 50 == 0)
			lbr_file_map(out, attr, i * 10 + 1);
	}
	return count;
}

static void check_compressed(uint32_t type, size_t piece_bytes, bool pipe_mode, bool big_endian)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1, .pipe_mode = pipe_mode};
	struct perf_bytes plain = {.big_endian = big_endian}, bytes = {.big_endian = big_endian};
	struct perf_file_zstd *zstd = perf_file_zstd_new(type);
	struct perf_identity who = lbr_file_at(3);
	struct pgb_feed *feed;
	uint64_t samples, pieces = 0;
	int fd;

	samples = put_many(&plain, &event.attr, 200);
	perf_file_begin(&bytes, &file);
	lbr_file_map(&bytes, &event.attr, 0);
	for (size_t at = 0; at < plain.length; at += piece_bytes, pieces++) {
		size_t left = plain.length - at;

		perf_file_compress(&bytes, zstd, plain.data + at,
				   left < piece_bytes ? left : piece_bytes);
		/* records of perf itself stand uncompressed between the pieces */
		perf_encode_lost(&bytes, &event.attr, &who, 1);
		perf_file_round(&bytes);
	}
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(lbr_file_samples(feed), samples);
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

/* One record that expands to many times what the reader has room for at once. */
static void a_compressed_record_larger_than_a_chunk(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};

	(void)state;
	for (size_t more = 0; more < 20; more++) {
		struct perf_file_zstd *zstd = perf_file_zstd_new(83);
		struct perf_bytes plain = {0}, bytes = {0};
		struct pgb_feed *feed;
		uint64_t samples = 0;
		int fd;

		while (plain.length < 2u * PGB_PERFDATA_CHUNK_BYTES + more * 16000) {
			lbr_file_sample(&plain, &event.attr, 7, 3);
			samples++;
		}
		perf_file_begin(&bytes, &file);
		perf_file_compress(&bytes, zstd, plain.data, plain.length);
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		assert_int_equal(lbr_file_samples(feed), samples);
		assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
		pgb_feed_free(feed);
		close(fd);
		perf_file_zstd_free(zstd);
		perf_bytes_release(&plain);
		perf_bytes_release(&bytes);
	}
}

/* Larger than the reader's chunks, records of up to 64 KiB across their borders. */
static void records_across_chunks(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_sample sample = {.who = lbr_file_at(1), .raw_bytes = 0};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	uint64_t samples = 0;
	int fd;

	(void)state;
	event.attr.sample_type =
		(LBR_FILE_TYPE | PERF_SAMPLE_RAW) & ~(uint64_t)PERF_SAMPLE_BRANCH_STACK;
	perf_file_begin(&bytes, &file);
	while (bytes.length < 8u * PGB_PERFDATA_CHUNK_BYTES) {
		sample.raw_bytes = samples % 3 ? samples % 61 * 8 + 4 : 65460 - samples % 7 * 8;
		sample.who.time_ns = ++samples;
		perf_encode_sample(&bytes, &event.attr, &sample);
	}
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(lbr_file_samples(feed), samples);
	assert_int_equal(feed->stats.malformed, 0);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* What is read ahead stays small, with rounds and without. */
static void memory_does_not_follow_the_file(void **state)
{
	struct perf_file_event event = lbr_file_event();
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
			lbr_file_sample(&bytes, &event.attr, i, 3);
			if (rounds && i % 1000 == 0)
				perf_file_round(&bytes);
		}
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		while (pgb_feed_next(feed, &record, &error) == 1) {
			uint64_t ahead =
				pgb_feed_perfdata_info(feed)->end_offset - feed->stats.bytes;

			furthest = ahead > furthest ? ahead : furthest;
		}
		assert_in_range(furthest, 1, 6u * PGB_PERFDATA_WINDOW_BYTES);
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
	struct perf_file_event event = lbr_file_event();
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
	lbr_file_sample(&bytes, &event.attr, 1, 3);
	perf_file_aux(&bytes, 3, 9, area, AREA_BYTES);
	lbr_file_sample(&bytes, &event.attr, 2, 3);
	perf_file_aux(&bytes, 3, 9, area, 64);
	lbr_file_sample(&bytes, &event.attr, 3, 3);
	perf_file_end(&bytes, &file);
	fd = perf_file_open(path, &bytes);
	config.path = path;
	for (int take = 0; take < 2; take++) {
		config.aux = take ? take_aux : NULL;
		config.aux_info = take ? take_aux_info : NULL;
		assert_int_equal(pgb_feed_perfdata_new(&feed, &config, NULL), 0);
		assert_int_equal(lbr_file_samples(feed), 3);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compressed_records),
		cmocka_unit_test(a_compressed_record_larger_than_a_chunk),
		cmocka_unit_test(records_across_chunks),
		cmocka_unit_test(memory_does_not_follow_the_file),
		cmocka_unit_test(aux_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
