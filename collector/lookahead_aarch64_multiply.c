/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: multiply, divide, variable shifts, bit counts, reversals, CRC. */
#include "collector/lookahead_aarch64.h"

/* in encoding order */
enum { RBIT, REV16, REV32, REV64, CLZ, CLS };
enum { MULTIPLY, MULTIPLY_SIGNED_LONG, MULTIPLY_UNSIGNED_LONG, HIGH_SIGNED, HIGH_UNSIGNED };

static void put(struct look_machine *machine, const struct look_arm_op *op, uint64_t value)
{
	machine->general[op->d] = op->wide ? value : value & UINT32_MAX;
}

static uint64_t source(const struct look_machine *machine, const struct look_arm_op *op,
		       unsigned int number)
{
	return op->wide ? machine->general[number] : machine->general[number] & UINT32_MAX;
}

/* Division by zero gives zero, and the one quotient that does not fit wraps around. */
static int divide(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t a = source(machine, op, op->n), b = source(machine, op, op->m), quotient;

	if (b == 0) {
		quotient = 0;
	} else if (!op->sets_flags) {
		quotient = a / b;
	} else {
		int64_t dividend = (int64_t)look_arm_sign_extend(a, op->wide ? 64 : 32);
		int64_t divisor = (int64_t)look_arm_sign_extend(b, op->wide ? 64 : 32);

		quotient = divisor == -1 ? -(uint64_t)dividend : (uint64_t)(dividend / divisor);
	}
	put(machine, op, quotient);
	return 0;
}

static int shift(struct look_machine *machine, const struct look_arm_op *op)
{
	unsigned int width = op->wide ? 64 : 32;
	unsigned int amount = (unsigned int)machine->general[op->m] & (width - 1);
	uint64_t value = source(machine, op, op->n);

	switch (op->operation) {
	case LOOK_ARM_LSL:
		value <<= amount;
		break;
	case LOOK_ARM_LSR:
		value >>= amount;
		break;
	case LOOK_ARM_ASR:
		value = (uint64_t)((int64_t)look_arm_sign_extend(value, width) >> amount);
		break;
	default:
		if (amount > 0)
			value = value >> amount | value << (width - amount);
	}
	put(machine, op, value);
	return 0;
}

/* `immediate` is the polynomial, bits reversed. */
static int crc32(struct look_machine *machine, const struct look_arm_op *op)
{
	uint32_t sum = (uint32_t)machine->general[op->n];
	uint64_t data = machine->general[op->m];

	for (unsigned int byte = 0; byte < 1u << op->size; byte++) {
		sum ^= (uint32_t)(data >> 8 * byte & UINT8_MAX);
		for (unsigned int bit = 0; bit < 8; bit++)
			sum = sum & 1 ? sum >> 1 ^ (uint32_t)op->immediate : sum >> 1;
	}
	machine->general[op->d] = sum;
	return 0;
}

