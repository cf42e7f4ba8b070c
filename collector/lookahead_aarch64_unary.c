/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: vector instructions of one source, over all lanes, and shifts. */
#include "collector/lookahead_aarch64_vector.h"

/* REV16, REV32, REV64: `amount` is how the element numbers are turned. */
static int reverse(struct look_machine *machine, const struct look_arm_op *op)
{
	const union look_arm_vector n = machine->vectors[op->n];
	union look_arm_vector result = {.d = {0, 0}};

	for (unsigned int i = 0; i < (op->wide ? 16u : 8u) >> op->size; i++)
		look_lane_set(&result, op->size, i, look_lane_get(&n, op->size, i ^ op->amount));
	machine->vectors[op->d] = result;
	return 0;
}

static bool decode_reverse(struct look_arm_op *op, unsigned int container)
{
	if (op->scalar || op->size >= container)
		return false;
	op->amount = (uint8_t)((1u << (container - op->size)) - 1);
	op->execute = reverse;
	return true;
}

struct unary {
	uint8_t operation, sizes, form;
	bool pairs, scalar;
	bool is_signed; /* for those where U does not say */
};

/* By U and opcode. */
static const struct unary integers[64] = {
	[2] = {LOOK_LANE_ADD, 7, LOOK_FORM_LONG, true, false, true},
	[4] = {LOOK_LANE_COUNT_SIGNS, 7, LOOK_FORM_SAME, false, false, true},
	[5] = {LOOK_LANE_COUNT_ONES, 1, LOOK_FORM_SAME, false, false, false},
	[6] = {LOOK_LANE_ADD_PAIR, 7, LOOK_FORM_LONG, true, false, true},
	[8] = {LOOK_LANE_GREATER, 15, LOOK_FORM_SAME, false, true, true},
	[9] = {LOOK_LANE_EQUAL, 15, LOOK_FORM_SAME, false, true, true},
	[10] = {LOOK_LANE_LESS, 15, LOOK_FORM_SAME, false, true, true},
	[11] = {LOOK_LANE_ABSOLUTE, 15, LOOK_FORM_SAME, false, true, true},
	[18] = {LOOK_LANE_MOVE, 7, LOOK_FORM_NARROW, false, false, false},
	[20] = {LOOK_LANE_SATURATE_NARROW, 7, LOOK_FORM_NARROW, false, false, true},
	[32 + 2] = {LOOK_LANE_ADD, 7, LOOK_FORM_LONG, true, false, false},
	[32 + 4] = {LOOK_LANE_COUNT_ZEROS, 7, LOOK_FORM_SAME, false, false, false},
	[32 + 6] = {LOOK_LANE_ADD_PAIR, 7, LOOK_FORM_LONG, true, false, false},
	[32 + 8] = {LOOK_LANE_GREATER_EQUAL, 15, LOOK_FORM_SAME, false, true, true},
	[32 + 9] = {LOOK_LANE_LESS_EQUAL, 15, LOOK_FORM_SAME, false, true, true},
	[32 + 11] = {LOOK_LANE_NEGATE, 15, LOOK_FORM_SAME, false, true, true},
	[32 + 18] = {LOOK_LANE_SATURATE_UNSIGNED, 7, LOOK_FORM_NARROW, false, false, true},
	[32 + 19] = {LOOK_LANE_LEFT, 7, LOOK_FORM_LONG, false, false, false},
	[32 + 20] = {LOOK_LANE_SATURATE_NARROW, 7, LOOK_FORM_NARROW, false, false, false},
};

/* By U, bit 23, opcode less 12. */
static const struct {
	uint8_t operation;
	bool scalar;
} floats[4][20] = {
	{
		[12] = {LOOK_FLOAT_ROUND_NEAREST, false},
		[13] = {LOOK_FLOAT_ROUND_DOWN, false},
		[14] = {LOOK_FLOAT_TO_NEAREST, true},
		[15] = {LOOK_FLOAT_TO_DOWN, true},
		[16] = {LOOK_FLOAT_TO_AWAY, true},
		[17] = {LOOK_FLOAT_FROM, true},
	},
	{
		[0] = {LOOK_FLOAT_GREATER, true},
		[1] = {LOOK_FLOAT_EQUAL, true},
		[2] = {LOOK_FLOAT_LESS, true},
		[3] = {LOOK_FLOAT_ABSOLUTE, false},
		[12] = {LOOK_FLOAT_ROUND_UP, false},
		[13] = {LOOK_FLOAT_ROUND_ZERO, false},
		[14] = {LOOK_FLOAT_TO_UP, true},
		[15] = {LOOK_FLOAT_TO_ZERO, true},
	},
	{
		[12] = {LOOK_FLOAT_ROUND_AWAY, false},
		[13] = {LOOK_FLOAT_ROUND_NEAREST, false}, /* FRINTX */
		[14] = {LOOK_FLOAT_TO_NEAREST, true},
		[15] = {LOOK_FLOAT_TO_DOWN, true},
		[16] = {LOOK_FLOAT_TO_AWAY, true},
		[17] = {LOOK_FLOAT_FROM, true},
	},
	{
		[0] = {LOOK_FLOAT_GREATER_EQUAL, true},
		[1] = {LOOK_FLOAT_LESS_EQUAL, true},
		[3] = {LOOK_FLOAT_NEGATE, false},
		[13] = {LOOK_FLOAT_ROUND_NEAREST, false}, /* FRINTI */
		[14] = {LOOK_FLOAT_TO_UP, true},
		[15] = {LOOK_FLOAT_TO_ZERO, true},
		[19] = {LOOK_FLOAT_SQUARE_ROOT, false},
	},
};

