/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: loads and stores of one register and of pairs. */
#include "collector/lookahead_aarch64.h"

/* Where the access goes; the register is written back once the access was possible. */
static uint64_t address_of(const struct look_machine *machine, const struct look_arm_op *op,
			   uint64_t *behind)
{
	uint64_t base = machine->general[op->n];

	*behind = base + look_arm_operand(machine, op);
	return op->post ? base : *behind;
}

static int load(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind), value = 0;

	if (!look_arm_load(machine, address, &value, (size_t)1 << op->size))
		return LOOK_ARM_UNREADABLE;
	if (op->sets_flags)
		value = look_arm_sign_extend(value, 8u << op->size);
	if (op->write_back)
		machine->general[op->n] = behind;
	machine->general[op->d] = op->wide ? value : value & UINT32_MAX;
	return 0;
}

static int store(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind);

	if (!look_arm_store(machine, address, &machine->general[op->d], (size_t)1 << op->size))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	return 0;
}

static int load_pair(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind), first = 0, second = 0;
	size_t size_bytes = (size_t)1 << op->size;

	if (!look_arm_load(machine, address, &first, size_bytes) ||
	    !look_arm_load(machine, address + size_bytes, &second, size_bytes))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	machine->general[op->d] = op->sets_flags ? look_arm_sign_extend(first, 32) : first;
	machine->general[op->a] = op->sets_flags ? look_arm_sign_extend(second, 32) : second;
	return 0;
}

static int store_pair(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind);
	size_t size_bytes = (size_t)1 << op->size;

	if (!look_arm_store(machine, address, &machine->general[op->d], size_bytes) ||
	    !look_arm_store(machine, address + size_bytes, &machine->general[op->a], size_bytes))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	return 0;
}

static int load_vector(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind);
	union look_arm_vector value = {.d = {0, 0}};

	if (!look_arm_load(machine, address, &value, (size_t)1 << op->size))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	machine->vectors[op->d] = value;
	return 0;
}

static int store_vector(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind);

	if (!look_arm_store(machine, address, &machine->vectors[op->d], (size_t)1 << op->size))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	return 0;
}

static int load_vector_pair(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind);
	union look_arm_vector first = {.d = {0, 0}}, second = {.d = {0, 0}};
	size_t size_bytes = (size_t)1 << op->size;

	if (!look_arm_load(machine, address, &first, size_bytes) ||
	    !look_arm_load(machine, address + size_bytes, &second, size_bytes))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	machine->vectors[op->d] = first;
	machine->vectors[op->a] = second;
	return 0;
}

static int store_vector_pair(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t behind, address = address_of(machine, op, &behind);
	size_t size_bytes = (size_t)1 << op->size;

	if (!look_arm_store(machine, address, &machine->vectors[op->d], size_bytes) ||
	    !look_arm_store(machine, address + size_bytes, &machine->vectors[op->a], size_bytes))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = behind;
	return 0;
}

/* LDRAA, LDRAB: through a signed pointer, whose code is believed */
static int load_authenticated(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t address = look_arm_strip(machine->general[op->n]) + op->immediate, value;

	if (!look_arm_load(machine, address, &value, sizeof(value)))
		return LOOK_ARM_UNREADABLE;
	if (op->write_back)
		machine->general[op->n] = address;
	machine->general[op->d] = value;
	return 0;
}

static bool is_vector(uint32_t word)
{
	return look_arm_bit(word, 26);
}

/* What is transferred, by bits 31, 30, 26, 23, 22 of most forms; the address comes after. */
static bool decode_transfer(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 23, 22);

	op->operand = LOOK_ARM_IMMEDIATE;
	op->n = look_arm_register_sp(word, 5);
	op->size = (uint8_t)look_arm_bits(word, 31, 30);
	if (is_vector(word)) {
		op->d = look_arm_register_sp(word, 0);
		op->uses = LOOK_ARM_VECTORS;
		op->execute = opcode & 1 ? load_vector : store_vector;
		if (opcode & 2) {
			if (op->size != 0)
				return false;
			op->size = 4;
		}
		return true;
	}
	op->d = look_arm_register(word, 0);
	op->a = op->d;
	op->wide = opcode != 3;
	op->sets_flags = opcode >= 2;
	op->execute = opcode == 0 ? store : load;
	if (op->size == 3 && opcode == 2)
		op->execute = look_arm_nothing; /* PRFM */
	return opcode < 2 || op->size < 2 || (op->size == 2 && opcode == 2) ||
	       op->execute == look_arm_nothing;
}

/* The result of an access with write-back of its own register is anybody's guess. */
static bool write_back_is_clear(const struct look_arm_op *op)
{
	return !op->write_back || (op->uses & LOOK_ARM_VECTORS) ||
	       (op->d != op->n && op->a != op->n);
}

static bool decode_unsigned_offset(uint32_t word, struct look_arm_op *op)
{
	if (!decode_transfer(word, op))
		return false;
	op->immediate = (uint64_t)look_arm_bits(word, 21, 10) << op->size;
	return true;
}

