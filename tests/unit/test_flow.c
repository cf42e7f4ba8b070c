/* SPDX-License-Identifier: MIT */
/* Flows that can be worked out by hand, and random ones that must not get cheaper by a detour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/bolt/flow.h"

#define MANY UINT64_C(10000000)

static struct pgb_flow_arc arc(uint32_t tail, uint32_t head, uint32_t exposure, uint64_t count)
{
	return (struct pgb_flow_arc){.tail = tail,
				     .head = head,
				     .exposure = exposure * PGB_FLOW_WEIGHT,
				     .count = count * PGB_FLOW_WEIGHT};
}

/* Is `flow` within `percent` of so many counts? */
static void assert_near(int64_t flow, double counts, double percent)
{
	double off = fabs((double)flow - counts * PGB_FLOW_SCALE);

	if (off > counts * PGB_FLOW_SCALE * percent / 100 + 2)
		fail_msg("flow %g, not %g", (double)flow / PGB_FLOW_SCALE, counts);
}

static void assert_conserves(const struct pgb_flow_arc *arcs, size_t count, size_t nodes)
{
	int64_t *excess = pgb_calloc(nodes, sizeof(*excess));

	for (size_t i = 0; i < count; i++) {
		assert_true(arcs[i].flow >= 0);
		excess[arcs[i].tail] -= arcs[i].flow;
		excess[arcs[i].head] += arcs[i].flow;
	}
	for (size_t i = 0; i < nodes; i++)
		assert_int_equal(excess[i], 0);
	free(excess);
}

/* 0 is outside; 1 parts into 2 and 3, which meet in 4 and leave. */
static void test_counts_that_agree_stay(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 1, 100), arc(1, 2, 1, 70), arc(1, 3, 1, 30),
				      arc(2, 4, 1, 70),	 arc(3, 4, 1, 30), arc(4, 0, 1, 100)};

	(void)state;
	assert_true(pgb_flow_solve(arcs, 6, 5, MANY));
	assert_conserves(arcs, 6, 5);
	for (size_t i = 0; i < 6; i++)
		assert_near(arcs[i].flow, (double)arcs[i].count / PGB_FLOW_WEIGHT, 0.5);
}

static void test_unseen_arcs_are_filled(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 0, 0), arc(1, 2, 1, 70), arc(1, 3, 1, 30),
				      arc(2, 4, 0, 0), arc(3, 4, 0, 0),	 arc(4, 0, 0, 0)};

	(void)state;
	assert_true(pgb_flow_solve(arcs, 6, 5, MANY));
	assert_conserves(arcs, 6, 5);
	assert_near(arcs[0].flow, 100, 1);
	assert_near(arcs[3].flow, 70, 1);
	assert_near(arcs[4].flow, 30, 1);
	assert_near(arcs[5].flow, 100, 1);
}

/* One way seen by ten instructions, the other by one; the sum by nobody. */
static void test_exposure_divides(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 10, 1000), arc(0, 1, 1, 100), arc(1, 0, 0, 0)};

	(void)state;
	assert_true(pgb_flow_solve(arcs, 3, 2, MANY));
	assert_near(arcs[0].flow, 100, 1);
	assert_near(arcs[1].flow, 100, 1);
	assert_near(arcs[2].flow, 200, 1);
}

/* Counts that contradict each other meet where both are equally likely: the larger weighs more. */
static void test_contradictions_meet(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 1, 900), arc(1, 0, 1, 1100)};
	struct pgb_flow_arc heavy[] = {arc(0, 1, 9, 900 * 9), arc(1, 0, 1, 1100)};

	(void)state;
	assert_true(pgb_flow_solve(arcs, 2, 2, MANY));
	assert_int_equal(arcs[0].flow, arcs[1].flow);
	assert_near(arcs[0].flow, 1000, 1);
	assert_true(pgb_flow_solve(heavy, 2, 2, MANY));
	assert_near(heavy[0].flow, 920, 1);
}

/* Of two ways that nobody took, the one with fewer chances to be seen. */
static void test_zeros_are_evidence(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 1, 50), arc(1, 0, 3, 0), arc(1, 0, 1, 0),
				      arc(1, 0, 0, 0)};

	(void)state;
	arcs[3].price = 2 * PGB_FLOW_WEIGHT;
	assert_true(pgb_flow_solve(arcs, 4, 2, MANY));
	assert_conserves(arcs, 4, 2);
	assert_int_equal(arcs[1].flow, 0);
	assert_int_equal(arcs[3].flow, 0);
	/* half of what was seen, as near as the steps of the cost come */
	assert_near(arcs[2].flow, 25, 15);
}

