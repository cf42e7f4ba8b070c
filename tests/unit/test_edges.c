/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/collector/edges.h"

static struct pgb_edge trace(uint64_t branch, uint64_t from, uint64_t to, uint64_t count)
{
	return (struct pgb_edge){
		.kind = PGB_EDGE_TRACE, .branch = branch, .from = from, .to = to, .count = count};
}

static void add(struct pgb_edges *edges, struct pgb_edge edge)
{
	pgb_edges_add(edges, &edge);
}

static void equal_keys_are_summed(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge edge = trace(1, 2, 3, 10);
	const struct pgb_edge *sorted;
	size_t count;

	(void)state;
	edge.mispredicts = 2;
	edge.count_odd = 10;
	add(edges, edge);
	edge.count = 5;
	edge.mispredicts = 1;
	edge.count_odd = 0;
	add(edges, edge);
	assert_int_equal(pgb_edges_count(edges), 1);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, 1);
	assert_true(sorted[0].count == 15 && sorted[0].mispredicts == 3);
	assert_int_equal(sorted[0].count_odd, 10);
	pgb_edges_free(edges);
	pgb_edges_free(NULL);
}

/* Each field of the key tells edges apart, the counts do not. */
static void every_field_of_the_key_counts(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge base = trace(0x1000, 0x2000, 0x3000, 1);

	(void)state;
	for (unsigned int field = 0; field < 6; field++) {
		struct pgb_edge edge = base;

		edge.binary += field == 1;
		edge.kind += field == 2;
		edge.branch += field == 3;
		edge.from += field == 4;
		edge.to += field == 5;
		add(edges, edge);
		add(edges, edge);
		assert_int_equal(pgb_edges_count(edges), field + 1);
	}
	/* .. and which field holds a value */
	add(edges, trace(0x2000, 0x1000, 0x3000, 1));
	add(edges, trace(0x3000, 0x2000, 0x1000, 1));
	assert_int_equal(pgb_edges_count(edges), 8);
	pgb_edges_free(edges);
}

static void order_is_by_key(void **state)
{
	static const struct pgb_edge wanted[] = {
		{0, 0, 1, 9, 9, 1, 0},
		{0, 0, 2, 1, 9, 1, 0},
		{0, 0, 2, 2, 1, 1, 0},
		{0, 0, 2, 2, PGB_ADDRESS_NONE, 1, 0},
		{0, 1, 0, 0, 0, 1, 0},
		{1, 0, 0, 0, 0, 1, 0},
		{7, 3, 5, PGB_ADDRESS_NONE, PGB_ADDRESS_NONE, 1, 0},
		{UINT32_MAX, 0, 0, 0, 0, 1, 0},
	};
	const size_t wanted_count = sizeof(wanted) / sizeof(wanted[0]);

	(void)state;
	/* whatever the order they come in */
	for (size_t start = 0; start < wanted_count; start++) {
		struct pgb_edges *edges = pgb_edges_new();
		const struct pgb_edge *sorted;
		size_t count;

		for (size_t i = 0; i < wanted_count; i++)
			pgb_edges_add(edges, &wanted[(start + 3 * i) % wanted_count]);
		sorted = pgb_edges_sorted(edges, &count);
		assert_int_equal(count, wanted_count);
		assert_memory_equal(sorted, wanted, sizeof(wanted));
		sorted = pgb_edges_of_binary(edges, 0, &count);
		assert_int_equal(count, 5);
		assert_memory_equal(sorted, wanted, 5 * sizeof(wanted[0]));
		sorted = pgb_edges_of_binary(edges, 7, &count);
		assert_int_equal(count, 1);
		assert_memory_equal(sorted, &wanted[6], sizeof(wanted[0]));
		pgb_edges_of_binary(edges, UINT32_MAX, &count);
		assert_int_equal(count, 1);
		pgb_edges_of_binary(edges, 3, &count);
		assert_int_equal(count, 0);
		pgb_edges_free(edges);
	}
}

