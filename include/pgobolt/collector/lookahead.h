/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead: where will a stopped thread go? Executes the thread's next instructions on a copy
 * of its registers and of the memory pages it touches, and writes down the branches it takes. The
 * thread itself is only read: nothing of it changes, and it need not run.
 *
 * What a run meets it executes exactly or not at all: a run ends before a system call, a trap, an
 * instruction it cannot do, or memory it cannot read, and says which. What other threads
 * write meanwhile is not seen.
 *
 * x86-64: instructions that only compute (SSE, AVX, multiplication, bit counting ..) run natively,
 * one at a time, on the copied registers; so a host of the same architecture is needed for full
 * depth. AArch64 is interpreted, on any host.
 */
#ifndef PGOBOLT_COLLECTOR_LOOKAHEAD_H
#define PGOBOLT_COLLECTOR_LOOKAHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgobolt/collector/insn.h"

/*
 * The integer registers of a thread. x86-64: general[0..15] in encoding order (rax, rcx, rdx, rbx,
 * rsp, rbp, rsi, rdi, r8..r15), flags is rflags. AArch64: general[0..30] x0..x30, general[31] sp,
 * flags is pstate; fs_base is tpidr_el0.
 */
struct pgb_lookahead_registers {
	uint64_t general[32];
	uint64_t pc;
	uint64_t flags;
	uint64_t fs_base, gs_base;
	uint64_t dczid; /* AArch64: DCZID_EL0; 0 where it is not known: a run ends that needs it */
};

/* How to look at the stopped thread. Called only inside pgb_lookahead_run(). */
struct pgb_lookahead_thread {
	/* Copy memory; 0, or negative where any of it cannot be read. */
	int (*read)(void *context, uint64_t address, void *bytes, size_t size_bytes);
	/*
	 * Copy the vector registers as ptrace's NT_X86_XSTATE or NT_PRFPREG gives them; at most
	 * once in a run, only if it needs them. Returns the size, or negative.
	 */
	ssize_t (*vectors)(void *context, void *bytes, size_t size_bytes);
	void *context;
};

enum pgb_lookahead_end {
	PGB_LOOKAHEAD_DEPTH,	   /* as far as asked for */
	PGB_LOOKAHEAD_SYSCALL,	   /* the next instruction enters the kernel */
	PGB_LOOKAHEAD_TRAP,	   /* int3, ud2, a division that faults */
	PGB_LOOKAHEAD_UNSUPPORTED, /* an instruction that we do not execute */
	PGB_LOOKAHEAD_UNREADABLE,  /* memory that is not there, or not ours to read */
	PGB_LOOKAHEAD_UNDECODABLE, /* bytes that are no instruction */
	PGB_LOOKAHEAD_LIMIT,	   /* too many instructions or pages for this depth */
	PGB_LOOKAHEAD_ENDS
};

struct pgb_lookahead_branch {
	uint64_t from; /* the branch instruction */
	uint64_t to;
};

struct pgb_lookahead_result {
	enum pgb_lookahead_end end;
	uint64_t end_address; /* the instruction that was not executed */
	size_t branch_count;  /* taken branches, oldest first */
	uint64_t decisions; /* conditional outcomes and targets of indirect branches and returns */
	uint64_t instructions;
	uint64_t pages_read;
	/*
	 * Cache lines of data that were accessed: those that the last runs in this address space
	 * accessed too, and those that they did not; of the latter not the long rows, which
	 * processors fetch ahead.
	 */
	uint64_t near_lines, far_lines;
	bool code_changed; /* a page of code was not what it had been when it was decoded */
};

struct pgb_lookahead;
/*
 * The code of one address space, kept from run to run. Decoded instructions belong to the
 * pgb_lookahead, once for the same bytes wherever they are, so that a program that is started again
 * costs little; a code is for runs with one pgb_lookahead.
 */
struct pgb_lookahead_code;

struct pgb_lookahead *pgb_lookahead_new(enum pgb_insn_set set);
void pgb_lookahead_free(struct pgb_lookahead *look);

struct pgb_lookahead_code *pgb_lookahead_code_new(void);
void pgb_lookahead_code_free(struct pgb_lookahead_code *code);
/* Check each page of code against memory again before it is used next. */
void pgb_lookahead_code_stale(struct pgb_lookahead_code *code);

/*
 * End runs after so many instructions, if `depth` does not end them before; 0: as at first, 256 for
 * each branch.
 */
void pgb_lookahead_limit(struct pgb_lookahead *look, uint64_t instructions);

/*
 * Follow a thread from `registers` for up to `depth` taken branches. `branches` holds depth of
 * them. Never fails: the result says how it ended.
 */
void pgb_lookahead_run(struct pgb_lookahead *look, struct pgb_lookahead_code *code,
		       const struct pgb_lookahead_registers *registers,
		       const struct pgb_lookahead_thread *thread,
		       struct pgb_lookahead_branch *branches, size_t depth,
		       struct pgb_lookahead_result *result);

/* The registers as the last run left them: tests hold them against the real thread. */
void pgb_lookahead_registers(const struct pgb_lookahead *look,
			     struct pgb_lookahead_registers *registers);

/* "system call", "unsupported instruction", .. */
const char *pgb_lookahead_end_name(enum pgb_lookahead_end end);

#endif
