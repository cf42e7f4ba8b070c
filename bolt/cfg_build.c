/* SPDX-License-Identifier: MIT */
/*
 * One function: decode it in a line, collect where blocks must start, cut it into blocks, and see
 * which of them run on into the next (BinaryFunction::disassemble and buildCFG).
 */
#include <string.h>

#include "bolt/cfg_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/search.h"

static int compare_offsets(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void pgb_cfg_offsets_sort(struct pgb_cfg_offsets *offsets)
{
	size_t kept = 0;

	if (offsets->count > 1)
		qsort(offsets->items, offsets->count, sizeof(*offsets->items), compare_offsets);
	for (size_t i = 0; i < offsets->count; i++) {
		if (kept == 0 || offsets->items[kept - 1] != offsets->items[i])
			offsets->items[kept++] = offsets->items[i];
	}
	offsets->count = kept;
}

bool pgb_cfg_offsets_have(const struct pgb_cfg_offsets *offsets, uint32_t offset)
{
	return offsets->count > 0 && bsearch(&offset, offsets->items, offsets->count,
					     sizeof(*offsets->items), compare_offsets) != NULL;
}

static bool inside(const struct pgb_elf_function *function, uint64_t address)
{
	return address - function->address < function->size_bytes;
}

/*
 * Traps that nothing runs on behind, for llvm-bolt: ud2 and hlt; the brk of compilers' traps and of
 * pointer authentication.
 */
static bool trap_terminates(const struct pgb_cfg_builder *builder, const uint8_t *bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, sizeof(uint32_t));
	uint32_t number;

	if (builder->set == PGB_INSN_X86_64)
		return (bytes[0] == 0x0f && bytes[1] == 0x0b) || bytes[0] == 0xf4;
	number = pgb_cursor_u32(&cursor);
	if ((number & 0xffe0001f) != 0xd4200000)
		return false;
	number = number >> 5 & 0xffff;
	return number == 1 || number == 1000 || (number >= 0xc470 && number <= 0xc473);
}

static bool is_transfer(enum pgb_insn_kind kind)
{
	return kind >= PGB_INSN_JUMP && kind <= PGB_INSN_RETURN;
}

/* Does a branch go right behind the function, into padding? llvm-bolt makes a nop of it. */
static bool leaps_off_the_end(const struct pgb_elf_function *function, uint64_t target)
{
	return target == function->address + function->size_bytes &&
	       target < function->address + function->max_size_bytes;
}

static void add_transfer(struct pgb_cfg_builder *builder, uint32_t offset,
			 const struct pgb_insn *insn)
{
	const struct pgb_elf_function *function = builder->function;
	bool is_call = insn->kind == PGB_INSN_CALL || insn->kind == PGB_INSN_CALL_INDIRECT;
	struct pgb_cfg_transfer transfer = {.offset = offset,
					    .kind = (uint8_t)insn->kind,
					    .length_bytes = insn->length_bytes,
					    .target = insn->target};

	pgb_array_push(&builder->transfers, transfer);
	if (is_call)
		pgb_array_push(&builder->calls, offset);
	if (insn->target == UINT64_MAX || !inside(function, insn->target))
		return;
	if (!is_call || insn->target != function->address)
		pgb_array_push(&builder->labels, (uint32_t)(insn->target - function->address));
}

/* Addresses that the instruction names besides a branch target. */
static void note_reference(struct pgb_cfg_builder *builder, const uint8_t *bytes, uint32_t offset,
			   uint8_t length_bytes)
{
	const struct pgb_elf_function *function = builder->function;
	struct pgb_cfg_operands operands;

	if (builder->set != PGB_INSN_X86_64 || length_bytes < 6 ||
	    !pgb_cfg_x86_operands(bytes, length_bytes, function->address + offset, &operands) ||
	    !operands.rip_relative)
		return;
	if (!inside(function, operands.address)) {
		pgb_array_push(&builder->data_references, operands.address);
		return;
	}
	/* Its address is taken: who knows who jumps there. */
	if (operands.address != function->address) {
		uint32_t label = (uint32_t)(operands.address - function->address);

		pgb_array_push(&builder->labels, label);
		pgb_array_push(&builder->entries, label);
	}
}

