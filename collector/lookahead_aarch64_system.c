/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: exceptions, hints, barriers, system registers, DC ZVA. */
#include "collector/lookahead_aarch64.h"

enum { THREAD_POINTER, CONDITION_FLAGS, FLOAT_CONTROL, FLOAT_STATUS, ZERO_BLOCK };

static int system_call(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)machine;
	(void)op;
	return LOOK_ARM_SYSCALL;
}

static int clear_exclusive(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)op;
	machine->exclusive_bytes = 0;
	return 0;
}

static int invert_carry(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)op;
	machine->flags ^= LOOK_ARM_C;
	return 0;
}

static int read_register(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = 0;

	switch (op->operation) {
	case THREAD_POINTER:
		value = machine->thread_pointer;
		break;
	case CONDITION_FLAGS:
		value = (uint64_t)machine->flags << 28;
		break;
	case FLOAT_CONTROL:
		value = machine->fpcr;
		break;
	case FLOAT_STATUS:
		if (!machine->fpsr_known)
			return LOOK_ARM_UNSUPPORTED;
		value = machine->fpsr;
		break;
	default:
		if (machine->zero_block == 0)
			return LOOK_ARM_UNSUPPORTED;
		value = machine->zero_block;
	}
	machine->general[op->d] = value;
	return 0;
}

static int write_register(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t value = machine->general[op->d];

	switch (op->operation) {
	case THREAD_POINTER:
		machine->thread_pointer = value;
		break;
	case CONDITION_FLAGS:
		machine->flags = value >> 28 & 15;
		break;
	case FLOAT_CONTROL:
		/* which bits of another value would stick is the processor's affair */
		if (value != 0)
			return LOOK_ARM_UNSUPPORTED;
		machine->fpcr = 0;
		break;
	default:
		return LOOK_ARM_UNSUPPORTED;
	}
	return 0;
}

static int zero_block(struct look_machine *machine, const struct look_arm_op *op)
{
	static const uint8_t zeros[2048];
	size_t size_bytes = (size_t)4 << (machine->zero_block & 15);
	uint64_t address = machine->general[op->d] & ~(uint64_t)(size_bytes - 1);

	/* bit 4: prohibited */
	if (machine->zero_block == 0 || machine->zero_block & 16 || size_bytes > sizeof(zeros))
		return LOOK_ARM_UNSUPPORTED;
	return look_arm_store(machine, address, zeros, size_bytes) ? 0 : LOOK_ARM_UNREADABLE;
}

static bool decode_exception(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 23, 21), level = look_arm_bits(word, 4, 0);

	if (opcode == 0 && level == 1)
		op->execute = system_call;
	else if ((opcode == 0 && (level == 2 || level == 3)) ||
		 ((opcode == 1 || opcode == 2) && level == 0))
		op->execute = look_arm_trap; /* HVC and SMC are undefined here; BRK, HLT */
	else
		return false;
	return true;
}

/*
 * Hints up to 39 have been given out and do nothing that a later branch could see, but for
 * pointer authentication: see lookahead_aarch64.h.
 */
static bool decode_hint(uint32_t word, struct look_arm_op *op)
{
	unsigned int hint = look_arm_bits(word, 11, 5);

	op->execute = look_arm_nothing;
	if (hint == 7 || (hint >= 28 && hint <= 31)) {
		op->d = LOOK_ARM_LINK; /* XPACLRI, AUTIAZ, AUTIASP .. */
		op->execute = look_arm_strip_register;
	} else if (hint == 12 || hint == 14) {
		op->d = 17; /* AUTIA1716, AUTIB1716 */
		op->execute = look_arm_strip_register;
	}
	return hint < 40;
}

static bool decode_barrier(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 7, 5);

	op->execute = opcode == 2 ? clear_exclusive : look_arm_nothing;
	switch (opcode) {
	case 2: /* CLREX */
	case 4: /* DSB, SSBB, PSSBB */
	case 5: /* DMB */
	case 6: /* ISB */
		return true;
	case 7: /* SB */
		return look_arm_bits(word, 11, 8) == 0;
	default:
		return false;
	}
}

static bool decode_invert_carry(uint32_t word, struct look_arm_op *op)
{
	(void)word;
	op->execute = invert_carry;
	return true;
}

static bool decode_move(uint32_t word, struct look_arm_op *op)
{
	bool is_read = look_arm_bit(word, 21);

	op->d = look_arm_register(word, 0);
	op->execute = is_read ? read_register : write_register;
	switch (look_arm_bits(word, 20, 5)) { /* op0 op1 CRn CRm op2 */
	case 0xde82:			      /* TPIDR_EL0 */
		op->operation = THREAD_POINTER;
		return true;
	case 0xda10: /* NZCV */
		op->operation = CONDITION_FLAGS;
		return true;
	case 0xda20: /* FPCR */
		op->operation = FLOAT_CONTROL;
		op->uses = LOOK_ARM_VECTORS;
		return true;
	case 0xda21: /* FPSR */
		op->operation = FLOAT_STATUS;
		op->uses = LOOK_ARM_VECTORS;
		return is_read;
	case 0xd807: /* DCZID_EL0 */
		op->operation = ZERO_BLOCK;
		return is_read;
	default:
		return false;
	}
}

/* DC ZVA; cache maintenance of data that is coherent anyway. Not IC: code may have changed. */
static bool decode_cache(uint32_t word, struct look_arm_op *op)
{
	op->d = look_arm_register(word, 0);
	switch (look_arm_bits(word, 11, 8)) {
	case 4:
		op->execute = zero_block;
		return true;
	case 10: /* CVAC */
	case 11: /* CVAU */
	case 12: /* CVAP */
	case 13: /* CVADP */
	case 14: /* CIVAC */
		op->execute = look_arm_nothing;
		return true;
	default:
		return false;
	}
}

bool look_arm_decode_system(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0xfffff01f, 0xd503201f, decode_hint},
		{0xfffff01f, 0xd503301f, decode_barrier},
		{0xffffffff, 0xd500401f, decode_invert_carry},
		{0xffd00000, 0xd5100000, decode_move},
		{0xfffff0e0, 0xd50b7020, decode_cache},
		{0xff00001c, 0xd4000000, decode_exception},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}
