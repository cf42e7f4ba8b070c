/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/profile.h"

#include <string.h>

#include "bolt/profile_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/hash.h"

#define ARENA_BLOCK_BYTES (256 * 1024)
#define NAME_UNKNOWN_TEXT "[unknown]"

struct pgb_profile *pgb_profile_new(void)
{
	struct pgb_profile *profile = pgb_calloc(1, sizeof(*profile));

	/* The name 0 is reserved: it never comes out of pgb_profile_intern(). */
	pgb_array_push(&profile->names,
		       ((struct pgb_profile_string){.bytes = NAME_UNKNOWN_TEXT,
						    .length = sizeof(NAME_UNKNOWN_TEXT) - 1}));
	profile->name_slot_count = 1024;
	profile->name_slots = pgb_calloc(profile->name_slot_count, sizeof(*profile->name_slots));
	return profile;
}

void pgb_profile_free(struct pgb_profile *profile)
{
	if (profile == NULL)
		return;
	for (size_t i = 0; i < profile->arena.count; i++)
		free(profile->arena.items[i]);
	for (size_t i = 0; i < profile->events.count; i++)
		free(profile->events.items[i]);
	pgb_array_release(&profile->arena);
	pgb_array_release(&profile->events);
	pgb_array_release(&profile->names);
	free(profile->name_slots);
	pgb_profile_table_release(&profile->branches);
	pgb_profile_table_release(&profile->samples);
	pgb_profile_table_release(&profile->memories);
	pgb_array_release(&profile->branches_out);
	pgb_array_release(&profile->samples_out);
	pgb_array_release(&profile->memories_out);
	free(profile);
}

/* Eight bytes a step: names are long in C++, and each line of an fdata file has two. */
static uint32_t hash_name(const char *name, size_t length)
{
	uint64_t hash = PGB_HASH_SEED ^ length;
	uint64_t word = 0;

	for (; length >= sizeof(word); length -= sizeof(word), name += sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, name, length);
	return (uint32_t)pgb_hash_u64(hash ^ word);
}

static const char *arena_copy(struct pgb_profile *profile, const char *bytes, size_t length)
{
	char *copy;

	if (profile->arena_size - profile->arena_used < length + 1) {
		profile->arena_size =
			length + 1 > ARENA_BLOCK_BYTES ? length + 1 : ARENA_BLOCK_BYTES;
		profile->arena_used = 0;
		pgb_array_push(&profile->arena, pgb_calloc(profile->arena_size, 1));
	}
	copy = profile->arena.items[profile->arena.count - 1] + profile->arena_used;
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	profile->arena_used += length + 1;
	return copy;
}

static void grow_name_slots(struct pgb_profile *profile)
{
	size_t count = profile->name_slot_count * 2;
	struct pgb_profile_slot *slots = pgb_calloc(count, sizeof(*slots));

	for (size_t i = 1; i < profile->names.count; i++) {
		size_t at = profile->names.items[i].hash & (count - 1);

		while (slots[at].name != 0)
			at = (at + 1) & (count - 1);
		slots[at].hash = profile->names.items[i].hash;
		slots[at].name = (uint32_t)i;
	}
	free(profile->name_slots);
	profile->name_slots = slots;
	profile->name_slot_count = count;
}

uint32_t pgb_profile_intern(struct pgb_profile *profile, const char *name, size_t length)
{
	uint32_t hash = hash_name(name, length);
	size_t at = hash & (profile->name_slot_count - 1);
	struct pgb_profile_string string;

	for (; profile->name_slots[at].name != 0; at = (at + 1) & (profile->name_slot_count - 1)) {
		const struct pgb_profile_slot *slot = &profile->name_slots[at];
		const struct pgb_profile_string *known;

		if (slot->hash != hash)
			continue;
		known = &profile->names.items[slot->name];
		if (known->length == length && memcmp(known->bytes, name, length) == 0)
			return slot->name;
	}
	pgb_assert(length < UINT32_MAX && profile->names.count < UINT32_MAX - 1);
	string.bytes = arena_copy(profile, name, length);
	string.length = (uint32_t)length;
	string.hash = hash;
	pgb_array_push(&profile->names, string);
	profile->name_slots[at].hash = hash;
	profile->name_slots[at].name = (uint32_t)profile->names.count - 1;
	if (profile->names.count * 2 > profile->name_slot_count)
		grow_name_slots(profile);
	return (uint32_t)profile->names.count - 1;
}