static bool is_zero_from(const struct pgb_cfg_builder *builder, uint64_t offset)
{
	for (; offset < builder->function->size_bytes; offset++) {
		if (builder->bytes[offset] != 0)
			return false;
	}
	return true;
}

/* loop, jrcxz: they cannot be made longer, and llvm-bolt leaves functions with them alone. */
static bool is_short_only(const struct pgb_cfg_walk *walk)
{
	uint8_t opcode;

	if (walk->set != PGB_INSN_X86_64 || walk->insn.kind != PGB_INSN_CONDITIONAL ||
	    walk->insn.length_bytes > 3)
		return false;
	opcode = walk->bytes[walk->offset + walk->insn.length_bytes - 2];
	return opcode >= 0xe0 && opcode <= 0xe3;
}

static bool is_terminator(const struct pgb_cfg_builder *builder, enum pgb_insn_kind kind,
			  const uint8_t *bytes)
{
	switch (kind) {
	case PGB_INSN_JUMP:
	case PGB_INSN_CONDITIONAL:
	case PGB_INSN_JUMP_INDIRECT:
	case PGB_INSN_RETURN:
		return true;
	case PGB_INSN_TRAP:
		return trap_terminates(builder, bytes);
	default:
		return false;
	}
}

static bool decode(struct pgb_cfg_builder *builder)
{
	const struct pgb_elf_function *function = builder->function;
	struct pgb_cfg_walk walk;
	bool bad;

	pgb_cfg_walk_start(&walk, builder->image, builder->set, function);
	while (pgb_cfg_walk_next(&walk, &bad)) {
		const uint8_t *bytes = walk.bytes + walk.offset;
		struct pgb_insn *insn = &walk.insn;

		if (is_short_only(&walk))
			return false;
		builder->instructions[walk.offset / 8] |= (uint8_t)(1u << (walk.offset % 8));
		if (insn->target != UINT64_MAX && leaps_off_the_end(function, insn->target))
			insn->kind = PGB_INSN_LINEAR;
		if (is_transfer(insn->kind))
			add_transfer(builder, (uint32_t)walk.offset, insn);
		note_reference(builder, bytes, (uint32_t)walk.offset, insn->length_bytes);
		pgb_array_push(&builder->insns,
			       ((struct pgb_cfg_insn){
				       .offset = (uint32_t)walk.offset,
				       .kind = (uint8_t)insn->kind,
				       .length_bytes = insn->length_bytes,
				       .is_terminator = is_terminator(builder, insn->kind, bytes),
			       }));
	}
	return !bad || is_zero_from(builder, walk.offset);
}

/* Symbols inside the function, and relocations that refer into it. */
static void add_outside_labels(struct pgb_cfg_builder *builder)
{
	const struct pgb_elf_function *function = builder->function;
	const struct pgb_elf_reference *references;
	const uint64_t *entries;
	size_t count;

	pgb_array_push(&builder->labels, 0);
	pgb_array_push(&builder->entries, 0);
	for (uint32_t i = 0; i < function->entry_count; i++) {
		uint64_t entry =
			pgb_elf_image_secondary_entry(builder->image, function->entry_first + i);

		pgb_array_push(&builder->labels, (uint32_t)entry);
		pgb_array_push(&builder->entries, (uint32_t)entry);
	}
	entries = pgb_cfg_outside_entries(builder->outside, function, &count);
	for (size_t i = 0; i < count; i++) {
		pgb_array_push(&builder->labels, (uint32_t)(entries[i] - function->address));
		pgb_array_push(&builder->entries, (uint32_t)(entries[i] - function->address));
	}
	references = pgb_elf_image_references(builder->image, function->address,
					      function->address + function->size_bytes, &count);
	for (size_t i = 0; i < count; i++) {
		uint32_t offset = (uint32_t)(references[i].address - function->address);

		pgb_array_push(&builder->labels, offset);
		if (references[i].by == PGB_ELF_BY_OTHER)
			pgb_array_push(&builder->entries, offset);
		if (references[i].by == PGB_ELF_BY_DATA)
			pgb_array_push(&builder->external, offset);
	}
}

