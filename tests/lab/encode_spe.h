/* SPDX-License-Identifier: MIT */
/*
 * Packets of Arm's Statistical Profiling Extension in an AUX area, as the driver hands it out:
 * every so many instructions one is chosen, and a record of it kept if it is a branch.
 */
#ifndef TESTS_LAB_ENCODE_SPE_H
#define TESTS_LAB_ENCODE_SPE_H

#include "tests/lab/sampler.h"
#include "tests/lab/truth.h"

struct lab_spe_options {
	uint64_t period_events; /* instructions between samples */
	uint64_t seed;		/* jitter: up to 255 more, chosen anew each time; 0: none */
	bool previous_target;	/* packets with the target of the branch before */
	bool branch_kinds;	/* call, return or other in the operation type */
	bool context;		/* packets with the thread; one AUX area per CPU, not per thread */
	bool all_operations;	/* no filter: records of other instructions too */
	bool no_timestamps;
	uint64_t record_alignment; /* each record is padded to a multiple of it; 1: none */
	uint64_t chunk_bytes;	   /* of AUX data between two AUX records */
	uint64_t flags_every;	   /* each so many chunks: flag it as collided; 0: never */
	bool every_packet;	   /* all kinds of packets, sizes and headers that there are */
	/* Before so many records (of chunks: in so many) there is something else; 0: never. */
	uint64_t kernel_every;	 /* a record of the kernel or a hypervisor */
	uint64_t squashed_every; /* one of an operation that did not retire */
	uint64_t damage_every;	 /* a byte that is no packet: that record is lost */
	uint64_t cut_every;	 /* chunks that end inside a record, flagged as truncated */
	/* Behind it another process has the CPU for a moment; context switches tell, in one area.
	 */
	uint64_t switch_every;
	uint32_t pid;
	const char *name;
};

/*
 * Where `truth` is not NULL it gets what was sampled: taken and not taken branches, runs from the
 * previous target, and with all_operations the other instructions.
 */
int lab_encode_spe(const char *out_path, char *const *trace_paths, size_t trace_count,
		   const struct lab_spe_options *options, struct lab_image *image,
		   struct lab_truth *truth, struct pgb_error *error);

#endif
