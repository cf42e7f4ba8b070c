/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64: exclusives, compare and swap, atomic memory operations. No other thread
 * is seen, so a store-exclusive succeeds where a load-exclusive of this run marked its address,
 * and fails where none did: a stop clears the mark.
 */
#include "collector/lookahead_aarch64.h"

enum { ADD, CLEAR, EXCLUSIVE_OR, SET, SIGNED_MOST, SIGNED_LEAST, MOST, LEAST, SWAP };

/* Whether an address that is not aligned faults is up to the processor. */
static bool is_aligned(uint64_t address, size_t size_bytes)
{
	return (address & (size_bytes - 1)) == 0;
}

/* LDAR, STLR and their kin: only this thread looks, so that order says nothing. */
static int load(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t address = machine->general[op->n], value = 0;

	if (!is_aligned(address, (size_t)1 << op->size))
		return LOOK_ARM_UNSUPPORTED;
	if (!look_arm_load(machine, address, &value, (size_t)1 << op->size))
		return LOOK_ARM_UNREADABLE;
	machine->general[op->d] = value;
	return 0;
}

static int store(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t address = machine->general[op->n];

	if (!is_aligned(address, (size_t)1 << op->size))
		return LOOK_ARM_UNSUPPORTED;
	if (!look_arm_store(machine, address, &machine->general[op->d], (size_t)1 << op->size))
		return LOOK_ARM_UNREADABLE;
	return 0;
}

/* One register, or two where `invert` is set */
static int load_exclusive(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t size_bytes = (size_t)1 << op->size;
	uint64_t address = machine->general[op->n], first = 0, second = 0;

	if (!is_aligned(address, op->invert ? 2 * size_bytes : size_bytes))
		return LOOK_ARM_UNSUPPORTED;
	if (!look_arm_load(machine, address, &first, size_bytes) ||
	    (op->invert && !look_arm_load(machine, address + size_bytes, &second, size_bytes)))
		return LOOK_ARM_UNREADABLE;
	machine->exclusive_address = address;
	machine->exclusive_bytes = (uint32_t)(op->invert ? 2 * size_bytes : size_bytes);
	machine->general[op->d] = first;
	if (op->invert)
		machine->general[op->a] = second;
	return 0;
}

static int store_exclusive(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t size_bytes = (size_t)1 << op->size;
	size_t all_bytes = op->invert ? 2 * size_bytes : size_bytes;
	uint64_t address = machine->general[op->n];
	bool marked = machine->exclusive_bytes != 0;
	uint8_t before[16];

	if (!is_aligned(address, all_bytes))
		return LOOK_ARM_UNSUPPORTED;
	if (marked &&
	    (machine->exclusive_address != address || machine->exclusive_bytes != all_bytes))
		return LOOK_ARM_UNSUPPORTED;
	/* one that fails may fault all the same */
	if (!look_arm_load(machine, address, before, all_bytes))
		return marked ? LOOK_ARM_UNREADABLE : LOOK_ARM_UNSUPPORTED;
	if (marked && (!look_arm_store(machine, address, &machine->general[op->d], size_bytes) ||
		       (op->invert && !look_arm_store(machine, address + size_bytes,
						      &machine->general[op->a], size_bytes))))
		return LOOK_ARM_UNREADABLE;
	machine->exclusive_bytes = 0;
	machine->general[op->m] = !marked;
	return 0;
}

static int compare_and_swap(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t size_bytes = (size_t)1 << op->size;
	uint64_t address = machine->general[op->n], value = 0;
	uint64_t expected = machine->general[op->m] & look_arm_ones(8u << op->size);

	if (!is_aligned(address, size_bytes))
		return LOOK_ARM_UNSUPPORTED;
	if (!look_arm_load(machine, address, &value, size_bytes))
		return LOOK_ARM_UNREADABLE;
	if (value == expected &&
	    !look_arm_store(machine, address, &machine->general[op->d], size_bytes))
		return LOOK_ARM_UNREADABLE;
	machine->general[op->m] = value;
	return 0;
}

/* CASP: register pairs that begin with an even number; the second of x30 is xzr */
static int compare_and_swap_pair(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t size_bytes = (size_t)1 << op->size;
	unsigned int m_next = op->m == 30 ? LOOK_ARM_ZERO : op->m + 1u;
	unsigned int d_next = op->d == 30 ? LOOK_ARM_ZERO : op->d + 1u;
	uint64_t mask = look_arm_ones(8u << op->size), address = machine->general[op->n];
	uint64_t first = 0, second = 0;

	if (!is_aligned(address, 2 * size_bytes))
		return LOOK_ARM_UNSUPPORTED;
	if (!look_arm_load(machine, address, &first, size_bytes) ||
	    !look_arm_load(machine, address + size_bytes, &second, size_bytes))
		return LOOK_ARM_UNREADABLE;
	if (first == (machine->general[op->m] & mask) &&
	    second == (machine->general[m_next] & mask) &&
	    (!look_arm_store(machine, address, &machine->general[op->d], size_bytes) ||
	     !look_arm_store(machine, address + size_bytes, &machine->general[d_next], size_bytes)))
		return LOOK_ARM_UNREADABLE;
	machine->general[op->m] = first;
	machine->general[m_next] = second;
	return 0;
}