/* Is there a call that may throw to the landing pad? */
static bool has_call(const struct pgb_cfg_builder *builder, const struct pgb_elf_call_site *site)
{
	uint64_t start = builder->function->address;
	size_t at =
		pgb_search(builder->calls.count, i, start + builder->calls.items[i] < site->start);

	return at < builder->calls.count && start + builder->calls.items[at] < site->end;
}

static void add_landing_pads(struct pgb_cfg_builder *builder)
{
	const struct pgb_elf_function *function = builder->function;
	size_t count = pgb_elf_image_call_sites(builder->image, function, NULL, 0);

	pgb_array_reserve(&builder->call_sites, count);
	pgb_elf_image_call_sites(builder->image, function, builder->call_sites.items, count);
	for (size_t i = 0; i < count; i++) {
		const struct pgb_elf_call_site *site = &builder->call_sites.items[i];
		uint32_t offset = (uint32_t)(site->landing_pad - function->address);

		if (!inside(function, site->landing_pad))
			continue;
		pgb_array_push(&builder->labels, offset);
		if (has_call(builder, site))
			pgb_array_push(&builder->landings, offset);
	}
}

static const struct pgb_cfg_transfer *transfer_at(const struct pgb_cfg_builder *builder,
						  uint32_t offset)
{
	size_t at = pgb_search(builder->transfers.count, i,
			       builder->transfers.items[i].offset < offset);

	return at < builder->transfers.count && builder->transfers.items[at].offset == offset
		       ? &builder->transfers.items[at]
		       : NULL;
}

/* A jump within the function; one out of it is a tail call. */
static bool is_local_jump(const struct pgb_cfg_builder *builder, const struct pgb_cfg_insn *insn)
{
	return insn->kind == PGB_INSN_JUMP &&
	       inside(builder->function, transfer_at(builder, insn->offset)->target);
}

static bool is_conditional_tail_call(const struct pgb_cfg_builder *builder,
				     const struct pgb_cfg_insn *insn)
{
	return insn->kind == PGB_INSN_CONDITIONAL &&
	       !inside(builder->function, transfer_at(builder, insn->offset)->target);
}

/* Does the jump stay in the block of the terminator before it? */
static bool joins_previous(const struct pgb_cfg_builder *builder, const struct pgb_cfg_insn *insn,
			   const struct pgb_cfg_insn *previous)
{
	return is_local_jump(builder, insn) && previous->kind != PGB_INSN_JUMP_INDIRECT &&
	       !is_local_jump(builder, previous) && previous->kind != PGB_INSN_RETURN &&
	       !is_conditional_tail_call(builder, previous);
}

static void add_block(struct pgb_cfg_builder *builder, uint32_t offset)
{
	pgb_array_push(&builder->blocks,
		       ((struct pgb_cfg_block){
			       .offset = offset,
			       .is_entry = pgb_cfg_offsets_have(&builder->entries, offset),
			       .is_landing_pad = pgb_cfg_offsets_have(&builder->landings, offset),
		       }));
}

static void cut_into_blocks(struct pgb_cfg_builder *builder)
{
	size_t label = 0;
	bool open = false;

	for (size_t i = 0; i < builder->insns.count; i++) {
		const struct pgb_cfg_insn *insn = &builder->insns.items[i];
		struct pgb_cfg_block *block;
		bool at_label;

		while (label < builder->labels.count && builder->labels.items[label] < insn->offset)
			label++;
		at_label = label < builder->labels.count &&
			   builder->labels.items[label] == insn->offset;
		if (i == 0 || at_label ||
		    (!open && !joins_previous(builder, insn, &builder->insns.items[i - 1])))
			add_block(builder, insn->offset);
		block = &builder->blocks.items[builder->blocks.count - 1];
		block->offset_last = insn->offset;
		block->ends_in_call = insn->kind == PGB_INSN_CALL ||
				      insn->kind == PGB_INSN_CALL_INDIRECT ||
				      is_conditional_tail_call(builder, insn);
		open = !insn->is_terminator;
	}
}

struct successors {
	uint32_t first; /* one of them */
	size_t count;	/* distinct ones, as far as 2 */
	bool next;	/* the next block is one */
};

static void add_successor(struct successors *successors, uint32_t offset, uint32_t next)
{
	successors->next |= offset == next;
	if (successors->count == 0 || offset != successors->first)
		successors->count++;
	successors->first = offset;
}

