/* SPDX-License-Identifier: MIT */
/* The short way to a branch stack finds what the long one finds, or leaves the sample to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/collector/record_stack.h"

enum { ENTRIES = 3, WORDS = 32 };

static const uint64_t fixed[] = {
	PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_IP,	  PERF_SAMPLE_TID,
	PERF_SAMPLE_TIME,	PERF_SAMPLE_ADDR, PERF_SAMPLE_ID,
	PERF_SAMPLE_STREAM_ID,	PERF_SAMPLE_CPU,  PERF_SAMPLE_PERIOD,
};
enum { FIXED = sizeof(fixed) / sizeof(fixed[0]) };

struct sample {
	uint64_t words[WORDS];
	size_t size_bytes;
};

/* Every word tells where it stands; `stack_at` is the word with the count. */
static struct sample make_sample(size_t fields, bool hw_index, size_t *stack_at)
{
	struct sample sample = {0};
	struct perf_event_header header = {.type = PERF_RECORD_SAMPLE};
	size_t at = 1;

	for (; at <= fields; at++)
		sample.words[at] = 0x100000001u * at;
	*stack_at = at;
	sample.words[at++] = ENTRIES;
	if (hw_index)
		sample.words[at++] = 7;
	for (size_t i = 0; i < 3 * ENTRIES; i++)
		sample.words[at++] = 0x401000 + i;
	sample.size_bytes = at * sizeof(uint64_t);
	header.size = (uint16_t)sample.size_bytes;
	memcpy(sample.words, &header, sizeof(header));
	return sample;
}

static struct pgb_cursor bytes_of(const struct sample *sample)
{
	return pgb_cursor_of((const uint8_t *)sample->words, sample->size_bytes);
}

static void finds_what_parsing_finds(void **state)
{
	(void)state;
	for (unsigned int set = 0; set < 1u << FIXED; set++) {
		struct pgb_record_format format = {.sample_type = PERF_SAMPLE_BRANCH_STACK};
		struct pgb_record taken = {0}, parsed;
		struct pgb_cursor bytes, again;
		struct pgb_record_way way;
		struct sample sample;
		size_t fields = 0, stack_at;

		for (size_t i = 0; i < FIXED; i++) {
			fields += set >> i & 1;
			format.sample_type |= set >> i & 1 ? fixed[i] : 0;
		}
		if (set & 1)
			format.branch_sample_type = PERF_SAMPLE_BRANCH_HW_INDEX;
		sample = make_sample(fields, set & 1, &stack_at);
		way = pgb_record_way_of(&format);
		bytes = again = bytes_of(&sample);
		assert_int_equal(pgb_record_parse(&again, &format, &parsed), 1);
		if (!(format.sample_type & PERF_SAMPLE_TID)) {
			assert_false(pgb_record_take_stack(&way, &bytes, &taken));
			continue;
		}
		assert_true(pgb_record_take_stack(&way, &bytes, &taken));
		assert_int_equal(pgb_cursor_left(&bytes), 0);
		assert_int_equal(taken.pid, parsed.pid);
		assert_int_equal(taken.type, parsed.type);
		assert_int_equal(taken.size_bytes, parsed.size_bytes);
		assert_int_equal(taken.stack.count, ENTRIES);
		assert_ptr_equal(taken.stack.entries.at, parsed.stack.entries.at);
		assert_ptr_equal(taken.stack.entries.end, parsed.stack.entries.end);
	}
}

/* Fields that are not of a fixed size, or stand behind the stack; another byte order. */
static void knows_no_way(void **state)
{
	static const struct pgb_record_format rows[] = {
		{.sample_type = PERF_SAMPLE_TID},
		{.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_READ},
		{.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_RAW},
		{.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_CALLCHAIN},
		{.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_WEIGHT},
		{.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK,
		 .branch_sample_type = PGB_SAMPLE_BRANCH_COUNTERS},
		{.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK,
		 .big_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pgb_record_way_of(&rows[i]).stack, 0);
}

/* Cut, of another type, with a count that its size has no room for: nothing is taken. */
static void leaves_odd_samples(void **state)
{
	const struct pgb_record_format format = {.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID |
								PERF_SAMPLE_BRANCH_STACK};
	const struct pgb_record_way way = pgb_record_way_of(&format);
	size_t stack_at;
	const struct sample good = make_sample(2, false, &stack_at);
	static const uint64_t counts[] = {ENTRIES + 1, PGB_LIMIT_STACK_ENTRIES, UINT64_MAX,
					  UINT64_MAX / 24 + 2};
	struct pgb_record record = {0};
	struct pgb_cursor bytes;

	(void)state;
	for (size_t size_bytes = 0; size_bytes < good.size_bytes; size_bytes++) {
		struct sample cut = good;
		struct perf_event_header header = {PERF_RECORD_SAMPLE, 0, (uint16_t)size_bytes};

		bytes = pgb_cursor_of((const uint8_t *)good.words, size_bytes);
		assert_false(pgb_record_take_stack(&way, &bytes, &record));
		assert_int_equal(pgb_cursor_left(&bytes), size_bytes);
		memcpy(cut.words, &header, sizeof(header));
		bytes = bytes_of(&cut);
		assert_false(pgb_record_take_stack(&way, &bytes, &record));
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct sample full = good;

		full.words[stack_at] = counts[i];
		bytes = bytes_of(&full);
		assert_false(pgb_record_take_stack(&way, &bytes, &record));
	}
	{
		struct sample other = good;
		struct perf_event_header header = {PERF_RECORD_MMAP, 0, (uint16_t)good.size_bytes};

		memcpy(other.words, &header, sizeof(header));
		bytes = bytes_of(&other);
		assert_false(pgb_record_take_stack(&way, &bytes, &record));
	}
	bytes = bytes_of(&good);
	assert_true(pgb_record_take_stack(&way, &bytes, &record));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_parsing_finds),
		cmocka_unit_test(knows_no_way),
		cmocka_unit_test(leaves_odd_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
