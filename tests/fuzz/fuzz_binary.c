/* SPDX-License-Identifier: MIT */
/*
 * A whole ELF file: header, program headers and notes; then every segment is asked for its bias.
 */
#include "pgobolt/collector/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_binary binary = {0};
	int code = pgb_binary_parse(&binary, pgb_cursor_of(bytes, size_bytes));
	char *id = pgb_binary_id(&binary);

	pgb_assert((code == 0) == (binary.kind == PGB_BINARY_ELF));
	for (size_t i = 0; i < binary.segments.count; i++) {
		const struct pgb_segment *segment = &binary.segments.items[i];
		uint64_t bias = 0;

		/* Mapped whole, an executable segment with bytes is placed. */
		pgb_assert(pgb_binary_bias(&binary, 0, segment->size_file, segment->offset_file,
					   &bias) ||
			   segment->size_file == 0 || (segment->flags & 1) == 0);
	}
	free(id);
	pgb_binary_release(&binary);
	return 0;
}
