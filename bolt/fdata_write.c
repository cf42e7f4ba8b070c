/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/fdata_write.h"

#include <inttypes.h>
#include <string.h>

#include "pgobolt/collector/file.h"

#define BUFFER_BYTES  65536
#define NUMBER_DIGITS 20

/* Millions of short lines: formatted here, handed to stdio by the buffer. */
struct writer {
	FILE *stream;
	const struct pgb_profile *profile;
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

/* base 10 or 16, lower case. */
static void put_number(struct writer *writer, uint64_t value, unsigned int base)
{
	char digits[NUMBER_DIGITS];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	memcpy(room(writer, sizeof(digits)), digits + at, sizeof(digits) - at);
	writer->used += sizeof(digits) - at;
}

static void put_text(struct writer *writer, const char *text)
{
	for (; *text != '\0'; text++)
		put_char(writer, *text);
}

static void put_escaped(struct writer *writer, const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == ' ' || *name == '\\')
			put_char(writer, '\\');
		put_char(writer, *name);
	}
}

/* `kind` is that of a place outside; a symbol's is one more. */
static void put_place(struct writer *writer, const struct pgb_place *place, char kind)
{
	put_char(writer, place->name == PGB_NAME_UNKNOWN ? kind : (char)(kind + 1));
	put_char(writer, ' ');
	if (place->name == PGB_NAME_UNKNOWN)
		put_text(writer, "[unknown]");
	else
		put_escaped(writer, pgb_profile_name(writer->profile, place->name));
	put_char(writer, ' ');
	put_number(writer, place->offset, 16);
	put_char(writer, ' ');
}

static void put_branches(struct writer *writer, struct pgb_profile *profile)
{
	size_t count;
	const struct pgb_profile_branch *lines = pgb_profile_branches(profile, &count);

	for (size_t i = 0; i < count; i++) {
		put_place(writer, &lines[i].from, '0');
		put_place(writer, &lines[i].to, '0');
		put_number(writer, lines[i].mispredicts, 10);
		put_char(writer, ' ');
		put_number(writer, lines[i].count, 10);
		put_char(writer, '\n');
	}
}

static void put_samples(struct writer *writer, struct pgb_profile *profile)
{
	size_t count;
	const struct pgb_profile_sample *lines = pgb_profile_samples(profile, &count);

	for (size_t i = 0; i < count; i++) {
		put_place(writer, &lines[i].at, '0');
		put_number(writer, lines[i].count, 10);
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
		put_number(writer, lines[i].count, 10);
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
}

int pgb_fdata_write_file(const char *path, struct pgb_profile *profile, struct pgb_error *error)
{
	struct pgb_out_file out;
	size_t branches, samples, memories;
	int code;

	pgb_profile_branches(profile, &branches);
	pgb_profile_samples(profile, &samples);
	pgb_profile_memories(profile, &memories);
	if (branches == 0 && samples == 0 && memories == 0)
		return pgb_fail(error, PGB_E_EMPTY, "%s: not written: the profile is empty", path);
	code = pgb_out_open(&out, path, error);
	if (code != 0)
		return code;
	pgb_fdata_write(out.stream, profile);
	code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return code;
}
