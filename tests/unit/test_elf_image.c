/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/bolt/elf_image.h"

static struct pgb_elf_image *open_self(void)
{
	struct pgb_error error = {0};
	struct pgb_elf_image *image;

	if (pgb_elf_image_open(&image, "/proc/self/exe", &error) != 0 ||
	    pgb_elf_image_discover(image, &error) != 0)
		fail_msg("%s", error.message);
	return image;
}

static void test_self(void **state)
{
	struct pgb_elf_image *image = open_self();
	const struct pgb_elf_function *function = pgb_elf_image_function_named(image, "main");

	(void)state;
	assert_non_null(function);
	assert_string_equal(function->name, "main");
	assert_true(function->from_symbol && !function->is_plt && function->size_bytes > 0);
	assert_true(function->max_size_bytes >= function->size_bytes);
	assert_ptr_equal(pgb_elf_image_find_function(image, function->address), function);
	assert_ptr_equal(
		pgb_elf_image_find_function(image, function->address + function->size_bytes - 1),
		function);
	assert_null(pgb_elf_image_function_named(image, "no such function"));
	assert_null(pgb_elf_image_find_function(image, UINT64_MAX));
	assert_true(pgb_elf_image_has_symbols(image));
	pgb_elf_image_close(image);
}

/* Static functions carry the number that llvm-bolt gives them. */
static void test_local_name(void **state)
{
	struct pgb_elf_image *image = open_self();
	const struct pgb_elf_function *function =
		pgb_elf_image_function_named(image, "test_local_name/1");

	(void)state;
	assert_non_null(function);
	assert_ptr_equal(pgb_elf_image_function_named(image, "test_local_name/test_elf_image.c/1"),
			 function);
	pgb_elf_image_close(image);
}

static void test_ascending(void **state)
{
	struct pgb_elf_image *image = open_self();

	(void)state;
	assert_true(pgb_elf_image_function_count(image) > 10);
	for (size_t i = 1; i < pgb_elf_image_function_count(image); i++)
		assert_true(pgb_elf_image_function(image, i - 1)->address <
			    pgb_elf_image_function(image, i)->address);
	assert_null(pgb_elf_image_function(image, pgb_elf_image_function_count(image)));
	pgb_elf_image_close(image);
}

static void test_sections(void **state)
{
	struct pgb_elf_image *image = open_self();
	const struct pgb_elf_section *text = pgb_elf_image_find_section(image, ".text");
	size_t left;

	(void)state;
	assert_non_null(text);
	assert_ptr_equal(pgb_elf_image_section(image, text->index), text);
	assert_non_null(pgb_elf_image_section_bytes(image, text));
	assert_ptr_equal(pgb_elf_image_bytes_at(image, text->address, &left),
			 pgb_elf_image_section_bytes(image, text));
	assert_true(left >= text->size_bytes);
	assert_null(pgb_elf_image_bytes_at(image, UINT64_MAX, &left));
	assert_null(pgb_elf_image_section_bytes(image, pgb_elf_image_find_section(image, ".bss")));
	assert_null(pgb_elf_image_find_section(image, ".no-such-section"));
	pgb_elf_image_close(image);
}

static const struct {
	const char *bytes;
	size_t size;
	int code;
	const char *message;
} bad[] = {
	{"", 0, PGB_E_NOT_SUITABLE, "not an ELF"},
	{"#!/bin/sh\n", 10, PGB_E_NOT_SUITABLE, "not an ELF"},
	{"!<arch>\nx", 9, PGB_E_NOT_SUITABLE, "archive"},
	{"\177ELF\1\1\1\0\0\0\0\0\0\0\0\0", 16, PGB_E_NOT_SUITABLE, "32-bit"},
	{"\177ELF\2\2\1\0\0\0\0\0\0\0\0\0", 16, PGB_E_NOT_SUITABLE, "big-endian"},
	{"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16, PGB_E_TRUNCATED, "cut off"},
};

static void test_bad(void **state)
{
	static const char path[] = "test_elf_image.bad";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FILE *file = fopen(path, "wb");
		struct pgb_error error = {0};
		struct pgb_elf_image *image;

		assert_non_null(file);
		assert_int_equal(fwrite(bad[i].bytes, 1, bad[i].size, file), bad[i].size);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(pgb_elf_image_open(&image, path, &error), bad[i].code);
		assert_null(image);
		if (strstr(error.message, bad[i].message) == NULL)
			fail_msg("row %zu: %s", i, error.message);
	}
	unlink(path);
}

static void test_missing(void **state)
{
	struct pgb_error error = {0};
	struct pgb_elf_image *image;

	(void)state;
	assert_int_equal(pgb_elf_image_open(&image, "/nonexistent/program", &error),
			 PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "/nonexistent/program"));
	pgb_elf_image_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),	  cmocka_unit_test(test_local_name),
		cmocka_unit_test(test_ascending), cmocka_unit_test(test_sections),
		cmocka_unit_test(test_bad),	  cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
