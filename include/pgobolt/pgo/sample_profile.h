/* SPDX-License-Identifier: MIT */
/*
 * LLVM's sample profile (AutoFDO), which clang reads by -fprofile-sample-use: how often each line
 * of each function ran, by its distance from the function's first line and by discriminator,
 * inlined functions apart for each place. From the same edges as fdata, with the lines that DWARF
 * tells of the binary that ran. llvm-profgen's rules, but for entries from outside the binary,
 * which it counts as calls as well.
 */
#ifndef PGOBOLT_PGO_SAMPLE_PROFILE_H
#define PGOBOLT_PGO_SAMPLE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edges.h"

struct pgb_sample_profile;

struct pgb_sample_stats {
	/*
	 * ranges = ranges_written + ranges_outside (code without debug information) +
	 * ranges_dropped, these by_reason. Where there are no ranges, sampled addresses and ends
	 * of branches are counted as such.
	 */
	uint64_t ranges, ranges_written, ranges_outside, ranges_dropped;
	uint64_t by_reason[PGB_DROP_COUNT];
	uint64_t entries;   /* branches to the start of a function */
	uint64_t functions; /* with code of their own */
	uint64_t inlined;   /* copies of functions in others */
	uint64_t lines;	    /* places with a count */
	bool from_clang;    /* discriminators are what clang understands */
};

/*
 * The image must be discovered. PGB_E_NOT_SUITABLE (no debug information), PGB_E_EMPTY (all that
 * ran is code without it), PGB_E_CORRUPT.
 */
int pgb_sample_profile_new(struct pgb_sample_profile **profile, struct pgb_elf_image *image,
			   struct pgb_edges *edges, uint32_t binary, struct pgb_sample_stats *stats,
			   struct pgb_error *error);
void pgb_sample_profile_free(struct pgb_sample_profile *profile);

/* LLVM's text format; functions by total count, most first. */
void pgb_sample_profile_write(const struct pgb_sample_profile *profile, FILE *stream);
int pgb_sample_profile_write_file(const struct pgb_sample_profile *profile, const char *path,
				  struct pgb_error *error);
/*
 * LLVM's extensible binary format, which compilers read faster, by way of llvm-profdata.
 * PGB_E_UNSUPPORTED (there is none), PGB_E_TOOL.
 */
int pgb_sample_profile_write_binary(const struct pgb_sample_profile *profile, const char *path,
				    struct pgb_error *error);

/*
 * The length of a function's name in a profile: without what passes of the compiler put behind it
 * (.llvm.123 of ThinLTO, .part.0). Pure.
 */
size_t pgb_sample_name_length(const char *name);

/*
 * clang packs three numbers into a discriminator: which block of its line, how many copies the
 * loop was unrolled into, and which copy. Pure.
 */
uint32_t pgb_discriminator_base(uint32_t discriminator);
uint32_t pgb_discriminator_copies(uint32_t discriminator);

#endif
