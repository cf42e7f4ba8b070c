/* SPDX-License-Identifier: MIT */
/* How much each visit counts: see visits.h for the model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/visits_private.h"

enum { TURNS = 40 };

static const double step = 0.7;
/* Visits that each place, each phase is taken to have beyond what was seen, as expected. */
static const double prior_place = 2, prior_phase = 2;
/* Variance of a place's cost from phase to phase: at first, and its bounds. */
static const double variance_first = 0.3, variance_least = 0.02, variance_most = 5;
/* Above expectation by so many standard deviations at most. */
static const double above_most = 1;
/* Phases that are alike but for noise come out this far apart (standard deviation of logarithms).
 */
static const double noise = 0.05;
/*
 * How much of it is found where phases really are far apart: priors and bounds pull towards 1, and
 * a phase has some visits of others. Less would fit SQLite better, and phases that are pure worse.
 */
static const double found_part = 0.84;

struct model {
	uint32_t phases, places;
	double *mass;	  /* by phase and place: executed by its visits, in visits */
	double *starts;	  /* by phase and place */
	double *weight;	  /* by phase */
	double *visits;	  /* by phase */
	double *cost;	  /* by place; 1 is the mean */
	double *variance; /* by place */
	double *sums[4];  /* by place, of one turn */
};

struct cell {
	double expected, seen, trust;
};

static struct cell cell_of(const struct model *model, uint32_t phase, uint32_t place)
{
	size_t at = (size_t)phase * model->places + place;
	double expected = model->weight[phase] * model->mass[at] * model->cost[place];
	double spread = model->variance[place] * expected;
	struct cell cell = {
		.expected = expected, .seen = model->starts[at], .trust = 1 / (1 + spread)};
	double most = expected + above_most * sqrt(expected * (1 + spread) + 0.25);

	if (cell.seen > most)
		cell.seen = most;
	return cell;
}

static void turn_places(struct model *model, bool vary)
{
	for (unsigned int i = 0; i < 4; i++)
		memset(model->sums[i], 0, model->places * sizeof(double));
	for (uint32_t phase = 0; phase < model->phases; phase++) {
		for (uint32_t place = 0; place < model->places; place++) {
			size_t at = (size_t)phase * model->places + place;
			struct cell cell;
			double off;

			if (model->mass[at] <= 0)
				continue;
			cell = cell_of(model, phase, place);
			off = model->starts[at] - cell.expected;
			model->sums[0][place] += cell.seen * cell.trust;
			model->sums[1][place] +=
				model->weight[phase] * model->mass[at] * cell.trust;
			model->sums[2][place] +=
				(off * off - cell.expected) * cell.trust * cell.trust;
			model->sums[3][place] +=
				cell.expected * cell.expected * cell.trust * cell.trust;
		}
	}
	for (uint32_t place = 0; place < model->places; place++) {
		double fresh = (model->sums[0][place] + prior_place) /
			       (model->sums[1][place] + prior_place);
		double apart = (fmax(model->sums[2][place], 0) + variance_first) /
			       (model->sums[3][place] + 1);

		model->cost[place] *= pow(fresh / model->cost[place], step);
		apart = (model->variance[place] + apart) / 2;
		if (vary)
			model->variance[place] = fmin(fmax(apart, variance_least), variance_most);
	}
}

static void turn_phases(struct model *model)
{
	double sum = 0, visits = 0;

	for (uint32_t phase = 0; phase < model->phases; phase++) {
		double seen = prior_phase, expected = prior_phase;

		for (uint32_t place = 0; place < model->places; place++) {
			struct cell cell;

			if (model->mass[(size_t)phase * model->places + place] <= 0)
				continue;
			cell = cell_of(model, phase, place);
			seen += cell.seen * cell.trust;
			expected += cell.expected * cell.trust;
		}
		model->weight[phase] *= pow(seen / expected, step);
		sum += model->weight[phase] * model->visits[phase];
		visits += model->visits[phase];
	}
	for (uint32_t phase = 0; phase < model->phases; phase++)
		model->weight[phase] *= visits / sum;
}

static void fill(struct model *model, const struct visits_set *set)
{
	double mass = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct visits_one *visit = &set->items[i];
		size_t row = (size_t)visit->phase * model->places;

		for (size_t k = 0; k < visit->mass_count; k++) {
			const struct visits_amount *one = &set->masses[visit->first_mass + k];

			model->mass[row + one->place] += (double)one->amount;
			mass += (double)one->amount;
		}
		if (visit->start < model->places)
			model->starts[row + visit->start]++;
		model->visits[visit->phase]++;
	}
	for (size_t i = 0; i < (size_t)model->phases * model->places; i++)
		model->mass[i] *= (double)set->count / fmax(mass, 1);
}

static void solve(struct model *model)
{
	for (uint32_t i = 0; i < model->phases; i++)
		model->weight[i] = 1;
	for (uint32_t i = 0; i < model->places; i++) {
		model->cost[i] = 1;
		model->variance[i] = variance_first;
	}
	for (unsigned int turn = 0; turn < TURNS; turn++) {
		turn_places(model, turn > 3);
		turn_phases(model);
	}
}

/* Weights that are hardly further apart than noise are noise; others are set straight. */
static void correct(struct model *model)
{
	double visits = 0, sum = 0, squares = 0, variance, part;

	for (uint32_t i = 0; i < model->phases; i++) {
		double off = log(model->weight[i]);

		visits += model->visits[i];
		sum += model->visits[i] * off;
		squares += model->visits[i] * off * off;
	}
	variance = squares / visits - sum / visits * (sum / visits);
	part = variance > noise * noise ? (1 - noise * noise / variance) / found_part : 0;
	for (uint32_t i = 0; i < model->phases; i++)
		model->weight[i] = pow(model->weight[i], part);
}

/* Of visits that begin where the phase waits only as many as its executions. */
static double start_weight(const struct model *model, const struct visits_one *visit)
{
	size_t at = (size_t)visit->phase * model->places + visit->start;

	if (visit->start >= model->places)
		return 1;
	return fmin((model->weight[visit->phase] * model->mass[at] + prior_place) /
			    (model->starts[at] + prior_place),
		    1);
}

static void weigh(struct model *model, const struct visits_set *set, double *weights)
{
	double *sums = pgb_calloc((size_t)model->phases + 1, sizeof(*sums));

	for (size_t i = 0; i < set->count; i++) {
		weights[i] = start_weight(model, &set->items[i]);
		sums[set->items[i].phase] += weights[i];
	}
	for (size_t i = 0; i < set->count; i++) {
		uint32_t phase = set->items[i].phase;

		weights[i] *= model->weight[phase] * model->visits[phase] / sums[phase];
	}
	free(sums);
}

void visits_weigh(const struct visits_set *set, uint32_t phases, double *weights)
{
	struct model model = {.phases = phases, .places = set->mass_places};
	size_t cells = (size_t)phases * model.places + 1;

	model.mass = pgb_calloc(cells, sizeof(double));
	model.starts = pgb_calloc(cells, sizeof(double));
	model.weight = pgb_calloc((size_t)phases * 2 + 1, sizeof(double));
	model.visits = model.weight + phases;
	model.cost = pgb_calloc((size_t)model.places * 6 + 1, sizeof(double));
	model.variance = model.cost + model.places;
	for (unsigned int i = 0; i < 4; i++)
		model.sums[i] = model.cost + (i + 2) * (size_t)model.places;
	fill(&model, set);
	solve(&model);
	correct(&model);
	weigh(&model, set, weights);
	free(model.mass);
	free(model.starts);
	free(model.weight);
	free(model.cost);
}
