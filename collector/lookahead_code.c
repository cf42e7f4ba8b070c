/* SPDX-License-Identifier: MIT */
/* Look-ahead: decoded pages, by content, and where each address space has them. */
#include "collector/lookahead_private.h"
#include "pgobolt/base/assert.h"
#include "pgobolt/base/hash.h"

enum { ENTRIES_FIRST = 256, HASH_STEP = 64 };

struct pgb_lookahead_code *pgb_lookahead_code_new(void)
{
	struct pgb_lookahead_code *code = pgb_calloc(1, sizeof(*code));

	code->epoch = 1;
	code->capacity = ENTRIES_FIRST;
	code->entries = pgb_calloc(code->capacity, sizeof(*code->entries));
	return code;
}

void pgb_lookahead_code_free(struct pgb_lookahead_code *code)
{
	if (code == NULL)
		return;
	free(code->entries);
	free(code);
}

void pgb_lookahead_code_stale(struct pgb_lookahead_code *code)
{
	code->epoch++;
}

void look_store_clear(struct pgb_lookahead *look)
{
	struct look_code_store *store = &look->store;

	for (unsigned int i = 0; i < LOOK_STORE_SLOTS; i++) {
		while (store->slots[i] != NULL) {
			struct look_code_page *page = store->slots[i];

			store->slots[i] = page->next;
			free(page->ops);
			free(page);
		}
	}
	store->bytes = 0;
	store->generation++;
	look->ops->forget(look->machine);
}

void look_code_begin(struct pgb_lookahead *look, struct pgb_lookahead_code *code)
{
	struct look_code_store *store = &look->store;

	/* not within a run, which holds on to operations */
	if (store->bytes > LOOK_STORE_BYTES_MAX || look->ops->is_full(look->machine))
		look_store_clear(look);
	if (code->store != store || code->generation != store->generation ||
	    code->count == LOOK_CODE_PAGES_MAX) {
		memset(code->entries, 0, code->capacity * sizeof(*code->entries));
		code->count = 0;
		code->store = store;
		code->generation = store->generation;
	}
	look->code = code;
	look->page = NULL;
}

/* ---- pages by content */

/* Of a sample of the bytes: those that agree in it are compared whole. */
static uint32_t slot_of(const uint8_t *bytes)
{
	uint64_t hash = PGB_HASH_SEED;

	for (size_t at = 0; at < LOOK_PAGE; at += HASH_STEP)
		hash = pgb_hash_stream(hash, bytes + at, sizeof(uint64_t));
	return (uint32_t)pgb_hash_u64(hash) & (LOOK_STORE_SLOTS - 1);
}

/* The page with these bytes, found or new. */
static struct look_code_page *page_of(struct look_code_store *store, const uint8_t *bytes,
				      uint64_t address)
{
	struct look_code_page **slot = &store->slots[slot_of(bytes)], *page;

	for (page = *slot; page != NULL; page = page->next)
		if (memcmp(page->bytes, bytes, LOOK_PAGE) == 0)
			return page;
	page = pgb_calloc(1, sizeof(*page));
	page->home = address;
	memcpy(page->bytes, bytes, LOOK_PAGE);
	page->crossing = LOOK_PAGE;
	page->next = *slot;
	*slot = page;
	store->bytes += sizeof(*page);
	return page;
}

/* ---- pages by number */

static struct look_code_entry *find_entry(const struct pgb_lookahead_code *code, uint64_t number)
{
	uint32_t at = (uint32_t)pgb_hash_u64(number) & (code->capacity - 1);

	while (code->entries[at].page != NULL && code->entries[at].number != number)
		at = (at + 1) & (code->capacity - 1);
	return &code->entries[at];
}

static void grow_entries(struct pgb_lookahead_code *code)
{
	struct look_code_entry *old = code->entries;
	uint32_t capacity = code->capacity;

	code->capacity *= 2;
	code->entries = pgb_calloc(code->capacity, sizeof(*code->entries));
	for (uint32_t i = 0; i < capacity; i++)
		if (old[i].page != NULL)
			*find_entry(code, old[i].number) = old[i];
	free(old);
}

/* The bytes are compared with memory once an epoch. NULL: unreadable, or too many pages. */
static struct look_code_page *code_page(struct pgb_lookahead *look, uint64_t number)
{
	const struct pgb_lookahead_thread *thread = look->memory.thread;
	struct pgb_lookahead_code *code = look->code;
	struct look_code_entry *entry = find_entry(code, number);
	uint64_t address = number * LOOK_PAGE;
	uint8_t bytes[LOOK_PAGE];

