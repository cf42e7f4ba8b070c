/* SPDX-License-Identifier: MIT */
/* Recordings that are cut, damaged, hostile, or not recordings at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/lbr_file.h"

static const uint8_t build_id[20] = {1, 2, 3};
static const struct perf_file_build_id build_ids[] = {{"/bin/app", build_id, 20, false}};
static const char *const command_line[] = {"perf", "record", NULL};

enum { RECORDS = 6, COMPRESSED_RECORDS = 4 };

static struct perf_file_event lbr_event(void)
{
	struct perf_file_event event = lbr_file_event();

	event.name = "cycles:u";
	return event;
}

static void put_records(struct perf_bytes *out, const struct perf_event_attr *attr, size_t count)
{
	for (uint64_t i = 1; i <= count; i++) {
		struct perf_identity who = lbr_file_at(i);

		if (i % 3 == 0)
			perf_encode_comm(out, attr, &who, "app", true);
		else
			lbr_file_sample(out, attr, i, 2);
	}
}

/* A small recording with everything in it. `data_end`: where its last record ends. */
static void make(struct perf_bytes *out, bool pipe_mode, bool compressed, bool unfinished,
		 size_t *data_end)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {
		.events = &event,
		.event_count = 1,
		.build_ids = build_ids,
		.build_id_count = 1,
		.arch = "x86_64",
		.command_line = command_line,
		.pipe_mode = pipe_mode,
		.unfinished = unfinished,
	};
	struct perf_bytes plain = {.big_endian = out->big_endian};
	struct perf_file_zstd *zstd = perf_file_zstd_new(83);

	perf_file_begin(out, &file);
	put_records(out, &event.attr, compressed ? RECORDS - COMPRESSED_RECORDS : RECORDS);
	put_records(&plain, &event.attr, compressed ? COMPRESSED_RECORDS : 0);
	for (size_t at = 0; at < plain.length; at += 100)
		perf_file_compress(out, zstd, plain.data + at,
				   plain.length - at < 100 ? plain.length - at : 100);
	perf_file_round(out);
	*data_end = out->length;
	perf_file_end(out, &file);
	perf_file_zstd_free(zstd);
	perf_bytes_release(&plain);
}

static void ignore_aux(void *context, const struct pgb_perfdata_aux *piece)
{
	(void)context;
	assert_true(pgb_cursor_left(&piece->bytes) > 0);
}

static bool takes_aux;

/* Reads to the end and touches all that is there. A negative code of new() is the result. */
static int read_all(const struct perf_bytes *bytes, uint64_t *records, enum pgb_perfdata_end *end,
		    struct pgb_error *error)
{
	char path[PERF_FILE_PATH_BYTES];
	int fd = perf_file_open(path, bytes);
	struct pgb_feed_perfdata_config config = {.path = path,
						  .aux = takes_aux ? ignore_aux : NULL};
	struct pgb_record record;
	struct pgb_feed *feed;
	char *notice;
	int code;

	*records = 0;
	*end = PGB_PERFDATA_READING;
	code = pgb_feed_perfdata_new(&feed, &config, error);
	if (code < 0) {
		assert_null(feed);
		assert_int_equal(error->code, code);
		assert_true(error->message[0] != '\0');
		close(fd);
		return code;
	}
	while ((code = pgb_feed_next(feed, &record, error)) == 1) {
		++*records;
		assert_true(*records < 100000);
	}
	*end = pgb_feed_perfdata_info(feed)->end;
	if (code == 0) {
		assert_int_not_equal(*end, PGB_PERFDATA_READING);
		assert_int_equal(feed->stats.truncated, *end == PGB_PERFDATA_CUT);
	}
	notice = pgb_feed_perfdata_notice(feed);
	assert_int_equal(notice != NULL, code == 0 && *end > PGB_PERFDATA_WHOLE);
	free(notice);
	pgb_feed_perfdata_build_id(feed, "/bin/app");
	for (size_t i = 0; i < pgb_feed_perfdata_info(feed)->events.count; i++)
		assert_non_null(pgb_feed_perfdata_info(feed)->events.items[i].name);
	pgb_feed_free(feed);
	close(fd);
	return code;
}

/*
 * Cut at every byte: an error that says so while the header is not whole, then ever more records
 * and CUT, or, where the cut falls between records of a pipe or an unfinished file, no complaint.
 */
