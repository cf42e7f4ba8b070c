/* SPDX-License-Identifier: MIT */
/* Text that is escaped as it is put into a page. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/report_private.h"

static const char *html_escape(unsigned char byte)
{
	switch (byte) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

/* Length of a UTF-8 sequence, 0 for what is none: overlong, a surrogate, beyond U+10FFFF, C1. */
static size_t utf8_length(const unsigned char *at)
{
	size_t length = at[0] < 0xc2   ? 0
			: at[0] < 0xe0 ? 2
			: at[0] < 0xf0 ? 3
			: at[0] < 0xf5 ? 4
				       : 0;

	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xe0 && at[1] < 0xa0) ||
	    (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] >= 0x90))
		return 0;
	return length;
}

/* In Markdown. An underscore inside a word is none. */
static bool is_markup(const char *string, const char *at)
{
	if (*at == '_' && at > string && isalnum((unsigned char)at[-1]) &&
	    isalnum((unsigned char)at[1]))
		return false;
	return strchr("\\`*_{}[]()#+!|~$", *at) != NULL;
}

static void add_escaped(struct pgb_page *page, const char *string)
{
	const unsigned char *at = (const unsigned char *)string;

	while (*at) {
		const char *instead = html_escape(*at);
		size_t length = *at < 0x80 ? 1 : utf8_length(at);

		if (length == 0 || *at < ' ' || *at == 0x7f) {
			pgb_text_add(&page->text, *at == '\n' || *at == '\t' ? " " : "?");
			length = 1;
		} else if (instead) {
			pgb_text_add(&page->text, instead);
		} else {
			if (page->markdown && is_markup(string, (const char *)at))
				pgb_text_add(&page->text, "\\");
			pgb_text_add_bytes(&page->text, at, length);
		}
		at += length;
	}
}

/* One conversion, from its % on; returns what is behind it. */
static const char *add_conversion(struct pgb_page *page, const char *format, va_list *arguments)
{
	char spec[16], text[64];
	size_t length = 1 + strspn(format + 1, "+-# 0123456789.");
	size_t wide = strspn(format + length, "lz");
	char kind = format[length + wide];

	pgb_assert(length + wide + 2 <= sizeof(spec));
	memcpy(spec, format, length + wide + 1);
	spec[length + wide + 1] = '\0';
	text[0] = '\0';
	switch (kind) {
	case '%':
		snprintf(text, sizeof(text), "%%");
		break;
	case 's':
		add_escaped(page, va_arg(*arguments, const char *));
		break;
	case 'c':
		text[0] = (char)va_arg(*arguments, int);
		text[1] = '\0';
		add_escaped(page, text);
		text[0] = '\0';
		break;
	case 'd':
	case 'u':
	case 'x':
		if (wide)
			snprintf(text, sizeof(text), spec, va_arg(*arguments, unsigned long));
		else
			snprintf(text, sizeof(text), spec, va_arg(*arguments, unsigned int));
		break;
	case 'f':
	case 'g':
		snprintf(text, sizeof(text), spec, va_arg(*arguments, double));
		break;
	default:
		pgb_assert(!"a conversion that pgb_page_add() does not know");
	}
	pgb_text_add(&page->text, text);
	return format + length + wide + 1;
}

void pgb_page_add(struct pgb_page *page, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	while (*format) {
		size_t length = strcspn(format, "%");

		pgb_text_add_bytes(&page->text, format, length);
		format += length;
		if (*format)
			format = add_conversion(page, format, &arguments);
	}
	va_end(arguments);
}

void pgb_page_add_code(struct pgb_page *page, const char *text)
{
	struct pgb_page line = {0};

	pgb_text_add(&page->text, page->markdown ? "\n" : "<pre><code>");
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *copy = pgb_dup_bytes(text, length);

		if (page->markdown) {
			/* indented by four: nothing in it is markup, not even &lt; */
			for (char *at = copy; *at; at++)
				if ((unsigned char)*at < ' ' || *at == 0x7f)
					*at = '?';
			pgb_text_addf(&page->text, "    %s\n", copy);
		} else {
			pgb_page_add(&line, "%s\n", copy);
			pgb_text_add(&page->text, line.text.data);
			line.text.length = 0;
		}
		free(copy);
		text += length + (text[length] == '\n');
	}
	pgb_text_add(&page->text, page->markdown ? "\n" : "</code></pre>\n");
	pgb_text_release(&line.text);
}
