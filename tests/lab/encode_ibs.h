/* SPDX-License-Identifier: MIT */
/*
 * Raw samples of AMD's Instruction Based Sampling, op flavour: every so many instructions the
 * registers of one of them.
 */
#ifndef TESTS_LAB_ENCODE_IBS_H
#define TESTS_LAB_ENCODE_IBS_H

#include "tests/lab/sampler.h"
#include "tests/lab/truth.h"

/* Capabilities as CPUID 0x8000001b tells them. */
#define LAB_IBS_BRANCH_TARGET (1u << 5)
#define LAB_IBS_RIP_INVALID   (1u << 7)
#define LAB_IBS_BRANCH_FUSED  (1u << 8)
#define LAB_IBS_OP_DATA_4     (1u << 10)
#define LAB_IBS_ZEN_4	      0x0fffu /* bits 0 to 11 */
#define LAB_IBS_BASE	      0x001fu /* Family 10h: seven registers, no branch target */
#define LAB_IBS_ZEN_5	      0x81fffu

struct lab_ibs_options {
	uint64_t period_events; /* instructions between samples; a multiple of 16 */
	uint64_t seed;		/* the counter starts at a random value up to 127; 0: at zero */
	uint32_t capabilities;
	bool fused;		    /* a compare and the jump behind it are sampled as one op */
	uint64_t rip_invalid_every; /* so many samples have no valid address; 0: none */
	uint64_t kernel_every;	    /* before so many samples one of the kernel; 0: filtered */
	uint32_t pid;
	const char *name;
};

/* Where `truth` is not NULL it gets taken and not taken branches, and the other instructions. */
int lab_encode_ibs(const char *out_path, char *const *trace_paths, size_t trace_count,
		   const struct lab_ibs_options *options, struct lab_image *image,
		   struct lab_truth *truth, struct pgb_error *error);

#endif
