/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/bench/stats.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_close(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-12)
		fail_msg("%.15g, not %.15g", got, wanted);
}

static void random_numbers_are_even(void **state)
{
	struct pgb_random random = {7};
	unsigned int counts[10] = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		counts[pgb_random_below(&random, 10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(counts[i], 9500, 10500);
}

static void medians(void **state)
{
	static const double values[] = {3, 30, 1, 10, 2, 20, 4, 40};
	struct pgb_samples samples = {values, 2, 3, false};

	(void)state;
	assert_close(pgb_stats_median(&samples, 0), 2);
	assert_close(pgb_stats_median(&samples, 1), 20);
	samples.rounds = 4;
	assert_close(pgb_stats_median(&samples, 0), 2.5);
	samples.rounds = 1;
	assert_close(pgb_stats_median(&samples, 1), 30);
}

static void signed_rank_known_values(void **state)
{
	static const struct {
		double differences[8];
		size_t count;
		double p;
	} rows[] = {
		{{0}, 0, 1},
		{{0, 0}, 2, 1},
		{{5}, 1, 1},
		{{1, 2, 3, 4, 5}, 5, 2.0 / 32},
		{{1, 2, 3, 4, 5, 6}, 6, 2.0 / 64},
		{{-1, -2, -3, -4, -5, -6, 0}, 7, 2.0 / 64},
		{{1, 2, 3, 4, 5, -6}, 6, 28.0 / 64},
		{{1, 1, -1}, 3, 1},
		{{1, 1, 2}, 3, 2.0 / 8},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_close(pgb_stats_signed_rank(rows[i].differences, rows[i].count), rows[i].p);
}

/* Rank sum of the positive ones, ties shared, without sorting. */
static double rank_sum(const double *magnitudes, size_t count, unsigned int signs)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		double rank = 0.5;

		for (size_t j = 0; j < count; j++)
			rank += magnitudes[j] < magnitudes[i]	 ? 1
				: magnitudes[j] == magnitudes[i] ? 0.5
								 : 0;
		sum += signs >> i & 1 ? rank : 0;
	}
	return sum;
}

/* All 2^n signs, one by one. */
static void signed_rank_agrees_with_counting(void **state)
{
	struct pgb_random random = {11};
	enum { N = 9, MEAN2 = N * (N + 1) / 2 };

	(void)state;
	for (int trial = 0; trial < 20; trial++) {
		unsigned int signs = (unsigned int)pgb_random_below(&random, 1 << N), extreme = 0;
		double magnitudes[N], differences[N], observed;

		for (int i = 0; i < N; i++) {
			magnitudes[i] = 1 + (double)pgb_random_below(&random, trial < 10 ? 5 : 500);
			differences[i] = signs >> i & 1 ? magnitudes[i] : -magnitudes[i];
		}
		observed = fabs(2 * rank_sum(magnitudes, N, signs) - MEAN2);
		for (unsigned int other = 0; other < 1 << N; other++)
			extreme += fabs(2 * rank_sum(magnitudes, N, other) - MEAN2) >= observed;
		assert_close(pgb_stats_signed_rank(differences, N), (double)extreme / (1 << N));
	}
}

/* Where the exact distribution ends the approximation goes on. */
static void signed_rank_of_many(void **state)
{
	double differences[PGB_STATS_EXACT_MAX + 1];
	double exact, approximate;

	(void)state;
	for (size_t i = 0; i < COUNT(differences); i++)
		differences[i] = (i % 7 < 3 ? -1 : 1) * (double)(i + 1);
	exact = pgb_stats_signed_rank(differences, PGB_STATS_EXACT_MAX);
	approximate = pgb_stats_signed_rank(differences, PGB_STATS_EXACT_MAX + 1);
	assert_true(exact > 0.01 && exact < 0.1);
	assert_true(approximate < exact && approximate > exact / 2); /* one more, of the many */
	for (size_t i = 0; i < COUNT(differences); i++)
		differences[i] = (i % 2 ? -1 : 1) * (double)(i / 2 + 1);
	assert_true(pgb_stats_signed_rank(differences, COUNT(differences)) > 0.5);
}

static void rounds_needed(void **state)
{
	(void)state;
	assert_int_equal(pgb_stats_rounds_needed(0.05), 6);
	assert_int_equal(pgb_stats_rounds_needed(0.0313), 6);
	assert_int_equal(pgb_stats_rounds_needed(0.0312), 7);
	assert_int_equal(pgb_stats_rounds_needed(0.0051), 9);
}

/* The levels of all looks together are what was allowed, whatever the looks. */
static void looks_share_the_level(void **state)
{
	static const double fractions[] = {0.0625, 0.125, 0.25, 0.5, 1, 1};
	struct pgb_stats_plan plan = {.error_rate = 0.05, .comparisons = 1};
	struct pgb_stats_plan late = plan, three = {.error_rate = 0.05, .comparisons = 3};
	double sum = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(fractions); i++)
		sum += pgb_stats_plan_look(&plan, fractions[i], 100);
	assert_close(sum, 0.05);
	/* with five rounds nothing can be shown: the look costs nothing */
	assert_true(pgb_stats_plan_look(&late, 0.5, 5) == 0);
	assert_close(late.spent, 0);
	assert_close(pgb_stats_plan_look(&late, 1.5, 10), 0.05);
	assert_close(pgb_stats_plan_look(&three, 1, 10), 0.05 / 3);
}

