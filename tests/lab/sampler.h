/* SPDX-License-Identifier: MIT */
/*
 * Samples instructions, one in so many, as IBS and SPE do: which one, and if it is a branch, how
 * it went.
 */
#ifndef TESTS_LAB_SAMPLER_H
#define TESTS_LAB_SAMPLER_H

#include "tests/lab/machine.h"
#include "tests/lab/recording.h"

struct lab_sample {
	uint64_t address; /* of the instruction */
	bool is_branch;
	struct lab_branch branch;      /* where it is one */
	const struct lab_block *block; /* that the instruction is in */
	uint64_t index;		       /* in the block, from 0 */
	uint64_t instructions;	       /* executed so far */
};

struct lab_sampler {
	struct lab_machine machine;
	struct lab_recording *recording;
	uint64_t next;	      /* the number of the instruction to sample */
	uint64_t block_start; /* the number of the first instruction of the last block */
	struct lab_branch branch;
	bool has_branch;
	/* Instructions until the next sample. */
	uint64_t (*interval)(void *context);
	void *context;
};

void lab_sampler_init(struct lab_sampler *sampler, struct lab_trace *trace,
		      struct lab_recording *recording, uint64_t (*interval)(void *context),
		      void *context);
void lab_sampler_release(struct lab_sampler *sampler);

/* 1; 0 at the end; a negative enum pgb_code. Mappings are written first where they are new. */
int lab_sampler_next(struct lab_sampler *sampler, struct lab_sample *sample,
		     struct pgb_error *error);

#endif
