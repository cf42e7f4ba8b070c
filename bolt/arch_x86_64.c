/* SPDX-License-Identifier: MIT */
/* System V ABI, AMD64 supplement, section 4.4. */
#include <elf.h>

#include "bolt/arch_tables.h"

#define ROW(name, size_bytes, pc_relative)                                                         \
	{                                                                                          \
		name, #name, size_bytes, pc_relative                                               \
	}

static const struct pgb_arch_relocation relocations[] = {
	ROW(R_X86_64_NONE, 0, false),
	ROW(R_X86_64_64, 8, false),
	ROW(R_X86_64_PC32, 4, true),
	ROW(R_X86_64_GOT32, 4, false),
	ROW(R_X86_64_PLT32, 4, true),
	ROW(R_X86_64_COPY, 0, false),
	ROW(R_X86_64_GLOB_DAT, 8, false),
	ROW(R_X86_64_JUMP_SLOT, 8, false),
	ROW(R_X86_64_RELATIVE, 8, false),
	ROW(R_X86_64_GOTPCREL, 4, true),
	ROW(R_X86_64_32, 4, false),
	ROW(R_X86_64_32S, 4, false),
	ROW(R_X86_64_16, 2, false),
	ROW(R_X86_64_PC16, 2, true),
	ROW(R_X86_64_8, 1, false),
	ROW(R_X86_64_PC8, 1, true),
	ROW(R_X86_64_DTPMOD64, 8, false),
	ROW(R_X86_64_DTPOFF64, 8, false),
	ROW(R_X86_64_TPOFF64, 8, false),
	ROW(R_X86_64_TLSGD, 4, true),
	ROW(R_X86_64_TLSLD, 4, true),
	ROW(R_X86_64_DTPOFF32, 4, false),
	ROW(R_X86_64_GOTTPOFF, 4, true),
	ROW(R_X86_64_TPOFF32, 4, false),
	ROW(R_X86_64_PC64, 8, true),
	ROW(R_X86_64_GOTOFF64, 8, false),
	ROW(R_X86_64_GOTPC32, 4, true),
	ROW(R_X86_64_GOT64, 8, false),
	ROW(R_X86_64_GOTPCREL64, 8, true),
	ROW(R_X86_64_GOTPC64, 8, true),
	ROW(R_X86_64_GOTPLT64, 8, false),
	ROW(R_X86_64_PLTOFF64, 8, false),
	ROW(R_X86_64_SIZE32, 4, false),
	ROW(R_X86_64_SIZE64, 8, false),
	ROW(R_X86_64_GOTPC32_TLSDESC, 4, true),
	ROW(R_X86_64_TLSDESC_CALL, 0, false),
	ROW(R_X86_64_TLSDESC, 16, false),
	ROW(R_X86_64_IRELATIVE, 8, false),
	ROW(R_X86_64_RELATIVE64, 8, false),
	ROW(R_X86_64_GOTPCRELX, 4, true),
	ROW(R_X86_64_REX_GOTPCRELX, 4, true),
};

const struct pgb_arch pgb_arch_x86_64 = {
	.machine = EM_X86_64,
	.name = "x86-64",
	.relocations = relocations,
	.relocation_count = sizeof(relocations) / sizeof(relocations[0]),
	.relocation_none = R_X86_64_NONE,
	.relocation_relative = R_X86_64_RELATIVE,
	.relocation_jump_slot = R_X86_64_JUMP_SLOT,
	.relocation_irelative = R_X86_64_IRELATIVE,
	.pc_relative_is_opaque = true,
	.can_cdsplit = true,
};
