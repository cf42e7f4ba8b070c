/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/ini.h"

#include <inttypes.h>

#include "pgobolt/base/line.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

enum { SIZE_MAX_BYTES = 1 << 20 };

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r';
}

/* Without the blanks around it. */
static struct pgb_line trim(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	while (end > at && is_blank(end[-1]))
		end--;
	return (struct pgb_line){.at = at, .end = end};
}

static char *dup_line(const struct pgb_line *line)
{
	return pgb_dup_bytes(line->at, (size_t)(line->end - line->at));
}

static bool equals(const struct pgb_line *line, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(line->end - line->at) == length && memcmp(line->at, word, length) == 0;
}

struct reader {
	struct pgb_ini *ini;
	const char *what;
	struct pgb_error *error;
};

static int fail_at(const struct reader *reader, const struct pgb_line *line, const char *why)
{
	pgb_fail(reader->error, PGB_E_CORRUPT, "%s:%" PRIu64 ": %s", reader->what, line->number,
		 why);
	return pgb_remedy(reader->error, "lines are `option = value`, as in: train = ./app input; "
					 "for the options: pgobolt help run");
}

static int take_section(const struct reader *reader, const struct pgb_line *line,
			const struct pgb_line *text)
{
	struct pgb_line name;

	if (text->end[-1] != ']')
		return fail_at(reader, line, "a section's name ends with ]");
	name = trim(text->at + 1, text->end - 1);
	return equals(&name, "run") ? 0 : fail_at(reader, line, "the only section is [run]");
}

static int take_entry(const struct reader *reader, const struct pgb_line *line,
		      const struct pgb_line *text)
{
	const char *sign = memchr(text->at, '=', (size_t)(text->end - text->at));
	struct pgb_line key = trim(text->at, sign ? sign : text->end), value;

	if (sign == NULL)
		return fail_at(reader, line, "there is no = in this line");
	if (pgb_line_ended(&key))
		return fail_at(reader, line, "there is no option before =");
	if (reader->ini->entries.count == PGB_INI_ENTRIES_MAX)
		return pgb_fail(reader->error, PGB_E_LIMIT, "%s: more than %d options",
				reader->what, PGB_INI_ENTRIES_MAX);
	value = trim(sign + 1, text->end);
	pgb_array_push(&reader->ini->entries,
		       ((struct pgb_ini_entry){dup_line(&key), dup_line(&value), line->number}));
	return 0;
}

/* Of a command in several lines each stays a line. */
static void go_on(struct pgb_ini_entry *entry, const struct pgb_line *text)
{
	char *value = pgb_format("%s%s%.*s", entry->value, entry->value[0] ? "\n" : "",
				 (int)(text->end - text->at), text->at);

	free(entry->value);
	entry->value = value;
}

static int take_line(const struct reader *reader, const struct pgb_line *line)
{
	struct pgb_line text = trim(line->at, line->end);
	struct pgb_ini *ini = reader->ini;

	if (memchr(line->at, '\0', (size_t)(line->end - line->at)))
		return fail_at(reader, line, "a NUL byte: this is no text");
	if (pgb_line_ended(&text) || *text.at == '#' || *text.at == ';')
		return 0;
	if (is_blank(*line->at)) {
		if (ini->entries.count == 0)
			return fail_at(reader, line,
				       "a line that begins with a blank goes on with "
				       "the value before it, and there is none");
		go_on(&ini->entries.items[ini->entries.count - 1], &text);
		return 0;
	}
	return *text.at == '[' ? take_section(reader, line, &text)
			       : take_entry(reader, line, &text);
}

int pgb_ini_parse(struct pgb_ini *ini, struct pgb_cursor bytes, const char *what,
		  struct pgb_error *error)
{
	struct reader reader = {.ini = ini, .what = what, .error = error};
	struct pgb_line line = {0};
	int code = 0;

	*ini = (struct pgb_ini){0};
	while (code == 0 && pgb_line_next(&line, &bytes) != 0)
		code = take_line(&reader, &line);
	return code;
}

int pgb_ini_read(struct pgb_ini *ini, const char *path, struct pgb_error *error)
{
	struct pgb_text text = {0};
	int code = pgb_file_read(&text, path, SIZE_MAX_BYTES + 1, error);

	*ini = (struct pgb_ini){0};
	if (code == 0 && text.length > SIZE_MAX_BYTES)
		code = pgb_fail(error, PGB_E_LIMIT, "%s: larger than 1 MiB", path);
	if (code == 0)
		code = pgb_ini_parse(ini, pgb_cursor_of(pgb_text_string(&text), text.length), path,
				     error);
	pgb_text_release(&text);
	return code;
}

void pgb_ini_release(struct pgb_ini *ini)
{
	for (size_t i = 0; i < ini->entries.count; i++) {
		free(ini->entries.items[i].key);
		free(ini->entries.items[i].value);
	}
	pgb_array_release(&ini->entries);
}
