/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/code.h"
#include "pgobolt/collector/spe_packet.h"
#include "tests/support/corpus.h"

enum { BYTES_MAX = 256 };

/* "b0 e0 43", with or without ';' between; the number of bytes. */
static size_t read_hex(const char *text, uint8_t *bytes)
{
	size_t count = 0;

	for (char *end; count < BYTES_MAX; text = end) {
		text += strspn(text, " ;");
		bytes[count] = (uint8_t)strtoul(text, &end, 16);
		if (end == text)
			break;
		count++;
	}
	return count;
}

/* All packets as one text; what is none is "?", a cut one "..". */
static char *describe(const uint8_t *bytes, size_t size_bytes, uint64_t offset)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	struct pgb_spe_packet packet;
	struct pgb_text text = {0};
	int code;

	cursor.offset = offset;
	while ((code = pgb_spe_packet_next(&cursor, &packet)) != 0) {
		if (text.length)
			pgb_text_add(&text, "; ");
		if (code < 0)
			pgb_text_add(&text, code == PGB_E_TRUNCATED ? ".." : "?");
		else
			pgb_spe_packet_describe(&packet, &text);
	}
	return pgb_text_detach(&text);
}

static const struct packet_row {
	int line;
	const char *bytes;
	uint64_t offset;
	const char *text;
} packet_rows[] = {
	{__LINE__, "", 0, ""},
	{__LINE__, "00 00 00", 0, "PAD"},
	{__LINE__, "01", 0, "END"},
	{__LINE__, "71 01 00 00 00 00 00 00 80", 0, "TS 9223372036854775809"},
	{__LINE__, "42 02", 0, "EV RETIRED"},
	{__LINE__, "52 c2 00", 0, "EV RETIRED NOT-TAKEN MISPRED"},
	{__LINE__, "62 01 00 06 80", 0,
	 "EV EXCEPTION-GEN SVE-PARTIAL-PRED SVE-EMPTY-PRED 0x80000000"},
	{__LINE__, "72 00 00 00 00 00 00 00 01", 0, "EV 0x100000000000000"},
	{__LINE__, "43 07", 0, "DATA-SOURCE 7"},
	{__LINE__, "53 0e 01", 0, "DATA-SOURCE 270"},
	{__LINE__, "64 d2 04 00 00; 65 0e 00 00 00", 0, "CONTEXT 0x4d2 el1; CONTEXT 0xe el2"},
	{__LINE__, "48 00; 49 00; 49 01; 4a 00; 4a 01; 4a 02; 4b 05", 0,
	 "OTHER; LD GP-REG; ST GP-REG; B; B COND; B IND; OP class 3 0x5"},
	{__LINE__, "4a 08; 4a 0a; 4a 12; 4a 18", 0, "B CALL; B IND CALL; B IND RET; B OTHER"},
	{__LINE__, "98 28 00; 99 27 00; 9a 01 00; 9b 02 00", 0,
	 "LAT 40 TOT; LAT 39 ISSUE; LAT 1 XLAT; LAT 2 counter 3"},
	{__LINE__, "b0 00 b6 a9 e4 aa aa 00 80", 0, "PC 0xaaaae4a9b600 el0 ns=1"},
	{__LINE__, "b4 00 b6 a9 e4 aa aa 00 20", 0, "PBT 0xaaaae4a9b600 el1 ns=0"},
	/* extended headers: index 8 + 0, and a counter */
	{__LINE__, "21 b0 01 00 00 00 00 00 00 80", 0, "ADDR 8 0x8000000000000001"},
	{__LINE__, "20 98 05 00", 0, "LAT 5 TOT"},
	{__LINE__, "23 9f 05 00", 0, "LAT 5 counter 31"},
	/* an extended header of a kind that has none */
	{__LINE__, "20 42 02", 0, "?; EV RETIRED"},
	/* alignment to 16, by the place in the area */
	{__LINE__, "23 00 ff ff ff ff ff ff; 01", 8, "PAD; END"},
	{__LINE__, "22 00 ff ff ff ff ff ff; 01", 0, "PAD; END"},
	{__LINE__, "20 00; 01", 0, "PAD; END"},
	/* it has two bytes, and the next multiple is one away */
	{__LINE__, "20 00; 01", 1, "PAD; END"},
	{__LINE__, "23 00 ff", 0, "PAD"}, /* the area ends before */
	/* not packets */
	{__LINE__, "ff; 01", 0, "?; END"},
	{__LINE__, "02 03 01", 0, "?; ?; END"},
	/* cut */
	{__LINE__, "71 01 02", 0, ".."},
	{__LINE__, "b0", 0, ".."},
	{__LINE__, "20", 0, ".."},
	{__LINE__, "01 4a", 0, "END; .."},
};

static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packet_rows) / sizeof(packet_rows[0]); i++) {
		const struct packet_row *row = &packet_rows[i];
		uint8_t bytes[BYTES_MAX];
		char *text = describe(bytes, read_hex(row->bytes, bytes), row->offset);

		if (strcmp(text, row->text) != 0)
			fail_msg("line %d: '%s'", row->line, text);
		free(text);
	}
}

