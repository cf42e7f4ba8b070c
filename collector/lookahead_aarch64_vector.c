/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: vector instructions of two source registers, and the vector group. */
#include "collector/lookahead_aarch64_vector.h"

void look_arm_vector_registers(uint32_t word, struct look_arm_op *op)
{
	op->d = look_arm_register_sp(word, 0);
	op->n = look_arm_register_sp(word, 5);
	op->m = look_arm_register_sp(word, 16);
	op->a = op->d;
	op->scalar = look_arm_bit(word, 28);
	op->wide = look_arm_bit(word, 30) && !op->scalar;
	op->uses = LOOK_ARM_VECTORS;
}

static bool decode_bitwise(uint32_t word, struct look_arm_op *op)
{
	unsigned int which = look_arm_bit(word, 29) << 2 | look_arm_bits(word, 23, 22);

	op->operation = (uint8_t)(LOOK_LANE_AND + which);
	op->size = 3;
	op->execute = look_arm_lanes;
	return !op->scalar;
}

struct same {
	uint8_t operation, operation_u; /* by U; LOOK_LANE_NONE: not here */
	uint8_t sizes;			/* bit for each that is allowed */
	bool pairs;
};

/* By opcode; where U selects signed and unsigned, the operations are the same. */
static const struct same integers[24] = {
	[0] = {LOOK_LANE_HALVE_ADD, LOOK_LANE_HALVE_ADD, 7, false},
	[1] = {LOOK_LANE_SATURATE_ADD, LOOK_LANE_SATURATE_ADD, 15, false},
	[2] = {LOOK_LANE_HALVE_ADD_ROUND, LOOK_LANE_HALVE_ADD_ROUND, 7, false},
	[4] = {LOOK_LANE_HALVE_SUBTRACT, LOOK_LANE_HALVE_SUBTRACT, 7, false},
	[5] = {LOOK_LANE_SATURATE_SUBTRACT, LOOK_LANE_SATURATE_SUBTRACT, 15, false},
	[6] = {LOOK_LANE_GREATER, LOOK_LANE_GREATER, 15, false},
	[7] = {LOOK_LANE_GREATER_EQUAL, LOOK_LANE_GREATER_EQUAL, 15, false},
	[8] = {LOOK_LANE_SHIFT, LOOK_LANE_SHIFT, 15, false},
	[10] = {LOOK_LANE_SHIFT_ROUND, LOOK_LANE_SHIFT_ROUND, 15, false},
	[12] = {LOOK_LANE_MAX, LOOK_LANE_MAX, 7, false},
	[13] = {LOOK_LANE_MIN, LOOK_LANE_MIN, 7, false},
	[14] = {LOOK_LANE_DIFFERENCE, LOOK_LANE_DIFFERENCE, 7, false},
	[15] = {LOOK_LANE_DIFFERENCE_ADD, LOOK_LANE_DIFFERENCE_ADD, 7, false},
	[16] = {LOOK_LANE_ADD, LOOK_LANE_SUBTRACT, 15, false},
	[17] = {LOOK_LANE_TEST, LOOK_LANE_EQUAL, 15, false},
	[18] = {LOOK_LANE_MULTIPLY_ADD, LOOK_LANE_MULTIPLY_SUBTRACT, 7, false},
	[19] = {LOOK_LANE_MULTIPLY, LOOK_LANE_MULTIPLY_POLYNOMIAL, 7, false},
	[20] = {LOOK_LANE_MAX, LOOK_LANE_MAX, 7, true},
	[21] = {LOOK_LANE_MIN, LOOK_LANE_MIN, 7, true},
	[22] = {LOOK_LANE_SATURATE_HIGH, LOOK_LANE_SATURATE_HIGH_ROUND, 6, false},
	[23] = {LOOK_LANE_ADD, LOOK_LANE_NONE, 15, true},
};

