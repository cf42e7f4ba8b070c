/* SPDX-License-Identifier: MIT */
/* Between execute_aarch64 and who asks it: one instruction, the state before, the state after. */
#ifndef TESTS_LAB_PROGRAMS_EXECUTE_AARCH64_H
#define TESTS_LAB_PROGRAMS_EXECUTE_AARCH64_H

#include <stdint.h>

enum { EXECUTE_MEMORY = 0x10000000, EXECUTE_MEMORY_BYTES = 8192, EXECUTE_WINDOW_BYTES = 512 };

struct execute_state {
	uint64_t general[31];
	uint64_t sp;
	uint64_t nzcv;
	uint64_t fpsr;
	uint8_t vectors[32][16];
	/* the middle of EXECUTE_MEMORY_BYTES at EXECUTE_MEMORY; the rest is zero before */
	uint8_t window[EXECUTE_WINDOW_BYTES];
};

struct execute_question {
	uint64_t word;
	struct execute_state state;
};

struct execute_answer {
	uint64_t signal; /* 0: the instruction was executed */
	uint64_t dczid, pc;
	struct execute_state state;
};

#endif