#define PC     "b0 00 10 00 00 00 00 00 80;"
#define TARGET "b1 00 20 00 00 00 00 00 80;"
#define PBT    "b4 00 08 00 00 00 00 00 80;"

static const struct record_row {
	int line;
	const char *bytes;
	const char *records; /* "PARTS" of each, in hexadecimal */
	uint64_t bad_bytes, bad_records;
} record_rows[] = {
	{__LINE__, "", "", 0, 0},
	{__LINE__, "00 00", "", 0, 0},
	{__LINE__, PC "4a 01; 52 02 00;" TARGET "01", " 1b", 0, 0},
	/* any order, padding anywhere */
	{__LINE__, TARGET "00 00; 52 02 00;" PC "00; 4a 01; 01 00 00", " 1b", 0, 0},
	{__LINE__, PBT "64 05 00 00 00; 71 01 00 00 00 00 00 00 00", " 64", 0, 0},
	{__LINE__, PC "01; 00 00;" TARGET "01", " 1 2", 0, 0},
	/* an empty record is one: its packets were of kinds we do not need */
	{__LINE__, "98 01 00; 01", " 0", 0, 0},
	/* what is no packet costs its record, and no other */
	{__LINE__, PC "01;" PC "ff ff 01;" TARGET "01", " 1 2", 2, 1},
	{__LINE__, "ff 01;" PC "01", " 1", 1, 1},
	{__LINE__, "ff", "", 1, 1},
	/* no end */
	{__LINE__, PC "01;" PC, " 1", 0, 1},
	{__LINE__, PC "01; b0 00", " 1", 0, 1},
	{__LINE__, PC "01; 71", " 1", 0, 1},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(record_rows) / sizeof(record_rows[0]); i++) {
		const struct record_row *row = &record_rows[i];
		uint8_t bytes[BYTES_MAX];
		struct pgb_cursor cursor = pgb_cursor_of(bytes, read_hex(row->bytes, bytes));
		struct pgb_spe_damage damage = {0};
		struct pgb_spe_record record;
		struct pgb_text text = {0};

		while (pgb_spe_record_next(&cursor, &record, &damage) > 0)
			pgb_text_addf(&text, " %x", record.parts);
		if (strcmp(pgb_text_string(&text), row->records) != 0 ||
		    damage.bytes != row->bad_bytes || damage.records != row->bad_records)
			fail_msg("line %d: '%s', %d bytes, %d records", row->line,
				 pgb_text_string(&text), (int)damage.bytes, (int)damage.records);
		pgb_text_release(&text);
	}
}

static void test_fields(void **state)
{
	static const char packets[] =
		PC "66 ff ff ff ff; 65 39 30 00 00; 4a 11; 62 82 00 00 00;" TARGET PBT
		   "b2 ff ff ff ff ff ff ff ff; 71 0f 0e 00 00 00 00 00 00";
	uint8_t bytes[BYTES_MAX];
	struct pgb_cursor cursor = pgb_cursor_of(bytes, read_hex(packets, bytes));
	struct pgb_spe_damage damage = {0};
	struct pgb_spe_record record;

	(void)state;
	assert_int_equal(pgb_spe_record_next(&cursor, &record, &damage), 1);
	assert_int_equal(pgb_spe_plain_address(record.pc), 0x1000);
	assert_int_equal(pgb_spe_level(record.pc), 0);
	assert_int_equal(pgb_spe_plain_address(record.target), 0x2000);
	assert_int_equal(pgb_spe_plain_address(record.previous_target), 0x800);
	assert_int_equal(record.context, 0x3039);
	assert_int_equal(record.operation_class, PGB_SPE_BRANCH);
	assert_int_equal(record.operation, 0x11);
	assert_int_equal(record.events, 0x82);
	assert_int_equal(record.time, 0xe0f);
	assert_int_equal(pgb_spe_record_next(&cursor, &record, &damage), 0);
	assert_int_equal(damage.bytes + damage.records, 0);
}

/* Cut anywhere, a record is lost and nothing else happens. */
static void test_every_cut(void **state)
{
	uint8_t bytes[BYTES_MAX];
	size_t size = read_hex(PC "20 00; 64 01 00 00 00; 4a 01; 52 42 00;" TARGET PBT
				  "71 01 02 03 04 05 06 07 08",
			       bytes);

	(void)state;
	for (size_t length = 1; length < size; length++) {
		struct pgb_cursor cursor = pgb_cursor_of(bytes, length);
		struct pgb_spe_damage damage = {0};
		struct pgb_spe_record record;

		assert_int_equal(pgb_spe_record_next(&cursor, &record, &damage), 0);
		assert_int_equal(damage.records, 1);
		assert_int_equal(damage.bytes, 0);
	}
}

/* ---- from real hardware */

