/* SPDX-License-Identifier: MIT */
/*
 * What the kernel and the dynamic loader see of an ELF file: program headers, the dynamic table,
 * the interpreter, and the symbols it offers to others. Sections only tell where the symbol table
 * ends and what the versions are called.
 * Sources: System V ABI gABI chapter 5; symbol versioning as in the Linux Standard Base 5.0.
 */
#ifndef PGOBOLT_BOLT_ELF_DYNAMIC_H
#define PGOBOLT_BOLT_ELF_DYNAMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/collector/file.h"

struct pgb_elf_program_header {
	uint32_t type, flags; /* PT_*; PF_X 1, PF_W 2, PF_R 4 */
	uint64_t offset_file, address, size_file, size_memory, align;
};

struct pgb_elf_dynamic_entry {
	int64_t tag;
	uint64_t value;
	const char *string; /* DT_NEEDED, SONAME, RPATH, RUNPATH: what they name; else NULL */
};

/* A defined global or weak symbol of .dynsym. */
struct pgb_elf_export {
	const char *name;
	const char *version;  /* NULL: none, or the base version */
	bool version_default; /* NAME@@VERSION */
	uint8_t type, binding, visibility;
	uint64_t address, size_bytes;
};

/* Strings are borrowed from the mapping in here; the image is not kept. */
struct pgb_elf_dynamic {
	struct pgb_file_map map;
	PGB_ARRAY(struct pgb_elf_program_header) headers;
	PGB_ARRAY(struct pgb_elf_dynamic_entry) entries; /* without the closing DT_NULL */
	PGB_ARRAY(struct pgb_elf_export) exports;	 /* by name, then version */
	const char *interpreter;			 /* NULL: none */
};

/*
 * Errors: those of pgb_file_map_open(); PGB_E_TRUNCATED, PGB_E_CORRUPT (with what is wrong).
 * Must be released either way.
 */
int pgb_elf_dynamic_read(struct pgb_elf_dynamic *dynamic, const struct pgb_elf_image *image,
			 struct pgb_error *error);
void pgb_elf_dynamic_release(struct pgb_elf_dynamic *dynamic);

/* The first header or entry of its kind; NULL where there is none. */
const struct pgb_elf_program_header *
pgb_elf_dynamic_find_header(const struct pgb_elf_dynamic *dynamic, uint32_t type);
const struct pgb_elf_dynamic_entry *pgb_elf_dynamic_find(const struct pgb_elf_dynamic *dynamic,
							 int64_t tag);
/* The PT_LOAD that holds the address in memory; NULL where there is none. */
const struct pgb_elf_program_header *
pgb_elf_dynamic_segment_at(const struct pgb_elf_dynamic *dynamic, uint64_t address);
/* The file's bytes of a header's range; empty and truncated where the file ends before. */
struct pgb_cursor pgb_elf_dynamic_bytes(const struct pgb_elf_dynamic *dynamic,
					const struct pgb_elf_program_header *header);
/* All functions are bound when it starts (-z now). */
bool pgb_elf_dynamic_binds_now(const struct pgb_elf_dynamic *dynamic);

/*
 * The address of the first symbol of .symtab with this name, defined in a section and not data: as
 * the linker spells it, without llvm-bolt's "/1". Slow: it walks the table.
 */
bool pgb_elf_find_code_symbol(const struct pgb_elf_image *image, const char *name, size_t length,
			      uint64_t *address);
/* Is a symbol whose name begins so in .symtab or .dynsym, defined or not? */
bool pgb_elf_has_symbol_prefix(const struct pgb_elf_image *image, const char *prefix);

#endif
