/* SPDX-License-Identifier: MIT */
/*
 * What other functions do to a function: they jump into its middle, and the tables of its cold
 * parts point into it (BinaryContext::processInterproceduralReferences, areRelatedFragments).
 */
#include <string.h>

#include "bolt/cfg_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/search.h"
#include "pgobolt/base/text.h"

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void sort_addresses(struct pgb_cfg_addresses *addresses)
{
	if (addresses->count > 1)
		qsort(addresses->items, addresses->count, sizeof(*addresses->items),
		      compare_addresses);
}

/* The first one at or behind this address. */
static size_t lower_bound(const struct pgb_cfg_addresses *addresses, uint64_t address)
{
	return pgb_search(addresses->count, i, addresses->items[i] < address);
}

static bool inside(const struct pgb_elf_function *function, uint64_t address)
{
	return address - function->address < function->size_bytes;
}

struct scan {
	struct pgb_cfg_outside *outside;
	const struct pgb_elf_image *image;
	enum pgb_insn_set set;
	bool has_relocations;
};

/* Is the address inside a function, not at its start? */
static void note_entry(const struct scan *scan, const struct pgb_elf_function *function,
		       uint64_t address)
{
	const struct pgb_elf_function *target;

	if (inside(function, address))
		return;
	target = pgb_elf_image_find_function(scan->image, address);
	if (target != NULL && target->address != address && inside(target, address))
		pgb_array_push(&scan->outside->entries, address);
}

static void note_taken(const struct scan *scan, uint64_t address)
{
	const struct pgb_elf_function *target = pgb_elf_image_find_function(scan->image, address);

	if (target != NULL && target->address != address && inside(target, address))
		pgb_array_push(&scan->outside->taken, address);
}

/*
 * Addresses of jump tables and of places in other functions. Without relocations anything that code
 * refers to ends the table before it.
 */
static void note_operands(const struct scan *scan, const struct pgb_elf_function *function,
			  const uint8_t *bytes, uint8_t length_bytes, uint64_t address)
{
	struct pgb_cfg_operands operands;
	bool is_table;

	if (scan->set != PGB_INSN_X86_64 || length_bytes < 6 ||
	    !pgb_cfg_x86_operands(bytes, length_bytes, address, &operands))
		return;
	if (operands.has_memory && operands.base < 0 && operands.index >= 0 &&
	    operands.scale == sizeof(uint64_t))
		pgb_array_push(&scan->outside->tables, (uint64_t)(int64_t)operands.displacement);
	if (!operands.rip_relative)
		return;
	is_table = !scan->has_relocations ||
		   pgb_elf_image_has_table_entry(scan->image, operands.address);
	if (is_table)
		pgb_array_push(&scan->outside->tables, operands.address);
	note_entry(scan, function, operands.address);
	note_taken(scan, operands.address);
}

/* What one function does to others: it jumps into them. */
static void scan_function(const struct scan *scan, const struct pgb_elf_function *function)
{
	struct pgb_cfg_walk walk;
	bool bad;

	if (function->is_plt)
		return;
	pgb_cfg_walk_start(&walk, scan->image, scan->set, function);
	while (pgb_cfg_walk_next(&walk, &bad)) {
		if (walk.insn.target != UINT64_MAX)
			note_entry(scan, function, walk.insn.target);
		else
			note_operands(scan, function, walk.bytes + walk.offset,
				      walk.insn.length_bytes, function->address + walk.offset);
	}
}

/* The name up to the first slash: llvm-bolt's numbers are behind it. */
static size_t base_length(const char *name)
{
	return strcspn(name, "/");
}

/* The length of the parent's name in a fragment's; 0: it is no fragment. */
static size_t parent_length(const char *name)
{
	size_t end = base_length(name);

	for (size_t at = end; at >= 5; at--) {
		if (strncmp(name + at - 5, ".cold", 5) == 0 ||
		    strncmp(name + at - 5, ".warm", 5) == 0)
			return at - 5;
	}
	return 0;
}

