/* SPDX-License-Identifier: MIT */
/*
 * What the files bolt/profile*.c share.
 */
#ifndef PGOBOLT_BOLT_PROFILE_PRIVATE_H
#define PGOBOLT_BOLT_PROFILE_PRIVATE_H

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/profile.h"

/* A NUL-terminated string in the arena; it never moves. */
struct pgb_profile_string {
	const char *bytes;
	uint32_t length;
	uint32_t hash;
};

struct pgb_profile_slot {
	uint32_t hash;
	uint32_t name; /* 0: free */
};

/* The lines that leave one function, and those that enter it from outside. */
struct pgb_profile_lines {
	struct pgb_profile_branch *items;
	uint32_t count, capacity;
	uint32_t sorted; /* so many at the front are in order and distinct */
};

/*
 * Lines with their counts. Samples and memory lines are stored in the shape of branches: a
 * sample's `to` is zero.
 */
struct pgb_profile_table {
	PGB_ARRAY(struct pgb_profile_branch) added;    /* to no function yet */
	PGB_ARRAY(struct pgb_profile_lines) functions; /* by name; those behind the end are empty */
	PGB_ARRAY(struct pgb_profile_branch) scratch;
	PGB_ARRAY(uint32_t) order; /* functions with lines, by name: valid while `ranked` */
	size_t line_count;	   /* as well */
	bool ranked;
};

struct pgb_profile {
	enum pgb_profile_kind kind;
	bool kind_fixed, bolted;
	PGB_ARRAY(struct pgb_profile_string) names;
	struct pgb_profile_slot *name_slots;
	size_t name_slot_count;
	PGB_ARRAY(char *) arena;
	size_t arena_used, arena_size; /* of the last block */
	PGB_ARRAY(char *) events;
	struct pgb_profile_table branches, samples, memories;
	PGB_ARRAY(struct pgb_profile_branch) branches_out;
	PGB_ARRAY(struct pgb_profile_sample) samples_out;
	PGB_ARRAY(struct pgb_profile_memory) memories_out;
	uint64_t total;
};

/*
 * Add to the line with this key, saturating at INT64_MAX. It belongs to the function it leaves, or,
 * from outside, to the one it enters.
 */
void pgb_profile_table_add(struct pgb_profile_table *table, const struct pgb_profile_branch *line);
bool pgb_profile_table_is_empty(const struct pgb_profile_table *table);
void pgb_profile_table_release(struct pgb_profile_table *table);
/* Put functions and lines into perf2bolt's order. */
void pgb_profile_table_sort(struct pgb_profile_table *table, const struct pgb_profile *profile);

#endif