static void add_indirect_successors(const struct pgb_cfg_builder *builder,
				    const struct pgb_cfg_transfer *transfer, uint32_t next,
				    struct successors *successors)
{
	const struct pgb_cfg_offsets *all =
		transfer->knows_targets ? &builder->table_targets : &builder->external;
	size_t first = transfer->knows_targets ? transfer->table_first : 0;
	size_t count = transfer->knows_targets ? transfer->table_count : all->count;

	for (size_t i = 0; i < count; i++)
		add_successor(successors, all->items[first + i], next);
}

/* Where the block's own branches go. */
static struct successors taken_successors(const struct pgb_cfg_builder *builder,
					  const struct pgb_cfg_block *block, size_t *transfer,
					  uint32_t next)
{
	struct successors successors = {0};

	for (; *transfer < builder->transfers.count &&
	       builder->transfers.items[*transfer].offset <= block->offset_last;
	     ++*transfer) {
		const struct pgb_cfg_transfer *at = &builder->transfers.items[*transfer];

		if (at->kind == PGB_INSN_JUMP_INDIRECT)
			add_indirect_successors(builder, at, next, &successors);
		else if ((at->kind == PGB_INSN_JUMP || at->kind == PGB_INSN_CONDITIONAL) &&
			 inside(builder->function, at->target))
			add_successor(&successors,
				      (uint32_t)(at->target - builder->function->address), next);
	}
	return successors;
}

static void connect_blocks(struct pgb_cfg_builder *builder)
{
	size_t transfer = 0, insn = 0;

	for (size_t i = 0; i + 1 < builder->blocks.count; i++) {
		struct pgb_cfg_block *block = &builder->blocks.items[i];
		struct successors successors =
			taken_successors(builder, block, &transfer, block[1].offset);
		const struct pgb_cfg_insn *last;

		while (builder->insns.items[insn].offset < block->offset_last)
			insn++;
		last = &builder->insns.items[insn];
		block->falls_through = successors.next;
		if (successors.count == 0)
			block->falls_through |=
				!last->is_terminator || is_conditional_tail_call(builder, last);
		else if (successors.count == 1)
			block->falls_through |= last->kind == PGB_INSN_CONDITIONAL &&
						!is_conditional_tail_call(builder, last);
	}
}

static void reset(struct pgb_cfg_builder *builder)
{
	builder->insns.count = 0;
	builder->transfers.count = 0;
	builder->calls.count = 0;
	builder->labels.count = 0;
	builder->entries.count = 0;
	builder->landings.count = 0;
	builder->external.count = 0;
	builder->table_targets.count = 0;
	builder->tables.count = 0;
	builder->other_targets.count = 0;
	builder->data_references.count = 0;
	builder->blocks.count = 0;
}

static bool has_name(const struct pgb_cfg_builder *builder, const char *name)
{
	return pgb_elf_image_function_named(builder->image, name) == builder->function;
}

bool pgb_cfg_build(struct pgb_cfg_builder *builder)
{
	const struct pgb_elf_function *function = builder->function;
	size_t left = 0, related;

	/* Split functions are too much for llvm-bolt without relocations. */
	pgb_cfg_relations(builder->outside, function, &related);
	if ((builder->is_static && has_name(builder, "_init")) ||
	    (related > 0 && !builder->has_relocations))
		return false;
	builder->bytes = pgb_elf_image_bytes_at(builder->image, function->address, &left);
	if (function->is_plt || !function->is_simple || function->size_bytes == 0 ||
	    function->size_bytes >= UINT32_MAX || builder->bytes == NULL ||
	    left < function->size_bytes)
		return false;
	reset(builder);
	builder->instructions = pgb_calloc(function->size_bytes / 8 + 1, 1);
	if (!decode(builder) || builder->insns.count == 0)
		return false;
	add_outside_labels(builder);
	add_landing_pads(builder);
	pgb_cfg_find_jump_tables(builder);
	pgb_cfg_offsets_sort(&builder->labels);
	pgb_cfg_offsets_sort(&builder->entries);
	pgb_cfg_offsets_sort(&builder->landings);
	pgb_cfg_offsets_sort(&builder->external);
	cut_into_blocks(builder);
	pgb_cfg_assign_jump_tables(builder);
	connect_blocks(builder);
	return true;
}
