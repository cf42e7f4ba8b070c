/* SPDX-License-Identifier: MIT */
/*
 * Will llvm-bolt help? What a profile tells before any work is done: how much code is hot, how many
 * pages it is spread over, how often it jumps, and what llvm-bolt expects to save.
 */
#ifndef PGOBOLT_PGO_BENEFIT_H
#define PGOBOLT_PGO_BENEFIT_H

#include "pgobolt/pgo/optimize.h"

enum pgb_benefit_verdict {
	PGB_BENEFIT_LITTLE, /* it fits into the nearest cache, and jumps seldom */
	PGB_BENEFIT_SOME,
	PGB_BENEFIT_MUCH,
};

struct pgb_benefit {
	size_t functions, functions_hot; /* with counts; that hold 99% of them */
	uint64_t hot_bytes;		 /* of these functions, whole */
	uint64_t hot_pages;		 /* of 4 KiB, that they lie in now */
	/* llvm-bolt's estimates from the profile; 0: not known */
	uint64_t instructions, taken_before, taken_after;
	enum pgb_benefit_verdict verdict;
};

/*
 * `bolt` NULL: without its estimates. Errors: as pgb_optimize() has them for the binary and the
 * profile; that llvm-bolt fails is none.
 */
int pgb_benefit_estimate(struct pgb_benefit *benefit, const struct pgb_chosen_profile *profile,
			 const struct pgb_llvm_bolt *bolt, struct pgb_error *error);

/* From the figures; pure. */
enum pgb_benefit_verdict pgb_benefit_judge(const struct pgb_benefit *benefit);

#endif
