/* SPDX-License-Identifier: MIT */
/*
 * The symbols that llvm-bolt considers, in its order (RewriteInstance::discoverFileObjects):
 * absolute ones and those that lie within an allocated section; by address, then mapping symbols,
 * functions, others, section symbols, then as they stand in .symtab.
 */
#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/limits.h"

/* A FILE symbol that clang's LTO leaves now and then: llvm-bolt looks through it. */
#define LTO_FILE_NAME "ld-temp.o"

/*
 * Linkers share strings among symbols, but not without measure: a table whose names are longer than
 * this together was made to exhaust its readers.
 */
#define NAMES_BYTES_LEAST (64ull * 1024 * 1024)
#define NAMES_PER_STRING  16

struct table {
	const struct pgb_elf_section *section;
	Elf_Data *data;
	Elf_Data *indexes; /* SHT_SYMTAB_SHNDX, or NULL */
	size_t count;
	uint64_t names_bytes_most;
};

static int find_table(struct pgb_elf_image *image, struct table *table, struct pgb_error *error)
{
	const struct pgb_elf_section *strings;

	*table = (struct table){0};
	for (size_t i = 1; i < image->sections.count; i++) {
		const struct pgb_elf_section *section = &image->sections.items[i];

		if (section->type == SHT_SYMTAB && table->section == NULL)
			table->section = section;
		if (section->type == SHT_SYMTAB_SHNDX)
			table->indexes = elf_getdata(elf_getscn(image->elf, i), NULL);
	}
	if (table->section == NULL || table->section->size_bytes == 0)
		return 0;
	table->data = elf_getdata(elf_getscn(image->elf, table->section->index), NULL);
	if (table->data == NULL || table->data->d_buf == NULL)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: the symbol table: %s",
				image->binary.path, elf_errmsg(-1));
	table->names_bytes_most = NAMES_BYTES_LEAST;
	strings = pgb_elf_image_section(image, table->section->link);
	if (strings != NULL && strings->size_bytes <= image->map.size_bytes)
		table->names_bytes_most += strings->size_bytes * NAMES_PER_STRING;
	table->count = table->data->d_size / sizeof(Elf64_Sym);
	if (table->count > PGB_LIMIT_SYMBOLS)
		return pgb_fail(error, PGB_E_LIMIT, "%s: %zu symbols; at most %u are read",
				image->binary.path, table->count, (unsigned int)PGB_LIMIT_SYMBOLS);
	return 0;
}

static bool is_marker(const struct pgb_elf_image *image, const GElf_Sym *sym, const char *name)
{
	if (!image->arch->has_mapping_symbols || sym->st_size != 0 ||
	    GELF_ST_TYPE(sym->st_info) != STT_NOTYPE || name[0] != '$')
		return false;
	return (name[1] == 'x' || name[1] == 'd') && (name[2] == '\0' || name[2] == '.');
}

/* Does llvm-bolt look at it: absolute, or inside its own section, which is loaded. */
static bool lies_in_memory(const struct pgb_elf_image *image, const GElf_Sym *sym, uint32_t index)
{
	const struct pgb_elf_section *section;
	uint64_t offset;

	if (sym->st_shndx == SHN_ABS)
		return true;
	if (index == SHN_UNDEF || index >= image->sections.count ||
	    (sym->st_shndx >= SHN_LORESERVE && sym->st_shndx != SHN_XINDEX))
		return false;
	section = &image->sections.items[index];
	offset = sym->st_value - section->address;
	return (section->flags & SHF_ALLOC) && sym->st_value >= section->address &&
	       offset <= section->size_bytes && sym->st_size <= section->size_bytes - offset;
}

/* A section symbol has no name of its own. */
static const char *symbol_name(struct pgb_elf_image *image, const struct table *table,
			       const GElf_Sym *sym, uint32_t section)
{
	const char *name = elf_strptr(image->elf, table->section->link, sym->st_name);

	if (name == NULL)
		name = "";
	if (name[0] == '\0' && GELF_ST_TYPE(sym->st_info) == STT_SECTION &&
	    section < image->sections.count)
		name = image->sections.items[section].name;
	return name;
}

static unsigned int type_order(const struct pgb_elf_symbol *symbol)
{
	if (symbol->marker)
		return 0;
	if (symbol->type == STT_FUNC)
		return 1;
	return symbol->type == STT_SECTION ? 3 : 2;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct pgb_elf_symbol *x = a, *y = b;
	unsigned int order_x = type_order(x), order_y = type_order(y);

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (order_x != order_y)
		return order_x < order_y ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* What has been read so far of a table in its order. */
struct progress {
	const char *file; /* of the last FILE symbol; NULL: none */
	uint64_t names_bytes;
};

static void keep_symbol(const struct pgb_elf_image *image, const GElf_Sym *sym, uint32_t index,
			uint32_t section, const char *name, const struct progress *progress,
			struct pgb_elf_symbols *symbols)
{
	struct pgb_elf_symbol symbol = {
		.address = sym->st_value,
		.size_bytes = sym->st_size,
		.name = name,
		.section = sym->st_shndx == SHN_ABS ? 0 : section,
		.index = index,
		.type = GELF_ST_TYPE(sym->st_info),
		.global = GELF_ST_BIND(sym->st_info) != STB_LOCAL,
		.marker = is_marker(image, sym, name),
	};

	if (!symbol.global && progress->file != NULL && progress->file[0] != '\0')
		symbol.file = progress->file;
	pgb_array_push(symbols, symbol);
}

static int read_symbol(struct pgb_elf_image *image, const struct table *table, uint32_t index,
		       struct progress *progress, struct pgb_elf_symbols *symbols,
		       struct pgb_error *error)
{
	Elf32_Word section = 0;
	GElf_Sym sym;
	const char *name;

	if (gelf_getsymshndx(table->data, table->indexes, (int)index, &sym, &section) == NULL)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: symbol %u: %s", image->binary.path,
				index, elf_errmsg(-1));
	if (sym.st_shndx != SHN_XINDEX)
		section = sym.st_shndx;
	name = symbol_name(image, table, &sym, section);
	progress->names_bytes += strlen(name);
	if (progress->names_bytes > table->names_bytes_most)
		return pgb_fail(error, PGB_E_LIMIT,
				"%s: the names of its symbols overlap beyond measure",
				image->binary.path);
	if (GELF_ST_TYPE(sym.st_info) != STT_FILE) {
		if (lies_in_memory(image, &sym, section))
			keep_symbol(image, &sym, index, section, name, progress, symbols);
	} else if (section != SHN_UNDEF && strcmp(name, LTO_FILE_NAME) != 0) {
		progress->file = name;
	}
	return 0;
}

int pgb_elf_image_read_symbols(struct pgb_elf_image *image, struct pgb_elf_symbols *symbols,
			       struct pgb_error *error)
{
	struct progress progress = {0};
	struct table table;
	int code = find_table(image, &table, error);

	for (uint32_t i = 1; code == 0 && i < table.count; i++)
		code = read_symbol(image, &table, i, &progress, symbols, error);
	if (code != 0)
		return code;
	if (symbols->count > 1)
		qsort(symbols->items, symbols->count, sizeof(symbols->items[0]), compare_symbols);
	return 0;
}
