/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: scalar floating point, and conversions to and from general registers. */
#include <math.h>

#include "collector/lookahead_aarch64_vector.h"

static uint64_t lowest(const struct look_machine *machine, unsigned int number, unsigned int size)
{
	return look_lane_get(&machine->vectors[number], size, 0);
}

static void set_lowest(struct look_machine *machine, unsigned int number, unsigned int size,
		       uint64_t value)
{
	union look_arm_vector result = {.d = {0, 0}};

	look_lane_set(&result, size, 0, value);
	machine->vectors[number] = result;
}

static int to_integer(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = look_arm_float_to_integer(op->operation, op->sets_flags,
						   lowest(machine, op->n, op->size), op->amount,
						   op->size, op->wide ? 64 : 32);

	machine->general[op->d] = op->wide ? value : value & UINT32_MAX;
	return 0;
}

static int from_integer(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = machine->general[op->n];

	if (!op->wide)
		value = op->sets_flags ? look_arm_sign_extend(value, 32) : value & UINT32_MAX;
	set_lowest(machine, op->d, op->size,
		   look_arm_float_from_integer(op->sets_flags, value, op->amount, op->size));
	return 0;
}

/* FJCVTZS: modulo 2^32; Z says that the conversion was exact */
static int to_script_integer(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t bits = lowest(machine, op->n, 3), result = 0;
	double value, whole;

	memcpy(&value, &bits, sizeof(value));
	machine->flags = 0;
	if (isfinite(value)) {
		whole = trunc(value);
		result = (uint64_t)(int64_t)fmod(whole, 4294967296.0) & UINT32_MAX;
		if (whole == value && (double)(int32_t)result == value && bits != UINT64_C(1) << 63)
			machine->flags = LOOK_ARM_Z;
	}
	machine->general[op->d] = result;
	return 0;
}

/* FMOV between the files; `amount` is the doubleword. */
static int move_to_general(struct look_machine *machine, const struct look_arm_op *op)
{
	machine->general[op->d] = look_lane_get(&machine->vectors[op->n], op->size, op->amount);
	return 0;
}

static int move_from_general(struct look_machine *machine, const struct look_arm_op *op)
{
	if (op->amount)
		machine->vectors[op->d].d[1] = machine->general[op->n];
	else
		set_lowest(machine, op->d, op->size, machine->general[op->n]);
	return 0;
}

static int constant(struct look_machine *machine, const struct look_arm_op *op)
{
	set_lowest(machine, op->d, op->size, op->immediate);
	return 0;
}

/* FCMP, FCCMP: `operation` has the flags where the condition does not hold. */
static int compare(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t b = op->operand == LOOK_LANE_CONSTANT ? 0 : lowest(machine, op->m, op->size);

	if (!look_arm_condition(machine->flags, op->condition))
		machine->flags = op->operation;
	else
		machine->flags =
			look_arm_float_compare(lowest(machine, op->n, op->size), b, op->size);
	return 0;
}

static int select_one(struct look_machine *machine, const struct look_arm_op *op)
{
	bool holds = look_arm_condition(machine->flags, op->condition);

	set_lowest(machine, op->d, op->size, lowest(machine, holds ? op->n : op->m, op->size));
	return 0;
}

/* Single or double by bits 23, 22; halves are left out. */
static bool decode_common(uint32_t word, struct look_arm_op *op)
{
	look_arm_vector_registers(word, op);
	op->size = look_arm_bit(word, 22) ? 3 : 2;
	op->uses = LOOK_ARM_VECTORS | LOOK_ARM_ARITHMETIC;
	return !look_arm_bit(word, 23);
}

static bool decode_move(uint32_t word, struct look_arm_op *op, bool to_general)
{
	bool upper = look_arm_bits(word, 20, 19) == 1;

	op->uses = LOOK_ARM_VECTORS;
	if (to_general) {
		op->d = look_arm_register(word, 0);
		op->execute = move_to_general;
	} else {
		op->n = look_arm_register(word, 5);
		op->execute = move_from_general;
	}
	op->amount = upper;
	op->size = op->wide ? 3 : 2;
	if (upper)
		return op->wide && look_arm_bits(word, 23, 22) == 2;
	return look_arm_bits(word, 20, 19) == 0 && look_arm_bits(word, 23, 22) == op->wide;
}

static bool decode_convert(uint32_t word, struct look_arm_op *op)
{
	unsigned int mode = look_arm_bits(word, 20, 19), opcode = look_arm_bits(word, 18, 16);
	bool known = decode_common(word, op);

	op->wide = look_arm_bit(word, 31);
	op->sets_flags = !(opcode & 1);
	if (mode == 3 && opcode == 6) {
		op->d = look_arm_register(word, 0);
		op->execute = to_script_integer;
		return known && op->size == 3 && !op->wide;
	}
	if (opcode >= 6)
		return decode_move(word, op, opcode == 6);
	if (opcode == 2 || opcode == 3) {
		op->n = look_arm_register(word, 5);
		op->execute = from_integer;
		return known && mode == 0;
	}
	op->d = look_arm_register(word, 0);
	op->operation = (uint8_t)(LOOK_FLOAT_TO_NEAREST + mode);
	op->execute = to_integer;
	if (opcode >= 4)
		op->operation = LOOK_FLOAT_TO_AWAY;
	return known && (opcode < 2 || mode == 0);
}

