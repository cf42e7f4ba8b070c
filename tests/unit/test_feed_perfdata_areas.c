/* SPDX-License-Identifier: MIT */
/* Which bytes an AUX record of a recording gets: of its CPU or thread, from a file or a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/feed_perfdata_areas.h"

#define NOBODY UINT32_MAX

/* In the order of the input: the byte at `from` of it has the value `from`, modulo 251. */
static const struct pgb_perfdata_piece input[] = {
	{.offset = 0, .size_bytes = 100, .cpu = 0, .tid = NOBODY},
	{.offset = 0, .size_bytes = 40, .cpu = 1, .tid = NOBODY},
	{.offset = 100, .size_bytes = 60, .cpu = 0, .tid = NOBODY},
	{.offset = 0, .size_bytes = 0, .cpu = 2, .tid = NOBODY},
	{.offset = 500, .size_bytes = 30, .cpu = NOBODY, .tid = 7},
	{.offset = 1000, .size_bytes = 8, .cpu = 0, .tid = NOBODY}, /* behind a gap */
};

enum { PIECES = sizeof(input) / sizeof(input[0]), INPUT_BYTES = 238 };

struct fixture {
	struct pgb_perfdata_stream stream;
	struct pgb_perfdata_areas areas;
};

static uint8_t value_at(size_t place)
{
	return (uint8_t)(place % 251);
}

static void set_up(struct fixture *fixture, bool from_pipe, size_t input_bytes)
{
	uint8_t bytes[INPUT_BYTES];
	int fds[2];

	*fixture = (struct fixture){0};
	for (size_t i = 0; i < INPUT_BYTES; i++)
		bytes[i] = value_at(i);
	if (from_pipe) {
		assert_int_equal(pipe(fds), 0);
	} else {
		fds[0] = memfd_create("areas", 0);
		fds[1] = dup(fds[0]);
	}
	assert_int_equal(write(fds[1], bytes, input_bytes), input_bytes);
	close(fds[1]);
	if (!from_pipe)
		assert_int_equal(lseek(fds[0], 0, SEEK_SET), 0);
	pgb_perfdata_stream_init(&fixture->stream, fds[0], "areas", !from_pipe);
	fixture->stream.section_count = 1;
	fixture->stream.sections[0].size_bytes = from_pipe ? UINT64_MAX : input_bytes;
	assert_int_equal(pgb_perfdata_stream_start(&fixture->stream, NULL), 0);
	for (size_t i = 0; i < PIECES; i++)
		assert_int_equal(
			pgb_perfdata_areas_add(&fixture->areas, &fixture->stream, &input[i], NULL),
			0);
}

static void tear_down(struct fixture *fixture)
{
	pgb_perfdata_areas_release(&fixture->areas);
	pgb_perfdata_stream_release(&fixture->stream);
}

static struct pgb_record aux_record(uint32_t cpu, uint32_t tid, uint64_t offset,
				    uint64_t size_bytes)
{
	return (struct pgb_record){.type = PERF_RECORD_AUX,
				   .cpu = cpu,
				   .tid = tid,
				   .aux = {.offset = offset, .size_bytes = size_bytes}};
}

static const struct row {
	uint32_t cpu, tid;
	uint64_t offset, size_bytes;
	size_t expected, place; /* how many bytes, and where in the input they begin */
	bool holds;
} rows[] = {
	{0, 7, 0, 64, 64, 0, true},
	{0, 7, 64, 36, 36, 64, true},
	{1, 7, 0, 40, 40, 100, true},
	{1, 7, 16, 40, 24, 116, false}, /* the rest has not come */
	{0, 7, 150, 10, 10, 190, true},
	{2, 9, 0, 8, 0, 0, false}, /* of neither this CPU .. */
	{9, 8, 500, 8, 0, 0, false},
	{9, 7, 510, 20, 20, 210, true}, /* .. but of this thread, wherever it ran */
	{0, 9, 1000, 8, 8, 230, true},
	{0, 7, 152, 16, 8, 192, false}, /* a gap in it */
	{0, 7, UINT64_MAX, 8, 0, 0, false},
	{0, 7, 0, UINT64_MAX, 160, 0, false},
	{0, 7, 0, 0, 0, 0, true},
};

