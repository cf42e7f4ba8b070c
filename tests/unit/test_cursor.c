/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pgobolt/base/cursor.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 'a', 'b', 0, 9};

static void reads_both_byte_orders(void **state)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(pgb_cursor_u16(&cursor), 0x0201);
	cursor.big_endian = true;
	assert_int_equal(pgb_cursor_u16(&cursor), 0x0304);
	assert_int_equal(pgb_cursor_u32(&cursor), 0x05060708);
	assert_int_equal(cursor.offset, 8);
	cursor = pgb_cursor_of(bytes, sizeof(bytes));
	assert_true(pgb_cursor_u64(&cursor) == 0x0807060504030201u);
	cursor = pgb_cursor_of(bytes, sizeof(bytes));
	cursor.big_endian = true;
	assert_true(pgb_cursor_u64(&cursor) == 0x0102030405060708u);
}

static void a_short_read_is_remembered(void **state)
{
	(void)state;
	for (size_t size = 0; size < 8; size++) {
		struct pgb_cursor cursor = pgb_cursor_of(bytes, size);

		assert_true(pgb_cursor_u64(&cursor) == 0);
		assert_true(cursor.truncated);
		assert_int_equal(pgb_cursor_left(&cursor), 0);
		assert_int_equal(cursor.offset, size);
		assert_int_equal(pgb_cursor_u8(&cursor), 0);
		assert_true(cursor.truncated);
	}
}

static void counts_are_divided(void **state)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, sizeof(bytes));

	(void)state;
	assert_true(pgb_cursor_holds(&cursor, 3, 4));
	assert_false(pgb_cursor_holds(&cursor, 4, 4));
	/* 2^61 elements of 8 bytes would wrap to 0 when multiplied */
	assert_false(pgb_cursor_holds(&cursor, UINT64_C(1) << 61, 8));
}

static void a_sub_cursor_is_bounded(void **state)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, sizeof(bytes));
	struct pgb_cursor sub = pgb_cursor_sub(&cursor, 2);

	(void)state;
	assert_int_equal(pgb_cursor_left(&sub), 2);
	assert_int_equal(pgb_cursor_u32(&sub), 0);
	assert_true(sub.truncated);
	assert_false(cursor.truncated);
	assert_int_equal(cursor.offset, 2);
	sub = pgb_cursor_sub(&cursor, 100);
	assert_true(sub.truncated);
	assert_true(cursor.truncated);
	assert_int_equal(pgb_cursor_left(&sub), 0);
}

static void a_string_ends_inside(void **state)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes + 8, 4);

	(void)state;
	assert_string_equal(pgb_cursor_string(&cursor), "ab");
	assert_int_equal(cursor.offset, 3);
	assert_null(pgb_cursor_string(&cursor));
	assert_true(cursor.truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_both_byte_orders),
		cmocka_unit_test(a_short_read_is_remembered),
		cmocka_unit_test(counts_are_divided),
		cmocka_unit_test(a_sub_cursor_is_bounded),
		cmocka_unit_test(a_string_ends_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