static void test_loop_to_itself(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 1, 5), arc(1, 1, 1, 400), arc(1, 0, 0, 0)};

	(void)state;
	assert_true(pgb_flow_solve(arcs, 3, 2, MANY));
	assert_near(arcs[0].flow, 5, 1);
	assert_near(arcs[1].flow, 400, 1);
}

static void test_limits(void **state)
{
	struct pgb_flow_arc arcs[] = {arc(0, 1, 1, UINT64_MAX / PGB_FLOW_WEIGHT), arc(1, 0, 200, 3),
				      arc(1, 0, 1, 0)};

	(void)state;
	/* too few steps: the counts, and said so */
	assert_false(pgb_flow_solve(arcs, 3, 2, 1));
	for (size_t i = 0; i < 3; i++)
		assert_true(arcs[i].flow >= 0);
	assert_true(pgb_flow_solve(arcs, 3, 2, MANY));
	assert_conserves(arcs, 3, 2);
	assert_true(pgb_flow_solve(NULL, 0, 0, MANY));
	assert_true(pgb_flow_solve(NULL, 0, 3, MANY));
}

/* ---- random graphs */

static uint64_t random_below(uint64_t *seed, uint64_t bound)
{
	*seed = pgb_hash_u64(*seed + 0x9e3779b97f4a7c15u);
	return *seed % bound;
}

static double cost_of(const struct pgb_flow_arc *at, double flow)
{
	double exposure = (double)at->exposure / PGB_FLOW_WEIGHT;
	double count = at->exposure ? (double)at->count / PGB_FLOW_WEIGHT : 0;
	double uses = flow / PGB_FLOW_SCALE;

	return exposure * uses + (double)at->price / PGB_FLOW_WEIGHT * uses -
	       (count > 0 ? count * log(uses > 1e-3 ? uses : 1e-3) : 0);
}

static double total_cost(const struct pgb_flow_arc *arcs, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += cost_of(&arcs[i], (double)arcs[i].flow);
	return sum;
}

/* Send `amount` round a cycle found by walking at random; false: the walk came to no end. */
static bool detour(struct pgb_flow_arc *arcs, size_t count, uint64_t *seed, int64_t amount)
{
	uint32_t start = (uint32_t)random_below(seed, 8), node = start;

	for (int steps = 0; steps < 12; steps++) {
		struct pgb_flow_arc *at = &arcs[random_below(seed, count)];

		if (at->tail == node && at->head != node) {
			at->flow += amount;
			node = at->head;
		} else if (at->head == node && at->tail != node && at->flow >= amount) {
			at->flow -= amount;
			node = at->tail;
		} else {
			continue;
		}
		if (node == start)
			return true;
	}
	return false;
}

static void test_no_detour_is_cheaper(void **state)
{
	enum { ARCS = 24, NODES = 8 };

	(void)state;
	for (uint64_t round = 1; round <= 60; round++) {
		struct pgb_flow_arc arcs[ARCS], other[ARCS], again[ARCS];
		uint64_t seed = round;
		double cost;

		for (size_t i = 0; i < ARCS; i++)
			arcs[i] =
				arc(i < NODES ? (uint32_t)i : (uint32_t)random_below(&seed, NODES),
				    i < NODES ? (uint32_t)(i + 1) % NODES
					      : (uint32_t)random_below(&seed, NODES),
				    (uint32_t)random_below(&seed, 4),
				    random_below(&seed, 3) ? random_below(&seed, 200) : 0);
		memcpy(again, arcs, sizeof(arcs));
		assert_true(pgb_flow_solve(arcs, ARCS, NODES, MANY));
		assert_conserves(arcs, ARCS, NODES);
		assert_true(pgb_flow_solve(again, ARCS, NODES, MANY));
		assert_memory_equal(arcs, again, sizeof(arcs));
		cost = total_cost(arcs, ARCS);
		for (int tries = 0; tries < 20000; tries++) {
			memcpy(other, arcs, sizeof(arcs));
			if (detour(other, ARCS, &seed, 1 << random_below(&seed, 12)) &&
			    total_cost(other, ARCS) < cost - 1 - fabs(cost) / 200)
				fail_msg("round %d: %g, a detour costs %g", (int)round, cost,
					 total_cost(other, ARCS));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_that_agree_stay),
		cmocka_unit_test(test_unseen_arcs_are_filled),
		cmocka_unit_test(test_exposure_divides),
		cmocka_unit_test(test_contradictions_meet),
		cmocka_unit_test(test_zeros_are_evidence),
		cmocka_unit_test(test_loop_to_itself),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_detour_is_cheaper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