	if (entry->page != NULL && entry->checked == code->epoch)
		return entry->page;
	if (entry->page == NULL && code->count == LOOK_CODE_PAGES_MAX) {
		look->memory.full = true;
		return NULL;
	}
	if (thread->read(thread->context, address, bytes, LOOK_PAGE) < 0)
		return NULL;
	look->result->pages_read++;
	if (entry->page == NULL && ++code->count > code->capacity / 2) {
		grow_entries(code);
		entry = find_entry(code, number);
	}
	if (entry->page != NULL && memcmp(bytes, entry->page->bytes, LOOK_PAGE) != 0) {
		look->result->code_changed |= entry->page->op_count > 0;
		entry->page = NULL;
	}
	if (entry->page == NULL)
		entry->page = page_of(&look->store, bytes, address);
	entry->number = number;
	entry->checked = code->epoch;
	return entry->page;
}

/* ---- operations */

static uint8_t *new_op(struct pgb_lookahead *look, struct look_code_page *page)
{
	size_t op_size = look->ops->op_size;

	if (page->op_count == UINT16_MAX) { /* what crosses changed again and again */
		memset(page->op_at, 0, sizeof(page->op_at));
		page->op_count = 0;
	}
	if (page->op_count == page->op_capacity) {
		look->store.bytes += (page->op_capacity + 64) * op_size;
		page->op_capacity = page->op_capacity * 2 + 64;
		page->ops = pgb_realloc_array(page->ops, page->op_capacity, op_size);
	}
	return page->ops + page->op_count++ * op_size;
}

static uint8_t bytes_behind(struct pgb_lookahead *look, uint8_t *bytes)
{
	const struct look_code_page *next = code_page(look, look->page_number + 1);

	memset(bytes, 0, LOOK_INSTRUCTION_MAX);
	if (next == NULL)
		return 0;
	memcpy(bytes, next->bytes, LOOK_INSTRUCTION_MAX);
	return LOOK_INSTRUCTION_MAX;
}

static void decode_crossing(struct pgb_lookahead *look, struct look_code_page *page, size_t offset,
			    void *op)
{
	uint8_t joined[2 * LOOK_INSTRUCTION_MAX];
	size_t here = LOOK_PAGE - offset;

	if (page->crossing < LOOK_PAGE)
		page->op_at[page->crossing] = 0;
	page->crossing = (uint32_t)offset;
	page->behind_bytes = bytes_behind(look, page->behind);
	memcpy(joined, page->bytes + offset, here);
	memcpy(joined + here, page->behind, sizeof(page->behind));
	look->ops->decode(look->machine, joined, here + page->behind_bytes, page->home + offset,
			  op);
}

static const void *decode_at(struct pgb_lookahead *look, struct look_code_page *page, size_t offset)
{
	uint8_t *op = new_op(look, page);

	if (!look->ops->decode(look->machine, page->bytes + offset, LOOK_PAGE - offset,
			       page->home + offset, op))
		decode_crossing(look, page, offset, op);
	page->op_at[offset] = (uint16_t)page->op_count;
	return op;
}

/* Another address space, or changed code: the next page may be another one. */
static bool still_behind(struct pgb_lookahead *look, const struct look_code_page *page)
{
	uint8_t behind[LOOK_INSTRUCTION_MAX];

	return bytes_behind(look, behind) == page->behind_bytes &&
	       memcmp(behind, page->behind, sizeof(behind)) == 0;
}

const void *look_fetch(struct pgb_lookahead *look, uint64_t address)
{
	struct look_code_page *page = look->page;
	size_t offset = address % LOOK_PAGE;
	uint16_t number;

	if (page == NULL || look->page_number != address / LOOK_PAGE) {
		page = code_page(look, address / LOOK_PAGE);
		look->page = page;
		if (page == NULL)
			return NULL;
		look->page_number = address / LOOK_PAGE;
		look->moved = address - offset - page->home;
	}
	number = page->op_at[offset];
	if (number == 0 || (offset == page->crossing && !still_behind(look, page)))
		return decode_at(look, page, offset);
	return page->ops + (size_t)(number - 1) * look->ops->op_size;
}
