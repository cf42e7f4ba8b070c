/* SPDX-License-Identifier: MIT */
/* What the files sample_*.c share. */
#ifndef PGOBOLT_PGO_SAMPLE_PRIVATE_H
#define PGOBOLT_PGO_SAMPLE_PRIVATE_H

#include "pgobolt/base/array.h"
#include "pgobolt/pgo/sample_profile.h"

/* A count under four numbers; what they are differs from table to table. */
struct pgb_sample_count {
	uint32_t key[4];
	uint64_t count;
};

/* Open addressing; items in the order of first sight. */
struct pgb_sample_table {
	PGB_ARRAY(struct pgb_sample_count) items;
	uint32_t *slots; /* index of the item + 1; 0: free */
	size_t slot_count;
};

/* The index of the item with this key; a new one has count 0. */
uint32_t pgb_sample_table_add(struct pgb_sample_table *table, const uint32_t key[4]);
void pgb_sample_table_release(struct pgb_sample_table *table);

/* Strings, each once. */
struct pgb_sample_names {
	PGB_ARRAY(char *) list;
	uint32_t *slots;
	size_t slot_count;
};

uint32_t pgb_sample_names_add(struct pgb_sample_names *names, const char *name, size_t length);
void pgb_sample_names_release(struct pgb_sample_names *names);

/*
 * A context is a function, or a function inlined at a place of another context: an item of
 * `contexts` with key (parent + 1 or 0, offset, discriminator, name) and its total as count.
 */
struct pgb_sample_profile {
	struct pgb_sample_names names;
	struct pgb_sample_table contexts;
	PGB_ARRAY(uint64_t) heads;	 /* of each context: times it was entered */
	struct pgb_sample_table places;	 /* (context, offset, discriminator, 0): the most of its
					    instructions */
	struct pgb_sample_table targets; /* (context, offset, discriminator, name): calls */
	uint32_t producer_major;	 /* of clang; 0: not told */
};

/* Does a profile tell anything under this name, and can the text hold it? */
bool pgb_sample_name_is_usable(const char *name);

#endif
