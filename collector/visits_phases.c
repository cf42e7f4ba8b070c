/* SPDX-License-Identifier: MIT */
/*
 * Phases: visits that pass the same code, each seen together with those before and after it, as a
 * visit alone is often shorter than a turn of the loop it is in. Each goes to the phase that is
 * most alike, or begins a new one; a second time all phases are known.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/visits_private.h"

/* Cosine of two looks; below, they are two phases. */
static const double alike_least = 0.6;
static const float neighbour_part = 0.5f;

struct phases {
	const struct visits_set *set;
	float *sums;	 /* of looks, by place and phase */
	double *squares; /* of the sums, by phase */
	uint32_t count;
	float *look; /* of one visit, by place; 0 where it is not */
	PGB_ARRAY(uint32_t) touched;
};

/* By place, then by phase: one that looks compares itself with all phases at once. */
static float *sums_of(struct phases *phases, uint32_t place)
{
	return phases->sums + (size_t)place * VISITS_PHASES;
}

static void look_at(struct phases *phases, size_t number, float part)
{
	const struct visits_one *visit = &phases->set->items[number];
	const struct visits_amount *looks = phases->set->looks + visit->first_look;

	for (size_t i = 0; i < visit->look_count; i++) {
		if (phases->look[looks[i].place] == 0)
			pgb_array_push(&phases->touched, looks[i].place);
		phases->look[looks[i].place] += looks[i].amount * part;
	}
}

/* Square roots: what is executed often is not all there is. Length 1. */
static void look(struct phases *phases, size_t number)
{
	const struct visits_one *items = phases->set->items;
	double square = 0;

	for (size_t i = 0; i < phases->touched.count; i++)
		phases->look[phases->touched.items[i]] = 0;
	phases->touched.count = 0;
	look_at(phases, number, 1);
	if (number > 0 && items[number - 1].process == items[number].process)
		look_at(phases, number - 1, neighbour_part);
	if (number + 1 < phases->set->count && items[number + 1].process == items[number].process)
		look_at(phases, number + 1, neighbour_part);
	for (size_t i = 0; i < phases->touched.count; i++)
		square += (double)phases->look[phases->touched.items[i]];
	for (size_t i = 0; i < phases->touched.count; i++) {
		float *at = &phases->look[phases->touched.items[i]];

		*at = (float)sqrt((double)*at / square);
	}
}

static uint32_t most_alike(struct phases *phases, double *best)
{
	float products[VISITS_PHASES] = {0};
	uint32_t found = 0;

	for (size_t i = 0; i < phases->touched.count; i++) {
		uint32_t place = phases->touched.items[i];
		const float *sums = sums_of(phases, place);
		float part = phases->look[place];

		for (uint32_t phase = 0; phase < VISITS_PHASES; phase++)
			products[phase] += part * sums[phase];
	}
	*best = -1;
	for (uint32_t phase = 0; phase < phases->count; phase++) {
		double alike = phases->squares[phase] > 0
				       ? (double)products[phase] / sqrt(phases->squares[phase])
				       : 0;

		if (alike > *best) {
			*best = alike;
			found = phase;
		}
	}
	return found;
}

static void join(struct phases *phases, uint32_t phase)
{
	for (size_t i = 0; i < phases->touched.count; i++) {
		uint32_t place = phases->touched.items[i];
		float part = phases->look[place], *sum = sums_of(phases, place) + phase;

		phases->squares[phase] += (double)(part * (2 * *sum + part));
		*sum += part;
	}
}

uint32_t visits_find_phases(struct visits_set *set)
{
	struct phases phases = {.set = set};
	double best;

	phases.sums = pgb_calloc((size_t)VISITS_PHASES * set->look_places + 1, sizeof(float));
	phases.squares = pgb_calloc(VISITS_PHASES, sizeof(double));
	phases.look = pgb_calloc((size_t)set->look_places + 1, sizeof(float));
	for (size_t i = 0; i < set->count; i++) {
		uint32_t phase;

		look(&phases, i);
		phase = most_alike(&phases, &best);
		if (best < alike_least && phases.count < VISITS_PHASES)
			phase = phases.count++;
		join(&phases, phase);
	}
	for (size_t i = 0; i < set->count; i++) {
		look(&phases, i);
		set->items[i].phase = most_alike(&phases, &best);
	}
	free(phases.sums);
	free(phases.squares);
	free(phases.look);
	pgb_array_release(&phases.touched);
	return phases.count;
}