/* By U, bit 23, and the low three bits of the opcode. */
static const struct {
	uint8_t operation;
	bool pairs, scalar;
} floats[4][8] = {
	{
		[0] = {LOOK_FLOAT_MAX_NUMBER, false, false},
		[1] = {LOOK_FLOAT_MULTIPLY_ADD, false, false},
		[2] = {LOOK_FLOAT_ADD, false, false},
		[3] = {LOOK_FLOAT_MULTIPLY_EXTENDED, false, true},
		[4] = {LOOK_FLOAT_EQUAL, false, true},
		[6] = {LOOK_FLOAT_MAX, false, false},
	},
	{
		[0] = {LOOK_FLOAT_MIN_NUMBER, false, false},
		[1] = {LOOK_FLOAT_MULTIPLY_SUBTRACT, false, false},
		[2] = {LOOK_FLOAT_SUBTRACT, false, false},
		[6] = {LOOK_FLOAT_MIN, false, false},
	},
	{
		[0] = {LOOK_FLOAT_MAX_NUMBER, true, false},
		[2] = {LOOK_FLOAT_ADD, true, false},
		[3] = {LOOK_FLOAT_MULTIPLY, false, false},
		[4] = {LOOK_FLOAT_GREATER_EQUAL, false, true},
		[5] = {LOOK_FLOAT_ABSOLUTE_GREATER_EQUAL, false, true},
		[6] = {LOOK_FLOAT_MAX, true, false},
		[7] = {LOOK_FLOAT_DIVIDE, false, false},
	},
	{
		[0] = {LOOK_FLOAT_MIN_NUMBER, true, false},
		[2] = {LOOK_FLOAT_DIFFERENCE, false, true},
		[4] = {LOOK_FLOAT_GREATER, false, true},
		[5] = {LOOK_FLOAT_ABSOLUTE_GREATER, false, true},
		[6] = {LOOK_FLOAT_MIN, true, false},
	},
};

static bool decode_same_float(uint32_t word, struct look_arm_op *op)
{
	unsigned int row = look_arm_bit(word, 29) << 1 | look_arm_bit(word, 23);
	unsigned int opcode = look_arm_bits(word, 13, 11);

	op->size = look_arm_bit(word, 22) ? 3 : 2;
	op->operation = floats[row][opcode].operation;
	op->execute = floats[row][opcode].pairs ? look_arm_pairs : look_arm_lanes;
	op->uses |= LOOK_ARM_ARITHMETIC;
	return op->operation != LOOK_LANE_NONE &&
	       (op->scalar ? floats[row][opcode].scalar : op->size == 2 || op->wide);
}

static bool decode_same(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 15, 11);
	bool u = look_arm_bit(word, 29);

	look_arm_vector_registers(word, op);
	if (opcode == 3)
		return decode_bitwise(word, op);
	if (opcode >= 24)
		return decode_same_float(word, op);
	op->size = (uint8_t)look_arm_bits(word, 23, 22);
	op->sets_flags = !u || opcode == 22;
	op->operation = u ? integers[opcode].operation_u : integers[opcode].operation;
	op->execute = integers[opcode].pairs ? look_arm_pairs : look_arm_lanes;
	if (op->operation == LOOK_LANE_MULTIPLY_POLYNOMIAL && op->size != 0)
		return false;
	if (op->scalar)
		return op->operation != LOOK_LANE_NONE && op->size == 3 &&
		       integers[opcode].sizes == 15 && !integers[opcode].pairs;
	return op->operation != LOOK_LANE_NONE && integers[opcode].sizes >> op->size & 1 &&
	       (op->size < 3 || op->wide);
}

/* PMULL of 64 bits to 128 */
static int multiply_polynomial_long(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t a = machine->vectors[op->n].d[op->wide], b = machine->vectors[op->m].d[op->wide];
	union look_arm_vector result = {.d = {0, 0}};

	for (unsigned int bit = 0; bit < 64; bit++) {
		if (!(b >> bit & 1))
			continue;
		result.d[0] ^= a << bit;
		result.d[1] ^= bit ? a >> (64 - bit) : 0;
	}
	machine->vectors[op->d] = result;
	return 0;
}

