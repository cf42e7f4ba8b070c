/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: vector elements put elsewhere, tables, and vector constants. */
#include "collector/lookahead_aarch64_vector.h"

enum { ZIP, UNZIP, TRANSPOSE };

static void finish(struct look_machine *machine, const struct look_arm_op *op,
		   union look_arm_vector *result)
{
	if (!op->wide)
		result->d[1] = 0;
	machine->vectors[op->d] = *result;
}

static int duplicate(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = op->operand == LOOK_LANE_ELEMENT
				 ? look_lane_get(&machine->vectors[op->n], op->size, op->amount)
				 : machine->general[op->n];
	union look_arm_vector result = {.d = {0, 0}};

	for (unsigned int i = 0; i < (op->scalar ? 1u : 16u >> op->size); i++)
		look_lane_set(&result, op->size, i, value);
	if (op->scalar)
		machine->vectors[op->d] = result;
	else
		finish(machine, op, &result);
	return 0;
}

static int insert(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = op->operand == LOOK_LANE_ELEMENT
				 ? look_lane_get(&machine->vectors[op->n], op->size,
						 (unsigned int)op->immediate)
				 : machine->general[op->n];

	look_lane_set(&machine->vectors[op->d], op->size, op->amount, value);
	return 0;
}

/* SMOV, UMOV */
static int move_out(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = look_lane_get(&machine->vectors[op->n], op->size, op->amount);

	if (op->sets_flags)
		value = look_arm_sign_extend(value, 8u << op->size);
	machine->general[op->d] = op->wide ? value : value & UINT32_MAX;
	return 0;
}

static int extract(struct look_machine *machine, const struct look_arm_op *op)
{
	unsigned int bytes = op->wide ? 16 : 8;
	union look_arm_vector result = {.d = {0, 0}};

	for (unsigned int i = 0; i < bytes; i++) {
		unsigned int at = i + op->amount;

		result.b[i] = at < bytes ? machine->vectors[op->n].b[at]
					 : machine->vectors[op->m].b[at - bytes];
	}
	machine->vectors[op->d] = result;
	return 0;
}

/* `amount` is 1 for the second half, or the odd elements */
static int permute(struct look_machine *machine, const struct look_arm_op *op)
{
	const union look_arm_vector sources[] = {machine->vectors[op->n], machine->vectors[op->m]};
	unsigned int count = (op->wide ? 16u : 8u) >> op->size;
	union look_arm_vector result = {.d = {0, 0}};

	for (unsigned int i = 0; i < count; i++) {
		unsigned int which, at;

		if (op->operation == ZIP) {
			which = i & 1;
			at = i / 2 + (op->amount ? count / 2 : 0);
		} else if (op->operation == UNZIP) {
			which = i >= count / 2;
			at = 2 * (i % (count / 2)) + op->amount;
		} else {
			which = i & 1;
			at = (i & ~1u) + op->amount;
		}
		look_lane_set(&result, op->size, i, look_lane_get(&sources[which], op->size, at));
	}
	machine->vectors[op->d] = result;
	return 0;
}

/* TBL, TBX: `amount` registers from n on; what is out of the table is zero, or kept */
static int look_up(struct look_machine *machine, const struct look_arm_op *op)
{
	union look_arm_vector result = machine->vectors[op->d];

	for (unsigned int i = 0; i < (op->wide ? 16 : 8); i++) {
		unsigned int at = machine->vectors[op->m].b[i];

		if (at < 16u * op->amount)
			result.b[i] = machine->vectors[(op->n + at / 16) % 32].b[at % 16];
		else if (!op->invert)
			result.b[i] = 0;
	}
	finish(machine, op, &result);
	return 0;
}

/* MOVI, MVNI, FMOV; ORR, BIC */
static int constant(struct look_machine *machine, const struct look_arm_op *op)
{
	union look_arm_vector *d = &machine->vectors[op->d];

	for (unsigned int i = 0; i < 2; i++) {
		if (op->operation == LOOK_LANE_ORR)
			d->d[i] |= op->immediate;
		else if (op->operation == LOOK_LANE_BIC)
			d->d[i] &= ~op->immediate;
		else
			d->d[i] = op->immediate;
	}
	if (!op->wide)
		d->d[1] = 0;
	return 0;
}

/* The element's size is the lowest bit that is set, its index stands above. */
static bool decode_index(uint32_t word, struct look_arm_op *op)
{
	unsigned int code = look_arm_bits(word, 20, 16);

	if ((code & 15) == 0)
		return false;
	op->size = (uint8_t)__builtin_ctz(code);
	op->amount = (uint8_t)(code >> (op->size + 1));
	return true;
}

static bool decode_insert_element(uint32_t word, struct look_arm_op *op)
{
	look_arm_vector_registers(word, op);
	if (!decode_index(word, op))
		return false;
	op->operand = LOOK_LANE_ELEMENT;
	op->immediate = look_arm_bits(word, 14, 11) >> op->size;
	op->execute = insert;
	return op->wide;
}

