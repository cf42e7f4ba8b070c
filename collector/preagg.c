/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/preagg.h"

#include <inttypes.h>

#include "pgobolt/base/line.h"
#include "pgobolt/base/text.h"

/* Values of BRANCH that are no addresses (DataAggregator::Trace). */
#define FALL_THROUGH_ONLY UINT64_MAX
#define EXTERNAL_ORIGIN	  (UINT64_MAX - 1)
#define EXTERNAL_RETURN	  (UINT64_MAX - 2)

struct reader {
	struct pgb_line line;
	const char *what;
	uint64_t weight;
	const char *own; /* build-id in hex; "" where unknown */
	size_t own_length;
	struct pgb_error *error;
};

/* What a line says, before it is an edge. */
struct record {
	char letter;
	uint64_t addresses[3];
	bool outside[3]; /* X: or another binary's build-id */
	uint64_t count, mispredicts;
};

static int corrupt(const struct reader *reader, const char *expected)
{
	return pgb_fail(reader->error, PGB_E_CORRUPT, "%s: line %" PRIu64 ": expected %s",
			reader->what, reader->line.number, expected);
}

static void skip_spaces(struct pgb_line *line)
{
	while (pgb_line_take(line, ' '))
		;
}

/* At least one, in front of a field. */
static bool take_spaces(struct pgb_line *line)
{
	bool any = pgb_line_take(line, ' ');

	skip_spaces(line);
	return any;
}

/* "ID:" in front of an offset; *outside: it is another file's. */
static void take_id(const struct reader *reader, struct pgb_line *line, bool *outside)
{
	const char *at = line->at;
	size_t length;

	*outside = false;
	while (at < line->end && *at != ' ' && *at != ':')
		at++;
	length = (size_t)(at - line->at);
	if (at == line->end || *at != ':' || length == 0)
		return;
	/* Either may be cut or padded: the shorter decides. */
	if (reader->own_length > 0)
		*outside =
			strncasecmp(line->at, reader->own,
				    length < reader->own_length ? length : reader->own_length) != 0;
	if (length == 1 && *line->at == 'X')
		*outside = true;
	line->at = at + 1;
}

static int take_address(struct reader *reader, uint64_t *address, bool *outside)
{
	struct pgb_line *line = &reader->line;
	uint64_t value;

	if (!take_spaces(line))
		return corrupt(reader, "an address in hexadecimal");
	take_id(reader, line, outside);
	if (pgb_line_take(line, '-')) {
		if (!pgb_line_hex(line, &value) || value == 0 || value > 3)
			return corrupt(reader, "-1, -2, -3 or an address in hexadecimal");
		*address = -value;
		return 0;
	}
	if (!pgb_line_hex(line, address))
		return corrupt(reader, "an address in hexadecimal, without 0x");
	return 0;
}

static int take_count(struct reader *reader, uint64_t *count)
{
	if (!take_spaces(&reader->line) || !pgb_line_decimal(&reader->line, count))
		return corrupt(reader, "a count: decimal, not negative, below 2^64");
	*count = pgb_count_multiply(*count, reader->weight);
	return 0;
}

static int read_record(struct reader *reader, struct record *record)
{
	static const char letters[] = "STRBFfr";
	static const unsigned int address_counts[] = {1, 3, 3, 2, 2, 2, 2};
	struct pgb_line *line = &reader->line;
	const char *known;
	int code = 0;

	skip_spaces(line);
	known = pgb_line_ended(line) || *line->at == '\0' ? NULL : strchr(letters, *line->at);
	if (known == NULL)
		return corrupt(reader, "a record: T, R, S, E, B, F, f or r");
	record->letter = *line->at++;
	for (unsigned int i = 0; i < address_counts[known - letters] && code == 0; i++)
		code = take_address(reader, &record->addresses[i], &record->outside[i]);
	if (code == 0)
		code = take_count(reader, &record->count);
	if (code == 0 && record->letter == 'B')
		code = take_count(reader, &record->mispredicts);
	else if (code == 0 && (record->letter == 'T' || record->letter == 'R') &&
		 !pgb_line_ended(line))
		code = take_count(reader, &record->mispredicts);
	if (code == 0 && !pgb_line_ended(line))
		return corrupt(reader, "the end of the line");
	return code;
}

/* Is there an address of this binary in the field? */
static bool has_address(const struct record *record, unsigned int index)
{
	return !record->outside[index] && record->addresses[index] < EXTERNAL_RETURN;
}

/* 0 means external for an end of a branch. */
static uint64_t end_of_branch(const struct record *record, unsigned int index)
{
	if (!has_address(record, index) || record->addresses[index] == 0)
		return PGB_ADDRESS_EXTERNAL;
	return record->addresses[index];
}