/* The bytes and the decode of a line of the corpus: "SOURCE OFFSET | BYTES | PACKETS". */
static bool split_frame(char *line, uint64_t *offset, char **bytes, char **packets)
{
	char *first = strchr(line, '|'), *second = first ? strchr(first + 1, '|') : NULL;

	if (line[0] == '#' || second == NULL)
		return false;
	*second = '\0';
	*bytes = first + 1;
	*packets = second + 2;
	(*packets)[strcspn(*packets, "\n")] = '\0';
	*offset = line[2] == '-' ? 0 : strtoul(line + 2, NULL, 16);
	return true;
}

static void test_published_frames(void **state)
{
	char *path = corpus_path("arm/spe-branch-frames.hex");
	FILE *file = path ? fopen(path, "r") : NULL;
	char line[1024], *hex, *packets;
	unsigned int frames = 0, rows = 0;
	uint64_t offset;

	(void)state;
	free(path);
	if (file == NULL) {
		print_message("the corpus is not here\n");
		skip();
	}
	while (fgets(line, sizeof(line), file)) {
		uint8_t bytes[BYTES_MAX];
		char *text;

		rows += line[0] >= 'A' && line[0] <= 'Z';
		if (!split_frame(line, &offset, &hex, &packets))
			continue;
		text = describe(bytes, read_hex(hex, bytes), offset);
		/* "LD" alone is what the oldest perf printed */
		if (line[0] == 'D')
			assert_non_null(strstr(text, "LD GP-REG"));
		else
			assert_string_equal(text, packets);
		free(text);
		frames++;
	}
	fclose(file);
	assert_true(frames > 0);
	assert_int_equal(frames, rows);
}

/* The field of a CSV's only row, by the name in its head. */
static char *csv_field(const char *head, const char *row, const char *name)
{
	char *quoted = pgb_format("\"%s\"", name);
	const char *at = strstr(head, quoted);

	free(quoted);
	assert_non_null(at);
	for (const char *c = head; c < at; c++)
		if (*c == ',')
			row = strchr(row, ',') + 1;
	return pgb_format("%.*s", (int)strcspn(row, ",\n"), row);
}

static void check_field(const char *head, const char *row, const char *name, const char *expected)
{
	char *value = csv_field(head, row, name);

	assert_string_equal(value, expected);
	free(value);
}

static void check_number(const char *head, const char *row, const char *name, uint64_t expected)
{
	char *value = csv_field(head, row, name);

	assert_int_equal(strtoull(value, NULL, 0), expected);
	free(value);
}

static void check_buffer(const char *name)
{
	char *data_name = pgb_format("arm/%s.data", name),
	     *csv_name = pgb_format("arm/%s.csv", name);
	char *data = corpus_path(data_name), *csv = corpus_path(csv_name);
	FILE *file = fopen(data, "rb"), *table = fopen(csv, "r");
	uint8_t bytes[64];
	struct pgb_cursor cursor;
	struct pgb_spe_damage damage = {0};
	struct pgb_spe_record record;
	char head[256], row[256];

	assert_int_equal(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
	assert_non_null(fgets(head, sizeof(head), table));
	assert_non_null(fgets(row, sizeof(row), table));
	fclose(file);
	fclose(table);
	cursor = pgb_cursor_of(bytes, sizeof(bytes));
	assert_int_equal(pgb_spe_record_next(&cursor, &record, &damage), 1);
	check_number(head, row, "pc", pgb_spe_plain_address(record.pc));
	check_number(head, row, "el", pgb_spe_level(record.pc));
	check_number(head, row, "br_tgt", pgb_spe_plain_address(record.target));
	check_number(head, row, "br_tgt_lvl", pgb_spe_level(record.target));
	check_number(head, row, "ts", record.time);
	check_field(head, row, "op", record.operation_class == PGB_SPE_BRANCH ? "B" : "?");
	check_field(head, row, "condition",
		    record.operation & PGB_SPE_BRANCH_CONDITIONAL ? "true" : "false");
	check_field(head, row, "indirect",
		    record.operation & PGB_SPE_BRANCH_INDIRECT ? "true" : "false");
	check_field(head, row, "event", record.events == PGB_SPE_EVENT_RETIRED ? "RETIRED" : "?");
	check_field(head, row, "pbt", record.parts & PGB_SPE_HAS_PREVIOUS_TARGET ? "?" : "");
	assert_int_equal(pgb_spe_record_next(&cursor, &record, &damage), 0);
	assert_int_equal(damage.bytes + damage.records, 0);
	free(data_name);
	free(csv_name);
	free(data);
	free(csv);
}

static void test_raw_buffers(void **state)
{
	char *path = corpus_path("arm/spe-b1-ts0.data");

	(void)state;
	if (path == NULL) {
		print_message("the corpus is not here\n");
		skip();
	}
	free(path);
	check_buffer("spe-b1-ts0");
	check_buffer("spe-b1-ts1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),		 cmocka_unit_test(test_records),
		cmocka_unit_test(test_fields),		 cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_published_frames), cmocka_unit_test(test_raw_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
