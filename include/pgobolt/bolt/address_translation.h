/* SPDX-License-Identifier: MIT */
/*
 * Where llvm-bolt put each basic block: the section .note.bolt_bat, which -enable-bat adds to its
 * output ("BOLT Address Translation"), as releases 19 to 22 write it.
 *
 * The note's content is two tables, of hot parts and of the parts split off, one behind the other.
 * Numbers are ULEB128 but for those marked.
 *	number of fragments; for each:
 *	address in the output, less the address that was written last
 *	hot: hash (8 bytes), number of blocks of the original function, number of its entries
 *	cold: index of the hot part, less the one before; what to add to the first input offset
 *	number of translations; of those at the beginning whose offset did not change
 *	a bit for each of the latter: a branch?
 *	for each translation: address in the output, less the one that was written last; unless it
 *	did not change twice the offset in the original, plus one at a branch, less that of the one
 *	before (SLEB128); unless it is a branch a hash (8 bytes) and the block's number, less that
 *	of the one before
 *	hot: the entries' offsets
 */
#ifndef PGOBOLT_BOLT_ADDRESS_TRANSLATION_H
#define PGOBOLT_BOLT_ADDRESS_TRANSLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"

struct pgb_translated_block {
	uint64_t address; /* in the output; the fragment's end where the block was removed */
	uint64_t offset;  /* in the original function */
};

/* A function's hot part, or one split off. */
struct pgb_translated_fragment {
	uint64_t address; /* in the output */
	uint64_t hot;	  /* address of the hot part it belongs to: its own for a hot part */
	size_t block_first, block_count;
};

struct pgb_address_translation {
	PGB_ARRAY(struct pgb_translated_fragment) fragments;
	PGB_ARRAY(struct pgb_translated_block) blocks; /* of each fragment by address */
};

/*
 * Read the section's bytes. PGB_E_TRUNCATED, PGB_E_CORRUPT; PGB_E_UNSUPPORTED: the tables do not
 * end where the note does, as those of other releases. `translation` is empty after an error.
 */
int pgb_address_translation_parse(struct pgb_address_translation *translation,
				  struct pgb_cursor bytes, struct pgb_error *error);
void pgb_address_translation_release(struct pgb_address_translation *translation);

#endif
