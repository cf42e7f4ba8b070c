/* SPDX-License-Identifier: MIT */
/*
 * Dynamic relocations: the places that the loader fills in, and with what.
 */
#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"

#ifndef SHT_RELR
#define SHT_RELR 19
#endif

/* The relocations of one dynamic relocation section (NULL: none). */
static void read_section(struct pgb_elf_image *image, const struct pgb_elf_section *section,
			 struct pgb_elf_slots *slots)
{
	const struct pgb_elf_section *symbols;
	Elf_Data *data, *symbol_data = NULL;
	size_t count;

	if (section == NULL || section->type != SHT_RELA)
		return;
	data = elf_getdata(elf_getscn(image->elf, section->index), NULL);
	count = data && data->d_buf ? data->d_size / sizeof(Elf64_Rela) : 0;
	symbols = pgb_elf_image_section(image, section->link);
	if (symbols != NULL && symbols->type == SHT_DYNSYM)
		symbol_data = elf_getdata(elf_getscn(image->elf, symbols->index), NULL);
	for (size_t i = 0; i < count && i < INT32_MAX; i++) {
		struct pgb_elf_slot slot;
		GElf_Rela rela;
		GElf_Sym sym;

		if (gelf_getrela(data, (int)i, &rela) == NULL)
			break;
		slot = (struct pgb_elf_slot){.address = rela.r_offset,
					     .addend = (uint64_t)rela.r_addend,
					     .type = (uint32_t)GELF_R_TYPE(rela.r_info)};
		if (GELF_R_SYM(rela.r_info) != 0 && symbol_data != NULL &&
		    GELF_R_SYM(rela.r_info) < INT32_MAX &&
		    gelf_getsym(symbol_data, (int)GELF_R_SYM(rela.r_info), &sym) != NULL)
			slot.symbol = elf_strptr(image->elf, symbols->link, sym.st_name);
		pgb_array_push(slots, slot);
	}
}

static int compare_slots(const void *a, const void *b)
{
	const struct pgb_elf_slot *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* The value of an entry of the dynamic section; 0 where there is none. */
static uint64_t dynamic_value(struct pgb_elf_image *image, const struct pgb_elf_section *dynamic,
			      int64_t tag)
{
	Elf_Data *data = elf_getdata(elf_getscn(image->elf, dynamic->index), NULL);
	size_t count = data && data->d_buf ? data->d_size / sizeof(Elf64_Dyn) : 0;
	GElf_Dyn entry;

	for (size_t i = 0; i < count && i < INT32_MAX; i++) {
		if (gelf_getdyn(data, (int)i, &entry) == NULL || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == tag)
			return entry.d_un.d_val;
	}
	return 0;
}

/*
 * The sections that the dynamic section names. A static executable has none: there llvm-bolt looks
 * at .rela.dyn alone, and slots that ld.bfd puts into .rela.plt stay without a name.
 */
void pgb_elf_image_read_slots(struct pgb_elf_image *image, struct pgb_elf_slots *slots)
{
	const struct pgb_elf_section *dynamic = pgb_elf_image_find_section(image, ".dynamic");
	uint64_t lazy = dynamic ? dynamic_value(image, dynamic, DT_JMPREL) : 0;
	uint64_t bound = dynamic ? dynamic_value(image, dynamic, DT_RELA) : 0;

	if (dynamic == NULL) {
		read_section(image, pgb_elf_image_find_section(image, ".rela.dyn"), slots);
	} else {
		read_section(image, pgb_elf_image_section_at(image, lazy), slots);
		if (bound != lazy)
			read_section(image, pgb_elf_image_section_at(image, bound), slots);
	}
	if (slots->count > 1)
		qsort(slots->items, slots->count, sizeof(slots->items[0]), compare_slots);
}

/*
 * Packed relative relocations: an even word is a place, an odd one says which of the 63 words
 * behind the last place are (gABI, SHT_RELR).
 */
static void read_packed(struct pgb_elf_image *image, const struct pgb_elf_section *section)
{
	const uint8_t *bytes = pgb_elf_image_section_bytes(image, section);
	struct pgb_cursor cursor = pgb_cursor_of(bytes, bytes ? section->size_bytes : 0);
	uint64_t place = 0;

	while (pgb_cursor_holds(&cursor, 1, sizeof(uint64_t))) {
		uint64_t word = pgb_cursor_u64(&cursor);

		if (!(word & 1)) {
			pgb_array_push(&image->dynamic_places, word);
			place = word + sizeof(uint64_t);
			continue;
		}
		for (unsigned int bit = 0; bit < 63; bit++) {
			if (word >> (bit + 1) & 1)
				pgb_array_push(&image->dynamic_places,
					       place + bit * sizeof(uint64_t));
		}
		place += 63 * sizeof(uint64_t);
	}
}

void pgb_elf_image_read_dynamic_places(struct pgb_elf_image *image)
{
	struct pgb_elf_slots slots = {0};

	pgb_elf_image_read_slots(image, &slots);
	for (size_t i = 0; i < slots.count; i++) {
		pgb_array_push(&image->dynamic_places, slots.items[i].address);
		if (slots.items[i].type == image->arch->relocation_relative)
			pgb_array_push(&image->dynamic_targets, slots.items[i].addend);
	}
	pgb_array_release(&slots);
	for (size_t i = 1; i < image->sections.count; i++) {
		if (image->sections.items[i].type == SHT_RELR) {
			read_packed(image, &image->sections.items[i]);
			break;
		}
	}
}
