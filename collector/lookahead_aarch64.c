/* SPDX-License-Identifier: MIT */
/* Look-ahead on AArch64: the run loop and the top level of the encoding. */
#include "collector/lookahead_aarch64.h"

#include "pgobolt/base/array.h"

bool look_arm_load(struct look_machine *machine, uint64_t address, void *bytes, size_t size_bytes)
{
	size_t offset = address % LOOK_PAGE;
	const uint8_t *page;

	address = look_arm_untag(address);
	if (offset + size_bytes > LOOK_PAGE)
		return look_load(&machine->look->memory, address, bytes, size_bytes);
	page = look_page(&machine->look->memory, address);
	if (page == NULL)
		return false;
	memcpy(bytes, page + offset, size_bytes);
	return true;
}

bool look_arm_store(struct look_machine *machine, uint64_t address, const void *bytes,
		    size_t size_bytes)
{
	size_t offset = address % LOOK_PAGE;
	uint8_t *page;

	address = look_arm_untag(address);
	if (offset + size_bytes > LOOK_PAGE)
		return look_store(&machine->look->memory, address, bytes, size_bytes);
	page = look_page(&machine->look->memory, address);
	if (page == NULL)
		return false;
	memcpy(page + offset, bytes, size_bytes);
	return true;
}

bool look_arm_condition(uint32_t flags, unsigned int condition)
{
	bool holds;

	switch (condition >> 1) {
	case 0:
		holds = flags & LOOK_ARM_Z;
		break;
	case 1:
		holds = flags & LOOK_ARM_C;
		break;
	case 2:
		holds = flags & LOOK_ARM_N;
		break;
	case 3:
		holds = flags & LOOK_ARM_V;
		break;
	case 4:
		holds = (flags & LOOK_ARM_C) && !(flags & LOOK_ARM_Z);
		break;
	case 5:
		holds = !(flags & LOOK_ARM_N) == !(flags & LOOK_ARM_V);
		break;
	case 6:
		holds = !(flags & LOOK_ARM_N) == !(flags & LOOK_ARM_V) && !(flags & LOOK_ARM_Z);
		break;
	default: /* AL and NV are both always */
		return true;
	}
	return holds != (condition & 1);
}

int look_arm_nothing(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)machine;
	(void)op;
	return 0;
}

int look_arm_trap(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)machine;
	(void)op;
	return LOOK_ARM_TRAP;
}

int look_arm_strip_register(struct look_machine *machine, const struct look_arm_op *op)
{
	machine->general[op->d] = look_arm_strip(machine->general[op->d]);
	return 0;
}

static int unsupported(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)machine;
	(void)op;
	return LOOK_ARM_UNSUPPORTED;
}

static int undecodable(struct look_machine *machine, const struct look_arm_op *op)
{
	(void)machine;
	(void)op;
	return LOOK_ARM_UNDECODABLE;
}

bool look_arm_match(const struct look_arm_pattern *patterns, size_t count, uint32_t word,
		    struct look_arm_op *op)
{
	for (size_t i = 0; i < count; i++)
		if ((word & patterns[i].mask) == patterns[i].value)
			return patterns[i].decode(word, op);
	return false;
}

static bool decode_reserved(uint32_t word, struct look_arm_op *op)
{
	if (word >> 16 == 0)
		op->execute = look_arm_trap; /* UDF */
	else if (!look_arm_bit(word, 31))
		op->execute = undecodable;
	else
		return false; /* SME */
	return true;
}

static bool decode_unallocated(uint32_t word, struct look_arm_op *op)
{
	(void)word;
	op->execute = undecodable;
	return true;
}

/* Bits 28..25. Group 2 is SVE. */
static const struct look_arm_pattern groups[] = {
	{0x1c000000, 0x10000000, look_arm_decode_immediate},
	{0x1c000000, 0x14000000, look_arm_decode_branch},
	{0x0a000000, 0x08000000, look_arm_decode_memory},
	{0x0e000000, 0x0a000000, look_arm_decode_register},
	{0x0e000000, 0x0e000000, look_arm_decode_vector},
	{0x1e000000, 0x00000000, decode_reserved},
	{0x1a000000, 0x02000000, decode_unallocated},
};

static bool decode(struct look_machine *machine, const uint8_t *bytes, size_t size_bytes,
		   uint64_t address, void *target)
{
	struct look_arm_op *op = target;
	uint32_t word;

	(void)machine;
	*op = (struct look_arm_op){.execute = undecodable};
	/* a program counter that is not aligned faults */
	if (size_bytes < sizeof(word) || address % sizeof(word) != 0)
		return true;
	memcpy(&word, bytes, sizeof(word));
	op->immediate = address;
	if (!LOOK_ARM_MATCH(groups, word, op))
		*op = (struct look_arm_op){.execute = unsupported};
	return true;
}