/* FCVTN, FCVTL between singles and doubles */
static bool decode_resize(uint32_t word, struct look_arm_op *op)
{
	bool widens = look_arm_bit(word, 12);

	op->operation = widens ? LOOK_FLOAT_WIDEN : LOOK_FLOAT_NARROW;
	op->form = widens ? LOOK_FORM_LONG : LOOK_FORM_NARROW;
	op->size = 2;
	op->execute = look_arm_lanes;
	op->uses |= LOOK_ARM_ARITHMETIC;
	return look_arm_bits(word, 23, 22) == 1 && !look_arm_bit(word, 29) && !op->scalar;
}

static bool decode_float(uint32_t word, struct look_arm_op *op)
{
	unsigned int row = look_arm_bit(word, 29) << 1 | look_arm_bit(word, 23);
	unsigned int opcode = look_arm_bits(word, 16, 12);

	if (opcode == 22 || opcode == 23)
		return decode_resize(word, op);
	if (opcode < 12)
		return false;
	op->size = look_arm_bit(word, 22) ? 3 : 2;
	op->operation = floats[row][opcode - 12].operation;
	op->sets_flags = !look_arm_bit(word, 29);
	op->operand = LOOK_LANE_CONSTANT;
	op->immediate = 0; /* zero to compare with, no fraction bits */
	op->execute = look_arm_lanes;
	if (op->operation != LOOK_FLOAT_ABSOLUTE && op->operation != LOOK_FLOAT_NEGATE)
		op->uses |= LOOK_ARM_ARITHMETIC;
	return op->operation != LOOK_LANE_NONE &&
	       (op->scalar ? floats[row][opcode - 12].scalar : op->size == 2 || op->wide);
}

static bool decode_integer(uint32_t word, struct look_arm_op *op)
{
	unsigned int row = look_arm_bit(word, 29) << 5 | look_arm_bits(word, 16, 12);
	const struct unary *unary = &integers[row];

	op->operation = unary->operation;
	op->form = unary->form;
	op->sets_flags = unary->is_signed;
	op->operand = LOOK_LANE_CONSTANT;
	op->immediate = op->operation == LOOK_LANE_LEFT ? 8u << op->size : 0;
	op->execute = unary->pairs ? look_arm_pairs : look_arm_lanes;
	if (op->scalar)
		return unary->scalar && op->size == 3;
	return unary->sizes >> op->size & 1 && (op->size < 3 || op->wide);
}

/* ADDV, SADDLV, UMAXV ..; FMAXNMV and its kin, of four singles */
static bool decode_across(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 16, 12);
	bool u = look_arm_bit(word, 29);

	op->execute = look_arm_across;
	if (opcode == 12 || opcode == 15) {
		bool least = look_arm_bit(word, 23), number = opcode == 12;

		op->operation = number ? (least ? LOOK_FLOAT_MIN_NUMBER : LOOK_FLOAT_MAX_NUMBER)
				       : (least ? LOOK_FLOAT_MIN : LOOK_FLOAT_MAX);
		op->size = 2;
		op->uses |= LOOK_ARM_ARITHMETIC;
		return u && op->wide && !look_arm_bit(word, 22);
	}
	op->sets_flags = !u;
	switch (opcode) {
	case 3:
		op->operation = LOOK_LANE_ADD;
		op->form = LOOK_FORM_LONG;
		break;
	case 10:
		op->operation = LOOK_LANE_MAX;
		break;
	case 26:
		op->operation = LOOK_LANE_MIN;
		break;
	case 27:
		op->operation = LOOK_LANE_ADD;
		break;
	default:
		return false;
	}
	return !(opcode == 27 && u) && (op->size < 2 || (op->size == 2 && op->wide));
}