static void counts_stop_at_the_top(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge edge = trace(1, 2, 3, UINT64_MAX - 1);
	const struct pgb_edge *sorted;
	size_t count;

	(void)state;
	edge.mispredicts = UINT64_MAX;
	add(edges, edge);
	add(edges, edge);
	sorted = pgb_edges_sorted(edges, &count);
	assert_true(sorted[0].count == UINT64_MAX && sorted[0].mispredicts == UINT64_MAX);
	pgb_edges_free(edges);
}

/* What does not fit is counted; what is there goes on being counted. */
static void the_limit_is_kept(void **state)
{
	struct pgb_edges *edges = pgb_edges_new_limited(3);
	const struct pgb_edge *sorted;
	size_t count;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		add(edges, trace(i, 0, 0, 10 + i));
	add(edges, trace(2, 0, 0, 100));
	assert_int_equal(pgb_edges_count(edges), 3);
	assert_int_equal(pgb_edges_overflow(edges), 13 + 14);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, 3);
	assert_int_equal(sorted[2].count, 112);
	/* sorting changes nothing of that */
	add(edges, trace(9, 0, 0, 1));
	assert_int_equal(pgb_edges_overflow(edges), 28);
	pgb_edges_free(edges);
}

/* Enough to grow many times, sorted and added to in between; held against plain counters. */
static void a_large_table_keeps_every_count(void **state)
{
	enum { KEYS = 60000, ADDS = 200000 };
	struct pgb_edges *edges = pgb_edges_new(), *batched = pgb_edges_new();
	uint64_t *expected = calloc(KEYS, sizeof(*expected));
	struct pgb_edge batch[37];
	size_t in_batch = 0, count, batched_count, position = 0;
	const struct pgb_edge *sorted, *batched_sorted;

	(void)state;
	assert_non_null(expected);
	for (uint64_t i = 0; i < ADDS; i++) {
		uint64_t key = pgb_hash_u64(i) % KEYS;
		struct pgb_edge edge = trace(0x400000 + key / 256 * 16, key % 256, 7, i % 3 + 1);

		expected[key] += edge.count;
		add(edges, edge);
		batch[in_batch++] = edge;
		if (in_batch == 37 || i + 1 == ADDS) {
			pgb_edges_add_many(batched, batch, in_batch);
			in_batch = 0;
		}
		if (i % 50000 == 49999)
			pgb_edges_sorted(edges, &count);
	}
	sorted = pgb_edges_sorted(edges, &count);
	batched_sorted = pgb_edges_sorted(batched, &batched_count);
	assert_int_equal(count, batched_count);
	assert_memory_equal(sorted, batched_sorted, count * sizeof(*sorted));
	for (uint64_t key = 0; key < KEYS; key++) {
		if (expected[key] == 0)
			continue;
		assert_true(sorted[position].branch == 0x400000 + key / 256 * 16);
		assert_true(sorted[position].from == key % 256);
		assert_true(sorted[position].count == expected[key]);
		position++;
	}
	assert_int_equal(position, count);
	assert_true(pgb_edges_size_bytes(edges) < count * 160);
	free(expected);
	pgb_edges_free(edges);
	pgb_edges_free(batched);
}