/* ---- the machine */

static struct look_machine *machine_new(void)
{
	return pgb_calloc(1, sizeof(struct look_machine));
}

static void machine_free(struct look_machine *machine)
{
	free(machine);
}

static bool is_full(const struct look_machine *machine)
{
	(void)machine;
	return false;
}

static void forget(struct look_machine *machine)
{
	(void)machine;
}

static void begin(struct look_machine *machine, const struct pgb_lookahead_registers *registers)
{
	memcpy(machine->general, registers->general, sizeof(registers->general));
	machine->general[LOOK_ARM_ZERO] = 0;
	machine->pc = registers->pc;
	machine->flags = registers->flags >> 28 & 15;
	machine->pstate = registers->flags & ~(UINT64_C(15) << 28);
	machine->thread_pointer = registers->fs_base;
	machine->zero_block = registers->dczid;
	/* to come back from a stop clears the processor's mark as well */
	machine->exclusive_bytes = 0;
	machine->vectors_loaded = false;
}

static void end(struct look_machine *machine, struct pgb_lookahead_registers *registers)
{
	memcpy(registers->general, machine->general, sizeof(registers->general));
	registers->pc = machine->pc;
	registers->flags = machine->pstate | (uint64_t)machine->flags << 28;
	registers->fs_base = machine->thread_pointer;
	registers->gs_base = 0;
	registers->dczid = machine->zero_block;
}

/* NT_PRFPREG: struct user_fpsimd_state of the kernel. */
static bool load_vectors(struct look_machine *machine)
{
	const struct pgb_lookahead_thread *thread = machine->look->memory.thread;
	struct {
		union look_arm_vector vectors[32];
		uint32_t fpsr, fpcr, reserved[2];
	} area;
	ssize_t size;

	size = thread->vectors ? thread->vectors(thread->context, &area, sizeof(area)) : -1;
	if (size < (ssize_t)sizeof(area))
		return false;
	memcpy(machine->vectors, area.vectors, sizeof(machine->vectors));
	machine->fpsr = area.fpsr;
	machine->fpcr = area.fpcr;
	machine->fpsr_known = true;
	machine->vectors_loaded = true;
	return true;
}

/*
 * Rounding to nearest, no flushing, no default NaN, no traps: what the C of the host does. Any
 * other mode is not ours to imitate.
 */
static bool ready(struct look_machine *machine, const struct look_arm_op *op)
{
	if (!machine->vectors_loaded && !load_vectors(machine))
		return false;
	if (op->uses & LOOK_ARM_ARITHMETIC) {
		if (machine->fpcr != 0)
			return false;
		machine->fpsr_known = false;
	}
	return true;
}

static int step(struct look_machine *machine, const struct look_arm_op *op)
{
	int status;

	if (op->uses && !ready(machine, op))
		return LOOK_ARM_UNSUPPORTED;
	machine->next = machine->pc + 4;
	status = op->execute(machine, op);
	machine->general[LOOK_ARM_ZERO] = 0;
	if (status != 0 && status != LOOK_ARM_DEPTH)
		return status;
	machine->pc = machine->next;
	machine->look->result->instructions++;
	return status;
}

static void run(struct pgb_lookahead *look, struct look_machine *machine)
{
	int status = 0;

	machine->look = look;
	do {
		const struct look_arm_op *op = look_fetch(look, machine->pc);

		machine->general[LOOK_ARM_MOVED] = look->moved;
		if (op == NULL)
			status = LOOK_ARM_UNREADABLE;
		else if (look->result->instructions >= look->instructions_most)
			status = LOOK_ARM_LIMIT;
		else
			status = step(machine, op);
	} while (status == 0);
	look->result->end = (enum pgb_lookahead_end)(status - 1);
	machine->look = NULL;
}

const struct look_ops look_ops_aarch64 = {
	.op_size = sizeof(struct look_arm_op),
	.machine_new = machine_new,
	.machine_free = machine_free,
	.decode = decode,
	.is_full = is_full,
	.forget = forget,
	.begin = begin,
	.end = end,
	.run = run,
};

bool look_arm_vectors(const struct pgb_lookahead *look, void *bytes)
{
	if (look->machine->vectors_loaded)
		memcpy(bytes, look->machine->vectors, sizeof(look->machine->vectors));
	return look->machine->vectors_loaded;
}
