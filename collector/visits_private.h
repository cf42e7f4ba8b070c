/* SPDX-License-Identifier: MIT */
/* What visits.c (keeping and counting), visits_phases.c and visits_weights.c share. */
#ifndef PGOBOLT_COLLECTOR_VISITS_PRIVATE_H
#define PGOBOLT_COLLECTOR_VISITS_PRIVATE_H

#include "collector/visits.h"
#include "pgobolt/base/array.h"

/* Numbers for pieces of code, from 0, by binary and address. */
struct visits_places {
	struct visits_place {
		uint64_t key; /* hash of both; 0: free */
		uint32_t number;
	} * slots;
	size_t slot_count;
	uint32_t count;
};

uint32_t visits_place(struct visits_places *places, uint32_t binary, uint64_t address,
		      unsigned int shift);
void visits_places_release(struct visits_places *places);

/* A number for each of some places, and how much of it. */
struct visits_amount {
	uint32_t place;
	float amount;
};

struct visits_one {
	uint32_t process;
	uint32_t start;		       /* a place as in its masses; UINT32_MAX: unknown */
	size_t first_part, part_count; /* edges */
	size_t first_look, look_count; /* amounts: how it looks */
	size_t first_mass, mass_count; /* amounts: what it executed */
	uint32_t phase;
	double speed; /* by what it touched, and how new that was */
};

enum {
	VISITS_LOOK_BITS = 8,	/* pieces of code that tell phases apart */
	VISITS_PLACE_BITS = 12, /* pieces of code that have a cost each */
	VISITS_PHASES = 128,
};

struct visits_set {
	struct visits_one *items;
	size_t count;
	const struct visits_amount *looks, *masses;
	uint32_t look_places, mass_places;
};

/* Fill each visit's `phase`; returns their number. */
uint32_t visits_find_phases(struct visits_set *set);
/* How much each visit counts, the phases found. */
void visits_weigh(const struct visits_set *set, uint32_t phases, double *weights);

#endif
