/* SPDX-License-Identifier: MIT */
#include "pgobolt/bench/stats.h"

#include <math.h>
#include <stdlib.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/hash.h"

enum {
	RESAMPLES_MAX = 10000,
	RESAMPLES_MIN = 2000,
	DRAWS_MAX = 20 * 1000 * 1000, /* fewer resamples where there are very many rounds */
};

uint64_t pgb_random_next(struct pgb_random *random)
{
	random->state += 0x9e3779b97f4a7c15u;
	return pgb_hash_u64(random->state);
}

uint64_t pgb_random_below(struct pgb_random *random, uint64_t below)
{
	uint64_t skipped = -below % below; /* 2^64 modulo below: what would favour small results */
	uint64_t value;

	do
		value = pgb_random_next(random);
	while (value < skipped);
	return value % below;
}

/* ---- medians and their bootstrap */

struct ranked {
	double value;
	size_t round;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	return (left->value > right->value) - (left->value < right->value);
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static struct ranked *rank_rounds(const struct pgb_samples *samples, size_t command)
{
	struct ranked *ranked = pgb_calloc(samples->rounds, sizeof(*ranked));

	for (size_t i = 0; i < samples->rounds; i++)
		ranked[i] = (struct ranked){samples->values[i * samples->commands + command], i};
	qsort(ranked, samples->rounds, sizeof(*ranked), compare_ranked);
	return ranked;
}

/* Median when round i is there counts[i] times; the counts add up to the number of rounds. */
static double weighted_median(const struct ranked *ranked, size_t rounds,
			      const unsigned int *counts)
{
	size_t lower = (rounds - 1) / 2, upper = rounds / 2, seen = 0, i = 0;
	double low;

	while ((seen += counts[ranked[i].round]) <= lower)
		i++;
	low = ranked[i].value;
	while (seen <= upper)
		seen += counts[ranked[++i].round];
	return (low + ranked[i].value) / 2;
}

double pgb_stats_median(const struct pgb_samples *samples, size_t command)
{
	struct ranked *ranked = rank_rounds(samples, command);
	size_t rounds = samples->rounds;
	double median = (ranked[(rounds - 1) / 2].value + ranked[rounds / 2].value) / 2;

	free(ranked);
	return median;
}

static double ratio_of(const struct pgb_samples *samples, double first, double other)
{
	return samples->higher_is_better ? other / first : first / other;
}

/* The middle of the sorted values, without `level` / 2 of them at either end. */
static void cut_tails(double *values, size_t count, double level, struct pgb_estimate *estimate)
{
	size_t cut = (size_t)(level / 2 * (double)count);

	qsort(values, count, sizeof(*values), compare_doubles);
	if (cut > 0)
		cut--;
	estimate->low = values[cut];
	estimate->high = values[count - 1 - cut];
}

struct bootstrap {
	const struct pgb_samples *samples;
	struct ranked **ranked; /* per command */
	double *medians;	/* per command, resamples each */
	size_t resamples;
};

static void draw(struct bootstrap *bootstrap, uint64_t seed)
{
	size_t rounds = bootstrap->samples->rounds;
	unsigned int *counts = pgb_calloc(rounds, sizeof(*counts));
	struct pgb_random random = {seed};

	for (size_t i = 0; i < bootstrap->resamples; i++) {
		memset(counts, 0, rounds * sizeof(*counts));
		for (size_t j = 0; j < rounds; j++)
			counts[pgb_random_below(&random, rounds)]++;
		for (size_t c = 0; c < bootstrap->samples->commands; c++)
			bootstrap->medians[c * bootstrap->resamples + i] =
				weighted_median(bootstrap->ranked[c], rounds, counts);
	}
	free(counts);
}

static void conclude(struct bootstrap *bootstrap, double level, struct pgb_estimate *medians,
		     struct pgb_estimate *ratios)
{
	const struct pgb_samples *samples = bootstrap->samples;
	size_t count = bootstrap->resamples;
	double *ratio = pgb_calloc(count, sizeof(*ratio));

	for (size_t c = 0; c < samples->commands; c++)
		medians[c].value = pgb_stats_median(samples, c);
	for (size_t c = 0; c < samples->commands; c++) {
		ratios[c] = (struct pgb_estimate){1, 1, 1};
		if (c == 0)
			continue;
		for (size_t i = 0; i < count; i++)
			ratio[i] = ratio_of(samples, bootstrap->medians[i],
					    bootstrap->medians[c * count + i]);
		ratios[c].value = ratio_of(samples, medians[0].value, medians[c].value);
		cut_tails(ratio, count, level, &ratios[c]);
	}
	for (size_t c = 0; c < samples->commands; c++)
		cut_tails(bootstrap->medians + c * count, count, level, &medians[c]);
	free(ratio);
}

void pgb_stats_bootstrap(const struct pgb_samples *samples, double level, uint64_t seed,
			 struct pgb_estimate *medians, struct pgb_estimate *ratios)
{
	struct bootstrap bootstrap = {
		.samples = samples,
		.ranked = pgb_calloc(samples->commands, sizeof(*bootstrap.ranked)),
		.resamples = DRAWS_MAX / samples->rounds,
	};

