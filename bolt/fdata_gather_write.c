/* SPDX-License-Identifier: MIT */
/*
 * Gathered lines to text: names get their ranks, each thread puts its lines into the order of
 * their owners, and then blocks of functions are summed up and formatted side by side, and written
 * in turn.
 */
#include "bolt/fdata_gather.h"

#include <pthread.h>
#include <string.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/parallel.h"

enum {
	BLOCK_LINES = 16 * 1024, /* of functions that are written together */
	INSERTED_LINES = 64,	 /* sorted by insertion */
	LINES_AHEAD = 96,	 /* on their way to the processor's cache */
	LINE_NUMBERS_BYTES = 96, /* room for all of a line but its names */
};

struct writing {
	struct pgb_fdata_gathered *gathered;
	FILE *stream;
	struct pgb_fdata_merged *merged;
	PGB_ARRAY(size_t) blocks; /* first rank of each, and one more */
	atomic_size_t next_block;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	size_t turn; /* the block that is to be written next */
};

/* One thread's. */
struct desk {
	PGB_ARRAY(struct pgb_gathered_line) lines; /* of one function */
	PGB_ARRAY(uint32_t) slots;		   /* numbers of lines, one more; 0: free */
	struct pgb_text text;
	size_t written;
};

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return b > (uint64_t)INT64_MAX - a ? INT64_MAX : a + b;
}

/* ---- ranks */