/* Unscaled, unprivileged, pre- and post-indexed */
static bool decode_signed_offset(uint32_t word, struct look_arm_op *op)
{
	unsigned int mode = look_arm_bits(word, 11, 10);

	if (!decode_transfer(word, op))
		return false;
	op->immediate = look_arm_sign_extend(look_arm_bits(word, 20, 12), 9);
	op->post = mode == 1;
	op->write_back = mode & 1;
	if (mode != 0 && (op->execute == look_arm_nothing || (mode == 2 && is_vector(word))))
		return false;
	return write_back_is_clear(op);
}

static bool decode_register_offset(uint32_t word, struct look_arm_op *op)
{
	if (!decode_transfer(word, op) || !look_arm_bit(word, 14))
		return false;
	op->m = look_arm_register(word, 16);
	op->operand = (uint8_t)(LOOK_ARM_UXTB + look_arm_bits(word, 15, 13));
	op->amount = look_arm_bit(word, 12) ? op->size : 0;
	return true;
}

static bool decode_literal(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 31, 30);

	op->immediate += look_arm_sign_extend(look_arm_bits(word, 23, 5), 19) << 2;
	op->operand = LOOK_ARM_IMMEDIATE;
	op->n = LOOK_ARM_MOVED;
	if (is_vector(word)) {
		op->d = look_arm_register_sp(word, 0);
		op->uses = LOOK_ARM_VECTORS;
		op->size = (uint8_t)(2 + opcode);
		op->execute = load_vector;
		return opcode < 3;
	}
	op->d = look_arm_register(word, 0);
	op->size = opcode == 1 ? 3 : 2;
	op->wide = true;
	op->sets_flags = opcode == 2;
	op->execute = opcode == 3 ? look_arm_nothing : load;
	return true;
}

static bool decode_pair(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 31, 30), mode = look_arm_bits(word, 24, 23);
	bool is_load = look_arm_bit(word, 22);

	op->operand = LOOK_ARM_IMMEDIATE;
	op->n = look_arm_register_sp(word, 5);
	op->post = mode == 1;
	op->write_back = mode & 1;
	if (is_vector(word)) {
		op->d = look_arm_register_sp(word, 0);
		op->a = look_arm_register_sp(word, 10);
		op->uses = LOOK_ARM_VECTORS;
		op->size = (uint8_t)(2 + opcode);
		op->execute = is_load ? load_vector_pair : store_vector_pair;
	} else {
		op->d = look_arm_register(word, 0);
		op->a = look_arm_register(word, 10);
		op->size = opcode == 2 ? 3 : 2;
		op->sets_flags = opcode == 1;
		op->execute = is_load ? load_pair : store_pair;
		if (opcode == 1 && (!is_load || mode == 0))
			return false; /* STGP */
	}
	op->immediate = look_arm_sign_extend(look_arm_bits(word, 21, 15), 7) << op->size;
	return opcode < 3 && write_back_is_clear(op) &&
	       !(is_load && op->d == op->a && op->d != LOOK_ARM_ZERO);
}

static bool decode_authenticated(uint32_t word, struct look_arm_op *op)
{
	uint64_t offset = look_arm_bit(word, 22) << 9 | look_arm_bits(word, 20, 12);

	op->immediate = look_arm_sign_extend(offset, 10) << 3;
	op->n = look_arm_register_sp(word, 5);
	op->d = look_arm_register(word, 0);
	op->a = op->d;
	op->write_back = look_arm_bit(word, 11);
	op->execute = load_authenticated;
	return write_back_is_clear(op);
}

static int ordered(struct look_machine *machine, const struct look_arm_op *op)
{
	uint64_t address = machine->general[op->n] + op->immediate;

	if (address & ((UINT64_C(1) << op->size) - 1))
		return LOOK_ARM_UNSUPPORTED;
	return op->operation ? load(machine, op) : store(machine, op);
}

/* LDAPUR, STLUR .. with the fields of the unscaled form; LDAR and STLR are with the exclusives */
static bool decode_ordered_unscaled(uint32_t word, struct look_arm_op *op)
{
	if (!decode_signed_offset(word, op) || op->execute == look_arm_nothing)
		return false;
	op->operation = op->execute == load;
	op->execute = ordered;
	return true;
}

bool look_arm_decode_memory(uint32_t word, struct look_arm_op *op)
{
	static const struct look_arm_pattern patterns[] = {
		{0x3b000000, 0x39000000, decode_unsigned_offset},
		{0x3b200000, 0x38000000, decode_signed_offset},
		{0x3b200c00, 0x38200800, decode_register_offset},
		{0x3a000000, 0x28000000, decode_pair},
		{0x3b000000, 0x18000000, decode_literal},
		{0x3f200c00, 0x19000000, decode_ordered_unscaled},
		{0xff200400, 0xf8200400, decode_authenticated},
		{0x3f200c00, 0x38200000, look_arm_decode_atomic},
		{0x3f000000, 0x08000000, look_arm_decode_exclusive},
		{0xbe000000, 0x0c000000, look_arm_decode_structure},
	};

	return LOOK_ARM_MATCH(patterns, word, op);
}
