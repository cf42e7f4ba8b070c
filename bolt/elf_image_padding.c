/* SPDX-License-Identifier: MIT */
/*
 * What lies between a function's end and the next one: padding, or code that no symbol names
 * (BinaryContext::hasValidCodePadding).
 */
#include "bolt/cfg_private.h"
#include "bolt/elf_image_private.h"
#include "pgobolt/collector/insn.h"

struct gap {
	const struct pgb_elf_image *image;
	const struct pgb_elf_function *function;
	enum pgb_insn_set set;
	const uint8_t *bytes;
	uint64_t address, size_bytes, at;
};

enum accepted { BREAKPOINTS, NOPS, JUMPS };

#define X86_INT3	 0xcc
#define AARCH64_BRK_MASK 0xffe0001fu
#define AARCH64_BRK	 0xd4200000u

static bool is_breakpoint(const struct gap *gap)
{
	const uint8_t *bytes = gap->bytes + gap->at;
	struct pgb_cursor cursor = pgb_cursor_of(bytes, gap->size_bytes - gap->at);

	if (gap->set == PGB_INSN_X86_64)
		return bytes[0] == X86_INT3;
	return (pgb_cursor_u32(&cursor) & AARCH64_BRK_MASK) == AARCH64_BRK;
}

/* Does the instruction leap over padding only? */
static bool is_skip(const struct gap *gap, const struct pgb_insn *insn)
{
	return gap->set == PGB_INSN_X86_64 && insn->kind == PGB_INSN_JUMP &&
	       insn->target >= gap->address + gap->at + insn->length_bytes &&
	       insn->target <= gap->address + gap->size_bytes;
}

/* Instructions of one sort; were there any? */
static bool skip_instructions(struct gap *gap, enum accepted accepted)
{
	uint64_t start = gap->at;
	struct pgb_insn insn;

	for (; gap->at < gap->size_bytes; gap->at += insn.length_bytes) {
		if (pgb_insn_decode(gap->set, gap->bytes + gap->at, gap->size_bytes - gap->at,
				    gap->address + gap->at, &insn) != 0)
			break;
		if ((accepted == BREAKPOINTS && !is_breakpoint(gap)) ||
		    (accepted == NOPS && !insn.nop) || (accepted == JUMPS && !is_skip(gap, &insn)))
			break;
	}
	return gap->at > start;
}

static bool skip_zeros(struct gap *gap)
{
	uint64_t zeros = 0;

	while (gap->at + zeros < gap->size_bytes && gap->bytes[gap->at + zeros] == 0)
		zeros++;
	if (gap->set == PGB_INSN_AARCH64)
		zeros &= ~(uint64_t)3;
	gap->at += zeros;
	return zeros > 0;
}

/* AArch64: constants behind the code. */
static bool skip_data(struct gap *gap)
{
	uint64_t bytes =
		pgb_elf_image_data_bytes_at(gap->image, gap->function, gap->address + gap->at);

	if (bytes > gap->size_bytes - gap->at)
		bytes = gap->size_bytes - gap->at;
	gap->at += bytes;
	return bytes > 0;
}

static bool is_padding(struct gap *gap)
{
	if (skip_instructions(gap, BREAKPOINTS) && gap->at == gap->size_bytes)
		return true;
	while (skip_data(gap) || skip_instructions(gap, NOPS) || skip_instructions(gap, JUMPS) ||
	       skip_zeros(gap))
		;
	return gap->at == gap->size_bytes;
}

bool pgb_elf_image_has_good_padding(const struct pgb_elf_image *image,
				    const struct pgb_elf_function *function)
{
	uint64_t end = function->address + function->size_bytes;
	struct gap gap = {.address = end,
			  .size_bytes = function->max_size_bytes - function->size_bytes};
	size_t left = 0;

	if (function->is_plt || gap.size_bytes == 0 ||
	    !pgb_insn_set_of_machine(image->arch->machine, &gap.set))
		return true;
	gap.image = image;
	gap.function = function;
	gap.bytes = pgb_elf_image_bytes_at(image, end, &left);
	return gap.bytes != NULL && left >= gap.size_bytes && is_padding(&gap);
}

bool pgb_elf_image_refers_behind(const struct pgb_elf_image *image,
				 const struct pgb_elf_function *function)
{
	size_t left = 0;
	const uint8_t *bytes = pgb_elf_image_bytes_at(image, function->address, &left);
	struct pgb_cfg_operands operands;
	struct pgb_insn insn;

	if (bytes == NULL || left < function->size_bytes || image->arch->machine != EM_X86_64)
		return false;
	for (uint64_t at = 0; at < function->size_bytes; at += insn.length_bytes) {
		uint64_t address = function->address + at;

		if (pgb_insn_decode(PGB_INSN_X86_64, bytes + at, function->size_bytes - at, address,
				    &insn) != 0)
			return false;
		if (pgb_cfg_x86_operands(bytes + at, insn.length_bytes, address, &operands) &&
		    operands.rip_relative &&
		    operands.address - function->address >= function->size_bytes &&
		    operands.address - function->address < function->max_size_bytes)
			return true;
	}
	return false;
}