static bool decode_different(uint32_t word, struct look_arm_op *op)
{
	static const struct {
		uint8_t operation, operation_u, form;
	} rows[16] = {
		[0] = {LOOK_LANE_ADD, LOOK_LANE_ADD, LOOK_FORM_LONG},
		[1] = {LOOK_LANE_ADD, LOOK_LANE_ADD, LOOK_FORM_WIDE},
		[2] = {LOOK_LANE_SUBTRACT, LOOK_LANE_SUBTRACT, LOOK_FORM_LONG},
		[3] = {LOOK_LANE_SUBTRACT, LOOK_LANE_SUBTRACT, LOOK_FORM_WIDE},
		[4] = {LOOK_LANE_HIGH_ADD, LOOK_LANE_HIGH_ADD_ROUND, LOOK_FORM_NARROW},
		[5] = {LOOK_LANE_DIFFERENCE_ADD, LOOK_LANE_DIFFERENCE_ADD, LOOK_FORM_LONG},
		[6] = {LOOK_LANE_HIGH_SUBTRACT, LOOK_LANE_HIGH_SUBTRACT_ROUND, LOOK_FORM_NARROW},
		[7] = {LOOK_LANE_DIFFERENCE, LOOK_LANE_DIFFERENCE, LOOK_FORM_LONG},
		[8] = {LOOK_LANE_MULTIPLY_ADD, LOOK_LANE_MULTIPLY_ADD, LOOK_FORM_LONG},
		[10] = {LOOK_LANE_MULTIPLY_SUBTRACT, LOOK_LANE_MULTIPLY_SUBTRACT, LOOK_FORM_LONG},
		[12] = {LOOK_LANE_MULTIPLY, LOOK_LANE_MULTIPLY, LOOK_FORM_LONG},
		[14] = {LOOK_LANE_MULTIPLY_POLYNOMIAL, LOOK_LANE_NONE, LOOK_FORM_LONG},
	};
	unsigned int opcode = look_arm_bits(word, 15, 12);
	bool u = look_arm_bit(word, 29);

	look_arm_vector_registers(word, op);
	op->size = (uint8_t)look_arm_bits(word, 23, 22);
	op->operation = u ? rows[opcode].operation_u : rows[opcode].operation;
	op->form = rows[opcode].form;
	op->execute = look_arm_lanes;
	if (op->operation == LOOK_LANE_MULTIPLY_POLYNOMIAL) {
		if (op->size == 3)
			op->execute = multiply_polynomial_long;
		return op->size == 0 || op->size == 3;
	}
	op->sets_flags = !u;
	return op->operation != LOOK_LANE_NONE && op->size < 3;
}

/* The element of register m, by bits H, L, M; sizes 1 to 3 */
static bool decode_element(uint32_t word, struct look_arm_op *op)
{
	unsigned int h = look_arm_bit(word, 11), l = look_arm_bit(word, 21);
	unsigned int m = look_arm_bit(word, 20);

	op->operand = LOOK_LANE_ELEMENT;
	switch (op->size) {
	case 1:
		op->m = (uint8_t)look_arm_bits(word, 19, 16);
		op->amount = (uint8_t)(h << 2 | l << 1 | m);
		return true;
	case 2:
		op->amount = (uint8_t)(h << 1 | l);
		return true;
	case 3:
		op->amount = (uint8_t)h;
		return l == 0;
	default:
		return false;
	}
}

