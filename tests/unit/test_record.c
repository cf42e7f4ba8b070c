/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/record.h"
#include "tests/support/perf_encode.h"

#define ALL_SAMPLE_BITS ((UINT64_C(1) << 25) - 1)
#define EVERY_BRANCH	((1u << 17) | (1u << 19))

static const uint64_t words[] = {0xa1, 0xa2, 0xa3, 0xa4, 0xa5};
static const struct perf_read_value values[] = {{11, 12, 13}, {21, 22, 23}, {31, 32, 33}};
static const struct perf_entry entries[] = {
	{0x401000, 0x402000, 1},
	{0x403000, 0x404000, 2 | UINT64_C(3) << 4 | UINT64_C(1) << 24},
	{0xffffffff81000000, 0, 0},
};
static const struct perf_sample full = {
	.who = {.pid = 100, .tid = 101, .cpu = 7, .time_ns = 123456789, .id = 42, .stream_id = 43},
	.misc = PERF_RECORD_MISC_USER,
	.ip = 0x401234,
	.address = 0x7fff0000,
	.period_events = 1000003,
	.values = values,
	.value_count = 3,
	.callchain = words,
	.callchain_count = 5,
	.raw = "0123456789a",
	.raw_bytes = 12,
	.entries = entries,
	.entry_count = 3,
	.hw_index = 5,
	.counters = words,
	.user_abi = PERF_SAMPLE_REGS_ABI_64,
	.interrupt_abi = PERF_SAMPLE_REGS_ABI_32,
	.user_registers = words,
	.interrupt_registers = words,
	.user_stack = words,
	.user_stack_bytes = 24,
	.weight = 99,
	.aux = words,
	.aux_bytes = 16,
};

static struct perf_event_attr attr_of(uint64_t sample_type)
{
	return (struct perf_event_attr){
		.sample_type = sample_type,
		.branch_sample_type = EVERY_BRANCH,
		.sample_regs_user = 0x8000000000000003,
		.sample_regs_intr = 0x1,
		.sample_id_all = 1,
		.mmap2 = 1,
	};
}

static struct pgb_record_format format_of(const struct perf_event_attr *attr, bool big_endian)
{
	struct pgb_record_format format = pgb_record_format_of(attr);

	format.big_endian = big_endian;
	return format;
}

/* Parses the one record in `bytes`, from a copy of exactly its size. */
static int parse_exact(const struct perf_bytes *bytes, size_t length,
		       const struct pgb_record_format *format, struct pgb_record *record)
{
	static uint8_t *copy;
	struct pgb_cursor cursor;
	int code;

	free(copy);
	copy = malloc(length ? length : 1);
	assert_non_null(copy);
	memcpy(copy, bytes->data, length);
	cursor = pgb_cursor_of(copy, length);
	code = pgb_record_parse(&cursor, format, record);
	if (code == PGB_E_TRUNCATED)
		assert_int_equal(cursor.offset, 0);
	else
		assert_int_equal(pgb_cursor_left(&cursor), 0);
	return code;
}

static void check_stack(const struct pgb_record *record, bool wanted)
{
	struct pgb_cursor cursor = record->stack.entries;

	assert_int_equal(record->stack.count, wanted ? 3 : 0);
	assert_true(record->stack.hw_index == (wanted ? 5 : UINT64_MAX));
	for (size_t i = 0; i < record->stack.count; i++) {
		struct pgb_record_entry entry = pgb_record_entry(&cursor);

		assert_true(entry.from == entries[i].from);
		assert_true(entry.to == entries[i].to);
		assert_true(entry.bits == entries[i].bits);
	}
	assert_int_equal(pgb_cursor_left(&cursor), 0);
	assert_false(cursor.truncated);
}

