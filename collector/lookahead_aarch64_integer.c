/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: add, subtract, logic, moves, bit fields and what the flags select. */
#include "collector/lookahead_aarch64.h"

enum { AND, ORR, EOR };
enum { EXTRACT_UNSIGNED, EXTRACT_SIGNED, INSERT };
enum { SELECT, INCREMENT, NOT, NEGATE };

static uint64_t shifted(uint64_t value, unsigned int type, unsigned int amount, bool wide)
{
	unsigned int width = wide ? 64 : 32;

	if (!wide)
		value &= UINT32_MAX;
	switch (type) {
	case LOOK_ARM_LSL:
		return value << amount;
	case LOOK_ARM_LSR:
		return value >> amount;
	case LOOK_ARM_ASR:
		return (uint64_t)((int64_t)look_arm_sign_extend(value, width) >> amount);
	default:
		return amount ? value >> amount | value << (width - amount) : value;
	}
}

uint64_t look_arm_operand(const struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value;

	if (op->operand == LOOK_ARM_IMMEDIATE)
		return op->immediate;
	value = machine->general[op->m];
	switch (op->operand) {
	case LOOK_ARM_UXTB:
		return (value & UINT8_MAX) << op->amount;
	case LOOK_ARM_UXTH:
		return (value & UINT16_MAX) << op->amount;
	case LOOK_ARM_UXTW:
		return (value & UINT32_MAX) << op->amount;
	case LOOK_ARM_UXTX:
	case LOOK_ARM_SXTX:
		return value << op->amount;
	case LOOK_ARM_SXTB:
		return look_arm_sign_extend(value, 8) << op->amount;
	case LOOK_ARM_SXTH:
		return look_arm_sign_extend(value, 16) << op->amount;
	case LOOK_ARM_SXTW:
		return look_arm_sign_extend(value, 32) << op->amount;
	default:
		return shifted(value, op->operand, op->amount, op->wide);
	}
}

static void put(struct look_machine *machine, const struct look_arm_op *op, uint64_t value)
{
	machine->general[op->d] = op->wide ? value : value & UINT32_MAX;
}

static uint32_t sign_and_zero(uint64_t result, bool wide)
{
	uint32_t flags = 0;

	if (!wide)
		result &= UINT32_MAX;
	if (result >> (wide ? 63 : 31) & 1)
		flags |= LOOK_ARM_N;
	if (result == 0)
		flags |= LOOK_ARM_Z;
	return flags;
}

static uint64_t add_with_carry(uint64_t a, uint64_t b, unsigned int carry, bool wide,
			       uint32_t *flags)
{
	uint64_t result;
	bool carry_out;

	if (wide) {
		unsigned __int128 sum = (unsigned __int128)a + b + carry;

		result = (uint64_t)sum;
		carry_out = sum >> 64;
	} else {
		a &= UINT32_MAX;
		b &= UINT32_MAX;
		result = a + b + carry;
		carry_out = result >> 32;
	}
	*flags = sign_and_zero(result, wide);
	if (carry_out)
		*flags |= LOOK_ARM_C;
	if ((~(a ^ b) & (a ^ result)) >> (wide ? 63 : 31) & 1)
		*flags |= LOOK_ARM_V;
	return result;
}

static int add(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t b = look_arm_operand(machine, op), result;
	uint32_t flags;

	result = add_with_carry(machine->general[op->n], op->invert ? ~b : b, op->invert, op->wide,
				&flags);
	if (op->sets_flags)
		machine->flags = flags;
	put(machine, op, result);
	return 0;
}

static int add_carry(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t b = machine->general[op->m], result;
	uint32_t flags;

	result = add_with_carry(machine->general[op->n], op->invert ? ~b : b,
				(machine->flags & LOOK_ARM_C) != 0, op->wide, &flags);
	if (op->sets_flags)
		machine->flags = flags;
	put(machine, op, result);
	return 0;
}

