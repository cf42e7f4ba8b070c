/* SPDX-License-Identifier: MIT */
/* Look-ahead on x86-64: the run loop. */
#include "collector/lookahead_x86_64.h"

static uint64_t mask_of(unsigned int size_bytes)
{
	return size_bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size_bytes) - 1;
}

static bool load(struct look_memory *memory, uint64_t address, unsigned int size_bytes,
		 uint64_t *value)
{
	size_t offset = address % LOOK_PAGE;
	const uint8_t *page;

	*value = 0;
	if (offset + size_bytes > LOOK_PAGE)
		return look_load(memory, address, value, size_bytes);
	page = look_page(memory, address);
	if (page == NULL)
		return false;
	memcpy(value, page + offset, size_bytes);
	return true;
}

static bool store(struct look_memory *memory, uint64_t address, unsigned int size_bytes,
		  uint64_t value)
{
	size_t offset = address % LOOK_PAGE;
	uint8_t *page;

	if (offset + size_bytes > LOOK_PAGE)
		return look_store(memory, address, &value, size_bytes);
	page = look_page(memory, address);
	if (page == NULL)
		return false;
	memcpy(page + offset, &value, size_bytes);
	return true;
}

/* An operand's value, zero-extended; false: its memory cannot be read. */
static bool read_operand(struct look_memory *memory, const struct look_x86_state *state,
			 const struct look_x86_op *op, unsigned int type, unsigned int reg,
			 unsigned int size_bytes, uint64_t *value)
{
	switch (type) {
	case LOOK_X86_REGISTER:
		*value = state->general[reg] & mask_of(size_bytes);
		return true;
	case LOOK_X86_REGISTER_HIGH:
		*value = state->general[reg] >> 8 & 0xff;
		return true;
	case LOOK_X86_IMMEDIATE:
		*value = (uint64_t)op->immediate & mask_of(size_bytes);
		return true;
	case LOOK_X86_MEMORY:
		return load(memory, look_x86_address(state, op), size_bytes, value);
	}
	return false;
}