static void check_sample(const struct pgb_record *record, uint64_t type)
{
#define HAS(bit, value) ((type & PERF_SAMPLE_##bit) ? (value) : 0)
	uint64_t id = type & (PERF_SAMPLE_ID | PERF_SAMPLE_IDENTIFIER) ? 42 : 0;

	assert_int_equal(record->type, PERF_RECORD_SAMPLE);
	assert_int_equal(record->misc, PERF_RECORD_MISC_USER);
	assert_int_equal(record->id, id);
	assert_int_equal(record->ip, HAS(IP, 0x401234));
	assert_int_equal(record->pid, HAS(TID, 100));
	assert_int_equal(record->tid, HAS(TID, 101));
	assert_int_equal(record->time_ns, HAS(TIME, 123456789));
	assert_int_equal(record->has_time, HAS(TIME, 1));
	assert_int_equal(record->address, HAS(ADDR, 0x7fff0000));
	assert_int_equal(record->stream_id, HAS(STREAM_ID, 43));
	assert_int_equal(record->cpu, HAS(CPU, 7));
	assert_int_equal(record->period_events, HAS(PERIOD, 1000003));
	assert_int_equal(record->weight, type & PERF_SAMPLE_WEIGHT_TYPE ? 99 : 0);
	assert_int_equal(pgb_cursor_left(&record->raw), HAS(RAW, 12));
	if (type & PERF_SAMPLE_RAW)
		assert_memory_equal(record->raw.at, "0123456789a", 12);
	assert_int_equal(pgb_cursor_left(&record->aux_bytes), HAS(AUX, 16));
	check_stack(record, type & PERF_SAMPLE_BRANCH_STACK);
#undef HAS
}

/*
 * Parse it back, and cut it at every byte: as a cut stream, and as a record that claims the
 * shorter size. The latter fails at each cut, so every byte is accounted for.
 */
static void round_trip(const struct perf_event_attr *attr, const struct perf_sample *sample,
		       bool big_endian)
{
	struct pgb_record_format format = format_of(attr, big_endian);
	struct perf_bytes bytes = {.big_endian = big_endian};
	struct pgb_record record;
	size_t length;

	perf_encode_sample(&bytes, attr, sample);
	length = bytes.length;
	assert_int_equal(parse_exact(&bytes, length, &format, &record), 1);
	assert_int_equal(record.size_bytes, length);
	check_sample(&record, attr->sample_type);
	for (size_t cut = 1; cut < length; cut++)
		assert_int_equal(parse_exact(&bytes, cut, &format, &record), PGB_E_TRUNCATED);
	for (size_t cut = 8; cut < length; cut++) {
		bytes.length = cut;
		perf_record_end(&bytes, 0);
		assert_int_equal(parse_exact(&bytes, cut, &format, &record), PGB_E_CORRUPT);
	}
	perf_bytes_release(&bytes);
}

static void each_sample_bit_alone_and_all_together(void **state)
{
	(void)state;
	for (int big_endian = 0; big_endian < 2; big_endian++) {
		struct perf_event_attr attr = attr_of(ALL_SAMPLE_BITS);

		round_trip(&attr, &full, big_endian);
		for (unsigned int bit = 0; bit < 25; bit++) {
			attr = attr_of(UINT64_C(1) << bit);
			round_trip(&attr, &full, big_endian);
			attr = attr_of(ALL_SAMPLE_BITS & ~(UINT64_C(1) << bit));
			round_trip(&attr, &full, big_endian);
		}
		attr = attr_of(0);
		round_trip(&attr, &full, big_endian);
	}
}

static void each_read_format(void **state)
{
	struct perf_event_attr attr =
		attr_of(PERF_SAMPLE_READ | PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_WEIGHT);

	(void)state;
	for (uint64_t format = 0; format < 32; format++) {
		attr.read_format = format;
		round_trip(&attr, &full, false);
	}
}

static void branch_stack_shapes(void **state)
{
	static const uint32_t shapes[] = {0, 1u << 17, 1u << 19, EVERY_BRANCH};
	struct perf_event_attr attr = attr_of(PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_WEIGHT);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct pgb_record_format format;
		struct perf_bytes bytes = {0};
		struct pgb_record record;

		attr.branch_sample_type = shapes[i];
		format = format_of(&attr, false);
		perf_encode_sample(&bytes, &attr, &full);
		assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record), 1);
		assert_int_equal(record.stack.count, 3);
		assert_int_equal(record.weight, 99);
		assert_true(record.stack.hw_index == (shapes[i] & (1u << 17) ? 5 : UINT64_MAX));
		perf_bytes_release(&bytes);
	}
}

