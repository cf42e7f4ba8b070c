/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_perfdata_order.h"

enum { ROUND = -1, HALVE = -2, FINISH = -3, END = -4, MATTERS = 1000 };

/*
 * Input: times, those of records that matter plus MATTERS; and what happens between them. Output:
 * times in the order in which they come out, each batch as soon as it is ready.
 */
static const struct {
	int line;
	int in[16];
	int out[16];
	unsigned int late;
} rows[] = {
	/* samples alone stay as they came, but wait for the round that they belong to */
	{__LINE__, {30, 40, 10, 20, ROUND, 35, ROUND, FINISH, END}, {30, 40, 10, 20, 35, END}, 0},
	/* one mapping, and the batch is sorted */
	{__LINE__, {30, 40, 10, MATTERS + 20, ROUND, FINISH, END}, {10, 20, 30, 40, END}, 0},
	/* the mapping of a sample stands in the next round */
	{__LINE__, {30, 40, ROUND, MATTERS + 35, 50, ROUND, FINISH, END}, {30, 35, 40, 50, END}, 0},
	/* nothing comes out before a round's end proves it complete */
	{__LINE__, {10, 20, END}, {END}, 0},
	{__LINE__, {10, 20, ROUND, END}, {END}, 0},
	{__LINE__, {10, 20, ROUND, 25, ROUND, END}, {10, 20, END}, 0},
	/* records without a time come first, in their order */
	{__LINE__, {10, MATTERS + 0, 5, MATTERS + 0, FINISH, END}, {0, 0, 5, 10, END}, 0},
	/* equal times keep the file's order */
	{__LINE__, {20, 10, MATTERS + 10, 10, 20, FINISH, END}, {10, 10, 10, 20, 20, END}, 0},
	/* for want of room: the older half */
	{__LINE__, {40, 10, 30, 20, HALVE, END}, {10, 20, 30, END}, 0},
	{__LINE__, {40, 10, 30, 20, HALVE, 35, 5, FINISH, END}, {10, 20, 30, 40, 35, 5, END}, 1},
	/* what a newest-first ring gives */
	{__LINE__, {50, 40, 30, 20, MATTERS + 10, FINISH, END}, {10, 20, 30, 40, 50, END}, 0},
	/* late for its round: counted, and handed out all the same */
	{__LINE__,
	 {10, 20, ROUND, 30, ROUND, MATTERS + 15, 40, ROUND, FINISH, END},
	 {10, 20, 15, 30, 40, END},
	 1},
	{__LINE__, {ROUND, HALVE, ROUND, FINISH, END}, {END}, 0},
};

static size_t take_ready(struct pgb_perfdata_order *order, const int *out, size_t at, int line)
{
	const struct pgb_perfdata_entry *entry;

	while ((entry = pgb_perfdata_order_next(order)) != NULL) {
		if ((int)entry->time_ns != out[at])
			fail_msg("row of line %d: place %zu has %d, not %d", line, at,
				 (int)entry->time_ns, out[at]);
		at++;
	}
	return at;
}

static void batches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_perfdata_order order = {0};
		size_t taken = 0;

		for (const int *step = rows[i].in; *step != END; step++) {
			struct pgb_perfdata_entry entry = {
				.time_ns = (uint64_t)(*step % MATTERS),
				.last_ns = (uint64_t)(*step % MATTERS),
				.count = 1,
				.matters = *step >= MATTERS,
			};

			if (*step == ROUND)
				pgb_perfdata_order_round(&order);
			else if (*step == HALVE)
				pgb_perfdata_order_halve(&order);
			else if (*step == FINISH)
				pgb_perfdata_order_finish(&order);
			else
				pgb_perfdata_order_add(&order, &entry);
			taken = take_ready(&order, rows[i].out, taken, rows[i].line);
		}
		if (rows[i].out[taken] != END || order.late != rows[i].late)
			fail_msg("row of line %d: %zu records, %d late", rows[i].line, taken,
				 (int)order.late);
		pgb_perfdata_order_release(&order);
	}
}

/* Against the simplest sort there is. */
static void sorts_any_mix_of_runs(void **state)
{
	uint64_t random = 88172645463325252u;

	(void)state;
	for (size_t count = 1; count < 300; count++) {
		struct pgb_perfdata_order order = {0};
		const struct pgb_perfdata_entry *entry;
		struct pgb_perfdata_entry last = {0};
		size_t seen = 0;

		for (size_t i = 0; i < count; i++) {
			struct pgb_perfdata_entry one = {
				.matters = 1, .count = 1, .chunk = (uint32_t)i};

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			one.time_ns = count % 3 ? random % 50 + 1 : 1 + (i % 10) * 10 + random % 8;
			one.last_ns = one.time_ns;
			pgb_perfdata_order_add(&order, &one);
		}
		pgb_perfdata_order_finish(&order);
		while ((entry = pgb_perfdata_order_next(&order)) != NULL) {
			assert_true(entry->time_ns > last.time_ns ||
				    (entry->time_ns == last.time_ns &&
				     (seen == 0 || entry->chunk > last.chunk)));
			last = *entry;
			seen++;
		}
		assert_int_equal(seen, count);
		pgb_perfdata_order_release(&order);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches),
		cmocka_unit_test(sorts_any_mix_of_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