/* T and R: the branch field also tells F, f and r. */
static bool edge_of_trace(const struct record *record, struct pgb_edge *edge)
{
	uint64_t special = record->outside[0] ? 0 : record->addresses[0];

	edge->kind = record->letter == 'R' || special == EXTERNAL_RETURN ? PGB_EDGE_RETURN
		     : special == EXTERNAL_ORIGIN			 ? PGB_EDGE_RANGE
									 : PGB_EDGE_TRACE;
	edge->branch = end_of_branch(record, 0);
	if (edge->kind == PGB_EDGE_TRACE && special == FALL_THROUGH_ONLY)
		edge->branch = PGB_ADDRESS_NONE;
	edge->from = end_of_branch(record, 1);
	if (edge->from != PGB_ADDRESS_EXTERNAL && has_address(record, 2)) {
		edge->to = record->addresses[2];
		return true;
	}
	/* A range of another file, or none at all, leaves the branch. */
	if (edge->kind == PGB_EDGE_RANGE || edge->branch == PGB_ADDRESS_NONE)
		return false;
	if (edge->kind == PGB_EDGE_TRACE)
		edge->kind = PGB_EDGE_BRANCH;
	return edge->branch != PGB_ADDRESS_EXTERNAL || edge->from != PGB_ADDRESS_EXTERNAL;
}

static bool edge_of_range(const struct record *record, struct pgb_edge *edge)
{
	edge->kind = record->letter == 'F'   ? PGB_EDGE_TRACE
		     : record->letter == 'f' ? PGB_EDGE_RANGE
					     : PGB_EDGE_RETURN;
	edge->branch = record->letter == 'F' ? PGB_ADDRESS_NONE : PGB_ADDRESS_EXTERNAL;
	edge->from = record->addresses[0];
	edge->to = record->addresses[1];
	return has_address(record, 0) && has_address(record, 1);
}

/* false: nothing of it is inside the binary. */
static bool edge_of_record(const struct record *record, struct pgb_edge *edge)
{
	edge->count = record->count;
	edge->mispredicts = record->mispredicts;
	edge->from = edge->to = PGB_ADDRESS_NONE;
	switch (record->letter) {
	case 'S':
		edge->kind = PGB_EDGE_IP;
		edge->branch = record->addresses[0];
		return has_address(record, 0);
	case 'B':
		edge->kind = PGB_EDGE_BRANCH;
		edge->branch = end_of_branch(record, 0);
		edge->from = end_of_branch(record, 1);
		return edge->branch != PGB_ADDRESS_EXTERNAL || edge->from != PGB_ADDRESS_EXTERNAL;
	case 'T':
	case 'R':
		return edge_of_trace(record, edge);
	}
	return edge_of_range(record, edge);
}

/* The name of an E line, which is at its letter; false: another kind of line. */
static bool event_of_line(struct pgb_line *line, const char **name, size_t *length)
{
	struct pgb_line rest = *line;

	skip_spaces(&rest);
	if (!pgb_line_take(&rest, 'E') || !take_spaces(&rest))
		return false;
	*name = rest.at;
	while (!pgb_line_ended(&rest) && *rest.at != ' ' && *rest.at != '\0')
		rest.at++;
	*length = (size_t)(rest.at - *name);
	line->at = rest.at;
	return *length > 0;
}

static int read_line(struct reader *reader, struct pgb_edges *edges, uint32_t binary)
{
	struct record record = {0};
	struct pgb_edge edge = {.binary = binary};
	const char *name;
	size_t length;
	int code;

	if (event_of_line(&reader->line, &name, &length))
		return pgb_line_ended(&reader->line) ? 0 : corrupt(reader, "the end of the line");
	code = read_record(reader, &record);
	if (code == 0 && edge_of_record(&record, &edge))
		pgb_edges_add(edges, &edge);
	return code;
}

int pgb_preagg_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		    const struct pgb_build_id *own, struct pgb_edges *edges, uint32_t binary,
		    struct pgb_error *error)
{
	const struct pgb_build_id none = {0};
	char *own_text = pgb_build_id_string(own ? own : &none);
	struct reader reader = {.what = what,
				.weight = weight,
				.own = own_text,
				.own_length = strlen(own_text),
				.error = error};
	int code = 0, got;

	while (code == 0 && (got = pgb_line_next(&reader.line, &bytes)) != 0) {
		if (got < 0)
			code = pgb_fail(error, got,
					"%s: line %" PRIu64 " has no newline: it was cut", what,
					reader.line.number);
		else
			code = read_line(&reader, edges, binary);
	}
	free(own_text);
	if (code == 0 && reader.line.number == 0)
		code = pgb_fail(error, PGB_E_EMPTY, "%s: no records", what);
	return code;
}

