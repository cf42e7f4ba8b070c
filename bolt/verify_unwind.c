/* SPDX-License-Identifier: MIT */
#include <elf.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/number.h"

/*
 * .eh_frame_hdr: a table of (function, FDE), sorted, which unwinders search by halves. A broken one
 * shows only when an exception is thrown.
 * Source: Linux Standard Base 5.0, 10.6; DWARF pointer encodings there in 10.5.1.
 */
enum {
	VERSION = 1,
	POINTER_PC_RELATIVE_4 = 0x1b,
	COUNT_UNSIGNED_4 = 0x03,
	TABLE_HEADER_RELATIVE_4 = 0x3b,
	ENTRY_BYTES = 8,
};

static void bad(struct pgb_comparison *comparison, const char *what, uint64_t address)
{
	pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, "unwind", NULL,
			 "unwind table: %s (at %#llx): exceptions and backtraces would go wrong",
			 what, (unsigned long long)address);
}

/* ---- one description */

static struct pgb_cursor cursor_at(const struct pgb_elf_dynamic *dynamic, uint64_t address)
{
	const struct pgb_elf_program_header *segment = pgb_elf_dynamic_segment_at(dynamic, address);
	struct pgb_cursor cursor;

	if (segment == NULL)
		return pgb_cursor_of(NULL, 0);
	cursor = pgb_elf_dynamic_bytes(dynamic, segment);
	pgb_cursor_skip(&cursor, address - segment->address);
	return cursor;
}

static void skip_leb128(struct pgb_cursor *cursor)
{
	while (!cursor->truncated && (pgb_cursor_u8(cursor) & 0x80))
		;
}

/*
 * Does the CIE say that its FDEs hold pointers relative to themselves in 4 bytes ("zR" and the
 * like, encoding 0x1b)? That is how compilers write them.
 */
static bool has_usual_pointers(const struct pgb_elf_dynamic *dynamic, uint64_t address)
{
	struct pgb_cursor cie = cursor_at(dynamic, address);
	char augmentation[8] = "";
	size_t length = 0;

	pgb_cursor_skip(&cie, 2 * sizeof(uint32_t) + 1); /* length, zero, version */
	while (length < sizeof(augmentation) - 1 &&
	       (augmentation[length] = (char)pgb_cursor_u8(&cie)) != '\0')
		length++;
	if (augmentation[0] != 'z')
		return false;
	for (int i = 0; i < 4; i++) /* factors, return register, length of what follows */
		skip_leb128(&cie);
	for (const char *at = augmentation + 1; *at != '\0' && !cie.truncated; at++) {
		uint8_t encoding;

		if (*at == 'R')
			return pgb_cursor_u8(&cie) == POINTER_PC_RELATIVE_4;
		if (*at == 'L')
			pgb_cursor_u8(&cie);
		if (*at != 'P')
			continue;
		encoding = pgb_cursor_u8(&cie);
		pgb_cursor_skip(&cie,
				(encoding & 0x0f) == 0x0b || (encoding & 0x0f) == 0x03 ? 4 : 8);
	}
	return false;
}

/* What the FDE at this address covers; false: it is written in another way. */
static bool read_description(const struct pgb_elf_dynamic *dynamic, uint64_t address,
			     struct pgb_unwind_range *range)
{
	struct pgb_cursor fde = cursor_at(dynamic, address);
	uint32_t cie;
	uint64_t at;

	pgb_cursor_skip(&fde, sizeof(uint32_t));
	cie = pgb_cursor_u32(&fde);
	if (fde.truncated || cie == 0 || !has_usual_pointers(dynamic, address + 4 - cie))
		return false;
	at = address + 8;
	range->start = at + (uint64_t)(int64_t)(int32_t)pgb_cursor_u32(&fde);
	range->end = range->start + pgb_cursor_u32(&fde);
	return !fde.truncated;
}

/* ---- the table */

