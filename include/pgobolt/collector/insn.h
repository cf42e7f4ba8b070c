/* SPDX-License-Identifier: MIT */
/*
 * Length and kind of one instruction, for x86-64 and AArch64, on any host. Pure and reentrant.
 */
#ifndef PGOBOLT_COLLECTOR_INSN_H
#define PGOBOLT_COLLECTOR_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/code.h"

enum pgb_insn_kind {
	PGB_INSN_LINEAR,	/* goes on behind itself */
	PGB_INSN_JUMP,		/* direct, unconditional */
	PGB_INSN_CONDITIONAL,	/* direct, conditional; also loop, jrcxz, xbegin, cbz, tbz */
	PGB_INSN_JUMP_INDIRECT, /* through a register or memory; also far jumps */
	PGB_INSN_CALL,		/* direct */
	PGB_INSN_CALL_INDIRECT, /* through a register or memory; also far calls */
	PGB_INSN_RETURN,	/* ret, retf, iret, sysret, eret and their kin */
	PGB_INSN_SYSCALL,	/* syscall, sysenter, int n, svc, hvc, smc: comes back behind it */
	PGB_INSN_TRAP,		/* ud2, hlt, int3, brk, udf: control does not go on */
	PGB_INSN_KINDS
};

struct pgb_insn {
	enum pgb_insn_kind kind;
	uint8_t length_bytes; /* 1..15; 4 on AArch64 */
	bool nop;	      /* an alignment nop of any length; linear. Not endbr64, bti, pause */
	bool repeated;	      /* rep-prefixed string instruction: re-enters itself */
	uint64_t target;      /* of a direct jump, conditional or call; else UINT64_MAX */
};

enum pgb_insn_set { PGB_INSN_X86_64, PGB_INSN_AARCH64 };

/*
 * Decode the instruction at `address`, of which `size_bytes` bytes are at hand.
 * 0; PGB_E_TRUNCATED more bytes are needed; PGB_E_CORRUPT no such instruction. `insn` is filled
 * on 0 only.
 * x86-64: as Intel's processors do it, where a 16-bit operand prefix does not shorten branches.
 * AArch64: words that are reserved at the top level or among the branches and exceptions are
 * corrupt; other unallocated words pass as linear.
 */
int pgb_insn_decode(enum pgb_insn_set set, const uint8_t *bytes, size_t size_bytes,
		    uint64_t address, struct pgb_insn *insn);

/* The instruction set of an ELF e_machine; false where we have no decoder. */
bool pgb_insn_set_of_machine(uint16_t machine, enum pgb_insn_set *set);

/* "linear", "jump", "conditional", ... */
const char *pgb_insn_kind_name(enum pgb_insn_kind kind);

#endif
