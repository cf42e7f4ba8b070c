/* SPDX-License-Identifier: MIT */
/* A program of two phases, visited by time: how often each piece of its code was executed is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "collector/visits.h"
#include "pgobolt/base/hash.h"

enum {
	BRANCHES = 40, /* of each piece of code, in one turn of the loop */
	RUN = 10,      /* visits to a phase, one after the other */
	PAGE = 0x1000,
	COMMON = 0x400000,
	OWN = 0x500000,
	OWN_BYTES = 0x100000,
};

/* A turn of a phase executes some common code and as much of its own; each has its cost. */
struct phase {
	double cost_common, cost_own;
};

static uint64_t random_state;

static double draw(void)
{
	random_state += 0x9e3779b97f4a7c15u;
	return (double)(pgb_hash_u64(random_state) >> 11) / (double)(UINT64_C(1) << 53);
}

static uint64_t own_code(unsigned int phase)
{
	return OWN + (uint64_t)phase * OWN_BYTES;
}

/* Four pages of it. */
static uint64_t place(uint64_t code, unsigned int branch)
{
	return code + (uint64_t)(branch % 4) * PAGE + (uint64_t)branch * 0x20;
}

static size_t put_code(struct pgb_edge *edges, uint64_t code, uint32_t binary)
{
	for (unsigned int i = 0; i < BRANCHES; i++)
		edges[i] = (struct pgb_edge){.binary = binary,
					     .kind = PGB_EDGE_TRACE,
					     .branch = place(code, i) + 0x10,
					     .from = place(code, i + 1),
					     .to = place(code, i + 1) + 0x10,
					     .count = 1};
	return BRANCHES;
}

static void visit(struct pgb_visits *visits, unsigned int number, const struct phase *phase,
		  bool with_common)
{
	struct pgb_edge edges[2 * BRANCHES];
	uint64_t own = own_code(number);
	size_t count = put_code(edges, own, number);
	double common = with_common ? phase->cost_common : 0;
	bool in_common = draw() * (common + phase->cost_own) < common;
	struct pgb_visit one = {
		.process = 7, .start_binary = in_common ? 0 : number, .slowness = 1};

	if (with_common)
		count += put_code(edges + count, COMMON, 0);
	one.start = place(in_common ? COMMON : own, (unsigned int)(draw() * BRANCHES));
	pgb_visits_add(visits, &one, edges, count);
}

/* Each phase is executed as often as the other, and takes as long as it takes. */
static void visit_by_time(struct pgb_visits *visits, const struct phase phases[2], bool with_common,
			  unsigned int count)
{
	double time[2];

	for (unsigned int i = 0; i < 2; i++)
		time[i] = phases[i].cost_own + (with_common ? phases[i].cost_common : 0);
	for (unsigned int i = 0; i < count; i += RUN) {
		unsigned int number = draw() * (time[0] + time[1]) >= time[0];

		for (unsigned int k = 0; k < RUN; k++)
			visit(visits, number, &phases[number], with_common);
	}
}

static uint64_t count_own(struct pgb_edges *edges, unsigned int phase)
{
	uint64_t sum = 0;
	size_t count;
	const struct pgb_edge *all = pgb_edges_unsorted(edges, &count);

	for (size_t i = 0; i < count; i++)
		if (all[i].branch >= own_code(phase) && all[i].branch < own_code(phase + 1))
			sum += all[i].count;
	return sum;
}

static uint64_t count_all(struct pgb_edges *edges)
{
	uint64_t sum = 0;
	size_t count;
	const struct pgb_edge *all = pgb_edges_unsorted(edges, &count);

	for (size_t i = 0; i < count; i++) {
		assert_true(all[i].count > 0);
		assert_true(all[i].count_odd <= all[i].count);
		sum += all[i].count;
	}
	return sum;
}

struct row {
	struct phase phases[2];
	bool with_common;
	double ratio_least, ratio_most; /* of what is counted of the second phase to the first */
};

static const struct row rows[] = {
	/* the second waits in its own code */
	{{{1, 1}, {1, 9}}, true, 0.7, 1.6},
	{{{1, 9}, {1, 1}}, true, 0.6, 1.4},
	/* alike: nothing is changed */
	{{{1, 1}, {1, 1}}, true, 0.7, 1.4},
	/* nothing in common: as time has it */
	{{{1, 1}, {1, 4}}, false, 3, 5.5},
};

static void test_phases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_visits *visits = pgb_visits_new();
		struct pgb_edges *edges = pgb_edges_new();
		uint64_t all = 4000 * (rows[i].with_common ? 2 : 1) * BRANCHES;
		double ratio;

		random_state = 5;
		visit_by_time(visits, rows[i].phases, rows[i].with_common, 4000);
		pgb_visits_settle(visits, edges);
		ratio = (double)count_own(edges, 1) / (double)count_own(edges, 0);
		if (ratio < rows[i].ratio_least || ratio > rows[i].ratio_most)
			fail_msg("row %zu: %.3f", i, ratio);
		/* but for rounding */
		assert_in_range(count_all(edges), all - 200, all + 200);
		pgb_edges_free(edges);
		pgb_visits_free(visits);
	}
}

