/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/address_translation.h"

#include "bolt/elf_image_private.h"

enum {
	NOTE_TYPE = 1,
	HASH_BYTES = 8,
	TRANSLATION_BYTES_LEAST = 1, /* of an entry: counts are checked against what is left */
};

struct reader {
	struct pgb_cursor note;
	struct pgb_address_translation *translation;
	uint64_t address; /* the last that was read */
	size_t hot_count;
};

/* What precedes the translations of a fragment. */
struct fragment_head {
	uint64_t entries; /* of the function, behind the translations */
	uint64_t skew;
	uint64_t translations, equal;
	const uint8_t *branch_bits; /* for the first `equal` */
};

static bool is_branch(const struct fragment_head *head, uint64_t index)
{
	return head->branch_bits[index / 8] >> index % 8 & 1;
}

static bool read_head(struct reader *reader, bool cold, uint64_t *hot_index,
		      struct pgb_translated_fragment *fragment, struct fragment_head *head)
{
	struct pgb_cursor *note = &reader->note;

	reader->address += pgb_elf_read_uleb128(note);
	fragment->address = fragment->hot = reader->address;
	if (cold) {
		*hot_index += pgb_elf_read_uleb128(note);
		head->skew = pgb_elf_read_uleb128(note);
		if (*hot_index >= reader->hot_count)
			return false;
		fragment->hot = reader->translation->fragments.items[*hot_index].address;
	} else {
		pgb_cursor_skip(note, HASH_BYTES);
		pgb_elf_read_uleb128(note); /* blocks of the original */
		head->entries = pgb_elf_read_uleb128(note);
	}
	head->translations = pgb_elf_read_uleb128(note);
	head->equal = pgb_elf_read_uleb128(note);
	if (!pgb_cursor_holds(note, head->translations, TRANSLATION_BYTES_LEAST) ||
	    head->equal > head->translations)
		return false;
	head->branch_bits = pgb_cursor_bytes(note, (head->equal + 7) / 8);
	return !note->truncated;
}

static void read_translations(struct reader *reader, const struct fragment_head *head,
			      struct pgb_translated_fragment *fragment)
{
	struct pgb_address_translation *translation = reader->translation;
	struct pgb_cursor *note = &reader->note;
	uint64_t place = 0; /* twice the offset, plus one at a branch */

	fragment->block_first = translation->blocks.count;
	for (uint64_t i = 0; i < head->translations && !note->truncated; i++) {
		struct pgb_translated_block block;

		reader->address += pgb_elf_read_uleb128(note);
		block.address = reader->address;
		if (i < head->equal)
			place = (reader->address - fragment->address + head->skew) << 1 |
				is_branch(head, i);
		else
			place += pgb_elf_read_sleb128(note);
		if (place & 1)
			continue;
		pgb_cursor_skip(note, HASH_BYTES);
		pgb_elf_read_uleb128(note); /* the block's number */
		block.offset = place >> 1;
		pgb_array_push(&translation->blocks, block);
	}
	fragment->block_count = translation->blocks.count - fragment->block_first;
	for (uint64_t i = 0; i < head->entries && !note->truncated; i++)
		pgb_elf_read_uleb128(note);
}

/* false: no such table. */
static bool read_table(struct reader *reader, bool cold)
{
	uint64_t count = pgb_elf_read_uleb128(&reader->note), hot_index = 0;

	if (!pgb_cursor_holds(&reader->note, count, 1))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct pgb_translated_fragment fragment = {0};
		struct fragment_head head = {0};

		if (!read_head(reader, cold, &hot_index, &fragment, &head))
			return false;
		read_translations(reader, &head, &fragment);
		if (reader->note.truncated)
			return false;
		pgb_array_push(&reader->translation->fragments, fragment);
	}
	if (!cold)
		reader->hot_count = reader->translation->fragments.count;
	return true;
}

int pgb_address_translation_parse(struct pgb_address_translation *translation,
				  struct pgb_cursor bytes, struct pgb_error *error)
{
	struct reader reader = {.translation = translation};
	uint32_t name_bytes = pgb_cursor_u32(&bytes), note_bytes = pgb_cursor_u32(&bytes);
	uint32_t type = pgb_cursor_u32(&bytes);
	const uint8_t *name = pgb_cursor_bytes(&bytes, ((uint64_t)name_bytes + 3) & ~UINT64_C(3));

	*translation = (struct pgb_address_translation){0};
	reader.note = pgb_cursor_sub(&bytes, note_bytes);
	if (bytes.truncated)
		return pgb_fail(error, PGB_E_TRUNCATED, ".note.bolt_bat ends inside its note");
	if (type != NOTE_TYPE || name_bytes < 4 || memcmp(name, "BOLT", 4) != 0)
		return pgb_fail(error, PGB_E_CORRUPT, ".note.bolt_bat holds another note");
	if (read_table(&reader, false) && read_table(&reader, true) && !reader.note.truncated &&
	    pgb_cursor_left(&reader.note) == 0)
		return 0;
	pgb_address_translation_release(translation);
	return pgb_fail(error, PGB_E_UNSUPPORTED,
			"this llvm-bolt writes address translation in a form of its own");
}

void pgb_address_translation_release(struct pgb_address_translation *translation)
{
	pgb_array_release(&translation->fragments);
	pgb_array_release(&translation->blocks);
	*translation = (struct pgb_address_translation){0};
}
