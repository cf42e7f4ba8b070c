/* SPDX-License-Identifier: MIT */
/*
 * Profile lines, function by function: a sorted head and a tail of what came since, which is merged
 * in when it has grown. Lines may come in any order: they are gathered, and a great many at once
 * distributed to their functions, which touches each function's memory seldom.
 */
#include <string.h>

#include "bolt/profile_private.h"
#include "pgobolt/base/alloc.h"

#define COUNT_MAX	 ((uint64_t)INT64_MAX)
#define TAIL_LINES_LEAST 32
#define ADDED_LINES_MOST (512 * 1024)
#define LINES_AHEAD	 16 /* on their way to the processor's cache */

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return b > COUNT_MAX || a > COUNT_MAX - b ? COUNT_MAX : a + b;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Within one function; `rank` may be NULL: names by their numbers. */
static inline int compare_lines(const struct pgb_profile_branch *a,
				const struct pgb_profile_branch *b, const uint32_t *rank)
{
	bool entry_a = a->from.name == PGB_NAME_UNKNOWN, entry_b = b->from.name == PGB_NAME_UNKNOWN;

	if (entry_a != entry_b)
		return entry_a ? 1 : -1;
	if (a->from.offset != b->from.offset)
		return a->from.offset < b->from.offset ? -1 : 1;
	if (a->to.name != b->to.name)
		return rank ? compare_u64(rank[a->to.name], rank[b->to.name])
			    : compare_u64(a->to.name, b->to.name);
	return compare_u64(a->to.offset, b->to.offset);
}

static int compare_for_qsort(const void *a, const void *b, void *rank)
{
	return compare_lines(a, b, rank);
}

/* Lines come nearly in order: insertion, until it moves too much. */
static void sort_lines(struct pgb_profile_branch *lines, size_t count, const uint32_t *rank)
{
	size_t moves = 0;

	for (size_t i = 1; i < count; i++) {
		struct pgb_profile_branch line = lines[i];
		size_t at = i;

		for (; at > 0 && compare_lines(&lines[at - 1], &line, rank) > 0; at--)
			lines[at] = lines[at - 1];
		lines[at] = line;
		moves += i - at;
		if (moves > 8 * count) {
			qsort_r(lines, count, sizeof(*lines), compare_for_qsort, (void *)rank);
			return;
		}
	}
}

static void add_counts(struct pgb_profile_branch *to, const struct pgb_profile_branch *from)
{
	to->count = saturating_add(to->count, from->count);
	to->mispredicts = saturating_add(to->mispredicts, from->mispredicts);
}

/* Sort the tail and merge it into the head; equal lines become one. */
static void merge_tail(struct pgb_profile_table *table, struct pgb_profile_lines *lines)
{
	struct pgb_profile_branch *head, *items = lines->items;
	size_t at_head = 0, at_tail = lines->sorted, out = 0;

	if (lines->sorted == lines->count)
		return;
	sort_lines(items + lines->sorted, lines->count - lines->sorted, NULL);
	pgb_array_reserve(&table->scratch, lines->sorted);
	head = table->scratch.items;
	if (lines->sorted > 0)
		memcpy(head, items, lines->sorted * sizeof(*items));
	/* What is written never overtakes the tail: out <= at_head + at_tail - sorted. */
	while (at_head < lines->sorted || at_tail < lines->count) {
		bool from_head = at_tail == lines->count ||
				 (at_head < lines->sorted &&
				  compare_lines(&head[at_head], &items[at_tail], NULL) <= 0);
		struct pgb_profile_branch next = from_head ? head[at_head] : items[at_tail];

		at_head += from_head;
		at_tail += !from_head;
		if (out > 0 && compare_lines(&items[out - 1], &next, NULL) == 0)
			add_counts(&items[out - 1], &next);
		else
			items[out++] = next;
	}
	lines->count = (uint32_t)out;
	lines->sorted = lines->count;
}

static void append(struct pgb_profile_lines *lines, const struct pgb_profile_branch *line)
{
	if (lines->count == lines->capacity) {
		pgb_assert(lines->capacity <= UINT32_MAX / 2);
		lines->capacity = lines->capacity ? lines->capacity * 2 : 4;
		lines->items =
			pgb_realloc_array(lines->items, lines->capacity, sizeof(*lines->items));
	}
	lines->items[lines->count++] = *line;
}

static uint32_t owner_of(const struct pgb_profile_branch *line)
{
	return line->from.name != PGB_NAME_UNKNOWN ? line->from.name : line->to.name;
}

/* One line more of a function: in its head, if it stands behind all others. */
static void add_line(struct pgb_profile_lines *lines, const struct pgb_profile_branch *line)
{
	struct pgb_profile_branch *last = lines->count ? &lines->items[lines->count - 1] : NULL;
	int order = last ? compare_lines(last, line, NULL) : -1;

	if (order == 0) {
		add_counts(last, line);
		return;
	}
	append(lines, line);
	if (lines->sorted == lines->count - 1 && order < 0)
		lines->sorted = lines->count;
}

