/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/lookahead.h"

#include "collector/lookahead_private.h"
#include "pgobolt/base/assert.h"
#include "pgobolt/base/hash.h"

static uint8_t *page_miss(struct look_memory *memory, uint64_t page)
{
	uint32_t slot = (uint32_t)pgb_hash_u64(page) & (LOOK_PAGE_SLOTS - 1);
	uint8_t *bytes;

	while (memory->slots[slot].run == memory->run && memory->slots[slot].page != page)
		slot = (slot + 1) & (LOOK_PAGE_SLOTS - 1);
	if (memory->slots[slot].run == memory->run)
		return memory->pages + (size_t)memory->slots[slot].index * LOOK_PAGE;
	if (memory->used == LOOK_PAGES_MAX) {
		memory->full = true;
		return NULL;
	}
	bytes = memory->pages + (size_t)memory->used * LOOK_PAGE;
	if (memory->thread->read(memory->thread->context, page * LOOK_PAGE, bytes, LOOK_PAGE) < 0)
		return NULL;
	memory->accessed[memory->used].number = page;
	memory->accessed[memory->used].lines = 0;
	memory->slots[slot].page = page;
	memory->slots[slot].run = memory->run;
	memory->slots[slot].index = memory->used++;
	return bytes;
}

uint8_t *look_page(struct look_memory *memory, uint64_t address)
{
	uint64_t page = address / LOOK_PAGE;
	uint8_t *bytes;

	if (page != memory->last_page) {
		bytes = page_miss(memory, page);
		if (bytes == NULL)
			return NULL;
		memory->last_page = page;
		memory->last_bytes = bytes;
		memory->last_lines =
			&memory->accessed[(size_t)(bytes - memory->pages) / LOOK_PAGE].lines;
	}
	*memory->last_lines |= UINT64_C(1) << address % LOOK_PAGE / LOOK_LINE;
	return memory->last_bytes;
}

bool look_load(struct look_memory *memory, uint64_t address, void *bytes, size_t size_bytes)
{
	uint8_t *to = bytes;

	while (size_bytes > 0) {
		size_t offset = address % LOOK_PAGE;
		size_t part = LOOK_PAGE - offset < size_bytes ? LOOK_PAGE - offset : size_bytes;
		const uint8_t *page = look_page(memory, address);

		if (page == NULL)
			return false;
		memcpy(to, page + offset, part);
		to += part;
		address += part;
		size_bytes -= part;
	}
	return true;
}

bool look_store(struct look_memory *memory, uint64_t address, const void *bytes, size_t size_bytes)
{
	const uint8_t *from = bytes;

	while (size_bytes > 0) {
		size_t offset = address % LOOK_PAGE;
		size_t part = LOOK_PAGE - offset < size_bytes ? LOOK_PAGE - offset : size_bytes;
		uint8_t *page = look_page(memory, address);

		if (page == NULL)
			return false;
		memcpy(page + offset, from, part);
		from += part;
		address += part;
		size_bytes -= part;
	}
	return true;
}

struct pgb_lookahead *pgb_lookahead_new(enum pgb_insn_set set)
{
	struct pgb_lookahead *look;

	look = pgb_calloc(1, sizeof(*look));
	look->ops = set == PGB_INSN_AARCH64 ? &look_ops_aarch64 : &look_ops_x86_64;
	look->machine = look->ops->machine_new();
	look->memory.pages = pgb_calloc(LOOK_PAGES_MAX, LOOK_PAGE);
	look->store.generation = 1;
	return look;
}

void pgb_lookahead_free(struct pgb_lookahead *look)
{
	if (look == NULL)
		return;
	look_store_clear(look);
	look->ops->machine_free(look->machine);
	free(look->memory.pages);
	free(look);
}

static void memory_begin(struct look_memory *memory, const struct pgb_lookahead_thread *thread)
{
	memory->thread = thread;
	memory->used = 0;
	memory->last_page = UINT64_MAX;
	memory->last_bytes = NULL;
	memory->full = false;
	if (++memory->run == 0) {
		memset(memory->slots, 0, sizeof(memory->slots));
		memory->run = 1;
	}
}

void pgb_lookahead_limit(struct pgb_lookahead *look, uint64_t instructions)
{
	look->instructions_asked = instructions;
}

void pgb_lookahead_run(struct pgb_lookahead *look, struct pgb_lookahead_code *code,
		       const struct pgb_lookahead_registers *registers,
		       const struct pgb_lookahead_thread *thread,
		       struct pgb_lookahead_branch *branches, size_t depth,
		       struct pgb_lookahead_result *result)
{
	*result = (struct pgb_lookahead_result){.end = PGB_LOOKAHEAD_DEPTH};
	pgb_assert(depth > 0);
	memory_begin(&look->memory, thread);
	look_code_begin(look, code);
	look->branches = branches;
	look->depth = depth;
	look->instructions_most = (uint64_t)depth * LOOK_INSTRUCTIONS_PER_BRANCH;
	if (look->instructions_asked > 0 && look->instructions_asked < look->instructions_most)
		look->instructions_most = look->instructions_asked;
	look->result = result;
	look->ops->begin(look->machine, registers);
	look->ops->run(look, look->machine);
	look->ops->end(look->machine, &look->registers);
	if (result->end == PGB_LOOKAHEAD_UNREADABLE && look->memory.full)
		result->end = PGB_LOOKAHEAD_LIMIT;
	else if (result->end == PGB_LOOKAHEAD_LIMIT && look->instructions_asked > 0 &&
		 result->instructions >= look->instructions_asked)
		result->end = PGB_LOOKAHEAD_DEPTH;
	result->end_address = look->registers.pc;
	result->pages_read += look->memory.used;
	look_count_lines(look);
	look->code = NULL;
	look->branches = NULL;
	look->result = NULL;
}

void pgb_lookahead_registers(const struct pgb_lookahead *look,
			     struct pgb_lookahead_registers *registers)
{
	*registers = look->registers;
}

const char *pgb_lookahead_end_name(enum pgb_lookahead_end end)
{
	switch (end) {
	case PGB_LOOKAHEAD_DEPTH:
		return "full depth";
	case PGB_LOOKAHEAD_SYSCALL:
		return "system call";
	case PGB_LOOKAHEAD_TRAP:
		return "trap";
	case PGB_LOOKAHEAD_UNSUPPORTED:
		return "unsupported instruction";
	case PGB_LOOKAHEAD_UNREADABLE:
		return "unreadable memory";
	case PGB_LOOKAHEAD_UNDECODABLE:
		return "no instruction";
	case PGB_LOOKAHEAD_LIMIT:
		return "limit of one run";
	case PGB_LOOKAHEAD_ENDS:
		break;
	}
	return "";
}
