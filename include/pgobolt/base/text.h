/* SPDX-License-Identifier: MIT */
/*
 * Growable string, always NUL-terminated once something was added. Zeroed = empty.
 * Ownership: `data` belongs to the text until pgb_text_detach() hands it to the caller.
 */
#ifndef PGOBOLT_BASE_TEXT_H
#define PGOBOLT_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "pgobolt/base/alloc.h"

struct pgb_text {
	char *data;
	size_t length; /* bytes, without the NUL */
	size_t capacity;
};

static inline void pgb_text_reserve(struct pgb_text *text, size_t extra)
{
	size_t wanted = text->length + extra + 1;

	if (wanted <= text->capacity)
		return;
	if (wanted < text->capacity * 2)
		wanted = text->capacity * 2;
	if (wanted < 64)
		wanted = 64;
	text->data = pgb_realloc_array(text->data, wanted, 1);
	text->capacity = wanted;
}

static inline void pgb_text_add_bytes(struct pgb_text *text, const void *bytes, size_t length)
{
	pgb_text_reserve(text, length);
	if (length > 0)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

static inline void pgb_text_add(struct pgb_text *text, const char *string)
{
	pgb_text_add_bytes(text, string, strlen(string));
}

__attribute__((format(printf, 2, 0))) static inline void
pgb_text_addv(struct pgb_text *text, const char *format, va_list arguments)
{
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	pgb_assert(length >= 0);
	pgb_text_reserve(text, (size_t)length);
	vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
	text->length += (size_t)length;
	va_end(again);
}

__attribute__((format(printf, 2, 3))) static inline void pgb_text_addf(struct pgb_text *text,
								       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(text, format, arguments);
	va_end(arguments);
}

/* The string itself; "" when empty. Borrowed. */
static inline const char *pgb_text_string(const struct pgb_text *text)
{
	return text->data ? text->data : "";
}

static inline char *pgb_text_detach(struct pgb_text *text)
{
	char *data = text->data ? text->data : pgb_dup("");

	*text = (struct pgb_text){0};
	return data;
}

static inline void pgb_text_release(struct pgb_text *text)
{
	free(text->data);
	*text = (struct pgb_text){0};
}

static inline bool pgb_begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Is there something before `ending`, too? */
static inline bool pgb_ends_with(const char *text, const char *ending)
{
	size_t length = strlen(text), ending_length = strlen(ending);

	return length > ending_length && strcmp(text + length - ending_length, ending) == 0;
}

/* Formatted copy; the caller frees it. */
__attribute__((format(printf, 1, 2))) static inline char *pgb_format(const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	return pgb_text_detach(&text);
}

#endif
