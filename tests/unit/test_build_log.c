/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pgo/build_private.h"

/* What is compiled to find out about the compiler is no part of the build. */
static void test_probes(void **state)
{
	static const struct {
		const char *log;
		uint64_t compiled, linked;
	} rows[] = {
		{"compiler\tgcc-12\nobject\t/p/a.o\n", 1, 0},
		{"compiler\tgcc-12\nsource\t/p/a.c\nlink\t/p/app\ninput\t/p/b.o\n", 1, 1},
		{"compiler\tgcc-12\nobject\t/p/conftest.o\n", 0, 0},
		{"compiler\tgcc-12\nsource\t/p/conftest.c\nlink\t/p/conftest\n", 0, 0},
		{"compiler\tgcc-12\nsource\t/p/-\nlink\t/dev/null\n", 0, 0},
		{"compiler\tgcc-12\nobject\t/dev/null\n", 0, 0},
		{"compiler\tgcc-12\nobject\t/p/b/CMakeFiles/CMakeScratch/a.o\n", 0, 0},
		/* a program whose source comes through a pipe */
		{"compiler\tgcc-12\nsource\t/p/-\nlink\t/p/app\n", 0, 1},
		{"object", 0, 0},
		{"\n\t\n", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_build_result result = {0};

		pgb_build_read_log(&result, rows[i].log);
		if (result.compiled != rows[i].compiled || result.linked != rows[i].linked)
			fail_msg("row %zu: %lu compiled, %lu linked", i,
				 (unsigned long)result.compiled, (unsigned long)result.linked);
		pgb_build_result_release(&result);
	}
}

/* gcc names counts after objects: their sources' paths, which may be longer, are kept apart. */
static void test_sources(void **state)
{
	struct pgb_build_result result = {0};

	(void)state;
	pgb_build_read_log(&result, "compiler\tgcc-12\nobject\t/p/a.o\nof\t/far/away/a.c\n"
				    "compiler\tgcc-12\nobject\t/p/conftest.o\nof\t/p/conftest.c\n"
				    "link\t/p/app\ninput\t/p/b.o\ninput\t/p/a.o\ninput\t/p/b.o\n");
	assert_int_equal(result.compiled_files.items.count, 1);
	assert_string_equal(result.compiled_files.items.items[0], "/p/a.o");
	assert_int_equal(result.sources.items.count, 1);
	assert_string_equal(result.sources.items.items[0], "/far/away/a.c");
	assert_int_equal(result.inputs.items.count, 2);
	assert_string_equal(result.inputs.items.items[1], "/p/b.o");
	pgb_build_result_release(&result);
}

static void test_system(void **state)
{
	static const struct {
		const char *path;
		bool of_system;
	} rows[] = {
		{"/usr/lib/x86_64-linux-gnu/crt1.o", true},
		{"/lib64/libc.a", true},
		{"/opt/gcc/lib/crtbegin.o", true},
		{"/usr/src/app/work.o", false},
		{"/library/work.o", false},
		{"/home/me/usr/lib/work.o", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pgb_build_is_of_system(rows[i].path) != rows[i].of_system)
			fail_msg("%s", rows[i].path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
