/* SPDX-License-Identifier: MIT */
/* What the verify_*.c files share. */
#ifndef PGOBOLT_BOLT_VERIFY_PRIVATE_H
#define PGOBOLT_BOLT_VERIFY_PRIVATE_H

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
/* verify_unwind.c: the table that exceptions and backtraces are found by. */
void pgb_verify_unwind(struct pgb_comparison *comparison);

#endif
