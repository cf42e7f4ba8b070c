/* SPDX-License-Identifier: MIT */
/*
 * Object files as compilers leave them, and archives of them (ar(5), GNU's long names, thin ones):
 * who made their code, and does it count where it branches?
 */
#ifndef PGOBOLT_BOLT_ELF_OBJECTS_H
#define PGOBOLT_BOLT_ELF_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"

struct pgb_elf_object {
	const char *member; /* of an archive; NULL: the file itself */
	const char *source; /* its base name, as the symbol table has it; NULL where not just one */
	bool compiled;	    /* it has code, and gcc or clang says that it made it (.comment) */
	bool counts;	    /* by -fprofile-generate or --coverage of gcc or clang */
};

/* Names are borrowed for the time of the call. */
typedef void pgb_elf_object_take(void *context, const struct pgb_elf_object *object);

/*
 * Each object in `path`. What is no ELF object (bitcode, a symbol index, a member that a thin
 * archive names in vain) is left out. Errors: those of pgb_file_map_open; PGB_E_CORRUPT (an archive
 * that contradicts itself; what stood before that was taken).
 */
int pgb_elf_objects_read(const char *path, pgb_elf_object_take *take, void *context,
			 struct pgb_error *error);

/* The same with a file's content; `path` says where members of a thin archive are. */
int pgb_elf_objects_parse(const char *path, const uint8_t *bytes, size_t size_bytes,
			  pgb_elf_object_take *take, void *context, struct pgb_error *error);

#endif
