/* SPDX-License-Identifier: MIT */
/*
 * Is one command faster than another? Medians and their ratio with bootstrap intervals, an exact
 * paired test, and levels for looking at the data while they are gathered.
 *
 * Pure functions of their arguments: the same numbers and seed give the same answer everywhere.
 * All measurements are finite and positive.
 */
#ifndef PGOBOLT_BENCH_STATS_H
#define PGOBOLT_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SplitMix64; the seed is the state. */
struct pgb_random {
	uint64_t state;
};

uint64_t pgb_random_next(struct pgb_random *random);
/* 0 .. below-1, all equally likely. `below` is not 0. */
uint64_t pgb_random_below(struct pgb_random *random, uint64_t below);

/* One measurement of each command in each round: values[round * commands + command]. */
struct pgb_samples {
	const double *values;
	size_t commands, rounds;
	bool higher_is_better;
};

struct pgb_estimate {
	double value, low, high;
};

enum pgb_verdict {
	PGB_VERDICT_TOO_FEW, /* so few rounds that no outcome could show a difference */
	PGB_VERDICT_NO_DIFFERENCE,
	PGB_VERDICT_FASTER,
	PGB_VERDICT_SLOWER,
};

/* One command; the ratio says how many times as fast as command 0 it is. */
struct pgb_comparison {
	struct pgb_estimate median;
	struct pgb_estimate ratio;
	double p; /* of the exact test of no difference to command 0 */
	enum pgb_verdict verdict;
};

/* Of one command; rounds > 0. */
double pgb_stats_median(const struct pgb_samples *samples, size_t command);

/*
 * Percentile bootstrap (Efron 1979): whole rounds are drawn with replacement, so that what slowed
 * all commands of a round stays together. `level` is the chance of error, e.g. 0.05. Both arrays
 * hold an element per command; ratios[0] is 1. rounds > 0.
 */
void pgb_stats_bootstrap(const struct pgb_samples *samples, double level, uint64_t seed,
			 struct pgb_estimate *medians, struct pgb_estimate *ratios);

/*
 * Two-sided p of Wilcoxon's signed-rank test: exact, also with ties (the distribution over all
 * signs given the ranks), up to PGB_STATS_EXACT_MAX differences, beyond that by the normal
 * approximation with continuity correction. Zeros are left out. Where the order within a round is
 * random, a difference of two equal commands has either sign with the same chance: the test assumes
 * nothing else.
 */
#define PGB_STATS_EXACT_MAX 250
double pgb_stats_signed_rank(const double *differences, size_t count);

/* The fewest rounds in which p can be as small as `level`: 6 for 0.05. */
size_t pgb_stats_rounds_needed(double level);

/*
 * Looking again and again and stopping at a liked answer would be wrong more often than
 * `error_rate`. So each look may only use up its share: by Pocock's spending function
 * error_rate * ln(1 + (e - 1) * fraction) (Lan and DeMets, Biometrika 70, 1983), with the shares
 * of the looks, and of the comparisons, simply added up. That bound holds whatever the tests have
 * in common, and whatever the reason to stop.
 */
struct pgb_stats_plan {
	double error_rate;
	size_t comparisons; /* commands but the first; at least 1 */
	double spent;
};

/*
 * Level of a look when `fraction` (0..1) of what may be gathered is there. 0: with these rounds
 * nothing could be shown at that level, and nothing is spent.
 */
double pgb_stats_plan_look(struct pgb_stats_plan *plan, double fraction, size_t rounds);

/* The whole answer at this level; an element per command in `comparisons`. rounds > 0. */
void pgb_stats_compare(const struct pgb_samples *samples, double level, uint64_t seed,
		       struct pgb_comparison *comparisons);

/* Half the width of the ratio's interval, as a share of the ratio; the largest of all commands. */
double pgb_stats_precision(const struct pgb_comparison *comparisons, size_t commands);

#endif
