/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/code.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/ibs_sample.h"
#include "tests/support/corpus.h"
#include "tests/support/perf_encode.h"

enum { ZEN_2 = 0x3ff, ZEN_4 = 0xfff, ZEN_5 = 0x81bff };

/* Registers count up from `first`. */
static void encode(struct perf_bytes *raw, uint32_t capabilities, size_t registers)
{
	perf_put_u32(raw, capabilities);
	for (size_t i = 0; i < registers; i++)
		perf_put_u64(raw, 0x100 + i);
}

static const struct layout_row {
	int line;
	uint32_t capabilities;
	size_t registers;
	int code;
	uint64_t target, data_4;
} layout_rows[] = {
	{__LINE__, 0x1f, 7, 0, 0, 0},			       /* the first ones */
	{__LINE__, ZEN_2, 8, 0, 0x107, 0},		       /* a branch target */
	{__LINE__, 0x1f | PGB_IBS_CAP_DATA_4, 8, 0, 0, 0x107}, /* as long, another meaning */
	{__LINE__, ZEN_4, 9, 0, 0x107, 0x108},
	{__LINE__, ZEN_5, 9, 0, 0x107, 0}, /* without OpData4; a register that is not known */
	{__LINE__, ZEN_4, 12, 0, 0x107, 0x108},
	{__LINE__, ZEN_4, 8, PGB_E_CORRUPT, 0, 0}, /* shorter than promised */
	{__LINE__, 0x1f, 6, PGB_E_CORRUPT, 0, 0},
	{__LINE__, 0, 7, PGB_E_CORRUPT, 0, 0}, /* no kernel with IBS says that there is none */
	{__LINE__, UINT32_MAX, 7, PGB_E_CORRUPT, 0, 0},
};

static void test_layouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(layout_rows) / sizeof(layout_rows[0]); i++) {
		const struct layout_row *row = &layout_rows[i];
		struct perf_bytes raw = {0};
		struct pgb_ibs_sample sample;
		int code;

		encode(&raw, row->capabilities, row->registers);
		code = pgb_ibs_sample_read(pgb_cursor_of(raw.data, raw.length), &sample);
		if (code != row->code ||
		    (code == 0 && (sample.branch_target != row->target ||
				   sample.data_4 != row->data_4 || sample.rip != 0x101 ||
				   sample.data != 0x102 || sample.physical_address != 0x106)))
			fail_msg("line %d: code %d, target %llx, data 4 %llx", row->line, code,
				 (unsigned long long)sample.branch_target,
				 (unsigned long long)sample.data_4);
		perf_bytes_release(&raw);
	}
}

static void test_every_length_short_of_the_layout(void **state)
{
	struct perf_bytes raw = {0};
	struct pgb_ibs_sample sample;

	(void)state;
	encode(&raw, ZEN_4, 9);
	for (size_t length = 0; length < raw.length; length++)
		assert_int_equal(pgb_ibs_sample_read(pgb_cursor_of(raw.data, length), &sample),
				 PGB_E_CORRUPT);
	perf_bytes_release(&raw);
}

/* What people published from real machines, register by register. */
static const struct {
	const char *words; /* a piece of the line in the dump: "(MaxCnt 128, ..)" without commas */
	struct pgb_ibs_sample sample;
} dumps[] = {
	{"ibs_op_ctl (MaxCnt 128) 0000004500070008 L3MissOnly 1 En 1 Val 1 CntCtl 0 CurCnt 69\n",
	 {.control = 0x0000004500070008}},
	{"ibs_op_data 0000000000710002 CompToRet 2 TagToRet 113 OpReturn 0 BrnTaken 0 BrnMisp 0 "
	 "BrnRet 0 RipInvalid 0 BrnFuse 0 Microcode 0\n",
	 {.data = 0x0000000000710002}},
	{"ibs_op_data3 000000681d1700a1 LdOp 1 StOp 0 DcMiss 1 L2Miss 1 DcMissLat 104\n",
	 {.data_3 = 0x000000681d1700a1}},
	{"ibs_op_ctl (MaxCnt 100000) 000002c30006186a L3MissOnly 0 En 1 Val 1 CntCtl 0 CurCnt "
	 "707\n",
	 {.control = 0x000002c30006186a}},
	{"ibs_op_data 0000010002550001 CompToRet 1 TagToRet 597 OpReturn 0 BrnTaken 0 BrnMisp 0 "
	 "BrnRet 0 RipInvalid 0 BrnFuse 0 Microcode 1\n",
	 {.data = 0x0000010002550001}},
	{"IbsOpRip ffffffffa208e00e\n", {.rip = 0xffffffffa208e00e}},
	{"IbsBrTarget ffffffffa208e00e\n", {.branch_target = 0xffffffffa208e00e}},
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		struct pgb_ibs_sample sample = dumps[i].sample;
		struct pgb_text text = {0};

		sample.capabilities = ZEN_4;
		pgb_ibs_sample_describe(&sample, &text);
		if (strstr(text.data, dumps[i].words) == NULL)
			fail_msg("'%s' is not in\n%s", dumps[i].words, text.data);
		pgb_text_release(&text);
	}
}

/* "NAME VALUE (FIELD NUMBER, FIELD NUMBER = words)": each has to be in our words, too. */
static void check_dump_line(char *line)
{
	char name[32], field[32], value[32];
	struct pgb_ibs_sample sample = {.capabilities = ZEN_4};
	struct pgb_text text = {0};
	unsigned long long number;
	char *fields = strchr(line, '(');

	assert_int_equal(sscanf(line, "%*s %31s %31s", name, value), 2);
	number = strtoull(value, NULL, 16);
	if (strcmp(name, "ibs_op_ctl") == 0)
		sample.control = number;
	else if (strcmp(name, "ibs_op_data") == 0 || strcmp(name, "IbsOpData") == 0)
		sample.data = number;
	else if (strcmp(name, "ibs_op_data3") == 0 || strcmp(name, "IbsOpData3") == 0)
		sample.data_3 = number;
	else
		return; /* of IBS fetch, or a plain number */
	pgb_ibs_sample_describe(&sample, &text);
	for (fields = fields ? fields + 1 : NULL; fields && *fields;
	     fields = strchr(fields, ',') ? strchr(fields, ',') + 1 : NULL) {
		char *wanted;

		assert_int_equal(sscanf(fields, " %31s %llu", field, &number), 2);
		wanted = pgb_format("%s %llu", field, number);
		if (strstr(text.data, wanted) == NULL)
			fail_msg("%s: '%s' is not in\n%s", name, wanted, text.data);
		free(wanted);
	}
	pgb_text_release(&text);
}

static void test_published_dumps(void **state)
{
	char *path = corpus_path("amd/ibs-register-dumps.txt");
	FILE *file = path ? fopen(path, "r") : NULL;
	char line[512];
	unsigned int lines = 0;

	(void)state;
	free(path);
	if (file == NULL) {
		print_message("the corpus is not here\n");
		skip();
	}
	while (fgets(line, sizeof(line), file)) {
		if (line[0] != 'I')
			continue;
		check_dump_line(line);
		lines++;
	}
	fclose(file);
	assert_true(lines > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_every_length_short_of_the_layout),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_published_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
