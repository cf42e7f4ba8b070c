/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: vector instructions by lanes. */
#include "collector/lookahead_aarch64_vector.h"

enum { CUMULATIVE_SATURATION = 1 << 27 };

static uint64_t all_ones_if(bool condition)
{
	return condition ? UINT64_MAX : 0;
}

/* Right by 0..64 and more; with rounding to nearest, halves up. */
static uint64_t shift_right(uint64_t value, bool is_signed, unsigned int amount, bool rounds)
{
	uint64_t half = rounds && amount > 0 && amount <= 64 ? value >> (amount - 1) & 1 : 0;

	if (is_signed)
		return (uint64_t)((int64_t)value >> (amount > 63 ? 63 : amount)) + half;
	return (amount > 63 ? 0 : value >> amount) + half;
}

/* SSHL, USHL: the low byte of b is a signed count, to the right where negative. */
static uint64_t shift_by(uint64_t value, bool is_signed, uint64_t count, bool rounds)
{
	int amount = (int8_t)count;

	if (amount >= 0)
		return amount > 63 ? 0 : value << amount;
	/* a signed value rounds to zero when all of it is shifted out */
	if (rounds && is_signed && -amount > 64)
		return 0;
	return shift_right(value, is_signed, (unsigned int)-amount, rounds);
}

static uint64_t multiply_polynomial(uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (unsigned int bit = 0; bit < 32; bit++)
		if (b >> bit & 1)
			product ^= a << bit;
	return product;
}

static uint64_t count_zeros(uint64_t value, unsigned int bits)
{
	value &= look_arm_ones(bits);
	return value == 0 ? bits : (uint64_t)__builtin_clzll(value) - (64 - bits);
}

static uint64_t reverse_bits(uint64_t value, unsigned int bits)
{
	uint64_t reversed = 0;

	for (unsigned int bit = 0; bit < bits; bit++)
		reversed |= (value >> bit & 1) << (bits - 1 - bit);
	return reversed;
}

static bool is_less(uint64_t a, uint64_t b, bool is_signed)
{
	return is_signed ? (int64_t)a < (int64_t)b : a < b;
}

static uint64_t lane_bitwise(unsigned int operation, uint64_t old, uint64_t a, uint64_t b)
{
	switch (operation) {
	case LOOK_LANE_AND:
		return a & b;
	case LOOK_LANE_BIC:
		return a & ~b;
	case LOOK_LANE_ORR:
		return a | b;
	case LOOK_LANE_ORN:
		return a | ~b;
	case LOOK_LANE_EOR:
		return a ^ b;
	case LOOK_LANE_BSL:
		return (a & old) | (b & ~old);
	case LOOK_LANE_BIT:
		return (a & b) | (old & ~b);
	default: /* BIF */
		return (a & ~b) | (old & b);
	}
}

static uint64_t lane_unary(unsigned int operation, uint64_t a, unsigned int bits)
{
	switch (operation) {
	case LOOK_LANE_ABSOLUTE:
		return (int64_t)a < 0 ? -a : a;
	case LOOK_LANE_NEGATE:
		return -a;
	case LOOK_LANE_NOT:
		return ~a;
	case LOOK_LANE_COUNT_ONES:
		return (uint64_t)__builtin_popcountll(a & look_arm_ones(bits));
	case LOOK_LANE_COUNT_ZEROS:
		return count_zeros(a, bits);
	case LOOK_LANE_COUNT_SIGNS:
		return count_zeros((a ^ a << 1) >> 1 & look_arm_ones(bits - 1), bits) - 1;
	default:
		return reverse_bits(a, bits);
	}
}

static uint64_t lane_shift(unsigned int operation, bool is_signed, uint64_t old, uint64_t a,
			   uint64_t b, unsigned int bits)
{
	unsigned int amount = (unsigned int)b;

	switch (operation) {
	case LOOK_LANE_SHIFT:
	case LOOK_LANE_SHIFT_ROUND:
		return shift_by(a, is_signed, b, operation == LOOK_LANE_SHIFT_ROUND);
	case LOOK_LANE_RIGHT:
		return shift_right(a, is_signed, amount, false);
	case LOOK_LANE_RIGHT_ADD:
		return old + shift_right(a, is_signed, amount, false);
	case LOOK_LANE_RIGHT_ROUND:
		return shift_right(a, is_signed, amount, true);
	case LOOK_LANE_RIGHT_ROUND_ADD:
		return old + shift_right(a, is_signed, amount, true);
	case LOOK_LANE_RIGHT_INSERT:
		return (old & ~look_arm_ones(bits - amount)) |
		       (shift_right(a, false, amount, false) & look_arm_ones(bits - amount));
	case LOOK_LANE_LEFT:
		return a << amount;
	default: /* insert */
		return a << amount | (old & look_arm_ones(amount));
	}
}