/* No registers, no user stack, no entries: each is one word and nothing behind it. */
static void empty_parts(void **state)
{
	static const struct perf_sample empty = {.who = {.id = 1}, .weight = 99};
	struct perf_event_attr attr = attr_of(ALL_SAMPLE_BITS);
	struct pgb_record_format format = format_of(&attr, false);
	struct perf_bytes bytes = {0};
	struct pgb_record record;

	(void)state;
	perf_encode_sample(&bytes, &attr, &empty);
	assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record), 1);
	assert_int_equal(record.weight, 99);
	assert_int_equal(record.stack.count, 0);
	assert_int_equal(pgb_cursor_left(&record.stack.entries), 0);
	perf_bytes_release(&bytes);
}

/* A count that does not fit, at the one place of each variable part. */
static void counts_that_cannot_be(void **state)
{
	static const struct {
		uint64_t sample_type;
		uint64_t read_format;
		uint64_t count;
	} rows[] = {
		{PERF_SAMPLE_CALLCHAIN, 0, 6},
		{PERF_SAMPLE_CALLCHAIN, 0, UINT64_C(1) << 61},
		{PERF_SAMPLE_CALLCHAIN, 0, UINT64_MAX},
		{PERF_SAMPLE_BRANCH_STACK, 0, 2},
		{PERF_SAMPLE_BRANCH_STACK, 0, UINT64_MAX / 24 + 1},
		{PERF_SAMPLE_BRANCH_STACK, 0, UINT64_MAX},
		{PERF_SAMPLE_RAW, 0, 45},
		{PERF_SAMPLE_RAW, 0, UINT32_MAX},
		{PERF_SAMPLE_STACK_USER, 0, 33},
		{PERF_SAMPLE_STACK_USER, 0, UINT64_MAX - 7},
		{PERF_SAMPLE_AUX, 0, 41},
		{PERF_SAMPLE_AUX, 0, UINT64_MAX},
		{PERF_SAMPLE_READ, PERF_FORMAT_GROUP, 6},
		{PERF_SAMPLE_READ, PERF_FORMAT_GROUP | PERF_FORMAT_ID, UINT64_C(1) << 60},
		{PERF_SAMPLE_READ, PERF_FORMAT_GROUP | PERF_FORMAT_LOST, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct perf_event_attr attr = attr_of(rows[i].sample_type);
		struct pgb_record_format format;
		struct perf_bytes bytes = {0};
		struct pgb_record record;
		size_t start;

		attr.read_format = rows[i].read_format;
		attr.branch_sample_type = 0;
		format = format_of(&attr, false);
		start = perf_record_begin(&bytes, PERF_RECORD_SAMPLE, 0);
		perf_put_uint(&bytes, rows[i].count,
			      rows[i].sample_type == PERF_SAMPLE_RAW ? 4 : 8);
		perf_put(&bytes, NULL, 40);
		perf_record_end(&bytes, start);
		assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record),
				 PGB_E_CORRUPT);
		perf_bytes_release(&bytes);
	}
}

static void a_stack_over_the_limit_is_corrupt(void **state)
{
	struct perf_event_attr attr = attr_of(PERF_SAMPLE_BRANCH_STACK);
	struct pgb_record_format format;
	struct pgb_record record;

	(void)state;
	attr.branch_sample_type = 0;
	format = format_of(&attr, false);
	for (size_t over = 0; over < 2; over++) {
		struct perf_bytes bytes = {0};
		size_t start = perf_record_begin(&bytes, PERF_RECORD_SAMPLE, 0);

		perf_put_u64(&bytes, PGB_LIMIT_STACK_ENTRIES + over);
		perf_put(&bytes, NULL, 24 * (PGB_LIMIT_STACK_ENTRIES + over));
		perf_record_end(&bytes, start);
		assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record),
				 over ? PGB_E_CORRUPT : 1);
		perf_bytes_release(&bytes);
	}
}

