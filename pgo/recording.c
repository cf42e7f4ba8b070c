/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/recording.h"

#include <string.h>
#include <sys/stat.h>

#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

/* recording.json of 65536 binaries with long paths stays far below. */
#define JSON_BYTES_MAX (256u * 1024 * 1024)

void pgb_recorded_binary_release(struct pgb_recorded_binary *binary)
{
	free(binary->name);
	free(binary->path);
	free(binary->id);
	free(binary->build_id);
	free(binary->edges_file);
	free(binary->fdata_file);
	free(binary->reason);
	free(binary->remedy);
	pgb_quality_release(&binary->quality);
	*binary = (struct pgb_recorded_binary){0};
}

void pgb_recording_release(struct pgb_recording *recording)
{
	for (size_t i = 0; i < recording->binaries.count; i++)
		pgb_recorded_binary_release(&recording->binaries.items[i]);
	pgb_array_release(&recording->binaries);
	free(recording->directory);
	free(recording->program);
	free(recording->source);
	free(recording->reason);
	free(recording->event);
	free(recording->command);
	free(recording->machine);
	free(recording->cpu);
	free(recording->kernel);
	free(recording->wanted);
	*recording = (struct pgb_recording){.main = PGB_BINARY_NONE};
}

bool pgb_recording_is_folder(const char *directory)
{
	char *path = pgb_format("%s/recording.json", directory);
	struct stat status;
	bool found = stat(path, &status) == 0 && S_ISREG(status.st_mode);

	free(path);
	return found;
}

static int explain_missing(const char *directory, struct pgb_error *error)
{
	struct stat status;
	int code;

	if (stat(directory, &status) == 0) {
		code = pgb_fail(error, PGB_E_NOT_FOUND, "%s is not a recording: %s", directory,
				S_ISDIR(status.st_mode) ? "it has no recording.json"
							: "it is not a folder");
		return code;
	}
	pgb_fail(error, PGB_E_NOT_FOUND, "there is no recording %s", directory);
	pgb_remedy(error, "make one: pgobolt record -o %s -- COMMAND", directory);
	return PGB_E_NOT_FOUND;
}

int pgb_recording_read(struct pgb_recording *recording, const char *directory,
		       struct pgb_error *error)
{
	char *path = pgb_format("%s/recording.json", directory);
	struct pgb_text text = {0};
	int code;

	*recording = (struct pgb_recording){.main = PGB_BINARY_NONE};
	if (pgb_recording_is_folder(directory))
		code = pgb_file_read(&text, path, JSON_BYTES_MAX, error);
	else
		code = explain_missing(directory, error);
	if (code == 0)
		code = pgb_recording_parse(recording, pgb_cursor_of(text.data, text.length), path,
					   error);
	if (code == 0)
		recording->directory = pgb_dup(directory);
	pgb_text_release(&text);
	free(path);
	return code;
}

const struct pgb_recorded_binary *pgb_recording_find(const struct pgb_recording *recording,
						     const struct pgb_binary *binary)
{
	char *id = pgb_binary_id(binary);
	const struct pgb_recorded_binary *found = NULL;

	for (size_t i = 0; i < recording->binaries.count && found == NULL; i++)
		if (strcmp(recording->binaries.items[i].id, id) == 0)
			found = &recording->binaries.items[i];
	free(id);
	return found;
}

const struct pgb_recorded_binary *pgb_recording_main(const struct pgb_recording *recording)
{
	if (recording->main >= recording->binaries.count)
		return NULL;
	return &recording->binaries.items[recording->main];
}

char *pgb_recording_file(const struct pgb_recording *recording, const char *file)
{
	return pgb_format("%s/%s", recording->directory, file);
}
