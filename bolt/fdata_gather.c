/* SPDX-License-Identifier: MIT */
#include "bolt/fdata_gather.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/collector/parallel.h"

enum {
	PIECE_BYTES = 2 * 1024 * 1024, /* that a thread takes at once */
	BLOCK_BYTES = 256 * 1024,
	FIRST_SLOTS = 2048,
	DECIMAL_DIGITS_MOST = 18, /* what fits without a check */
	HEX_DIGITS_MOST = 8,
	WORD_BYTES = sizeof(uint64_t),
	DRAFTS = 16, /* names on their way to the processor's cache */
};

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* A name where it stands in the text; length 0: outside. */
struct token {
	const char *bytes;
	uint64_t hash;
	uint32_t length;
};

/* A line whose names were not looked up yet. */
struct draft {
	struct token from, to;
	struct pgb_gathered_line line;
};

struct gathering {
	struct pgb_fdata_gathered *gathered;
	const struct pgb_fdata_lines *inputs;
	size_t count;
	size_t page_bytes;
	atomic_size_t next_piece;
	atomic_bool failed;
};

/* ---- names */

static void grow_slots(struct pgb_gatherer *gatherer)
{
	size_t count = (gatherer->slot_mask + 1) * 2;
	struct pgb_gathered_slot *slots = pgb_calloc(count, sizeof(*slots));

	for (size_t i = 0; i <= gatherer->slot_mask; i++) {
		size_t at = gatherer->slots[i].hash & (count - 1);

		if (gatherer->slots[i].number == 0)
			continue;
		while (slots[at].number != 0)
			at = (at + 1) & (count - 1);
		slots[at] = gatherer->slots[i];
	}
	free(gatherer->slots);
	gatherer->slots = slots;
	gatherer->slot_mask = count - 1;
}

static const char *keep_name(struct pgb_gatherer *gatherer, const char *bytes, size_t length)
{
	char *copy;

	if (gatherer->block_size - gatherer->block_used < length) {
		gatherer->block_size = length > BLOCK_BYTES ? length : BLOCK_BYTES;
		gatherer->block_used = 0;
		pgb_array_push(&gatherer->blocks, pgb_calloc(gatherer->block_size, 1));
	}
	copy = gatherer->blocks.items[gatherer->blocks.count - 1] + gatherer->block_used;
	memcpy(copy, bytes, length);
	gatherer->block_used += length;
	return copy;
}

static void add_name(struct pgb_gatherer *gatherer, struct pgb_gathered_slot *slot,
		     const struct token *token)
{
	uint32_t number = (uint32_t)gatherer->names.count;
	size_t least = token->length < PGB_GATHERED_START ? token->length : PGB_GATHERED_START;

	pgb_assert(number < PGB_GATHERED_ENTRY);
	*slot = (struct pgb_gathered_slot){
		.hash = token->hash,
		.bytes = keep_name(gatherer, token->bytes, token->length),
		.length = token->length,
		.number = number,
	};
	memcpy(slot->start, token->bytes, least);
	pgb_array_push(&gatherer->names,
		       ((struct pgb_gathered_name){slot->bytes, slot->length, 0}));
}

static inline bool is_name(const struct pgb_gathered_slot *slot, const struct token *token)
{
	size_t length = token->length;

	if (slot->hash != token->hash || slot->length != length)
		return false;
	if (length <= PGB_GATHERED_START)
		return memcmp(slot->start, token->bytes, length) == 0;
	return memcmp(slot->bytes, token->bytes, length) == 0;
}

/* Valid until the next one is looked for. */
static struct pgb_gathered_slot *slot_of(struct pgb_gatherer *gatherer, const struct token *token)
{
	if (gatherer->names.count * 2 > gatherer->slot_mask)
		grow_slots(gatherer);
	for (size_t at = token->hash & gatherer->slot_mask;; at = (at + 1) & gatherer->slot_mask) {
		struct pgb_gathered_slot *slot = &gatherer->slots[at];

		if (slot->number == 0)
			add_name(gatherer, slot, token);
		else if (!is_name(slot, token))
			continue;
		return slot;
	}
}

/* ---- lines: every one ends in a newline, which stops all loops */

