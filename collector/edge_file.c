/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/edge_file.h"

#include <inttypes.h>

#include "pgobolt/base/line.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

/* The fields of a line, and which of them an edge of each kind has. */
enum {
	FIELD_BRANCH = 1,
	FIELD_FROM = 2,
	FIELD_TO = 4,
	FIELD_MISPREDICTS = 8,
};

static const struct edge_form {
	char letter;
	unsigned int fields;
	uint64_t branch; /* where it is no field */
} forms[PGB_EDGE_KINDS] = {
	[PGB_EDGE_TRACE] = {'T', FIELD_BRANCH | FIELD_FROM | FIELD_TO | FIELD_MISPREDICTS, 0},
	[PGB_EDGE_BRANCH] = {'B', FIELD_BRANCH | FIELD_FROM | FIELD_MISPREDICTS, 0},
	[PGB_EDGE_NOT_TAKEN] = {'N', FIELD_BRANCH | FIELD_FROM | FIELD_MISPREDICTS, 0},
	[PGB_EDGE_IP] = {'I', FIELD_BRANCH, 0},
	[PGB_EDGE_RETURN] = {'R', FIELD_BRANCH | FIELD_FROM | FIELD_TO | FIELD_MISPREDICTS, 0},
	[PGB_EDGE_RANGE] = {'f', FIELD_FROM | FIELD_TO, PGB_ADDRESS_EXTERNAL},
};

void pgb_edge_file_head_release(struct pgb_edge_file_head *head)
{
	free(head->name);
	free(head->source);
	free(head->event);
	*head = (struct pgb_edge_file_head){0};
}

static void write_name(FILE *stream, const char *key, const char *name)
{
	fprintf(stream, "%s ", key);
	for (const char *at = name ? name : ""; *at != '\0'; at++) {
		if (*at == '\n') {
			fputs("\\n", stream);
			continue;
		}
		if (*at == ' ' || *at == '\\')
			fputc('\\', stream);
		fputc(*at, stream);
	}
	fputc('\n', stream);
}

static void write_head(FILE *stream, const struct pgb_edge_file_head *head, size_t count)
{
	fprintf(stream, "pgobolt-edges %d\n", PGB_EDGE_FILE_VERSION);
	if (head->build_id.size_bytes > 0) {
		char *id = pgb_build_id_string(&head->build_id);

		fprintf(stream, "build-id %s\n", id);
		free(id);
	} else {
		fprintf(stream, "code-hash %016" PRIx64 "\n", head->code_hash);
	}
	write_name(stream, "name", head->name);
	write_name(stream, "source", head->source);
	write_name(stream, "event", head->event);
	fprintf(stream, "edges %zu\n", count);
}

static char *put_address(char *at, uint64_t address)
{
	*at++ = ' ';
	if (address == PGB_ADDRESS_EXTERNAL || address == PGB_ADDRESS_NONE) {
		*at++ = address == PGB_ADDRESS_NONE ? '-' : 'x';
		return at;
	}
	return pgb_put_hex(at, address);
}

static void write_edge(FILE *stream, const struct pgb_edge *edge)
{
	const struct edge_form *form = &forms[edge->kind];
	char line[6 * PGB_NUMBER_BYTES], *at = line;

	*at++ = form->letter;
	if (form->fields & FIELD_BRANCH)
		at = put_address(at, edge->branch);
	if (form->fields & FIELD_FROM)
		at = put_address(at, edge->from);
	if (form->fields & FIELD_TO)
		at = put_address(at, edge->to);
	*at++ = ' ';
	at = pgb_put_decimal(at, edge->count);
	if (form->fields & FIELD_MISPREDICTS) {
		*at++ = ' ';
		at = pgb_put_decimal(at, edge->mispredicts);
	}
	*at++ = '\n';
	fwrite(line, 1, (size_t)(at - line), stream);
}

