/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/quality_json.h"

#include <jansson.h>
#include <stddef.h>
#include <string.h>

/* Writer and reader use the same tables. */
struct field {
	const char *key;
	size_t offset;
	bool may_lack; /* older recordings do not have it */
};

#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct pgb_quality, name), false                                   \
	}

static const struct field count_fields[] = {
	FIELD(count),	     FIELD(count_unmatched), FIELD(functions), FIELD(functions_in_binary),
	FIELD(functions_90), FIELD(functions_99),    FIELD(bytes_90),  FIELD(bytes_99),
	{NULL, 0, false},
};

static const struct field figure_fields[] = {
	FIELD(density),	  FIELD(more_samples),
	FIELD(flow),	  FIELD(agreement),
	FIELD(dropped),	  FIELD(mismatching),
	FIELD(lost),	  {"inferred", offsetof(struct pgb_quality, inferred), true},
	{NULL, 0, false},
};

static json_t *reasons_json(const struct pgb_quality *quality)
{
	json_t *reasons = json_array();

	for (size_t i = 0; i < quality->reasons.count; i++) {
		const struct pgb_quality_reason *reason = &quality->reasons.items[i];

		json_array_append_new(reasons, json_pack("{s:s%, s:s}", "grade", &reason->grade,
							 (size_t)1, "text", reason->text));
	}
	return reasons;
}

json_t *pgb_quality_json(const struct pgb_quality *quality)
{
	json_t *json;

	if (quality->grade == 0)
		return json_null();
	json = json_object();
	json_object_set_new(json, "grade", json_stringn(&quality->grade, 1));
	json_object_set_new(json, "reasons", reasons_json(quality));
	json_object_set_new(json, "branches", json_boolean(quality->branches));
	for (const struct field *field = count_fields; field->key; field++) {
		uint64_t count;

		memcpy(&count, (const char *)quality + field->offset, sizeof(count));
		json_object_set_new(
			json, field->key,
			json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count));
	}
	for (const struct field *field = figure_fields; field->key; field++) {
		double figure;

		memcpy(&figure, (const char *)quality + field->offset, sizeof(figure));
		json_object_set_new(json, field->key, figure < 0 ? json_null() : json_real(figure));
	}
	return json;
}

static bool read_grade(const json_t *json, char *grade)
{
	const char *text = json_string_value(json_object_get(json, "grade"));

	*grade = text ? pgb_quality_grade(text) : 0;
	return *grade != 0;
}

static bool read_reasons(struct pgb_quality *quality, const json_t *reasons)
{
	if (!json_is_array(reasons))
		return false;
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		const json_t *json = json_array_get(reasons, i);
		const char *text = json_string_value(json_object_get(json, "text"));
		struct pgb_quality_reason reason;

		if (text == NULL || !read_grade(json, &reason.grade))
			return false;
		reason.text = pgb_dup(text);
		pgb_array_push(&quality->reasons, reason);
	}
	return true;
}

static bool read_count(void *place, const json_t *json)
{
	uint64_t count = (uint64_t)json_integer_value(json);

	if (!json_is_integer(json) || json_integer_value(json) < 0)
		return false;
	memcpy(place, &count, sizeof(count));
	return true;
}

static bool read_figure(void *place, const json_t *json, bool may_lack)
{
	bool unknown = json_is_null(json) || (json == NULL && may_lack);
	double figure = unknown ? -1 : json_number_value(json);

	if (!unknown && (!json_is_number(json) || figure < 0))
		return false;
	memcpy(place, &figure, sizeof(figure));
	return true;
}

bool pgb_quality_from_json(struct pgb_quality *quality, const json_t *json)
{
	const json_t *branches = json_object_get(json, "branches");
	bool good;

	if (json == NULL || json_is_null(json))
		return true;
	good = read_grade(json, &quality->grade) && json_is_boolean(branches) &&
	       read_reasons(quality, json_object_get(json, "reasons"));
	quality->branches = json_is_true(branches);
	for (const struct field *field = count_fields; field->key && good; field++)
		good = read_count((char *)quality + field->offset,
				  json_object_get(json, field->key));
	for (const struct field *field = figure_fields; field->key && good; field++)
		good = read_figure((char *)quality + field->offset,
				   json_object_get(json, field->key), field->may_lack);
	return good;
}