/* A number is the place in the array, whether the edge was there or not, and counts nothing. */
static void numbers_are_places(void **state)
{
	enum { KEYS = 5000 };
	struct pgb_edges *edges = pgb_edges_new_limited(KEYS);
	struct pgb_edge more;
	const struct pgb_edge *items;
	size_t count;

	(void)state;
	add(edges, trace(0x1000, 0, 7, 3));
	for (uint64_t i = 0; i < KEYS; i++) {
		more = trace(0x1000 + i, i, 7, 9);
		more.mispredicts = more.count_odd = 1;
		assert_int_equal(pgb_edges_number(edges, &more), i);
		assert_int_equal(pgb_edges_number(edges, &more), i);
	}
	more = trace(1, 1, 1, 1);
	assert_int_equal(pgb_edges_number(edges, &more), PGB_EDGES_NO_NUMBER);
	items = pgb_edges_unsorted(edges, &count);
	assert_int_equal(count, KEYS);
	assert_int_equal(items[0].count, 3);
	for (uint64_t i = 1; i < KEYS; i++) {
		assert_true(items[i].branch == 0x1000 + i);
		assert_true(items[i].count + items[i].mispredicts + items[i].count_odd == 0);
	}
	pgb_edges_free(edges);
}

static void merging_renumbers_and_weighs(void **state)
{
	static const uint32_t binary_of[] = {5, UINT32_MAX, 6};
	struct pgb_edges *edges = pgb_edges_new(), *other = pgb_edges_new_limited(4);
	const struct pgb_edge *sorted;
	struct pgb_edge edge;
	size_t count;

	(void)state;
	for (uint32_t binary = 0; binary < 3; binary++) {
		edge = trace(1, 2, 3, 10 + binary);
		edge.binary = binary;
		edge.mispredicts = 1;
		edge.count_odd = 7;
		add(other, edge);
	}
	add(other, trace(9, 9, 9, UINT64_MAX / 2));
	add(other, trace(8, 8, 8, 1)); /* over its limit */
	edge.binary = 5;
	add(edges, edge);
	pgb_edges_merge(edges, other, binary_of, 3);
	sorted = pgb_edges_sorted(edges, &count);
	assert_int_equal(count, 3);
	assert_true(sorted[0].binary == 5 && sorted[0].count == 12 + 30);
	assert_int_equal(sorted[0].mispredicts, 1 + 3);
	assert_int_equal(sorted[0].count_odd, 7 + 21);
	assert_true(sorted[1].binary == 5 && sorted[1].count == UINT64_MAX);
	assert_true(sorted[2].binary == 6 && sorted[2].count == 36);
	assert_int_equal(pgb_edges_overflow(edges), 3);
	pgb_edges_merge(edges, other, NULL, 1);
	assert_int_equal(pgb_edges_count(edges), 7);
	pgb_edges_free(edges);
	pgb_edges_free(other);
}

/* Few or many of them, sorted or not: what comes afterwards is alone. */
static void clearing_forgets_all(void **state)
{
	static const size_t sizes[] = {0, 1, 50, 3000, 200, 20000, 1000};
	struct pgb_edges *edges = pgb_edges_new();
	size_t count;

	(void)state;
	for (size_t round = 0; round < 2 * sizeof(sizes) / sizeof(sizes[0]); round++) {
		size_t size = sizes[round / 2];
		const struct pgb_edge *items;

		for (size_t twice = 0; twice < 2; twice++)
			for (size_t i = 0; i < size; i++)
				add(edges, trace(pgb_hash_u64(i + round % 3), i, 7, 1));
		items = pgb_edges_unsorted(edges, &count);
		assert_int_equal(count, size);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(items[i].count, 2);
		if (round % 2)
			pgb_edges_sorted(edges, &count);
		pgb_edges_clear(edges);
		assert_int_equal(pgb_edges_count(edges), 0);
	}
	pgb_edges_free(edges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_keys_are_summed),
		cmocka_unit_test(every_field_of_the_key_counts),
		cmocka_unit_test(order_is_by_key),
		cmocka_unit_test(counts_stop_at_the_top),
		cmocka_unit_test(the_limit_is_kept),
		cmocka_unit_test(a_large_table_keeps_every_count),
		cmocka_unit_test(numbers_are_places),
		cmocka_unit_test(clearing_forgets_all),
		cmocka_unit_test(merging_renumbers_and_weighs),
	};

	return cmocka_run_group_tests_name("edges", tests, NULL, NULL);
}