static bool decode_copy(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 14, 11);

	look_arm_vector_registers(word, op);
	if (!decode_index(word, op))
		return false;
	switch (opcode) {
	case 0:
		op->operand = LOOK_LANE_ELEMENT;
		op->execute = duplicate;
		return op->scalar || op->size < 3 || op->wide;
	case 1:
		op->n = look_arm_register(word, 5);
		op->execute = duplicate;
		return !op->scalar && (op->size < 3 || op->wide);
	case 3:
		op->n = look_arm_register(word, 5);
		op->execute = insert;
		return op->wide;
	case 5:
	case 7:
		op->d = look_arm_register(word, 0);
		op->sets_flags = opcode == 5;
		op->execute = move_out;
		if (op->scalar)
			return false;
		if (opcode == 5)
			return op->size < 2 || (op->size == 2 && op->wide);
		return op->wide == (op->size == 3);
	default:
		return false;
	}
}

static bool decode_extract(uint32_t word, struct look_arm_op *op)
{
	look_arm_vector_registers(word, op);
	op->amount = (uint8_t)look_arm_bits(word, 14, 11);
	op->execute = extract;
	return op->wide || op->amount < 8;
}

static bool decode_permute(uint32_t word, struct look_arm_op *op)
{
	static const uint8_t operations[] = {0, UNZIP, TRANSPOSE, ZIP};
	unsigned int opcode = look_arm_bits(word, 14, 12);

	look_arm_vector_registers(word, op);
	op->size = (uint8_t)look_arm_bits(word, 23, 22);
	op->operation = operations[opcode & 3];
	op->amount = opcode >> 2;
	op->execute = permute;
	return (opcode & 3) != 0 && (op->size < 3 || op->wide);
}

static bool decode_table(uint32_t word, struct look_arm_op *op)
{
	look_arm_vector_registers(word, op);
	op->amount = (uint8_t)(look_arm_bits(word, 14, 13) + 1);
	op->invert = look_arm_bit(word, 12);
	op->execute = look_up;
	return true;
}

/* AdvSIMDExpandImm() of the manual; the form 15 without o2 is FMOV. */
static uint64_t expand(unsigned int mode, bool inverse, uint64_t byte)
{
	uint64_t bytes = 0;

	switch (mode >> 1) {
	case 0:
	case 1:
	case 2:
	case 3:
		return (byte << 8 * (mode >> 1)) * UINT64_C(0x100000001);
	case 4:
	case 5:
		return (byte << 8 * (mode >> 1 & 1)) * UINT64_C(0x0001000100010001);
	case 6:
		return (mode & 1 ? byte << 16 | 0xffff : byte << 8 | 0xff) * UINT64_C(0x100000001);
	default:
		break;
	}
	if (mode == 14 && !inverse)
		return byte * UINT64_C(0x0101010101010101);
	if (mode == 14) {
		for (unsigned int i = 0; i < 8; i++)
			if (byte >> i & 1)
				bytes |= UINT64_C(0xff) << 8 * i;
		return bytes;
	}
	if (inverse)
		return (byte >> 7) << 63 |
		       (byte & 0x40 ? UINT64_C(0x3fc0) : UINT64_C(0x4000)) << 48 |
		       (byte & 0x3f) << 48;
	return ((byte >> 7) << 31 | (byte & 0x40 ? UINT64_C(0x3e00) : UINT64_C(0x4000)) << 16 |
		(byte & 0x3f) << 19) *
	       UINT64_C(0x100000001);
}

static bool decode_constant(uint32_t word, struct look_arm_op *op)
{
	unsigned int mode = look_arm_bits(word, 15, 12);
	bool inverse = look_arm_bit(word, 29);

	look_arm_vector_registers(word, op);
	op->immediate =
		expand(mode, inverse, look_arm_bits(word, 18, 16) << 5 | look_arm_bits(word, 9, 5));
	op->operation = LOOK_LANE_MOVE;
	if (mode < 12 && mode & 1)
		op->operation = inverse ? LOOK_LANE_BIC : LOOK_LANE_ORR;
	else if (mode < 14 && inverse)
		op->immediate = ~op->immediate;
	op->execute = constant;
	/* bit 11: halves */
	return !look_arm_bit(word, 11) && !(mode == 15 && inverse && !op->wide);
}

bool look_arm_decode_arrange(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x9ff80400, 0x0f000400, decode_constant},
		{0xffe08400, 0x6e000400, decode_insert_element},
		{0xbfe08400, 0x0e000400, decode_copy},
		{0xffe08400, 0x5e000400, decode_copy},
		{0xbfe08400, 0x2e000000, decode_extract},
		{0xbf208c00, 0x0e000800, decode_permute},
		{0xbfe08c00, 0x0e000000, decode_table},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}