static int logic(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t a = machine->general[op->n], b = look_arm_operand(machine, op), result;

	if (op->invert)
		b = ~b;
	if (op->operation == AND)
		result = a & b;
	else if (op->operation == ORR)
		result = a | b;
	else
		result = a ^ b;
	if (op->sets_flags)
		machine->flags = sign_and_zero(result, op->wide);
	put(machine, op, result);
	return 0;
}

static int constant(struct look_machine *machine, const struct look_arm_op *op)
{
	machine->general[op->d] = op->immediate;
	return 0;
}

/* ADR, ADRP */
static int address(struct look_machine *machine, const struct look_arm_op *op)
{
	machine->general[op->d] = op->immediate + machine->general[LOOK_ARM_MOVED];
	return 0;
}

static int move_keep(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t kept = machine->general[op->d] & ~(UINT64_C(0xffff) << op->amount);

	put(machine, op, kept | op->immediate);
	return 0;
}

/* `immediate` has the field's mask in the source, `amount` its place there or in the result. */
static int bit_field(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t field = machine->general[op->n] & op->immediate, mask = op->immediate;
	unsigned int top = op->condition;

	if (op->post) {
		field >>= op->amount;
		mask >>= op->amount;
	} else {
		field <<= op->amount;
		mask <<= op->amount;
	}
	if (op->operation == EXTRACT_SIGNED)
		field = look_arm_sign_extend(field, top);
	else if (op->operation == INSERT)
		field |= machine->general[op->d] & ~mask;
	put(machine, op, field);
	return 0;
}

static int extract(struct look_machine *machine, const struct look_arm_op *op)
{
	unsigned int width = op->wide ? 64 : 32;
	uint64_t high = machine->general[op->n], low = machine->general[op->m];

	if (!op->wide)
		low &= UINT32_MAX;
	if (op->amount > 0)
		low = low >> op->amount | high << (width - op->amount);
	put(machine, op, low);
	return 0;
}

static int select_one(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = machine->general[op->m];

	if (look_arm_condition(machine->flags, op->condition)) {
		put(machine, op, machine->general[op->n]);
		return 0;
	}
	if (op->operation == INCREMENT)
		value++;
	else if (op->operation == NOT)
		value = ~value;
	else if (op->operation == NEGATE)
		value = -value;
	put(machine, op, value);
	return 0;
}

/* CCMP, CCMN: `operation` has the flags where the condition does not hold. */
static int compare_if(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t b = look_arm_operand(machine, op);

	if (!look_arm_condition(machine->flags, op->condition))
		machine->flags = op->operation;
	else
		add_with_carry(machine->general[op->n], op->invert ? ~b : b, op->invert, op->wide,
			       &machine->flags);
	return 0;
}

/* ---- immediates */

static bool decode_address(uint32_t word, struct look_arm_op *op)
{
	uint64_t offset = look_arm_sign_extend(
		look_arm_bits(word, 23, 5) << 2 | look_arm_bits(word, 30, 29), 21);

	if (look_arm_bit(word, 31))
		op->immediate = (op->immediate & ~UINT64_C(4095)) + (offset << 12);
	else
		op->immediate += offset;
	op->d = look_arm_register(word, 0);
	op->execute = address;
	return true;
}

static bool decode_add_immediate(uint32_t word, struct look_arm_op *op)
{
	op->wide = look_arm_bit(word, 31);
	op->invert = look_arm_bit(word, 30);
	op->sets_flags = look_arm_bit(word, 29);
	op->immediate = (uint64_t)look_arm_bits(word, 21, 10) << (look_arm_bit(word, 22) ? 12 : 0);
	op->n = look_arm_register_sp(word, 5);
	op->d = op->sets_flags ? look_arm_register(word, 0) : look_arm_register_sp(word, 0);
	op->operand = LOOK_ARM_IMMEDIATE;
	op->execute = add;
	return true;
}

