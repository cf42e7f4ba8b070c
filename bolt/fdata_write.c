/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/fdata_write.h"

#include <inttypes.h>
#include <string.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

#define BUFFER_BYTES  65536
#define NUMBER_DIGITS 20

/* Millions of short lines: formatted here, handed to stdio by the buffer. */
struct writer {
	FILE *stream;
	const struct pgb_profile *profile;
	struct pgb_text prefix;
	uint32_t prefix_name;
	size_t used;
	char buffer[BUFFER_BYTES];
};

static void flush(struct writer *writer)
{
	fwrite(writer->buffer, 1, writer->used, writer->stream);
	writer->used = 0;
}

static char *room(struct writer *writer, size_t bytes)
{
	if (sizeof(writer->buffer) - writer->used < bytes)
		flush(writer);
	return writer->buffer + writer->used;
}

static void put_char(struct writer *writer, char c)
{
	*room(writer, 1) = c;
	writer->used++;
}

static void put_decimal(struct writer *writer, uint64_t value)
{
	char digits[NUMBER_DIGITS];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	memcpy(room(writer, sizeof(digits)), digits + at, sizeof(digits) - at);
	writer->used += sizeof(digits) - at;
}

static void put_hex(struct writer *writer, uint64_t value)
{
	unsigned int digits = value ? (67 - (unsigned int)__builtin_clzll(value)) / 4 : 1;
	char *at = room(writer, digits);

	for (unsigned int i = digits; i > 0; i--, value >>= 4)
		at[i - 1] = "0123456789abcdef"[value & 15];
	writer->used += digits;
}

static void put_bytes(struct writer *writer, const char *bytes, size_t length)
{
	if (length > sizeof(writer->buffer)) {
		flush(writer);
		fwrite(bytes, 1, length, writer->stream);
		return;
	}
	memcpy(room(writer, length), bytes, length);
	writer->used += length;
}

static void put_text(struct writer *writer, const char *text)
{
	put_bytes(writer, text, strlen(text));
}

/* "1 NAME ", escaped, of one function: most lines have it twice. */
static const struct pgb_text *prefix_of(struct writer *writer, uint32_t name, char kind)
{
	struct pgb_text *prefix = &writer->prefix;
	const char *at;

	if (prefix->length > 0 && writer->prefix_name == name && prefix->data[0] == kind)
		return prefix;
	writer->prefix_name = name;
	prefix->length = 0;
	pgb_text_add_bytes(prefix, (const char[]){kind, ' '}, 2);
	for (at = pgb_profile_name(writer->profile, name); *at != '\0';) {
		size_t plain = strcspn(at, " \\");

		pgb_text_add_bytes(prefix, at, plain);
		at += plain;
		if (*at != '\0')
			pgb_text_add_bytes(prefix, (const char[]){'\\', *at++}, 2);
	}
	pgb_text_add(prefix, " ");
	return prefix;
}

/* `kind` is that of a place outside; a symbol's is one more. */
static void put_place(struct writer *writer, const struct pgb_place *place, char kind)
{
	const struct pgb_text *prefix;

	if (place->name == PGB_NAME_UNKNOWN) {
		put_char(writer, kind);
		put_text(writer, " [unknown] ");
	} else {
		prefix = prefix_of(writer, place->name, (char)(kind + 1));
		put_bytes(writer, prefix->data, prefix->length);
	}
	put_hex(writer, place->offset);
	put_char(writer, ' ');
}

static void put_branches(struct writer *writer, struct pgb_profile *profile)
{
	size_t functions = pgb_profile_branch_functions(profile), count;

	for (size_t f = 0; f < functions; f++) {
		const struct pgb_profile_branch *lines =
			pgb_profile_function_branches(profile, f, &count);

		for (size_t i = 0; i < count; i++) {
			put_place(writer, &lines[i].from, '0');
			put_place(writer, &lines[i].to, '0');
			put_decimal(writer, lines[i].mispredicts);
			put_char(writer, ' ');
			put_decimal(writer, lines[i].count);
			put_char(writer, '\n');
		}
	}
}

static void put_samples(struct writer *writer, struct pgb_profile *profile)
{
	size_t count;
	const struct pgb_profile_sample *lines = pgb_profile_samples(profile, &count);

	for (size_t i = 0; i < count; i++) {
		put_place(writer, &lines[i].at, '0');
		put_decimal(writer, lines[i].count);
		put_char(writer, '\n');
	}
}

static void put_memories(struct writer *writer, struct pgb_profile *profile)
{
	size_t count;
	const struct pgb_profile_memory *lines = pgb_profile_memories(profile, &count);

	for (size_t i = 0; i < count; i++) {
		put_place(writer, &lines[i].at, '3');
		put_place(writer, &lines[i].data, '3');
		put_decimal(writer, lines[i].count);
		put_char(writer, '\n');
	}
}

static void put_header(struct writer *writer, const struct pgb_profile *profile)
{
	if (pgb_profile_kind(profile) == PGB_PROFILE_SAMPLES) {
		put_text(writer, "no_lbr");
		for (size_t i = 0; i < pgb_profile_event_count(profile); i++) {
			put_char(writer, ' ');
			put_text(writer, pgb_profile_event(profile, i));
		}
		put_char(writer, '\n');
	}
	if (pgb_profile_bolted(profile))
		put_text(writer, "boltedcollection\n");
}

void pgb_fdata_write_header(FILE *stream, const struct pgb_profile *profile)
{
	struct writer writer = {.stream = stream, .profile = profile};

	put_header(&writer, profile);
	flush(&writer);
}

void pgb_fdata_write(FILE *stream, struct pgb_profile *profile)
{
	struct writer writer = {.stream = stream, .profile = profile};

	put_header(&writer, profile);
	if (pgb_profile_kind(profile) == PGB_PROFILE_SAMPLES)
		put_samples(&writer, profile);
	else
		put_branches(&writer, profile);
	put_memories(&writer, profile);
	flush(&writer);
	pgb_text_release(&writer.prefix);
}

int pgb_fdata_write_file(const char *path, struct pgb_profile *profile, struct pgb_error *error)
{
	struct pgb_out_file out;
	int code;

	if (pgb_profile_is_empty(profile))
		return pgb_fail(error, PGB_E_EMPTY, "%s: not written: the profile is empty", path);
	code = pgb_out_open(&out, path, error);
	if (code != 0)
		return code;
	pgb_fdata_write(out.stream, profile);
	code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return code;
}