/* Is `name` one of the comma-separated ones? */
static bool has_name(const struct pgb_text *names, const char *name, size_t length)
{
	const char *at = pgb_text_string(names);

	while (*at != '\0') {
		size_t here = strcspn(at, ",");

		if (here == length && memcmp(at, name, length) == 0)
			return true;
		at += here + (at[here] == ',');
	}
	return false;
}

char *pgb_preagg_events(struct pgb_cursor bytes)
{
	struct pgb_text names = {0};
	struct pgb_line line = {0};
	const char *name;
	size_t length;

	while (pgb_line_next(&line, &bytes) != 0) {
		if (!event_of_line(&line, &name, &length) || has_name(&names, name, length))
			continue;
		if (names.length > 0)
			pgb_text_add(&names, ",");
		pgb_text_add_bytes(&names, name, length);
	}
	return pgb_text_detach(&names);
}

/* One line in the making. */
struct writer {
	char line[6 * PGB_NUMBER_BYTES];
	char *at;
};

static void put_address(struct writer *writer, uint64_t address)
{
	*writer->at++ = ' ';
	writer->at = pgb_put_hex(writer->at, address == PGB_ADDRESS_EXTERNAL ? 0 : address);
}

static void put_count(struct writer *writer, uint64_t count)
{
	*writer->at++ = ' ';
	writer->at = pgb_put_decimal(writer->at, count < INT64_MAX ? count : INT64_MAX);
}

static bool is_inside(uint64_t address)
{
	return address != PGB_ADDRESS_EXTERNAL && address != PGB_ADDRESS_NONE;
}

/* The letter for an edge; 0: the format has none. */
static char letter_of(const struct pgb_edge *edge)
{
	switch (edge->kind) {
	case PGB_EDGE_TRACE:
		if (edge->branch == PGB_ADDRESS_NONE)
			return is_inside(edge->from) && is_inside(edge->to) ? 'F' : 0;
		if (is_inside(edge->from) && is_inside(edge->to))
			return 'T';
		return is_inside(edge->branch) || is_inside(edge->from) ? 'B' : 0;
	case PGB_EDGE_BRANCH:
		return is_inside(edge->branch) || is_inside(edge->from) ? 'B' : 0;
	case PGB_EDGE_NOT_TAKEN:
		return is_inside(edge->branch) && is_inside(edge->from) ? 'F' : 0;
	case PGB_EDGE_IP:
		return is_inside(edge->branch) ? 'S' : 0;
	case PGB_EDGE_RETURN:
		if (edge->branch == PGB_ADDRESS_EXTERNAL && is_inside(edge->from) &&
		    is_inside(edge->to))
			return 'r';
		return is_inside(edge->branch) || is_inside(edge->from) ? 'R' : 0;
	case PGB_EDGE_RANGE:
		return is_inside(edge->from) && is_inside(edge->to) ? 'f' : 0;
	}
	return 0;
}

/* Returns what is lost. */
static uint64_t write_edge(FILE *stream, const struct pgb_edge *edge)
{
	struct writer writer = {.at = writer.line};
	char letter = letter_of(edge);

	if (letter == 0)
		return edge->count;
	*writer.at++ = letter;
	if (edge->kind == PGB_EDGE_NOT_TAKEN) {
		put_address(&writer, edge->branch);
		put_address(&writer, edge->from);
	} else {
		if (letter != 'F' && letter != 'f' && letter != 'r')
			put_address(&writer, edge->branch);
		if (letter != 'S')
			put_address(&writer, edge->from);
		if (letter != 'S' && letter != 'B')
			put_address(&writer, edge->to);
	}
	put_count(&writer, edge->count);
	if (letter == 'B')
		put_count(&writer, edge->mispredicts);
	*writer.at++ = '\n';
	fwrite(writer.line, 1, (size_t)(writer.at - writer.line), stream);
	return letter == 'B' || letter == 'S' ? 0 : edge->mispredicts;
}

int pgb_preagg_write(FILE *stream, struct pgb_edges *edges, uint32_t binary, const char *event,
		     uint64_t *lost, struct pgb_error *error)
{
	size_t count;
	const struct pgb_edge *sorted = pgb_edges_of_binary(edges, binary, &count);
	bool any = false;

	*lost = 0;
	if (event && event[0] != '\0')
		fprintf(stream, "E %s\n", event);
	for (size_t i = 0; i < count; i++) {
		any = any || letter_of(&sorted[i]) != 0;
		*lost = pgb_count_add(*lost, write_edge(stream, &sorted[i]));
	}
	if (!any)
		return pgb_fail(error, PGB_E_EMPTY, "no edges to write");
	return 0;
}