/* The first byte is the lowest. */
static inline uint64_t load_word(const char *at, const char *end)
{
	uint64_t word = EACH_BYTE('\n');

	if (__builtin_expect(end - at >= WORD_BYTES, 1))
		memcpy(&word, at, WORD_BYTES);
	else
		memcpy(&word, at, (size_t)(end - at));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* The lowest bit set is in the first byte that is a space, below it, or a backslash. */
static inline uint64_t find_stops(uint64_t word)
{
	uint64_t other = word ^ EACH_BYTE('\\');

	return (((word - EACH_BYTE(' ' + 1)) & ~word) | ((other - EACH_BYTE(1)) & ~other)) &
	       EACH_BYTE(0x80);
}

/* The name at `at` and a space behind it; false: none, or one with something to be unescaped. */
static inline bool read_name(const struct pgb_gatherer *gatherer, const char **at, const char *end,
			     struct token *token)
{
	const char *start = *at, *stop = start;
	uint64_t hash = PGB_HASH_SEED, word, stops;
	size_t length;

	for (; (stops = find_stops(word = load_word(stop, end))) == 0; stop += WORD_BYTES) {
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	length = (unsigned int)__builtin_ctzll(stops) / 8;
	stop += length;
	word &= (UINT64_C(1) << 8 * length) - 1;
	length = (size_t)(stop - start);
	if (*stop != ' ' || length == 0 || length > PGB_LIMIT_NAME_BYTES)
		return false;
	*token = (struct token){
		.bytes = start,
		.hash = pgb_hash_u64(hash ^ word ^ (uint64_t)length << 56),
		.length = (uint32_t)length,
	};
	__builtin_prefetch(&gatherer->slots[token->hash & gatherer->slot_mask]);
	*at = stop + 1;
	return true;
}

static inline bool read_hex(const char **at, uint32_t *value)
{
	const char *start = *at;
	uint32_t sum = 0;

	for (;; ++*at) {
		unsigned int digit = (unsigned char)**at - '0';

		if (digit > 9) {
			digit = ((unsigned char)**at | 0x20u) - 'a';
			if (digit > 5)
				break;
			digit += 10;
		}
		sum = sum << 4 | digit;
	}
	*value = sum;
	return **at == ' ' && *at > start && *at - start <= HEX_DIGITS_MOST;
}

static inline bool read_decimal(const char **at, uint64_t *value)
{
	const char *start = *at;
	uint64_t sum = 0;

	for (; (unsigned char)(**at - '0') <= 9; ++*at)
		sum = sum * 10 + (unsigned char)(**at - '0');
	*value = sum;
	return *at > start && *at - start <= DECIMAL_DIGITS_MOST;
}

/* "1 NAME OFFSET " or, outside, "0 ANYTHING OFFSET ". */
static inline bool read_place(const struct pgb_gatherer *gatherer, const char **at, const char *end,
			      struct token *name, uint32_t *offset)
{
	bool symbol = **at == '1';

	if ((!symbol && **at != '0') || (*at)[1] != ' ')
		return false;
	*at += 2;
	if (!read_name(gatherer, at, end, name) || !read_hex(at, offset))
		return false;
	++*at;
	if (!symbol)
		name->length = *offset = 0;
	return true;
}

static uint64_t saturating_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) || product > INT64_MAX ? INT64_MAX : product;
}

static inline bool read_line(const struct pgb_gatherer *gatherer, const char **at, const char *end,
			     struct draft *draft)
{
	struct pgb_gathered_line *line = &draft->line;

	return read_place(gatherer, at, end, &draft->from, &line->from) &&
	       read_place(gatherer, at, end, &draft->to, &line->offset_to) &&
	       read_decimal(at, &line->mispredicts) && *(*at)++ == ' ' &&
	       read_decimal(at, &line->count) && *(*at)++ == '\n';
}

static void add_line(struct pgb_gatherer *gatherer, struct draft *draft, uint64_t weight)
{
	struct pgb_gathered_line *line = &draft->line;
	bool entry = draft->from.length == 0;
	struct pgb_gathered_slot *owner;

	if (entry && draft->to.length == 0)
		return; /* it says nothing */
	line->to = entry ? PGB_GATHERED_ENTRY : PGB_GATHERED_OUTSIDE;
	if (!entry && draft->to.length > 0)
		line->to = slot_of(gatherer, &draft->to)->number;
	owner = slot_of(gatherer, entry ? &draft->to : &draft->from);
	owner->lines++;
	line->owner = owner->number;
	line->mispredicts = saturating_multiply(line->mispredicts, weight);
	line->count = saturating_multiply(line->count, weight);
	if (__builtin_add_overflow(gatherer->total, line->count, &gatherer->total))
		gatherer->total = UINT64_MAX;
	pgb_array_push(&gatherer->lines, *line);
}