/* Have room for functions up to this name. */
static void grow_functions(struct pgb_profile_table *table, uint32_t name)
{
	size_t count = table->functions.count;

	if (name < count)
		return;
	pgb_array_reserve(&table->functions, (size_t)name + 1);
	memset(table->functions.items + count, 0,
	       (table->functions.capacity - count) * sizeof(table->functions.items[0]));
	table->functions.count = table->functions.capacity;
}

/* Where each added line goes in the order of functions: numbers of lines. The caller frees them. */
static uint32_t *order_by_owner(const struct pgb_profile_table *table, uint32_t owner_most)
{
	size_t count = table->added.count;
	uint32_t *starts = pgb_calloc((size_t)owner_most + 2, sizeof(*starts));
	uint32_t *order = pgb_calloc(count, sizeof(*order));

	for (size_t i = 0; i < count; i++)
		starts[owner_of(&table->added.items[i]) + 1]++;
	for (size_t i = 0; i <= owner_most; i++)
		starts[i + 1] += starts[i];
	for (size_t i = 0; i < count; i++)
		order[starts[owner_of(&table->added.items[i])]++] = (uint32_t)i;
	free(starts);
	return order;
}

/* To their functions with all lines that were added. */
static void distribute(struct pgb_profile_table *table)
{
	const struct pgb_profile_branch *added = table->added.items;
	size_t count = table->added.count;
	uint32_t owner_most = 0;
	uint32_t *order;

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (owner_of(&added[i]) > owner_most)
			owner_most = owner_of(&added[i]);
	grow_functions(table, owner_most);
	order = order_by_owner(table, owner_most);
	for (size_t i = 0; i < count;) {
		uint32_t owner = owner_of(&added[order[i]]);
		struct pgb_profile_lines *lines = &table->functions.items[owner];

		for (; i < count && owner_of(&added[order[i]]) == owner; i++) {
			if (i + LINES_AHEAD < count)
				__builtin_prefetch(&added[order[i + LINES_AHEAD]]);
			add_line(lines, &added[order[i]]);
		}
		if ((lines->count - lines->sorted) * 4 > lines->sorted + TAIL_LINES_LEAST)
			merge_tail(table, lines);
	}
	free(order);
	table->added.count = 0;
}

void pgb_profile_table_add(struct pgb_profile_table *table, const struct pgb_profile_branch *line)
{
	struct pgb_profile_branch *added;

	pgb_array_push(&table->added, *line);
	added = &table->added.items[table->added.count - 1];
	added->count = saturating_add(0, line->count);
	added->mispredicts = saturating_add(0, line->mispredicts);
	table->ranked = false;
	if (table->added.count == ADDED_LINES_MOST)
		distribute(table);
}

bool pgb_profile_table_is_empty(const struct pgb_profile_table *table)
{
	return table->added.count == 0 && table->functions.count == 0;
}

void pgb_profile_table_release(struct pgb_profile_table *table)
{
	for (size_t i = 0; i < table->functions.count; i++)
		free(table->functions.items[i].items);
	pgb_array_release(&table->added);
	pgb_array_release(&table->functions);
	pgb_array_release(&table->scratch);
	pgb_array_release(&table->order);
	*table = (struct pgb_profile_table){0};
}

static int compare_names(const void *a, const void *b, void *context)
{
	const struct pgb_profile *profile = context;
	const struct pgb_profile_string *x = &profile->names.items[*(const uint32_t *)a];
	const struct pgb_profile_string *y = &profile->names.items[*(const uint32_t *)b];
	uint32_t least = x->length < y->length ? x->length : y->length;
	int order = memcmp(x->bytes, y->bytes, least);

	return order ? order : compare_u64(x->length, y->length);
}

/* Names in byte order; outside comes first. rank[name] is a name's place. Both are the caller's. */
static void rank_names(const struct pgb_profile *profile, uint32_t **sorted_out,
		       uint32_t **rank_out)
{
	size_t count = profile->names.count;
	uint32_t *sorted = pgb_calloc(count, sizeof(*sorted));
	uint32_t *rank = pgb_calloc(count, sizeof(*rank));

	for (size_t i = 0; i < count; i++)
		sorted[i] = (uint32_t)i;
	qsort_r(sorted + 1, count - 1, sizeof(*sorted), compare_names, (void *)profile);
	for (size_t i = 0; i < count; i++)
		rank[sorted[i]] = (uint32_t)i;
	*sorted_out = sorted;
	*rank_out = rank;
}

/*
 * From here until the next add, names decide the order within a function, not their numbers: the
 * whole of it counts as tail then.
 */
void pgb_profile_table_sort(struct pgb_profile_table *table, const struct pgb_profile *profile)
{
	uint32_t *sorted, *rank;

	if (table->ranked)
		return;
	distribute(table);
	rank_names(profile, &sorted, &rank);
	table->order.count = 0;
	table->line_count = 0;
	for (size_t i = 0; i < profile->names.count; i++) {
		struct pgb_profile_lines *lines;

		if (sorted[i] >= table->functions.count)
			continue;
		lines = &table->functions.items[sorted[i]];
		if (lines->count == 0)
			continue;
		merge_tail(table, lines);
		sort_lines(lines->items, lines->count, rank);
		lines->sorted = 0;
		table->line_count += lines->count;
		pgb_array_push(&table->order, sorted[i]);
	}
	free(sorted);
	free(rank);
	table->ranked = true;
}
