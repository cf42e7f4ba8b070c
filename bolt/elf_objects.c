/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/elf_objects.h"

#include <ar.h>
#include <gelf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

#define THIN_MAGIC "!<thin>\n"

/* ---- one object */

static bool holds(const Elf_Data *data, const char *word)
{
	return data && data->d_buf && memmem(data->d_buf, data->d_size, word, strlen(word));
}

/* What the compilers' counting code refers to; a program may call the rest of it by itself. */
static bool names_counters(const Elf_Data *strings)
{
	return holds(strings, "__gcov_init") || holds(strings, "__gcov_merge_") ||
	       holds(strings, "__llvm_prf_cnts");
}

/* The symbol of each source file; `ld -r` gathers several. */
static const char *only_source(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	const char *source = NULL;
	size_t count = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	GElf_Sym symbol;

	for (size_t i = 1; i < count && data && gelf_getsym(data, (int)i, &symbol); i++) {
		if (GELF_ST_TYPE(symbol.st_info) != STT_FILE)
			continue;
		if (source)
			return NULL;
		source = elf_strptr(elf, header->sh_link, symbol.st_name);
	}
	return source;
}

static void look_at_section(Elf *elf, Elf_Scn *section, size_t names, struct pgb_elf_object *object,
			    bool *has_code, bool *is_compilers)
{
	GElf_Shdr header;
	const char *name;

	if (gelf_getshdr(section, &header) == NULL)
		return;
	name = elf_strptr(elf, names, header.sh_name);
	*has_code |= (header.sh_flags & SHF_EXECINSTR) && header.sh_size > 0;
	if (header.sh_type == SHT_STRTAB)
		object->counts |= names_counters(elf_rawdata(section, NULL));
	else if (header.sh_type == SHT_SYMTAB)
		object->source = only_source(elf, section, &header);
	else if (name && strcmp(name, ".comment") == 0)
		*is_compilers |= holds(elf_rawdata(section, NULL), "GCC: (") ||
				 holds(elf_rawdata(section, NULL), "clang version ");
}