static bool decode_indexed(uint32_t word, struct look_arm_op *op)
{
	/* by U and opcode */
	static const struct {
		uint8_t operation, form;
	} rows[32] = {
		[1] = {LOOK_FLOAT_MULTIPLY_ADD, LOOK_FORM_SAME},
		[2] = {LOOK_LANE_MULTIPLY_ADD, LOOK_FORM_LONG},
		[5] = {LOOK_FLOAT_MULTIPLY_SUBTRACT, LOOK_FORM_SAME},
		[6] = {LOOK_LANE_MULTIPLY_SUBTRACT, LOOK_FORM_LONG},
		[8] = {LOOK_LANE_MULTIPLY, LOOK_FORM_SAME},
		[9] = {LOOK_FLOAT_MULTIPLY, LOOK_FORM_SAME},
		[10] = {LOOK_LANE_MULTIPLY, LOOK_FORM_LONG},
		[16 + 0] = {LOOK_LANE_MULTIPLY_ADD, LOOK_FORM_SAME},
		[16 + 2] = {LOOK_LANE_MULTIPLY_ADD, LOOK_FORM_LONG},
		[16 + 4] = {LOOK_LANE_MULTIPLY_SUBTRACT, LOOK_FORM_SAME},
		[16 + 6] = {LOOK_LANE_MULTIPLY_SUBTRACT, LOOK_FORM_LONG},
		[16 + 9] = {LOOK_FLOAT_MULTIPLY_EXTENDED, LOOK_FORM_SAME},
		[16 + 10] = {LOOK_LANE_MULTIPLY, LOOK_FORM_LONG},
	};
	unsigned int row = look_arm_bit(word, 29) << 4 | look_arm_bits(word, 15, 12);

	look_arm_vector_registers(word, op);
	op->size = (uint8_t)look_arm_bits(word, 23, 22);
	op->operation = rows[row].operation;
	op->form = rows[row].form;
	op->execute = look_arm_lanes;
	if (op->operation >= LOOK_FLOAT_ADD) {
		op->uses |= LOOK_ARM_ARITHMETIC;
		return op->size >= 2 && decode_element(word, op) &&
		       (op->scalar || op->size == 2 || op->wide);
	}
	op->sets_flags = !look_arm_bit(word, 29);
	return op->operation != LOOK_LANE_NONE && !op->scalar && op->size < 3 &&
	       decode_element(word, op);
}

/* SDOT, UDOT: four products of bytes to each 32-bit element; `amount` is one group's index. */
static int dot(struct look_machine *machine, const struct look_arm_op *op)
{
	const union look_arm_vector n = machine->vectors[op->n], m = machine->vectors[op->m];
	union look_arm_vector *d = &machine->vectors[op->d];

	for (unsigned int i = 0; i < (op->wide ? 4 : 2); i++) {
		unsigned int other = op->operand == LOOK_LANE_ELEMENT ? op->amount : i;

		for (unsigned int byte = 0; byte < 4; byte++) {
			uint8_t a = n.b[4 * i + byte], b = m.b[4 * other + byte];

			d->s[i] += op->sets_flags ? (uint32_t)((int8_t)a * (int8_t)b)
						  : (uint32_t)(a * b);
		}
	}
	if (!op->wide)
		d->d[1] = 0;
	return 0;
}

static bool decode_dot(uint32_t word, struct look_arm_op *op)
{
	look_arm_vector_registers(word, op);
	op->sets_flags = !look_arm_bit(word, 29);
	op->size = 2;
	op->execute = dot;
	return !look_arm_bit(word, 24) || decode_element(word, op);
}

bool look_arm_decode_vector(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x5e000000, 0x1e000000, look_arm_decode_scalar_float},
		{0x9f200400, 0x0e200400, decode_same},
		{0xdf200400, 0x5e200400, decode_same},
		{0x9f3e0c00, 0x0e200800, look_arm_decode_unary},
		{0x9f3e0c00, 0x0e300800, look_arm_decode_unary}, /* across lanes */
		{0xdf3e0c00, 0x5e200800, look_arm_decode_unary},
		{0xdf3e0c00, 0x5e300800, look_arm_decode_unary},   /* pairwise */
		{0x9ff80400, 0x0f000400, look_arm_decode_arrange}, /* modified immediate */
		{0x9f800400, 0x0f000400, look_arm_decode_shift},
		{0xdf800400, 0x5f000400, look_arm_decode_shift},
		{0x9f200c00, 0x0e200000, decode_different},
		{0x9fe0fc00, 0x0e809400, decode_dot},
		{0x9fc0f400, 0x0f80e000, decode_dot},
		{0x9f000400, 0x0f000000, decode_indexed},
		{0xdf000400, 0x5f000000, decode_indexed},
		{0x8e000000, 0x0e000000, look_arm_decode_arrange},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}
