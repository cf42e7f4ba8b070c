/* SPDX-License-Identifier: MIT */
/* What the verify_*.c files share. */
#ifndef PGOBOLT_BOLT_VERIFY_PRIVATE_H
#define PGOBOLT_BOLT_VERIFY_PRIVATE_H

#include "pgobolt/base/cursor.h"
#include "pgobolt/bolt/elf_dynamic.h"
#include "pgobolt/bolt/verify.h"

/* Add one finding; `remedy` (NULL: none) is copied. `code` is 0 but for errors. */
__attribute__((format(printf, 6, 7))) void pgb_findings_add(struct pgb_findings *findings,
							    enum pgb_severity severity, int code,
							    const char *check, const char *remedy,
							    const char *format, ...);

/* One comparison of a binary with what llvm-bolt made of it. */
struct pgb_comparison {
	struct pgb_elf_image *original, *optimized;
	struct pgb_elf_dynamic before, after;
	struct pgb_findings *findings;
};

/* verify_dynamic.c: what the dynamic loader relies on. */
void pgb_verify_dynamic(struct pgb_comparison *comparison);
void pgb_verify_exports(struct pgb_comparison *comparison);
/* The same dynamic symbols and versions, in the same order; what is imported, too. */
void pgb_verify_imports(struct pgb_comparison *comparison);

/* verify_unwind.c: the table that exceptions and backtraces are found by. */
void pgb_verify_unwind(struct pgb_comparison *comparison);

struct pgb_unwind_range {
	uint64_t start, end;
};

struct pgb_unwind {
	const struct pgb_elf_dynamic *dynamic;
	struct pgb_cursor table; /* at the first entry */
	uint64_t address;
	uint32_t count;
};

/* false: there is none, it is cut short, or written in an unusual way (*head tells). */
bool pgb_unwind_open(struct pgb_unwind *unwind, const struct pgb_elf_dynamic *dynamic,
		     uint32_t *head);
/* What unwinders find for an address; false: nothing. */
bool pgb_unwind_find(const struct pgb_unwind *unwind, uint64_t address,
		     struct pgb_unwind_range *range);

/* verify_functions.c; both images must be discovered. */
void pgb_verify_functions(struct pgb_comparison *comparison);
/* The same function after llvm-bolt; NULL: not known. */
const struct pgb_elf_function *pgb_verify_find_twin(const struct pgb_comparison *comparison,
						    const struct pgb_elf_function *function);

/* verify_exceptions.c; both images must be discovered. */
void pgb_verify_exceptions(struct pgb_comparison *comparison);

/* verify_relocations.c; the images must be discovered. */
void pgb_verify_kept_relocations(struct pgb_elf_image *image, struct pgb_findings *findings);
void pgb_verify_dynamic_relocations(struct pgb_comparison *comparison);

/* verify_debug.c */
struct pgb_debug {
	unsigned int version; /* of DWARF; 0: not known */
	size_t units;
	bool compressed;
	bool split; /* into .dwo files */
};
/* false: there is none. */
bool pgb_debug_read(struct pgb_debug *debug, const struct pgb_elf_image *image);
void pgb_verify_debug(const struct pgb_elf_image *image, struct pgb_findings *findings);

/* verify_before.c: bits of a GNU property that all parts of the program have; 0: not there. */
uint32_t pgb_elf_property_bits(const struct pgb_elf_image *image, uint32_t wanted);

#endif
