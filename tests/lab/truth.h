/* SPDX-License-Identifier: MIT */
/*
 * Counted facts: what the samples of a recording say, or what a perfect profile ought to hold.
 * Written as llvm-bolt's pre-aggregated text where that has a record for it.
 */
#ifndef TESTS_LAB_TRUTH_H
#define TESTS_LAB_TRUTH_H

#include "tests/lab/image.h"

/* No run behind the branch is known. */
#define LAB_NO_RUN UINT64_MAX

enum lab_fact_kind {
	LAB_FACT_TRACE,	    /* T from to run_end count: a branch and the run to the next one */
	LAB_FACT_BRANCH,    /* B from to count mispredicts: a taken branch alone */
	LAB_FACT_NOT_TAKEN, /* N from to count mispredicts: not in llvm-bolt's grammar */
	LAB_FACT_RUN,	    /* F from to count: straight on, of unknown origin */
	LAB_FACT_IP	    /* S from count: an instruction */
};

struct lab_fact {
	enum lab_fact_kind kind;
	uint64_t from, to;
	uint64_t run_end; /* of a trace: the next branch, where the run from `to` ends */
	uint64_t count;	  /* 0: an empty slot */
	uint64_t mispredicts;
};

struct lab_truth {
	struct lab_fact *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

/*
 * Counts `fact`. Addresses become those of the file of `image`, 0 what is outside of it; facts
 * that are all outside are left out. Without image: the numbers as they are.
 */
void lab_truth_add(struct lab_truth *truth, const struct lab_image *image,
		   const struct lab_fact *fact);
/* Sorted. */
int lab_truth_write(struct lab_truth *truth, FILE *file, struct pgb_error *error);
void lab_truth_release(struct lab_truth *truth);

#endif
