/* SPDX-License-Identifier: MIT */
/*
 * Where in the source an instruction comes from, as a sample profile tells it: the functions that
 * were inlined into one another, outermost first, and a line in each. From DWARF, all versions
 * that libdw reads, in the file itself (no split or separate debug information).
 *
 * Names are linkage names, as DWARF has them, and borrowed.
 */
#ifndef PGOBOLT_BOLT_ELF_LINES_H
#define PGOBOLT_BOLT_ELF_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"

struct pgb_elf_lines;

/* A function that has code of its own. */
struct pgb_line_function {
	const char *name;
	uint32_t declared_line;
	uint32_t range_count; /* pieces of it */
};

/* A piece of code of one function. */
struct pgb_line_range {
	uint64_t start, end; /* addresses; end is behind the last byte */
	uint32_t function;   /* index */
};

/* One function of those that an instruction belongs to. */
struct pgb_line_frame {
	const char *function;
	uint32_t line; /* of the instruction, or of the call that was inlined */
	uint32_t declared_line;
	uint32_t discriminator; /* as the compiler encoded it */
};

/*
 * The image must outlive it. Errors: PGB_E_NOT_SUITABLE (no debug information with functions: the
 * remedy says how to build), PGB_E_CORRUPT, and those of opening the file.
 */
int pgb_elf_lines_open(struct pgb_elf_lines **lines, const struct pgb_elf_image *image,
		       struct pgb_error *error);
void pgb_elf_lines_close(struct pgb_elf_lines *lines);

/* Who compiled it: "Debian clang version 22.1.8"; "" where that is not told. */
const char *pgb_elf_lines_producer(const struct pgb_elf_lines *lines);

/* Ascending, apart from each other. */
const struct pgb_line_range *pgb_elf_lines_ranges(const struct pgb_elf_lines *lines, size_t *count);
const struct pgb_line_function *pgb_elf_lines_function(const struct pgb_elf_lines *lines,
						       uint32_t function);
/* The piece of code that holds the address; NULL: none that DWARF tells of. */
const struct pgb_line_range *pgb_elf_lines_range_at(const struct pgb_elf_lines *lines,
						    uint64_t address);

/*
 * The functions an address belongs to, outermost first; returns how many. 0: it is in none, has no
 * line, or is inlined deeper than `most`.
 */
size_t pgb_elf_lines_frames(struct pgb_elf_lines *lines, uint64_t address,
			    struct pgb_line_frame *frames, size_t most);

#endif