static const struct perf_identity who = {
	.pid = 50, .tid = 51, .cpu = 3, .time_ns = 777, .id = 42, .stream_id = 9};
static const uint8_t build_id[20] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

enum side_band_kind {
	MMAP1,
	MMAP2_DEVICE,
	MMAP2_BUILD_ID,
	COMM,
	FORK,
	EXIT,
	LOST,
	LOST_SAMPLES,
	THROTTLE,
	AUX,
	ITRACE_START,
	SWITCH,
	SWITCH_CPU_WIDE,
	KIND_END
};

static void encode_map(struct perf_bytes *out, struct perf_event_attr *attr, int kind)
{
	struct perf_map map = {
		.pid = 60,
		.tid = 61,
		.address = 0x555555554000,
		.length = 0x3000,
		.offset_file = 0x1000,
		.major = 8,
		.minor = 1,
		.inode = 1234,
		.inode_generation = 5,
		.protection = 5,
		.flags = 2,
		.path = "/usr/bin/a b",
	};

	attr->mmap2 = kind != MMAP1;
	if (kind == MMAP2_BUILD_ID) {
		map.build_id = build_id;
		map.build_id_bytes = 16;
	}
	perf_encode_map(out, attr, &who, &map);
}

static void encode_side_band(struct perf_bytes *out, struct perf_event_attr *attr, int kind)
{
	switch (kind) {
	case MMAP1:
	case MMAP2_DEVICE:
	case MMAP2_BUILD_ID:
		encode_map(out, attr, kind);
		break;
	case COMM:
		perf_encode_comm(out, attr, &who, "worker", true);
		break;
	case FORK:
		perf_encode_task(out, attr, PERF_RECORD_FORK, &who, 40, 41);
		break;
	case EXIT:
		perf_encode_task(out, attr, PERF_RECORD_EXIT, &who, 40, 41);
		break;
	case LOST:
		perf_encode_lost(out, attr, &who, 17);
		break;
	case LOST_SAMPLES:
		perf_encode_lost_samples(out, attr, &who, 17);
		break;
	case THROTTLE:
		perf_encode_throttle(out, attr, PERF_RECORD_THROTTLE, &who);
		break;
	case AUX:
		perf_encode_aux(out, attr, &who, 0x1000, 0x200, 9);
		break;
	case ITRACE_START:
		perf_encode_itrace_start(out, attr, &who);
		break;
	case SWITCH:
		perf_encode_switch(out, attr, &who, PERF_RECORD_MISC_SWITCH_OUT);
		break;
	case SWITCH_CPU_WIDE:
		perf_encode_switch_cpu_wide(out, attr, &who, 0, 70, 71);
		break;
	}
}

static void check_map(const struct pgb_record *record, int kind)
{
	const struct pgb_record_mmap *map = &record->mmap;

	assert_int_equal(record->subject_pid, 60);
	assert_int_equal(record->subject_tid, 61);
	assert_int_equal(map->address, 0x555555554000);
	assert_int_equal(map->length, 0x3000);
	assert_int_equal(map->offset_file, 0x1000);
	assert_string_equal(map->path, "/usr/bin/a b");
	assert_int_equal(map->inode, kind == MMAP2_DEVICE ? 1234 : 0);
	assert_int_equal(map->inode_generation, kind == MMAP2_DEVICE ? 5 : 0);
	assert_int_equal(map->major, kind == MMAP2_DEVICE ? 8 : 0);
	assert_int_equal(map->minor, kind == MMAP2_DEVICE ? 1 : 0);
	assert_int_equal(map->protection, kind == MMAP1 ? 4 : 5);
	assert_int_equal(map->flags, kind == MMAP1 ? 0 : 2);
	assert_int_equal(map->build_id.size_bytes, kind == MMAP2_BUILD_ID ? 16 : 0);
	if (kind == MMAP2_BUILD_ID)
		assert_memory_equal(map->build_id.bytes, build_id, 16);
}

