/* SPDX-License-Identifier: MIT */
/*
 * What differs between machines, as constant tables.
 */
#ifndef PGOBOLT_BOLT_ARCH_H
#define PGOBOLT_BOLT_ARCH_H

#include <stdbool.h>
#include <stdint.h>

/* One relocation type of the psABI. */
struct pgb_arch_relocation {
	uint32_t type;
	const char *name;
	uint8_t size_bytes; /* bytes it patches; 0: none */
	bool pc_relative;
};

struct pgb_arch {
	uint16_t machine;			       /* e_machine */
	const char *name;			       /* "x86-64", "AArch64" */
	const struct pgb_arch_relocation *relocations; /* ascending by type */
	unsigned int relocation_count;
	uint32_t relocation_none, relocation_relative, relocation_jump_slot, relocation_irelative;
	bool has_mapping_symbols; /* $x, $d */
	/* PC-relative relocations in data are entries of jump tables relative to their start */
	bool pc_relative_is_opaque;
	bool can_cdsplit; /* llvm-bolt's -split-strategy=cdsplit works there */
};

/* Borrowed; NULL for a machine that llvm-bolt does not take or we do not. */
const struct pgb_arch *pgb_arch_find(uint16_t machine);
/* NULL: unknown type. */
const struct pgb_arch_relocation *pgb_arch_find_relocation(const struct pgb_arch *arch,
							   uint32_t type);

#endif
