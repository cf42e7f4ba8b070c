/* SPDX-License-Identifier: MIT */
/*
 * What the files bolt/cfg*.c share.
 */
#ifndef PGOBOLT_BOLT_CFG_PRIVATE_H
#define PGOBOLT_BOLT_CFG_PRIVATE_H

#include "bolt/cfg_x86_64.h"
#include "pgobolt/base/array.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image_code.h"

/* One decoded instruction. */
struct pgb_cfg_insn {
	uint32_t offset;
	uint8_t kind; /* enum pgb_insn_kind */
	uint8_t length_bytes;
	bool is_terminator; /* control does not simply go on */
};

struct pgb_cfg_offsets {
	uint32_t *items;
	size_t count, capacity;
};

struct pgb_cfg_addresses {
	uint64_t *items;
	size_t count, capacity;
};

/* One jump table of the function; its targets within the function are in table_targets. */
struct pgb_cfg_table {
	uint64_t address;
	unsigned int entry_bytes;
	uint32_t target_first, target_count;
	uint32_t entry_count;
};

/* A function and a cold part of it, or the other way round. */
struct pgb_cfg_relation {
	const struct pgb_elf_function *function, *other;
};

/* Functions of one name that a fragment may belong to. */
#define PGB_CFG_PARENTS_MOST 64

/* What other functions do to a function. */
struct pgb_cfg_outside {
	struct pgb_cfg_addresses entries; /* ends of direct branches inside other functions */
	struct pgb_cfg_addresses tables;  /* jump tables, as far as relocations show them */
	/* Addresses inside functions that instructions name relative to their own, but for branches
	 */
	struct pgb_cfg_addresses taken;
	PGB_ARRAY(struct pgb_cfg_relation) relations;
};

void pgb_cfg_outside_init(struct pgb_cfg_outside *outside, const struct pgb_elf_image *image,
			  enum pgb_insn_set set, bool has_relocations);
void pgb_cfg_outside_release(struct pgb_cfg_outside *outside);
/* Is an address of the function's taken, as far as pgb_cfg_outside.taken tells? */
bool pgb_cfg_outside_takes(const struct pgb_cfg_outside *outside,
			   const struct pgb_elf_function *function);
/* Ascending. */
const uint64_t *pgb_cfg_outside_entries(const struct pgb_cfg_outside *outside,
					const struct pgb_elf_function *function, size_t *count);
/* The next jump table behind this address; UINT64_MAX: none is known. */
uint64_t pgb_cfg_next_table(const struct pgb_cfg_outside *outside, uint64_t address);
const struct pgb_cfg_relation *pgb_cfg_relations(const struct pgb_cfg_outside *outside,
						 const struct pgb_elf_function *function,
						 size_t *count);

/* Scratch for one function at a time, kept from one to the next. */
struct pgb_cfg_builder {
	struct pgb_elf_image *image;
	enum pgb_insn_set set;
	bool has_relocations;
	bool is_static; /* no dynamic section: llvm-bolt leaves _init alone */
	const struct pgb_cfg_outside *outside;
	const struct pgb_elf_function *function;
	const uint8_t *bytes; /* of the function */
	uint8_t *instructions;
	PGB_ARRAY(struct pgb_cfg_insn) insns;
	PGB_ARRAY(struct pgb_cfg_transfer) transfers;
	struct pgb_cfg_offsets calls;
	struct pgb_cfg_offsets labels;	 /* where blocks start */
	struct pgb_cfg_offsets entries;	 /* those that others enter at */
	struct pgb_cfg_offsets landings; /* those where exceptions land */
	struct pgb_cfg_offsets external; /* what data refers to */
	struct pgb_cfg_offsets table_targets;
	PGB_ARRAY(struct pgb_cfg_table) tables;
	/* in search of tables and of targets: code can be made to need their square */
	uint64_t steps_left;
	struct pgb_cfg_addresses other_targets; /* of tables, in other parts of the function */
	struct pgb_cfg_addresses
		data_references; /* addresses outside code that instructions name */
	PGB_ARRAY(struct pgb_cfg_block) blocks;
	PGB_ARRAY(struct pgb_elf_call_site) call_sites;
};

/*
 * Build the function's graph anew and lend all that was found on the way, until the next one is
 * built; NULL: there is none.
 */
struct pgb_cfg_builder *pgb_cfgs_rebuild(struct pgb_cfgs *cfgs,
					 const struct pgb_elf_function *function);

/* Build the graph of builder->function; false: there is none. */
bool pgb_cfg_build(struct pgb_cfg_builder *builder);

void pgb_cfg_offsets_sort(struct pgb_cfg_offsets *offsets);
bool pgb_cfg_offsets_have(const struct pgb_cfg_offsets *offsets, uint32_t offset);

/*
 * The operands of an x86-64 instruction of the function, by its index. false: not understood, or
 * builder->steps_left are used up.
 */
bool pgb_cfg_read_operands(struct pgb_cfg_builder *builder, size_t index,
			   struct pgb_cfg_operands *operands);

/* Goes through the instructions of a function, over the data between them. */
struct pgb_cfg_walk {
	const struct pgb_elf_image *image;
	const struct pgb_elf_function *function;
	enum pgb_insn_set set;
	const uint8_t *bytes; /* of the function; NULL: it is not in the file */
	uint64_t size_bytes;
	uint64_t offset; /* of `insn` */
	struct pgb_insn insn;
};

void pgb_cfg_walk_start(struct pgb_cfg_walk *walk, const struct pgb_elf_image *image,
			enum pgb_insn_set set, const struct pgb_elf_function *function);
/* false: the function's end, or (`*bad`) bytes that are no instruction. */
bool pgb_cfg_walk_next(struct pgb_cfg_walk *walk, bool *bad);

/* Does an instruction start at this offset, which is inside the function? */
static inline bool pgb_cfg_is_start(const struct pgb_cfg_builder *builder, uint64_t offset)
{
	return builder->instructions[offset / 8] >> (offset % 8) & 1;
}

/* Find the jump tables of the function: their targets become labels. */
void pgb_cfg_find_jump_tables(struct pgb_cfg_builder *builder);
/* When blocks are known: which indirect jump uses which. */
void pgb_cfg_assign_jump_tables(struct pgb_cfg_builder *builder);

#endif
