/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pgobolt/base/error.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/proc_maps.h"

static struct pgb_proc_map map;

static int parse(const char *line)
{
	struct pgb_cursor cursor = pgb_cursor_of(line, strlen(line));

	return pgb_proc_maps_next(&cursor, &map);
}

static void lines_and_their_fields(void **state)
{
	(void)state;
	assert_int_equal(parse("55d0c3a00000-55d0c3a21000 r-xp 00002000 fd:0a 1573048"
			       "                    /usr/bin/a b\n"),
			 1);
	assert_true(map.start == 0x55d0c3a00000 && map.end == 0x55d0c3a21000);
	assert_true(map.readable && !map.writable && map.executable && !map.shared);
	assert_true(map.offset_file == 0x2000 && map.inode == 1573048);
	assert_true(map.device == makedev(0xfd, 0x0a));
	assert_string_equal(map.path, "/usr/bin/a b");
	assert_int_equal(parse("7f00-7f01 -w-s 00000000 00:00 0 \n"), 1);
	assert_string_equal(map.path, "");
	assert_true(!map.readable && map.writable && !map.executable && map.shared);
	assert_int_equal(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0"
			       "                  [vsyscall]\n"),
			 1);
	assert_string_equal(map.path, "[vsyscall]");
	assert_int_equal(parse("1-2 r-xp 0 00:00 1 /a (deleted)\n"), 1);
	assert_string_equal(map.path, "/a (deleted)");
	assert_int_equal(parse("1-2 r-xp 0 00:00 1 /two\\012lines\\01\\\n"), 1);
	assert_string_equal(map.path, "/two\nlines\\01\\");
	/* older kernels put nothing behind the inode */
	assert_int_equal(parse("1-2 r-xp 0 00:00 18446744073709551615\n"), 1);
	assert_true(map.inode == UINT64_MAX);
}

static void lines_that_are_none(void **state)
{
	static const char *const lines[] = {
		"\n",
		"x\n",
		"1 2 r-xp 0 00:00 0\n",
		"-2 r-xp 0 00:00 0\n",
		"1- r-xp 0 00:00 0\n",
		"2-1 r-xp 0 00:00 0\n",
		"11112222333344445-1 r-xp 0 00:00 0\n",
		"1-2 r-x\n",
		"1-2 r-xp\n",
		"1-2 r-xp 0\n",
		"1-2 r-xp 0 00 0\n",
		"1-2 r-xp 0 100000000:0 0\n",
		"1-2 r-xp 0 00:00\n",
		"1-2 r-xp 0 00:00 f\n",
		"1-2 r-xp 0 00:00 0f\n",
		"1-2 r-xp 0 00:00 18446744073709551616\n",
		"1-2 r-xp g 00:00 0\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(lines[i]) != PGB_E_CORRUPT)
			fail_msg("taken: %s", lines[i]);
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse("1-2 r-xp 0 00:00 1 /cut"), PGB_E_TRUNCATED);
}

static void a_bad_line_costs_one_line(void **state)
{
	static const char text[] = "1-2 r-xp 0 00:00 1 /a\nnonsense\n3-4 r-xp 0 00:00 1 /b\n5-";
	struct pgb_cursor cursor = pgb_cursor_of(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(pgb_proc_maps_next(&cursor, &map), 1);
	assert_int_equal(pgb_proc_maps_next(&cursor, &map), PGB_E_CORRUPT);
	assert_int_equal(pgb_proc_maps_next(&cursor, &map), 1);
	assert_string_equal(map.path, "/b");
	assert_int_equal(pgb_proc_maps_next(&cursor, &map), PGB_E_TRUNCATED);
	assert_int_equal(pgb_proc_maps_next(&cursor, &map), 0);
}

static void the_longest_path_fits(void **state)
{
	char line[PGB_LIMIT_PATH_BYTES + 64];
	size_t head = (size_t)snprintf(line, sizeof(line), "1-2 r-xp 0 00:00 1 ");

	(void)state;
	memset(line + head, 'p', PGB_LIMIT_PATH_BYTES);
	line[head + PGB_LIMIT_PATH_BYTES - 1] = '\n';
	line[head + PGB_LIMIT_PATH_BYTES] = '\0';
	assert_int_equal(parse(line), 1);
	assert_int_equal(strlen(map.path), PGB_LIMIT_PATH_BYTES - 1);
	line[head + PGB_LIMIT_PATH_BYTES - 1] = 'p';
	line[head + PGB_LIMIT_PATH_BYTES] = '\n';
	line[head + PGB_LIMIT_PATH_BYTES + 1] = '\0';
	assert_int_equal(parse(line), PGB_E_CORRUPT);
}

static void this_process(void **state)
{
	struct pgb_text text = {0};
	struct pgb_cursor cursor;
	struct stat status;
	bool found = false;
	int got;

	(void)state;
	assert_int_equal(stat("/proc/self/exe", &status), 0);
	assert_int_equal(pgb_file_read(&text, "/proc/self/maps", 1 << 24, NULL), 0);
	cursor = pgb_cursor_of(text.data, text.length);
	while ((got = pgb_proc_maps_next(&cursor, &map)) == 1) {
		uint64_t here = (uint64_t)(uintptr_t)this_process;

		if (map.executable && here - map.start < map.end - map.start) {
			found = true;
			assert_true(map.inode == status.st_ino);
		}
	}
	assert_int_equal(got, 0);
	assert_true(found);
	pgb_text_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_their_fields),
		cmocka_unit_test(lines_that_are_none),
		cmocka_unit_test(a_bad_line_costs_one_line),
		cmocka_unit_test(the_longest_path_fits),
		cmocka_unit_test(this_process),
	};

	return cmocka_run_group_tests_name("proc_maps", tests, NULL, NULL);
}