static void cut_at_every_byte(void **state)
{
	(void)state;
	for (unsigned int variant = 0; variant < 16; variant++) {
		bool pipe_mode = variant & 1, compressed = variant & 2, unfinished = variant & 8;
		struct perf_bytes bytes = {.big_endian = variant & 4};
		uint64_t records, most = 0;
		size_t data_end, length;

		make(&bytes, pipe_mode, compressed, unfinished, &data_end);
		length = bytes.length;
		for (size_t cut = 0; cut <= length; cut++) {
			struct pgb_error error = {0};
			enum pgb_perfdata_end end;
			int code;

			bytes.length = cut;
			code = read_all(&bytes, &records, &end, &error);
			assert_true(code == 0 || code == PGB_E_TRUNCATED || code == PGB_E_CORRUPT);
			assert_true(records >= most);
			most = records;
			if (cut >= data_end)
				assert_int_equal(end, unfinished && !pipe_mode
							      ? PGB_PERFDATA_UNFINISHED
							      : PGB_PERFDATA_WHOLE);
			else if (code == 0 && !pipe_mode && !unfinished)
				assert_int_equal(end, PGB_PERFDATA_CUT);
		}
		assert_int_equal(most, RECORDS);
		perf_bytes_release(&bytes);
	}
}

/* Each byte set to values that are wrong for nearly every field: whatever comes, it ends. */
static void every_byte_wrong(void **state)
{
	static const uint8_t wrong[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

	(void)state;
	for (unsigned int variant = 0; variant < 4; variant++) {
		struct perf_bytes bytes = {0};
		uint64_t records;
		size_t data_end;

		make(&bytes, variant & 1, variant & 2, false, &data_end);
		for (size_t at = 0; at < bytes.length; at++) {
			uint8_t right = bytes.data[at];

			for (size_t i = 0; i < sizeof(wrong); i++) {
				struct pgb_error error = {0};
				enum pgb_perfdata_end end;

				bytes.data[at] = wrong[i];
				read_all(&bytes, &records, &end, &error);
			}
			bytes.data[at] = right;
		}
		perf_bytes_release(&bytes);
	}
}

/* Every field of the header, and those of the first attr, by its offset. */
static void hostile_header_fields(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
		int code; /* 1: not an error */
	} rows[] = {
		{8, 0, PGB_E_CORRUPT},		   /* header size */
		{8, 17, PGB_E_CORRUPT},		   /* .. */
		{8, UINT64_MAX, 1},		   /* .. a larger one of the future */
		{16, 0, PGB_E_CORRUPT},		   /* attr size */
		{16, 79, PGB_E_CORRUPT},	   /* .. */
		{16, UINT64_MAX, PGB_E_CORRUPT},   /* .. */
		{24, UINT64_MAX, PGB_E_TRUNCATED}, /* attrs: offset */
		{24, UINT64_MAX / 2, PGB_E_TRUNCATED},
		{32, 0, PGB_E_CORRUPT},		   /* attrs: size; no events then */
		{32, UINT64_MAX, PGB_E_TRUNCATED}, /* .. */
		{40, UINT64_MAX, PGB_E_TRUNCATED}, /* data: offset */
		{40, UINT64_MAX / 2, PGB_E_TRUNCATED},
		{48, UINT64_MAX, 1}, /* data: size */
		{48, 0, 1},
		{48, 1, 1},
		{72, UINT64_MAX, 1}, /* features that are not there */
		{80, UINT64_MAX, 1},
		{88, UINT64_MAX, 1},
		{104 + 16 + 128, UINT64_MAX, 1}, /* the ids' offset */
		{104 + 16 + 136, UINT64_MAX, 1}, /* and size */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct perf_bytes bytes = {0};
		struct pgb_error error = {0};
		enum pgb_perfdata_end end;
		size_t data_end, length;
		uint64_t records;
		int code;

		make(&bytes, false, false, false, &data_end);
		length = bytes.length;
		bytes.length = rows[i].offset;
		perf_put_u64(&bytes, rows[i].value);
		bytes.length = length;
		code = read_all(&bytes, &records, &end, &error);
		if (code != (rows[i].code == 1 ? 0 : rows[i].code))
			fail_msg("row %zu: %s, %s", i, pgb_code_name(code), error.message);
		perf_bytes_release(&bytes);
	}
}

/* The place that the notice names, where a record of size 0 stands. */
static void damage_is_located(void **state)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct pgb_feed_perfdata_config config = {0};
	struct perf_bytes bytes = {0};
	char path[PERF_FILE_PATH_BYTES], place[64];
	struct pgb_record record;
	struct pgb_feed *feed;
	char *notice;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	put_records(&bytes, &event.attr, 5);
	snprintf(place, sizeof(place), "damaged at byte %zu:", bytes.length);
	perf_put(&bytes, NULL, 100);
	perf_file_end(&bytes, &file);
	fd = perf_file_open(path, &bytes);
	config.path = path;
	assert_int_equal(pgb_feed_perfdata_new(&feed, &config, NULL), 0);
	while (pgb_feed_next(feed, &record, NULL) == 1)
		;
	notice = pgb_feed_perfdata_notice(feed);
	assert_non_null(strstr(notice, place));
	free(notice);
	pgb_feed_free(feed);
	close(fd);
	perf_bytes_release(&bytes);
}

