/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgo/toolchain_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "tests/support/workshop.h"

static void test_parse(void **state)
{
	static const struct {
		enum pgb_tool_kind kind;
		const char *said, *key; /* NULL: no compiler */
	} rows[] = {
		{PGB_TOOL_COMPILER,
		 "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software "
		 "Foundation, Inc.\n",
		 "gcc-12"},
		{PGB_TOOL_COMPILER,
		 "gcc (crosstool-NG 1.25.0) 13.1.0\nCopyright (C) Free Software Foundation\n",
		 "gcc-13"},
		{PGB_TOOL_COMPILER,
		 "g++ (GCC) 14.0.1 20240411 (experimental)\nCopyright (C) Free Software "
		 "Foundation\n",
		 "gcc-14"},
		{PGB_TOOL_COMPILER, "Debian clang version 22.1.8 (1~deb12u1)\nTarget: x\n",
		 "llvm-22"},
		{PGB_TOOL_COMPILER, "tcc version 0.9.27 (x86_64 Linux)\n", NULL},
		{PGB_TOOL_COMPILER, "", NULL},
		{PGB_TOOL_COMPILER, "Free Software Foundation", NULL},
		{PGB_TOOL_RUSTC,
		 "rustc 1.95.0 (5980 2026-04-14)\nhost: x86_64-unknown-linux-gnu\n"
		 "release: 1.95.0\nLLVM version: 22.1.2\n",
		 "llvm-22"},
		{PGB_TOOL_RUSTC, "rustc 1.95.0\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_compiler compiler, back;
		bool known = pgb_compiler_parse(&compiler, rows[i].kind, rows[i].said);
		char *key;

		assert_int_equal(known, rows[i].key != NULL);
		if (!known)
			continue;
		key = pgb_compiler_key(&compiler);
		assert_string_equal(key, rows[i].key);
		assert_true(pgb_compiler_from_key(&back, key));
		assert_int_equal(back.major, compiler.major);
		assert_string_equal(back.toolchain->key, compiler.toolchain->key);
		free(key);
		if (rows[i].kind == PGB_TOOL_RUSTC)
			assert_string_equal(compiler.host, "x86_64-unknown-linux-gnu");
	}
}

static void test_keys(void **state)
{
	static const char *const bad[] = {"", "gcc", "gcc-", "gcc-x", "gcc-12x", "llvm-0", "tcc-1"};
	struct pgb_compiler compiler;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (pgb_compiler_from_key(&compiler, bad[i]))
			fail_msg("'%s' is no key", bad[i]);
}

/* Every table: flags belong to a mode and a step, placeholders are known. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; pgb_toolchains[i]; i++)
		for (const struct pgb_flag *flag = pgb_toolchains[i]->flags; flag->text; flag++) {
			const char *percent = strchr(flag->text, '%');
			unsigned int counts = PGB_FLAG_INSTRUMENT | PGB_FLAG_INSTRUMENT_CS;
			unsigned int mode =
				flag->when & (counts | PGB_FLAG_USE | PGB_FLAG_SAMPLING);

			assert_true(mode != 0);
			assert_true(flag->when & (PGB_FLAG_COMPILE | PGB_FLAG_LINK));
			if (percent && percent[1] == 'p')
				assert_true(flag->when & PGB_FLAG_PROFILE);
			else if (percent && percent[1] == 's')
				assert_true(flag->when & PGB_FLAG_SAMPLE);
			else if (percent)
				assert_true(percent[1] == 'r' && (mode & ~counts) == 0);
		}
}

static void test_find_merger(void **state)
{
	struct pgb_compiler compiler = {&pgb_toolchain_gcc, 97, ""};
	struct pgb_error error = {0};
	struct workshop workshop;
	char *before = pgb_dup(getenv("PATH")), *path, *tool = NULL, *expected;

	(void)state;
	workshop_open(&workshop);
	path = pgb_format("%s:%s", workshop.folder, before);
	setenv("PATH", path, 1);
	assert_int_equal(pgb_toolchain_find_merger(&compiler, NULL, &tool, &error),
			 PGB_E_UNSUPPORTED);
	assert_non_null(strstr(error.message, "97"));
	assert_non_null(strstr(error.remedy, "gcc-97"));
	/* the plain name counts only where its version is the one */
	workshop_script(&workshop, "gcov-tool", "echo 'gcov-tool (Debian 96.1) 97.2.0'\n");
	assert_int_equal(pgb_toolchain_find_merger(&compiler, NULL, &tool, NULL), 0);
	expected = workshop_path(&workshop, "gcov-tool");
	assert_string_equal(tool, expected);
	free(tool);
	free(expected);
	workshop_script(&workshop, "gcov-tool-97", "echo 'gcov-tool (Debian 97.1) 97.2.0'\n");
	assert_int_equal(pgb_toolchain_find_merger(&compiler, NULL, &tool, NULL), 0);
	expected = workshop_path(&workshop, "gcov-tool-97");
	assert_string_equal(tool, expected);
	free(tool);
	free(expected);
	compiler = (struct pgb_compiler){&pgb_toolchain_clang, 97, ""};
	workshop_script(&workshop, "llvm-profdata",
			"[ $1 = merge ] && echo ' LLVM version 97.0'\n");
	assert_int_equal(pgb_toolchain_find_merger(&compiler, NULL, &tool, NULL), 0);
	free(tool);
	compiler.major = 96;
	pgb_error_clear(&error);
	assert_int_equal(pgb_toolchain_find_merger(&compiler, "rustc", &tool, &error),
			 PGB_E_UNSUPPORTED);
	assert_non_null(strstr(error.remedy, "rustup"));
	setenv("PATH", before, 1);
	free(before);
	free(path);
	workshop_close(&workshop);
}

