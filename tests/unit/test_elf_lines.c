/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <link.h>

#include <cmocka.h>

#include "pgobolt/bolt/elf_lines.h"
#include "pgobolt/collector/insn.h"

/* What is looked up is this very program. */
static struct pgb_elf_image *self;
static struct pgb_elf_lines *lines;

enum { INNER_LINE = __LINE__ + 1 };
static inline __attribute__((always_inline)) long inner(volatile long *value)
{
	return *value * 7 + 1;
}

enum { OUTER_LINE = __LINE__ + 1 };
__attribute__((noinline)) static long outer(volatile long *value)
{
	*value += 3;
	return inner(value) ^ 5;
}

static int note_base(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(uint64_t *)base = info->dlpi_addr;
	return 1; /* the first is the program */
}

static uint64_t address_of(long (*function)(volatile long *))
{
	uint64_t base = 0;

	dl_iterate_phdr(note_base, &base);
	return (uint64_t)(uintptr_t)function - base;
}

static int open_self(void **state)
{
	volatile long value = 1;

	(void)state;
	assert_true(outer(&value) != 0);
	assert_int_equal(pgb_elf_image_open(&self, "/proc/self/exe", NULL), 0);
	assert_int_equal(pgb_elf_image_discover(self, NULL), 0);
	return 0;
}

static int close_self(void **state)
{
	(void)state;
	pgb_elf_lines_close(lines);
	pgb_elf_image_close(self);
	return 0;
}

/* CFLAGS without -g: say so, and leave it at that. */
static void need_lines(void)
{
	struct pgb_error error = {0};

	if (lines != NULL || pgb_elf_lines_open(&lines, self, &error) == 0)
		return;
	assert_int_equal(error.code, PGB_E_NOT_SUITABLE);
	assert_non_null(strstr(error.remedy, "--sampling"));
	skip();
}

static void test_function(void **state)
{
	uint64_t address = address_of(outer);
	const struct pgb_line_range *range;
	size_t count;

	(void)state;
	need_lines();
	range = pgb_elf_lines_range_at(lines, address);
	assert_non_null(range);
	assert_int_equal(range->start, address);
	assert_string_equal(pgb_elf_lines_function(lines, range->function)->name, "outer");
	assert_int_equal(pgb_elf_lines_function(lines, range->function)->declared_line, OUTER_LINE);
	assert_ptr_equal(pgb_elf_lines_range_at(lines, range->end - 1), range);
	assert_null(pgb_elf_lines_range_at(lines, 1));
	assert_null(pgb_elf_lines_range_at(lines, UINT64_MAX));
	range = pgb_elf_lines_ranges(lines, &count);
	for (size_t i = 0; i < count; i++) {
		assert_true(range[i].start < range[i].end);
		assert_true(i == 0 || range[i - 1].end <= range[i].start);
	}
	assert_true(strlen(pgb_elf_lines_producer(lines)) > 0);
}

static void check_frames(const struct pgb_line_frame *frames, size_t count, bool *was_inlined)
{
	assert_in_range(count, 1, 2);
	assert_string_equal(frames[0].function, "outer");
	assert_int_equal(frames[0].declared_line, OUTER_LINE);
	assert_true(frames[0].line == 0 ||
		    (frames[0].line >= OUTER_LINE && frames[0].line <= OUTER_LINE + 5));
	if (count == 1)
		return;
	*was_inlined = true;
	assert_int_equal(frames[0].line, OUTER_LINE + 3);
	assert_string_equal(frames[1].function, "inner");
	assert_int_equal(frames[1].declared_line, INNER_LINE);
	assert_true(frames[1].line >= INNER_LINE && frames[1].line <= INNER_LINE + 3);
}

static void test_frames(void **state)
{
	struct pgb_line_frame frames[8];
	const struct pgb_line_range *range;
	bool was_inlined = false;

	(void)state;
	need_lines();
	range = pgb_elf_lines_range_at(lines, address_of(outer));
	assert_non_null(range);
	for (uint64_t address = range->start; address < range->end; address++) {
		size_t count = pgb_elf_lines_frames(lines, address, frames, 8);

		check_frames(frames, count, &was_inlined);
		/* deeper than there is room: nothing, not a part */
		assert_int_equal(pgb_elf_lines_frames(lines, address, frames, 1),
				 count == 1 ? 1 : 0);
	}
	assert_true(was_inlined);
	assert_int_equal(pgb_elf_lines_frames(lines, 1, frames, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, open_self, close_self);
}
