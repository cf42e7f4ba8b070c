/* SPDX-License-Identifier: MIT */
/*
 * recording.json. Most of it is tables of (key, place): writer and reader use the same ones, so
 * that neither can forget a key.
 */
#include <jansson.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/quality_json.h"
#include "pgobolt/pgo/recording.h"

#define FORMAT_NAME "pgobolt-recording"

enum field_kind {
	FIELD_TEXT,
	FIELD_TEXT_OR_NULL,
	FIELD_COUNT,
	FIELD_COUNT_NEWER,
	FIELD_FLAG,
	FIELD_INTEGER
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
};

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, FIELD_COUNT, offsetof(struct pgb_session_stats, name)                       \
	}
#define FEED(name)                                                                                 \
	{                                                                                          \
#name, FIELD_COUNT, offsetof(struct pgb_session_stats, feed.name)                  \
	}
#define SOURCE(key, name)                                                                          \
	{                                                                                          \
		key, FIELD_COUNT, offsetof(struct pgb_session_stats, source.name)                  \
	}
/* Recordings from before this key was there have none of it. */
#define NEWER(key, name)                                                                           \
	{                                                                                          \
		key, FIELD_COUNT_NEWER, offsetof(struct pgb_session_stats, source.name)            \
	}

static const struct field counter_fields[] = {
	FEED(records),
	FEED(bytes),
	FEED(lost_records),
	FEED(lost_events),
	FEED(throttled),
	{"malformed_records", FIELD_COUNT, offsetof(struct pgb_session_stats, feed.malformed)},
	{"unknown_records", FIELD_COUNT, offsetof(struct pgb_session_stats, feed.unknown)},
	FEED(truncated),
	FEED(disordered),
	SOURCE("samples", samples),
	SOURCE("samples_empty", samples_empty),
	SOURCE("samples_malformed", malformed),
	SOURCE("branches", branches),
	NEWER("operations", operations),
	NEWER("ranges", ranges),
	SOURCE("dropped_kernel", kernel),
	SOURCE("dropped_zero", zero),
	SOURCE("dropped_speculative", speculative),
	SOURCE("dropped_aborted", aborted),
	SOURCE("dropped_duplicate", duplicate),
	NEWER("dropped_misplaced", misplaced),
	NEWER("dropped_ownerless", ownerless),
	SOURCE("chains_broken", resumed_elsewhere),
	NEWER("aux_collided", aux_collided),
	NEWER("aux_truncated", aux_truncated),
	NEWER("aux_gaps", aux_gaps),
	NEWER("aux_bad_bytes", aux_bad_bytes),
	COUNTER(mapped),
	COUNTER(anonymous),
	COUNTER(unmapped),
	COUNTER(edges_overflow),
	COUNTER(threads),
	COUNTER(processes),
	COUNTER(execs),
	COUNTER(duration_ns),
	COUNTER(cpu_ns),
	COUNTER(ring_bytes),
	{NULL, FIELD_COUNT, 0},
};

static const struct field program_fields[] = {
	{"command", FIELD_TEXT, offsetof(struct pgb_recording, command)},
	{"event", FIELD_TEXT, offsetof(struct pgb_recording, event)},
	{"frequency_hz", FIELD_COUNT, offsetof(struct pgb_recording, rate.frequency_hz)},
	{"has_exit_status", FIELD_FLAG, offsetof(struct pgb_recording, stats.has_exit_status)},
	{"exit_status", FIELD_INTEGER, offsetof(struct pgb_recording, stats.exit_status)},
	{"exit_signal", FIELD_INTEGER, offsetof(struct pgb_recording, stats.exit_signal)},
	{"period_events", FIELD_COUNT, offsetof(struct pgb_recording, rate.period_events)},
	{"program", FIELD_TEXT, offsetof(struct pgb_recording, program)},
	{"runs", FIELD_COUNT, offsetof(struct pgb_recording, runs)},
	{"source", FIELD_TEXT, offsetof(struct pgb_recording, source)},
	{"source_reason", FIELD_TEXT, offsetof(struct pgb_recording, reason)},
	{"source_branches", FIELD_FLAG, offsetof(struct pgb_recording, branches)},
	{NULL, FIELD_TEXT, 0},
};