int pgb_edge_file_write(const char *path, const struct pgb_edge_file_head *head,
			struct pgb_edges *edges, uint32_t binary, struct pgb_error *error)
{
	size_t count;
	const struct pgb_edge *sorted = pgb_edges_of_binary(edges, binary, &count);
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code != 0)
		return code;
	write_head(out.stream, head, count);
	for (size_t i = 0; i < count; i++)
		write_edge(out.stream, &sorted[i]);
	return pgb_out_commit(&out, error);
}

struct reader {
	struct pgb_cursor bytes;
	struct pgb_line line;
	const char *what;
	struct pgb_error *error;
};

static int corrupt(const struct reader *reader, const char *expected)
{
	return pgb_fail(reader->error, PGB_E_CORRUPT, "%s: line %" PRIu64 ": expected %s",
			reader->what, reader->line.number, expected);
}

static int next_line(struct reader *reader)
{
	if (pgb_line_next(&reader->line, &reader->bytes) == 1)
		return 0;
	return pgb_fail(reader->error, PGB_E_TRUNCATED,
			"%s: it ends too early, behind line %" PRIu64, reader->what,
			reader->line.number);
}

/* "KEY " at the front of the next line. */
static int next_key(struct reader *reader, const char *key)
{
	int code = next_line(reader);

	if (code != 0)
		return code;
	for (const char *at = key; *at != '\0'; at++)
		if (!pgb_line_take(&reader->line, *at))
			return corrupt(reader, key);
	return pgb_line_take(&reader->line, ' ') ? 0 : corrupt(reader, key);
}

static int read_version(struct reader *reader)
{
	uint64_t version;
	int code = next_key(reader, "pgobolt-edges");

	if (code != 0)
		return code;
	if (!pgb_line_decimal(&reader->line, &version) || !pgb_line_ended(&reader->line))
		return corrupt(reader, "a version number");
	if (version == PGB_EDGE_FILE_VERSION)
		return 0;
	pgb_fail(reader->error, PGB_E_UNSUPPORTED,
		 "%s: an edge file of version %" PRIu64 "; this pgobolt reads version %d",
		 reader->what, version, PGB_EDGE_FILE_VERSION);
	pgb_remedy(reader->error, "use the pgobolt that recorded it, or record again");
	return PGB_E_UNSUPPORTED;
}

static int read_build_id(struct reader *reader, struct pgb_build_id *id)
{
	struct pgb_line *line = &reader->line;
	size_t digits = (size_t)(line->end - line->at);

	if (digits == 0 || digits % 2 != 0 || digits / 2 > PGB_LIMIT_BUILD_ID_BYTES)
		return corrupt(reader, "a build-id in hexadecimal");
	for (size_t i = 0; i < digits; i++) {
		unsigned int digit = pgb_digit_value(line->at[i]);

		if (digit > 15)
			return corrupt(reader, "a build-id in hexadecimal");
		id->bytes[i / 2] = (uint8_t)(id->bytes[i / 2] << 4 | digit);
	}
	id->size_bytes = (uint8_t)(digits / 2);
	return 0;
}

static int read_identity(struct reader *reader, struct pgb_edge_file_head *head)
{
	bool has_build_id;
	int code = next_line(reader);

	if (code != 0)
		return code;
	has_build_id = pgb_line_take(&reader->line, 'b');
	for (const char *at = has_build_id ? "uild-id " : "code-hash "; *at != '\0'; at++)
		if (!pgb_line_take(&reader->line, *at))
			return corrupt(reader, "build-id or code-hash");
	if (has_build_id)
		return read_build_id(reader, &head->build_id);
	if (!pgb_line_hex(&reader->line, &head->code_hash) || !pgb_line_ended(&reader->line))
		return corrupt(reader, "a hash in hexadecimal");
	return 0;
}

