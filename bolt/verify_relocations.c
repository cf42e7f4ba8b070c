/* SPDX-License-Identifier: MIT */
/*
 * Relocations: those that the linker kept for llvm-bolt, and those that the dynamic loader applies.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/number.h"
#include "pgobolt/bolt/arch.h"

/* ---- before: the kept ones */

struct kept {
	size_t count, in_functions;
	size_t outside; /* of the section that they are for */
	size_t unknown; /* kinds */
	size_t symbols; /* that do not exist */
	uint64_t example;
};

static void audit_section(struct pgb_elf_image *image, const struct pgb_arch *arch,
			  const struct pgb_elf_section *section, struct kept *kept)
{
	const struct pgb_elf_section *target = pgb_elf_image_section(image, section->info);
	const struct pgb_elf_section *symbols = pgb_elf_image_section(image, section->link);
	const uint8_t *bytes = pgb_elf_image_section_bytes(image, section);
	uint64_t count = bytes ? section->size_bytes / sizeof(Elf64_Rela) : 0;
	uint64_t symbol_count = symbols ? symbols->size_bytes / sizeof(Elf64_Sym) : 0;
	struct pgb_cursor cursor = pgb_cursor_of(bytes, (size_t)count * sizeof(Elf64_Rela));

	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset = pgb_cursor_u64(&cursor), info = pgb_cursor_u64(&cursor);
		bool wrong = false;

		pgb_cursor_skip(&cursor, sizeof(uint64_t));
		kept->count++;
		if (offset < target->address || offset - target->address >= target->size_bytes) {
			kept->outside++;
			wrong = true;
		}
		if (ELF64_R_SYM(info) >= symbol_count) {
			kept->symbols++;
			wrong = true;
		}
		kept->unknown +=
			pgb_arch_find_relocation(arch, (uint32_t)ELF64_R_TYPE(info)) == NULL;
		kept->in_functions += !wrong && (target->flags & SHF_EXECINSTR) &&
				      pgb_elf_image_find_function(image, offset) != NULL;
		if (wrong && kept->example == 0)
			kept->example = offset;
	}
}

void pgb_verify_kept_relocations(struct pgb_elf_image *image, struct pgb_findings *findings)
{
	const struct pgb_arch *arch = pgb_arch_find(pgb_elf_image_binary(image)->machine);
	size_t of_code = 0;
	struct kept kept = {0};

	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++) {
		const struct pgb_elf_section *section = pgb_elf_image_section(image, i);
		const struct pgb_elf_section *target;
		size_t before = kept.count;

		if (section->type != SHT_RELA || (section->flags & SHF_ALLOC))
			continue;
		target = pgb_elf_image_section(image, section->info);
		if (target == NULL || !(target->flags & SHF_ALLOC))
			continue;
		audit_section(image, arch, section, &kept);
		if (target->flags & SHF_EXECINSTR)
			of_code += kept.count - before;
	}
	if (kept.count == 0)
		return;
	if (kept.outside > 0 || kept.symbols > 0)
		pgb_findings_add(
			findings, PGB_FINDING_ERROR, PGB_E_NOT_SUITABLE, "relocation-audit",
			"a linker fault: link with another one (-fuse-ld=bfd, lld or mold)",
			"%zu of %s outside their section or of a symbol that is not there, %#llx "
			"first",
			kept.outside + kept.symbols, PGB_PLURAL(kept.count, "kept relocation"),
			(unsigned long long)kept.example);
	else
		pgb_findings_add(findings, kept.unknown ? PGB_FINDING_WARNING : PGB_FINDING_GOOD, 0,
				 "relocation-audit", NULL,
				 "%s kept, %zu of code, %zu of these in functions%s",
				 PGB_PLURAL(kept.count, "relocation"), of_code, kept.in_functions,
				 kept.unknown ? "; some of an unknown kind" : "");
}

/* ---- after: the dynamic ones */

struct slot {
	uint64_t place, addend;
	uint32_t type, symbol;
};

typedef PGB_ARRAY(struct slot) slots;

static struct pgb_cursor table_of(const struct pgb_elf_dynamic *dynamic, int64_t tag, int64_t size,
				  size_t entry_bytes, uint64_t *count)
{
	const struct pgb_elf_dynamic_entry *start = pgb_elf_dynamic_find(dynamic, tag);
	const struct pgb_elf_dynamic_entry *length = pgb_elf_dynamic_find(dynamic, size);
	const struct pgb_elf_program_header *segment =
		start ? pgb_elf_dynamic_segment_at(dynamic, start->value) : NULL;
	struct pgb_cursor cursor = pgb_cursor_of(NULL, 0);

	*count = 0;
	if (segment == NULL || length == NULL)
		return cursor;
	cursor = pgb_elf_dynamic_bytes(dynamic, segment);
	pgb_cursor_skip(&cursor, start->value - segment->address);
	*count = length->value / entry_bytes;
	if (!pgb_cursor_holds(&cursor, *count, entry_bytes))
		*count = 0;
	return cursor;
}

static void read_rela(const struct pgb_elf_dynamic *dynamic, int64_t tag, int64_t size, slots *list)
{
	uint64_t count;
	struct pgb_cursor cursor = table_of(dynamic, tag, size, sizeof(Elf64_Rela), &count);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t place = pgb_cursor_u64(&cursor), info = pgb_cursor_u64(&cursor);
		struct slot slot = {.place = place,
				    .type = (uint32_t)ELF64_R_TYPE(info),
				    .symbol = (uint32_t)ELF64_R_SYM(info),
				    .addend = pgb_cursor_u64(&cursor)};

		pgb_array_push(list, slot);
	}
}

