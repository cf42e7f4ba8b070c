/* SPDX-License-Identifier: MIT */
/* Which kind of debug information there is: what llvm-bolt makes of it depends on that. */
#include <elf.h>
#include <string.h>

#include "bolt/verify_private.h"

enum {
	DWARF64 = 0xffffffff,
	UNIT_SKELETON = 4, /* DW_UT_skeleton: the rest is in a .dwo file */
	/* DW_AT_GNU_dwo_name (0x2130) in ULEB128, as an abbreviation of DWARF 4 names it */
	DWO_NAME_LOW = 0xb0,
	DWO_NAME_HIGH = 0x42,
};

static bool names_dwo_files(const struct pgb_elf_image *image)
{
	static const uint8_t name[] = {DWO_NAME_LOW, DWO_NAME_HIGH};
	const struct pgb_elf_section *section = pgb_elf_image_find_section(image, ".debug_abbrev");
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;

	return bytes != NULL && memmem(bytes, section->size_bytes, name, sizeof(name)) != NULL;
}

bool pgb_debug_read(struct pgb_debug *debug, const struct pgb_elf_image *image)
{
	const struct pgb_elf_section *section = pgb_elf_image_find_section(image, ".debug_info");
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;
	struct pgb_cursor cursor;

	*debug = (struct pgb_debug){0};
	if (section == NULL)
		section = pgb_elf_image_find_section(image, ".zdebug_info");
	if (section == NULL)
		return false;
	debug->compressed = (section->flags & SHF_COMPRESSED) != 0 || section->name[1] == 'z';
	if (bytes == NULL || debug->compressed)
		return true;
	cursor = pgb_cursor_of(bytes, section->size_bytes);
	/* units one behind the other: length, version, and from DWARF 5 on their kind */
	while (pgb_cursor_holds(&cursor, 1, 12)) {
		uint64_t length = pgb_cursor_u32(&cursor);
		struct pgb_cursor unit;

		if (length == DWARF64)
			length = pgb_cursor_u64(&cursor);
		unit = cursor;
		pgb_cursor_skip(&cursor, length);
		debug->units++;
		debug->version = pgb_cursor_u16(&unit);
		if (debug->version >= 5 && pgb_cursor_u8(&unit) == UNIT_SKELETON)
			debug->split = true;
	}
	if (debug->version < 5)
		debug->split = names_dwo_files(image);
	return true;
}

void pgb_verify_debug(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	struct pgb_debug debug;

	if (!pgb_debug_read(&debug, image))
		return;
	if (debug.compressed)
		pgb_findings_add(findings, PGB_FINDING_NOTE, 0, "debug-info",
				 "leave it out (--drop-debug), or link without "
				 "-Wl,--compress-debug-sections",
				 "it holds compressed debug information: updating it is slow, and "
				 "some releases of llvm-bolt do not end on it");
	else if (debug.split)
		pgb_findings_add(
			findings, PGB_FINDING_NOTE, 0, "debug-info",
			"keep the .dwo files where they are, or leave it out (--drop-debug)",
			"its debug information is split (-gsplit-dwarf): llvm-bolt writes "
			".dwo files anew");
	else
		pgb_findings_add(
			findings, PGB_FINDING_NOTE, 0, "debug-info", NULL,
			"it holds debug information (DWARF %u, %zu unit%s): updating it takes "
			"llvm-bolt longer and more memory (--drop-debug leaves it out)",
			debug.version, debug.units, debug.units == 1 ? "" : "s");
}