static void relate(struct pgb_cfg_outside *outside, const struct pgb_elf_function *fragment,
		   const struct pgb_elf_function *parent)
{
	if (parent == NULL || parent == fragment)
		return;
	pgb_array_push(&outside->relations, ((struct pgb_cfg_relation){fragment, parent}));
	pgb_array_push(&outside->relations, ((struct pgb_cfg_relation){parent, fragment}));
}

/* A fragment's parent has its name without .cold; of several local ones any may be meant. */
static void relate_fragment(struct pgb_cfg_outside *outside, const struct pgb_elf_image *image,
			    const struct pgb_elf_function *fragment, const char *name)
{
	size_t length = parent_length(name);
	const struct pgb_elf_function *parent;
	struct pgb_text text = {0};

	if (length == 0)
		return;
	pgb_text_add_bytes(&text, name, length);
	relate(outside, fragment, pgb_elf_image_function_named(image, text.data));
	for (unsigned int number = 1;; number++) {
		text.length = length;
		pgb_text_addf(&text, "/%u", number);
		parent = pgb_elf_image_function_named(image, text.data);
		if (parent == NULL || number > PGB_CFG_PARENTS_MOST)
			break;
		relate(outside, fragment, parent);
	}
	pgb_text_release(&text);
}

static int compare_relations(const void *a, const void *b)
{
	const struct pgb_cfg_relation *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	return (x->other > y->other) - (x->other < y->other);
}

void pgb_cfg_outside_init(struct pgb_cfg_outside *outside, const struct pgb_elf_image *image,
			  enum pgb_insn_set set, bool has_relocations)
{
	struct scan scan = {outside, image, set, has_relocations};

	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);

		scan_function(&scan, function);
		if (!function->is_fragment)
			continue;
		relate_fragment(outside, image, function, function->name);
		for (uint32_t a = 0; a < function->alias_count; a++)
			relate_fragment(outside, image, function,
					pgb_elf_image_alias(image, function->alias_first + a));
	}
	sort_addresses(&outside->entries);
	sort_addresses(&outside->tables);
	sort_addresses(&outside->taken);
	if (outside->relations.count > 1)
		qsort(outside->relations.items, outside->relations.count,
		      sizeof(*outside->relations.items), compare_relations);
}

void pgb_cfg_outside_release(struct pgb_cfg_outside *outside)
{
	pgb_array_release(&outside->entries);
	pgb_array_release(&outside->tables);
	pgb_array_release(&outside->taken);
	pgb_array_release(&outside->relations);
}

const struct pgb_cfg_relation *pgb_cfg_relations(const struct pgb_cfg_outside *outside,
						 const struct pgb_elf_function *function,
						 size_t *count)
{
	size_t at = pgb_search(outside->relations.count, i,
			       outside->relations.items[i].function < function);
	size_t last;

	for (last = at; last < outside->relations.count &&
			outside->relations.items[last].function == function;)
		last++;
	*count = last - at;
	return outside->relations.items + at;
}

const uint64_t *pgb_cfg_outside_entries(const struct pgb_cfg_outside *outside,
					const struct pgb_elf_function *function, size_t *count)
{
	size_t low = lower_bound(&outside->entries, function->address), last;

	for (last = low;
	     last < outside->entries.count && inside(function, outside->entries.items[last]);)
		last++;
	*count = last - low;
	return outside->entries.items + low;
}

bool pgb_cfg_outside_takes(const struct pgb_cfg_outside *outside,
			   const struct pgb_elf_function *function)
{
	size_t at = lower_bound(&outside->taken, function->address);

	return at < outside->taken.count && inside(function, outside->taken.items[at]);
}

uint64_t pgb_cfg_next_table(const struct pgb_cfg_outside *outside, uint64_t address)
{
	size_t at = lower_bound(&outside->tables, address + 1);

	return at < outside->tables.count ? outside->tables.items[at] : UINT64_MAX;
}
