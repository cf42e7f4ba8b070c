/* SPDX-License-Identifier: MIT */
/*
 * Counted branches with the straight run behind each: what a profile ought to hold, as the
 * pre-aggregated text of llvm-bolt.
 */
#ifndef TESTS_LAB_TRUTH_H
#define TESTS_LAB_TRUTH_H

#include "tests/lab/image.h"

/* No run behind the branch is known. */
#define LAB_NO_RUN UINT64_MAX

struct lab_traversal {
	uint64_t from, to; /* the branch */
	uint64_t run_end;  /* the next branch, where the run from `to` ends; or LAB_NO_RUN */
	uint64_t count;	   /* 0: an empty slot */
};

struct lab_truth {
	struct lab_traversal *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

/* Addresses are those of the file of `image`; what is outside of it becomes 0. */
void lab_truth_add(struct lab_truth *truth, const struct lab_image *image, uint64_t from,
		   uint64_t to, uint64_t run_end, uint64_t count);
/* The numbers as they are. */
void lab_truth_count(struct lab_truth *truth, uint64_t from, uint64_t to, uint64_t run_end,
		     uint64_t count);
/* Sorted; `T from to run_end count`. */
int lab_truth_write(struct lab_truth *truth, FILE *file, struct pgb_error *error);
void lab_truth_release(struct lab_truth *truth);

#endif
