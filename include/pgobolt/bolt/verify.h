/* SPDX-License-Identifier: MIT */
/*
 * Is this binary fit for llvm-bolt, and is what came out still the same program? Findings, not
 * verdicts: each names what was seen and what mends it.
 */
#ifndef PGOBOLT_BOLT_VERIFY_H
#define PGOBOLT_BOLT_VERIFY_H

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/profile.h"

enum pgb_severity {
	PGB_FINDING_GOOD,    /* checked and right */
	PGB_FINDING_NOTE,    /* worth knowing */
	PGB_FINDING_WARNING, /* it works, but less well */
	PGB_FINDING_ERROR,   /* do not go on */
};

struct pgb_finding {
	enum pgb_severity severity;
	int code;	   /* enum pgb_code for errors, else 0 */
	const char *check; /* stable name: "relocations", "stack-executable" */
	char *message;
	char *remedy; /* NULL: none */
};

struct pgb_findings {
	PGB_ARRAY(struct pgb_finding) list;
};

void pgb_findings_release(struct pgb_findings *findings);
enum pgb_severity pgb_findings_worst(const struct pgb_findings *findings);
/* The first error as a pgb_error; 0 where there is none. */
int pgb_findings_error(const struct pgb_findings *findings, struct pgb_error *error);

/*
 * Before: class, machine, relocations, symbols, already optimized, .cold fragments, Go, kernel
 * image, sanitizer or coverage builds. `profile_id` (may be NULL) is the build-id the profile was
 * recorded from.
 */
int pgb_verify_before(struct pgb_elf_image *image, const struct pgb_build_id *profile_id,
		      struct pgb_findings *findings, struct pgb_error *error);

/*
 * After: entry, dynamic section, exported symbols, stack, RELRO, W^X, interpreter, notes; each hot
 * function of the profile (may be NULL) present and in executable memory.
 */
int pgb_verify_after(struct pgb_elf_image *original, struct pgb_elf_image *optimized,
		     struct pgb_profile *profile, struct pgb_findings *findings,
		     struct pgb_error *error);

#endif