static void check_row(struct fixture *fixture, const struct row *row, size_t index)
{
	struct pgb_record record = aux_record(row->cpu, row->tid, row->offset, row->size_bytes);
	size_t at = 0;

	if (pgb_perfdata_areas_hold(&fixture->areas, &record) != row->holds)
		fail_msg("row %zu: holds, or not", index);
	pgb_perfdata_areas_attach(&fixture->areas, &record, true);
	if (pgb_cursor_left(&record.aux_bytes) != row->expected)
		fail_msg("row %zu: %zu bytes", index, pgb_cursor_left(&record.aux_bytes));
	assert_int_equal(record.aux_bytes.offset, row->offset);
	/* the first piece of CPU 0 is followed by that of CPU 1 in the input */
	for (; at < row->expected; at++) {
		size_t place = row->place + at;

		if (row->cpu == 0 && row->offset < 100 && row->offset + at >= 100)
			place += 40;
		if (record.aux_bytes.at[at] != value_at(place))
			fail_msg("row %zu: byte %zu", index, at);
	}
	assert_int_equal(record.aux_of_cpu, row->expected > 0 && row->cpu != 9);
}

static void bytes_of_a_file_are_read_again(void **state)
{
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(&fixture, false, INPUT_BYTES);
		assert_true(fixture.areas.has_new);
		assert_int_equal(fixture.areas.kept_bytes, 0);
		check_row(&fixture, &rows[i], i);
		tear_down(&fixture);
	}
}

static void bytes_of_a_pipe_are_kept_until_they_are_read(void **state)
{
	struct fixture fixture;

	(void)state;
	/* each alone: what was read is forgotten */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(&fixture, true, INPUT_BYTES);
		assert_int_equal(fixture.areas.kept_bytes, INPUT_BYTES);
		check_row(&fixture, &rows[i], i);
		tear_down(&fixture);
	}
	set_up(&fixture, true, INPUT_BYTES);
	check_row(&fixture, &rows[0], 0);
	assert_int_equal(fixture.areas.kept_bytes, INPUT_BYTES); /* some of it is wanted yet */
	check_row(&fixture, &rows[1], 1);
	assert_int_equal(fixture.areas.kept_bytes, INPUT_BYTES - 100);
	check_row(&fixture, &rows[8], 8);
	assert_int_equal(fixture.areas.kept_bytes, INPUT_BYTES - 100 - 60 - 8);
	tear_down(&fixture);
}

static void input_that_ends_early(void **state)
{
	const struct row first = {0, 7, 0, 100, 100, 0, true};
	const struct row cut = {1, 7, 0, 40, 20, 100, false};
	struct fixture fixture;

	(void)state;
	for (int from_pipe = 0; from_pipe < 2; from_pipe++) {
		struct pgb_record record = aux_record(1, 7, 0, 40);

		set_up(&fixture, from_pipe, 120);
		check_row(&fixture, &first, 0);
		if (from_pipe)
			check_row(&fixture, &cut, 1);
		pgb_perfdata_areas_attach(&fixture.areas, &record, false);
		assert_true(pgb_cursor_left(&record.aux_bytes) <= 20);
		tear_down(&fixture);
	}
}

/* A pipe's pieces are held in memory: not without limit. */
static void too_much_for_a_pipe_is_counted(void **state)
{
	const struct pgb_perfdata_piece huge = {
		.size_bytes = PGB_LIMIT_AUX_BYTES + 1, .cpu = 5, .tid = NOBODY};
	struct pgb_record record = aux_record(5, 1, 0, 8);
	struct fixture fixture;

	(void)state;
	set_up(&fixture, true, INPUT_BYTES);
	assert_int_equal(pgb_perfdata_areas_add(&fixture.areas, &fixture.stream, &huge, NULL), 0);
	assert_int_equal(fixture.areas.lost_bytes, huge.size_bytes);
	assert_int_equal(fixture.areas.kept_bytes, INPUT_BYTES);
	assert_false(pgb_perfdata_areas_hold(&fixture.areas, &record));
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_a_file_are_read_again),
		cmocka_unit_test(bytes_of_a_pipe_are_kept_until_they_are_read),
		cmocka_unit_test(input_that_ends_early),
		cmocka_unit_test(too_much_for_a_pipe_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