static void take_object(const char *member, const uint8_t *bytes, size_t size_bytes,
			pgb_elf_object_take *take, void *context)
{
	struct pgb_elf_object object = {.member = member};
	bool has_code = false, is_compilers = false;
	Elf_Scn *section = NULL;
	GElf_Ehdr header;
	size_t names;
	Elf *elf;

	if (size_bytes < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return;
	elf = elf_memory((char *)bytes, size_bytes);
	if (elf && gelf_getehdr(elf, &header) && header.e_type == ET_REL &&
	    elf_getshdrstrndx(elf, &names) == 0) {
		while ((section = elf_nextscn(elf, section)) != NULL)
			look_at_section(elf, section, names, &object, &has_code, &is_compilers);
		object.compiled = has_code && is_compilers;
		take(context, &object);
	}
	elf_end(elf);
}

/* ---- archives */

struct archive {
	const char *path;
	bool thin;
	struct pgb_cursor names; /* the member "//": long names, each with a / and a newline */
	pgb_elf_object_take *take;
	void *context;
};

static size_t blank_padded(const char *field, size_t size)
{
	while (size > 0 && field[size - 1] == ' ')
		size--;
	return size;
}

static uint64_t decimal(const char *field, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size && field[i] >= '0' && field[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(field[i] - '0');
	return value;
}

/* "name/", or "/123" for a long one; the caller frees it. NULL: an index, or a name out of place */
static char *member_name(const struct archive *archive, const struct ar_hdr *header)
{
	size_t length = blank_padded(header->ar_name, sizeof(header->ar_name));
	struct pgb_cursor name = archive->names;
	const uint8_t *end;

	if (length > 0 && header->ar_name[0] != '/') {
		length -= header->ar_name[length - 1] == '/';
		return pgb_dup_bytes(header->ar_name, length);
	}
	if (length < 2 || header->ar_name[1] < '0' || header->ar_name[1] > '9')
		return NULL;
	pgb_cursor_skip(&name, decimal(header->ar_name + 1, length - 1));
	end = memchr(name.at, '\n', pgb_cursor_left(&name));
	if (end == NULL)
		return NULL;
	length = (size_t)(end - name.at);
	length -= length > 0 && name.at[length - 1] == '/';
	return pgb_dup_bytes(name.at, length);
}

/* Thin archives name their members by paths that begin at the archive's folder. */
static void take_thin(const struct archive *archive, const char *member)
{
	const char *slash = strrchr(archive->path, '/');
	int folder = slash && member[0] != '/' ? (int)(slash + 1 - archive->path) : 0;
	char *path = pgb_format("%.*s%s", folder, archive->path, member);
	struct pgb_file_map map;

	if (pgb_file_map_open(&map, path, NULL) == 0) {
		take_object(member, map.bytes, map.size_bytes, archive->take, archive->context);
		pgb_file_map_close(&map);
	}
	free(path);
}

static bool is_named(const struct ar_hdr *header, const char *name)
{
	size_t length = blank_padded(header->ar_name, sizeof(header->ar_name));

	return length == strlen(name) && memcmp(header->ar_name, name, length) == 0;
}

static bool is_index(const struct ar_hdr *header)
{
	return is_named(header, "/") || is_named(header, "/SYM64/");
}

static void read_member(struct archive *archive, const struct ar_hdr *header,
			struct pgb_cursor *cursor)
{
	uint64_t size_bytes = decimal(header->ar_size, sizeof(header->ar_size));
	bool is_names = is_named(header, "//");
	bool is_here = !archive->thin || is_names || is_index(header);
	const uint8_t *bytes = is_here ? pgb_cursor_bytes(cursor, size_bytes) : NULL;
	char *name;

	if (bytes && (size_bytes & 1) && pgb_cursor_left(cursor) > 0)
		pgb_cursor_skip(cursor, 1);
	if (bytes && is_names)
		archive->names = pgb_cursor_of(bytes, size_bytes);
	if (is_names || is_index(header) || (name = member_name(archive, header)) == NULL)
		return;
	if (bytes)
		take_object(name, bytes, size_bytes, archive->take, archive->context);
	else if (!is_here)
		take_thin(archive, name);
	free(name);
}

static int read_archive(struct archive *archive, struct pgb_cursor cursor, struct pgb_error *error)
{
	const struct ar_hdr *header;

	while (pgb_cursor_left(&cursor) > 0) {
		header = (const struct ar_hdr *)pgb_cursor_bytes(&cursor, sizeof(*header));
		if (header && memcmp(header->ar_fmag, ARFMAG, sizeof(header->ar_fmag)) == 0)
			read_member(archive, header, &cursor);
		else
			cursor.truncated = true;
		if (cursor.truncated)
			return pgb_fail(error, PGB_E_CORRUPT, "%s is no whole archive",
					archive->path);
	}
	return 0;
}

int pgb_elf_objects_parse(const char *path, const uint8_t *bytes, size_t size_bytes,
			  pgb_elf_object_take *take, void *context, struct pgb_error *error)
{
	struct archive archive = {.path = path, .take = take, .context = context};
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	const uint8_t *magic = pgb_cursor_bytes(&cursor, SARMAG);

	pgb_assert(elf_version(EV_CURRENT) != EV_NONE);
	archive.thin = magic && memcmp(magic, THIN_MAGIC, SARMAG) == 0;
	if (archive.thin || (magic && memcmp(magic, ARMAG, SARMAG) == 0))
		return read_archive(&archive, cursor, error);
	take_object(NULL, bytes, size_bytes, take, context);
	return 0;
}

int pgb_elf_objects_read(const char *path, pgb_elf_object_take *take, void *context,
			 struct pgb_error *error)
{
	struct pgb_file_map map;
	int code = pgb_file_map_open(&map, path, error);

	if (code != 0)
		return code;
	code = pgb_elf_objects_parse(path, map.bytes, map.size_bytes, take, context, error);
	pgb_file_map_close(&map);
	return code;
}