/* A compiler that is not in PATH is called by a link, too. */
static void test_merger_beside(void **state)
{
	const struct pgb_compiler compiler = {&pgb_toolchain_clang, 97, ""},
				  older = {&pgb_toolchain_clang, 96, ""};
	struct workshop workshop;
	char *link, *real, *expected, *tool;

	(void)state;
	workshop_open(&workshop);
	workshop_script(&workshop, "clang", "exit 0\n");
	link = workshop_path(&workshop, "elsewhere/bin/cc");
	real = workshop_path(&workshop, "clang");
	expected = workshop_path(&workshop, "elsewhere/bin");
	assert_int_equal(pgb_file_make_directories(expected, NULL), 0);
	free(expected);
	assert_int_equal(symlink(real, link), 0);
	assert_null(pgb_toolchain_merger_beside(&compiler, link));
	assert_null(pgb_toolchain_merger_beside(&compiler, "cc"));
	workshop_script(&workshop, "llvm-profdata", "echo ' LLVM version 97.0'\n");
	expected = workshop_path(&workshop, "llvm-profdata");
	tool = pgb_toolchain_merger_beside(&compiler, link);
	assert_non_null(tool);
	assert_string_equal(tool, expected);
	free(tool);
	assert_null(pgb_toolchain_merger_beside(&older, link));
	workshop_close(&workshop);
	free(link);
	free(real);
	free(expected);
}

static void test_llvm_counts(void **state)
{
	struct pgb_merge_counts counts = {0};

	(void)state;
	pgb_llvm_profdata_parse(&counts, "Instrumentation level: IR  entry_first = 0\n"
					 "  main.c;never: (Max = 0 Sum = 0)\n"
					 "  hot: (Max = 5 Sum = 0)\n"
					 "  rare: (Max = 0 Sum = 0)\n"
					 "Total functions: 25\nMaximum function count: 1000\n"
					 "Number of functions with maximum count (< 1): 7\n"
					 "Number of functions with maximum count (>= 1): 18\n");
	assert_int_equal(counts.functions, 25);
	assert_int_equal(counts.functions_run, 18);
	assert_string_equal(counts.unreached.data, "main.c;never\nrare\n");
	pgb_text_release(&counts.unreached);
	pgb_llvm_profdata_parse(&counts, "");
	assert_int_equal(counts.functions, 0);
}

static void test_gcc_counts(void **state)
{
	struct pgb_merge_counts counts = {0};

	(void)state;
	pgb_gcov_dump_parse(&counts,
			    "a.gcda:data:magic `gcda':version `B22*'\n"
			    "a.gcda:  a1000000:   8:OBJECT_SUMMARY runs=1, sum_max=1\n"
			    "a.gcda:  01000000:  12:FUNCTION ident=1, lineno_checksum=0x1\n"
			    "a.gcda:    01a10000:  32:COUNTERS arcs 4 counts\n"
			    "a.gcda:    01af0000:   8:COUNTERS time_profiler 1 counts\n"
			    "a.gcda:  01000000:  12:FUNCTION ident=2, lineno_checksum=0x2\n"
			    "a.gcda:    01a10000:  16:COUNTERS arcs 2 counts (all zero)\n"
			    "a.gcda:  01000000:   0:FUNCTION placeholder\n");
	assert_int_equal(counts.functions, 2);
	assert_int_equal(counts.functions_run, 1);
	pgb_gcov_dump_parse(&counts, "");
	assert_int_equal(counts.functions, 2);
}

