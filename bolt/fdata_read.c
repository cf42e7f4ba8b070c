/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/fdata_read.h"

#include <inttypes.h>
#include <string.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

#define NO_LBR_WORD "no_lbr"
#define BOLTED_WORD "boltedcollection"

/* "1 NAME " as it stands in the text, and the name's number: lines in a row share theirs. */
struct recent_place {
	const char *text;
	size_t length;
	uint32_t name;
};

/*
 * Every line ends in a newline, checked once: the scanning loops stop there and need no other
 * bound.
 */
struct reader {
	const char *at, *end;
	uint64_t line;
	uint64_t weight;
	const char *what;
	struct pgb_profile *profile;
	struct recent_place recent[2]; /* first and second place of a line */
	struct pgb_text unescaped;
	struct pgb_error *error;
};

static int corrupt(struct reader *reader, const char *expected)
{
	const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
	size_t length = newline ? (size_t)(newline - reader->at) : 0;
	char seen[48] = "";

	for (size_t i = 0; i < length && i < sizeof(seen) - 1; i++)
		seen[i] = reader->at[i] >= ' ' && reader->at[i] < 0x7f ? reader->at[i] : '?';
	return pgb_fail(reader->error, PGB_E_CORRUPT, "%s: line %" PRIu64 ": expected %s, not '%s'",
			reader->what, reader->line, expected, seen);
}

/* One or more. */
static int skip_spaces(struct reader *reader, const char *expected)
{
	if (*reader->at != ' ')
		return corrupt(reader, expected);
	while (*reader->at == ' ')
		reader->at++;
	return 0;
}

static uint64_t saturating_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) || product > INT64_MAX ? INT64_MAX : product;
}

