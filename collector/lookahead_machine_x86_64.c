/* SPDX-License-Identifier: MIT */
/* Look-ahead on x86-64: the machine's life cycle, and string instructions. */
#include "collector/lookahead_x86_64.h"

enum { STRING_ELEMENTS_MOST = 1 << 20 };

static struct look_machine *machine_new(void)
{
	struct look_machine *machine = pgb_calloc(1, sizeof(*machine));

	machine->native = look_native_new(&machine->state);
	if (machine->native == NULL) {
		machine->state = aligned_alloc(64, (sizeof(*machine->state) + 63) & ~(size_t)63);
		pgb_assert(machine->state != NULL);
	}
	memset(machine->state, 0, sizeof(*machine->state));
	return machine;
}

static void machine_free(struct look_machine *machine)
{
	if (machine->native == NULL)
		free(machine->state);
	look_native_free(machine->native);
	free(machine);
}

static bool is_full(const struct look_machine *machine)
{
	return machine->native_full;
}

static void forget(struct look_machine *machine)
{
	if (machine->native != NULL)
		look_native_reset(machine->native);
	machine->native_full = false;
}

static void begin(struct look_machine *machine, const struct pgb_lookahead_registers *registers)
{
	struct look_x86_state *state = machine->state;

	memcpy(state->general, registers->general, LOOK_X86_MOVED * sizeof(state->general[0]));
	state->pc = registers->pc;
	/* what generated code loads with popfq: the status flags alone, never DF or TF */
	state->flags = registers->flags & LOOK_X86_STATUS;
	state->fs_base = registers->fs_base;
	state->gs_base = registers->gs_base;
	state->vectors_loaded = false;
	state->backwards = (registers->flags & LOOK_X86_DF) != 0;
}

static void end(struct look_machine *machine, struct pgb_lookahead_registers *registers)
{
	const struct look_x86_state *state = machine->state;

	*registers = (struct pgb_lookahead_registers){
		.pc = state->pc,
		.flags = state->flags & LOOK_X86_STATUS,
		.fs_base = state->fs_base,
		.gs_base = state->gs_base,
	};
	memcpy(registers->general, state->general, LOOK_X86_MOVED * sizeof(state->general[0]));
}

const struct look_ops look_ops_x86_64 = {
	.op_size = sizeof(struct look_x86_op),
	.machine_new = machine_new,
	.machine_free = machine_free,
	.decode = look_x86_decode,
	.is_full = is_full,
	.forget = forget,
	.begin = begin,
	.end = end,
	.run = look_x86_run,
};

/* One element; false: unreadable. *equal is what cmps and scas found. */
static bool string_element(struct look_memory *memory, struct look_x86_state *state,
			   const struct look_x86_op *op, bool *equal)
{
	uint64_t *source = &state->general[6], *target = &state->general[7];
	unsigned int size = op->size_bytes;
	uint64_t a = 0, b = 0;

	switch (op->kind) {
	case LOOK_X86_MOVS:
		if (!look_load(memory, *source, &a, size) || !look_store(memory, *target, &a, size))
			return false;
		break;
	case LOOK_X86_STOS:
		if (!look_store(memory, *target, &state->general[0], size))
			return false;
		break;
	case LOOK_X86_LODS:
		if (!look_load(memory, *source, &a, size))
			return false;
		if (size == 4)
			state->general[0] = 0;
		memcpy(&state->general[0], &a, size);
		break;
	case LOOK_X86_CMPS:
		if (!look_load(memory, *source, &a, size) || !look_load(memory, *target, &b, size))
			return false;
		*equal = look_x86_subtract(state, a, b, size, LOOK_X86_STATUS) == 0;
		break;
	default: /* scas */
		memcpy(&a, &state->general[0], size);
		if (!look_load(memory, *target, &b, size))
			return false;
		*equal = look_x86_subtract(state, a, b, size, LOOK_X86_STATUS) == 0;
	}
	if (op->kind == LOOK_X86_MOVS || op->kind == LOOK_X86_CMPS || op->kind == LOOK_X86_LODS)
		*source += size;
	if (op->kind != LOOK_X86_LODS)
		*target += size;
	return true;
}

int look_x86_string(struct pgb_lookahead *look, struct look_x86_state *state,
		    const struct look_x86_op *op)
{
	bool compares = op->kind == LOOK_X86_CMPS || op->kind == LOOK_X86_SCAS;
	uint64_t *count = &state->general[1];
	bool equal = false;

	if (state->backwards)
		return 1 + PGB_LOOKAHEAD_UNSUPPORTED;
	if (!op->repeat)
		return string_element(&look->memory, state, op, &equal)
			       ? 0
			       : 1 + PGB_LOOKAHEAD_UNREADABLE;
	if (*count > STRING_ELEMENTS_MOST)
		return 1 + PGB_LOOKAHEAD_LIMIT;
	while (*count > 0) {
		if (!string_element(&look->memory, state, op, &equal))
			return 1 + PGB_LOOKAHEAD_UNREADABLE;
		--*count;
		if (compares && equal != op->repeat_while_equal)
			break;
	}
	return 0;
}
