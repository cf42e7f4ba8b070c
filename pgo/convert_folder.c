/* SPDX-License-Identifier: MIT */
/* Everything that was read to a recording's folder, as `record` writes it. */
#include <stdlib.h>
#include <string.h>

#include "pgo/convert_private.h"
#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/edge_file.h"

static int write_edges(struct pgb_conversion *conversion, size_t index,
		       struct pgb_recording_writer *writer, const struct pgb_recording *recording,
		       struct pgb_recorded_binary *recorded, struct pgb_error *error)
{
	const struct pgb_binary *binary = &conversion->targets[index].binary;
	const struct pgb_edge_file_head head = {
		.build_id = binary->build_id,
		.code_hash = binary->code_hash,
		.name = recorded->name,
		.source = recording->source,
		.event = recording->event,
	};
	char *file, *path;
	int code;

	if (recorded->edges == 0)
		return 0;
	file = pgb_recording_file_name(recorded, "edges");
	path = pgb_recording_temporary(writer, file);
	code = pgb_edge_file_write(path, &head, conversion->edges, (uint32_t)index, error);
	free(path);
	if (code == 0)
		recorded->edges_file = file;
	else
		free(file);
	return code;
}

/* The name that a file of the folder has in the end. */
static char *final_name(const struct pgb_conversion *conversion, const char *file)
{
	size_t length = strlen(conversion->job->output);

	while (length > 1 && conversion->job->output[length - 1] == '/')
		length--;
	return pgb_format("%.*s/%s", (int)length, conversion->job->output, file);
}

static int write_profile(struct pgb_conversion *conversion, size_t index,
			 struct pgb_recording_writer *writer, struct pgb_recorded_binary *recorded,
			 struct pgb_error *error)
{
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	struct pgb_error why = {0};
	int code = pgb_convert_make_profile(conversion, index, &why);

	if (code == PGB_E_EMPTY || code == PGB_E_NOT_SUITABLE) {
		pgb_log(conversion->job->log, PGB_LOG_WARNING, "%s", why.message);
		converted->reason = pgb_dup(why.message);
		recorded->reason = pgb_dup(why.message);
		return 0;
	}
	if (code != 0) {
		*error = why;
		return code;
	}
	recorded->stats = converted->stats;
	pgb_quality_copy(&recorded->quality, &converted->quality);
	code = pgb_recording_write_fdata(writer, recorded, conversion->targets[index].profile,
					 error);
	if (code == 0)
		converted->fdata_file = final_name(conversion, recorded->fdata_file);
	return code;
}

/* One of the formats besides fdata, beside it. */
static int write_also(struct pgb_conversion *conversion, size_t index,
		      struct pgb_recording_writer *writer,
		      const struct pgb_recorded_binary *recorded, enum pgb_convert_format format,
		      struct pgb_error *error)
{
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	char **shown = format == PGB_CONVERT_PREAGG    ? &converted->preagg_file
		       : format == PGB_CONVERT_AUTOFDO ? &converted->autofdo_file
						       : &converted->autofdo_binary_file;
	const char *suffix = format == PGB_CONVERT_PREAGG    ? "preagg"
			     : format == PGB_CONVERT_AUTOFDO ? "afdo"
							     : "afdo.bin";
	char *file, *path;
	int code;

	if (!(conversion->job->formats & format))
		return 0;
	file = pgb_recording_file_name(recorded, suffix);
	path = pgb_recording_temporary(writer, file);
	if (format == PGB_CONVERT_PREAGG)
		code = pgb_convert_write_preagg(conversion, index, path, error);
	else
		code = pgb_convert_write_samples(conversion, index, format, path, error);
	*shown = final_name(conversion, file);
	free(path);
	free(file);
	return code;
}

static int write_binary(struct pgb_conversion *conversion, size_t index,
			struct pgb_recording_writer *writer, struct pgb_recording *recording,
			struct pgb_error *error)
{
	const struct pgb_converted *converted = &conversion->result->binaries.items[index];
	const struct pgb_convert_target *target = &conversion->targets[index];
	struct pgb_recorded_binary *recorded;
	int code;

	if (converted->edges == 0 && pgb_profile_is_empty(target->profile))
		return 0; /* it was said */
	pgb_array_push(&recording->binaries, (struct pgb_recorded_binary){0});
	recorded = &recording->binaries.items[recording->binaries.count - 1];
	recorded->name = pgb_dup(converted->name);
	recorded->path = realpath(target->path, NULL);
	if (recorded->path == NULL)
		recorded->path = pgb_dup(target->path);
	recorded->id = pgb_dup(converted->id);
	recorded->build_id = pgb_dup(converted->build_id);
	recorded->executable = target->executable;
	recorded->size_bytes = target->binary.size_bytes;
	recorded->edges = converted->edges;
	recorded->count = converted->count;
	code = write_edges(conversion, index, writer, recording, recorded, error);
	if (code == 0)
		code = write_profile(conversion, index, writer, recorded, error);
	for (unsigned int format = PGB_CONVERT_PREAGG;
	     code == 0 && format <= PGB_CONVERT_AUTOFDO_BINARY; format <<= 1)
		code = write_also(conversion, index, writer, recorded,
				  (enum pgb_convert_format)format, error);
	return code;
}

/* Takes over what is known of the origin. */
static struct pgb_recording describe(struct pgb_conversion *conversion)
{
	struct pgb_recording recording = conversion->origin;

	conversion->origin = (struct pgb_recording){0};
	recording.program = pgb_dup(conversion->job->program);
	recording.source = pgb_dup(conversion->result->source);
	recording.reason = pgb_dup("converted");
	recording.event = pgb_dup(conversion->result->event);
	recording.stats = conversion->result->stats;
	return recording;
}

static int explain_none(const struct pgb_conversion *conversion, struct pgb_error *error)
{
	for (size_t i = 0; i < conversion->job->binary_count; i++)
		if (conversion->result->binaries.items[i].fdata_file)
			return 0;
	for (size_t i = 0; i < conversion->job->binary_count; i++)
		if (conversion->result->binaries.items[i].reason)
			return pgb_fail(error, PGB_E_EMPTY, "%s",
					conversion->result->binaries.items[i].reason);
	return pgb_fail(error, PGB_E_EMPTY, "nothing was recorded of these binaries");
}

int pgb_convert_write_folder(struct pgb_conversion *conversion, struct pgb_error *error)
{
	struct pgb_recording recording = describe(conversion);
	struct pgb_recording_writer *writer = NULL;
	int code = pgb_recording_writer_open(&writer, conversion->job->output, false, error);

	for (size_t i = 0; i < conversion->job->binary_count && code == 0; i++) {
		code = write_binary(conversion, i, writer, &recording, error);
		if (conversion->result->binaries.items[i].kind == PGB_PROFILE_BRANCHES)
			recording.branches = true;
	}
	if (code == 0)
		code = explain_none(conversion, error);
	if (code == 0)
		code = pgb_recording_writer_commit(writer, &recording, error);
	pgb_recording_writer_close(writer);
	pgb_recording_release(&recording);
	return code;
}