/* A rotated run of ones, repeated in every element; false: reserved. */
static bool bit_mask(uint32_t word, bool wide, uint64_t *mask)
{
	unsigned int n = look_arm_bit(word, 22), rotate = look_arm_bits(word, 21, 16);
	unsigned int length = look_arm_bits(word, 15, 10), width, ones;
	unsigned int pattern = n << 6 | (~length & 0x3f);

	if (pattern < 2 || (n && !wide))
		return false;
	width = 1u << (31 - __builtin_clz(pattern));
	ones = (length & (width - 1)) + 1;
	rotate &= width - 1;
	if (ones == width)
		return false;
	*mask = look_arm_ones(ones);
	if (rotate > 0)
		*mask = (*mask >> rotate | *mask << (width - rotate)) & look_arm_ones(width);
	for (; width < 64; width *= 2)
		*mask |= *mask << width;
	return true;
}

static bool decode_logic_immediate(uint32_t word, struct look_arm_op *op)
{
	static const uint8_t operations[] = {AND, ORR, EOR, AND};

	op->wide = look_arm_bit(word, 31);
	op->operation = operations[look_arm_bits(word, 30, 29)];
	op->sets_flags = look_arm_bits(word, 30, 29) == 3;
	op->n = look_arm_register(word, 5);
	op->d = op->sets_flags ? look_arm_register(word, 0) : look_arm_register_sp(word, 0);
	op->operand = LOOK_ARM_IMMEDIATE;
	op->execute = logic;
	return bit_mask(word, op->wide, &op->immediate);
}

static bool decode_move(uint32_t word, struct look_arm_op *op)
{
	unsigned int kind = look_arm_bits(word, 30, 29);

	op->wide = look_arm_bit(word, 31);
	op->amount = (uint8_t)(look_arm_bits(word, 22, 21) * 16);
	op->immediate = (uint64_t)look_arm_bits(word, 20, 5) << op->amount;
	op->d = look_arm_register(word, 0);
	op->execute = kind == 3 ? move_keep : constant;
	if (kind == 0)
		op->immediate = ~op->immediate;
	if (kind == 0 && !op->wide)
		op->immediate &= UINT32_MAX;
	return kind != 1 && (op->wide || op->amount < 32);
}

static bool decode_bit_field(uint32_t word, struct look_arm_op *op)
{
	static const uint8_t operations[] = {EXTRACT_SIGNED, INSERT, EXTRACT_UNSIGNED, 0};
	unsigned int width = look_arm_bit(word, 31) ? 64 : 32;
	unsigned int first = look_arm_bits(word, 21, 16), last = look_arm_bits(word, 15, 10);

	if (look_arm_bits(word, 30, 29) == 3 || look_arm_bit(word, 22) != look_arm_bit(word, 31) ||
	    first >= width || last >= width)
		return false;
	op->wide = width == 64;
	op->operation = operations[look_arm_bits(word, 30, 29)];
	op->n = look_arm_register(word, 5);
	op->d = look_arm_register(word, 0);
	op->post = last >= first;
	if (op->post) {
		op->immediate = look_arm_ones(last - first + 1) << first;
		op->amount = (uint8_t)first;
		op->condition = (uint8_t)(last - first + 1);
	} else {
		op->immediate = look_arm_ones(last + 1);
		op->amount = (uint8_t)(width - first);
		op->condition = (uint8_t)(last + 1 + op->amount);
	}
	op->execute = bit_field;
	return true;
}

static bool decode_extract(uint32_t word, struct look_arm_op *op)
{
	op->wide = look_arm_bit(word, 31);
	op->amount = (uint8_t)look_arm_bits(word, 15, 10);
	op->m = look_arm_register(word, 16);
	op->n = look_arm_register(word, 5);
	op->d = look_arm_register(word, 0);
	op->execute = extract;
	return look_arm_bit(word, 22) == op->wide && (op->wide || op->amount < 32);
}

