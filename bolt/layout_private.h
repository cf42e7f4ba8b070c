/* SPDX-License-Identifier: MIT */
/* What the files bolt/layout*.c share. */
#ifndef PGOBOLT_BOLT_LAYOUT_PRIVATE_H
#define PGOBOLT_BOLT_LAYOUT_PRIVATE_H

#include "pgobolt/bolt/layout.h"

#define PGB_LAYOUT_NOT_ASKED   SIZE_MAX
#define PGB_LAYOUT_NO_FUNCTION (SIZE_MAX - 1)

/* A function of the original that the profile knows. */
struct pgb_layout_counts {
	const struct pgb_elf_function *function; /* NULL: the profile does not */
	const struct pgb_cfg *cfg;
	uint64_t *in; /* entered, for each block; behind these: left. NULL: it has no graph */
	uint64_t weight;
	size_t block_first, block_count; /* into the work's blocks: those with counts */
	bool moved;
	size_t fragment_first, fragment_count; /* into the work's fragments */
};

struct pgb_layout_work {
	struct pgb_layout *layout;
	struct pgb_cfgs *cfgs;
	struct pgb_profile *profile;
	struct pgb_elf_image *moved;
	struct pgb_address_translation translation;
	size_t function_count;		  /* of the original */
	struct pgb_layout_counts *counts; /* by function */
	PGB_ARRAY(size_t) by_name;	  /* index of the function for each name of the profile */
	PGB_ARRAY(struct pgb_layout_block) blocks;
	PGB_ARRAY(struct pgb_layout_fragment) fragments;
};

/* Set where each block with counts went: from the translation, or its old place. */
void pgb_layout_move_blocks(struct pgb_layout_work *work);
void pgb_layout_add_fragments(const struct pgb_layout_work *work,
			      const struct pgb_layout_counts *counts,
			      struct pgb_layout_function *shown);
/* Sections, buckets and spread, before and after. */
void pgb_layout_add_heat(struct pgb_layout_work *work);

#endif