/* As gcc 11 and 12 write it: two functions, one with counters that are all zero. */
static void test_gcda(void **state)
{
	static const uint32_t old[] = {0x67636461, 0x4231332a, 1, 0xa1000000, 2,	  1,
				       1000,	   0x01000000, 3, 1,	      2,	  3,
				       0x01a10000, 2,	       7, 0,	      0x01000000, 3,
				       2,	   2,	       3, 0x01a10000, 0xfffffffe, 0};
	static const uint32_t now[] = {
		0x67636461, 0x4232322a, 1, 9, 0xa1000000, 8,	      1, 1000, 0x01000000,
		12,	    1,		2, 3, 0x01a10000, 8,	      7, 0,    0x01000000,
		12,	    2,		2, 3, 0x01a10000, 0xfffffff8, 0};
	uint32_t future[] = {0x67636461, 0x4539302a, 1, 9, 0xa1000000, 999, 0};

	(void)state;
	assert_true(pgb_gcda_is_whole(pgb_cursor_of(old, sizeof(old))));
	assert_true(pgb_gcda_is_whole(pgb_cursor_of(now, sizeof(now))));
	for (size_t size = 0; size < sizeof(now); size++)
		assert_false(pgb_gcda_is_whole(pgb_cursor_of(now, size)));
	for (size_t size = 0; size < sizeof(old); size++)
		assert_false(pgb_gcda_is_whole(pgb_cursor_of(old, size)));
	/* another version's rules may be others */
	assert_true(pgb_gcda_is_whole(pgb_cursor_of(future, sizeof(future))));
	future[0]++;
	assert_false(pgb_gcda_is_whole(pgb_cursor_of(future, sizeof(future))));
}

/* One function with two arcs, and a place that called one function or two others. */
static void test_gcda_add(void **state)
{
	static const uint32_t a[] = {
		0x67636461, 0x4232322a, 1,	    9, 0xa1000000, 8,  1, 1000, 0x01000000,
		12,	    1,		2,	    3, 0x01a10000, 16, 7, 0,	0,
		0,	    0x01a90000, 32,	    7, 0,	   1,  0, 77,	0,
		7,	    0,		0x01af0000, 8, 5,	   0,  0};
	static const uint32_t b[] = {0x67636461, 0x4232322a, 1,	 9, 0xa1000000, 8, 2,
				     9,		 0x01000000, 12, 1, 2,		3, 0x01a10000,
				     0xfffffff0, 0x01a90000, 48, 2, 0,		2, 0,
				     88,	 0,	     1,	 0, 77,		0, 1,
				     0,		 0x01af0000, 8,	 4, 0,		0};
	static const uint32_t sum[] = {
		0x67636461, 0x4232322a, 1,	    9,	0xa1000000, 8,	3, 3000, 0x01000000, 12, 1,
		2,	    3,		0x01a10000, 16, 21,	    0,	0, 0,	 0x01a90000, 48, 31,
		0,	    2,		0,	    77, 0,	    26, 0, 88,	 0,	     5,	 0,
		0x01af0000, 8,		4,	    0,	0};
	uint32_t other[sizeof(b) / sizeof(b[0])];
	struct pgb_text out = {0};

	(void)state;
	assert_true(
		pgb_gcda_add(&out, pgb_cursor_of(a, sizeof(a)), 3, pgb_cursor_of(b, sizeof(b)), 5));
	assert_int_equal(out.length, sizeof(sum));
	assert_memory_equal(out.data, sum, sizeof(sum));
	assert_true(pgb_gcda_is_whole(pgb_cursor_of(out.data, out.length)));
	for (size_t size = 0; size < sizeof(a); size++) {
		out.length = 0;
		assert_false(pgb_gcda_add(&out, pgb_cursor_of(a, size), 1,
					  pgb_cursor_of(b, sizeof(b)), 1));
	}
	/* another stamp, another function, another kind of counter */
	for (size_t i = 2; i < 14; i += i == 2 ? 8 : 3) {
		memcpy(other, b, sizeof(b));
		other[i] += 0x20000;
		out.length = 0;
		assert_false(pgb_gcda_add(&out, pgb_cursor_of(a, sizeof(a)), 1,
					  pgb_cursor_of(other, sizeof(other)), 1));
	}
	pgb_text_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	      cmocka_unit_test(test_keys),
		cmocka_unit_test(test_tables),	      cmocka_unit_test(test_find_merger),
		cmocka_unit_test(test_merger_beside), cmocka_unit_test(test_llvm_counts),
		cmocka_unit_test(test_gcc_counts),    cmocka_unit_test(test_gcda),
		cmocka_unit_test(test_gcda_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
