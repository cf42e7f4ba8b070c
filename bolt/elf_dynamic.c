/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/bolt/elf_dynamic.h"

enum {
	/* One for each library it needs and some forty more. */
	ENTRIES_MOST = 16384,
};

static struct pgb_cursor file_range(const struct pgb_elf_dynamic *dynamic, uint64_t offset,
				    uint64_t size_bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(dynamic->map.bytes, dynamic->map.size_bytes);

	pgb_cursor_skip(&cursor, offset);
	return pgb_cursor_sub(&cursor, size_bytes);
}

/* A string of a table; NULL where it does not end inside. */
static const char *string_at(struct pgb_cursor table, uint64_t offset)
{
	pgb_cursor_skip(&table, offset);
	return pgb_cursor_string(&table);
}

static int read_headers(struct pgb_elf_dynamic *dynamic, const char *path, struct pgb_error *error)
{
	struct pgb_cursor file = pgb_cursor_of(dynamic->map.bytes, dynamic->map.size_bytes);
	struct pgb_cursor table;
	uint64_t offset;
	uint16_t entry_bytes, count;

	pgb_cursor_skip(&file, offsetof(Elf64_Ehdr, e_phoff));
	offset = pgb_cursor_u64(&file);
	pgb_cursor_skip(&file, offsetof(Elf64_Ehdr, e_phentsize) - offsetof(Elf64_Ehdr, e_shoff));
	entry_bytes = pgb_cursor_u16(&file);
	count = pgb_cursor_u16(&file);
	if (file.truncated)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends in its ELF header", path);
	if (count > 0 && entry_bytes < sizeof(Elf64_Phdr))
		return pgb_fail(error, PGB_E_CORRUPT, "%s: program headers of %u bytes", path,
				entry_bytes);
	if (count > PGB_LIMIT_SEGMENTS)
		return pgb_fail(error, PGB_E_LIMIT, "%s has %u program headers", path, count);
	table = file_range(dynamic, offset, (uint64_t)count * entry_bytes);
	if (table.truncated)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends in its program headers", path);
	for (uint16_t i = 0; i < count; i++) {
		struct pgb_cursor entry = pgb_cursor_sub(&table, entry_bytes);
		struct pgb_elf_program_header header = {0};

		header.type = pgb_cursor_u32(&entry);
		header.flags = pgb_cursor_u32(&entry);
		header.offset_file = pgb_cursor_u64(&entry);
		header.address = pgb_cursor_u64(&entry);
		pgb_cursor_skip(&entry, sizeof(uint64_t));
		header.size_file = pgb_cursor_u64(&entry);
		header.size_memory = pgb_cursor_u64(&entry);
		header.align = pgb_cursor_u64(&entry);
		pgb_array_push(&dynamic->headers, header);
	}
	return 0;
}

/* Bytes of the file from a virtual address to the end of its segment's file part. */
static struct pgb_cursor bytes_at(const struct pgb_elf_dynamic *dynamic, uint64_t address)
{
	for (size_t i = 0; i < dynamic->headers.count; i++) {
		const struct pgb_elf_program_header *header = &dynamic->headers.items[i];

		if (header->type == PT_LOAD && address >= header->address &&
		    address - header->address < header->size_file) {
			struct pgb_cursor bytes = pgb_elf_dynamic_bytes(dynamic, header);

			pgb_cursor_skip(&bytes, address - header->address);
			return bytes;
		}
	}
	return pgb_cursor_of(NULL, 0);
}