static const struct field host_fields[] = {
	{"cpu", FIELD_TEXT, offsetof(struct pgb_recording, cpu)},
	{"kernel", FIELD_TEXT, offsetof(struct pgb_recording, kernel)},
	{"machine", FIELD_TEXT, offsetof(struct pgb_recording, machine)},
	{"virtual", FIELD_FLAG, offsetof(struct pgb_recording, is_virtual)},
	{NULL, FIELD_TEXT, 0},
};

#define BINARY(key, kind, name)                                                                    \
	{                                                                                          \
		key, kind, offsetof(struct pgb_recorded_binary, name)                              \
	}

static const struct field binary_fields[] = {
	BINARY("name", FIELD_TEXT, name),
	BINARY("path", FIELD_TEXT, path),
	BINARY("id", FIELD_TEXT, id),
	BINARY("build_id", FIELD_TEXT_OR_NULL, build_id),
	BINARY("edges_file", FIELD_TEXT_OR_NULL, edges_file),
	BINARY("fdata_file", FIELD_TEXT_OR_NULL, fdata_file),
	BINARY("no_fdata_reason", FIELD_TEXT_OR_NULL, reason),
	BINARY("executable", FIELD_FLAG, executable),
	BINARY("size_bytes", FIELD_COUNT, size_bytes),
	BINARY("edges", FIELD_COUNT, edges),
	BINARY("count", FIELD_COUNT, count),
	BINARY("functions", FIELD_COUNT, functions),
	BINARY("fdata_seen", FIELD_COUNT, stats.seen),
	BINARY("fdata_written", FIELD_COUNT, stats.written),
	BINARY("fdata_no_function", FIELD_COUNT, stats.no_function),
	BINARY("fdata_returns", FIELD_COUNT, stats.returns),
	BINARY("fdata_external", FIELD_COUNT, stats.external),
	BINARY("fdata_dropped", FIELD_COUNT, stats.dropped),
	BINARY("ranges", FIELD_COUNT, stats.ranges),
	BINARY("ranges_written", FIELD_COUNT, stats.ranges_written),
	BINARY("ranges_outside", FIELD_COUNT, stats.ranges_outside),
	BINARY("ranges_dropped", FIELD_COUNT, stats.ranges_dropped),
	{NULL, FIELD_TEXT, 0},
};

/* ---- writing */