/* The lines from `at` to `end`; the input may go on behind it. */
static bool read_lines(struct pgb_gatherer *gatherer, const struct pgb_fdata_lines *input,
		       const char *at, const char *end)
{
	struct draft drafts[DRAFTS];

	while (at < end) {
		size_t count = 0;

		for (; count < DRAFTS && at < end; count++)
			if (!read_line(gatherer, &at, (const char *)input->bytes.end,
				       &drafts[count]))
				return false;
		for (size_t i = 0; i < count; i++)
			add_line(gatherer, &drafts[i], input->weight);
	}
	return true;
}

/* ---- pieces of files */

/* Behind the first newline from `offset` on, which may be the end. */
static const char *line_start(const struct pgb_fdata_lines *input, size_t offset)
{
	const char *start = (const char *)input->bytes.at, *end = (const char *)input->bytes.end;
	const char *newline;

	if (offset == 0)
		return start;
	if (offset > (size_t)(end - start))
		return end;
	newline = memchr(start + offset - 1, '\n', (size_t)(end - start) - offset + 1);
	return newline + 1;
}

static size_t piece_count(const struct pgb_fdata_lines *input)
{
	return pgb_cursor_left(&input->bytes) / PIECE_BYTES + 1;
}

/* What was read is not needed any more; the kernel keeps it as long as it has room. */
static void let_go(const struct gathering *gathering, const char *start, const char *end)
{
	uintptr_t first = (uintptr_t)start + gathering->page_bytes - 1;
	uintptr_t last = (uintptr_t)end & ~(uintptr_t)(gathering->page_bytes - 1);

	first &= ~(uintptr_t)(gathering->page_bytes - 1);
	if (first < last)
		(void)madvise((void *)first, last - first, MADV_DONTNEED);
}

static bool read_piece(struct gathering *gathering, struct pgb_gatherer *gatherer, size_t piece)
{
	const struct pgb_fdata_lines *input = gathering->inputs;
	const char *start, *end;

	for (; piece >= piece_count(input); input++)
		piece -= piece_count(input);
	start = line_start(input, piece * PIECE_BYTES);
	end = line_start(input, (piece + 1) * PIECE_BYTES);
	if (!read_lines(gatherer, input, start, end))
		return false;
	if (input->mapped)
		let_go(gathering, start, end);
	return true;
}

static void gather(void *context, size_t index)
{
	struct gathering *gathering = context;
	struct pgb_gatherer *gatherer = &gathering->gathered->gatherers[index];
	size_t pieces = 0;

	for (size_t i = 0; i < gathering->count; i++)
		pieces += piece_count(&gathering->inputs[i]);
	while (!gathering->failed) {
		size_t piece = gathering->next_piece++;

		if (piece >= pieces)
			break;
		if (!read_piece(gathering, gatherer, piece))
			gathering->failed = true;
	}
	for (size_t i = 0; i <= gatherer->slot_mask; i++)
		gatherer->names.items[gatherer->slots[i].number].lines += gatherer->slots[i].lines;
}

struct pgb_fdata_gathered *pgb_fdata_gather(const struct pgb_fdata_lines *inputs, size_t count,
					    size_t threads)
{
	struct pgb_fdata_gathered *gathered = pgb_calloc(1, sizeof(*gathered));
	struct gathering gathering = {
		.gathered = gathered,
		.inputs = inputs,
		.count = count,
		.page_bytes = (size_t)sysconf(_SC_PAGESIZE),
	};

	gathered->count = threads;
	gathered->gatherers = pgb_calloc(threads, sizeof(*gathered->gatherers));
	for (size_t i = 0; i < threads; i++) {
		struct pgb_gatherer *gatherer = &gathered->gatherers[i];

		gatherer->slots = pgb_calloc(FIRST_SLOTS, sizeof(*gatherer->slots));
		gatherer->slot_mask = FIRST_SLOTS - 1;
		pgb_array_push(&gatherer->names, ((struct pgb_gathered_name){0}));
	}
	pgb_parallel_run(threads, gather, &gathering);
	if (!gathering.failed)
		return gathered;
	pgb_fdata_gathered_free(gathered);
	return NULL;
}

void pgb_fdata_gathered_free(struct pgb_fdata_gathered *gathered)
{
	if (gathered == NULL)
		return;
	for (size_t i = 0; i < gathered->count; i++) {
		struct pgb_gatherer *gatherer = &gathered->gatherers[i];

		for (size_t k = 0; k < gatherer->blocks.count; k++)
			free(gatherer->blocks.items[k]);
		pgb_array_release(&gatherer->blocks);
		pgb_array_release(&gatherer->lines);
		pgb_array_release(&gatherer->names);
		free(gatherer->slots);
		free(gatherer->rank);
		free(gatherer->order);
		free(gatherer->start);
	}
	pgb_array_release(&gathered->names);
	free(gathered->gatherers);
	free(gathered);
}