static uint64_t lane_compare(unsigned int operation, bool is_signed, uint64_t a, uint64_t b)
{
	switch (operation) {
	case LOOK_LANE_GREATER:
		return all_ones_if(is_less(b, a, is_signed));
	case LOOK_LANE_GREATER_EQUAL:
		return all_ones_if(!is_less(a, b, is_signed));
	case LOOK_LANE_LESS:
		return all_ones_if(is_less(a, b, is_signed));
	case LOOK_LANE_LESS_EQUAL:
		return all_ones_if(!is_less(b, a, is_signed));
	case LOOK_LANE_EQUAL:
		return all_ones_if(a == b);
	case LOOK_LANE_TEST:
		return all_ones_if(a & b);
	case LOOK_LANE_MAX:
		return is_less(a, b, is_signed) ? b : a;
	case LOOK_LANE_MIN:
		return is_less(a, b, is_signed) ? a : b;
	case LOOK_LANE_DIFFERENCE:
		return is_less(a, b, is_signed) ? b - a : a - b;
	default: /* halving: of at most 32 bits */
		if (operation == LOOK_LANE_HALVE_SUBTRACT)
			a -= b;
		else
			a += b + (operation == LOOK_LANE_HALVE_ADD_ROUND);
		return (uint64_t)((int64_t)a >> 1);
	}
}

uint64_t look_arm_lane(unsigned int operation, bool is_signed, uint64_t old, uint64_t a, uint64_t b,
		       unsigned int bits)
{
	unsigned int half = bits / 2;

	switch (operation) {
	case LOOK_LANE_AND ... LOOK_LANE_BIF:
		return lane_bitwise(operation, old, a, b);
	case LOOK_LANE_MOVE:
		return a;
	case LOOK_LANE_ADD:
		return a + b;
	case LOOK_LANE_SUBTRACT:
		return a - b;
	case LOOK_LANE_ADD_PAIR:
		return old + a + b;
	case LOOK_LANE_HIGH_ADD:
		return (a + b) >> half;
	case LOOK_LANE_HIGH_ADD_ROUND:
		return (a + b + (UINT64_C(1) << (half - 1))) >> half;
	case LOOK_LANE_HIGH_SUBTRACT:
		return (a - b) >> half;
	case LOOK_LANE_HIGH_SUBTRACT_ROUND:
		return (a - b + (UINT64_C(1) << (half - 1))) >> half;
	case LOOK_LANE_DIFFERENCE_ADD:
		return old + lane_compare(LOOK_LANE_DIFFERENCE, is_signed, a, b);
	case LOOK_LANE_MULTIPLY:
		return a * b;
	case LOOK_LANE_MULTIPLY_ADD:
		return old + a * b;
	case LOOK_LANE_MULTIPLY_SUBTRACT:
		return old - a * b;
	case LOOK_LANE_MULTIPLY_POLYNOMIAL:
		return multiply_polynomial(a, b);
	case LOOK_LANE_ABSOLUTE ... LOOK_LANE_REVERSE_BITS:
		return lane_unary(operation, a, bits);
	case LOOK_LANE_SHIFT ... LOOK_LANE_LEFT_INSERT:
		return lane_shift(operation, is_signed, old, a, b, bits);
	default:
		return lane_compare(operation, is_signed, a, b);
	}
}

uint64_t look_arm_saturate(unsigned int operation, bool is_signed, uint64_t a, uint64_t b,
			   unsigned int bits, uint32_t *fpsr)
{
	__int128 x = is_signed ? (__int128)(int64_t)a : (__int128)a;
	__int128 y = is_signed ? (__int128)(int64_t)b : (__int128)b, lowest, highest;
	unsigned int amount = (unsigned int)b;

	switch (operation) {
	case LOOK_LANE_SATURATE_ADD:
		x += y;
		break;
	case LOOK_LANE_SATURATE_SUBTRACT:
		x -= y;
		break;
	case LOOK_LANE_SATURATE_HIGH:
	case LOOK_LANE_SATURATE_HIGH_ROUND:
		x = 2 * x * y;
		if (operation == LOOK_LANE_SATURATE_HIGH_ROUND)
			x += (__int128)1 << (bits - 1);
		x >>= bits;
		break;
	case LOOK_LANE_SATURATE_NARROW_ROUND:
	case LOOK_LANE_SATURATE_UNSIGNED_ROUND:
		x += (__int128)1 << (amount - 1);
		/* fall through */
	default:
		x >>= amount;
		bits /= 2;
		is_signed = is_signed && operation < LOOK_LANE_SATURATE_UNSIGNED;
	}
	lowest = is_signed ? -((__int128)1 << (bits - 1)) : 0;
	highest = ((__int128)1 << (is_signed ? bits - 1 : bits)) - 1;
	if (x >= lowest && x <= highest)
		return (uint64_t)x;
	*fpsr |= CUMULATIVE_SATURATION;
	return (uint64_t)(x < lowest ? lowest : highest);
}

