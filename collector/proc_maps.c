/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/proc_maps.h"

#include <sys/sysmacros.h>

#include "pgobolt/base/error.h"

/* Digits in base 10 or 16, at least one, below 2^64. */
static bool take_number(struct pgb_cursor *line, unsigned int base, uint64_t *value)
{
	const uint8_t *start = line->at;

	*value = 0;
	for (; line->at < line->end; line->at++) {
		unsigned int character = *line->at;
		unsigned int digit = character - '0';

		if (digit > 9) {
			digit = (character | 0x20) - 'a' + 10;
			if (digit < 10 || digit >= base)
				break;
		}
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	return line->at > start;
}

static bool take_character(struct pgb_cursor *line, char wanted)
{
	return pgb_cursor_left(line) > 0 && pgb_cursor_u8(line) == (uint8_t)wanted;
}

static bool take_permissions(struct pgb_cursor *line, struct pgb_proc_map *map)
{
	const uint8_t *letters = pgb_cursor_bytes(line, 4);

	if (letters == NULL)
		return false;
	map->readable = letters[0] == 'r';
	map->writable = letters[1] == 'w';
	map->executable = letters[2] == 'x';
	map->shared = letters[3] == 's' || letters[3] == 'S';
	return true;
}

/* What is left of the line, behind the padding. */
static bool take_path(struct pgb_cursor *line, struct pgb_proc_map *map)
{
	size_t length = 0;

	while (line->at < line->end && *line->at == ' ')
		line->at++;
	while (line->at < line->end) {
		char character = (char)*line->at++;

		if (character == '\\' && line->end - line->at >= 3 &&
		    memcmp(line->at, "012", 3) == 0) {
			character = '\n';
			line->at += 3;
		}
		if (character == '\0' || length + 1 >= sizeof(map->path))
			return false;
		map->path[length++] = character;
	}
	map->path[length] = '\0';
	return true;
}

static bool parse_line(struct pgb_cursor line, struct pgb_proc_map *map)
{
	uint64_t major_number, minor_number;

	if (!take_number(&line, 16, &map->start) || !take_character(&line, '-') ||
	    !take_number(&line, 16, &map->end) || !take_character(&line, ' ') ||
	    !take_permissions(&line, map) || !take_character(&line, ' ') ||
	    !take_number(&line, 16, &map->offset_file) || !take_character(&line, ' ') ||
	    !take_number(&line, 16, &major_number) || !take_character(&line, ':') ||
	    !take_number(&line, 16, &minor_number) || !take_character(&line, ' ') ||
	    !take_number(&line, 10, &map->inode))
		return false;
	if (map->end < map->start || major_number > UINT32_MAX || minor_number > UINT32_MAX)
		return false;
	map->device = makedev((unsigned int)major_number, (unsigned int)minor_number);
	if (pgb_cursor_left(&line) > 0 && !take_character(&line, ' '))
		return false;
	return take_path(&line, map);
}

int pgb_proc_maps_next(struct pgb_cursor *text, struct pgb_proc_map *map)
{
	size_t left = pgb_cursor_left(text);
	const uint8_t *newline = left ? memchr(text->at, '\n', left) : NULL;
	struct pgb_cursor line;

	if (left == 0)
		return 0;
	if (newline == NULL) {
		pgb_cursor_skip(text, left);
		return PGB_E_TRUNCATED;
	}
	line = pgb_cursor_sub(text, (uint64_t)(newline - text->at));
	pgb_cursor_skip(text, 1);
	return parse_line(line, map) ? 1 : PGB_E_CORRUPT;
}
