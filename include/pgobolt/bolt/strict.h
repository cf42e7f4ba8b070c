/* SPDX-License-Identifier: MIT */
/*
 * llvm-bolt leaves a function alone where an indirect jump goes it knows not where: the loop of an
 * interpreter with computed gotos, say. With -strict it takes the user's word that all such jumps
 * go to addresses that relocations show, for every function. Here is for which of them that holds.
 *
 * An indirect jump inside a function needs an address inside it, and that is made from one of
 *  - a word of data with such an address, which is relocated: llvm-bolt updates it;
 *  - an entry of a table of distances, which is relocated as it spans two sections: llvm-bolt
 *    updates those of tables that it understands;
 *  - an instruction with such an address;
 *  - an address of the function and a number that no relocation shows.
 * A function is proven where relocations and instructions show none of the third kind and no
 * distances but those of tables that are understood, and where what it jumps to was loaded from
 * memory or handed over as it is, which leaves out the fourth.
 *
 * -strict works on all functions: those that llvm-bolt is told to skip are moved and not looked
 * after. So all that it makes a difference for must be proven.
 */
#ifndef PGOBOLT_BOLT_STRICT_H
#define PGOBOLT_BOLT_STRICT_H

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/elf_image.h"

enum pgb_strict_kind {
	PGB_STRICT_UNPROVEN,
	PGB_STRICT_COMPUTED,   /* nor that: llvm-bolt may take the jumps for what they are not */
	PGB_STRICT_TAIL_CALLS, /* nobody knows an address inside: jumps lead out of it */
	PGB_STRICT_TABLES,     /* jump tables, which the jumps are far away from */
	PGB_STRICT_GOTOS,      /* words of data with addresses of labels */
};

/* "computed gotos"; NULL for what is not proven. Static. */
const char *pgb_strict_kind_name(enum pgb_strict_kind kind);

struct pgb_strict_function {
	const struct pgb_elf_function *function;
	enum pgb_strict_kind kind;
	const char *why; /* it is not proven; static. NULL: it is */
};

struct pgb_strict {
	/* Those that -strict makes a difference for, ascending by address. */
	PGB_ARRAY(struct pgb_strict_function) functions;
};

/*
 * x86-64 with relocations, none of them packed (RELR); none is proven elsewhere. PGB_E_CORRUPT,
 * PGB_E_LIMIT as of pgb_cfgs_new(). Functions are borrowed from the image.
 */
int pgb_strict_prove(struct pgb_strict *strict, struct pgb_elf_image *image,
		     struct pgb_error *error);
void pgb_strict_release(struct pgb_strict *strict);

#endif
