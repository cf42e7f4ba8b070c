/* SPDX-License-Identifier: MIT */
/*
 * What a control-flow graph needs to know of a file besides its instructions: who refers into the
 * middle of functions, where exception tables are, where data lies between instructions.
 *
 * All of it is borrowed from the image and valid until it is closed.
 */
#ifndef PGOBOLT_BOLT_ELF_IMAGE_CODE_H
#define PGOBOLT_BOLT_ELF_IMAGE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"

/* Who refers to a place inside a function (not to its start). */
enum pgb_elf_referrer {
	PGB_ELF_BY_DATA, /* a table: any indirect jump may go there */
	PGB_ELF_BY_SAME, /* the function itself */
	PGB_ELF_BY_OTHER /* another function: it can be entered there */
};

struct pgb_elf_reference {
	uint64_t address;
	enum pgb_elf_referrer by;
};

/*
 * Read the static relocations and what else the functions below tell; discovers functions if that
 * was not done. 0 at once when called again. PGB_E_CORRUPT, PGB_E_LIMIT.
 */
int pgb_elf_image_load_code(struct pgb_elf_image *image, struct pgb_error *error);

/* References into [start, end), ascending, each (address, by) once. */
const struct pgb_elf_reference *pgb_elf_image_references(const struct pgb_elf_image *image,
							 uint64_t start, uint64_t end,
							 size_t *count);

/* Is there a PC-relative relocation against code at this place in data: an entry of a PIC jump
 * table? */
bool pgb_elf_image_has_table_entry(const struct pgb_elf_image *image, uint64_t address);

/*
 * A PC-relative relocation against code in data, on x86-64: symbol and addend make `sum`, which is
 * the entry's target and how far the place is behind the start of its table.
 */
struct pgb_elf_distance {
	uint64_t place, sum;
};

/* Ascending by place. */
const struct pgb_elf_distance *pgb_elf_image_distances(const struct pgb_elf_image *image,
						       size_t *count);

/* Addresses in [start, end) that the loader puts into memory, ascending. */
const uint64_t *pgb_elf_image_loader_targets(const struct pgb_elf_image *image, uint64_t start,
					     uint64_t end, size_t *count);

/*
 * Places inside functions, in [start, end), that instructions hold as absolute numbers, as
 * relocations show them. Ascending.
 */
const uint64_t *pgb_elf_image_code_addresses(const struct pgb_elf_image *image, uint64_t start,
					     uint64_t end, size_t *count);

/* Is there an absolute relocation against code at this place in data? */
bool pgb_elf_image_has_code_pointer(const struct pgb_elf_image *image, uint64_t address);

/* The exception table of the function that starts here; 0: none. */
uint64_t pgb_elf_image_exception_table(const struct pgb_elf_image *image, uint64_t function);

/* One range of a function in which an exception goes to a landing pad. Addresses. */
struct pgb_elf_call_site {
	uint64_t start, end, landing_pad;
};

/*
 * The call sites of an exception table that have landing pads, into `sites` (at most `most`);
 * returns how many there are. 0 for a broken table.
 */
size_t pgb_elf_image_call_sites(const struct pgb_elf_image *image,
				const struct pgb_elf_function *function,
				struct pgb_elf_call_site *sites, size_t most);

/*
 * AArch64: the bytes of data that start exactly at `address` in a function's code; 0: code.
 * Data ends at the next code marker of the function, or with the function's maximal size.
 */
uint64_t pgb_elf_image_data_bytes_at(const struct pgb_elf_image *image,
				     const struct pgb_elf_function *function, uint64_t address);

/* The size of the object whose symbol stands at this address; 0: none or unknown. */
uint64_t pgb_elf_image_object_bytes_at(const struct pgb_elf_image *image, uint64_t address);

/* The section an address is in; NULL: none that is loaded. */
const struct pgb_elf_section *pgb_elf_image_section_containing(const struct pgb_elf_image *image,
							       uint64_t address);

#endif