/* Sizes in records that cannot be: what came before is read, and the end says so. */
static void damaged_inside(void **state)
{
	static const struct {
		uint32_t type;
		uint16_t size;
		uint64_t body;
		enum pgb_perfdata_end end;
	} rows[] = {
		{9, 0, 0, PGB_PERFDATA_DAMAGED},
		{9, 7, 0, PGB_PERFDATA_DAMAGED},
		{0, 0, 0, PGB_PERFDATA_DAMAGED},
		{40000, 4, 0, PGB_PERFDATA_DAMAGED},		    /* simpleperf's size */
		{81, 16, 0x0123456789abcdef, PGB_PERFDATA_DAMAGED}, /* no zstd */
		{83, 16, 1, PGB_PERFDATA_DAMAGED},		    /* more than is there */
		{83, 16, UINT64_MAX, PGB_PERFDATA_DAMAGED},
		{83, 8, 0, PGB_PERFDATA_DAMAGED},	  /* no data_size */
		{71, 16, UINT64_MAX, PGB_PERFDATA_WHOLE}, /* AUXTRACE without its fields */
		{79, 16, 64, PGB_PERFDATA_WHOLE},	  /* TIME_CONV likewise */
		{66, 16, 0xffffffff, PGB_PERFDATA_CUT},	  /* TRACING_DATA larger than the file */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct perf_file_event event = lbr_event();
		struct perf_file file = {.events = &event, .event_count = 1};
		struct perf_bytes bytes = {0};
		struct pgb_error error = {0};
		enum pgb_perfdata_end end;
		uint64_t records;

		perf_file_begin(&bytes, &file);
		put_records(&bytes, &event.attr, 5);
		perf_put_u32(&bytes, rows[i].type);
		perf_put_u16(&bytes, 0);
		perf_put_u16(&bytes, rows[i].size);
		perf_put_u64(&bytes, rows[i].body);
		perf_file_end(&bytes, &file);
		assert_int_equal(read_all(&bytes, &records, &end, &error), 0);
		assert_int_equal(records, 5);
		assert_int_equal(end, rows[i].end);
		perf_bytes_release(&bytes);
	}
}

/* Bytes behind a record have no place among compressed ones. */
static void an_aux_area_inside_compressed_records(void **state)
{
	static const uint8_t area[64];
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_file_zstd *zstd = perf_file_zstd_new(81);
	struct perf_bytes plain = {0}, bytes = {0};
	struct pgb_error error = {0};
	enum pgb_perfdata_end end;
	uint64_t records;

	(void)state;
	put_records(&plain, &event.attr, 2);
	perf_file_aux(&plain, 0, 0, area, sizeof(area));
	put_records(&plain, &event.attr, 2);
	perf_file_begin(&bytes, &file);
	perf_file_compress(&bytes, zstd, plain.data, plain.length);
	perf_file_end(&bytes, &file);
	for (int i = 0; i < 2; i++) {
		takes_aux = i == 1;
		assert_int_equal(read_all(&bytes, &records, &end, &error), 0);
		assert_int_equal(records, 2);
		assert_int_equal(end, PGB_PERFDATA_DAMAGED);
	}
	takes_aux = false;
	perf_file_zstd_free(zstd);
	perf_bytes_release(&plain);
	perf_bytes_release(&bytes);
}

/* A malformed body costs its record; what follows is read. */
static void a_malformed_record_costs_itself_only(void **state)
{
	struct perf_file_event event = lbr_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	struct pgb_error error = {0};
	enum pgb_perfdata_end end;
	uint64_t records;
	size_t start;

	(void)state;
	perf_file_begin(&bytes, &file);
	put_records(&bytes, &event.attr, 2);
	start = perf_record_begin(&bytes, PERF_RECORD_SAMPLE, 0);
	perf_put_u64(&bytes, LBR_FILE_ID);
	perf_record_end(&bytes, start);
	put_records(&bytes, &event.attr, 2);
	perf_file_end(&bytes, &file);
	assert_int_equal(read_all(&bytes, &records, &end, &error), 0);
	assert_int_equal(records, 4);
	assert_int_equal(end, PGB_PERFDATA_WHOLE);
	perf_bytes_release(&bytes);
}

/* Two events of different shape, and nothing to tell whose a record is. */
static void events_that_cannot_be_told_apart(void **state)
{
	struct perf_file_event pair[2] = {lbr_event(), lbr_event()};
	struct perf_file file = {.events = pair, .event_count = 2};
	struct perf_bytes bytes = {0};
	struct pgb_error error = {0};
	enum pgb_perfdata_end end;
	uint64_t records;

	(void)state;
	pair[0].attr.sample_type &= ~(uint64_t)PERF_SAMPLE_IDENTIFIER;
	perf_file_begin(&bytes, &file);
	put_records(&bytes, &pair[0].attr, 2);
	perf_file_end(&bytes, &file);
	assert_int_equal(read_all(&bytes, &records, &end, &error), PGB_E_CORRUPT);
	assert_non_null(strstr(error.message, "told apart"));
	perf_bytes_release(&bytes);
}

