/* SPDX-License-Identifier: MIT */
/* A recording's counts of the given binaries: its edges, or the profile of instrumented runs. */
#include <stdlib.h>
#include <string.h>

#include "pgo/convert_private.h"
#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/edge_file.h"
#include "pgobolt/collector/file.h"

struct reading {
	struct pgb_conversion *conversion;
	const struct pgb_merge_input *input;
	struct pgb_recording recording;
};

static bool has_id(const struct pgb_recorded_binary *recorded, const struct pgb_binary *binary)
{
	char *id = pgb_binary_id(binary);
	bool same = strcmp(recorded->id, id) == 0;

	free(id);
	return same;
}

/* NULL: none of the given binaries. */
static struct pgb_convert_target *find_target(const struct reading *reading,
					      const struct pgb_recorded_binary *recorded)
{
	const struct pgb_convert_job *job = reading->conversion->job;
	struct pgb_convert_target *named = NULL;

	for (size_t i = 0; i < job->binary_count; i++) {
		struct pgb_convert_target *target = &reading->conversion->targets[i];

		if (has_id(recorded, &target->binary))
			return target;
		if (strcmp(reading->conversion->result->binaries.items[i].name, recorded->name) ==
		    0)
			named = target;
	}
	if (named == NULL || job->ignore_build_id)
		return named;
	if (recorded->build_id)
		pgb_convert_set_other_build(named, recorded->build_id);
	return NULL;
}

static int read_edges(struct reading *reading, const struct pgb_recorded_binary *recorded,
		      size_t target, struct pgb_error *error)
{
	struct pgb_conversion *conversion = reading->conversion;
	struct pgb_edge_file_head head = {0};
	char *path = pgb_recording_file(&reading->recording, recorded->edges_file);
	struct pgb_file_map map;
	int code = pgb_file_map_open(&map, path, error);

	if (code == 0) {
		code = pgb_edge_file_read(pgb_cursor_of(map.bytes, map.size_bytes), path,
					  reading->input->weight, &head, conversion->edges,
					  (uint32_t)target, error);
		pgb_edge_file_head_release(&head);
		pgb_file_map_close(&map);
	}
	free(path);
	return code;
}

static int read_profile(struct reading *reading, const struct pgb_recorded_binary *recorded,
			struct pgb_convert_target *target, struct pgb_error *error)
{
	char *path = pgb_recording_file(&reading->recording, recorded->fdata_file);
	int code = pgb_fdata_read_file(path, reading->input->weight, target->profile, error);

	reading->conversion->from_fdata = reading->input->path;
	free(path);
	return code;
}

static int read_binary(struct reading *reading, const struct pgb_recorded_binary *recorded,
		       struct pgb_error *error)
{
	struct pgb_conversion *conversion = reading->conversion;
	struct pgb_convert_target *target = find_target(reading, recorded);

	if (target != NULL)
		target->executable |= recorded->executable;
	if (target == NULL) {
		pgb_convert_add_other(conversion, recorded->name, recorded->build_id,
				      pgb_count_multiply(recorded->count, reading->input->weight));
		return 0;
	}
	if (recorded->edges_file)
		return read_edges(reading, recorded, (size_t)(target - conversion->targets), error);
	if (recorded->fdata_file)
		return read_profile(reading, recorded, target, error);
	return 0;
}

/* Where and how it was recorded. */
static void note_origin(struct reading *reading)
{
	struct pgb_recording *origin = &reading->conversion->origin;

	if (origin->machine)
		return;
	origin->machine = pgb_dup(reading->recording.machine ? reading->recording.machine : "");
	origin->command = pgb_dup(reading->recording.command);
	origin->cpu = pgb_dup(reading->recording.cpu);
	origin->kernel = pgb_dup(reading->recording.kernel);
	origin->is_virtual = reading->recording.is_virtual;
	origin->rate = reading->recording.rate;
}

int pgb_convert_read_recording(struct pgb_conversion *conversion, size_t index,
			       struct pgb_error *error)
{
	struct reading reading = {
		.conversion = conversion,
		.input = &conversion->job->inputs[index],
	};
	int code = pgb_recording_read(&reading.recording, reading.input->path, error);
	char *event;

	for (size_t i = 0; i < reading.recording.binaries.count && code == 0; i++)
		code = read_binary(&reading, &reading.recording.binaries.items[i], error);
	conversion->halves_unknown = true;
	note_origin(&reading);
	if (code == 0) {
		pgb_recording_add_counters(&conversion->result->stats, &reading.recording.stats);
		pgb_convert_add_name(&conversion->sources, reading.recording.source);
		event = pgb_event_canonical_name(reading.recording.event);
		pgb_convert_add_name(&conversion->events, reading.recording.event[0] ? event : "");
		free(event);
	}
	pgb_recording_release(&reading.recording);
	return code;
}