static uint64_t reverse_bits(uint64_t value)
{
	value = (value >> 1 & UINT64_C(0x5555555555555555)) | (value & UINT64_C(0x5555555555555555))
								      << 1;
	value = (value >> 2 & UINT64_C(0x3333333333333333)) | (value & UINT64_C(0x3333333333333333))
								      << 2;
	value = (value >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (value & UINT64_C(0x0f0f0f0f0f0f0f0f))
								      << 4;
	return __builtin_bswap64(value);
}

static unsigned int leading_zeros(uint64_t value, unsigned int width)
{
	return value == 0 ? width : (unsigned int)__builtin_clzll(value) - (64 - width);
}

static int one_source(struct look_machine *machine, const struct look_arm_op *op)
{
	unsigned int width = op->wide ? 64 : 32;
	uint64_t value = source(machine, op, op->n);

	switch (op->operation) {
	case RBIT:
		value = reverse_bits(value) >> (64 - width);
		break;
	case REV16:
		value = (value >> 8 & UINT64_C(0x00ff00ff00ff00ff)) |
			(value & UINT64_C(0x00ff00ff00ff00ff)) << 8;
		break;
	case REV32:
		value = __builtin_bswap64(value);
		value = value >> 32 | value << 32;
		break;
	case REV64:
		value = __builtin_bswap64(value);
		break;
	case CLZ:
		value = leading_zeros(value, width);
		break;
	default: /* CLS */
		value = look_arm_sign_extend(value, width);
		value = leading_zeros((value ^ value << 1) >> 1 & look_arm_ones(width - 1), width) -
			1;
	}
	put(machine, op, value);
	return 0;
}

static int multiply(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t n = machine->general[op->n], m = machine->general[op->m], product;

	switch (op->operation) {
	case HIGH_SIGNED:
		product = (uint64_t)((__int128)(int64_t)n * (int64_t)m >> 64);
		break;
	case HIGH_UNSIGNED:
		product = (uint64_t)((unsigned __int128)n * m >> 64);
		break;
	case MULTIPLY_SIGNED_LONG:
		product = look_arm_sign_extend(n, 32) * look_arm_sign_extend(m, 32);
		break;
	case MULTIPLY_UNSIGNED_LONG:
		product = (n & UINT32_MAX) * (m & UINT32_MAX);
		break;
	default:
		product = n * m;
	}
	put(machine, op, machine->general[op->a] + (op->invert ? -product : product));
	return 0;
}

static bool decode_two_source(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 15, 10);

	op->wide = look_arm_bit(word, 31);
	op->m = look_arm_register(word, 16);
	op->n = look_arm_register(word, 5);
	op->d = look_arm_register(word, 0);
	if (opcode == 2 || opcode == 3) {
		op->sets_flags = opcode == 3;
		op->execute = divide;
		return true;
	}
	if (opcode >= 8 && opcode <= 11) {
		op->operation = (uint8_t)(LOOK_ARM_LSL + opcode - 8);
		op->execute = shift;
		return true;
	}
	if (opcode < 16 || opcode > 23)
		return false;
	op->size = opcode & 3;
	op->immediate = opcode & 4 ? 0x82f63b78 : 0xedb88320;
	op->execute = crc32;
	return op->wide == (op->size == 3);
}

static bool decode_one_source(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 15, 10);

	op->wide = look_arm_bit(word, 31);
	op->n = look_arm_register(word, 5);
	op->d = look_arm_register(word, 0);
	if (opcode > 5 || (!op->wide && opcode == 3))
		return false;
	op->operation = (uint8_t)opcode;
	op->execute = one_source;
	return true;
}

/* PACIA .. AUTDZB, XPACI, XPACD: see lookahead_aarch64.h */
static bool decode_authentication(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 15, 10);

	op->d = look_arm_register(word, 0);
	if (opcode > 17 || (opcode >= 8 && look_arm_bits(word, 9, 5) != 31))
		return false;
	op->execute = opcode >= 16 || opcode & 4 ? look_arm_strip_register : look_arm_nothing;
	return true;
}

static bool decode_three_source(uint32_t word, struct look_arm_op *op)
{
	op->wide = look_arm_bit(word, 31);
	op->invert = look_arm_bit(word, 15);
	op->m = look_arm_register(word, 16);
	op->a = look_arm_register(word, 10);
	op->n = look_arm_register(word, 5);
	op->d = look_arm_register(word, 0);
	op->execute = multiply;
	switch (look_arm_bits(word, 23, 21)) {
	case 0:
		op->operation = MULTIPLY;
		return true;
	case 1:
		op->operation = MULTIPLY_SIGNED_LONG;
		return op->wide;
	case 5:
		op->operation = MULTIPLY_UNSIGNED_LONG;
		return op->wide;
	case 2:
	case 6:
		op->operation = look_arm_bit(word, 23) ? HIGH_UNSIGNED : HIGH_SIGNED;
		op->a = LOOK_ARM_ZERO;
		return op->wide && !op->invert;
	default:
		return false;
	}
}

bool look_arm_decode_multiply(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x7fe00000, 0x1ac00000, decode_two_source},
		{0x7fff0000, 0x5ac00000, decode_one_source},
		{0xffff0000, 0xdac10000, decode_authentication},
		{0x7f000000, 0x1b000000, decode_three_source},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}