static void not_a_recording(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		int code;
		const char *says;
	} rows[] = {
		{"", 0, PGB_E_TRUNCATED, "ends inside its header"},
		{"PERF", 4, PGB_E_TRUNCATED, "ends inside its header"},
		{"PERFILE2", 8, PGB_E_TRUNCATED, "ends inside its header"},
		{"PERFILE3.......................", 31, PGB_E_CORRUPT, "does not begin with"},
		{"\177ELF\2\1\1.......................", 31, PGB_E_CORRUPT, "does not begin with"},
		{"PERFFILE.......................", 31, PGB_E_UNSUPPORTED, "version 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct perf_bytes bytes = {0};
		struct pgb_error error = {0};
		enum pgb_perfdata_end end;
		uint64_t records;

		perf_put(&bytes, rows[i].bytes, rows[i].length);
		assert_int_equal(read_all(&bytes, &records, &end, &error), rows[i].code);
		assert_non_null(strstr(error.message, rows[i].says));
		perf_bytes_release(&bytes);
	}
	assert_true(pgb_feed_perfdata_recognise((const uint8_t *)"PERFILE2", 8));
	assert_true(pgb_feed_perfdata_recognise((const uint8_t *)"2ELIFREP", 8));
	assert_false(pgb_feed_perfdata_recognise((const uint8_t *)"PERFILE2", 7));
}

static void what_cannot_be_opened(void **state)
{
	static const struct {
		const char *path;
		int code;
	} rows[] = {
		{"/nowhere/perf.data", PGB_E_NOT_FOUND},
		{"/proc/self", PGB_E_NOT_FOUND}, /* a directory without a recording */
		{"/proc/self/mem", PGB_E_IO},	 /* opens, and cannot be read at 0 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_feed_perfdata_config config = {.path = rows[i].path};
		struct pgb_error error = {0};
		struct pgb_feed *feed;

		assert_int_equal(pgb_feed_perfdata_new(&feed, &config, &error), rows[i].code);
		assert_non_null(strstr(error.message, rows[i].path));
	}
}

/* File mode names its parts by offset: it cannot come through a pipe. */
static void file_mode_through_a_pipe(void **state)
{
	struct pgb_feed_perfdata_config config = {0};
	struct pgb_error error = {0};
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	size_t data_end;
	char path[64];
	int ends[2];

	(void)state;
	make(&bytes, false, false, false, &data_end);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes.data, bytes.length), (ssize_t)bytes.length);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	config.path = path;
	assert_int_equal(pgb_feed_perfdata_new(&feed, &config, &error), PGB_E_UNSUPPORTED);
	assert_non_null(strstr(error.remedy, "file's name"));
	close(ends[0]);
	perf_bytes_release(&bytes);
}

/* Thousands of attrs that all point at the same ids: refused, not read for hours. */
static void ids_without_end(void **state)
{
	enum { ATTR_BYTES = 64 + 16, EVENTS = 4000, ID_BYTES = 1 << 20 };
	struct perf_bytes bytes = {0};
	struct pgb_error error = {0};
	enum pgb_perfdata_end end;
	uint64_t records;

	(void)state;
	perf_put(&bytes, "PERFILE2", 8);
	perf_put_u64(&bytes, 104);
	perf_put_u64(&bytes, ATTR_BYTES);
	perf_put_u64(&bytes, 104);
	perf_put_u64(&bytes, ATTR_BYTES * EVENTS);
	perf_put(&bytes, NULL, 104 - bytes.length);
	for (int i = 0; i < EVENTS; i++) {
		perf_put(&bytes, NULL, 64);
		perf_put_u64(&bytes, 104);
		perf_put_u64(&bytes, ID_BYTES);
	}
	while (bytes.length < 104 + ID_BYTES)
		perf_put_u64(&bytes, bytes.length);
	assert_int_equal(read_all(&bytes, &records, &end, &error), PGB_E_LIMIT);
	perf_bytes_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(every_byte_wrong),
		cmocka_unit_test(hostile_header_fields),
		cmocka_unit_test(damage_is_located),
		cmocka_unit_test(damaged_inside),
		cmocka_unit_test(an_aux_area_inside_compressed_records),
		cmocka_unit_test(a_malformed_record_costs_itself_only),
		cmocka_unit_test(events_that_cannot_be_told_apart),
		cmocka_unit_test(not_a_recording),
		cmocka_unit_test(what_cannot_be_opened),
		cmocka_unit_test(file_mode_through_a_pipe),
		cmocka_unit_test(ids_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