static int read_name(struct reader *reader, const char *key, char **name)
{
	struct pgb_line *line = &reader->line;
	struct pgb_text text = {0};
	int code = next_key(reader, key);

	while (code == 0 && !pgb_line_ended(line)) {
		char character = *line->at++;

		if (character == '\\') {
			if (pgb_line_take(line, 'n'))
				character = '\n';
			else if (pgb_line_take(line, ' '))
				character = ' ';
			else if (!pgb_line_take(line, '\\'))
				code = corrupt(reader,
					       "a backslash, a space or n behind backslash");
		} else if (character == ' ' || character == '\0') {
			code = corrupt(reader, "a name whose spaces stand behind backslashes");
		}
		pgb_text_add_bytes(&text, &character, 1);
	}
	*name = pgb_text_detach(&text);
	return code;
}

static int read_head(struct reader *reader, struct pgb_edge_file_head *head, uint64_t *count)
{
	int code = read_version(reader);

	if (code == 0)
		code = read_identity(reader, head);
	if (code == 0)
		code = read_name(reader, "name", &head->name);
	if (code == 0)
		code = read_name(reader, "source", &head->source);
	if (code == 0)
		code = read_name(reader, "event", &head->event);
	if (code == 0)
		code = next_key(reader, "edges");
	if (code == 0 &&
	    (!pgb_line_decimal(&reader->line, count) || !pgb_line_ended(&reader->line)))
		code = corrupt(reader, "a number of edges");
	return code;
}

static bool take_address(struct pgb_line *line, uint64_t *address)
{
	if (!pgb_line_take(line, ' '))
		return false;
	*address = PGB_ADDRESS_NONE;
	if (pgb_line_take(line, '-'))
		return true;
	*address = PGB_ADDRESS_EXTERNAL;
	if (pgb_line_take(line, 'x'))
		return true;
	return pgb_line_hex(line, address);
}

static bool take_count(struct pgb_line *line, uint64_t weight, uint64_t *count)
{
	if (!pgb_line_take(line, ' ') || !pgb_line_decimal(line, count))
		return false;
	*count = pgb_count_multiply(*count, weight);
	return true;
}

static int read_edge(struct reader *reader, uint64_t weight, struct pgb_edge *edge)
{
	struct pgb_line *line = &reader->line;
	const struct edge_form *form;

	for (edge->kind = 0; edge->kind < PGB_EDGE_KINDS; edge->kind++)
		if (pgb_line_take(line, forms[edge->kind].letter))
			break;
	if (edge->kind == PGB_EDGE_KINDS)
		return corrupt(reader, "an edge: T, B, N, I, R or f");
	form = &forms[edge->kind];
	edge->branch = form->branch;
	edge->from = edge->to = PGB_ADDRESS_NONE;
	edge->mispredicts = 0;
	if (((form->fields & FIELD_BRANCH) && !take_address(line, &edge->branch)) ||
	    ((form->fields & FIELD_FROM) && !take_address(line, &edge->from)) ||
	    ((form->fields & FIELD_TO) && !take_address(line, &edge->to)))
		return corrupt(reader, "an address in hexadecimal, x or -");
	if (!take_count(line, weight, &edge->count))
		return corrupt(reader, "a count below 2^64");
	if ((form->fields & FIELD_MISPREDICTS) && !take_count(line, weight, &edge->mispredicts))
		return corrupt(reader, "a number of mispredictions below 2^64");
	return pgb_line_ended(line) ? 0 : corrupt(reader, "the end of the line");
}

int pgb_edge_file_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		       struct pgb_edge_file_head *head, struct pgb_edges *edges, uint32_t binary,
		       struct pgb_error *error)
{
	struct reader reader = {.bytes = bytes, .what = what, .error = error};
	uint64_t count = 0;
	int code;

	*head = (struct pgb_edge_file_head){0};
	code = read_head(&reader, head, &count);
	for (; code == 0 && count > 0; count--) {
		struct pgb_edge edge = {.binary = binary};

		code = next_line(&reader);
		if (code == 0)
			code = read_edge(&reader, weight, &edge);
		if (code == 0)
			pgb_edges_add(edges, &edge);
	}
	if (code == 0 && pgb_cursor_left(&reader.bytes) > 0) {
		reader.line.number++;
		code = corrupt(&reader, "the end of the file: more lines than its head says");
	}
	return code;
}