static int read_entries(struct pgb_elf_dynamic *dynamic, const char *path, struct pgb_error *error)
{
	const struct pgb_elf_program_header *header =
		pgb_elf_dynamic_find_header(dynamic, PT_DYNAMIC);
	const struct pgb_elf_dynamic_entry *strings;
	struct pgb_cursor table, names;

	if (header == NULL || header->size_file == 0)
		return 0;
	table = pgb_elf_dynamic_bytes(dynamic, header);
	if (table.truncated)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends in its dynamic table", path);
	while (pgb_cursor_holds(&table, 1, sizeof(Elf64_Dyn))) {
		struct pgb_elf_dynamic_entry entry = {0};

		entry.tag = (int64_t)pgb_cursor_u64(&table);
		entry.value = pgb_cursor_u64(&table);
		if (entry.tag == DT_NULL)
			break;
		if (dynamic->entries.count == ENTRIES_MOST)
			return pgb_fail(error, PGB_E_LIMIT, "%s has more than %d dynamic entries",
					path, ENTRIES_MOST);
		pgb_array_push(&dynamic->entries, entry);
	}
	strings = pgb_elf_dynamic_find(dynamic, DT_STRTAB);
	names = strings ? bytes_at(dynamic, strings->value) : pgb_cursor_of(NULL, 0);
	for (size_t i = 0; i < dynamic->entries.count; i++) {
		struct pgb_elf_dynamic_entry *entry = &dynamic->entries.items[i];

		if (entry->tag != DT_NEEDED && entry->tag != DT_SONAME && entry->tag != DT_RPATH &&
		    entry->tag != DT_RUNPATH)
			continue;
		entry->string = string_at(names, entry->value);
		if (entry->string == NULL)
			return pgb_fail(error, PGB_E_CORRUPT,
					"%s: a dynamic entry names a string outside its table",
					path);
	}
	return 0;
}

static struct pgb_cursor section_cursor(const struct pgb_elf_image *image,
					const struct pgb_elf_section *section)
{
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;

	return pgb_cursor_of(bytes, bytes ? section->size_bytes : 0);
}

static const struct pgb_elf_section *section_of_type(const struct pgb_elf_image *image,
						     uint32_t type)
{
	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++)
		if (pgb_elf_image_section(image, i)->type == type)
			return pgb_elf_image_section(image, i);
	return NULL;
}

/* Version names by index; NULL: none, or the file's own base version. */
typedef PGB_ARRAY(const char *) version_array;

static void read_versions(version_array *versions, const struct pgb_elf_image *image)
{
	const struct pgb_elf_section *section = section_of_type(image, SHT_GNU_verdef);
	struct pgb_cursor definitions = section_cursor(image, section);
	struct pgb_cursor names = pgb_cursor_of(NULL, 0);
	uint32_t next;

	if (section != NULL)
		names = section_cursor(image, pgb_elf_image_section(image, section->link));
	do {
		struct pgb_cursor entry = definitions, name = definitions;
		uint16_t flags, index;

		pgb_cursor_skip(&entry, offsetof(Elf64_Verdef, vd_flags));
		flags = pgb_cursor_u16(&entry);
		index = pgb_cursor_u16(&entry) & 0x7fff;
		pgb_cursor_skip(&entry,
				offsetof(Elf64_Verdef, vd_aux) - offsetof(Elf64_Verdef, vd_cnt));
		pgb_cursor_skip(&name, pgb_cursor_u32(&entry));
		next = pgb_cursor_u32(&entry);
		if (entry.truncated)
			return;
		while (versions->count <= index)
			pgb_array_push(versions, NULL);
		if ((flags & VER_FLG_BASE) == 0)
			versions->items[index] = string_at(names, pgb_cursor_u32(&name));
		pgb_cursor_skip(&definitions, next);
	} while (next != 0);
}

static int by_name(const void *a, const void *b)
{
	const struct pgb_elf_export *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	if (order == 0)
		order = strcmp(left->version ? left->version : "",
			       right->version ? right->version : "");
	if (order == 0 && left->address != right->address)
		order = left->address < right->address ? -1 : 1;
	return order;
}

static bool read_export(struct pgb_cursor *symbols, struct pgb_elf_export *export,
			uint32_t *offset_name)
{
	uint8_t info, other;
	uint16_t where;

	*offset_name = pgb_cursor_u32(symbols);
	info = pgb_cursor_u8(symbols);
	other = pgb_cursor_u8(symbols);
	where = pgb_cursor_u16(symbols);
	*export = (struct pgb_elf_export){.type = ELF64_ST_TYPE(info),
					  .binding = ELF64_ST_BIND(info),
					  .visibility = ELF64_ST_VISIBILITY(other)};
	export->address = pgb_cursor_u64(symbols);
	export->size_bytes = pgb_cursor_u64(symbols);
	return where != SHN_UNDEF && export->binding != STB_LOCAL;
}