static void check_side_band(const struct pgb_record *record, int kind)
{
	switch (kind) {
	case MMAP1:
	case MMAP2_DEVICE:
	case MMAP2_BUILD_ID:
		check_map(record, kind);
		break;
	case COMM:
		assert_string_equal(record->comm, "worker");
		assert_true(record->misc & PERF_RECORD_MISC_COMM_EXEC);
		break;
	case FORK:
	case EXIT:
		assert_int_equal(record->task.parent_pid, 40);
		assert_int_equal(record->task.parent_tid, 41);
		break;
	case LOST:
	case LOST_SAMPLES:
		assert_int_equal(record->lost, 17);
		break;
	case AUX:
		assert_int_equal(record->aux.offset, 0x1000);
		assert_int_equal(record->aux.size_bytes, 0x200);
		assert_int_equal(record->aux.flags, 9);
		break;
	case SWITCH:
		assert_int_equal(record->misc, PERF_RECORD_MISC_SWITCH_OUT);
		break;
	case SWITCH_CPU_WIDE:
		assert_int_equal(record->other.pid, 70);
		assert_int_equal(record->other.tid, 71);
		break;
	}
	if (kind == COMM || kind == FORK || kind == EXIT || kind == ITRACE_START) {
		assert_int_equal(record->subject_pid, 50);
		assert_int_equal(record->subject_tid, 51);
	}
}

/* Strings are padded: a record cut inside the padding is still whole. */
static bool ends_in_a_string(int kind)
{
	return kind == MMAP1 || kind == MMAP2_DEVICE || kind == MMAP2_BUILD_ID || kind == COMM;
}

static void round_trip_side_band(int kind, bool sample_id_all, bool big_endian)
{
	struct perf_event_attr attr = attr_of(ALL_SAMPLE_BITS);
	struct perf_bytes bytes = {.big_endian = big_endian};
	struct pgb_record_format format;
	struct pgb_record record;
	size_t length;

	attr.sample_id_all = sample_id_all;
	encode_side_band(&bytes, &attr, kind);
	format = format_of(&attr, big_endian);
	length = bytes.length;
	assert_int_equal(parse_exact(&bytes, length, &format, &record), 1);
	check_side_band(&record, kind);
	if (sample_id_all) {
		assert_int_equal(record.pid, kind == FORK ? 40 : 50);
		assert_int_equal(record.tid, kind == FORK ? 41 : 51);
		assert_int_equal(record.stream_id, 9);
		assert_int_equal(record.cpu, 3);
	}
	if (sample_id_all || kind == FORK || kind == EXIT || kind == THROTTLE) {
		assert_true(record.has_time);
		assert_int_equal(record.time_ns, 777);
	}
	if (sample_id_all || kind == LOST || kind == THROTTLE)
		assert_int_equal(record.id, 42);
	for (size_t cut = 1; cut < length; cut++)
		assert_int_equal(parse_exact(&bytes, cut, &format, &record), PGB_E_TRUNCATED);
	for (size_t cut = 8; cut < length; cut++) {
		int code;

		bytes.length = cut;
		perf_record_end(&bytes, 0);
		code = parse_exact(&bytes, cut, &format, &record);
		if (!ends_in_a_string(kind))
			assert_int_equal(code, PGB_E_CORRUPT);
		else
			assert_true(code == 1 || code == PGB_E_CORRUPT);
	}
	perf_bytes_release(&bytes);
}

static void side_band_records(void **state)
{
	(void)state;
	for (int kind = 0; kind < KIND_END; kind++)
		for (int variant = 0; variant < 4; variant++)
			round_trip_side_band(kind, variant & 1, variant & 2);
}