const char *pgb_profile_name(const struct pgb_profile *profile, uint32_t name)
{
	pgb_assert(name < profile->names.count);
	return profile->names.items[name].bytes;
}

static void add_total(struct pgb_profile *profile, uint64_t count)
{
	if (__builtin_add_overflow(profile->total, count, &profile->total))
		profile->total = UINT64_MAX;
}

static void fix_kind(struct pgb_profile *profile, enum pgb_profile_kind kind)
{
	pgb_assert(profile->kind == kind || profile->kind == PGB_PROFILE_UNKNOWN);
	profile->kind = kind;
}

void pgb_profile_add_branch(struct pgb_profile *profile, const struct pgb_profile_branch *branch)
{
	fix_kind(profile, PGB_PROFILE_BRANCHES);
	pgb_profile_table_add(&profile->branches, branch);
	add_total(profile, branch->count);
}

void pgb_profile_add_sample(struct pgb_profile *profile, const struct pgb_profile_sample *sample)
{
	struct pgb_profile_branch line = {.from = sample->at, .count = sample->count};

	fix_kind(profile, PGB_PROFILE_SAMPLES);
	pgb_profile_table_add(&profile->samples, &line);
	add_total(profile, sample->count);
}

void pgb_profile_add_memory(struct pgb_profile *profile, const struct pgb_profile_memory *memory)
{
	struct pgb_profile_branch line = {
		.from = memory->at, .to = memory->data, .count = memory->count};

	pgb_profile_table_add(&profile->memories, &line);
	add_total(profile, memory->count);
}

enum pgb_profile_kind pgb_profile_kind(const struct pgb_profile *profile)
{
	return profile->kind;
}

bool pgb_profile_bolted(const struct pgb_profile *profile)
{
	return profile->bolted;
}

int pgb_profile_set_kind(struct pgb_profile *profile, enum pgb_profile_kind kind, bool bolted,
			 struct pgb_error *error)
{
	pgb_assert(kind != PGB_PROFILE_UNKNOWN);
	if (profile->kind != PGB_PROFILE_UNKNOWN && profile->kind != kind) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "%s cannot be added to %s: llvm-bolt reads one kind or the other",
			 kind == PGB_PROFILE_SAMPLES ? "samples (no_lbr)" : "branches",
			 kind == PGB_PROFILE_SAMPLES ? "branches" : "samples (no_lbr)");
		pgb_remedy(error, "merge profiles of one kind only");
		return PGB_E_MISMATCH;
	}
	if (profile->kind_fixed && profile->bolted != bolted) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "a profile of an optimized binary (boltedcollection) and one of an "
			 "ordinary binary cannot be added");
		pgb_remedy(error, "merge profiles of the same binary only");
		return PGB_E_MISMATCH;
	}
	profile->kind = kind;
	profile->bolted = bolted;
	profile->kind_fixed = true;
	return 0;
}

void pgb_profile_add_event(struct pgb_profile *profile, const char *event)
{
	size_t at = 0;
	int order = 1;

	while (at < profile->events.count && (order = strcmp(profile->events.items[at], event)) < 0)
		at++;
	if (at < profile->events.count && order == 0)
		return;
	pgb_array_push(&profile->events, NULL);
	memmove(&profile->events.items[at + 1], &profile->events.items[at],
		(profile->events.count - 1 - at) * sizeof(profile->events.items[0]));
	profile->events.items[at] = pgb_dup(event);
}

size_t pgb_profile_event_count(const struct pgb_profile *profile)
{
	return profile->events.count;
}

const char *pgb_profile_event(const struct pgb_profile *profile, size_t index)
{
	pgb_assert(index < profile->events.count);
	return profile->events.items[index];
}