static int compare_names(const struct pgb_gathered_name *a, const struct pgb_gathered_name *b)
{
	uint32_t least = a->length < b->length ? a->length : b->length;
	int order = memcmp(a->bytes, b->bytes, least);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_numbers(const void *a, const void *b, void *context)
{
	const struct pgb_gathered_name *names = context;

	return compare_names(&names[*(const uint32_t *)a], &names[*(const uint32_t *)b]);
}

/* Into `order`: numbers of names, sorted. 0, outside, stays in front. */
static void sort_names(void *context, size_t index)
{
	struct pgb_gatherer *gatherer = &((struct pgb_fdata_gathered *)context)->gatherers[index];
	size_t count = gatherer->names.count;

	gatherer->rank = pgb_calloc(count, sizeof(*gatherer->rank));
	gatherer->order = pgb_calloc(count, sizeof(*gatherer->order));
	for (size_t i = 0; i < count; i++)
		gatherer->order[i] = (uint32_t)i;
	qsort_r(gatherer->order + 1, count - 1, sizeof(*gatherer->order), compare_numbers,
		gatherer->names.items);
}

/* The least of the names that the gatherers are at; NULL: all are at their end. */
static const struct pgb_gathered_name *least_name(const struct pgb_fdata_gathered *gathered,
						  const size_t *at)
{
	const struct pgb_gathered_name *least = NULL;

	for (size_t i = 0; i < gathered->count; i++) {
		const struct pgb_gatherer *gatherer = &gathered->gatherers[i];
		const struct pgb_gathered_name *name;

		if (at[i] == gatherer->names.count)
			continue;
		name = &gatherer->names.items[gatherer->order[at[i]]];
		if (least == NULL || compare_names(name, least) < 0)
			least = name;
	}
	return least;
}

static void rank_names(struct pgb_fdata_gathered *gathered)
{
	size_t *at = pgb_calloc(gathered->count, sizeof(*at));
	const struct pgb_gathered_name *least;

	pgb_parallel_run(gathered->count, sort_names, gathered);
	pgb_array_push(&gathered->names, ((struct pgb_gathered_name){0}));
	for (size_t i = 0; i < gathered->count; i++)
		at[i] = 1;
	while ((least = least_name(gathered, at)) != NULL) {
		struct pgb_gathered_name name = {.bytes = least->bytes, .length = least->length};

		for (size_t i = 0; i < gathered->count; i++) {
			struct pgb_gatherer *gatherer = &gathered->gatherers[i];
			uint32_t number;

			if (at[i] == gatherer->names.count)
				continue;
			number = gatherer->order[at[i]];
			if (compare_names(&gatherer->names.items[number], &name) != 0)
				continue;
			gatherer->rank[number] = (uint32_t)gathered->names.count;
			name.lines += gatherer->names.items[number].lines;
			at[i]++;
		}
		pgb_array_push(&gathered->names, name);
	}
	free(at);
}

/* ---- each thread's lines in the order of their owners */

static void order_lines(void *context, size_t index)
{
	const struct pgb_fdata_gathered *gathered = context;
	struct pgb_gatherer *gatherer = &gathered->gatherers[index];
	const struct pgb_gathered_line *lines = gatherer->lines.items;
	size_t *start = pgb_calloc(gathered->names.count + 2, sizeof(*start));

	free(gatherer->order);
	gatherer->order = pgb_calloc(gatherer->lines.count, sizeof(*gatherer->order));
	/* Two places further, so that counting up leaves it where it is wanted. */
	for (size_t i = 0; i < gatherer->names.count; i++)
		start[gatherer->rank[i] + 2] += gatherer->names.items[i].lines;
	for (size_t rank = 2; rank < gathered->names.count + 2; rank++)
		start[rank] += start[rank - 1];
	for (size_t i = 0; i < gatherer->lines.count; i++)
		gatherer->order[start[gatherer->rank[lines[i].owner] + 1]++] = (uint32_t)i;
	gatherer->start = start;
}

/* ---- functions */

static inline int compare_lines(const struct pgb_gathered_line *a,
				const struct pgb_gathered_line *b)
{
	bool entry_a = a->to == PGB_GATHERED_ENTRY, entry_b = b->to == PGB_GATHERED_ENTRY;

	if (entry_a != entry_b)
		return entry_a ? 1 : -1;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return (a->offset_to > b->offset_to) - (a->offset_to < b->offset_to);
}

static int compare_for_qsort(const void *a, const void *b)
{
	return compare_lines(a, b);
}

static void sort_lines(struct pgb_gathered_line *lines, size_t count)
{
	if (count > INSERTED_LINES) {
		qsort(lines, count, sizeof(*lines), compare_for_qsort);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct pgb_gathered_line line = lines[i];
		size_t at = i;

		for (; at > 0 && compare_lines(&lines[at - 1], &line) > 0; at--)
			lines[at] = lines[at - 1];
		lines[at] = line;
	}
}

/* To the line with the same key, or as a new one. */
static void sum_up(struct desk *desk, const struct pgb_gathered_line *line)
{
	size_t mask = desk->slots.count - 1;
	uint64_t hash = pgb_hash_u64(((uint64_t)line->from << 32 | line->to) ^
				     (uint64_t)line->offset_to * 0x9e3779b97f4a7c15u);

	for (size_t at = hash & mask;; at = (at + 1) & mask) {
		struct pgb_gathered_line *known;

		if (desk->slots.items[at] == 0) {
			desk->slots.items[at] = (uint32_t)desk->lines.count + 1;
			desk->lines.items[desk->lines.count++] = *line;
			return;
		}
		known = &desk->lines.items[desk->slots.items[at] - 1];
		if (known->from == line->from && known->to == line->to &&
		    known->offset_to == line->offset_to) {
			known->count = saturating_add(known->count, line->count);
			known->mispredicts = saturating_add(known->mispredicts, line->mispredicts);
			return;
		}
	}
}

static void make_room(struct desk *desk, size_t lines)
{
	size_t slots = 2;

	while (slots < 2 * lines)
		slots *= 2;
	pgb_array_reserve(&desk->lines, lines);
	pgb_array_reserve(&desk->slots, slots);
	desk->lines.count = 0;
	desk->slots.count = slots;
	memset(desk->slots.items, 0, slots * sizeof(*desk->slots.items));
}

/* All lines of one function. */
static void sum_up_function(struct desk *desk, const struct pgb_fdata_gathered *gathered,
			    size_t rank)
{
	make_room(desk, gathered->names.items[rank].lines);
	for (size_t i = 0; i < gathered->count; i++) {
		const struct pgb_gatherer *gatherer = &gathered->gatherers[i];
		const uint32_t *order = gatherer->order;

		for (size_t k = gatherer->start[rank]; k < gatherer->start[rank + 1]; k++) {
			struct pgb_gathered_line line = gatherer->lines.items[order[k]];

			if (k + LINES_AHEAD < gatherer->lines.count)
				__builtin_prefetch(&gatherer->lines.items[order[k + LINES_AHEAD]]);
			if (line.to != PGB_GATHERED_ENTRY)
				line.to = gatherer->rank[line.to];
			sum_up(desk, &line);
		}
	}
	sort_lines(desk->lines.items, desk->lines.count);
}

/* ---- text */

static char *put_decimal(char *at, uint64_t value)
{
	char digits[20];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	memcpy(at, digits + first, sizeof(digits) - first);
	return at + sizeof(digits) - first;
}

static char *put_hex(char *at, uint32_t value)
{
	unsigned int digits = value ? (35 - (unsigned int)__builtin_clz(value)) / 4 : 1;

	for (unsigned int i = digits; i > 0; i--, value >>= 4)
		at[i - 1] = "0123456789abcdef"[value & 15];
	return at + digits;
}

static char *put_outside(char *at)
{
	static const char outside[] = "0 [unknown] 0 ";

	memcpy(at, outside, sizeof(outside) - 1);
	return at + sizeof(outside) - 1;
}

static char *put_place(char *at, const struct pgb_gathered_name *name, uint32_t offset)
{
	*at++ = '1';
	*at++ = ' ';
	memcpy(at, name->bytes, name->length);
	at += name->length;
	*at++ = ' ';
	at = put_hex(at, offset);
	*at++ = ' ';
	return at;
}

static void put_line(struct pgb_text *text, const struct pgb_gathered_name *names, size_t rank,
		     const struct pgb_gathered_line *line)
{
	bool entry = line->to == PGB_GATHERED_ENTRY;
	const struct pgb_gathered_name *to = &names[entry ? rank : line->to];
	char *at;

	pgb_text_reserve(text, names[rank].length + to->length + LINE_NUMBERS_BYTES);
	at = text->data + text->length;
	at = entry ? put_outside(at) : put_place(at, &names[rank], line->from);
	at = line->to == PGB_GATHERED_OUTSIDE ? put_outside(at)
					      : put_place(at, to, line->offset_to);
	at = put_decimal(at, line->mispredicts);
	*at++ = ' ';
	at = put_decimal(at, line->count);
	*at++ = '\n';
	text->length = (size_t)(at - text->data);
}

static void format_block(const struct writing *writing, struct desk *desk, size_t block)
{
	const struct pgb_fdata_gathered *gathered = writing->gathered;

	desk->text.length = 0;
	desk->written = 0;
	for (size_t rank = writing->blocks.items[block]; rank < writing->blocks.items[block + 1];
	     rank++) {
		if (gathered->names.items[rank].lines == 0)
			continue;
		sum_up_function(desk, gathered, rank);
		for (size_t i = 0; i < desk->lines.count; i++)
			put_line(&desk->text, gathered->names.items, rank, &desk->lines.items[i]);
		desk->written += desk->lines.count;
	}
}

/* Blocks are begun in order, so whoever has the one whose turn it is does not wait. */
static void write_block(struct writing *writing, const struct desk *desk, size_t block)
{
	pthread_mutex_lock(&writing->lock);
	while (writing->turn != block)
		pthread_cond_wait(&writing->turned, &writing->lock);
	pthread_mutex_unlock(&writing->lock);
	fwrite(desk->text.data, 1, desk->text.length, writing->stream);
	writing->merged->lines += desk->written;
	pthread_mutex_lock(&writing->lock);
	writing->turn++;
	pthread_cond_broadcast(&writing->turned);
	pthread_mutex_unlock(&writing->lock);
}

static void write_blocks(void *context, size_t index)
{
	struct writing *writing = context;
	struct desk desk = {0};

	(void)index;
	for (;;) {
		size_t block = writing->next_block++;

		if (block + 1 >= writing->blocks.count)
			break;
		format_block(writing, &desk, block);
		write_block(writing, &desk, block);
	}
	pgb_array_release(&desk.lines);
	pgb_array_release(&desk.slots);
	pgb_text_release(&desk.text);
}

static void divide(struct writing *writing)
{
	const struct pgb_fdata_gathered *gathered = writing->gathered;
	size_t lines = BLOCK_LINES;

	for (size_t rank = 1; rank < gathered->names.count; rank++) {
		if (lines >= BLOCK_LINES) {
			pgb_array_push(&writing->blocks, rank);
			lines = 0;
		}
		lines += gathered->names.items[rank].lines;
	}
	pgb_array_push(&writing->blocks, gathered->names.count);
}

void pgb_fdata_gathered_write(struct pgb_fdata_gathered *gathered, FILE *stream,
			      struct pgb_fdata_merged *merged)
{
	struct writing writing = {.gathered = gathered, .stream = stream, .merged = merged};

	*merged = (struct pgb_fdata_merged){0};
	rank_names(gathered);
	pgb_parallel_run(gathered->count, order_lines, gathered);
	divide(&writing);
	pthread_mutex_init(&writing.lock, NULL);
	pthread_cond_init(&writing.turned, NULL);
	pgb_parallel_run(gathered->count, write_blocks, &writing);
	pthread_cond_destroy(&writing.turned);
	pthread_mutex_destroy(&writing.lock);
	pgb_array_release(&writing.blocks);
	for (size_t i = 0; i < gathered->count; i++)
		if (__builtin_add_overflow(merged->total, gathered->gatherers[i].total,
					   &merged->total))
			merged->total = UINT64_MAX;
}