/* The path's NUL must stand before the trailer, not in it. */
static void a_path_without_an_end_is_corrupt(void **state)
{
	struct perf_event_attr attr = attr_of(PERF_SAMPLE_TIME);
	struct pgb_record_format format = format_of(&attr, false);
	struct perf_bytes bytes = {0};
	struct pgb_record record;
	size_t start = perf_record_begin(&bytes, PERF_RECORD_MMAP, 0);

	(void)state;
	perf_put(&bytes, NULL, 32);
	perf_put(&bytes, "/no/end/", 8);
	perf_put_trailer(&bytes, &attr, &(struct perf_identity){.time_ns = 1});
	perf_record_end(&bytes, start);
	assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record), PGB_E_CORRUPT);
	perf_bytes_release(&bytes);
}

static void a_build_id_is_at_most_20_bytes(void **state)
{
	struct perf_event_attr attr = attr_of(0);
	struct pgb_record_format format = format_of(&attr, false);
	struct perf_bytes bytes = {0};
	struct pgb_record record;

	(void)state;
	encode_map(&bytes, &attr, MMAP2_BUILD_ID);
	bytes.data[8 + 32] = 20;
	assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record), 1);
	assert_int_equal(record.mmap.build_id.size_bytes, 20);
	bytes.data[8 + 32] = 21;
	assert_int_equal(parse_exact(&bytes, bytes.length, &format, &record), PGB_E_CORRUPT);
	perf_bytes_release(&bytes);
}

static void malformed_sizes(void **state)
{
	struct perf_event_attr attr = attr_of(0);
	struct pgb_record_format format = format_of(&attr, false);

	(void)state;
	for (unsigned int size = 0; size < 8; size++) {
		uint8_t bytes[16] = {PERF_RECORD_LOST, 0, 0, 0, 0, 0, (uint8_t)size, 0};
		struct pgb_cursor cursor = pgb_cursor_of(bytes, sizeof(bytes));
		struct pgb_record record;

		assert_int_equal(pgb_record_parse(&cursor, &format, &record), PGB_E_CORRUPT);
		assert_int_equal(pgb_record_parse(&cursor, &format, &record), 0);
	}
}

static void a_malformed_record_costs_itself_only(void **state)
{
	struct perf_event_attr attr = attr_of(PERF_SAMPLE_TID);
	struct pgb_record_format format = format_of(&attr, false);
	struct perf_bytes bytes = {0};
	struct pgb_cursor cursor;
	struct pgb_record record;
	size_t start = perf_record_begin(&bytes, PERF_RECORD_LOST, 0);

	(void)state;
	perf_record_end(&bytes, start);
	perf_encode_lost(&bytes, &attr, &who, 3);
	start = perf_record_begin(&bytes, 999, 5);
	perf_put_u64(&bytes, 1);
	perf_record_end(&bytes, start);
	cursor = pgb_cursor_of(bytes.data, bytes.length);
	assert_int_equal(pgb_record_parse(&cursor, &format, &record), PGB_E_CORRUPT);
	assert_int_equal(pgb_record_parse(&cursor, &format, &record), 1);
	assert_int_equal(record.lost, 3);
	assert_int_equal(pgb_record_parse(&cursor, &format, &record), 1);
	assert_int_equal(record.type, 999);
	assert_int_equal(record.misc, 5);
	assert_int_equal(record.size_bytes, 16);
	assert_int_equal(pgb_record_parse(&cursor, &format, &record), 0);
	perf_bytes_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sample_bit_alone_and_all_together),
		cmocka_unit_test(each_read_format),
		cmocka_unit_test(branch_stack_shapes),
		cmocka_unit_test(empty_parts),
		cmocka_unit_test(counts_that_cannot_be),
		cmocka_unit_test(a_stack_over_the_limit_is_corrupt),
		cmocka_unit_test(side_band_records),
		cmocka_unit_test(a_path_without_an_end_is_corrupt),
		cmocka_unit_test(a_build_id_is_at_most_20_bytes),
		cmocka_unit_test(malformed_sizes),
		cmocka_unit_test(a_malformed_record_costs_itself_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
