/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64: floating point on the host's, which both are IEEE 754 with rounding to
 * nearest. Where the two differ, in what becomes of NaNs, the architecture's rules are followed.
 */
#include <math.h>

#include "collector/lookahead_aarch64_vector.h"

#define QUIET_32   UINT64_C(0x00400000)
#define QUIET_64   UINT64_C(0x0008000000000000)
#define DEFAULT_32 UINT64_C(0x7fc00000)
#define DEFAULT_64 UINT64_C(0x7ff8000000000000)

static double to_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static float to_float(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float value;

	memcpy(&value, &low, sizeof(value));
	return value;
}

static uint64_t from_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static uint64_t from_float(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* Either, without loss. */
static double value_of(uint64_t bits, unsigned int size)
{
	return size == 3 ? to_double(bits) : (double)to_float(bits);
}

static uint64_t sign_bit(unsigned int size)
{
	return size == 3 ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
}

static uint64_t magnitude(uint64_t bits, unsigned int size)
{
	return bits & (sign_bit(size) - 1);
}

static uint64_t infinity(unsigned int size)
{
	return size == 3 ? UINT64_C(0x7ff0000000000000) : UINT64_C(0x7f800000);
}

static uint64_t quiet_bit(unsigned int size)
{
	return size == 3 ? QUIET_64 : QUIET_32;
}

static uint64_t default_nan(unsigned int size)
{
	return size == 3 ? DEFAULT_64 : DEFAULT_32;
}

static bool is_nan(uint64_t bits, unsigned int size)
{
	return magnitude(bits, size) > infinity(size);
}

static bool is_signalling(uint64_t bits, unsigned int size)
{
	return is_nan(bits, size) && !(bits & quiet_bit(size));
}

/* Is any of them a NaN? Then that is the result: signalling ones first, in order. */
static bool take_nan(const uint64_t *operands, unsigned int count, unsigned int size,
		     uint64_t *result)
{
	for (unsigned int i = 0; i < count; i++)
		if (is_signalling(operands[i], size)) {
			*result = operands[i] | quiet_bit(size);
			return true;
		}
	for (unsigned int i = 0; i < count; i++)
		if (is_nan(operands[i], size)) {
			*result = operands[i];
			return true;
		}
	return false;
}

/* What was computed of numbers: a NaN is the default one. */
static uint64_t finish_double(double value)
{
	return value != value ? DEFAULT_64 : from_double(value);
}

static uint64_t finish_float(float value)
{
	return value != value ? DEFAULT_32 : from_float(value);
}

/* Of numbers: nothing here may be contracted to a fused operation. */
static uint64_t arithmetic(unsigned int operation, uint64_t a, uint64_t b, unsigned int size)
{
	double x = to_double(a), y = to_double(b);
	float f = to_float(a), g = to_float(b);

	switch (operation) {
	case LOOK_FLOAT_ADD:
		return size == 3 ? finish_double(x + y) : finish_float(f + g);
	case LOOK_FLOAT_SUBTRACT:
		return size == 3 ? finish_double(x - y) : finish_float(f - g);
	case LOOK_FLOAT_DIVIDE:
		return size == 3 ? finish_double(x / y) : finish_float(f / g);
	default:
		return size == 3 ? finish_double(x * y) : finish_float(f * g);
	}
}

/* Of numbers; minus zero is less than zero. */
static uint64_t extreme(bool most, uint64_t a, uint64_t b, unsigned int size)
{
	double x = value_of(a, size), y = value_of(b, size);

	if (x == y)
		return most ? a & b : a | b;
	return (x > y) == most ? a : b;
}

static bool is_zero_by_infinity(uint64_t a, uint64_t b, unsigned int size)
{
	a = magnitude(a, size);
	b = magnitude(b, size);
	return (a == 0 && b == infinity(size)) || (b == 0 && a == infinity(size));
}

static uint64_t multiply_add(uint64_t old, uint64_t a, uint64_t b, unsigned int size)
{
	const uint64_t operands[] = {old, a, b};
	uint64_t result;

	if (is_nan(old, size) && !is_signalling(old, size) && is_zero_by_infinity(a, b, size))
		return default_nan(size);
	if (take_nan(operands, 3, size, &result))
		return result;
	return size == 3 ? finish_double(fma(to_double(a), to_double(b), to_double(old)))
			 : finish_float(fmaf(to_float(a), to_float(b), to_float(old)));
}

static uint64_t compute(unsigned int operation, uint64_t a, uint64_t b, unsigned int size)
{
	const uint64_t operands[] = {a, b};
	bool is_number = operation == LOOK_FLOAT_MAX_NUMBER || operation == LOOK_FLOAT_MIN_NUMBER;
	uint64_t result;

	/* a quiet NaN loses against a number */
	if (is_number && !is_signalling(a, size) && !is_signalling(b, size)) {
		if (is_nan(a, size) && !is_nan(b, size))
			return b;
		if (is_nan(b, size) && !is_nan(a, size))
			return a;
	}
	if (take_nan(operands, 2, size, &result))
		return result;
	switch (operation) {
	case LOOK_FLOAT_MAX:
	case LOOK_FLOAT_MAX_NUMBER:
		return extreme(true, a, b, size);
	case LOOK_FLOAT_MIN:
	case LOOK_FLOAT_MIN_NUMBER:
		return extreme(false, a, b, size);
	case LOOK_FLOAT_MULTIPLY_EXTENDED:
		if (is_zero_by_infinity(a, b, size))
			return ((a ^ b) & sign_bit(size)) |
			       (size == 3 ? from_double(2.0) : from_float(2.0f));
		break;
	default:
		break;
	}
	return arithmetic(operation, a, b, size);
}

static bool compares(unsigned int operation, uint64_t a, uint64_t b, unsigned int size)
{
	double x = value_of(a, size), y = value_of(b, size);

	switch (operation) {
	case LOOK_FLOAT_EQUAL:
		return x == y;
	case LOOK_FLOAT_GREATER:
		return x > y;
	case LOOK_FLOAT_GREATER_EQUAL:
		return x >= y;
	case LOOK_FLOAT_LESS:
		return x < y;
	case LOOK_FLOAT_LESS_EQUAL:
		return x <= y;
	case LOOK_FLOAT_ABSOLUTE_GREATER:
		return fabs(x) > fabs(y);
	default:
		return fabs(x) >= fabs(y);
	}
}

uint32_t look_arm_float_compare(uint64_t a, uint64_t b, unsigned int size)
{
	double x = value_of(a, size), y = value_of(b, size);

	if (x == y)
		return LOOK_ARM_Z | LOOK_ARM_C;
	if (x < y)
		return LOOK_ARM_N;
	return x > y ? LOOK_ARM_C : LOOK_ARM_C | LOOK_ARM_V;
}

static double round_to(unsigned int mode, double value)
{
	switch (mode) {
	case 0:
		return rint(value);
	case 1:
		return ceil(value);
	case 2:
		return floor(value);
	case 3:
		return trunc(value);
	default:
		return round(value);
	}
}

static uint64_t convert(unsigned int operation, uint64_t a, unsigned int size)
{
	uint64_t result;

	if (operation == LOOK_FLOAT_WIDEN) {
		if (is_nan(a, 2))
			return (a & sign_bit(2)) << 32 | DEFAULT_64 | (a & (QUIET_32 - 1)) << 29;
		return from_double((double)to_float(a));
	}
	if (operation == LOOK_FLOAT_NARROW) {
		if (is_nan(a, 3))
			return (a & sign_bit(3)) >> 32 | DEFAULT_32 | (a >> 29 & (QUIET_32 - 1));
		return from_float((float)to_double(a));
	}
	if (take_nan(&a, 1, size, &result))
		return result;
	if (operation == LOOK_FLOAT_SQUARE_ROOT)
		return size == 3 ? finish_double(sqrt(to_double(a)))
				 : finish_float(sqrtf(to_float(a)));
	operation -= LOOK_FLOAT_ROUND_NEAREST;
	return size == 3 ? from_double(round_to(operation, to_double(a)))
			 : from_float((float)round_to(operation, (double)to_float(a)));
}

uint64_t look_arm_float_to_integer(unsigned int operation, bool is_signed, uint64_t a,
				   unsigned int fraction_bits, unsigned int size, unsigned int bits)
{
	double value = ldexp(value_of(a, size), (int)fraction_bits), limit;

	value = round_to(operation - LOOK_FLOAT_TO_NEAREST, value);
	limit = ldexp(1.0, (int)(is_signed ? bits - 1 : bits));
	if (value != value)
		return 0;
	if (is_signed && value < -limit)
		return ~look_arm_ones(bits - 1);
	if (!is_signed && value <= 0)
		return 0;
	if (value >= limit)
		return look_arm_ones(is_signed ? bits - 1 : bits);
	return is_signed ? (uint64_t)(int64_t)value : (uint64_t)value;
}

uint64_t look_arm_float_from_integer(bool is_signed, uint64_t a, unsigned int fraction_bits,
				     unsigned int size)
{
	int scale = -(int)fraction_bits;

	if (size == 3)
		return from_double(ldexp(is_signed ? (double)(int64_t)a : (double)a, scale));
	return from_float(ldexpf(is_signed ? (float)(int64_t)a : (float)a, scale));
}

uint64_t look_arm_float(unsigned int operation, bool is_signed, uint64_t old, uint64_t a,
			uint64_t b, unsigned int size)
{
	uint64_t sign = sign_bit(size);

	switch (operation) {
	case LOOK_FLOAT_MULTIPLY_NEGATE:
		/* the product's sign is turned, of a NaN as well */
		return compute(LOOK_FLOAT_MULTIPLY, a, b, size) ^ sign;
	case LOOK_FLOAT_DIFFERENCE:
		return compute(LOOK_FLOAT_SUBTRACT, a, b, size) & ~sign;
	case LOOK_FLOAT_MULTIPLY_ADD:
		return multiply_add(old, a, b, size);
	case LOOK_FLOAT_MULTIPLY_SUBTRACT:
		return multiply_add(old, a ^ sign, b, size);
	case LOOK_FLOAT_NEGATE_MULTIPLY_ADD:
		return multiply_add(old ^ sign, a ^ sign, b, size);
	case LOOK_FLOAT_NEGATE_MULTIPLY_SUBTRACT:
		return multiply_add(old ^ sign, a, b, size);
	case LOOK_FLOAT_EQUAL ... LOOK_FLOAT_ABSOLUTE_GREATER_EQUAL:
		return compares(operation, a, b, size) ? UINT64_MAX : 0;
	case LOOK_FLOAT_MOVE:
		return a;
	case LOOK_FLOAT_ABSOLUTE:
		return a & ~sign;
	case LOOK_FLOAT_NEGATE:
		return a ^ sign;
	case LOOK_FLOAT_SQUARE_ROOT ... LOOK_FLOAT_WIDEN:
		return convert(operation, a, size);
	case LOOK_FLOAT_TO_NEAREST ... LOOK_FLOAT_TO_AWAY:
		return look_arm_float_to_integer(operation, is_signed, a, (unsigned int)b, size,
						 8u << size);
	case LOOK_FLOAT_FROM:
		return look_arm_float_from_integer(is_signed, a, (unsigned int)b, size);
	default:
		return compute(operation, a, b, size);
	}
}
