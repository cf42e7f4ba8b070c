/* SPDX-License-Identifier: MIT */
/*
 * Basic blocks as llvm-bolt sees them (BinaryFunction::buildCFG), for the functions that are asked
 * for.
 *
 * A block starts at the function's start, at every target of its direct branches, at jump table
 * targets, landing pads, secondary entries and other places that relocations refer to; it ends
 * before the next start and behind jumps, returns and ud2. Calls do not end a block. A jump right
 * behind a conditional branch stays in the branch's block.
 */
#ifndef PGOBOLT_BOLT_CFG_H
#define PGOBOLT_BOLT_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/collector/insn.h"

struct pgb_cfg_block {
	uint32_t offset;      /* of its first instruction */
	uint32_t offset_last; /* of its last one, nops included */
	bool falls_through;   /* there is an edge to the next block in memory */
	bool ends_in_call;
	bool is_entry; /* the function can be entered here from elsewhere */
	bool is_landing_pad;
};

/* One instruction that can transfer control. */
struct pgb_cfg_transfer {
	uint32_t offset;
	uint8_t kind; /* enum pgb_insn_kind */
	uint8_t length_bytes;
	bool knows_targets;		   /* an indirect jump whose table was understood */
	uint32_t table_first, table_count; /* into pgb_cfg.table_targets */
	uint64_t target;		   /* address; UINT64_MAX: indirect */
};

struct pgb_cfg {
	const struct pgb_elf_function *function;
	struct pgb_cfg_block *blocks; /* ascending */
	size_t block_count;
	struct pgb_cfg_transfer *transfers; /* ascending */
	size_t transfer_count;
	uint32_t *table_targets; /* offsets, ascending for each transfer */
	uint8_t *instructions;	 /* bit per byte of the function: an instruction starts here */
};

/* The graphs of one image, built when first asked for and kept. */
struct pgb_cfgs;

/* Loads what the image knows of code. PGB_E_CORRUPT, PGB_E_LIMIT. */
int pgb_cfgs_new(struct pgb_cfgs **cfgs, struct pgb_elf_image *image, struct pgb_error *error);
void pgb_cfgs_free(struct pgb_cfgs *cfgs);
struct pgb_elf_image *pgb_cfgs_image(const struct pgb_cfgs *cfgs);

/*
 * NULL: llvm-bolt makes no graph of this function: it has no size, is a PLT entry, cannot be
 * decoded, or its bounds are contradictory. Borrowed.
 */
const struct pgb_cfg *pgb_cfgs_find(struct pgb_cfgs *cfgs, const struct pgb_elf_function *function);

/* The block that holds the offset; NULL: behind the last instruction or in data. */
const struct pgb_cfg_block *pgb_cfg_block_at(const struct pgb_cfg *cfg, uint64_t offset);
bool pgb_cfg_is_instruction(const struct pgb_cfg *cfg, uint64_t offset);
/* NULL: no instruction that transfers control starts there. */
const struct pgb_cfg_transfer *pgb_cfg_transfer_at(const struct pgb_cfg *cfg, uint64_t offset);

#endif