static int read_exports(struct pgb_elf_dynamic *dynamic, const struct pgb_elf_image *image,
			struct pgb_error *error)
{
	const struct pgb_elf_section *section = section_of_type(image, SHT_DYNSYM);
	struct pgb_cursor symbols, names, version_indices;
	version_array versions = {0};
	int code = 0;

	if (section == NULL)
		return 0;
	symbols = section_cursor(image, section);
	names = section_cursor(image, pgb_elf_image_section(image, section->link));
	version_indices = section_cursor(image, section_of_type(image, SHT_GNU_versym));
	read_versions(&versions, image);
	while (code == 0 && pgb_cursor_holds(&symbols, 1, sizeof(Elf64_Sym))) {
		uint16_t version = pgb_cursor_u16(&version_indices);
		struct pgb_elf_export export;
		uint32_t offset_name;

		if (!read_export(&symbols, &export, &offset_name))
			continue;
		/* the table's last byte ends every name in it: no search per symbol */
		if (offset_name >= pgb_cursor_left(&names) || names.end[-1] != '\0') {
			code = pgb_fail(error, PGB_E_CORRUPT,
					"%s: a dynamic symbol's name lies outside its table",
					pgb_elf_image_path(image));
			break;
		}
		export.name = (const char *)names.at + offset_name;
		export.version_default = (version & 0x8000) == 0;
		version &= 0x7fff;
		export.version = version < versions.count ? versions.items[version] : NULL;
		pgb_array_push(&dynamic->exports, export);
	}
	if (dynamic->exports.count > 0)
		qsort(dynamic->exports.items, dynamic->exports.count,
		      sizeof(dynamic->exports.items[0]), by_name);
	pgb_array_release(&versions);
	return code;
}

int pgb_elf_dynamic_read(struct pgb_elf_dynamic *dynamic, const struct pgb_elf_image *image,
			 struct pgb_error *error)
{
	const struct pgb_elf_program_header *header;
	int code;

	*dynamic = (struct pgb_elf_dynamic){0};
	code = pgb_file_map_open(&dynamic->map, pgb_elf_image_path(image), error);
	if (code == 0)
		code = read_headers(dynamic, pgb_elf_image_path(image), error);
	if (code == 0)
		code = read_entries(dynamic, pgb_elf_image_path(image), error);
	if (code == 0)
		code = read_exports(dynamic, image, error);
	if (code != 0)
		return code;
	header = pgb_elf_dynamic_find_header(dynamic, PT_INTERP);
	if (header != NULL) {
		dynamic->interpreter = string_at(pgb_elf_dynamic_bytes(dynamic, header), 0);
		if (dynamic->interpreter == NULL)
			return pgb_fail(error, PGB_E_CORRUPT,
					"%s: its interpreter's name has no end",
					pgb_elf_image_path(image));
	}
	return 0;
}

void pgb_elf_dynamic_release(struct pgb_elf_dynamic *dynamic)
{
	pgb_array_release(&dynamic->headers);
	pgb_array_release(&dynamic->entries);
	pgb_array_release(&dynamic->exports);
	pgb_file_map_close(&dynamic->map);
	*dynamic = (struct pgb_elf_dynamic){0};
}

const struct pgb_elf_program_header *
pgb_elf_dynamic_find_header(const struct pgb_elf_dynamic *dynamic, uint32_t type)
{
	for (size_t i = 0; i < dynamic->headers.count; i++)
		if (dynamic->headers.items[i].type == type)
			return &dynamic->headers.items[i];
	return NULL;
}

const struct pgb_elf_dynamic_entry *pgb_elf_dynamic_find(const struct pgb_elf_dynamic *dynamic,
							 int64_t tag)
{
	for (size_t i = 0; i < dynamic->entries.count; i++)
		if (dynamic->entries.items[i].tag == tag)
			return &dynamic->entries.items[i];
	return NULL;
}