/* JSON is UTF-8; names need not be. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char *copy;

	if (json != NULL)
		return json;
	copy = pgb_dup(text);
	for (char *at = copy; *at != '\0'; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static json_t *field_json(const struct field *field, const void *object)
{
	const void *place = (const char *)object + field->offset;
	const char *text;
	uint64_t count;

	switch (field->kind) {
	case FIELD_TEXT:
	case FIELD_TEXT_OR_NULL:
		memcpy(&text, place, sizeof(text));
		if (text == NULL)
			return field->kind == FIELD_TEXT ? json_string("") : json_null();
		return text_json(text);
	case FIELD_COUNT_NEWER:
	case FIELD_COUNT:
		memcpy(&count, place, sizeof(count));
		return json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count);
	case FIELD_FLAG:
		return json_boolean(*(const bool *)place);
	case FIELD_INTEGER:
		return json_integer(*(const int *)place);
	}
	return NULL;
}

static void put_fields(json_t *json, const struct field *fields, const void *object)
{
	for (; fields->key != NULL; fields++)
		json_object_set_new(json, fields->key, field_json(fields, object));
}

static json_t *fields_json(const struct field *fields, const void *object)
{
	json_t *json = json_object();

	put_fields(json, fields, object);
	return json;
}

json_t *pgb_recording_counters_json(const struct pgb_session_stats *stats)
{
	return fields_json(counter_fields, stats);
}

static json_t *binary_json(const struct pgb_recorded_binary *binary)
{
	json_t *json = fields_json(binary_fields, binary);

	json_object_set_new(json, "quality", pgb_quality_json(&binary->quality));
	return json;
}

char *pgb_recording_text(const struct pgb_recording *recording)
{
	const struct pgb_recorded_binary *main_binary = pgb_recording_main(recording);
	json_t *root = fields_json(program_fields, recording);
	json_t *binaries = json_array();
	struct pgb_text text = {0};
	char *dumped;

	for (size_t i = 0; i < recording->binaries.count; i++)
		json_array_append_new(binaries, binary_json(&recording->binaries.items[i]));
	json_object_set_new(root, "format", json_string(FORMAT_NAME));
	json_object_set_new(root, "version", json_integer(PGB_RECORDING_VERSION));
	json_object_set_new(root, "host", fields_json(host_fields, recording));
	json_object_set_new(root, "counters", pgb_recording_counters_json(&recording->stats));
	json_object_set_new(root, "binaries", binaries);
	json_object_set_new(root, "main", main_binary ? text_json(main_binary->id) : json_null());
	dumped = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
	pgb_assert(dumped != NULL);
	json_decref(root);
	pgb_text_addf(&text, "%s\n", dumped);
	free(dumped);
	return pgb_text_detach(&text);
}

void pgb_recording_add_counters(struct pgb_session_stats *sum, const struct pgb_session_stats *part)
{
	for (const struct field *field = counter_fields; field->key != NULL; field++) {
		uint64_t *total = (uint64_t *)(void *)((char *)sum + field->offset);
		const uint64_t *more =
			(const uint64_t *)(const void *)((const char *)part + field->offset);

		*total = pgb_count_add(*total, *more);
	}
}

/* ---- reading */

struct reader {
	const char *what;
	struct pgb_error *error;
};

static int wrong_key(const struct reader *reader, const char *key, const char *expected)
{
	pgb_fail(reader->error, PGB_E_CORRUPT, "%s: '%s' is not %s", reader->what, key, expected);
	pgb_remedy(reader->error, "record again: the file was changed or damaged");
	return PGB_E_CORRUPT;
}

static int get_field(const struct reader *reader, const struct field *field, const json_t *json,
		     void *object)
{
	const json_t *value = json_object_get(json, field->key);
	void *place = (char *)object + field->offset;
	json_int_t number = json_integer_value(value);
	uint64_t count = (uint64_t)number;
	char *text;

	switch (field->kind) {
	case FIELD_TEXT:
	case FIELD_TEXT_OR_NULL:
		if (field->kind == FIELD_TEXT_OR_NULL && json_is_null(value))
			return 0;
		if (!json_is_string(value))
			return wrong_key(reader, field->key, "a string");
		text = pgb_dup(json_string_value(value));
		memcpy(place, &text, sizeof(text));
		return 0;
	case FIELD_COUNT_NEWER:
		if (value == NULL)
			return 0;
		/* fall through */
	case FIELD_COUNT:
		if (!json_is_integer(value) || number < 0)
			return wrong_key(reader, field->key, "a count");
		memcpy(place, &count, sizeof(count));
		return 0;
	case FIELD_FLAG:
		if (!json_is_boolean(value))
			return wrong_key(reader, field->key, "true or false");
		*(bool *)place = json_is_true(value);
		return 0;
	case FIELD_INTEGER:
		if (!json_is_integer(value) || number < INT_MIN || number > INT_MAX)
			return wrong_key(reader, field->key, "an integer");
		*(int *)place = (int)number;
		return 0;
	}
	return 0;
}

static int get_fields(const struct reader *reader, const struct field *fields, const json_t *json,
		      void *object)
{
	int code = 0;

	for (; fields->key != NULL && code == 0; fields++)
		code = get_field(reader, fields, json, object);
	return code;
}

/* File names are joined to the folder's: they must not lead out of it. */
static bool is_safe_name(const char *name)
{
	return name == NULL || (name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL);
}

