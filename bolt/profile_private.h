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

/*
 * Distinct lines with their counts. Samples and memory lines are stored in the shape of branches:
 * a sample's `to` is zero.
 */
struct pgb_profile_table {
	PGB_ARRAY(struct pgb_profile_branch) lines;
	uint64_t *slots; /* high half: hash; low half: index of the line + 1; 0: free */
	size_t slot_count;
	bool indexed; /* slots describe lines: false after sorting */
	bool sorted;
};

struct pgb_profile {
	enum pgb_profile_kind kind;
	bool kind_fixed, bolted;
	PGB_ARRAY(struct pgb_profile_string) names;
	uint32_t *name_slots; /* name + 1; 0: free */
	size_t name_slot_count;
	PGB_ARRAY(char *) arena;
	size_t arena_used, arena_size; /* of the last block */
	PGB_ARRAY(char *) events;
	struct pgb_profile_table branches, samples, memories;
	PGB_ARRAY(struct pgb_profile_sample) samples_out;
	PGB_ARRAY(struct pgb_profile_memory) memories_out;
	uint64_t total;
};

/* Add to the line with this key, saturating at INT64_MAX. */
void pgb_profile_table_add(struct pgb_profile_table *table, const struct pgb_profile_branch *line);
void pgb_profile_table_release(struct pgb_profile_table *table);
/* Put the lines into perf2bolt's order. */
void pgb_profile_table_sort(struct pgb_profile_table *table, const struct pgb_profile *profile);

#endif
