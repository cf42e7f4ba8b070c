/* SPDX-License-Identifier: MIT */
/*
 * Where a program's hot code is, before and after llvm-bolt: how its heat spreads over the code
 * sections, and where the blocks of the hottest functions went.
 *
 * The weight of a block is the number of times that it ran, by the bytes it has; where the profile
 * is of samples, the samples in it.
 */
#ifndef PGOBOLT_BOLT_LAYOUT_H
#define PGOBOLT_BOLT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/address_translation.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/profile.h"

#define PGB_LAYOUT_BUCKETS_MOST	  256
#define PGB_LAYOUT_FUNCTIONS_MOST 12
#define PGB_LAYOUT_BLOCKS_MOST	  64
#define PGB_LAYOUT_GONE		  UINT64_MAX

struct pgb_layout_block {
	uint64_t offset, size_bytes; /* in the original */
	uint64_t count;
	uint64_t weight;
	uint64_t address_after; /* PGB_LAYOUT_GONE: merged into another, or removed */
	uint64_t size_after_bytes;
};

/* A function's hot part after llvm-bolt, then those split off. */
struct pgb_layout_fragment {
	uint64_t address, size_bytes;
};

struct pgb_layout_function {
	char *name;
	uint64_t address, size_bytes; /* in the original */
	uint64_t weight;
	size_t blocks_all, blocks_run; /* of the original; those with counts */
	bool moved;
	PGB_ARRAY(struct pgb_layout_fragment) fragments;
	PGB_ARRAY(struct pgb_layout_block) blocks; /* the hottest, by offset */
};

struct pgb_layout_section {
	char *name;
	uint64_t address, size_bytes;
	PGB_ARRAY(uint64_t) buckets; /* weight, of bucket_bytes each; the last may be shorter */
};

/* Units of memory that hold 99%, and all, of the weight. */
struct pgb_layout_spread {
	uint64_t lines_99, lines; /* of 64 bytes */
	uint64_t pages_99, pages; /* of 4096 bytes */
};

struct pgb_layout_side {
	PGB_ARRAY(struct pgb_layout_section) sections; /* of code, by address */
	struct pgb_layout_spread spread;
};

struct pgb_layout {
	bool samples;	       /* weights are samples */
	uint64_t bucket_bytes; /* the same before and after */
	uint64_t weight;       /* in all */
	struct pgb_layout_side before, after;
	PGB_ARRAY(struct pgb_layout_function) functions; /* hottest first */
};

/*
 * `cfgs` of the original, `profile` of it, `moved` what llvm-bolt made of it with -enable-bat.
 * PGB_E_NOT_FOUND (no .note.bolt_bat), PGB_E_EMPTY (no counts in functions that have a graph), and
 * those of pgb_address_translation_parse(). `layout` must be released either way.
 */
int pgb_layout_compute(struct pgb_layout *layout, struct pgb_cfgs *cfgs,
		       struct pgb_profile *profile, struct pgb_elf_image *moved,
		       struct pgb_error *error);
void pgb_layout_release(struct pgb_layout *layout);

#endif