/* ADDP of two doublewords; FADDP, FMAXP .. of two singles or doubles: one result */
static bool decode_pair(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 16, 12);
	bool least = look_arm_bit(word, 23);

	op->execute = look_arm_pairs;
	if (!look_arm_bit(word, 29)) {
		op->operation = LOOK_LANE_ADD;
		op->wide = true;
		return opcode == 27 && op->size == 3;
	}
	op->size = look_arm_bit(word, 22) ? 3 : 2;
	op->wide = op->size == 3;
	op->uses |= LOOK_ARM_ARITHMETIC;
	switch (opcode) {
	case 12:
		op->operation = least ? LOOK_FLOAT_MIN_NUMBER : LOOK_FLOAT_MAX_NUMBER;
		return true;
	case 13:
		op->operation = LOOK_FLOAT_ADD;
		return !least;
	case 15:
		op->operation = least ? LOOK_FLOAT_MIN : LOOK_FLOAT_MAX;
		return true;
	default:
		return false;
	}
}

bool look_arm_decode_unary(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 16, 12);
	bool u = look_arm_bit(word, 29);

	look_arm_vector_registers(word, op);
	op->size = (uint8_t)look_arm_bits(word, 23, 22);
	if (look_arm_bit(word, 20))
		return op->scalar ? decode_pair(word, op) : decode_across(word, op);
	switch (opcode) {
	case 0:
		return decode_reverse(op, u ? 2 : 3);
	case 1:
		return !u && decode_reverse(op, 1);
	case 5:
		if (!u || op->size > 1)
			break;
		/* NOT and RBIT are told apart by the size; both are of bytes */
		op->operation = op->size ? LOOK_LANE_REVERSE_BITS : LOOK_LANE_NOT;
		op->size = 0;
		op->execute = look_arm_lanes;
		return !op->scalar;
	default:
		break;
	}
	if (integers[u << 5 | opcode].operation != LOOK_LANE_NONE)
		return decode_integer(word, op);
	return decode_float(word, op);
}

/* ---- shifts by a constant */

static const struct {
	uint8_t operation, operation_u, form;
	bool left;
} shifts[32] = {
	[0] = {LOOK_LANE_RIGHT, LOOK_LANE_RIGHT, LOOK_FORM_SAME, false},
	[2] = {LOOK_LANE_RIGHT_ADD, LOOK_LANE_RIGHT_ADD, LOOK_FORM_SAME, false},
	[4] = {LOOK_LANE_RIGHT_ROUND, LOOK_LANE_RIGHT_ROUND, LOOK_FORM_SAME, false},
	[6] = {LOOK_LANE_RIGHT_ROUND_ADD, LOOK_LANE_RIGHT_ROUND_ADD, LOOK_FORM_SAME, false},
	[8] = {LOOK_LANE_NONE, LOOK_LANE_RIGHT_INSERT, LOOK_FORM_SAME, false},
	[10] = {LOOK_LANE_LEFT, LOOK_LANE_LEFT_INSERT, LOOK_FORM_SAME, true},
	[16] = {LOOK_LANE_RIGHT, LOOK_LANE_SATURATE_UNSIGNED, LOOK_FORM_NARROW, false},
	[17] = {LOOK_LANE_RIGHT_ROUND, LOOK_LANE_SATURATE_UNSIGNED_ROUND, LOOK_FORM_NARROW, false},
	[18] = {LOOK_LANE_SATURATE_NARROW, LOOK_LANE_SATURATE_NARROW, LOOK_FORM_NARROW, false},
	[19] = {LOOK_LANE_SATURATE_NARROW_ROUND, LOOK_LANE_SATURATE_NARROW_ROUND, LOOK_FORM_NARROW,
		false},
	[20] = {LOOK_LANE_LEFT, LOOK_LANE_LEFT, LOOK_FORM_LONG, true},
	[28] = {LOOK_FLOAT_FROM, LOOK_FLOAT_FROM, LOOK_FORM_SAME, false},
	[31] = {LOOK_FLOAT_TO_ZERO, LOOK_FLOAT_TO_ZERO, LOOK_FORM_SAME, false},
};

bool look_arm_decode_shift(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 15, 11), code = look_arm_bits(word, 22, 16);
	bool u = look_arm_bit(word, 29), is_float;

	if (code < 8)
		return false;
	look_arm_vector_registers(word, op);
	op->size = (uint8_t)(28 - __builtin_clz(code));
	op->operation = u ? shifts[opcode].operation_u : shifts[opcode].operation;
	op->form = shifts[opcode].form;
	op->operand = LOOK_LANE_CONSTANT;
	op->immediate = shifts[opcode].left ? code - (8u << op->size) : (16u << op->size) - code;
	op->execute = look_arm_lanes;
	op->sets_flags = !u || op->operation == LOOK_LANE_SATURATE_UNSIGNED ||
			 op->operation == LOOK_LANE_SATURATE_UNSIGNED_ROUND;
	is_float = op->operation >= LOOK_FLOAT_ADD;
	if (is_float)
		op->uses |= LOOK_ARM_ARITHMETIC;
	if (op->operation == LOOK_LANE_NONE || (is_float && op->size < 2))
		return false;
	if (op->form != LOOK_FORM_SAME)
		return !op->scalar && op->size < 3;
	return op->scalar ? op->size == 3 || is_float : op->size < 3 || op->wide;
}