static uint64_t combine(unsigned int operation, uint64_t old, uint64_t value, unsigned int bits)
{
	int64_t signed_old = (int64_t)look_arm_sign_extend(old, bits);
	int64_t signed_value = (int64_t)look_arm_sign_extend(value, bits);

	value &= look_arm_ones(bits);
	switch (operation) {
	case ADD:
		return old + value;
	case CLEAR:
		return old & ~value;
	case EXCLUSIVE_OR:
		return old ^ value;
	case SET:
		return old | value;
	case SIGNED_MOST:
		return signed_old > signed_value ? old : value;
	case SIGNED_LEAST:
		return signed_old < signed_value ? old : value;
	case MOST:
		return old > value ? old : value;
	case LEAST:
		return old < value ? old : value;
	default:
		return value;
	}
}

static int fetch_and_change(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t size_bytes = (size_t)1 << op->size;
	uint64_t address = machine->general[op->n], old = 0, changed;

	if (!is_aligned(address, size_bytes))
		return LOOK_ARM_UNSUPPORTED;
	if (!look_arm_load(machine, address, &old, size_bytes))
		return LOOK_ARM_UNREADABLE;
	changed = combine(op->operation, old, machine->general[op->m], 8u << op->size);
	if (!look_arm_store(machine, address, &changed, size_bytes))
		return LOOK_ARM_UNREADABLE;
	machine->general[op->d] = old;
	return 0;
}

/* CASP sits where pairs of bytes and halfwords would be: bit 30 says which registers. */
static bool decode_pair(uint32_t word, struct look_arm_op *op)
{
	op->a = look_arm_register(word, 10);
	if (look_arm_bit(word, 31)) {
		op->invert = true;
		op->execute = look_arm_bit(word, 22) ? load_exclusive : store_exclusive;
		return op->execute == store_exclusive || op->d != op->a || op->d == LOOK_ARM_ZERO;
	}
	op->size = look_arm_bit(word, 30) ? 3 : 2;
	op->execute = compare_and_swap_pair;
	return op->a == LOOK_ARM_ZERO && op->d % 2 == 0 && op->m % 2 == 0 &&
	       op->d != LOOK_ARM_ZERO && op->m != LOOK_ARM_ZERO;
}

/* The status register of a store must be neither of the others. */
static bool status_is_clear(const struct look_arm_op *op)
{
	return op->execute != store_exclusive || op->m == LOOK_ARM_ZERO ||
	       (op->m != op->d && op->m != op->n && (!op->invert || op->m != op->a));
}

bool look_arm_decode_exclusive(uint32_t word, struct look_arm_op *op)
{
	bool is_load = look_arm_bit(word, 22);

	op->size = (uint8_t)look_arm_bits(word, 31, 30);
	op->m = look_arm_register(word, 16);
	op->n = look_arm_register_sp(word, 5);
	op->d = look_arm_register(word, 0);
	switch (look_arm_bit(word, 23) << 1 | look_arm_bit(word, 21)) {
	case 0:
		op->execute = is_load ? load_exclusive : store_exclusive;
		break;
	case 1:
		if (!decode_pair(word, op))
			return false;
		break;
	case 2: /* LDAR, STLR, LDLAR, STLLR */
		op->execute = is_load ? load : store;
		break;
	default:
		op->execute = compare_and_swap;
		return look_arm_bits(word, 14, 10) == 31;
	}
	return status_is_clear(op);
}

/* LDADD .. LDUMIN, SWP, LDAPR; the ST forms are those whose result goes to xzr */
bool look_arm_decode_atomic(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 14, 12);

	op->size = (uint8_t)look_arm_bits(word, 31, 30);
	op->m = look_arm_register(word, 16);
	op->n = look_arm_register_sp(word, 5);
	op->d = look_arm_register(word, 0);
	op->operation = (uint8_t)opcode;
	op->execute = fetch_and_change;
	if (look_arm_bit(word, 15)) {
		op->operation = SWAP;
		if (opcode == 4 && look_arm_bits(word, 23, 22) == 2) {
			op->execute = load; /* LDAPR */
			return op->m == LOOK_ARM_ZERO;
		}
		return opcode == 0;
	}
	return true;
}
