/* SPDX-License-Identifier: MIT */
/*
 * Branch stacks as a processor with last branch records delivers them: every so many taken
 * branches one sample with the last ones, newest first.
 */
#ifndef TESTS_LAB_ENCODE_LBR_H
#define TESTS_LAB_ENCODE_LBR_H

#include "tests/lab/machine.h"
#include "tests/lab/recording.h"
#include "tests/lab/truth.h"

#define LAB_LBR_DEPTH_MAX 64

struct lab_lbr_options {
	unsigned int depth;	/* 1..LAB_LBR_DEPTH_MAX */
	uint64_t period_events; /* taken branches between samples */
	uint64_t seed;		/* vary the period by up to an eighth either way; 0: do not */
	bool by_instructions;	/* the period counts instructions, as a stand-in for cycles */
	enum lab_kernel kernel;
	bool mispredicts; /* else: no information, as some processors have none */
	bool types;	  /* branch types, as PERF_SAMPLE_BRANCH_TYPE_SAVE asks for */
	bool hardware_index;
	bool speculation; /* each entry says that it is of the right path */
	bool privilege;	  /* PERF_SAMPLE_BRANCH_PRIV_SAVE */
	bool counters;	  /* PERF_SAMPLE_BRANCH_COUNTERS: a word for each entry */
	bool build_id_maps;
	/* After each so many branches an entry that is none, as some processors add; 0: never. */
	uint64_t wrong_path_every; /* speculative and never retired; all others say they were */
	uint64_t hole_every;	   /* one end or both are zero */
	uint64_t abort_every;	   /* of a transaction */
	uint64_t repeat_every; /* so many samples have their newest entry twice, as Skylakes do */
	uint32_t pid;
	const char *name; /* of the program */
};

/*
 * Sets what records of this hardware look like: lbr-8, lbr-16, lbr-32, skylake, arch-lbr,
 * arch-lbr-counters, brs, lbr-v2, brbe-8, brbe-16, brbe-32, brbe-64. false: not one of these.
 */
bool lab_lbr_hardware(struct lab_lbr_options *options, const char *name);

/*
 * One recording from the traces of all threads of a program. Where `truth` is not NULL it gets
 * what the samples hold, in addresses of `image`; entries of the kernel are left out first, and
 * no run goes across an entry that is no branch.
 */
int lab_encode_lbr(const char *out_path, char *const *trace_paths, size_t trace_count,
		   const struct lab_lbr_options *options, struct lab_image *image,
		   struct lab_truth *truth, struct pgb_error *error);

#endif
