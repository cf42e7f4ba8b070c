/* SPDX-License-Identifier: MIT */
/*
 * A processor that executes a trace: its branches in order, with the outcome, a plain branch
 * predictor, a count of instructions, and entries to the kernel where they are wanted.
 */
#ifndef TESTS_LAB_MACHINE_H
#define TESTS_LAB_MACHINE_H

#include "tests/lab/trace.h"

/* Stands for code that was not traced. */
#define LAB_OUTSIDE_ADDRESS UINT64_C(0x7fff00000000)
/* Where system calls and interrupts enter and leave the kernel. */
#define LAB_KERNEL_ENTRY UINT64_C(0xffffffff81c00000)
#define LAB_KERNEL_EXIT	 UINT64_C(0xffffffff81c00150)

enum lab_kernel {
	LAB_KERNEL_NONE,    /* as a filter for user mode ought to work */
	LAB_KERNEL_RETURNS, /* the way back is delivered all the same */
	LAB_KERNEL_BOTH,
	LAB_KERNEL_HIDDEN /* both, with 0 for the end in the kernel, as Arm's BRBE does */
};

struct lab_branch {
	uint64_t from, to; /* `to` of a branch that is not taken: the instruction behind it */
	enum pgb_insn_kind kind;
	uint8_t length_bytes; /* of the branch instruction; 0 where it is not known */
	bool taken;
	bool mispredicted;
	bool kernel;		/* one end is in the kernel */
	uint64_t target_before; /* `to` of the last branch that was taken before this; 0: none */
	uint64_t instructions;	/* executed so far, this one included */
};

struct lab_machine {
	struct lab_trace *trace;
	enum lab_kernel kernel;
	uint64_t instructions;
	uint64_t last_target;
	struct lab_branch due; /* the second half of a kernel entry, where its kind is set */
	bool is_due;
	struct lab_predictor *predictor;
	/* as the last step left it, for those who sample instructions */
	struct lab_step step;
};

void lab_machine_init(struct lab_machine *machine, struct lab_trace *trace, enum lab_kernel kernel);
void lab_machine_release(struct lab_machine *machine);

/*
 * Executes one block: 1; 0 at the end; or what lab_trace_next() said. `has_branch`: it ended in
 * `branch`. Never enters the kernel.
 */
int lab_machine_step(struct lab_machine *machine, struct lab_branch *branch, bool *has_branch);

/* The next branch, taken or not, with the kernel's: else as above. */
int lab_machine_next(struct lab_machine *machine, struct lab_branch *branch);

#endif