/* Into operand a. 32-bit writes clear the upper half of a register, smaller ones keep the rest. */
static bool write_operand(struct look_memory *memory, struct look_x86_state *state,
			  const struct look_x86_op *op, uint64_t value)
{
	uint64_t *reg = &state->general[op->a_register & 15];

	if (op->a_type == LOOK_X86_MEMORY)
		return store(memory, look_x86_address(state, op), op->size_bytes, value);
	if (op->a_type == LOOK_X86_REGISTER_HIGH)
		*reg = (*reg & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
	else if (op->size_bytes >= 4)
		*reg = value & mask_of(op->size_bytes);
	else
		*reg = (*reg & ~mask_of(op->size_bytes)) | (value & mask_of(op->size_bytes));
	return true;
}

/* Sign, zero and parity of a result of this size. */
static uint64_t result_flags(uint64_t result, unsigned int size_bytes)
{
	uint64_t flags = 0;

	if ((result & mask_of(size_bytes)) == 0)
		flags |= LOOK_X86_ZF;
	if (result >> (8 * size_bytes - 1) & 1)
		flags |= LOOK_X86_SF;
	if (!__builtin_parity((unsigned int)(result & 0xff)))
		flags |= LOOK_X86_PF;
	return flags;
}

static void set_flags(struct look_x86_state *state, uint64_t which, uint64_t flags)
{
	state->flags = (state->flags & ~which) | flags;
}

static uint64_t add(struct look_x86_state *state, uint64_t a, uint64_t b, unsigned int size_bytes,
		    uint64_t which)
{
	uint64_t result = (a + b) & mask_of(size_bytes);
	uint64_t flags = result_flags(result, size_bytes) | ((a ^ b ^ result) & LOOK_X86_AF);

	if (result < a)
		flags |= LOOK_X86_CF;
	if ((~(a ^ b) & (a ^ result)) >> (8 * size_bytes - 1) & 1)
		flags |= LOOK_X86_OF;
	set_flags(state, which, flags & which);
	return result;
}

uint64_t look_x86_subtract(struct look_x86_state *state, uint64_t a, uint64_t b,
			   unsigned int size_bytes, uint64_t which)
{
	uint64_t result = (a - b) & mask_of(size_bytes);
	uint64_t flags = result_flags(result, size_bytes) | ((a ^ b ^ result) & LOOK_X86_AF);

	if (a < b)
		flags |= LOOK_X86_CF;
	if (((a ^ b) & (a ^ result)) >> (8 * size_bytes - 1) & 1)
		flags |= LOOK_X86_OF;
	set_flags(state, which, flags & which);
	return result;
}

static uint64_t logical(struct look_x86_state *state, uint64_t result, unsigned int size_bytes)
{
	set_flags(state, LOOK_X86_STATUS, result_flags(result, size_bytes));
	return result;
}

static bool condition_holds(uint64_t flags, unsigned int condition)
{
	bool holds;

	switch (condition >> 1) {
	case 0:
		holds = flags & LOOK_X86_OF;
		break;
	case 1:
		holds = flags & LOOK_X86_CF;
		break;
	case 2:
		holds = flags & LOOK_X86_ZF;
		break;
	case 3:
		holds = flags & (LOOK_X86_CF | LOOK_X86_ZF);
		break;
	case 4:
		holds = flags & LOOK_X86_SF;
		break;
	case 5:
		holds = flags & LOOK_X86_PF;
		break;
	case 6:
		holds = !(flags & LOOK_X86_SF) != !(flags & LOOK_X86_OF);
		break;
	default:
		holds = (flags & LOOK_X86_ZF) || !(flags & LOOK_X86_SF) != !(flags & LOOK_X86_OF);
	}
	return holds != (condition & 1);
}

static uint64_t sign_extend(uint64_t value, unsigned int size_bytes)
{
	unsigned int shift = 64 - 8 * size_bytes;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* The integer instructions that run in C; false: memory that cannot be read. */
static bool run_simple(struct look_memory *memory, struct look_x86_state *state,
		       const struct look_x86_op *op)
{
	unsigned int size = op->size_bytes;
	uint64_t a = 0, b = 0;

	switch (op->kind) {
	case LOOK_X86_LEA:
		return write_operand(memory, state, op, look_x86_address(state, op));
	case LOOK_X86_SET:
		return write_operand(memory, state, op,
				     condition_holds(state->flags, op->condition));
	case LOOK_X86_MOV:
		return read_operand(memory, state, op, op->b_type, op->b_register, size, &b) &&
		       write_operand(memory, state, op, b);
	case LOOK_X86_MOVZX:
	case LOOK_X86_MOVSX:
		if (!read_operand(memory, state, op, op->b_type, op->b_register,
				  op->source_size_bytes, &b))
			return false;
		if (op->kind == LOOK_X86_MOVSX)
			b = sign_extend(b, op->source_size_bytes);
		return write_operand(memory, state, op, b);
	case LOOK_X86_CMOV:
		/* the load happens, and a 32-bit destination is cleared above, either way */
		if (!read_operand(memory, state, op, op->b_type, op->b_register, size, &b))
			return false;
		if (!condition_holds(state->flags, op->condition))
			b = state->general[op->a_register];
		return write_operand(memory, state, op, b);
	default:
		break;
	}
	if (!read_operand(memory, state, op, op->a_type, op->a_register, size, &a))
		return false;
	if (op->b_type != LOOK_X86_NONE &&
	    !read_operand(memory, state, op, op->b_type, op->b_register, size, &b))
		return false;
	switch (op->kind) {
	case LOOK_X86_ADD:
		return write_operand(memory, state, op, add(state, a, b, size, LOOK_X86_STATUS));
	case LOOK_X86_SUB:
		return write_operand(memory, state, op,
				     look_x86_subtract(state, a, b, size, LOOK_X86_STATUS));
	case LOOK_X86_CMP:
		look_x86_subtract(state, a, b, size, LOOK_X86_STATUS);
		return true;
	case LOOK_X86_AND:
		return write_operand(memory, state, op, logical(state, a & b, size));
	case LOOK_X86_OR:
		return write_operand(memory, state, op, logical(state, a | b, size));
	case LOOK_X86_XOR:
		return write_operand(memory, state, op, logical(state, a ^ b, size));
	case LOOK_X86_TEST:
		logical(state, a & b, size);
		return true;
	case LOOK_X86_INC:
		return write_operand(memory, state, op,
				     add(state, a, 1, size, LOOK_X86_STATUS & ~LOOK_X86_CF));
	case LOOK_X86_DEC:
		return write_operand(
			memory, state, op,
			look_x86_subtract(state, a, 1, size, LOOK_X86_STATUS & ~LOOK_X86_CF));
	}
	return false;
}

static bool push(struct look_memory *memory, struct look_x86_state *state, uint64_t value)
{
	state->general[4] -= 8;
	return store(memory, state->general[4], 8, value);
}

static bool pop(struct look_memory *memory, struct look_x86_state *state, uint64_t *value)
{
	if (!load(memory, state->general[4], 8, value))
		return false;
	state->general[4] += 8;
	return true;
}

static bool run_stack(struct look_memory *memory, struct look_x86_state *state,
		      const struct look_x86_op *op)
{
	struct look_x86_op whole = *op;
	uint64_t value;

	whole.size_bytes = 8;
	switch (op->kind) {
	case LOOK_X86_PUSH:
		return read_operand(memory, state, op, op->a_type, op->a_register, 8, &value) &&
		       push(memory, state, value);
	case LOOK_X86_POP:
		return pop(memory, state, &value) && write_operand(memory, state, &whole, value);
	default: /* leave */
		state->general[4] = state->general[5];
		return pop(memory, state, &state->general[5]);
	}
}

/* Would this division fault? Its operands are a register or the scratch buffer's content. */
static bool division_faults(const struct look_x86_state *state, const struct look_x86_op *op)
{
	unsigned int bits = 8 * op->size_bytes;
	uint64_t divisor, low, high;
	__int128 dividend, quotient;

	if (op->a_type == LOOK_X86_MEMORY)
		memcpy(&divisor, state->scratch, sizeof(divisor));
	else if (op->a_type == LOOK_X86_REGISTER_HIGH)
		divisor = state->general[op->a_register] >> 8;
	else
		divisor = state->general[op->a_register];
	divisor &= mask_of(op->size_bytes);
	low = state->general[0] & mask_of(op->size_bytes);
	high = (op->size_bytes == 1 ? state->general[0] >> 8 : state->general[2]) &
	       mask_of(op->size_bytes);
	if (divisor == 0)
		return true;
	if (op->divide == 1)
		return high >= divisor;
	dividend = (__int128)sign_extend(high, op->size_bytes);
	dividend = (__int128)((unsigned __int128)(int64_t)dividend << bits | low);
	if (sign_extend(divisor, op->size_bytes) == UINT64_MAX)
		return dividend == (__int128)((unsigned __int128)1 << 127) ||
		       -dividend > (__int128)(mask_of(op->size_bytes) >> 1);
	quotient = dividend / (int64_t)sign_extend(divisor, op->size_bytes);
	return quotient > (__int128)(mask_of(op->size_bytes) >> 1) ||
	       quotient < -(__int128)(mask_of(op->size_bytes) >> 1) - 1;
}

static bool need_vectors(struct pgb_lookahead *look, struct look_x86_state *state)
{
	const struct pgb_lookahead_thread *thread = look->memory.thread;
	_Alignas(64) uint8_t xsave[12288];
	ssize_t size;

	if (state->vectors_loaded)
		return true;
	size = thread->vectors ? thread->vectors(thread->context, xsave, sizeof(xsave)) : -1;
	if (size < 0 || !look_native_load_vectors(state, xsave, (size_t)size))
		return false;
	look_native_enter_vectors(state);
	state->vectors_loaded = true;
	return true;
}

/* 0 done, else 1 + how the run ends. */
static int run_native(struct pgb_lookahead *look, struct look_x86_state *state,
		      const struct look_x86_op *op)
{
	uint64_t address = 0;

	if (op->uses_vectors && !need_vectors(look, state))
		return 1 + PGB_LOOKAHEAD_UNSUPPORTED;
	if (op->memory_bytes) {
		address = look_x86_address(state, op);
		if (!look_load(&look->memory, address, state->scratch, op->memory_bytes))
			return 1 + PGB_LOOKAHEAD_UNREADABLE;
	}
	if (op->divide && division_faults(state, op))
		return 1 + PGB_LOOKAHEAD_TRAP;
	op->native();
	if (op->memory_write &&
	    !look_store(&look->memory, address, state->scratch, op->memory_bytes))
		return 1 + PGB_LOOKAHEAD_UNREADABLE;
	return 0;
}

static int run_mxcsr(struct pgb_lookahead *look, struct look_x86_state *state,
		     const struct look_x86_op *op)
{
	uint64_t value;

	if (!need_vectors(look, state))
		return 1 + PGB_LOOKAHEAD_UNSUPPORTED;
	if (op->kind == LOOK_X86_STMXCSR)
		return write_operand(&look->memory, state, op, state->mxcsr)
			       ? 0
			       : 1 + PGB_LOOKAHEAD_UNREADABLE;
	if (!read_operand(&look->memory, state, op, op->a_type, op->a_register, 4, &value))
		return 1 + PGB_LOOKAHEAD_UNREADABLE;
	look_native_set_mxcsr(state, (uint32_t)value);
	return 0;
}

/*
 * A control instruction: *next is where it goes. 0 not taken, 1 taken, -1: unreadable memory.
 */
static int run_control(struct pgb_lookahead *look, struct look_x86_state *state,
		       const struct look_x86_op *op, uint64_t *next)
{
	struct look_memory *memory = &look->memory;
	bool taken = true;

	switch (op->kind) {
	case LOOK_X86_JUMP_IF:
		taken = condition_holds(state->flags, op->condition);
		look->result->decisions++;
		break;
	case LOOK_X86_JUMP_RCX:
		taken = state->general[1] == 0;
		look->result->decisions++;
		break;
	case LOOK_X86_LOOP:
		taken = --state->general[1] != 0;
		look->result->decisions++;
		break;
	case LOOK_X86_CALL:
		if (!push(memory, state, *next))
			return -1;
		break;
	case LOOK_X86_RETURN:
		look->result->decisions++;
		if (!pop(memory, state, next))
			return -1;
		state->general[4] += (uint64_t)op->immediate;
		return 1;
	case LOOK_X86_JUMP_TO:
	case LOOK_X86_CALL_TO: {
		uint64_t behind = *next;

		look->result->decisions++;
		if (!read_operand(memory, state, op, op->a_type, op->a_register, 8, next))
			return -1;
		if (op->kind == LOOK_X86_CALL_TO && !push(memory, state, behind))
			return -1;
		return 1;
	}
	}
	if (taken)
		*next = op->target + state->general[LOOK_X86_MOVED];
	return taken;
}

/* One operation; 0 done with state->pc moved on, else 1 + how the run ends. */
static int step(struct pgb_lookahead *look, struct look_x86_state *state,
		const struct look_x86_op *op)
{
	uint64_t next = state->pc + op->length_bytes;
	int end = 0, taken;

	switch (op->kind) {
	case LOOK_X86_NOTHING:
		break;
	case LOOK_X86_JUMP ... LOOK_X86_RETURN:
		taken = run_control(look, state, op, &next);
		if (taken < 0)
			return 1 + PGB_LOOKAHEAD_UNREADABLE;
		if (taken && !look_branch(look, state->pc, next))
			end = 1 + PGB_LOOKAHEAD_DEPTH;
		break;
	case LOOK_X86_PUSH ... LOOK_X86_LEAVE:
		if (!run_stack(&look->memory, state, op))
			return 1 + PGB_LOOKAHEAD_UNREADABLE;
		break;
	case LOOK_X86_MOV ... LOOK_X86_SET:
		if (!run_simple(&look->memory, state, op))
			return 1 + PGB_LOOKAHEAD_UNREADABLE;
		break;
	case LOOK_X86_MOVS ... LOOK_X86_LODS:
		end = look_x86_string(look, state, op);
		if (end != 0)
			return end;
		break;
	case LOOK_X86_NATIVE:
		end = run_native(look, state, op);
		if (end != 0)
			return end;
		break;
	case LOOK_X86_VZEROUPPER:
		if (!need_vectors(look, state))
			return 1 + PGB_LOOKAHEAD_UNSUPPORTED;
		for (unsigned int i = 0; i < 16; i++)
			memset(state->vectors[i] + 16, 0, 48);
		break;
	case LOOK_X86_LDMXCSR:
	case LOOK_X86_STMXCSR:
		end = run_mxcsr(look, state, op);
		if (end != 0)
			return end;
		break;
	case LOOK_X86_SYSCALL:
		return 1 + PGB_LOOKAHEAD_SYSCALL;
	case LOOK_X86_TRAP:
		return 1 + PGB_LOOKAHEAD_TRAP;
	case LOOK_X86_UNDECODABLE:
		return 1 + PGB_LOOKAHEAD_UNDECODABLE;
	default:
		return 1 + PGB_LOOKAHEAD_UNSUPPORTED;
	}
	state->pc = next;
	look->result->instructions++;
	return end;
}

void look_x86_run(struct pgb_lookahead *look, struct look_machine *machine)
{
	struct look_x86_state *state = machine->state;
	int end = 0;

	do {
		const struct look_x86_op *op = look_fetch(look, state->pc);

		state->general[LOOK_X86_MOVED] = look->moved;
		if (op == NULL)
			end = 1 + PGB_LOOKAHEAD_UNREADABLE;
		else if (look->result->instructions >= look->instructions_most)
			end = 1 + PGB_LOOKAHEAD_LIMIT;
		else
			end = step(look, state, op);
	} while (end == 0);
	look->result->end = (enum pgb_lookahead_end)(end - 1);
	if (state->vectors_loaded)
		look_native_leave_vectors(state);
}
