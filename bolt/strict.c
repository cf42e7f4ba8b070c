/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/strict.h"

#include <elf.h>
#include <stdlib.h>

#include "bolt/strict_private.h"

#ifndef SHT_RELR
#define SHT_RELR 19
#endif

struct range {
	uint64_t start, end;
};

struct prover {
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs;
	PGB_ARRAY(struct range) tables; /* of distances, that are understood */
	/* Where targets of distances lie that belong to no such table, and more. */
	PGB_ARRAY(struct range) distant;
};

/* ---- distances */

static void note_tables(struct prover *prover, const struct pgb_cfg_builder *builder)
{
	for (size_t i = 0; i < builder->tables.count; i++) {
		const struct pgb_cfg_table *table = &builder->tables.items[i];
		uint64_t bytes = (uint64_t)table->entry_count * table->entry_bytes;

		if (table->entry_bytes == sizeof(uint32_t))
			pgb_array_push(&prover->tables,
				       ((struct range){table->address, table->address + bytes}));
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/*
 * An entry without a table: its target is as far before its sum as the table's start is before it.
 * The table starts no earlier than the run of entries does.
 */
static void note_distances(struct prover *prover)
{
	size_t count, table = 0;
	const struct pgb_elf_distance *all = pgb_elf_image_distances(prover->image, &count);
	uint64_t run = 0;

	if (prover->tables.count > 1)
		qsort(prover->tables.items, prover->tables.count, sizeof(*prover->tables.items),
		      compare_ranges);
	for (size_t i = 0; i < count; i++) {
		uint64_t place = all[i].place;

		if (i == 0 || place - all[i - 1].place > sizeof(uint32_t))
			run = place;
		while (table < prover->tables.count && prover->tables.items[table].end <= place)
			table++;
		if (table < prover->tables.count && prover->tables.items[table].start <= place)
			continue;
		pgb_array_push(&prover->distant,
			       ((struct range){all[i].sum - (place - run), all[i].sum + 1}));
	}
}

static bool is_distant(const struct prover *prover, const struct pgb_elf_function *function)
{
	for (size_t i = 0; i < prover->distant.count; i++) {
		const struct range *range = &prover->distant.items[i];

		if (range->start < function->address + function->size_bytes &&
		    range->end > function->address + 1)
			return true;
	}
	return false;
}

/* ---- words of data with addresses inside the function */

static bool is_target(const struct pgb_cfg_builder *builder, uint64_t address)
{
	uint32_t offset = (uint32_t)(address - builder->function->address);

	for (size_t i = 0; i < builder->table_targets.count; i++) {
		if (builder->table_targets.items[i] == offset)
			return true;
	}
	return false;
}

/* Those that the loader fills in, and others; at the function's start there is nothing special. */
static bool has_words(const struct prover *prover, const struct pgb_elf_function *function,
		      const struct pgb_cfg_builder *builder)
{
	uint64_t start = function->address + 1, end = function->address + function->size_bytes;
	const struct pgb_elf_reference *references;
	const uint64_t *targets;
	size_t count;

	targets = pgb_elf_image_loader_targets(prover->image, start, end, &count);
	for (size_t i = 0; i < count; i++) {
		if (builder == NULL || !is_target(builder, targets[i]))
			return true;
	}
	references = pgb_elf_image_references(prover->image, start, end, &count);
	for (size_t i = 0; i < count; i++) {
		if (references[i].by == PGB_ELF_BY_DATA &&
		    (builder == NULL || !is_target(builder, references[i].address)))
			return true;
	}
	return false;
}

/* ---- one function */

static bool has_unknown_jump(const struct pgb_cfg_builder *builder)
{
	for (size_t i = 0; i < builder->transfers.count; i++) {
		if (builder->transfers.items[i].kind == PGB_INSN_JUMP_INDIRECT &&
		    !builder->transfers.items[i].knows_targets)
			return true;
	}
	return false;
}

static bool is_taken(const struct prover *prover, const struct pgb_cfg_builder *builder,
		     const struct pgb_elf_function *function)
{
	size_t count;

	pgb_elf_image_code_addresses(prover->image, function->address,
				     function->address + function->size_bytes, &count);
	return count > 0 || pgb_cfg_outside_takes(builder->outside, function);
}

/* Of a function in several parts: does anything but direct branches lead into another part? */
static bool parts_are_reached(const struct prover *prover, const struct pgb_cfg_builder *builder)
{
	size_t count;
	const struct pgb_cfg_relation *relations =
		pgb_cfg_relations(builder->outside, builder->function, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pgb_elf_function *part = relations[i].other;

		if (has_words(prover, part, NULL) || is_taken(prover, builder, part) ||
		    is_distant(prover, part) || part->entry_count > 0 ||
		    builder->other_targets.count > 0 || builder->tables.count > 0)
			return true;
	}
	return false;
}

/* Can they be computed? */
static struct pgb_strict_function judge_jumps(const struct prover *prover,
					      struct pgb_cfg_builder *builder, bool words)
{
	const struct pgb_elf_function *function = builder->function;
	struct pgb_strict_function verdict = {.function = function, .kind = PGB_STRICT_COMPUTED};

	if (is_taken(prover, builder, function))
		verdict.why = "instructions name addresses inside it";
	else if (is_distant(prover, function))
		verdict.why = "distances that belong to no known table may lead into it";
	else if (!pgb_strict_targets_are_plain(builder, words))
		verdict.why = "it may compute where it jumps to";
	return verdict;
}

static struct pgb_strict_function judge(const struct prover *prover,
					struct pgb_cfg_builder *builder, bool jumps, bool words)
{
	const struct pgb_elf_function *function = builder->function;
	struct pgb_strict_function verdict = {.function = function};
	size_t parts;

	pgb_cfg_relations(builder->outside, function, &parts);
	if (!jumps)
		verdict.why = "data holds addresses inside it, but it does not jump there";
	else if (function->entry_count > 0)
		verdict.why = "it has several entries";
	else if (parts > 0 && (words || parts_are_reached(prover, builder)))
		verdict.why = "it is in several parts";
	else
		verdict = judge_jumps(prover, builder, words);
	if (verdict.why == NULL)
		verdict.kind = words			   ? PGB_STRICT_GOTOS
			       : builder->tables.count > 0 ? PGB_STRICT_TABLES
							   : PGB_STRICT_TAIL_CALLS;
	return verdict;
}

static void prove(struct prover *prover, struct pgb_strict *strict,
		  const struct pgb_elf_function *function)
{
	struct pgb_cfg_builder *builder = pgb_cfgs_rebuild(prover->cfgs, function);
	struct pgb_strict_function verdict = {.function = function,
					      .why = "its code cannot be read"};
	bool jumps, words;

	if (builder != NULL) {
		jumps = has_unknown_jump(builder);
		words = has_words(prover, function, builder);
		if (!jumps && !words)
			return;
		verdict = judge(prover, builder, jumps, words);
	}
	pgb_array_push(&strict->functions, verdict);
}

/* Code that -strict says nothing about: there is none, or llvm-bolt has its own. */
static bool is_code(const struct pgb_elf_function *function)
{
	return !function->is_plt && function->size_bytes > 0;
}

static void prove_all(struct prover *prover, struct pgb_strict *strict)
{
	size_t count = pgb_elf_image_function_count(prover->image);

	for (size_t i = 0; i < count; i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(prover->image, i);
		const struct pgb_cfg_builder *builder =
			is_code(function) ? pgb_cfgs_rebuild(prover->cfgs, function) : NULL;

		if (builder != NULL)
			note_tables(prover, builder);
	}
	note_distances(prover);
	for (size_t i = 0; i < count; i++) {
		if (is_code(pgb_elf_image_function(prover->image, i)))
			prove(prover, strict, pgb_elf_image_function(prover->image, i));
	}
}

/* Packed ones of labels are beyond llvm-bolt. */
static bool packs_relocations(const struct pgb_elf_image *image)
{
	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++) {
		if (pgb_elf_image_section(image, i)->type == SHT_RELR)
			return true;
	}
	return false;
}

int pgb_strict_prove(struct pgb_strict *strict, struct pgb_elf_image *image,
		     struct pgb_error *error)
{
	struct prover prover = {.image = image};
	int code;

	*strict = (struct pgb_strict){0};
	if (pgb_elf_image_binary(image)->machine != EM_X86_64 ||
	    !pgb_elf_image_has_code_relocations(image) || packs_relocations(image))
		return 0;
	code = pgb_cfgs_new(&prover.cfgs, image, error);
	if (code != 0)
		return code;
	prove_all(&prover, strict);
	pgb_cfgs_free(prover.cfgs);
	pgb_array_release(&prover.tables);
	pgb_array_release(&prover.distant);
	return 0;
}

const char *pgb_strict_kind_name(enum pgb_strict_kind kind)
{
	switch (kind) {
	case PGB_STRICT_TAIL_CALLS:
		return "tail calls";
	case PGB_STRICT_TABLES:
		return "far jump tables";
	case PGB_STRICT_GOTOS:
		return "computed gotos";
	default:
		return NULL;
	}
}

void pgb_strict_release(struct pgb_strict *strict)
{
	pgb_array_release(&strict->functions);
}