/* ---- registers of lanes */

static uint64_t get(const union look_arm_vector *vector, unsigned int size, unsigned int index,
		    bool is_signed)
{
	uint64_t value = look_lane_get(vector, size, index);

	return is_signed ? look_arm_sign_extend(value, 8u << size) : value;
}

static uint64_t compute(struct look_machine *machine, const struct look_arm_op *op, uint64_t old,
			uint64_t a, uint64_t b, unsigned int size)
{
	if (op->operation >= LOOK_FLOAT_ADD)
		return look_arm_float(op->operation, op->sets_flags, old, a, b, size);
	if (op->operation >= LOOK_LANE_SATURATE_ADD)
		return look_arm_saturate(op->operation, op->sets_flags, a, b, 8u << size,
					 &machine->fpsr);
	return look_arm_lane(op->operation, op->sets_flags, old, a, b, 8u << size);
}

/* All forms. In those of two sizes, the small elements are in the upper half where op->wide. */
int look_arm_lanes(struct look_machine *machine, const struct look_arm_op *op)
{
	const union look_arm_vector n = machine->vectors[op->n], m = machine->vectors[op->m];
	const union look_arm_vector accumulator = machine->vectors[op->a];
	union look_arm_vector result = {.d = {0, 0}};
	unsigned int size = op->size, form = op->form, count, base = 0;
	unsigned int n_size = size + (form >= LOOK_FORM_WIDE),
		     m_size = size + (form == LOOK_FORM_NARROW);
	unsigned int d_size = size + (form == LOOK_FORM_LONG || form == LOOK_FORM_WIDE);
	unsigned int most = size + (form != LOOK_FORM_SAME);

	count = (form == LOOK_FORM_SAME && op->wide ? 16u : 8u) >> size;
	if (op->scalar)
		count = 1;
	else if (form != LOOK_FORM_SAME && op->wide)
		base = count;
	if (form == LOOK_FORM_NARROW && base > 0)
		result.d[0] = machine->vectors[op->d].d[0];
	for (unsigned int i = 0; i < count; i++) {
		uint64_t a = get(&n, n_size, i + (n_size == size ? base : 0), op->sets_flags), b;
		uint64_t old = look_lane_get(&accumulator, d_size,
					     i + (form == LOOK_FORM_NARROW ? base : 0));

		if (op->operand == LOOK_LANE_CONSTANT)
			b = op->immediate;
		else if (op->operand == LOOK_LANE_ELEMENT)
			b = get(&m, m_size, op->amount, op->sets_flags);
		else
			b = get(&m, m_size, i + (m_size == size ? base : 0), op->sets_flags);
		look_lane_set(&result, d_size, i + (d_size == size ? base : 0),
			      compute(machine, op, old, a, b, most));
	}
	machine->vectors[op->d] = result;
	return 0;
}

/* The pairs of n, then those of m; LONG: of n alone, to elements of twice the size. */
int look_arm_pairs(struct look_machine *machine, const struct look_arm_op *op)
{
	const union look_arm_vector sources[] = {machine->vectors[op->n], machine->vectors[op->m]};
	const union look_arm_vector accumulator = machine->vectors[op->a];
	union look_arm_vector result = {.d = {0, 0}};
	unsigned int each = (op->wide ? 16u : 8u) >> op->size, size = op->size;
	unsigned int count = op->scalar ? 1 : op->form == LOOK_FORM_LONG ? each / 2 : each;

	if (op->form == LOOK_FORM_LONG)
		size++;
	for (unsigned int i = 0; i < count; i++) {
		const union look_arm_vector *source = &sources[2 * i >= each];
		unsigned int at = 2 * i % each;
		uint64_t a = get(source, op->size, at, op->sets_flags);
		uint64_t b = get(source, op->size, at + 1, op->sets_flags);

		look_lane_set(
			&result, size, i,
			compute(machine, op, look_lane_get(&accumulator, size, i), a, b, size));
	}
	machine->vectors[op->d] = result;
	return 0;
}

int look_arm_across(struct look_machine *machine, const struct look_arm_op *op)
{
	const union look_arm_vector *n = &machine->vectors[op->n];
	union look_arm_vector result = {.d = {0, 0}};
	unsigned int count = (op->wide ? 16u : 8u) >> op->size;
	unsigned int size = op->form == LOOK_FORM_LONG ? op->size + 1u : op->size;
	uint64_t values[16] = {0};

	for (unsigned int i = 0; i < count; i++)
		values[i] = get(n, op->size, i, op->sets_flags);
	for (; count > 1; count /= 2)
		for (unsigned int i = 0; i < count / 2; i++)
			values[i] = compute(machine, op, 0, values[2 * i], values[2 * i + 1], size);
	look_lane_set(&result, size, 0, values[0]);
	machine->vectors[op->d] = result;
	return 0;
}