static void intervals(void **state)
{
	double values[40];
	struct pgb_samples samples = {values, 2, 20, false};
	struct pgb_comparison a[2], b[2];

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		values[2 * i] = 100 + (double)(i * 7 % 20) / 10;
		values[2 * i + 1] = 80 + (double)(i * 3 % 20) / 10;
	}
	pgb_stats_compare(&samples, 0.05, 3, a);
	pgb_stats_compare(&samples, 0.05, 3, b);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(a[0].verdict, PGB_VERDICT_NO_DIFFERENCE);
	assert_int_equal(a[1].verdict, PGB_VERDICT_FASTER);
	assert_close(a[1].ratio.value, 100.95 / 80.95);
	assert_true(a[1].ratio.low > 1.23 && a[1].ratio.low < a[1].ratio.value);
	assert_true(a[1].ratio.high < 1.26 && a[1].ratio.high > a[1].ratio.value);
	assert_true(a[1].median.low < 80.95 && a[1].median.high > 80.95);
	/* a wider interval for less chance of error */
	pgb_stats_compare(&samples, 0.001, 3, b);
	assert_true(b[1].ratio.low < a[1].ratio.low && b[1].ratio.high > a[1].ratio.high);
	samples.higher_is_better = true;
	pgb_stats_compare(&samples, 0.05, 3, a);
	assert_int_equal(a[1].verdict, PGB_VERDICT_SLOWER);
	assert_close(a[1].ratio.value, 80.95 / 100.95);
	samples.rounds = 5;
	pgb_stats_compare(&samples, 0.05, 3, a);
	assert_int_equal(a[1].verdict, PGB_VERDICT_TOO_FEW);
}

static void one_command_alone(void **state)
{
	static const double values[] = {10, 10, 10, 10};
	struct pgb_samples samples = {values, 1, 4, false};
	struct pgb_comparison alone;

	(void)state;
	pgb_stats_compare(&samples, 0.05, 1, &alone);
	assert_close(alone.median.value, 10);
	assert_close(alone.median.low, 10);
	assert_close(alone.ratio.high, 1);
	assert_close(pgb_stats_precision(&alone, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_numbers_are_even),
		cmocka_unit_test(medians),
		cmocka_unit_test(signed_rank_known_values),
		cmocka_unit_test(signed_rank_agrees_with_counting),
		cmocka_unit_test(signed_rank_of_many),
		cmocka_unit_test(rounds_needed),
		cmocka_unit_test(looks_share_the_level),
		cmocka_unit_test(intervals),
		cmocka_unit_test(one_command_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
