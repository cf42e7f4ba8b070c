/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: LD1 .. LD4, ST1 .. ST4, of whole registers, one lane, and all lanes. */
#include "collector/lookahead_aarch64_vector.h"

enum { BYTES_MOST = 64, INTERLEAVED = 1, REPLICATED };

/*
 * `amount` registers from d on, `index` the lane; `operation` INTERLEAVED or REPLICATED where the
 * elements of a structure go to one register each.
 */
static size_t whole_bytes(const struct look_arm_op *op)
{
	return (size_t)op->amount * (op->wide ? 16 : 8);
}

/* The register and lane of the element at this position in memory. */
static union look_arm_vector *place(struct look_machine *machine, const struct look_arm_op *op,
				    unsigned int position, unsigned int *lane)
{
	unsigned int each = (op->wide ? 16u : 8u) >> op->size;
	unsigned int number =
		op->operation == INTERLEAVED ? position % op->amount : position / each;

	*lane = op->operation == INTERLEAVED ? position / op->amount : position % each;
	return &machine->vectors[(op->d + number) % 32];
}

static void write_back(struct look_machine *machine, const struct look_arm_op *op,
		       uint64_t size_bytes)
{
	if (op->write_back)
		machine->general[op->n] +=
			op->m == LOOK_ARM_ZERO ? size_bytes : machine->general[op->m];
}

static int load_whole(struct look_machine *machine, const struct look_arm_op *op)
{
	union look_arm_vector buffer[BYTES_MOST / 16] = {0};
	size_t size_bytes = whole_bytes(op);
	unsigned int lane;

	if (!look_arm_load(machine, machine->general[op->n], buffer, size_bytes))
		return LOOK_ARM_UNREADABLE;
	for (unsigned int i = 0; i < op->amount; i++)
		memset(&machine->vectors[(op->d + i) % 32], 0, 16);
	for (unsigned int i = 0; i < size_bytes >> op->size; i++) {
		union look_arm_vector *vector = place(machine, op, i, &lane);

		memcpy(vector->b + ((size_t)lane << op->size),
		       (uint8_t *)buffer + ((size_t)i << op->size), (size_t)1 << op->size);
	}
	write_back(machine, op, size_bytes);
	return 0;
}

static int store_whole(struct look_machine *machine, const struct look_arm_op *op)
{
	uint8_t buffer[BYTES_MOST];
	size_t size_bytes = whole_bytes(op);
	unsigned int lane;

	for (unsigned int i = 0; i < size_bytes >> op->size; i++) {
		const union look_arm_vector *vector = place(machine, op, i, &lane);

		memcpy(buffer + ((size_t)i << op->size), vector->b + ((size_t)lane << op->size),
		       (size_t)1 << op->size);
	}
	if (!look_arm_store(machine, machine->general[op->n], buffer, size_bytes))
		return LOOK_ARM_UNREADABLE;
	write_back(machine, op, size_bytes);
	return 0;
}

static int load_lane(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t each = (size_t)1 << op->size;
	uint64_t values[4] = {0};

	for (unsigned int i = 0; i < op->amount; i++)
		if (!look_arm_load(machine, machine->general[op->n] + i * each, &values[i], each))
			return LOOK_ARM_UNREADABLE;
	for (unsigned int i = 0; i < op->amount; i++) {
		union look_arm_vector *vector = &machine->vectors[(op->d + i) % 32];

		if (op->operation != REPLICATED) {
			look_lane_set(vector, op->size, (unsigned int)op->immediate, values[i]);
			continue;
		}
		for (unsigned int lane = 0; lane < 16u >> op->size; lane++)
			look_lane_set(vector, op->size, lane, values[i]);
		if (!op->wide)
			vector->d[1] = 0;
	}
	write_back(machine, op, op->amount * each);
	return 0;
}

static int store_lane(struct look_machine *machine, const struct look_arm_op *op)
{
	size_t each = (size_t)1 << op->size;

	for (unsigned int i = 0; i < op->amount; i++) {
		uint64_t value = look_lane_get(&machine->vectors[(op->d + i) % 32], op->size,
					       (unsigned int)op->immediate);

		if (!look_arm_store(machine, machine->general[op->n] + i * each, &value, each))
			return LOOK_ARM_UNREADABLE;
	}
	write_back(machine, op, op->amount * each);
	return 0;
}

static bool decode_whole(uint32_t word, struct look_arm_op *op)
{
	/* registers, by opcode; 0: not allocated */
	static const uint8_t registers[16] = {
		[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
	unsigned int opcode = look_arm_bits(word, 15, 12);

	op->amount = registers[opcode];
	op->operation = opcode == 0 || opcode == 4 || opcode == 8 ? INTERLEAVED : 0;
	op->size = (uint8_t)look_arm_bits(word, 11, 10);
	op->execute = look_arm_bit(word, 22) ? load_whole : store_whole;
	return op->amount > 0 && !look_arm_bit(word, 21) &&
	       !(op->operation == INTERLEAVED && op->size == 3 && !op->wide);
}

static bool decode_lane(uint32_t word, struct look_arm_op *op)
{
	unsigned int opcode = look_arm_bits(word, 15, 13), size = look_arm_bits(word, 11, 10);
	unsigned int index = op->wide << 3 | look_arm_bit(word, 12) << 2 | size;
	bool is_load = look_arm_bit(word, 22);

	op->amount = (uint8_t)(((opcode & 1) << 1 | look_arm_bit(word, 21)) + 1);
	op->execute = is_load ? load_lane : store_lane;
	op->size = (uint8_t)(opcode >> 1);
	if (op->size == 3) {
		op->operation = REPLICATED;
		op->size = (uint8_t)size;
		return is_load && !look_arm_bit(word, 12);
	}
	if (op->size == 2 && size == 1) {
		op->size = 3;
		op->immediate = index >> 3;
		return !look_arm_bit(word, 12);
	}
	op->immediate = index >> op->size;
	return (index & ((1u << op->size) - 1)) == 0;
}

bool look_arm_decode_structure(uint32_t word, struct look_arm_op *op)
{
	op->d = look_arm_register_sp(word, 0);
	op->n = look_arm_register_sp(word, 5);
	op->m = look_arm_register(word, 16);
	op->wide = look_arm_bit(word, 30);
	op->write_back = look_arm_bit(word, 23);
	op->uses = LOOK_ARM_VECTORS;
	if (!op->write_back && op->m != 0)
		return false;
	return look_arm_bit(word, 24) ? decode_lane(word, op) : decode_whole(word, op);
}