/* A count: decimal, not negative, at most INT64_MAX. */
static int read_count(struct reader *reader, const char *expected, uint64_t *count)
{
	const char *start = reader->at;
	uint64_t value = 0;

	while (*reader->at >= '0' && *reader->at <= '9') {
		uint64_t digit = (uint64_t)(*reader->at - '0');

		if (value > (INT64_MAX - digit) / 10) {
			reader->at = start;
			return corrupt(reader, "a count below 2^63");
		}
		value = value * 10 + digit;
		reader->at++;
	}
	if (reader->at == start)
		return corrupt(reader, expected);
	*count = saturating_multiply(value, reader->weight);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int read_offset(struct reader *reader, uint64_t *offset)
{
	const char *start = reader->at;
	uint64_t value = 0;
	int digit;

	for (; (digit = hex_digit(*reader->at)) >= 0; reader->at++) {
		if (value >> 60 != 0) {
			reader->at = start;
			return corrupt(reader, "an offset below 2^64");
		}
		value = value << 4 | (uint64_t)digit;
	}
	if (reader->at == start)
		return corrupt(reader, "an offset in hexadecimal, without 0x");
	*offset = value;
	return 0;
}

/* Take the backslashes out of the bytes at `at`. */
static uint32_t intern(struct reader *reader, size_t length, bool escaped)
{
	if (!escaped)
		return pgb_profile_intern(reader->profile, reader->at, length);
	reader->unescaped.length = 0;
	for (size_t i = 0; i < length; i++) {
		if (reader->at[i] == '\\')
			i++;
		pgb_text_add_bytes(&reader->unescaped, &reader->at[i], 1);
	}
	return pgb_profile_intern(reader->profile, reader->unescaped.data,
				  reader->unescaped.length);
}

static int read_name(struct reader *reader, uint32_t *name)
{
	bool escaped = false;
	size_t length = 0;

	for (; reader->at[length] != ' '; length++) {
		if (reader->at[length] == '\\') {
			escaped = true;
			length++;
		}
		if (reader->at[length] == '\n' || reader->at[length] == '\0')
			return corrupt(reader, "a name and a space behind it");
	}
	if (length == 0 || length > PGB_LIMIT_NAME_BYTES)
		return corrupt(reader, "a name of 1 byte to 1 MiB");
	*name = intern(reader, length, escaped);
	reader->at += length;
	return 0;
}

/* The kind and the name. `base` is '0' for branches and samples, '3' for memory lines. */
static int read_symbol(struct reader *reader, char base, struct recent_place *recent)
{
	const char *text = reader->at;
	bool symbol = *text != base;
	int code;

	if (*text < base || *text > base + 2)
		return corrupt(reader, base == '0' ? "0, 1 or 2" : "3, 4 or 5");
	reader->at++;
	code = skip_spaces(reader, "a space");
	if (code == 0)
		code = read_name(reader, &recent->name);
	if (code == 0)
		code = skip_spaces(reader, "a space");
	if (!symbol)
		recent->name = PGB_NAME_UNKNOWN;
	recent->text = text;
	recent->length = (size_t)(reader->at - text);
	return code;
}

static inline bool is_recent(const struct reader *reader, const struct recent_place *recent)
{
	return recent->length > 0 && recent->length < (size_t)(reader->end - reader->at) &&
	       memcmp(reader->at, recent->text, recent->length) == 0;
}

/* KIND NAME OFFSET and the space behind it; `which` place of the line. */
static int read_place(struct reader *reader, char base, unsigned int which, struct pgb_place *place)
{
	struct recent_place *recent = &reader->recent[which];
	int code = 0;

	if (which == 1 && is_recent(reader, &reader->recent[0]))
		*recent = reader->recent[0];
	if (is_recent(reader, recent)) {
		for (reader->at += recent->length; *reader->at == ' ';)
			reader->at++;
	} else {
		code = read_symbol(reader, base, recent);
	}
	place->name = recent->name;
	if (code == 0)
		code = read_offset(reader, &place->offset);
	if (code == 0)
		code = skip_spaces(reader, "a space behind the offset");
	return code;
}

static int read_line_end(struct reader *reader)
{
	while (*reader->at == ' ')
		reader->at++;
	if (*reader->at != '\n')
		return corrupt(reader, *reader->at == '\r' ? "a newline alone (no CR)"
							   : "the end of the line");
	reader->at++;
	reader->line++;
	return 0;
}

static int read_branch(struct reader *reader)
{
	struct pgb_profile_branch branch;
	int code = read_place(reader, '0', 0, &branch.from);

	if (code == 0)
		code = read_place(reader, '0', 1, &branch.to);
	if (code == 0)
		code = read_count(reader, "a count of mispredictions", &branch.mispredicts);
	if (code == 0)
		code = skip_spaces(reader, "a space and the count");
	if (code == 0)
		code = read_count(reader, "a count", &branch.count);
	if (code == 0)
		code = read_line_end(reader);
	if (code != 0)
		return code;
	/* Outside, the offset says nothing; and a line without a symbol is nothing. */
	if (branch.from.name == PGB_NAME_UNKNOWN)
		branch.from.offset = 0;
	if (branch.to.name == PGB_NAME_UNKNOWN)
		branch.to.offset = 0;
	if (branch.from.name != PGB_NAME_UNKNOWN || branch.to.name != PGB_NAME_UNKNOWN)
		pgb_profile_add_branch(reader->profile, &branch);
	return 0;
}

static int read_sample(struct reader *reader)
{
	struct pgb_profile_sample sample;
	int code = read_place(reader, '0', 0, &sample.at);

	if (code == 0)
		code = read_count(reader, "a count", &sample.count);
	if (code == 0)
		code = read_line_end(reader);
	if (code == 0 && sample.at.name != PGB_NAME_UNKNOWN)
		pgb_profile_add_sample(reader->profile, &sample);
	return code;
}

static int read_memory(struct reader *reader)
{
	struct pgb_profile_memory memory;
	int code = read_place(reader, '3', 0, &memory.at);

	if (code == 0)
		code = read_place(reader, '3', 1, &memory.data);
	if (code == 0)
		code = read_count(reader, "a count", &memory.count);
	if (code == 0)
		code = read_line_end(reader);
	if (code == 0 && memory.at.name != PGB_NAME_UNKNOWN)
		pgb_profile_add_memory(reader->profile, &memory);
	return code;
}

static bool starts_with(const struct reader *reader, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(reader->end - reader->at) > length && memcmp(reader->at, word, length) == 0;
}

/* "no_lbr EVENT EVENT\n" */
static int read_no_lbr(struct reader *reader)
{
	reader->at += strlen(NO_LBR_WORD);
	if (*reader->at != ' ' && *reader->at != '\n')
		return corrupt(reader, "a space or the end of the line behind no_lbr");
	while (*reader->at == ' ') {
		const char *start = ++reader->at;
		char *event;

		/* Kept as it stands: event names are not unescaped, but a backslash joins. */
		while (*reader->at != ' ' && *reader->at != '\n' && *reader->at != '\0') {
			bool joins = *reader->at == '\\' && reader->at[1] == ' ';

			reader->at += joins ? 2 : 1;
		}
		if (*reader->at == '\0' || (reader->at == start && *reader->at == ' '))
			return corrupt(reader, "one space and an event name");
		if (reader->at == start)
			break;
		event = pgb_dup_bytes(start, (size_t)(reader->at - start));
		pgb_profile_add_event(reader->profile, event);
		free(event);
	}
	reader->at++;
	reader->line++;
	return 0;
}

/* The two header lines, either may be missing. */
static int read_header(struct reader *reader)
{
	bool samples = starts_with(reader, NO_LBR_WORD), bolted;
	int code = 0;

	if (samples)
		code = read_no_lbr(reader);
	if (code != 0)
		return code;
	bolted = starts_with(reader, BOLTED_WORD);
	if (bolted) {
		reader->at += strlen(BOLTED_WORD);
		if (*reader->at != '\n')
			return corrupt(reader, "the end of the line behind boltedcollection");
		reader->at++;
		reader->line++;
	}
	code = pgb_profile_set_kind(reader->profile,
				    samples ? PGB_PROFILE_SAMPLES : PGB_PROFILE_BRANCHES, bolted,
				    reader->error);
	if (code != 0)
		return pgb_remedy(reader->error, "leave out %s", reader->what);
	if (reader->at == reader->end)
		return pgb_fail(reader->error, PGB_E_EMPTY,
				"%s: the profile has a header and no line", reader->what);
	return 0;
}

static int read_lines(struct reader *reader)
{
	bool samples = pgb_profile_kind(reader->profile) == PGB_PROFILE_SAMPLES;
	bool memories = false;
	int code = 0;

	while (code == 0 && reader->at < reader->end) {
		if (!memories && *reader->at >= '3' && *reader->at <= '5') {
			memories = true;
			memset(reader->recent, 0, sizeof(reader->recent));
		}
		if (*reader->at == '\n')
			code = corrupt(reader, "a line (an empty one ends the profile for "
					       "llvm-bolt)");
		else if (memories)
			code = read_memory(reader);
		else if (samples)
			code = read_sample(reader);
		else
			code = read_branch(reader);
	}
	return code;
}

static struct reader start_reading(struct pgb_cursor bytes, const char *what, uint64_t weight,
				   struct pgb_profile *profile, struct pgb_error *error)
{
	return (struct reader){
		.at = (const char *)bytes.at,
		.end = (const char *)bytes.end,
		.line = 1,
		.weight = weight,
		.what = what,
		.profile = profile,
		.error = error,
	};
}

static int check_ends(struct reader *reader)
{
	if (reader->at == reader->end)
		return pgb_fail(reader->error, PGB_E_EMPTY, "%s: the profile is empty",
				reader->what);
	if (reader->end[-1] != '\n')
		return pgb_fail(reader->error, PGB_E_TRUNCATED,
				"%s: the last line has no newline: the file was cut off",
				reader->what);
	return 0;
}

int pgb_fdata_read_header(struct pgb_cursor *bytes, const char *what, struct pgb_profile *profile,
			  struct pgb_error *error)
{
	struct reader reader = start_reading(*bytes, what, 1, profile, error);
	int code = check_ends(&reader);

	if (code == 0)
		code = read_header(&reader);
	bytes->at = (const uint8_t *)reader.at;
	return code;
}

int pgb_fdata_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		   struct pgb_profile *profile, struct pgb_error *error)
{
	struct reader reader = start_reading(bytes, what, weight, profile, error);
	int code = check_ends(&reader);

	if (code == 0)
		code = read_header(&reader);
	if (code == 0)
		code = read_lines(&reader);
	pgb_text_release(&reader.unescaped);
	return code;
}

int pgb_fdata_read_file(const char *path, uint64_t weight, struct pgb_profile *profile,
			struct pgb_error *error)
{
	struct pgb_file_map map;
	int code = pgb_file_map_open(&map, path, error);

	if (code != 0)
		return code;
	code = pgb_fdata_read(pgb_cursor_of(map.bytes, map.size_bytes), path, weight, profile,
			      error);
	pgb_file_map_close(&map);
	return code;
}
