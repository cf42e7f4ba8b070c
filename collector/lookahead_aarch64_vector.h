/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64: what the files of the vector instructions share. Scalar floating point
 * is a vector operation of one lane.
 */
#ifndef PGOBOLT_COLLECTOR_LOOKAHEAD_AARCH64_VECTOR_H
#define PGOBOLT_COLLECTOR_LOOKAHEAD_AARCH64_VECTOR_H

#include "collector/lookahead_aarch64.h"

/* What is done to a lane: old is the accumulator, a and b the operands. */
enum look_lane {
	LOOK_LANE_NONE,
	/* bitwise, on lanes of 8 bytes; three-same order of size, then of U and size */
	LOOK_LANE_AND,
	LOOK_LANE_BIC,
	LOOK_LANE_ORR,
	LOOK_LANE_ORN,
	LOOK_LANE_EOR,
	LOOK_LANE_BSL,
	LOOK_LANE_BIT,
	LOOK_LANE_BIF,
	/* integer */
	LOOK_LANE_MOVE,
	LOOK_LANE_ADD,
	LOOK_LANE_SUBTRACT,
	LOOK_LANE_ADD_PAIR, /* old + a + b */
	LOOK_LANE_HALVE_ADD,
	LOOK_LANE_HALVE_ADD_ROUND,
	LOOK_LANE_HALVE_SUBTRACT,
	LOOK_LANE_HIGH_ADD,
	LOOK_LANE_HIGH_ADD_ROUND,
	LOOK_LANE_HIGH_SUBTRACT,
	LOOK_LANE_HIGH_SUBTRACT_ROUND,
	LOOK_LANE_DIFFERENCE,
	LOOK_LANE_DIFFERENCE_ADD,
	LOOK_LANE_MAX,
	LOOK_LANE_MIN,
	LOOK_LANE_MULTIPLY,
	LOOK_LANE_MULTIPLY_ADD,
	LOOK_LANE_MULTIPLY_SUBTRACT,
	LOOK_LANE_MULTIPLY_POLYNOMIAL,
	LOOK_LANE_GREATER,
	LOOK_LANE_GREATER_EQUAL,
	LOOK_LANE_LESS,
	LOOK_LANE_LESS_EQUAL,
	LOOK_LANE_EQUAL,
	LOOK_LANE_TEST,
	LOOK_LANE_ABSOLUTE,
	LOOK_LANE_NEGATE,
	LOOK_LANE_NOT,
	LOOK_LANE_COUNT_ONES,
	LOOK_LANE_COUNT_ZEROS,
	LOOK_LANE_COUNT_SIGNS,
	LOOK_LANE_REVERSE_BITS,
	LOOK_LANE_SHIFT, /* left by the signed low byte of b */
	LOOK_LANE_SHIFT_ROUND,
	LOOK_LANE_RIGHT,
	LOOK_LANE_RIGHT_ADD,
	LOOK_LANE_RIGHT_ROUND,
	LOOK_LANE_RIGHT_ROUND_ADD,
	LOOK_LANE_RIGHT_INSERT,
	LOOK_LANE_LEFT,
	LOOK_LANE_LEFT_INSERT,
	/* saturating, which FPSR.QC remembers: look_arm_saturate() */
	LOOK_LANE_SATURATE_ADD,
	LOOK_LANE_SATURATE_SUBTRACT,
	LOOK_LANE_SATURATE_HIGH, /* doubled product, upper half */
	LOOK_LANE_SATURATE_HIGH_ROUND,
	LOOK_LANE_SATURATE_NARROW, /* a >> b to half the width */
	LOOK_LANE_SATURATE_NARROW_ROUND,
	LOOK_LANE_SATURATE_UNSIGNED, /* .. from signed to unsigned */
	LOOK_LANE_SATURATE_UNSIGNED_ROUND,
	/* floating point: look_arm_float() */
	LOOK_FLOAT_ADD,
	LOOK_FLOAT_SUBTRACT,
	LOOK_FLOAT_MULTIPLY,
	LOOK_FLOAT_MULTIPLY_EXTENDED,
	LOOK_FLOAT_MULTIPLY_NEGATE,
	LOOK_FLOAT_DIVIDE,
	LOOK_FLOAT_DIFFERENCE,
	LOOK_FLOAT_MAX,
	LOOK_FLOAT_MIN,
	LOOK_FLOAT_MAX_NUMBER,
	LOOK_FLOAT_MIN_NUMBER,
	LOOK_FLOAT_MULTIPLY_ADD,
	LOOK_FLOAT_MULTIPLY_SUBTRACT,
	LOOK_FLOAT_NEGATE_MULTIPLY_ADD,
	LOOK_FLOAT_NEGATE_MULTIPLY_SUBTRACT,
	LOOK_FLOAT_EQUAL,
	LOOK_FLOAT_GREATER,
	LOOK_FLOAT_GREATER_EQUAL,
	LOOK_FLOAT_LESS,
	LOOK_FLOAT_LESS_EQUAL,
	LOOK_FLOAT_ABSOLUTE_GREATER,
	LOOK_FLOAT_ABSOLUTE_GREATER_EQUAL,
	LOOK_FLOAT_MOVE,
	LOOK_FLOAT_ABSOLUTE,
	LOOK_FLOAT_NEGATE,
	LOOK_FLOAT_SQUARE_ROOT,
	LOOK_FLOAT_ROUND_NEAREST,
	LOOK_FLOAT_ROUND_UP,
	LOOK_FLOAT_ROUND_DOWN,
	LOOK_FLOAT_ROUND_ZERO,
	LOOK_FLOAT_ROUND_AWAY,
	LOOK_FLOAT_NARROW,
	LOOK_FLOAT_WIDEN,
	/* to integers of the same width, b is the number of fraction bits */
	LOOK_FLOAT_TO_NEAREST,
	LOOK_FLOAT_TO_UP,
	LOOK_FLOAT_TO_DOWN,
	LOOK_FLOAT_TO_ZERO,
	LOOK_FLOAT_TO_AWAY,
	LOOK_FLOAT_FROM,
};

