/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/insn.h"

#include <elf.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/insn_aarch64.h"
#include "pgobolt/collector/insn_x86_64.h"

int pgb_insn_decode(enum pgb_insn_set set, const uint8_t *bytes, size_t size_bytes,
		    uint64_t address, struct pgb_insn *insn)
{
	switch (set) {
	case PGB_INSN_X86_64:
		return pgb_insn_x86_64_decode(bytes, size_bytes, address, insn);
	case PGB_INSN_AARCH64:
		return pgb_insn_aarch64_decode(bytes, size_bytes, address, insn);
	}
	pgb_assert(!"an instruction set of enum pgb_insn_set");
	return PGB_E_UNSUPPORTED;
}

bool pgb_insn_set_of_machine(uint16_t machine, enum pgb_insn_set *set)
{
	switch (machine) {
	case EM_X86_64:
		*set = PGB_INSN_X86_64;
		return true;
	case EM_AARCH64:
		*set = PGB_INSN_AARCH64;
		return true;
	}
	return false;
}

const char *pgb_insn_kind_name(enum pgb_insn_kind kind)
{
	static const char *const names[PGB_INSN_KINDS] = {
		[PGB_INSN_LINEAR] = "linear",
		[PGB_INSN_JUMP] = "jump",
		[PGB_INSN_CONDITIONAL] = "conditional",
		[PGB_INSN_JUMP_INDIRECT] = "jump-indirect",
		[PGB_INSN_CALL] = "call",
		[PGB_INSN_CALL_INDIRECT] = "call-indirect",
		[PGB_INSN_RETURN] = "return",
		[PGB_INSN_SYSCALL] = "syscall",
		[PGB_INSN_TRAP] = "trap",
	};

	pgb_assert(kind < PGB_INSN_KINDS);
	return names[kind];
}
