/* SPDX-License-Identifier: MIT */
/*
 * References into functions, from the relocations that -Wl,--emit-relocs keeps
 * (RewriteInstance::handleRelocation), and data in code, from mapping symbols.
 */
#include "pgobolt/bolt/elf_image_code.h"
#include "pgobolt/base/search.h"

#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"

/* Relocations in these say nothing about code: llvm-bolt rewrites or regenerates them. */
static const char *const skipped_sections[] = {
	".plt", ".rela.plt", ".got.plt", ".eh_frame", ".gcc_except_table",
};

struct reader {
	struct pgb_elf_image *image;
	const struct pgb_elf_section *relocated;
	const struct pgb_elf_section *symbols;
	Elf_Data *symbol_data;
	bool in_code;
};

static bool is_skipped(const struct pgb_elf_section *section)
{
	for (size_t i = 0; i < sizeof(skipped_sections) / sizeof(skipped_sections[0]); i++) {
		if (strcmp(section->name, skipped_sections[i]) == 0)
			return true;
	}
	return false;
}

/* Sorted by address: compare only that. */
static size_t lower_bound(const uint64_t *sorted, size_t count, uint64_t address)
{
	return pgb_search(count, i, sorted[i] < address);
}

static bool is_in(const uint64_t *sorted, size_t count, uint64_t address)
{
	size_t at = lower_bound(sorted, count, address);

	return at < count && sorted[at] == address;
}

/* The function that holds the address, by its size and not by what follows it. */
static const struct pgb_elf_function *function_at(const struct pgb_elf_image *image,
						  uint64_t address)
{
	const struct pgb_elf_function *function = pgb_elf_image_find_function(image, address);

	return function && address - function->address < function->size_bytes ? function : NULL;
}

/* A reference to `to` from the relocated place `from`; `symbol` is 0 for a section's. */
static void add_reference(struct reader *reader, uint64_t from, uint64_t symbol, uint64_t to,
			  bool others_only)
{
	struct pgb_elf_image *image = reader->image;
	const struct pgb_elf_function *function = function_at(image, to), *origin;
	struct pgb_elf_reference reference = {.address = to, .by = PGB_ELF_BY_DATA};

	if (function == NULL || function->address == to)
		return;
	/* A distance from one function into another means neither. */
	origin = function_at(image, symbol);
	if (origin != NULL && origin != function)
		return;
	if (reader->in_code) {
		origin = pgb_elf_image_find_function(image, from);
		reference.by = origin == function ? PGB_ELF_BY_SAME : PGB_ELF_BY_OTHER;
		if (origin == function && others_only)
			return;
	}
	pgb_array_push(&image->references, reference);
}

static void add_code_address(struct pgb_elf_image *image, uint64_t to)
{
	const struct pgb_elf_function *function = function_at(image, to);

	if (function != NULL && function->address != to)
		pgb_array_push(&image->code_addresses, to);
}

static void read_relocation(struct reader *reader, const GElf_Rela *rela)
{
	struct pgb_elf_image *image = reader->image;
	const struct pgb_arch_relocation *type =
		pgb_arch_find_relocation(image->arch, (uint32_t)GELF_R_TYPE(rela->r_info));
	uint64_t symbol_index = GELF_R_SYM(rela->r_info);
	const struct pgb_elf_section *section;
	bool is_section;
	GElf_Sym sym;

	if (type == NULL || type->size_bytes == 0 || symbol_index >= INT32_MAX ||
	    gelf_getsym(reader->symbol_data, (int)symbol_index, &sym) == NULL ||
	    GELF_ST_TYPE(sym.st_info) == STT_TLS || sym.st_value == 0)
		return;
	is_section = GELF_ST_TYPE(sym.st_info) == STT_SECTION;
	section = pgb_elf_image_section_at(image, sym.st_value);
	if (section == NULL || !(section->flags & SHF_EXECINSTR))
		return;
	if (image->arch->pc_relative_is_opaque && type->pc_relative) {
		/* Only that there is a jump table entry: its value needs the table's start. */
		if (!reader->in_code)
			pgb_array_push(
				&image->distances,
				((struct pgb_elf_distance){
					rela->r_offset, sym.st_value + (uint64_t)rela->r_addend}));
		else
			/* The function's own are seen when it is decoded. */
			add_reference(reader, rela->r_offset, is_section ? 0 : sym.st_value,
				      sym.st_value + (uint64_t)rela->r_addend + type->size_bytes,
				      true);
		return;
	}
	/* What the loader fills in is what counts there. */
	if (image->arch->pc_relative_is_opaque &&
	    is_in(image->dynamic_places.items, image->dynamic_places.count, rela->r_offset))
		return;
	if (reader->in_code)
		add_code_address(image, sym.st_value + (uint64_t)rela->r_addend);
	else
		pgb_array_push(&image->code_pointers, rela->r_offset);
	add_reference(reader, rela->r_offset, is_section ? 0 : sym.st_value,
		      sym.st_value + (uint64_t)rela->r_addend, false);
}

