/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/address_translation.h"

/* ---- a writer, to have something to read */

static void add_uleb128(struct pgb_text *text, uint64_t value)
{
	do {
		uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

		pgb_text_add_bytes(text, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

static void add_sleb128(struct pgb_text *text, int64_t value)
{
	for (bool more = true; more;) {
		uint8_t byte = (uint8_t)(value & 0x7f);

		value >>= 7;
		more = !((value == 0 && !(byte & 0x40)) || (value == -1 && (byte & 0x40)));
		byte |= more ? 0x80 : 0;
		pgb_text_add_bytes(text, &byte, 1);
	}
}

static void add_note(struct pgb_text *file, uint32_t type, const struct pgb_text *content)
{
	uint32_t head[] = {5, (uint32_t)content->length, type};

	pgb_text_add_bytes(file, head, sizeof(head));
	pgb_text_add_bytes(file, "BOLT\0\0\0", 8);
	pgb_text_add_bytes(file, content->data, content->length);
}

static const char hash[] = {'0', '1', '2', '3', '4', '5', '6', '7'};

/*
 * A function at 0x1000: blocks 0 -> 0, a branch at 4 -> 4, 8 -> 0x20, 0x10 -> 8; its cold part at
 * 0x2000: blocks 0 -> 0x40, 6 -> 0x30.
 */
static void add_tables(struct pgb_text *text)
{
	static const uint8_t branches = 2;

	add_uleb128(text, 1); /* hot */
	add_uleb128(text, 0x1000);
	pgb_text_add_bytes(text, hash, 8);
	add_uleb128(text, 5); /* blocks */
	add_uleb128(text, 1); /* entries */
	add_uleb128(text, 4);
	add_uleb128(text, 2); /* equal */
	pgb_text_add_bytes(text, &branches, 1);
	add_uleb128(text, 0);
	pgb_text_add_bytes(text, hash, 8);
	add_uleb128(text, 0);
	add_uleb128(text, 4); /* the branch */
	add_uleb128(text, 4);
	add_sleb128(text, (0x20 << 1) - (4 << 1 | 1));
	pgb_text_add_bytes(text, hash, 8);
	add_uleb128(text, 2);
	add_uleb128(text, 8);
	add_sleb128(text, (8 - 0x20) * 2);
	pgb_text_add_bytes(text, hash, 8);
	add_uleb128(text, 1);
	add_uleb128(text, 0x28); /* the entry */
	add_uleb128(text, 1);	 /* cold */
	add_uleb128(text, 0x2000 - 0x1010);
	add_uleb128(text, 0); /* of the first hot one */
	add_uleb128(text, 0x40);
	add_uleb128(text, 2);
	add_uleb128(text, 1);
	pgb_text_add_bytes(text, "\0", 1);
	add_uleb128(text, 0);
	pgb_text_add_bytes(text, hash, 8);
	add_uleb128(text, 3);
	add_uleb128(text, 6);
	add_sleb128(text, (0x30 - 0x40) * 2);
	pgb_text_add_bytes(text, hash, 8);
	add_uleb128(text, 4);
}

static int parse(struct pgb_address_translation *translation, const void *bytes, size_t size)
{
	struct pgb_error error = {0};

	return pgb_address_translation_parse(translation, pgb_cursor_of(bytes, size), &error);
}

static void test_blocks(void **state)
{
	static const struct pgb_translated_block wanted[] = {
		{0x1000, 0}, {0x1008, 0x20}, {0x1010, 8}, {0x2000, 0x40}, {0x2006, 0x30},
	};
	struct pgb_address_translation translation;
	struct pgb_text content = {0}, file = {0};

	(void)state;
	add_tables(&content);
	add_note(&file, 1, &content);
	assert_int_equal(parse(&translation, file.data, file.length), 0);
	assert_int_equal(translation.fragments.count, 2);
	assert_int_equal(translation.fragments.items[0].address, 0x1000);
	assert_int_equal(translation.fragments.items[0].hot, 0x1000);
	assert_int_equal(translation.fragments.items[0].block_count, 3);
	assert_int_equal(translation.fragments.items[1].address, 0x2000);
	assert_int_equal(translation.fragments.items[1].hot, 0x1000);
	assert_int_equal(translation.fragments.items[1].block_first, 3);
	assert_int_equal(translation.blocks.count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(translation.blocks.items[i].address, wanted[i].address);
		assert_int_equal(translation.blocks.items[i].offset, wanted[i].offset);
	}
	pgb_address_translation_release(&translation);
	pgb_text_release(&content);
	pgb_text_release(&file);
}

/* Cut at every byte, with one too many, with another note: an error, and nothing is left. */
static void test_damage(void **state)
{
	struct pgb_address_translation translation;
	struct pgb_text content = {0};

	(void)state;
	add_tables(&content);
	for (size_t length = content.length + 1; length-- > 0;) {
		struct pgb_text part = {0}, file = {0};

		pgb_text_add_bytes(&part, content.data, length);
		add_note(&file, 1, &part);
		assert_int_equal(parse(&translation, file.data, file.length),
				 length == content.length ? 0 : PGB_E_UNSUPPORTED);
		pgb_address_translation_release(&translation);
		for (size_t left = 0; left < file.length; left += 1 + left / 20)
			assert_int_equal(parse(&translation, file.data, left), PGB_E_TRUNCATED);
		assert_null(translation.blocks.items);
		pgb_text_release(&part);
		pgb_text_release(&file);
	}
	{
		struct pgb_text file = {0};

		add_note(&file, 2, &content);
		assert_int_equal(parse(&translation, file.data, file.length), PGB_E_CORRUPT);
		pgb_text_release(&file);
		add_uleb128(&content, 0);
		add_note(&file, 1, &content);
		assert_int_equal(parse(&translation, file.data, file.length), PGB_E_UNSUPPORTED);
		pgb_text_release(&file);
	}
	pgb_text_release(&content);
}

/* Counts that promise more than there are bytes, and an index of a hot part that is not there. */
static void test_lies(void **state)
{
	static const uint8_t rows[][24] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		{1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 1, 2, 0},
		{0, 1, 0, 5, 0, 1, 0},
	};
	struct pgb_address_translation translation;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_text content = {0}, file = {0};

		pgb_text_add_bytes(&content, rows[i], sizeof(rows[i]));
		add_note(&file, 1, &content);
		assert_int_equal(parse(&translation, file.data, file.length), PGB_E_UNSUPPORTED);
		pgb_text_release(&content);
		pgb_text_release(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
