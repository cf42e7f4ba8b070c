/* SPDX-License-Identifier: MIT */
#include "collector/visits.h"

#include <math.h>
#include <string.h>

#include "collector/visits_private.h"
#include "pgobolt/base/hash.h"

enum {
	VISITS_MOST = 8192,
	PARTS_MOST = 4 * 1024 * 1024,
	FIRST_SLOTS = 1024,
	/* What a branch costs besides the instructions before it, in instructions. */
	BRANCH_INSTRUCTIONS = 2,
	BYTES_PER_INSTRUCTION = 4,
	/* A range that is longer is one whose end is not known well. */
	RANGE_MOST = 400,
};

/* One edge of one visit. */
struct part {
	uint32_t edge;
	uint32_t count;
};

struct pgb_visits {
	PGB_ARRAY(struct visits_one) items;
	PGB_ARRAY(struct part) parts;
	PGB_ARRAY(struct visits_amount) looks;
	PGB_ARRAY(struct visits_amount) masses;
	struct pgb_edges *edges; /* distinct, by the number in a part; no counts */
	struct visits_places look_places, mass_places;
	struct visits_places visited;	   /* places of each process */
	PGB_ARRAY(uint32_t) last_visitors; /* by place: 1 + the number of the last visit to it */
};

/* ---- places */

static void grow_places(struct visits_places *places)
{
	struct visits_place *former = places->slots;
	size_t former_count = places->slot_count;

	places->slot_count = former_count ? former_count * 2 : FIRST_SLOTS;
	places->slots = pgb_calloc(places->slot_count, sizeof(*places->slots));
	for (size_t i = 0; i < former_count; i++) {
		size_t at = former[i].key & (places->slot_count - 1);

		if (former[i].key == 0)
			continue;
		while (places->slots[at].key != 0)
			at = (at + 1) & (places->slot_count - 1);
		places->slots[at] = former[i];
	}
	free(former);
}

uint32_t visits_place(struct visits_places *places, uint32_t binary, uint64_t address,
		      unsigned int shift)
{
	uint64_t key = pgb_hash_u64(pgb_hash_u64(binary + 1) ^ (address >> shift)) | 1;
	size_t at;

	if (places->count * 2 >= places->slot_count)
		grow_places(places);
	at = key & (places->slot_count - 1);
	while (places->slots[at].key != 0 && places->slots[at].key != key)
		at = (at + 1) & (places->slot_count - 1);
	if (places->slots[at].key == 0)
		places->slots[at] = (struct visits_place){key, places->count++};
	return places->slots[at].number;
}

void visits_places_release(struct visits_places *places)
{
	free(places->slots);
	*places = (struct visits_places){0};
}

/* ---- visits */

struct pgb_visits *pgb_visits_new(void)
{
	struct pgb_visits *visits = pgb_calloc(1, sizeof(*visits));

	visits->edges = pgb_edges_new();
	return visits;
}

/* All but the set of edges. */
static void forget(struct pgb_visits *visits)
{
	pgb_array_release(&visits->items);
	pgb_array_release(&visits->parts);
	pgb_array_release(&visits->looks);
	pgb_array_release(&visits->masses);
	visits_places_release(&visits->look_places);
	visits_places_release(&visits->mass_places);
	visits_places_release(&visits->visited);
	pgb_array_release(&visits->last_visitors);
}

void pgb_visits_free(struct pgb_visits *visits)
{
	if (visits == NULL)
		return;
	forget(visits);
	pgb_edges_free(visits->edges);
	free(visits);
}

static void add_look(struct pgb_visits *visits, const struct pgb_edge *edge)
{
	struct visits_amount look = {.amount = (float)edge->count};

	if (edge->branch >= PGB_ADDRESS_EXTERNAL)
		return;
	look.place =
		visits_place(&visits->look_places, edge->binary, edge->branch, VISITS_LOOK_BITS);
	pgb_array_push(&visits->looks, look);
}

/* What lies between two branches is of the place where the second one is. */
static void add_mass(struct pgb_visits *visits, const struct pgb_edge *edge)
{
	struct visits_amount mass;
	uint64_t bytes;

	if (edge->from >= PGB_ADDRESS_EXTERNAL || edge->to >= PGB_ADDRESS_EXTERNAL)
		return;
	bytes = edge->to >= edge->from ? edge->to - edge->from : 0;
	if (bytes > RANGE_MOST)
		bytes = RANGE_MOST;
	mass.place = visits_place(&visits->mass_places, edge->binary, edge->to, VISITS_PLACE_BITS);
	mass.amount =
		(float)edge->count * (BRANCH_INSTRUCTIONS + (float)bytes / BYTES_PER_INSTRUCTION);
	pgb_array_push(&visits->masses, mass);
}