static int read_section(struct pgb_elf_image *image, const struct pgb_elf_section *section,
			struct pgb_error *error)
{
	struct reader reader = {.image = image};
	Elf_Data *data;
	size_t count;
	GElf_Rela rela;

	reader.relocated = pgb_elf_image_section(image, section->info);
	reader.symbols = pgb_elf_image_section(image, section->link);
	if (reader.relocated == NULL || section->info == 0 ||
	    !(reader.relocated->flags & SHF_ALLOC) || is_skipped(reader.relocated) ||
	    reader.symbols == NULL || reader.symbols->type != SHT_SYMTAB)
		return 0;
	data = elf_getdata(elf_getscn(image->elf, section->index), NULL);
	reader.symbol_data = elf_getdata(elf_getscn(image->elf, reader.symbols->index), NULL);
	if (data == NULL || data->d_buf == NULL || reader.symbol_data == NULL)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: the relocations in %s: %s",
				image->binary.path, section->name, elf_errmsg(-1));
	reader.in_code = reader.relocated->flags & SHF_EXECINSTR;
	count = data->d_size / sizeof(Elf64_Rela);
	for (size_t i = 0; i < count && i < INT32_MAX; i++) {
		if (gelf_getrela(data, (int)i, &rela) != NULL)
			read_relocation(&reader, &rela);
	}
	return 0;
}

/* Addresses that the loader fills in, of computed gotos say: anybody may jump there. */
static void add_dynamic_references(struct pgb_elf_image *image)
{
	for (size_t i = 0; i < image->dynamic_targets.count; i++) {
		uint64_t to = image->dynamic_targets.items[i];
		const struct pgb_elf_function *function = function_at(image, to);

		if (function != NULL && function->address != to)
			pgb_array_push(&image->references,
				       ((struct pgb_elf_reference){to, PGB_ELF_BY_OTHER}));
	}
}

