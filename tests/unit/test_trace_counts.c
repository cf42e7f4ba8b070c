/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/collector/trace_counts.h"

enum { FLAGS = 1 | 4 | 1 << 8 };

#define NONE PGB_ADDRESS_NONE

static void sum_up(void *context, const struct pgb_edge *edge)
{
	pgb_edges_add(context, edge);
}

static struct pgb_trace_counts *counts_into(struct pgb_edges *edges)
{
	const struct pgb_trace_receiver receiver = {.take = sum_up, .context = edges};

	return pgb_trace_counts_new(&receiver, FLAGS);
}

/* What is put in comes out, with whatever tells it from others. */
static void gives_back_what_was_counted(void **state)
{
	static const struct {
		uint32_t pid;
		struct pgb_trace trace;
	} rows[] = {
		{10, {0x401000, 0x402000, 0x402010, 0}},
		{10, {0x401001, 0x402000, 0x402010, 0}},
		{10, {0x401000, 0x402001, 0x402010, 0}},
		{10, {0x401000, 0x402000, 0x402011, 0}},
		{10, {0x401000, 0x402000, NONE, 0}},
		{10, {0x401000, 0x402000, 0x402010, 1}},
		{10, {0x401000, 0x402000, 0x402010, 4}},
		{11, {0x401000, 0x402000, 0x402010, 0}},
		{10 | 1 << 16, {0x401000, 0x402000, 0x402010, 0}},
		{UINT32_MAX, {0x401000, 0x402000, 0x402010, 0}},
		{0, {0, 0, 0, 0}},
		{0, {NONE, NONE, NONE, 0}},
		{0, {NONE, 0x402000, 0x402010, 0}},
		{0, {0x401000, NONE, NONE, 1 << 8}},
		{7, {0xfffffffffffe, 0xfffffffffffe, 0xfffffffffffe, 0}},
		/* wider than the table's words */
		{7, {0xffffffffffff, 1, 2, 0}},
		{7, {1, 0x1000000000000, 2, 1}},
		{7, {1, 2, 0xfffffffffffffffe, 4}},
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_trace_counts *counts = counts_into(edges);
	const struct pgb_edge *list;
	size_t count;

	(void)state;
	for (unsigned int round = 0; round < 3; round++)
		for (size_t i = 0; i < ROWS; i++) {
			struct pgb_trace trace = rows[i].trace;

			trace.flags |= 2; /* does not count */
			pgb_trace_counts_add(counts, rows[i].pid, round == 1, &trace, 1);
		}
	pgb_trace_counts_flush(counts);
	assert_int_equal(pgb_edges_count(edges), ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		const struct pgb_trace *trace = &rows[i].trace;

		list = pgb_edges_of_binary(edges, rows[i].pid, &count);
		while (count > 0 && (list->kind != trace->flags || list->branch != trace->branch ||
				     list->from != trace->from || list->to != trace->to)) {
			list++;
			count--;
		}
		assert_int_not_equal(count, 0);
		assert_true(list->count == 3 && list->count_odd == 1 && list->mispredicts == 0);
	}
	pgb_trace_counts_free(counts);
	pgb_edges_free(edges);
}

static struct pgb_trace random_trace(uint64_t number)
{
	uint64_t from = pgb_hash_u64(number) >> 17;

	return (struct pgb_trace){from ^ 0x1230, from, from + number % 64, number & 1};
}

/* Many more than there is room for, some often: each sum is exact, and flushing empties. */
static void evicts_without_loss(void **state)
{
	enum { DISTINCT = 100000, ROUNDS = 3, STEP = 77 };
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_trace_counts *counts = counts_into(edges);
	struct pgb_trace traces[STEP];
	const struct pgb_edge *sorted;
	uint64_t sum = 0, odd = 0;
	size_t count;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (uint64_t i = 0; i < DISTINCT; i += STEP) {
			for (uint64_t j = 0; j < STEP; j++)
				traces[j] = random_trace(j % 7 ? (i + j) % DISTINCT : 5);
			pgb_trace_counts_add(counts, 42, round == 1, traces, STEP);
		}
		if (round == 0)
			pgb_trace_counts_flush(counts);
	}
	pgb_trace_counts_flush(counts);
	sorted = pgb_edges_sorted(edges, &count);
	for (size_t i = 0; i < count; i++) {
		sum += sorted[i].count;
		odd += sorted[i].count_odd;
		if (sorted[i].count % ROUNDS != 0 || 3 * sorted[i].count_odd != sorted[i].count)
			fail_msg("%zu: %llu, odd %llu", i, (unsigned long long)sorted[i].count,
				 (unsigned long long)sorted[i].count_odd);
	}
	assert_int_equal(sum, ROUNDS * ((DISTINCT + STEP - 1) / STEP * STEP));
	assert_int_equal(odd, sum / ROUNDS);
	assert_in_range(count, DISTINCT * 6 / 7, DISTINCT);
	pgb_edges_free(edges); /* nothing is left to give */
	pgb_trace_counts_flush(counts);
	pgb_trace_counts_free(counts);
	pgb_trace_counts_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_was_counted),
		cmocka_unit_test(evicts_without_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
