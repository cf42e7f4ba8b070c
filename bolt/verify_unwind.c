/* SPDX-License-Identifier: MIT */
#include <elf.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/cursor.h"

/*
 * .eh_frame_hdr: a table of (function, FDE), sorted, which unwinders search by halves. An unsorted
 * or misplaced table shows only when an exception is thrown.
 * Source: Linux Standard Base 5.0, 10.6.2; DWARF pointer encodings there in 10.5.1.
 */
enum {
	VERSION = 1,
	POINTER_PC_RELATIVE_4 = 0x1b,
	COUNT_UNSIGNED_4 = 0x03,
	TABLE_HEADER_RELATIVE_4 = 0x3b,
};

static void bad(struct pgb_comparison *comparison, const char *what, uint64_t address)
{
	pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, "unwind", NULL,
			 "unwind table: %s (at %#llx): exceptions and backtraces would go wrong",
			 what, (unsigned long long)address);
}

static bool check_table(struct pgb_comparison *comparison, struct pgb_cursor *table,
			uint64_t base_address, uint32_t count)
{
	int64_t previous = INT64_MIN;

	for (uint32_t i = 0; i < count; i++) {
		int32_t function = (int32_t)pgb_cursor_u32(table);
		int32_t description = (int32_t)pgb_cursor_u32(table);
		uint64_t address = base_address + (uint64_t)(int64_t)function;
		const struct pgb_elf_program_header *segment;

		if (function < previous) {
			bad(comparison, "not sorted", address);
			return false;
		}
		previous = function;
		segment = pgb_elf_dynamic_segment_at(&comparison->after, address);
		if (segment == NULL || (segment->flags & PF_X) == 0) {
			bad(comparison, "an entry is for no executable memory", address);
			return false;
		}
		address = base_address + (uint64_t)(int64_t)description;
		if (pgb_elf_dynamic_segment_at(&comparison->after, address) == NULL) {
			bad(comparison, "an entry's description is not loaded", address);
			return false;
		}
	}
	return true;
}

void pgb_verify_unwind(struct pgb_comparison *comparison)
{
	const struct pgb_elf_program_header *before =
		pgb_elf_dynamic_find_header(&comparison->before, PT_GNU_EH_FRAME);
	const struct pgb_elf_program_header *after =
		pgb_elf_dynamic_find_header(&comparison->after, PT_GNU_EH_FRAME);
	struct pgb_cursor table;
	uint32_t head, count;

	if (before == NULL && after == NULL)
		return;
	if (before == NULL || after == NULL) {
		pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, "unwind",
				 NULL, "the unwind table (PT_GNU_EH_FRAME) is %s",
				 after ? "new" : "gone: exceptions would end the program");
		return;
	}
	table = pgb_elf_dynamic_bytes(&comparison->after, after);
	head = pgb_cursor_u32(&table);
	pgb_cursor_skip(&table, sizeof(int32_t)); /* where .eh_frame is */
	count = pgb_cursor_u32(&table);
	if (head != (VERSION | POINTER_PC_RELATIVE_4 << 8 | COUNT_UNSIGNED_4 << 16 |
		     (uint32_t)TABLE_HEADER_RELATIVE_4 << 24)) {
		pgb_findings_add(comparison->findings, PGB_FINDING_NOTE, 0, "unwind", NULL,
				 "unwind table in a form that is not checked (%#x)", head);
		return;
	}
	if (!pgb_cursor_holds(&table, count, 2 * sizeof(uint32_t))) {
		bad(comparison, "cut short", after->address);
		return;
	}
	if (check_table(comparison, &table, after->address, count))
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "unwind", NULL,
				 "unwind table: %u entries, sorted, for executable memory", count);
}
