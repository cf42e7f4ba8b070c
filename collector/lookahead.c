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
	memory->slots[slot].page = page;
	memory->slots[slot].run = memory->run;
	memory->slots[slot].index = memory->used++;
	return bytes;
}

uint8_t *look_page(struct look_memory *memory, uint64_t address)
{
	uint64_t page = address / LOOK_PAGE;
	uint8_t *bytes;

	if (page == memory->last_page)
		return memory->last_bytes;
	bytes = page_miss(memory, page);
	if (bytes != NULL) {
		memory->last_page = page;
		memory->last_bytes = bytes;
	}
	return bytes;
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
	return look;
}

void pgb_lookahead_free(struct pgb_lookahead *look)
{
	if (look == NULL)
		return;
	look->ops->machine_free(look->machine);
	free(look->memory.pages);
	free(look);
}

struct pgb_lookahead_code *pgb_lookahead_code_new(void)
{
	struct pgb_lookahead_code *code = pgb_calloc(1, sizeof(*code));

	code->epoch = 1;
	code->bytes = sizeof(*code);
	return code;
}

static void code_clear(struct pgb_lookahead_code *code)
{
	for (unsigned int i = 0; i < LOOK_CODE_SLOTS; i++) {
		if (code->slots[i]) {
			free(code->slots[i]->ops);
			free(code->slots[i]);
			code->slots[i] = NULL;
		}
	}
	code->last = NULL;
	code->page_count = 0;
	code->bytes = sizeof(*code);
}

void pgb_lookahead_code_free(struct pgb_lookahead_code *code)
{
	if (code == NULL)
		return;
	code_clear(code);
	free(code);
}

void pgb_lookahead_code_stale(struct pgb_lookahead_code *code)
{
	code->epoch++;
}

size_t pgb_lookahead_code_bytes(const struct pgb_lookahead_code *code)
{
	return code->bytes;
}

/* The page's bytes are compared with memory once an epoch; other bytes: decode anew. */
static bool code_check(struct pgb_lookahead *look, struct look_code_page *page)
{
	const struct pgb_lookahead_thread *thread = look->memory.thread;
	uint8_t bytes[LOOK_PAGE];

	if (thread->read(thread->context, page->page * LOOK_PAGE, bytes, LOOK_PAGE) < 0)
		return false;
	look->result->pages_read++;
	page->checked = look->code->epoch;
	if (memcmp(bytes, page->bytes, LOOK_PAGE) != 0) {
		look->result->code_changed |= page->op_count > 0;
		memcpy(page->bytes, bytes, LOOK_PAGE);
		memset(page->op_at, 0, sizeof(page->op_at));
		page->op_count = 0;
	}
	return true;
}

static struct look_code_page *code_page(struct pgb_lookahead *look, uint64_t address)
{
	struct pgb_lookahead_code *code = look->code;
	uint64_t number = address / LOOK_PAGE;
	struct look_code_page *page = code->last;
	uint32_t slot;

	if (page == NULL || page->page != number) {
		slot = (uint32_t)pgb_hash_u64(number) & (LOOK_CODE_SLOTS - 1);
		while (code->slots[slot] && code->slots[slot]->page != number)
			slot = (slot + 1) & (LOOK_CODE_SLOTS - 1);
		page = code->slots[slot];
		if (page == NULL) {
			if (code->page_count == LOOK_CODE_PAGES_MAX) {
				look->memory.full = true;
				return NULL;
			}
			page = pgb_calloc(1, sizeof(*page));
			page->page = number;
			code->slots[slot] = page;
			code->page_count++;
			code->bytes += sizeof(*page);
		}
		code->last = page;
	}
	if (page->checked != code->epoch && !code_check(look, page))
		return NULL;
	return page;
}

static const void *decode_at(struct pgb_lookahead *look, struct look_code_page *page,
			     uint64_t address)
{
	size_t op_size = look->ops->op_size;
	size_t offset = address % LOOK_PAGE;
	const uint8_t *bytes = page->bytes + offset;
	size_t left = LOOK_PAGE - offset;
	uint8_t across[32];
	void *op;

	if (left < look->ops->length_most) {
		struct look_code_page *next = code_page(look, address + left);

		memcpy(across, bytes, left);
		if (next != NULL) {
			memcpy(across + left, next->bytes, 16);
			left += 16;
		}
		bytes = across;
	}
	if (page->op_count == page->op_capacity) {
		look->code->bytes += (page->op_capacity + 64) * op_size;
		page->op_capacity = page->op_capacity * 2 + 64;
		page->ops = pgb_realloc_array(page->ops, page->op_capacity, op_size);
	}
	op = page->ops + page->op_count * op_size;
	look->ops->decode(look->machine, bytes, left, address, op);
	page->op_at[offset] = (uint16_t)++page->op_count;
	return op;
}

const void *look_fetch(struct pgb_lookahead *look, uint64_t address)
{
	struct look_code_page *page = look->code->last;
	uint16_t number;

	if (page == NULL || page->page != address / LOOK_PAGE ||
	    page->checked != look->code->epoch) {
		page = code_page(look, address);
		if (page == NULL)
			return NULL;
	}
	number = page->op_at[address % LOOK_PAGE];
	if (number != 0)
		return page->ops + (size_t)(number - 1) * look->ops->op_size;
	return decode_at(look, page, address);
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
	uint32_t generation = look->ops->generation(look->machine);

	*result = (struct pgb_lookahead_result){.end = PGB_LOOKAHEAD_DEPTH};
	pgb_assert(depth > 0);
	if (code->native_generation != generation || code->page_count == LOOK_CODE_PAGES_MAX) {
		code_clear(code);
		code->native_generation = generation;
	}
	memory_begin(&look->memory, thread);
	look->code = code;
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
