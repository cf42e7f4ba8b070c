/* SPDX-License-Identifier: MIT */
/*
 * Lines of text formats: fields in, fields out. A field that does not parse leaves `at` where it
 * was, so that the message can show what stood there.
 */
#ifndef PGOBOLT_BASE_LINE_H
#define PGOBOLT_BASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pgobolt/base/code.h"
#include "pgobolt/base/cursor.h"

/* What is left of the line at hand; its newline is not part of it. */
struct pgb_line {
	const char *at, *end;
	uint64_t number; /* from 1; of the last line read */
};

/* 1 the next line; 0 the end; PGB_E_TRUNCATED: the last line has no newline. */
static inline int pgb_line_next(struct pgb_line *line, struct pgb_cursor *text)
{
	size_t left = pgb_cursor_left(text);
	const uint8_t *newline = left ? memchr(text->at, '\n', left) : NULL;

	if (left == 0)
		return 0;
	line->number++;
	line->at = (const char *)text->at;
	line->end = newline ? (const char *)newline : line->at + left;
	pgb_cursor_skip(text, (uint64_t)(line->end - line->at) + (newline != NULL));
	return newline ? 1 : PGB_E_TRUNCATED;
}

static inline bool pgb_line_ended(const struct pgb_line *line)
{
	return line->at == line->end;
}

static inline bool pgb_line_take(struct pgb_line *line, char wanted)
{
	if (line->at == line->end || *line->at != wanted)
		return false;
	line->at++;
	return true;
}

/* The value of a digit in base 16; 16 and more: none. */
static inline unsigned int pgb_digit_value(char character)
{
	unsigned int digit = (unsigned int)(unsigned char)character - '0';

	if (digit <= 9)
		return digit;
	digit = ((unsigned int)(unsigned char)character | 0x20) - 'a';
	return digit < 6 ? digit + 10 : 16;
}

/* At least one digit, below 2^64. */
static inline bool pgb_line_hex(struct pgb_line *line, uint64_t *value)
{
	const char *at = line->at;
	uint64_t number = 0;
	unsigned int digit;

	for (; at < line->end && (digit = pgb_digit_value(*at)) < 16; at++) {
		if (number >> 60 != 0)
			return false;
		number = number << 4 | digit;
	}
	if (at == line->at)
		return false;
	line->at = at;
	*value = number;
	return true;
}

static inline bool pgb_line_decimal(struct pgb_line *line, uint64_t *value)
{
	const char *at = line->at;
	uint64_t number = 0;

	for (; at < line->end && *at >= '0' && *at <= '9'; at++) {
		unsigned int digit = (unsigned int)(*at - '0');

		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (at == line->at)
		return false;
	line->at = at;
	*value = number;
	return true;
}

/* Enough for any number written below, and its NUL. */
#define PGB_NUMBER_BYTES 24

/* Write digits, no NUL; returns behind them. */
static inline char *pgb_put_hex(char *at, uint64_t value)
{
	unsigned int digits = value == 0 ? 1 : (67 - (unsigned int)__builtin_clzll(value)) / 4;

	for (unsigned int i = digits; i > 0; i--, value >>= 4)
		at[i - 1] = "0123456789abcdef"[value & 15];
	return at + digits;
}

static inline char *pgb_put_decimal(char *at, uint64_t value)
{
	char digits[PGB_NUMBER_BYTES];
	unsigned int count = 0;

	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

#endif
