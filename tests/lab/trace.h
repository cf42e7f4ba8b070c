/* SPDX-License-Identifier: MIT */
/*
 * Reads what trace_plugin.c wrote: the blocks of instructions that a thread executed, in order,
 * and how control went from each to the next. Nothing here uses the code under test, except
 * the instruction decoder, which is tested against llvm-objdump.
 */
#ifndef TESTS_LAB_TRACE_H
#define TESTS_LAB_TRACE_H

#include <stdio.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/insn.h"

/* Straight-line instructions, entered at the start and left behind the last one. */
struct lab_block {
	uint64_t start;
	uint64_t last; /* address of the last instruction */
	uint64_t end;
	uint32_t instructions;
	struct pgb_insn insn; /* the last instruction; linear where it cannot be decoded */
	bool outside;	      /* stands for all code that was not traced; the rest is 0 */
	uint32_t predicted;
};

struct lab_map {
	uint64_t start;
	uint64_t size_bytes;
	uint64_t offset_file;
	char *path; /* "" for anonymous memory */
};

enum lab_way {
	LAB_FALLS,	/* straight on; also behind a system call, and inside a repetition */
	LAB_NOT_TAKEN,	/* straight on, from a conditional branch */
	LAB_TAKEN,	/* by the branch at `last` of the block */
	LAB_INTERRUPTED /* by a signal, at an unknown place of the block, or back from one */
};

struct lab_step {
	const struct lab_block *block; /* valid until the next call */
	const struct lab_block *next;
	enum lab_way way;
	uint64_t count; /* 1 in a trace; how often, in a file of counts */
};

struct lab_trace {
	enum pgb_insn_set set;
	PGB_ARRAY(struct lab_map) maps;
	PGB_ARRAY(struct lab_block) blocks;
	FILE *file;
	uint64_t hits;	      /* predicted steps that are due */
	uint32_t current;     /* block, where `running` */
	uint32_t coming;      /* the block behind the hits; UINT32_MAX: none */
	uint32_t last_number; /* the block that was written out last */
	bool running;
	bool other_is_due; /* an enum lab_other stands behind the hits */
	bool ended;
};

int lab_trace_open(struct lab_trace *trace, const char *path, struct pgb_error *error);
void lab_trace_close(struct lab_trace *trace);

/*
 * The next step: 1; 0 at the end; PGB_E_TRUNCATED where the file stops early, as it does when
 * a signal killed the program; PGB_E_CORRUPT.
 */
int lab_trace_next(struct lab_trace *trace, struct lab_step *step);

#endif
