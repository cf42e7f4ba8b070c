/* SPDX-License-Identifier: MIT */
/*
 * Exception tables (LSDA): which ranges of a function have landing pads. llvm-bolt starts a block
 * at each.
 * Sources: LSB 5.0 core chapter 10.6; Itanium C++ ABI, exception handling tables.
 */
#include <dwarf.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/search.h"

uint64_t pgb_elf_image_exception_table(const struct pgb_elf_image *image, uint64_t function)
{
	size_t at = pgb_search(image->frames.count, i, image->frames.items[i].address < function);

	return at < image->frames.count && image->frames.items[at].address == function
		       ? image->frames.items[at].lsda
		       : 0;
}

/* The table's own bytes, its cursor telling addresses. */
static bool open_table(const struct pgb_elf_image *image, uint64_t address,
		       struct pgb_cursor *cursor)
{
	size_t left = 0;
	const uint8_t *bytes = pgb_elf_image_bytes_at(image, address, &left);

	if (address == 0 || bytes == NULL)
		return false;
	*cursor = pgb_cursor_of(bytes, left);
	cursor->offset = address;
	return true;
}

size_t pgb_elf_image_call_sites(const struct pgb_elf_image *image,
				const struct pgb_elf_function *function,
				struct pgb_elf_call_site *sites, size_t most)
{
	uint64_t base = function->address, length;
	uint8_t encoding;
	struct pgb_cursor cursor, table;
	size_t count = 0;

	if (!open_table(image, pgb_elf_image_exception_table(image, function->address), &cursor))
		return 0;
	encoding = pgb_cursor_u8(&cursor);
	if (encoding != DW_EH_PE_omit)
		base = pgb_elf_read_encoded(&cursor, encoding);
	encoding = pgb_cursor_u8(&cursor);
	if (encoding != DW_EH_PE_omit)
		pgb_elf_read_uleb128(&cursor); /* to the types */
	encoding = pgb_cursor_u8(&cursor);
	length = pgb_elf_read_uleb128(&cursor);
	table = pgb_cursor_sub(&cursor, length);
	while (!table.truncated && pgb_cursor_left(&table) > 0) {
		uint64_t start = pgb_elf_read_encoded(&table, encoding & 0x0f);
		uint64_t bytes = pgb_elf_read_encoded(&table, encoding & 0x0f);
		uint64_t landing_pad = pgb_elf_read_encoded(&table, encoding & 0x0f);

		pgb_elf_read_uleb128(&table); /* the action */
		if (table.truncated || landing_pad == 0)
			continue;
		if (count < most)
			sites[count] = (struct pgb_elf_call_site){function->address + start,
								  function->address + start + bytes,
								  base + landing_pad};
		count++;
	}
	return count;
}
