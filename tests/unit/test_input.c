/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/input.h"

static void test_kinds(void **state)
{
	static const struct {
		const char *head;
		enum pgb_input_kind kind;
		int line;
	} rows[] = {
		{"", PGB_INPUT_EMPTY, __LINE__},
		{"\177ELF\2\1\1", PGB_INPUT_ELF, __LINE__},
		{"\177EL", PGB_INPUT_UNKNOWN, __LINE__},
		{"PERFILE2xxxx", PGB_INPUT_PERF_DATA, __LINE__},
		{"2ELIFREPxxxx", PGB_INPUT_PERF_DATA, __LINE__},
		{"pgobolt-edges 1\n", PGB_INPUT_EDGES, __LINE__},
		{"no_lbr cpu-clock:\n1 main 2a 7\n", PGB_INPUT_FDATA, __LINE__},
		{"boltedcollection\n", PGB_INPUT_FDATA, __LINE__},
		{"1 main 2a 1 main 30 0 17\n", PGB_INPUT_FDATA, __LINE__},
		{"0 [unknown] 0 1 main 0 0 1\n", PGB_INPUT_FDATA, __LINE__},
		{"5 main 0 3 [heap] 1 1\n", PGB_INPUT_FDATA, __LINE__},
		{"6 main 0 1\n", PGB_INPUT_UNKNOWN, __LINE__},
		{"12 main", PGB_INPUT_UNKNOWN, __LINE__},
		{"B 401136 401120 17 2\n", PGB_INPUT_PREAGG, __LINE__},
		{"  T 4f 5 6 7\n", PGB_INPUT_PREAGG, __LINE__},
		{"E cycles:u\n", PGB_INPUT_PREAGG, __LINE__},
		{"r a b 1\n", PGB_INPUT_PREAGG, __LINE__},
		{"B zzz", PGB_INPUT_UNKNOWN, __LINE__},
		{"Bash", PGB_INPUT_UNKNOWN, __LINE__},
		{"B   ", PGB_INPUT_UNKNOWN, __LINE__},
		{"    ", PGB_INPUT_UNKNOWN, __LINE__},
		{"---\nheader:\n", PGB_INPUT_YAML, __LINE__},
		{"{\n \"binaries\"", PGB_INPUT_RECORDING_JSON, __LINE__},
		{"\201rforpl\377", PGB_INPUT_LLVM_RAW, __LINE__},
		{"\377lprofi\201", PGB_INPUT_LLVM_INDEXED, __LINE__},
		{"adcg*22B", PGB_INPUT_GCDA, __LINE__},
		{"main:391551:13\n 0: 7\n", PGB_INPUT_SAMPLES, __LINE__},
		{"_ZN1a1bEv:5:0\n", PGB_INPUT_SAMPLES, __LINE__},
		{"main:391551\n", PGB_INPUT_UNKNOWN, __LINE__},
		{"a: b:1:2x\n", PGB_INPUT_UNKNOWN, __LINE__},
		{":1:2\n", PGB_INPUT_UNKNOWN, __LINE__},
		{"12:34:56", PGB_INPUT_UNKNOWN, __LINE__},
		{"\204\344\320\261\364\311\224\250\123", PGB_INPUT_SAMPLES, __LINE__},
		{"#!/bin/sh\n", PGB_INPUT_UNKNOWN, __LINE__},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum pgb_input_kind kind =
			pgb_input_kind_of(pgb_cursor_of(rows[i].head, strlen(rows[i].head)));

		if (kind != rows[i].kind)
			fail_msg("line %d: %s", rows[i].line, pgb_input_kind_name(kind));
	}
}

static void test_every_kind_has_a_name(void **state)
{
	(void)state;
	for (int kind = 0; kind < PGB_INPUT_KINDS; kind++)
		assert_non_null(pgb_input_kind_name((enum pgb_input_kind)kind));
}

static void test_refusals(void **state)
{
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_input_refuse("x", PGB_INPUT_ELF, "an fdata profile", &error),
			 PGB_E_MISMATCH);
	assert_string_equal(error.message, "x is not an fdata profile but an ELF file");
	pgb_error_clear(&error);
	assert_int_equal(pgb_input_refuse("x", PGB_INPUT_LLVM_RAW, "an fdata profile", &error),
			 PGB_E_MISMATCH);
	assert_string_equal(error.message, "x is not an fdata profile but a raw LLVM profile");
	assert_non_null(strstr(error.remedy, "llvm-profdata"));
	pgb_error_clear(&error);
	assert_int_equal(pgb_input_refuse("x", PGB_INPUT_EMPTY, "a profile", &error), PGB_E_EMPTY);
	assert_string_equal(error.message, "x is empty");
	pgb_error_clear(&error);
	assert_int_equal(pgb_input_refuse("x", PGB_INPUT_UNKNOWN, "a profile", &error),
			 PGB_E_CORRUPT);
	assert_string_equal(error.message, "x is not a profile");
	pgb_error_clear(&error);
	pgb_input_refuse("x", PGB_INPUT_RECORDING, "a profile", &error);
	assert_string_equal(error.remedy, "");
}

static void test_identify(void **state)
{
	char folder[] = "/tmp/pgobolt-input-XXXXXX";
	enum pgb_input_kind kind;
	struct pgb_error error = {0};
	FILE *file;
	char *path;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(pgb_input_identify(folder, &kind, &error), PGB_E_NOT_FOUND);
	pgb_error_clear(&error);
	path = pgb_format("%s/recording.json", folder);
	assert_int_equal(pgb_input_identify(path, &kind, &error), PGB_E_NOT_FOUND);
	pgb_error_clear(&error);
	file = fopen(path, "w");
	fputs("{\n}\n", file);
	fclose(file);
	assert_int_equal(pgb_input_identify(path, &kind, &error), 0);
	assert_int_equal(kind, PGB_INPUT_RECORDING_JSON);
	assert_int_equal(pgb_input_identify(folder, &kind, &error), 0);
	assert_int_equal(kind, PGB_INPUT_RECORDING);
	assert_int_equal(pgb_input_identify("/dev/null", &kind, &error), PGB_E_IO);
	unlink(path);
	rmdir(folder);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_every_kind_has_a_name),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_identify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