static int get_binaries(const struct reader *reader, const json_t *json,
			struct pgb_recording *recording)
{
	const json_t *array = json_object_get(json, "binaries");
	int code = 0;

	if (!json_is_array(array) || json_array_size(array) > PGB_LIMIT_BINARIES)
		return wrong_key(reader, "binaries", "a list of binaries");
	for (size_t i = 0; i < json_array_size(array) && code == 0; i++) {
		struct pgb_recorded_binary *binary;

		pgb_array_push(&recording->binaries, (struct pgb_recorded_binary){0});
		binary = &recording->binaries.items[i];
		code = get_fields(reader, binary_fields, json_array_get(array, i), binary);
		if (code == 0 &&
		    !pgb_quality_from_json(&binary->quality,
					   json_object_get(json_array_get(array, i), "quality")))
			code = wrong_key(reader, "quality", "a set of figures");
		if (code == 0 && !is_safe_name(binary->edges_file))
			code = wrong_key(reader, "edges_file", "a file name");
		if (code == 0 && !is_safe_name(binary->fdata_file))
			code = wrong_key(reader, "fdata_file", "a file name");
	}
	return code;
}

static int get_main(const struct reader *reader, const json_t *json,
		    struct pgb_recording *recording)
{
	const json_t *value = json_object_get(json, "main");

	if (json_is_null(value))
		return 0;
	for (uint32_t i = 0; json_is_string(value) && i < recording->binaries.count; i++) {
		if (strcmp(recording->binaries.items[i].id, json_string_value(value)) != 0)
			continue;
		recording->main = i;
		return 0;
	}
	return wrong_key(reader, "main", "the id of a binary");
}

static int get_version(const struct reader *reader, const json_t *json)
{
	const char *format = json_string_value(json_object_get(json, "format"));
	json_int_t version = json_integer_value(json_object_get(json, "version"));

	if (format == NULL || strcmp(format, FORMAT_NAME) != 0)
		return pgb_fail(reader->error, PGB_E_CORRUPT, "%s is no recording of pgobolt",
				reader->what);
	if (version > PGB_RECORDING_VERSION) {
		pgb_fail(reader->error, PGB_E_UNSUPPORTED,
			 "%s has format version %lld; this pgobolt reads up to %d", reader->what,
			 (long long)version, PGB_RECORDING_VERSION);
		pgb_remedy(reader->error, "use the pgobolt that recorded it, or a newer one");
		return PGB_E_UNSUPPORTED;
	}
	if (version < 1)
		return wrong_key(reader, "version", "a format version");
	return 0;
}

static int get_recording(const struct reader *reader, const json_t *json,
			 struct pgb_recording *recording)
{
	int code = get_version(reader, json);

	if (code == 0)
		code = get_fields(reader, program_fields, json, recording);
	if (code == 0)
		code = get_fields(reader, host_fields, json_object_get(json, "host"), recording);
	if (code == 0)
		code = get_fields(reader, counter_fields, json_object_get(json, "counters"),
				  &recording->stats);
	if (code == 0)
		code = get_binaries(reader, json, recording);
	if (code == 0)
		code = get_main(reader, json, recording);
	return code;
}

int pgb_recording_parse(struct pgb_recording *recording, struct pgb_cursor bytes, const char *what,
			struct pgb_error *error)
{
	struct reader reader = {.what = what, .error = error};
	size_t size = pgb_cursor_left(&bytes);
	json_error_t why;
	json_t *json =
		json_loadb(size ? (const char *)bytes.at : "", size, JSON_REJECT_DUPLICATES, &why);
	int code;

	*recording = (struct pgb_recording){.main = PGB_BINARY_NONE};
	if (json == NULL) {
		pgb_fail(error, PGB_E_CORRUPT, "%s: line %d: %s", what, why.line, why.text);
		pgb_remedy(error, "record again: the file was changed or damaged");
		return PGB_E_CORRUPT;
	}
	code = get_recording(&reader, json, recording);
	json_decref(json);
	if (code != 0)
		pgb_recording_release(recording);
	return code;
}