bool pgb_unwind_open(struct pgb_unwind *unwind, const struct pgb_elf_dynamic *dynamic,
		     uint32_t *head)
{
	const struct pgb_elf_program_header *header =
		pgb_elf_dynamic_find_header(dynamic, PT_GNU_EH_FRAME);

	*unwind = (struct pgb_unwind){.dynamic = dynamic};
	*head = 0;
	if (header == NULL)
		return false;
	unwind->address = header->address;
	unwind->table = pgb_elf_dynamic_bytes(dynamic, header);
	*head = pgb_cursor_u32(&unwind->table);
	pgb_cursor_skip(&unwind->table, sizeof(int32_t)); /* where .eh_frame is */
	unwind->count = pgb_cursor_u32(&unwind->table);
	return *head == (VERSION | POINTER_PC_RELATIVE_4 << 8 | COUNT_UNSIGNED_4 << 16 |
			 (uint32_t)TABLE_HEADER_RELATIVE_4 << 24) &&
	       pgb_cursor_holds(&unwind->table, unwind->count, ENTRY_BYTES);
}

static void entry_at(const struct pgb_unwind *unwind, uint32_t index, uint64_t *function,
		     uint64_t *description)
{
	struct pgb_cursor entry = unwind->table;

	pgb_cursor_skip(&entry, (uint64_t)index * ENTRY_BYTES);
	*function = unwind->address + (uint64_t)(int64_t)(int32_t)pgb_cursor_u32(&entry);
	*description = unwind->address + (uint64_t)(int64_t)(int32_t)pgb_cursor_u32(&entry);
}

bool pgb_unwind_find(const struct pgb_unwind *unwind, uint64_t address,
		     struct pgb_unwind_range *range)
{
	uint32_t low = 0, high = unwind->count;
	uint64_t function, description;

	/* the last one that starts at or before the address */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		entry_at(unwind, middle, &function, &description);
		if (function <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	entry_at(unwind, low - 1, &function, &description);
	return read_description(unwind->dynamic, description, range) && range->start <= address &&
	       address < range->end;
}

static bool check_order(struct pgb_comparison *comparison, const struct pgb_unwind *unwind)
{
	int64_t previous = INT64_MIN;
	uint64_t function, description;

	for (uint32_t i = 0; i < unwind->count; i++) {
		entry_at(unwind, i, &function, &description);
		if ((int64_t)(function - unwind->address) < previous) {
			bad(comparison, "not sorted", function);
			return false;
		}
		previous = (int64_t)(function - unwind->address);
	}
	return true;
}

static bool check_entries(struct pgb_comparison *comparison, const struct pgb_unwind *unwind)
{
	uint64_t function, description;

	for (uint32_t i = 0; i < unwind->count; i++) {
		const struct pgb_elf_program_header *segment;
		struct pgb_unwind_range range;

		entry_at(unwind, i, &function, &description);
		segment = pgb_elf_dynamic_segment_at(&comparison->after, function);
		if (segment == NULL || (segment->flags & PF_X) == 0) {
			bad(comparison, "an entry is for no executable memory", function);
			return false;
		}
		if (pgb_elf_dynamic_segment_at(&comparison->after, description) == NULL) {
			bad(comparison, "an entry's description is not loaded", description);
			return false;
		}
		if (read_description(&comparison->after, description, &range) &&
		    range.start != function) {
			bad(comparison, "an entry's description is of another function", function);
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
	struct pgb_unwind unwind;
	uint32_t head;

	if (before == NULL && after == NULL)
		return;
	if (before == NULL || after == NULL) {
		pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, "unwind",
				 NULL, "the unwind table (PT_GNU_EH_FRAME) is %s",
				 after ? "new" : "gone: exceptions would end the program");
		return;
	}
	if (!pgb_unwind_open(&unwind, &comparison->after, &head)) {
		if (!pgb_cursor_holds(&unwind.table, unwind.count, ENTRY_BYTES))
			bad(comparison, "cut short", after->address);
		else
			pgb_findings_add(comparison->findings, PGB_FINDING_NOTE, 0, "unwind", NULL,
					 "unwind table in a form that is not checked (%#x)", head);
		return;
	}
	if (check_order(comparison, &unwind) && check_entries(comparison, &unwind))
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "unwind", NULL,
				 "unwind table: %s, sorted, each for its function",
				 PGB_PLURAL(unwind.count, "entry"));
}