/* Which of n, m and the destination have elements of twice op->size. */
enum look_form {
	LOOK_FORM_SAME,
	LOOK_FORM_LONG,	  /* the destination */
	LOOK_FORM_WIDE,	  /* the destination and n */
	LOOK_FORM_NARROW, /* n and m */
};

/* Where b comes from: op->operand */
enum {
	LOOK_LANE_REGISTER,
	LOOK_LANE_ELEMENT,  /* op->amount of register m, for all lanes */
	LOOK_LANE_CONSTANT, /* op->immediate */
};

static inline uint64_t look_lane_get(const union look_arm_vector *vector, unsigned int size,
				     unsigned int index)
{
	switch (size) {
	case 0:
		return vector->b[index];
	case 1:
		return vector->h[index];
	case 2:
		return vector->s[index];
	default:
		return vector->d[index];
	}
}

static inline void look_lane_set(union look_arm_vector *vector, unsigned int size,
				 unsigned int index, uint64_t value)
{
	switch (size) {
	case 0:
		vector->b[index] = (uint8_t)value;
		break;
	case 1:
		vector->h[index] = (uint16_t)value;
		break;
	case 2:
		vector->s[index] = (uint32_t)value;
		break;
	default:
		vector->d[index] = value;
	}
}

/* One lane; the operands are extended to 64 bits as `is_signed` says. */
uint64_t look_arm_lane(unsigned int operation, bool is_signed, uint64_t old, uint64_t a, uint64_t b,
		       unsigned int bits);
uint64_t look_arm_saturate(unsigned int operation, bool is_signed, uint64_t a, uint64_t b,
			   unsigned int bits, uint32_t *fpsr);
/* Floating point of 1 << size bytes, 4 or 8: raw bits in, raw bits out. */
uint64_t look_arm_float(unsigned int operation, bool is_signed, uint64_t old, uint64_t a,
			uint64_t b, unsigned int size);
/* To an integer of any width: FCVTZS x0, s1 */
uint64_t look_arm_float_to_integer(unsigned int operation, bool is_signed, uint64_t a,
				   unsigned int fraction_bits, unsigned int size,
				   unsigned int bits);
uint64_t look_arm_float_from_integer(bool is_signed, uint64_t a, unsigned int fraction_bits,
				     unsigned int size);
/* The flags of FCMP. */
uint32_t look_arm_float_compare(uint64_t a, uint64_t b, unsigned int size);

/* d = operation(d, n, m) by lanes; by pairs of lanes; over all lanes of n */
int look_arm_lanes(struct look_machine *machine, const struct look_arm_op *op);
int look_arm_pairs(struct look_machine *machine, const struct look_arm_op *op);
int look_arm_across(struct look_machine *machine, const struct look_arm_op *op);

/* Registers d, n, m, a = d, and op->wide from bit 30, op->scalar from bit 28. */
void look_arm_vector_registers(uint32_t word, struct look_arm_op *op);

bool look_arm_decode_arrange(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_shift(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_unary(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_scalar_float(uint32_t word, struct look_arm_op *op);

#endif
