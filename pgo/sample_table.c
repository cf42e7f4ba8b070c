/* SPDX-License-Identifier: MIT */
/* The tables a sample profile is counted in, and its names. */
#include <stdlib.h>
#include <string.h>

#include "pgo/sample_private.h"
#include "pgobolt/base/hash.h"

enum { SLOTS_FIRST = 1024 };

/* ---- counts */

static uint64_t hash_key(const uint32_t key[4])
{
	return pgb_hash_combine((uint64_t)key[0] << 32 | key[1], (uint64_t)key[2] << 32 | key[3]);
}

static size_t find_slot(const struct pgb_sample_table *table, const uint32_t key[4])
{
	size_t slot = hash_key(key) & (table->slot_count - 1);

	while (table->slots[slot] != 0 &&
	       memcmp(table->items.items[table->slots[slot] - 1].key, key, 4 * sizeof(*key)) != 0)
		slot = (slot + 1) & (table->slot_count - 1);
	return slot;
}

static void grow_table(struct pgb_sample_table *table)
{
	free(table->slots);
	table->slot_count = table->slot_count ? 2 * table->slot_count : SLOTS_FIRST;
	table->slots = pgb_calloc(table->slot_count, sizeof(*table->slots));
	for (size_t i = 0; i < table->items.count; i++)
		table->slots[find_slot(table, table->items.items[i].key)] = (uint32_t)i + 1;
}

uint32_t pgb_sample_table_add(struct pgb_sample_table *table, const uint32_t key[4])
{
	struct pgb_sample_count item = {.count = 0};
	size_t slot;

	if (2 * table->items.count >= table->slot_count)
		grow_table(table);
	slot = find_slot(table, key);
	if (table->slots[slot] == 0) {
		memcpy(item.key, key, sizeof(item.key));
		pgb_array_push(&table->items, item);
		pgb_assert(table->items.count < UINT32_MAX);
		table->slots[slot] = (uint32_t)table->items.count;
	}
	return table->slots[slot] - 1;
}

void pgb_sample_table_release(struct pgb_sample_table *table)
{
	pgb_array_release(&table->items);
	free(table->slots);
	*table = (struct pgb_sample_table){0};
}

/* ---- names */

static size_t find_name(const struct pgb_sample_names *names, const char *name, size_t length)
{
	size_t slot = pgb_hash_bytes(name, length) & (names->slot_count - 1);

	while (names->slots[slot] != 0) {
		const char *there = names->list.items[names->slots[slot] - 1];

		if (strncmp(there, name, length) == 0 && there[length] == '\0')
			break;
		slot = (slot + 1) & (names->slot_count - 1);
	}
	return slot;
}

static void grow_names(struct pgb_sample_names *names)
{
	free(names->slots);
	names->slot_count = names->slot_count ? 2 * names->slot_count : SLOTS_FIRST;
	names->slots = pgb_calloc(names->slot_count, sizeof(*names->slots));
	for (size_t i = 0; i < names->list.count; i++)
		names->slots[find_name(names, names->list.items[i], strlen(names->list.items[i]))] =
			(uint32_t)i + 1;
}

uint32_t pgb_sample_names_add(struct pgb_sample_names *names, const char *name, size_t length)
{
	size_t slot;

	if (2 * names->list.count >= names->slot_count)
		grow_names(names);
	slot = find_name(names, name, length);
	if (names->slots[slot] == 0) {
		pgb_array_push(&names->list, pgb_dup_bytes(name, length));
		names->slots[slot] = (uint32_t)names->list.count;
	}
	return names->slots[slot] - 1;
}

void pgb_sample_names_release(struct pgb_sample_names *names)
{
	for (size_t i = 0; i < names->list.count; i++)
		free(names->list.items[i]);
	pgb_array_release(&names->list);
	free(names->slots);
	*names = (struct pgb_sample_names){0};
}
