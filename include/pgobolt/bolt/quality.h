/* SPDX-License-Identifier: MIT */
/*
 * How good is a profile? Figures, and a grade from A to F with its reasons in plain words.
 *
 * density: how many times over each byte of a function ran, as the ranges between branches tell
 *	(bytes executed / bytes of the function). Functions are taken from the densest on until they
 *	hold 99% of the counts; the last one's density is the profile's, as in llvm-bolt 20 and
 *	later. 60 and more is enough; below, 60 / density times as many samples are needed.
 * flow: of what enters a basic block so much leaves it again. 1 less the sum of differences over
 *	the sum of the larger ones, over all blocks that have both a way in and a way out inside
 *	their function. Branch stacks of N entries cannot do better than about 1 - 1/N: at their
 *	ends one side of a block is missing.
 * inferred: of single branches, what the graph says of edges that no sample shows (infer.h).
 * agreement: two halves of the recording, every other sample in each: the sum of the smaller ones
 *	of each edge's shares in the two. 1: the same profile twice.
 */
#ifndef PGOBOLT_BOLT_QUALITY_H
#define PGOBOLT_BOLT_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/infer.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edges.h"

/* What holds a profile to a grade below A. */
struct pgb_quality_reason {
	char grade; /* 'B'..'F' */
	char *text; /* what is wrong, and what to do; owned */
};

struct pgb_quality {
	char grade;				      /* 'A'..'F'; 0: nothing was computed */
	PGB_ARRAY(struct pgb_quality_reason) reasons; /* worst first; none at A */
	bool branches;				      /* else samples of addresses */
	uint64_t count; /* sum of all counts in the profile; of inferred ones the samples */
	uint64_t count_unmatched; /* of functions that the binary does not have */
	uint64_t functions, functions_in_binary;
	uint64_t functions_90, functions_99; /* that hold so many % of the counts */
	uint64_t bytes_90, bytes_99;	     /* of their code */
	/* Each is below 0 where it is not known. */
	double density;
	double more_samples; /* times as many as there are; 1: enough */
	double flow;
	double agreement;
	double dropped;	    /* share of branches that do not fit the code */
	double mismatching; /* share of ranges that do not fit the code */
	double lost;	    /* share of samples that the kernel could not deliver */
	double inferred;    /* share of counts on edges that no sample shows */
};

/* What is known. NULL and 0: not that. */
struct pgb_quality_input {
	struct pgb_profile *profile; /* not NULL */
	struct pgb_elf_image *image; /* not NULL; its functions are discovered */
	struct pgb_cfgs *cfgs;	     /* for flow */
	struct pgb_edges *edges;     /* that the profile was made of .. */
	uint32_t binary;	     /* .. those of this binary .. */
	bool halves;		     /* .. which know the two halves of the recording */
	const struct pgb_profile_stats *stats;
	uint64_t samples, lost_samples;
	const struct pgb_infer_stats *inferred; /* the profile was inferred */
	bool single_branches; /* the source sees branches without the way between them */
};

/* `quality` is released first; zeroed it may be new. */
void pgb_quality_compute(struct pgb_quality *quality, const struct pgb_quality_input *input);
/* `to` is zeroed; both are released. */
void pgb_quality_copy(struct pgb_quality *to, const struct pgb_quality *from);
void pgb_quality_release(struct pgb_quality *quality);

/* 'A'..'F' in either case; 0: no grade. */
char pgb_quality_grade(const char *text);
/* Is `grade` at least as good as `wanted`? */
bool pgb_quality_reaches(char grade, char wanted);

#endif