/* Of the places that the visit passed, the share that is new to its process. */
static double novelty(struct pgb_visits *visits, const struct visits_one *visit)
{
	uint32_t visitor = (uint32_t)visits->items.count + 1, passed = 0;
	uint32_t known = visits->visited.count;

	while (visits->last_visitors.count < visits->mass_places.count)
		pgb_array_push(&visits->last_visitors, 0);
	for (size_t i = 0; i < visit->mass_count; i++) {
		uint32_t place = visits->masses.items[visit->first_mass + i].place;

		passed += visits->last_visitors.items[place] != visitor;
		visits->last_visitors.items[place] = visitor;
		visits_place(&visits->visited, visit->process, place, 0);
	}
	return passed > 0 ? (double)(visits->visited.count - known) / passed : 0;
}

void pgb_visits_add(struct pgb_visits *visits, const struct pgb_visit *visit,
		    const struct pgb_edge *edges, size_t count)
{
	struct visits_one one = {.process = visit->process,
				 .start = UINT32_MAX,
				 .first_part = visits->parts.count,
				 .first_look = visits->looks.count,
				 .first_mass = visits->masses.count};

	if (visit->start < PGB_ADDRESS_EXTERNAL)
		one.start = visits_place(&visits->mass_places, visit->start_binary, visit->start,
					 VISITS_PLACE_BITS);
	for (size_t i = 0; i < count; i++) {
		struct part part = {.edge = pgb_edges_number(visits->edges, &edges[i]),
				    .count = (uint32_t)edges[i].count};

		if (part.edge == PGB_EDGES_NO_NUMBER)
			continue;
		pgb_array_push(&visits->parts, part);
		add_look(visits, &edges[i]);
		add_mass(visits, &edges[i]);
	}
	one.part_count = visits->parts.count - one.first_part;
	one.look_count = visits->looks.count - one.first_look;
	one.mass_count = visits->masses.count - one.first_mass;
	one.speed = 1 / (visit->slowness * (1 + novelty(visits, &one)));
	pgb_array_push(&visits->items, one);
}

bool pgb_visits_full(const struct pgb_visits *visits)
{
	return visits->items.count >= VISITS_MOST || visits->parts.count >= PARTS_MOST;
}

/* ---- counting */

static double sum_of(const struct pgb_visits *visits, const double *weights)
{
	double sum = 0;

	for (size_t i = 0; i < visits->items.count; i++) {
		const struct visits_one *visit = &visits->items.items[i];

		for (size_t k = 0; k < visit->part_count; k++)
			sum += weights[i] * visits->parts.items[visit->first_part + k].count;
	}
	return sum;
}

static double *weigh(struct pgb_visits *visits)
{
	struct visits_set set = {.items = visits->items.items,
				 .count = visits->items.count,
				 .looks = visits->looks.items,
				 .masses = visits->masses.items,
				 .look_places = visits->look_places.count,
				 .mass_places = visits->mass_places.count};
	double *weights = pgb_calloc(set.count, sizeof(*weights)), all, weighed;

	for (size_t i = 0; i < set.count; i++)
		weights[i] = 1;
	all = sum_of(visits, weights);
	visits_weigh(&set, visits_find_phases(&set), weights);
	for (size_t i = 0; i < set.count; i++)
		weights[i] *= visits->items.items[i].speed;
	weighed = sum_of(visits, weights);
	for (size_t i = 0; i < set.count && weighed > 0; i++)
		weights[i] *= all / weighed;
	return weights;
}

/* What was seen at all counts once at least. */
static uint64_t rounded(double count)
{
	return count < 1 ? 1 : (uint64_t)llrint(count);
}

void pgb_visits_settle(struct pgb_visits *visits, struct pgb_edges *edges)
{
	size_t edge_count;
	const struct pgb_edge *keys = pgb_edges_unsorted(visits->edges, &edge_count);
	double *weights, *counts;

	if (visits->items.count == 0)
		return;
	weights = weigh(visits);
	counts = pgb_calloc(edge_count * 2 + 1, sizeof(*counts));
	for (size_t i = 0; i < visits->items.count; i++) {
		const struct visits_one *visit = &visits->items.items[i];
		const struct part *parts = visits->parts.items + visit->first_part;

		for (size_t k = 0; k < visit->part_count; k++) {
			counts[parts[k].edge * 2] += weights[i] * parts[k].count;
			if (i & 1)
				counts[parts[k].edge * 2 + 1] += weights[i] * parts[k].count;
		}
	}
	for (size_t i = 0; i < edge_count; i++) {
		struct pgb_edge edge = keys[i];

		edge.count = rounded(counts[i * 2]);
		edge.count_odd = (uint64_t)llrint(counts[i * 2 + 1]);
		if (edge.count_odd > edge.count)
			edge.count_odd = edge.count;
		pgb_edges_add(edges, &edge);
	}
	free(weights);
	free(counts);
	pgb_edges_clear(visits->edges);
	forget(visits);
}
