/* SPDX-License-Identifier: MIT */
/*
 * Distinct profile lines: an array, and a hash index into it that is rebuilt after a sort.
 */
#include <string.h>

#include "bolt/profile_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/hash.h"

#define COUNT_MAX ((uint64_t)INT64_MAX)

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return b > COUNT_MAX || a > COUNT_MAX - b ? COUNT_MAX : a + b;
}

static uint64_t hash_line(const struct pgb_profile_branch *line)
{
	uint64_t names = (uint64_t)line->from.name << 32 | line->to.name;

	return pgb_hash_u64(pgb_hash_u64(names) ^ line->from.offset * 0x9e3779b97f4a7c15u ^
			    (line->to.offset << 32 | line->to.offset >> 32));
}

static bool same_key(const struct pgb_profile_branch *a, const struct pgb_profile_branch *b)
{
	return a->from.offset == b->from.offset && a->to.offset == b->to.offset &&
	       a->from.name == b->from.name && a->to.name == b->to.name;
}

/* Fill the slots anew; the lines are distinct. */
static void index_lines(struct pgb_profile_table *table, size_t slot_count)
{
	free(table->slots);
	table->slots = pgb_calloc(slot_count, sizeof(*table->slots));
	table->slot_count = slot_count;
	for (size_t i = 0; i < table->lines.count; i++) {
		uint64_t hash = hash_line(&table->lines.items[i]);
		size_t at = hash & (slot_count - 1);

		while (table->slots[at] != 0)
			at = (at + 1) & (slot_count - 1);
		table->slots[at] = (hash & ~(uint64_t)UINT32_MAX) | (i + 1);
	}
	table->indexed = true;
}

void pgb_profile_table_add(struct pgb_profile_table *table, const struct pgb_profile_branch *line)
{
	uint64_t hash = hash_line(line);
	struct pgb_profile_branch *known;
	size_t at, mask;

	if (!table->indexed || table->lines.count * 2 >= table->slot_count) {
		size_t slot_count = table->slot_count ? table->slot_count : 1024;

		while (table->lines.count * 2 >= slot_count)
			slot_count *= 2;
		index_lines(table, slot_count);
	}
	mask = table->slot_count - 1;
	for (at = hash & mask; table->slots[at] != 0; at = (at + 1) & mask) {
		if ((table->slots[at] ^ hash) >> 32 != 0)
			continue;
		known = &table->lines.items[(uint32_t)table->slots[at] - 1];
		if (!same_key(known, line))
			continue;
		known->count = saturating_add(known->count, line->count);
		known->mispredicts = saturating_add(known->mispredicts, line->mispredicts);
		return;
	}
	pgb_assert(table->lines.count < UINT32_MAX - 1);
	pgb_array_push(&table->lines, *line);
	known = &table->lines.items[table->lines.count - 1];
	known->count = saturating_add(0, line->count);
	known->mispredicts = saturating_add(0, line->mispredicts);
	table->slots[at] = (hash & ~(uint64_t)UINT32_MAX) | table->lines.count;
	table->sorted = false;
}

void pgb_profile_table_release(struct pgb_profile_table *table)
{
	pgb_array_release(&table->lines);
	free(table->slots);
	*table = (struct pgb_profile_table){0};
}

struct order {
	const struct pgb_profile *profile;
	const uint32_t *rank; /* of each name */
};

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
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

/* rank[name]: the name's place in byte order; outside comes first. Owned by the caller. */
static uint32_t *rank_names(const struct pgb_profile *profile)
{
	size_t count = profile->names.count;
	uint32_t *sorted = pgb_calloc(count, sizeof(*sorted));
	uint32_t *rank = pgb_calloc(count, sizeof(*rank));

	for (size_t i = 0; i < count; i++)
		sorted[i] = (uint32_t)i;
	qsort_r(sorted + 1, count - 1, sizeof(*sorted), compare_names, (void *)profile);
	for (size_t i = 0; i < count; i++)
		rank[sorted[i]] = (uint32_t)i;
	free(sorted);
	return rank;
}

/* A line belongs to the function it leaves; one from outside to the function it enters. */
static uint32_t owner(const struct pgb_profile_branch *line)
{
	return line->from.name != PGB_NAME_UNKNOWN ? line->from.name : line->to.name;
}

/* Within one function. */
static int compare_lines(const void *a, const void *b, void *context)
{
	const struct pgb_profile_branch *x = a, *y = b;
	const struct order *order = context;
	int difference =
		compare_u64(x->from.name == PGB_NAME_UNKNOWN, y->from.name == PGB_NAME_UNKNOWN);

	if (difference == 0)
		difference = compare_u64(x->from.offset, y->from.offset);
	if (difference == 0)
		difference = compare_u64(order->rank[x->to.name], order->rank[y->to.name]);
	return difference ? difference : compare_u64(x->to.offset, y->to.offset);
}

static void sort_function(struct pgb_profile_branch *lines, size_t count, struct order *order)
{
	/* Files that perf2bolt or we wrote come in order already. */
	for (size_t i = 1; i < count; i++) {
		if (compare_lines(&lines[i - 1], &lines[i], order) > 0) {
			qsort_r(lines, count, sizeof(*lines), compare_lines, order);
			return;
		}
	}
}

void pgb_profile_table_sort(struct pgb_profile_table *table, const struct pgb_profile *profile)
{
	size_t names = profile->names.count, count = table->lines.count;
	struct pgb_profile_branch *sorted;
	struct order order = {.profile = profile};
	uint32_t *rank;
	size_t *first;

	if (table->sorted || count == 0)
		return;
	rank = rank_names(profile);
	order.rank = rank;
	first = pgb_calloc(names + 1, sizeof(*first));
	for (size_t i = 0; i < count; i++)
		first[rank[owner(&table->lines.items[i])] + 1]++;
	for (size_t i = 0; i < names; i++)
		first[i + 1] += first[i];
	sorted = pgb_calloc(count, sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		sorted[first[rank[owner(&table->lines.items[i])]]++] = table->lines.items[i];
	/* first[i] is now where function i ends. */
	for (size_t i = 0; i < names; i++) {
		size_t start = i ? first[i - 1] : 0;

		sort_function(sorted + start, first[i] - start, &order);
	}
	free(table->lines.items);
	table->lines.items = sorted;
	table->lines.capacity = count;
	free(first);
	free(rank);
	table->sorted = true;
	table->indexed = false;
}