size_t pgb_profile_branch_functions(struct pgb_profile *profile)
{
	pgb_profile_table_sort(&profile->branches, profile);
	return profile->branches.order.count;
}

const struct pgb_profile_branch *pgb_profile_function_branches(struct pgb_profile *profile,
							       size_t index, size_t *count)
{
	const struct pgb_profile_table *table = &profile->branches;
	const struct pgb_profile_lines *lines;

	pgb_profile_table_sort(&profile->branches, profile);
	pgb_assert(index < table->order.count);
	lines = &table->functions.items[table->order.items[index]];
	*count = lines->count;
	return lines->items;
}

#define FOR_EACH_LINE(table, line)                                                                 \
	for (size_t f = 0; f < (table)->order.count; f++)                                          \
		for (const struct pgb_profile_lines *lines =                                       \
			     &(table)->functions.items[(table)->order.items[f]];                   \
		     lines != NULL; lines = NULL)                                                  \
			for (const struct pgb_profile_branch *line = lines->items;                 \
			     line < lines->items + lines->count; line++)

const struct pgb_profile_branch *pgb_profile_branches(struct pgb_profile *profile, size_t *count)
{
	struct pgb_profile_table *table = &profile->branches;

	pgb_profile_table_sort(table, profile);
	profile->branches_out.count = 0;
	pgb_array_reserve(&profile->branches_out, table->line_count);
	FOR_EACH_LINE(table, line)
	pgb_array_push(&profile->branches_out, *line);
	*count = profile->branches_out.count;
	return profile->branches_out.items;
}

const struct pgb_profile_sample *pgb_profile_samples(struct pgb_profile *profile, size_t *count)
{
	struct pgb_profile_table *table = &profile->samples;

	pgb_profile_table_sort(table, profile);
	profile->samples_out.count = 0;
	pgb_array_reserve(&profile->samples_out, table->line_count);
	FOR_EACH_LINE(table, line)
	pgb_array_push(&profile->samples_out,
		       ((struct pgb_profile_sample){line->from, line->count}));
	*count = profile->samples_out.count;
	return profile->samples_out.items;
}

const struct pgb_profile_memory *pgb_profile_memories(struct pgb_profile *profile, size_t *count)
{
	struct pgb_profile_table *table = &profile->memories;

	pgb_profile_table_sort(table, profile);
	profile->memories_out.count = 0;
	pgb_array_reserve(&profile->memories_out, table->line_count);
	FOR_EACH_LINE(table, line)
	pgb_array_push(&profile->memories_out,
		       ((struct pgb_profile_memory){line->from, line->to, line->count}));
	*count = profile->memories_out.count;
	return profile->memories_out.items;
}

size_t pgb_profile_line_count(struct pgb_profile *profile)
{
	pgb_profile_table_sort(&profile->branches, profile);
	pgb_profile_table_sort(&profile->samples, profile);
	pgb_profile_table_sort(&profile->memories, profile);
	return profile->branches.line_count + profile->samples.line_count +
	       profile->memories.line_count;
}

bool pgb_profile_is_empty(const struct pgb_profile *profile)
{
	return pgb_profile_table_is_empty(&profile->branches) &&
	       pgb_profile_table_is_empty(&profile->samples) &&
	       pgb_profile_table_is_empty(&profile->memories);
}

static size_t mark(bool *seen, uint32_t name)
{
	bool first = name != PGB_NAME_UNKNOWN && !seen[name];

	seen[name] = true;
	return first;
}

size_t pgb_profile_function_count(struct pgb_profile *profile)
{
	bool *seen = pgb_calloc(profile->names.count, sizeof(*seen));
	size_t count = 0;

	pgb_profile_table_sort(&profile->branches, profile);
	pgb_profile_table_sort(&profile->samples, profile);
	FOR_EACH_LINE(&profile->branches, line)
	{
		count += mark(seen, line->from.name);
		count += mark(seen, line->to.name);
	}
	FOR_EACH_LINE(&profile->samples, line)
	count += mark(seen, line->from.name);
	free(seen);
	return count;
}

uint64_t pgb_profile_total(const struct pgb_profile *profile)
{
	return profile->total;
}
