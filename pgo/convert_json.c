/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "pgo/convert_private.h"
#include "pgo/recording_private.h"
#include "pgobolt/pgo/quality_json.h"

#define NOTE_FORMAT  "pgobolt-profile"
#define NOTE_VERSION 1

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *text(const char *string)
{
	return string ? json_string(string) : json_null();
}

/* Names come from paths, which need not be UTF-8. */
static json_t *name(const char *string)
{
	json_t *json = json_string(string);
	char *copy;

	if (json != NULL)
		return json;
	copy = pgb_dup(string);
	for (unsigned char *at = (unsigned char *)copy; *at != '\0'; at++)
		if (*at >= 0x80)
			*at = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static json_t *stats_json(const struct pgb_profile_stats *stats)
{
	json_t *json = json_object(), *reasons = json_object();

	json_object_set_new(json, "seen", number(stats->seen));
	json_object_set_new(json, "written", number(stats->written));
	json_object_set_new(json, "no_function", number(stats->no_function));
	json_object_set_new(json, "external", number(stats->external));
	json_object_set_new(json, "returns", number(stats->returns));
	json_object_set_new(json, "dropped", number(stats->dropped));
	json_object_set_new(json, "ranges", number(stats->ranges));
	json_object_set_new(json, "ranges_written", number(stats->ranges_written));
	json_object_set_new(json, "ranges_outside", number(stats->ranges_outside));
	json_object_set_new(json, "ranges_dropped", number(stats->ranges_dropped));
	for (enum pgb_drop drop = 0; drop < PGB_DROP_COUNT; drop++)
		if (stats->by_reason[drop] > 0)
			json_object_set_new(reasons, pgb_drop_text(drop),
					    number(stats->by_reason[drop]));
	json_object_set_new(json, "drop_reasons", reasons);
	return json;
}

static json_t *binary_json(const struct pgb_converted *converted)
{
	static const char *const kinds[] = {
		[PGB_PROFILE_UNKNOWN] = "unknown",
		[PGB_PROFILE_BRANCHES] = "branches",
		[PGB_PROFILE_SAMPLES] = "samples",
	};
	json_t *json = json_object();

	json_object_set_new(json, "name", name(converted->name));
	json_object_set_new(json, "id", text(converted->id));
	json_object_set_new(json, "build_id", text(converted->build_id));
	json_object_set_new(json, "kind", text(kinds[converted->kind]));
	json_object_set_new(json, "edges", number(converted->edges));
	json_object_set_new(json, "count", number(converted->count));
	json_object_set_new(json, "lines", number(converted->lines));
	json_object_set_new(json, "functions", number(converted->functions));
	json_object_set_new(json, "fdata", stats_json(&converted->stats));
	json_object_set_new(json, "quality", pgb_quality_json(&converted->quality));
	return json;
}

json_t *pgb_convert_note(const struct pgb_conversion *conversion,
			 const struct pgb_converted *converted)
{
	json_t *json = binary_json(converted);

	if (converted->build_id == NULL)
		json_object_del(json, "build_id");
	json_object_set_new(json, "format", json_string(NOTE_FORMAT));
	json_object_set_new(json, "version", json_integer(NOTE_VERSION));
	json_object_set_new(json, "program", text(conversion->job->program));
	json_object_set_new(json, "source", name(conversion->result->source));
	json_object_set_new(json, "event", name(conversion->result->event));
	json_object_set_new(json, "counters",
			    pgb_recording_counters_json(&conversion->result->stats));
	return json;
}

static void add_samples(json_t *binary, const struct pgb_converted *converted)
{
	const struct pgb_sample_stats *stats = &converted->samples;
	json_t *json;

	if (converted->autofdo_file)
		json_object_set_new(binary, "autofdo_file", name(converted->autofdo_file));
	if (converted->autofdo_binary_file)
		json_object_set_new(binary, "autofdo_binary_file",
				    name(converted->autofdo_binary_file));
	if (converted->autofdo_file == NULL && converted->autofdo_binary_file == NULL)
		return;
	json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ranges",
			 number(stats->ranges), "ranges_written", number(stats->ranges_written),
			 "ranges_outside", number(stats->ranges_outside), "ranges_dropped",
			 number(stats->ranges_dropped), "entries", number(stats->entries),
			 "functions", number(stats->functions), "inlined", number(stats->inlined),
			 "lines", number(stats->lines));
	json_object_set_new(binary, "samples", json);
}

json_t *pgb_convert_json(const struct pgb_convert_result *result)
{
	json_t *json = json_object(), *binaries = json_array(), *others = json_array();

	for (size_t i = 0; i < result->binaries.count; i++) {
		const struct pgb_converted *converted = &result->binaries.items[i];
		json_t *binary = binary_json(converted);

		json_object_set_new(binary, "path", name(converted->path));
		json_object_set_new(binary, "preagg_lost", number(converted->preagg_lost));
		if (converted->fdata_file)
			json_object_set_new(binary, "fdata_file", name(converted->fdata_file));
		if (converted->preagg_file)
			json_object_set_new(binary, "preagg_file", name(converted->preagg_file));
		add_samples(binary, converted);
		json_array_append_new(binaries, binary);
	}
	for (size_t i = 0; i < result->others.count; i++) {
		const struct pgb_convert_other *other = &result->others.items[i];

		json_array_append_new(
			others, json_pack("{s:o, s:o, s:o}", "name", name(other->name), "build_id",
					  text(other->build_id), "count", number(other->count)));
	}
	json_object_set_new(json, "binaries", binaries);
	json_object_set_new(json, "others", others);
	json_object_set_new(json, "source", name(result->source));
	json_object_set_new(json, "event", name(result->event));
	json_object_set_new(json, "left_out", number(result->left_out));
	json_object_set_new(json, "incomplete", json_boolean(result->incomplete));
	json_object_set_new(json, "counters", pgb_recording_counters_json(&result->stats));
	return json;
}