bool look_arm_decode_immediate(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x1f000000, 0x10000000, decode_address},
		{0x1f800000, 0x11000000, decode_add_immediate},
		{0x1f800000, 0x12000000, decode_logic_immediate},
		{0x1f800000, 0x12800000, decode_move},
		{0x1f800000, 0x13000000, decode_bit_field},
		{0x7fa00000, 0x13800000, decode_extract},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}

/* ---- registers */

static bool decode_three(uint32_t word, struct look_arm_op *op)
{
	op->wide = look_arm_bit(word, 31);
	op->m = look_arm_register(word, 16);
	op->n = look_arm_register(word, 5);
	op->d = look_arm_register(word, 0);
	return true;
}

static bool decode_logic(uint32_t word, struct look_arm_op *op)
{
	static const uint8_t operations[] = {AND, ORR, EOR, AND};

	decode_three(word, op);
	op->operation = operations[look_arm_bits(word, 30, 29)];
	op->sets_flags = look_arm_bits(word, 30, 29) == 3;
	op->invert = look_arm_bit(word, 21);
	op->operand = (uint8_t)look_arm_bits(word, 23, 22);
	op->amount = (uint8_t)look_arm_bits(word, 15, 10);
	op->execute = logic;
	return op->wide || op->amount < 32;
}

static bool decode_add_shifted(uint32_t word, struct look_arm_op *op)
{
	decode_three(word, op);
	op->invert = look_arm_bit(word, 30);
	op->sets_flags = look_arm_bit(word, 29);
	op->operand = (uint8_t)look_arm_bits(word, 23, 22);
	op->amount = (uint8_t)look_arm_bits(word, 15, 10);
	op->execute = add;
	return op->operand != LOOK_ARM_ROR && (op->wide || op->amount < 32);
}

static bool decode_add_extended(uint32_t word, struct look_arm_op *op)
{
	decode_three(word, op);
	op->invert = look_arm_bit(word, 30);
	op->sets_flags = look_arm_bit(word, 29);
	op->n = look_arm_register_sp(word, 5);
	if (!op->sets_flags)
		op->d = look_arm_register_sp(word, 0);
	op->operand = (uint8_t)(LOOK_ARM_UXTB + look_arm_bits(word, 15, 13));
	op->amount = (uint8_t)look_arm_bits(word, 12, 10);
	op->execute = add;
	return op->amount <= 4;
}

static bool decode_add_carry(uint32_t word, struct look_arm_op *op)
{
	decode_three(word, op);
	op->invert = look_arm_bit(word, 30);
	op->sets_flags = look_arm_bit(word, 29);
	op->execute = add_carry;
	return true;
}

static bool decode_compare_if(uint32_t word, struct look_arm_op *op)
{
	decode_three(word, op);
	op->invert = look_arm_bit(word, 30);
	op->condition = (uint8_t)look_arm_bits(word, 15, 12);
	op->operation = (uint8_t)look_arm_bits(word, 3, 0);
	op->operand = LOOK_ARM_UXTX;
	if (look_arm_bit(word, 11)) {
		op->operand = LOOK_ARM_IMMEDIATE;
		op->immediate = look_arm_bits(word, 20, 16);
	}
	op->execute = compare_if;
	return true;
}

static bool decode_select(uint32_t word, struct look_arm_op *op)
{
	decode_three(word, op);
	op->operation = (uint8_t)(look_arm_bit(word, 30) << 1 | look_arm_bit(word, 10));
	op->condition = (uint8_t)look_arm_bits(word, 15, 12);
	op->execute = select_one;
	return true;
}

bool look_arm_decode_register(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x1f000000, 0x0a000000, decode_logic},
		{0x1f200000, 0x0b000000, decode_add_shifted},
		{0x1fe00000, 0x0b200000, decode_add_extended},
		{0x1fe0fc00, 0x1a000000, decode_add_carry},
		{0x3fe00410, 0x3a400000, decode_compare_if},
		{0x3fe00800, 0x1a800000, decode_select},
	};

	return LOOK_ARM_MATCH(patterns, word, op) || look_arm_decode_multiply(word, op);
}