	if (bootstrap.resamples > RESAMPLES_MAX)
		bootstrap.resamples = RESAMPLES_MAX;
	if (bootstrap.resamples < RESAMPLES_MIN)
		bootstrap.resamples = RESAMPLES_MIN;
	bootstrap.medians =
		pgb_calloc(samples->commands * bootstrap.resamples, sizeof(*bootstrap.medians));
	for (size_t c = 0; c < samples->commands; c++)
		bootstrap.ranked[c] = rank_rounds(samples, c);
	draw(&bootstrap, seed);
	conclude(&bootstrap, level, medians, ratios);
	for (size_t c = 0; c < samples->commands; c++)
		free(bootstrap.ranked[c]);
	free(bootstrap.ranked);
	free(bootstrap.medians);
}

/* ---- the signed-rank test */

static int compare_magnitudes(const void *a, const void *b)
{
	double left = fabs(*(const double *)a), right = fabs(*(const double *)b);

	return (left > right) - (left < right);
}

/* Twice the mean rank of each sorted magnitude: whole numbers, also for ties. */
static void double_ranks(const double *sorted, size_t count, size_t *ranks)
{
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count && fabs(sorted[end]) == fabs(sorted[first]);)
			end++;
		for (size_t i = first; i < end; i++)
			ranks[i] = first + 1 + end;
	}
}

/* Chance that the rank sum of random signs is as far from its mean, `total` / 2, as `sum` is. */
static double exact_chance(const size_t *ranks, size_t count, size_t total, size_t sum)
{
	double *chance = pgb_calloc(total + 1, sizeof(*chance));
	size_t reached = 0, tail = sum < total - sum ? sum : total - sum;
	double p = 0;

	chance[0] = 1;
	for (size_t i = 0; i < count; i++) {
		reached += ranks[i];
		for (size_t s = reached + 1; s-- > 0;)
			chance[s] = (chance[s] + (s >= ranks[i] ? chance[s - ranks[i]] : 0)) / 2;
	}
	for (size_t s = 0; s <= tail; s++)
		p += chance[s];
	free(chance);
	return p < 0.5 ? 2 * p : 1; /* the distribution is symmetric */
}

static double normal_chance(const size_t *ranks, size_t count, size_t total, size_t sum)
{
	double squares = 0, distance = fabs((double)sum - (double)total / 2) - 1;

	for (size_t i = 0; i < count; i++)
		squares += (double)ranks[i] * (double)ranks[i];
	return distance <= 0 ? 1 : erfc(distance / (sqrt(squares) / 2) / sqrt(2));
}

double pgb_stats_signed_rank(const double *differences, size_t count)
{
	double *sorted = pgb_calloc(count, sizeof(*sorted));
	size_t *ranks = pgb_calloc(count, sizeof(*ranks));
	size_t used = 0, total = 0, sum = 0;
	double p;

	for (size_t i = 0; i < count; i++)
		if (differences[i] != 0)
			sorted[used++] = differences[i];
	qsort(sorted, used, sizeof(*sorted), compare_magnitudes);
	double_ranks(sorted, used, ranks);
	for (size_t i = 0; i < used; i++) {
		total += ranks[i];
		sum += sorted[i] > 0 ? ranks[i] : 0;
	}
	p = used <= PGB_STATS_EXACT_MAX ? exact_chance(ranks, used, total, sum)
					: normal_chance(ranks, used, total, sum);
	free(sorted);
	free(ranks);
	return p;
}

/* ---- looks */

size_t pgb_stats_rounds_needed(double level)
{
	size_t rounds = 1;

	for (double smallest = 1; smallest > level && rounds < 1024; smallest /= 2)
		rounds++;
	return rounds;
}

double pgb_stats_plan_look(struct pgb_stats_plan *plan, double fraction, size_t rounds)
{
	double allowed, level;

	if (fraction > 1)
		fraction = 1;
	allowed = plan->error_rate * log1p((exp(1) - 1) * fraction);
	level = (allowed - plan->spent) / (double)plan->comparisons;
	if (level <= 0 || rounds < pgb_stats_rounds_needed(level))
		return 0;
	plan->spent = allowed;
	return level;
}

static enum pgb_verdict judge(const struct pgb_comparison *comparison, double level, size_t rounds)
{
	if (rounds < pgb_stats_rounds_needed(level))
		return PGB_VERDICT_TOO_FEW;
	if (comparison->p <= level && comparison->ratio.low > 1)
		return PGB_VERDICT_FASTER;
	if (comparison->p <= level && comparison->ratio.high < 1)
		return PGB_VERDICT_SLOWER;
	return PGB_VERDICT_NO_DIFFERENCE;
}

void pgb_stats_compare(const struct pgb_samples *samples, double level, uint64_t seed,
		       struct pgb_comparison *comparisons)
{
	size_t commands = samples->commands;
	struct pgb_estimate *estimates = pgb_calloc(2 * commands, sizeof(*estimates));
	double *differences = pgb_calloc(samples->rounds, sizeof(*differences));

	pgb_stats_bootstrap(samples, level, seed, estimates, estimates + commands);
	for (size_t c = 0; c < commands; c++) {
		struct pgb_comparison *comparison = &comparisons[c];

		for (size_t i = 0; i < samples->rounds; i++)
			differences[i] = log(samples->values[i * commands] /
					     samples->values[i * commands + c]);
		comparison->median = estimates[c];
		comparison->ratio = estimates[commands + c];
		comparison->p = pgb_stats_signed_rank(differences, samples->rounds);
		comparison->verdict = judge(comparison, level, samples->rounds);
	}
	free(estimates);
	free(differences);
}

double pgb_stats_precision(const struct pgb_comparison *comparisons, size_t commands)
{
	double widest = 0;

	for (size_t c = 0; c < commands; c++) {
		const struct pgb_estimate *ratio = &comparisons[c].ratio;
		double half = (ratio->high - ratio->low) / 2 / ratio->value;

		/* a command alone: how well its median is known */
		if (commands == 1)
			half = (comparisons[c].median.high - comparisons[c].median.low) / 2 /
			       comparisons[c].median.value;
		widest = half > widest ? half : widest;
	}
	return widest;
}