/* What stands in memory before the loader adds the base: RELR keeps its addends there. */
static uint64_t word_at(const struct pgb_elf_image *image, uint64_t address)
{
	size_t left;
	const uint8_t *bytes = pgb_elf_image_bytes_at(image, address, &left);
	uint64_t word = 0;

	if (bytes != NULL && left >= sizeof(word))
		memcpy(&word, bytes, sizeof(word));
	return word;
}

static void add_relative(const struct pgb_elf_image *image, uint64_t place, uint32_t type,
			 slots *list)
{
	struct slot slot = {.place = place, .type = type, .addend = word_at(image, place)};

	pgb_array_push(list, slot);
}

/* Addresses (even) and bitmaps (odd) of the 63 words behind: gABI, DT_RELR. */
static void read_relr(const struct pgb_elf_dynamic *dynamic, const struct pgb_elf_image *image,
		      uint32_t type, slots *list)
{
	uint64_t count, place = 0;
	struct pgb_cursor cursor = table_of(dynamic, DT_RELR, DT_RELRSZ, sizeof(uint64_t), &count);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t word = pgb_cursor_u64(&cursor);

		if ((word & 1) == 0) {
			add_relative(image, word, type, list);
			place = word + 8;
			continue;
		}
		for (unsigned int bit = 1; bit < 64; bit++)
			if (word >> bit & 1)
				add_relative(image, place + 8 * (uint64_t)(bit - 1), type, list);
		place += UINT64_C(63) * 8;
	}
}

static int compare_slots(const void *a, const void *b)
{
	const struct slot *left = a, *right = b;

	if (left->place != right->place)
		return left->place < right->place ? -1 : 1;
	return (left->type > right->type) - (left->type < right->type);
}

static void read_slots(const struct pgb_elf_dynamic *dynamic, const struct pgb_elf_image *image,
		       const struct pgb_arch *arch, slots *list)
{
	read_rela(dynamic, DT_RELA, DT_RELASZ, list);
	read_rela(dynamic, DT_JMPREL, DT_PLTRELSZ, list);
	read_relr(dynamic, image, arch->relocation_relative, list);
	if (list->count > 0)
		qsort(list->items, list->count, sizeof(list->items[0]), compare_slots);
}

/* Do the two have a name in common, llvm-bolt's numbers aside? */
static bool same_name(const struct pgb_elf_image *a, const struct pgb_elf_function *x,
		      const struct pgb_elf_image *b, const struct pgb_elf_function *y)
{
	for (uint32_t i = 0; i <= x->alias_count; i++) {
		const char *left =
			i == 0 ? x->name : pgb_elf_image_alias(a, x->alias_first + i - 1);
		size_t length = strcspn(left, "/");

		for (uint32_t k = 0; k <= y->alias_count; k++) {
			const char *right =
				k == 0 ? y->name : pgb_elf_image_alias(b, y->alias_first + k - 1);

			if (strcspn(right, "/") == length && strncmp(left, right, length) == 0)
				return true;
		}
	}
	return false;
}

/* A pointer to a function: is it still one to the same? */
static bool points_to_same(const struct pgb_comparison *comparison, const struct slot *before,
			   const struct slot *after, size_t *pointers)
{
	const struct pgb_elf_function *from =
		pgb_elf_image_find_function(comparison->original, before->addend);
	const struct pgb_elf_function *to;

	if (from == NULL || from->address != before->addend || from->is_plt || !from->from_symbol)
		return true;
	++*pointers;
	to = pgb_elf_image_find_function(comparison->optimized, after->addend);
	if (to == NULL || to->address != after->addend)
		return false;
	return same_name(comparison->original, from, comparison->optimized, to);
}

static void bad(struct pgb_comparison *comparison, const char *what, uint64_t place, size_t count)
{
	pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK,
			 "dynamic-relocations", NULL, "dynamic relocations: %zu %s, at %#llx first",
			 count, what, (unsigned long long)place);
}

static void compare_lists(struct pgb_comparison *comparison, const slots *before,
			  const slots *after, uint32_t relative)
{
	size_t missing = 0, astray = 0, pointers = 0, k = 0;
	uint64_t first_missing = 0, first_astray = 0;
	bool named = pgb_elf_image_has_symbols(comparison->optimized);

	for (size_t i = 0; i < before->count; i++) {
		const struct slot *slot = &before->items[i];

		while (k < after->count && compare_slots(&after->items[k], slot) < 0)
			k++;
		if (k == after->count || compare_slots(&after->items[k], slot) != 0 ||
		    after->items[k].symbol != slot->symbol) {
			if (missing++ == 0)
				first_missing = slot->place;
			continue;
		}
		if (named && slot->type == relative &&
		    !points_to_same(comparison, slot, &after->items[k], &pointers) && astray++ == 0)
			first_astray = slot->place;
	}
	if (missing > 0)
		bad(comparison, "are gone or changed", first_missing, missing);
	if (astray > 0)
		bad(comparison, "pointers to functions go astray", first_astray, astray);
	if (missing == 0 && astray == 0)
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "dynamic-relocations",
				 NULL, "%s kept, %zu of pointers to functions",
				 PGB_PLURAL(before->count, "dynamic relocation"), pointers);
}

void pgb_verify_dynamic_relocations(struct pgb_comparison *comparison)
{
	const struct pgb_arch *arch =
		pgb_arch_find(pgb_elf_image_binary(comparison->original)->machine);
	slots before = {0}, after = {0};

	read_slots(&comparison->before, comparison->original, arch, &before);
	read_slots(&comparison->after, comparison->optimized, arch, &after);
	if (before.count > 0)
		compare_lists(comparison, &before, &after, arch->relocation_relative);
	pgb_array_release(&before);
	pgb_array_release(&after);
}
