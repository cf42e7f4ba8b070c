/* SPDX-License-Identifier: MIT */
/*
 * Where the target of an indirect jump comes from: back from the jump through moves, along all ways
 * that lead to it, to what made it.
 */
#include <stdlib.h>
#include <string.h>

#include "bolt/strict_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/search.h"

#define RAX 0
#define RSP 4

/* rax, rcx, rdx, rsi, rdi, r8 to r11: a call may change them */
#define CALL_WRITES 0x0fc7

/* More than any compiler's code needs, and little enough for an answer. */
#define STEPS_LEAST    100000
#define STEPS_PER_INSN 256

/* `reg` must be traced from before the instruction `insn`, in this block. */
struct place {
	size_t block, insn;
	uint8_t reg;
};

struct tracer {
	struct pgb_cfg_builder *builder;
	bool has_labels;
	PGB_ARRAY(struct place) todo;
	uint16_t *seen; /* by block: registers traced from its end */
};

/* The first instruction at or behind an offset. */
static size_t insn_at(const struct pgb_cfg_builder *builder, uint32_t offset)
{
	return pgb_search(builder->insns.count, i, builder->insns.items[i].offset < offset);
}

/* The block that holds an offset. */
static size_t block_of(const struct pgb_cfg_builder *builder, uint32_t offset)
{
	size_t at = pgb_search(builder->blocks.count, i, builder->blocks.items[i].offset <= offset);

	return at > 0 ? at - 1 : 0;
}

static void go_on(struct tracer *tracer, size_t block, size_t insn, uint8_t reg)
{
	pgb_array_push(&tracer->todo, ((struct place){block, insn, reg}));
}

/* From the end of a block, or from the branch `insn` in it; once. */
static void go_to_end(struct tracer *tracer, size_t block, size_t insn, uint8_t reg)
{
	if (tracer->seen[block] >> reg & 1)
		return;
	tracer->seen[block] |= (uint16_t)(1u << reg);
	go_on(tracer, block, insn, reg);
}

/* May this transfer lead to the block at `offset`? */
static bool leads_to(const struct pgb_cfg_builder *builder, const struct pgb_cfg_transfer *transfer,
		     const struct pgb_cfg_block *block)
{
	if (transfer->kind == PGB_INSN_JUMP || transfer->kind == PGB_INSN_CONDITIONAL)
		return transfer->target == builder->function->address + block->offset;
	if (transfer->kind != PGB_INSN_JUMP_INDIRECT)
		return false;
	if (!transfer->knows_targets)
		return pgb_cfg_offsets_have(&builder->external, block->offset) || block->is_entry;
	for (uint32_t i = 0; i < transfer->table_count; i++) {
		if (builder->table_targets.items[transfer->table_first + i] == block->offset)
			return true;
	}
	return false;
}

/* Can others enter the function here, but at its start? The loader's words are no entries to us. */
static bool is_entered(const struct tracer *tracer, const struct pgb_cfg_block *block)
{
	const struct pgb_cfg_builder *builder = tracer->builder;
	uint64_t address = builder->function->address + block->offset;
	size_t count;

	if (block->is_landing_pad)
		return true;
	if (!block->is_entry || block->offset == 0)
		return false;
	pgb_elf_image_loader_targets(builder->image, address, address + 1, &count);
	return count == 0;
}

/* Before a block's start: all that leads to it. */
static bool trace_before(struct tracer *tracer, size_t index, uint8_t reg)
{
	struct pgb_cfg_builder *builder = tracer->builder;
	const struct pgb_cfg_block *block = &builder->blocks.items[index];

	if (is_entered(tracer, block))
		return false;
	if (index > 0 && block[-1].falls_through)
		go_to_end(tracer, index - 1, insn_at(builder, block[-1].offset_last) + 1, reg);
	for (size_t i = 0; i < builder->transfers.count; i++) {
		const struct pgb_cfg_transfer *transfer = &builder->transfers.items[i];

		if (builder->steps_left == 0)
			return false;
		builder->steps_left--;
		if (leads_to(builder, transfer, block))
			go_to_end(tracer, block_of(builder, transfer->offset),
				  insn_at(builder, transfer->offset), reg);
	}
	return true;
}

/* A load from a table, then add: the table's entries count from its own start. */
static bool is_distance(struct tracer *tracer, const struct place *at, size_t index, uint8_t a,
			uint8_t b)
{
	size_t first = insn_at(tracer->builder, tracer->builder->blocks.items[at->block].offset);
	struct pgb_cfg_operands operands;

	while (index > first) {
		uint16_t writes;

		index--;
		if (!pgb_cfg_read_operands(tracer->builder, index, &operands))
			return false;
		writes = pgb_cfg_x86_writes(&operands);
		if (!((writes >> a | writes >> b) & 1))
			continue;
		return pgb_cfg_x86_is_table_load(&operands, operands.reg == a ? b : a);
	}
	return false;
}

/* A load of the target as it is; what was put on the stack may have been computed. */
static bool is_plain_load(const struct pgb_cfg_operands *operands)
{
	return operands->wide && operands->base != RSP;
}

