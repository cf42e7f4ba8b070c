/* SPDX-License-Identifier: MIT */
/*
 * One ELF file as llvm-bolt sees it: segments, sections, symbols with the names llvm-bolt gives
 * them, relocations, unwind tables, notes. libelf is used here and in
 * elf_objects, libdw in elf_lines.
 *
 * Function names follow RewriteInstance::discoverFileObjects
 * (bolt/lib/Rewrite/RewriteInstance.cpp): local symbols become name/K, K counted over the binary in
 * address order; local FUNC symbols of a known source file get a second name name/FILE/K; the first
 * symbol at an address names the function, later ones are aliases; a FUNC symbol inside a function
 * is a secondary entry of it; an FDE without a symbol is __BOLT_FDE_FUNCat<hex>.
 */
#ifndef PGOBOLT_BOLT_ELF_IMAGE_H
#define PGOBOLT_BOLT_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/collector/binary.h"

struct pgb_elf_image;

struct pgb_elf_section {
	const char *name;
	uint32_t type;
	uint64_t flags, address, offset_file, size_bytes, entry_bytes, align;
	uint32_t link, info;
	uint32_t index;
};

/* One function as llvm-bolt discovers it. Names are borrowed from the image. */
struct pgb_elf_function {
	uint64_t address;
	uint64_t size_bytes; /* max of symbol and FDE; up to the next function where both are 0 */
	uint64_t max_size_bytes; /* up to the next function or the section's end: look-ups use it */
	const char *name;	 /* the first: what fdata uses */
	uint32_t alias_first, alias_count; /* into pgb_elf_image_alias(); without `name` */
	uint32_t entry_first, entry_count; /* secondary entries: offsets from address */
	bool is_plt;			   /* pseudo function NAME@PLT */
	bool is_fragment;		   /* a .cold part of another function */
	bool from_symbol;		   /* false: only an FDE tells of it */
	bool is_simple; /* false: its bounds are contradictory, llvm-bolt leaves it alone */
};

/*
 * Open a 64-bit little-endian ELF file. The file is mapped read-only and never changed.
 * Errors: PGB_E_NOT_FOUND, PGB_E_PERMISSION, PGB_E_IO; PGB_E_NOT_SUITABLE (not an ELF, 32-bit,
 * another machine than x86-64 and AArch64, an object file or archive); PGB_E_CORRUPT,
 * PGB_E_TRUNCATED.
 */
int pgb_elf_image_open(struct pgb_elf_image **image, const char *path, struct pgb_error *error);
void pgb_elf_image_close(struct pgb_elf_image *image);

const char *pgb_elf_image_path(const struct pgb_elf_image *image);
/* Kind, machine, segments, build-id, size: the same struct the collector uses. */
const struct pgb_binary *pgb_elf_image_binary(const struct pgb_elf_image *image);
uint16_t pgb_elf_image_type(const struct pgb_elf_image *image); /* ET_EXEC, ET_DYN */
uint64_t pgb_elf_image_entry(const struct pgb_elf_image *image);

size_t pgb_elf_image_section_count(const struct pgb_elf_image *image);
const struct pgb_elf_section *pgb_elf_image_section(const struct pgb_elf_image *image,
						    size_t index);
/* NULL where there is none. */
const struct pgb_elf_section *pgb_elf_image_find_section(const struct pgb_elf_image *image,
							 const char *name);
/* The bytes of a section, or NULL (NOBITS, out of the file). Borrowed. */
const uint8_t *pgb_elf_image_section_bytes(const struct pgb_elf_image *image,
					   const struct pgb_elf_section *section);
/* Bytes of the file at a virtual address, at least 1; *left tells how many. NULL: not in it. */
const uint8_t *pgb_elf_image_bytes_at(const struct pgb_elf_image *image, uint64_t address,
				      size_t *left);

/*
 * Functions, ascending by address. Discovered at the first call (PGB_E_CORRUPT possible: a broken
 * symbol table or unwind table).
 */
int pgb_elf_image_discover(struct pgb_elf_image *image, struct pgb_error *error);
size_t pgb_elf_image_function_count(const struct pgb_elf_image *image);
const struct pgb_elf_function *pgb_elf_image_function(const struct pgb_elf_image *image,
						      size_t index);
/* The function whose max_size covers the address; NULL where there is none. */
const struct pgb_elf_function *pgb_elf_image_find_function(const struct pgb_elf_image *image,
							   uint64_t address);
/* By any of its names. */
const struct pgb_elf_function *pgb_elf_image_function_named(const struct pgb_elf_image *image,
							    const char *name);
const char *pgb_elf_image_alias(const struct pgb_elf_image *image, uint32_t index);
uint64_t pgb_elf_image_secondary_entry(const struct pgb_elf_image *image, uint32_t index);

/* Does the file end before its section table does, which stands at the end of most? */
bool pgb_elf_image_is_cut(const struct pgb_elf_image *image);
bool pgb_elf_image_has_symbols(const struct pgb_elf_image *image);
/* Did llvm-bolt make it? It keeps the build ID of what it was given, but not the addresses. */
bool pgb_elf_image_is_optimized(const struct pgb_elf_image *image);
/* Relocation sections against executable code are there (-Wl,--emit-relocs). */
bool pgb_elf_image_has_code_relocations(const struct pgb_elf_image *image);

#endif