/* Where one phase is all there is, and where one visit is, counts stay what they were. */
static void test_one(void **state)
{
	static const struct phase phase = {1, 1};
	static const unsigned int counts[] = {1, 2, 300};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pgb_visits *visits = pgb_visits_new();
		struct pgb_edges *edges = pgb_edges_new();
		const struct pgb_edge *all;
		size_t count;

		for (unsigned int k = 0; k < counts[i]; k++)
			visit(visits, 0, &phase, true);
		pgb_visits_settle(visits, edges);
		all = pgb_edges_unsorted(edges, &count);
		assert_int_equal(count, 2 * BRANCHES);
		for (size_t k = 0; k < count; k++) {
			assert_int_equal(all[k].count, counts[i]);
			assert_int_equal(all[k].count_odd, counts[i] / 2);
		}
		pgb_edges_free(edges);
		pgb_visits_free(visits);
	}
}

/* Places and branches that are not known; edges that no binary has both ends of; nothing at all. */
static void test_unknown(void **state)
{
	struct pgb_visits *visits = pgb_visits_new();
	struct pgb_edges *edges = pgb_edges_new();
	const struct pgb_visit nowhere = {
		.process = 1, .start_binary = UINT32_MAX, .start = PGB_ADDRESS_NONE, .slowness = 1};
	const struct pgb_edge odd[] = {
		{.kind = PGB_EDGE_TRACE,
		 .branch = PGB_ADDRESS_EXTERNAL,
		 .from = 16,
		 .to = 8,
		 .count = 3},
		{.kind = PGB_EDGE_BRANCH,
		 .branch = 16,
		 .from = PGB_ADDRESS_EXTERNAL,
		 .to = PGB_ADDRESS_NONE,
		 .count = 1},
	};

	(void)state;
	pgb_visits_settle(visits, edges);
	assert_int_equal(pgb_edges_count(edges), 0);
	pgb_visits_add(visits, &nowhere, NULL, 0);
	pgb_visits_settle(visits, edges);
	assert_int_equal(pgb_edges_count(edges), 0);
	pgb_visits_add(visits, &nowhere, odd, 2);
	pgb_visits_add(visits, &nowhere, NULL, 0);
	pgb_visits_settle(visits, edges);
	assert_int_equal(pgb_edges_count(edges), 2);
	assert_int_equal(count_all(edges), 4);
	pgb_edges_free(edges);
	pgb_visits_free(visits);
	pgb_visits_free(NULL);
}

/* Visits to code of its own, that runs slowly or not, is new to its process or not. */
static void visit_own(struct pgb_visits *visits, unsigned int number, uint32_t process,
		      double slowness)
{
	struct pgb_edge edges[BRANCHES];
	struct pgb_visit one = {.process = process,
				.start_binary = number,
				.start = place(own_code(number), 0),
				.slowness = slowness};

	pgb_visits_add(visits, &one, edges, put_code(edges, own_code(number), number));
}

/* Of two phases with as many visits, the one that takes longer is executed less. */
static void test_speed(void **state)
{
	struct pgb_visits *visits = pgb_visits_new();
	struct pgb_edges *edges = pgb_edges_new();

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		visit_own(visits, i % 100 < 50, 7, i % 100 < 50 ? 3 : 1);
	pgb_visits_settle(visits, edges);
	assert_in_range(100 * count_own(edges, 1) / count_own(edges, 0), 31, 35);
	pgb_edges_clear(edges);
	/* the first code runs once in each process, as many visits as the second, which stays */
	for (unsigned int i = 0; i < 1000; i++)
		visit_own(visits, i % 2, i % 2 ? 7 : 1000 + i, 1);
	pgb_visits_settle(visits, edges);
	assert_in_range(100 * count_own(edges, 0) / count_own(edges, 1), 48, 53);
	pgb_edges_free(edges);
	pgb_visits_free(visits);
}

/* Memory does not grow for ever; what was settled is counted once. */
static void test_full(void **state)
{
	static const struct phase phase = {1, 1};
	struct pgb_visits *visits = pgb_visits_new();
	struct pgb_edges *edges = pgb_edges_new();
	unsigned int count = 0;

	(void)state;
	for (; !pgb_visits_full(visits); count++) {
		assert_true(count < 1000000);
		visit(visits, 0, &phase, false);
	}
	pgb_visits_settle(visits, edges);
	assert_false(pgb_visits_full(visits));
	visit(visits, 0, &phase, false);
	pgb_visits_settle(visits, edges);
	assert_int_equal(count_all(edges), (count + 1) * BRANCHES);
	pgb_edges_free(edges);
	pgb_visits_free(visits);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases),	cmocka_unit_test(test_one),
		cmocka_unit_test(test_unknown), cmocka_unit_test(test_speed),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