enum found { FOUND_GOOD, FOUND_BAD, FOUND_MOVE };

/* An address from the instruction itself: it lies outside the function, or is its start. */
static bool is_named(const struct pgb_cfg_operands *operands)
{
	return operands->map == 0 && ((operands->opcode == PGB_X86_LEA && operands->rip_relative) ||
				      (operands->opcode & 0xf8) == PGB_X86_MOV_NUMBER);
}

/* The instruction writes `at->reg`: what does it make of it? */
static enum found look_at_write(struct tracer *tracer, struct place *at, size_t index,
				const struct pgb_cfg_operands *operands)
{
	uint8_t other;

	if (operands->map == 1 && (operands->opcode & 0xf0) == PGB_X86_CMOV && operands->wide) {
		if (operands->has_memory)
			return is_plain_load(operands) ? FOUND_MOVE : FOUND_BAD;
		go_on(tracer, at->block, index, operands->rm);
		return FOUND_MOVE;
	}
	if (is_named(operands))
		return FOUND_GOOD;
	if (operands->map != 0 || !operands->wide)
		return FOUND_BAD;
	if (operands->opcode == PGB_X86_MOV_TO_REG && operands->has_memory)
		return is_plain_load(operands) ? FOUND_GOOD : FOUND_BAD;
	if (operands->has_memory)
		return FOUND_BAD;
	switch (operands->opcode) {
	case PGB_X86_MOV_TO_REG:
		at->reg = operands->rm;
		return FOUND_MOVE;
	case PGB_X86_MOV_TO_RM:
		at->reg = operands->reg;
		return FOUND_MOVE;
	case PGB_X86_ADD_TO_REG:
	case PGB_X86_ADD_TO_RM:
		other = operands->opcode == PGB_X86_ADD_TO_REG ? operands->rm : operands->reg;
		return other != at->reg && is_distance(tracer, at, index, at->reg, other)
			       ? FOUND_GOOD
			       : FOUND_BAD;
	default:
		return FOUND_BAD;
	}
}

static bool is_call(uint8_t kind)
{
	return kind == PGB_INSN_CALL || kind == PGB_INSN_CALL_INDIRECT;
}

/* One register back to the start of its block. */
static bool trace_block(struct tracer *tracer, struct place at)
{
	struct pgb_cfg_builder *builder = tracer->builder;
	size_t first = insn_at(builder, builder->blocks.items[at.block].offset);
	struct pgb_cfg_operands operands;

	for (size_t index = at.insn; index > first;) {
		uint8_t kind = builder->insns.items[--index].kind;

		if (is_call(kind) && (CALL_WRITES >> at.reg & 1))
			return at.reg == RAX && !tracer->has_labels;
		if (!pgb_cfg_read_operands(tracer->builder, index, &operands))
			return false;
		if (is_call(kind) || !(pgb_cfg_x86_writes(&operands) >> at.reg & 1))
			continue;
		switch (look_at_write(tracer, &at, index, &operands)) {
		case FOUND_GOOD:
			return true;
		case FOUND_BAD:
			return false;
		case FOUND_MOVE:
			break;
		}
	}
	/* At the function's start it is an argument. */
	return (at.block > 0 || !tracer->has_labels) && trace_before(tracer, at.block, at.reg);
}

static bool trace(struct tracer *tracer)
{
	while (tracer->todo.count > 0) {
		if (!trace_block(tracer, tracer->todo.items[--tracer->todo.count]))
			return false;
	}
	return true;
}

static bool jump_is_plain(struct tracer *tracer, const struct pgb_cfg_transfer *jump)
{
	struct pgb_cfg_builder *builder = tracer->builder;
	size_t index = insn_at(builder, jump->offset);
	struct pgb_cfg_operands operands;

	if (!pgb_cfg_read_operands(tracer->builder, index, &operands))
		return false;
	if (operands.has_memory)
		return operands.base != RSP;
	memset(tracer->seen, 0, builder->blocks.count * sizeof(*tracer->seen));
	tracer->todo.count = 0;
	go_on(tracer, block_of(builder, jump->offset), index, operands.rm);
	return trace(tracer);
}

bool pgb_strict_targets_are_plain(struct pgb_cfg_builder *builder, bool has_labels)
{
	struct tracer tracer = {.builder = builder, .has_labels = has_labels};
	bool plain = true;

	builder->steps_left = STEPS_LEAST + STEPS_PER_INSN * builder->insns.count;
	tracer.seen = pgb_calloc(builder->blocks.count + 1, sizeof(*tracer.seen));
	for (size_t i = 0; plain && i < builder->transfers.count; i++) {
		const struct pgb_cfg_transfer *transfer = &builder->transfers.items[i];

		if (transfer->kind == PGB_INSN_JUMP_INDIRECT && !transfer->knows_targets)
			plain = jump_is_plain(&tracer, transfer);
	}
	free(tracer.seen);
	pgb_array_release(&tracer.todo);
	return plain;
}
