/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: branches. */
#include "collector/lookahead_aarch64.h"

static int branch(struct look_machine *machine, const struct look_arm_op *op)
{
	return look_arm_jump(machine, op->immediate + machine->general[LOOK_ARM_MOVED]);
}

static int branch_link(struct look_machine *machine, const struct look_arm_op *op)
{
	machine->general[LOOK_ARM_LINK] = machine->pc + 4;
	return branch(machine, op);
}

static int decide(struct look_machine *machine, const struct look_arm_op *op, bool taken)
{
	machine->look->result->decisions++;
	return taken ? branch(machine, op) : 0;
}

static int branch_if(struct look_machine *machine, const struct look_arm_op *op)
{
	return decide(machine, op, look_arm_condition(machine->flags, op->condition));
}

static int compare_branch(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = machine->general[op->n];

	if (!op->wide)
		value &= UINT32_MAX;
	return decide(machine, op, (value == 0) != op->invert);
}

static int test_branch(struct look_machine *machine, const struct look_arm_op *op)
{
	return decide(machine, op, (machine->general[op->n] >> op->amount & 1) == op->invert);
}

/* BR, BLR, RET; the target may be signed */
static int branch_to(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t target = machine->general[op->n];

	if (op->operation)
		target = look_arm_strip(target);
	machine->look->result->decisions++;
	machine->general[op->d] = machine->pc + 4;
	return look_arm_jump(machine, look_arm_untag(target));
}

static uint64_t target_of(uint32_t word, unsigned int high, unsigned int low, uint64_t address)
{
	return address +
	       (look_arm_sign_extend(look_arm_bits(word, high, low), high - low + 1) << 2);
}

static bool decode_direct(uint32_t word, struct look_arm_op *op)
{
	op->immediate = target_of(word, 25, 0, op->immediate);
	op->execute = look_arm_bit(word, 31) ? branch_link : branch;
	return true;
}

/* B.cond, BC.cond */
static bool decode_conditional(uint32_t word, struct look_arm_op *op)
{
	op->immediate = target_of(word, 23, 5, op->immediate);
	op->condition = (uint8_t)look_arm_bits(word, 3, 0);
	op->execute = branch_if;
	return true;
}

static bool decode_compare(uint32_t word, struct look_arm_op *op)
{
	op->immediate = target_of(word, 23, 5, op->immediate);
	op->wide = look_arm_bit(word, 31);
	op->invert = look_arm_bit(word, 24);
	op->n = look_arm_register(word, 0);
	op->execute = compare_branch;
	return true;
}

static bool decode_test(uint32_t word, struct look_arm_op *op)
{
	op->immediate = target_of(word, 18, 5, op->immediate);
	op->amount = (uint8_t)(look_arm_bit(word, 31) << 5 | look_arm_bits(word, 23, 19));
	op->invert = look_arm_bit(word, 24);
	op->n = look_arm_register(word, 0);
	op->execute = test_branch;
	return true;
}

static bool decode_to(uint32_t word, struct look_arm_op *op)
{
	op->n = look_arm_register(word, 5);
	op->d = look_arm_bits(word, 22, 21) == 1 ? LOOK_ARM_LINK : LOOK_ARM_ZERO;
	op->execute = branch_to;
	return true;
}

/* BRAA, BLRAAZ, RETAB .. */
static bool decode_to_signed(uint32_t word, struct look_arm_op *op)
{
	op->operation = 1;
	decode_to(word, op);
	if (look_arm_bits(word, 22, 21) == 2)
		op->n = LOOK_ARM_LINK;
	return true;
}

bool look_arm_decode_branch(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x7c000000, 0x14000000, decode_direct},
		{0xff000000, 0x54000000, decode_conditional},
		{0x7e000000, 0x34000000, decode_compare},
		{0x7e000000, 0x36000000, decode_test},
		{0xffdffc1f, 0xd61f0000, decode_to},	    /* BR BLR */
		{0xfffffc1f, 0xd65f0000, decode_to},	    /* RET */
		{0xffdff81f, 0xd61f081f, decode_to_signed}, /* BRAAZ BLRAAZ */
		{0xffdff800, 0xd71f0800, decode_to_signed}, /* BRAA BLRAA */
		{0xfffffbff, 0xd65f0bff, decode_to_signed}, /* RETAA RETAB */
	};

	return LOOK_ARM_MATCH(patterns, word, op) || look_arm_decode_system(word, op);
}
