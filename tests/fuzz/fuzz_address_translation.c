/* SPDX-License-Identifier: MIT */
/* .note.bolt_bat: whatever it holds, what was read is consistent. */
#include <stdint.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/bolt/address_translation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgb_address_translation translation;
	struct pgb_error error = {0};
	size_t blocks = 0;

	if (pgb_address_translation_parse(&translation, pgb_cursor_of(data, size), &error) != 0) {
		pgb_assert(translation.fragments.items == NULL);
		return 0;
	}
	for (size_t i = 0; i < translation.fragments.count; i++) {
		pgb_assert(translation.fragments.items[i].block_first == blocks);
		blocks += translation.fragments.items[i].block_count;
	}
	pgb_assert(blocks == translation.blocks.count);
	pgb_address_translation_release(&translation);
	return 0;
}
