/* SPDX-License-Identifier: MIT */
/*
 * Branch lines of fdata files in any order, gathered by several threads: names become numbers of
 * the thread that met them, lines 32 bytes each. What fdata_gather.c and fdata_gather_write.c
 * share.
 */
#ifndef PGOBOLT_BOLT_FDATA_GATHER_H
#define PGOBOLT_BOLT_FDATA_GATHER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/array.h"

/*
 * A line belongs to the function it leaves, or, from outside, to the one it enters. Where it goes
 * is a name's number, or one of these two.
 */
enum {
	PGB_GATHERED_OUTSIDE = 0,
	PGB_GATHERED_START = 36,
};
#define PGB_GATHERED_ENTRY UINT32_MAX /* from outside, to the owner */

struct pgb_gathered_line {
	uint32_t owner, from; /* name, offset */
	uint32_t to, offset_to;
	uint64_t mispredicts, count;
};

struct pgb_gathered_name {
	const char *bytes;
	uint32_t length;
	uint32_t lines; /* that it owns; filled in when all are gathered */
};

/* One cache line tells all of a short name. A free slot has the number 0, which is no name's. */
struct pgb_gathered_slot {
	uint64_t hash;
	uint32_t number, length;
	uint32_t lines;
	char start[PGB_GATHERED_START]; /* so much of the name */
	const char *bytes;
};

/* What one thread has. */
struct pgb_gatherer {
	PGB_ARRAY(struct pgb_gathered_line) lines;
	PGB_ARRAY(struct pgb_gathered_name) names; /* by number */
	struct pgb_gathered_slot *slots;
	size_t slot_mask;
	PGB_ARRAY(char *) blocks; /* of names */
	size_t block_used, block_size;
	uint64_t total; /* of all counts, saturating */

	/* For the output. */
	uint32_t *rank;	 /* by number: the name's place among all */
	uint32_t *order; /* of lines, by the rank of their owners .. */
	size_t *start;	 /* .. where those of each rank begin there, and one more */
};

struct pgb_fdata_gathered {
	struct pgb_gatherer *gatherers;
	size_t count;
	PGB_ARRAY(struct pgb_gathered_name) names; /* of all: by rank */
};

#endif