static bool decode_convert_fixed(uint32_t word, struct look_arm_op *op)
{
	unsigned int scale = look_arm_bits(word, 15, 10);
	bool known = decode_common(word, op);

	op->wide = look_arm_bit(word, 31);
	op->sets_flags = !look_arm_bit(word, 16);
	op->amount = (uint8_t)(64 - scale);
	switch (look_arm_bits(word, 20, 17)) {
	case 1:
		op->n = look_arm_register(word, 5);
		op->execute = from_integer;
		break;
	case 12:
		op->d = look_arm_register(word, 0);
		op->operation = LOOK_FLOAT_TO_ZERO;
		op->execute = to_integer;
		break;
	default:
		return false;
	}
	return known && (op->wide || scale >= 32);
}

static bool decode_one(uint32_t word, struct look_arm_op *op)
{
	static const uint8_t operations[] = {
		LOOK_FLOAT_MOVE,	  LOOK_FLOAT_ABSOLUTE,	 LOOK_FLOAT_NEGATE,
		LOOK_FLOAT_SQUARE_ROOT,	  LOOK_FLOAT_NARROW,	 LOOK_FLOAT_WIDEN,
		LOOK_LANE_NONE,		  LOOK_LANE_NONE,	 LOOK_FLOAT_ROUND_NEAREST,
		LOOK_FLOAT_ROUND_UP,	  LOOK_FLOAT_ROUND_DOWN, LOOK_FLOAT_ROUND_ZERO,
		LOOK_FLOAT_ROUND_AWAY,	  LOOK_LANE_NONE,	 LOOK_FLOAT_ROUND_NEAREST,
		LOOK_FLOAT_ROUND_NEAREST,
	};
	unsigned int opcode = look_arm_bits(word, 20, 15);

	if (!decode_common(word, op) || opcode > 15)
		return false;
	op->operation = operations[opcode];
	op->execute = look_arm_lanes;
	if (opcode < 3)
		op->uses = LOOK_ARM_VECTORS;
	if (opcode == 4 || opcode == 5) {
		/* from the other size */
		op->form = opcode == 5 ? LOOK_FORM_LONG : LOOK_FORM_NARROW;
		if (op->size == (opcode == 5 ? 3 : 2))
			return false;
		op->size = 2;
	}
	return op->operation != LOOK_LANE_NONE;
}

static bool decode_two(uint32_t word, struct look_arm_op *op)
{
	static const uint8_t operations[] = {
		LOOK_FLOAT_MULTIPLY,   LOOK_FLOAT_DIVIDE,     LOOK_FLOAT_ADD,
		LOOK_FLOAT_SUBTRACT,   LOOK_FLOAT_MAX,	      LOOK_FLOAT_MIN,
		LOOK_FLOAT_MAX_NUMBER, LOOK_FLOAT_MIN_NUMBER, LOOK_FLOAT_MULTIPLY_NEGATE,
	};
	unsigned int opcode = look_arm_bits(word, 15, 12);

	if (!decode_common(word, op) || opcode > 8)
		return false;
	op->operation = operations[opcode];
	op->execute = look_arm_lanes;
	return true;
}

static bool decode_three(uint32_t word, struct look_arm_op *op)
{
	bool known = decode_common(word, op);

	op->a = look_arm_register_sp(word, 10);
	op->operation = (uint8_t)(LOOK_FLOAT_MULTIPLY_ADD +
				  (look_arm_bit(word, 21) << 1 | look_arm_bit(word, 15)));
	op->execute = look_arm_lanes;
	return known;
}

static bool decode_compare(uint32_t word, struct look_arm_op *op)
{
	bool with_zero = look_arm_bit(word, 3);

	op->condition = 14; /* always */
	op->execute = compare;
	op->operand = with_zero ? LOOK_LANE_CONSTANT : LOOK_LANE_REGISTER;
	return decode_common(word, op);
}

static bool decode_compare_if(uint32_t word, struct look_arm_op *op)
{
	op->condition = (uint8_t)look_arm_bits(word, 15, 12);
	op->operation = (uint8_t)look_arm_bits(word, 3, 0);
	op->execute = compare;
	return decode_common(word, op);
}

static bool decode_select(uint32_t word, struct look_arm_op *op)
{
	bool known = decode_common(word, op);

	op->condition = (uint8_t)look_arm_bits(word, 15, 12);
	op->uses = LOOK_ARM_VECTORS;
	op->execute = select_one;
	return known;
}

/* VFPExpandImm() of the manual */
static bool decode_constant(uint32_t word, struct look_arm_op *op)
{
	uint64_t byte = look_arm_bits(word, 20, 13), sign = byte >> 7, rest = byte & 0x3f;
	bool known = decode_common(word, op);

	op->uses = LOOK_ARM_VECTORS;
	op->execute = constant;
	if (op->size == 3)
		op->immediate = sign << 63 | rest << 48 |
				(byte & 0x40 ? UINT64_C(0x3fc0) : UINT64_C(0x4000)) << 48;
	else
		op->immediate = sign << 31 | rest << 19 |
				(byte & 0x40 ? UINT64_C(0x3e00) : UINT64_C(0x4000)) << 16;
	return known;
}

bool look_arm_decode_scalar_float(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x7f20fc00, 0x1e200000, decode_convert},
		{0x7f200000, 0x1e000000, decode_convert_fixed},
		{0xff207c00, 0x1e204000, decode_one},
		{0xff20fc07, 0x1e202000, decode_compare},
		{0xff201fe0, 0x1e201000, decode_constant},
		{0xff200c00, 0x1e200400, decode_compare_if},
		{0xff200c00, 0x1e200800, decode_two},
		{0xff200c00, 0x1e200c00, decode_select},
		{0xff000000, 0x1f000000, decode_three},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}