static int compare_references(const void *a, const void *b)
{
	const struct pgb_elf_reference *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return (int)x->by - (int)y->by;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int compare_distances(const void *a, const void *b)
{
	const struct pgb_elf_distance *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

static void sort_unique_references(struct pgb_elf_image *image)
{
	size_t kept = 0;

	if (image->references.count > 1)
		qsort(image->references.items, image->references.count,
		      sizeof(image->references.items[0]), compare_references);
	for (size_t i = 0; i < image->references.count; i++) {
		if (kept == 0 || compare_references(&image->references.items[kept - 1],
						    &image->references.items[i]) != 0)
			image->references.items[kept++] = image->references.items[i];
	}
	image->references.count = kept;
}

static void sort_addresses(uint64_t *addresses, size_t count)
{
	if (count > 1)
		qsort(addresses, count, sizeof(*addresses), compare_addresses);
}

int pgb_elf_image_load_code(struct pgb_elf_image *image, struct pgb_error *error)
{
	int code = pgb_elf_image_discover(image, error);

	if (code != 0 || image->code_loaded)
		return code;
	pgb_elf_image_read_dynamic_places(image);
	add_dynamic_references(image);
	/* llvm-bolt heeds static ones only where code has them too. */
	if (pgb_elf_image_has_code_relocations(image)) {
		sort_addresses(image->dynamic_places.items, image->dynamic_places.count);
		for (size_t i = 1; code == 0 && i < image->sections.count; i++) {
			const struct pgb_elf_section *section = &image->sections.items[i];

			if (section->type == SHT_RELA && !(section->flags & SHF_ALLOC))
				code = read_section(image, section, error);
		}
	}
	sort_unique_references(image);
	if (image->distances.count > 1)
		qsort(image->distances.items, image->distances.count,
		      sizeof(image->distances.items[0]), compare_distances);
	sort_addresses(image->code_pointers.items, image->code_pointers.count);
	sort_addresses(image->code_addresses.items, image->code_addresses.count);
	sort_addresses(image->dynamic_targets.items, image->dynamic_targets.count);
	image->code_loaded = code == 0;
	return code;
}

const struct pgb_elf_reference *pgb_elf_image_references(const struct pgb_elf_image *image,
							 uint64_t start, uint64_t end,
							 size_t *count)
{
	size_t at =
		pgb_search(image->references.count, i, image->references.items[i].address < start);
	size_t last;

	for (last = at;
	     last < image->references.count && image->references.items[last].address < end;)
		last++;
	*count = last - at;
	return image->references.items + at;
}

bool pgb_elf_image_has_table_entry(const struct pgb_elf_image *image, uint64_t address)
{
	size_t at =
		pgb_search(image->distances.count, i, image->distances.items[i].place < address);

	return at < image->distances.count && image->distances.items[at].place == address;
}

const struct pgb_elf_distance *pgb_elf_image_distances(const struct pgb_elf_image *image,
						       size_t *count)
{
	*count = image->distances.count;
	return image->distances.items;
}

/* Those of sorted addresses that are in [start, end). */
static const uint64_t *between(const uint64_t *sorted, size_t all, uint64_t start, uint64_t end,
			       size_t *count)
{
	size_t first = lower_bound(sorted, all, start);

	*count = lower_bound(sorted, all, end) - first;
	return sorted + first;
}

const uint64_t *pgb_elf_image_loader_targets(const struct pgb_elf_image *image, uint64_t start,
					     uint64_t end, size_t *count)
{
	return between(image->dynamic_targets.items, image->dynamic_targets.count, start, end,
		       count);
}

const uint64_t *pgb_elf_image_code_addresses(const struct pgb_elf_image *image, uint64_t start,
					     uint64_t end, size_t *count)
{
	return between(image->code_addresses.items, image->code_addresses.count, start, end, count);
}

bool pgb_elf_image_has_code_pointer(const struct pgb_elf_image *image, uint64_t address)
{
	return is_in(image->code_pointers.items, image->code_pointers.count, address);
}

const struct pgb_elf_section *pgb_elf_image_section_containing(const struct pgb_elf_image *image,
							       uint64_t address)
{
	return pgb_elf_image_section_at(image, address);
}

uint64_t pgb_elf_image_data_bytes_at(const struct pgb_elf_image *image,
				     const struct pgb_elf_function *function, uint64_t address)
{
	uint64_t end = function->address + function->max_size_bytes;
	size_t at = pgb_search(image->markers.count, i, image->markers.items[i].address < address);

	if (at == image->markers.count || image->markers.items[at].address != address ||
	    !image->markers.items[at].data)
		return 0;
	for (; at < image->markers.count && image->markers.items[at].address < end; at++) {
		if (!image->markers.items[at].data)
			return image->markers.items[at].address - address;
	}
	return end - address;
}

uint64_t pgb_elf_image_object_bytes_at(const struct pgb_elf_image *image, uint64_t address)
{
	size_t at = pgb_search(image->objects.count, i, image->objects.items[i].address < address);

	return at < image->objects.count && image->objects.items[at].address == address
		       ? image->objects.items[at].size_bytes
		       : 0;
}