const struct pgb_elf_program_header *
pgb_elf_dynamic_segment_at(const struct pgb_elf_dynamic *dynamic, uint64_t address)
{
	for (size_t i = 0; i < dynamic->headers.count; i++) {
		const struct pgb_elf_program_header *header = &dynamic->headers.items[i];

		if (header->type == PT_LOAD && address >= header->address &&
		    address - header->address < header->size_memory)
			return header;
	}
	return NULL;
}

struct pgb_cursor pgb_elf_dynamic_bytes(const struct pgb_elf_dynamic *dynamic,
					const struct pgb_elf_program_header *header)
{
	return file_range(dynamic, header->offset_file, header->size_file);
}

bool pgb_elf_dynamic_binds_now(const struct pgb_elf_dynamic *dynamic)
{
	const struct pgb_elf_dynamic_entry *flags = pgb_elf_dynamic_find(dynamic, DT_FLAGS);
	const struct pgb_elf_dynamic_entry *flags_1 = pgb_elf_dynamic_find(dynamic, DT_FLAGS_1);

	return pgb_elf_dynamic_find(dynamic, DT_BIND_NOW) != NULL ||
	       (flags != NULL && (flags->value & DF_BIND_NOW)) ||
	       (flags_1 != NULL && (flags_1->value & DF_1_NOW));
}

/* Does a name begin with these bytes? `ends`: and is that all of it? */
static bool name_is(struct pgb_cursor names, uint32_t offset, const char *text, size_t length,
		    bool ends)
{
	const uint8_t *start;

	pgb_cursor_skip(&names, offset);
	start = pgb_cursor_bytes(&names, length);
	if (start == NULL || memcmp(start, text, length) != 0)
		return false;
	return !ends || (pgb_cursor_left(&names) > 0 && pgb_cursor_u8(&names) == '\0');
}

/* Data may bear a function's name: a local static and a function, say. */
static bool may_be_code(uint8_t info)
{
	return ELF64_ST_TYPE(info) == STT_FUNC || ELF64_ST_TYPE(info) == STT_NOTYPE ||
	       ELF64_ST_TYPE(info) == STT_GNU_IFUNC;
}

bool pgb_elf_find_code_symbol(const struct pgb_elf_image *image, const char *name, size_t length,
			      uint64_t *address)
{
	const struct pgb_elf_section *section = section_of_type(image, SHT_SYMTAB);
	struct pgb_cursor symbols, names;

	if (section == NULL)
		return false;
	symbols = section_cursor(image, section);
	names = section_cursor(image, pgb_elf_image_section(image, section->link));
	while (pgb_cursor_holds(&symbols, 1, sizeof(Elf64_Sym))) {
		struct pgb_cursor symbol = pgb_cursor_sub(&symbols, sizeof(Elf64_Sym));
		uint32_t offset_name = pgb_cursor_u32(&symbol);
		uint8_t info = pgb_cursor_u8(&symbol);
		uint16_t where;

		pgb_cursor_skip(&symbol, 1);
		where = pgb_cursor_u16(&symbol);
		if (where == SHN_UNDEF || !may_be_code(info) ||
		    !name_is(names, offset_name, name, length, true))
			continue;
		*address = pgb_cursor_u64(&symbol);
		return true;
	}
	return false;
}

bool pgb_elf_has_symbol_prefix(const struct pgb_elf_image *image, const char *prefix)
{
	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++) {
		const struct pgb_elf_section *section = pgb_elf_image_section(image, i);
		struct pgb_cursor symbols, names;

		if (section->type != SHT_SYMTAB && section->type != SHT_DYNSYM)
			continue;
		symbols = section_cursor(image, section);
		names = section_cursor(image, pgb_elf_image_section(image, section->link));
		while (pgb_cursor_holds(&symbols, 1, sizeof(Elf64_Sym))) {
			struct pgb_cursor symbol = pgb_cursor_sub(&symbols, sizeof(Elf64_Sym));

			if (name_is(names, pgb_cursor_u32(&symbol), prefix, strlen(prefix), false))
				return true;
		}
	}
	return false;
}
