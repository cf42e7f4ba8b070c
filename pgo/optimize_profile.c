/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/input.h"
#include "pgobolt/pgo/optimize.h"
#include "pgobolt/pgo/quality_json.h"
#include "pgobolt/pgo/recording.h"

enum { NOTE_BYTES_MOST = 1024 * 1024 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int hex_digit(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	if (letter >= 'a' && letter <= 'f')
		return letter - 'a' + 10;
	return -1;
}

/* "a05de386" to bytes; false: not that. */
static bool parse_build_id(const char *text, struct pgb_build_id *id)
{
	*id = (struct pgb_build_id){0};
	for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);

		if (high < 0 || low < 0 || id->size_bytes == sizeof(id->bytes))
			return false;
		id->bytes[id->size_bytes++] = (uint8_t)(high << 4 | low);
	}
	return *text == '\0' && id->size_bytes > 0;
}

/* The sources of a profile, joined by commas. */
static bool has_single_branches(const char *sources)
{
	return strstr(sources, "ibs") != NULL || strstr(sources, "spe") != NULL;
}

static void note_inference(struct pgb_chosen_profile *chosen, const struct pgb_quality *quality)
{
	chosen->is_inferred = quality->grade != 0 && quality->inferred >= 0;
	chosen->inferred = chosen->is_inferred ? quality->inferred : 0;
}

static void read_note_of_inference(struct pgb_chosen_profile *chosen, const json_t *document)
{
	const char *source = json_string_value(json_object_get(document, "source"));
	struct pgb_quality quality = {0};

	chosen->single_branches = source && has_single_branches(source);
	if (pgb_quality_from_json(&quality, json_object_get(document, "quality")))
		note_inference(chosen, &quality);
	pgb_quality_release(&quality);
}

/* FILE.json beside a lone fdata: what it was made from. Without one the build is unknown. */
static int read_note(struct pgb_chosen_profile *chosen, struct pgb_error *error)
{
	char *path = pgb_format("%s.json", chosen->fdata);
	struct pgb_text text = {0};
	struct pgb_error missing = {0};
	json_t *document = NULL, *id;
	int code = pgb_file_read(&text, path, NOTE_BYTES_MOST, &missing);

	if (code == PGB_E_NOT_FOUND) {
		code = 0;
	} else if (code != 0) {
		pgb_fail(error, code, "%s", missing.message);
	} else {
		document = json_loadb(pgb_text_string(&text), text.length, 0, NULL);
		id = json_object_get(document, "build_id");
		chosen->has_build_id = json_is_string(id);
		read_note_of_inference(chosen, document);
		if (document == NULL || (chosen->has_build_id &&
					 !parse_build_id(json_string_value(id), &chosen->build_id)))
			code = pgb_fail(error, PGB_E_CORRUPT,
					"%s is not what pgobolt writes beside an fdata file", path);
	}
	json_decref(document);
	pgb_text_release(&text);
	free(path);
	return code;
}

static int choose_file(struct pgb_chosen_profile *chosen, const char *binary, const char *profile,
		       struct pgb_error *error)
{
	if (binary == NULL) {
		pgb_fail(error, PGB_E_USAGE, "%s does not say which binary it is of", profile);
		return pgb_remedy(error, "name it: pgobolt optimize --profile %s BINARY", profile);
	}
	chosen->binary = pgb_dup(binary);
	chosen->fdata = pgb_dup(profile);
	return read_note(chosen, error);
}

/* The recorded binaries by name, as far as a message takes them. */
static char *names_of(const struct pgb_recording *recording)
{
	enum { NAMES_MOST = 5 };
	struct pgb_text names = {0};

	for (size_t i = 0; i < recording->binaries.count && i < NAMES_MOST; i++)
		pgb_text_addf(&names, "%s%s", i ? ", " : "", recording->binaries.items[i].name);
	if (recording->binaries.count > NAMES_MOST)
		pgb_text_add(&names, ", ..");
	return pgb_text_detach(&names);
}

/* Nothing was recorded for this identity. Is it another build of something that was? */
static const struct pgb_recorded_binary *find_by_name(const struct pgb_recording *recording,
						      const struct pgb_binary *binary)
{
	for (size_t i = 0; i < recording->binaries.count; i++)
		if (strcmp(recording->binaries.items[i].name, base_name(binary->path)) == 0)
			return &recording->binaries.items[i];
	return NULL;
}

/* The same file after llvm-bolt: its build-id differs in the last bit. */
static const struct pgb_recorded_binary *find_twin(const struct pgb_recording *recording,
						   const struct pgb_binary *binary)
{
	struct pgb_binary twin = *binary;

	if (twin.build_id.size_bytes == 0)
		return NULL;
	twin.build_id.bytes[twin.build_id.size_bytes - 1] ^= 1;
	return pgb_recording_find(recording, &twin);
}

static const struct pgb_recorded_binary *find_recorded(const struct pgb_recording *recording,
						       const char *path, struct pgb_error *error)
{
	const struct pgb_recorded_binary *recorded;
	struct pgb_binary binary = {0};
	struct pgb_elf_image *image;
	char *names;

	/* first for its words about files that are no binaries */
	if (pgb_elf_image_open(&image, path, error) != 0)
		return NULL;
	pgb_elf_image_close(image);
	if (pgb_binary_read(&binary, path, path, error) != 0) {
		pgb_binary_release(&binary);
		return NULL;
	}
	recorded = pgb_recording_find(recording, &binary);
	if (recorded == NULL)
		recorded = find_twin(recording, &binary);
	if (recorded == NULL) {
		recorded = find_by_name(recording, &binary);
		/* with two build-ids the check before the run says both */
		if (recorded != NULL &&
		    (recorded->build_id == NULL || binary.build_id.size_bytes == 0)) {
			pgb_fail(error, PGB_E_MISMATCH,
				 "%s is not the build of %s that was recorded: its code differs",
				 path, recorded->name);
			pgb_remedy(error, "record again with this binary");
			recorded = NULL;
		}
	}
	pgb_binary_release(&binary);
	if (recorded != NULL || error->code != 0)
		return recorded;
	names = names_of(recording);
	pgb_fail(error, PGB_E_MISMATCH, "%s was not recorded in %s, which holds %s", path,
		 recording->directory, *names ? names : "nothing");
	pgb_remedy(error, "record it: pgobolt record -- COMMAND, or name another recording with "
			  "--profile");
	free(names);
	return NULL;
}

static int choose_recorded(struct pgb_chosen_profile *chosen, const char *binary,
			   const struct pgb_recording *recording, struct pgb_error *error)
{
	const struct pgb_recorded_binary *recorded = pgb_recording_main(recording);

	if (binary == NULL && recorded == NULL) {
		pgb_fail(error, PGB_E_EMPTY, "%s names no main binary", recording->directory);
		return pgb_remedy(error, "name one: pgobolt optimize BINARY");
	}
	chosen->binary = pgb_dup(binary ? binary : recorded->path);
	recorded = find_recorded(recording, chosen->binary, error);
	if (recorded == NULL)
		return error->code;
	if (recorded->fdata_file == NULL) {
		pgb_fail(error, PGB_E_EMPTY, "%s was recorded, but there is no profile of it: %s",
			 recorded->name,
			 recorded->reason ? recorded->reason : "no reason is given");
		return pgb_remedy(error, "see what was recorded: pgobolt dump %s",
				  recording->directory);
	}
	chosen->fdata = pgb_recording_file(recording, recorded->fdata_file);
	chosen->recording = pgb_dup(recording->directory);
	chosen->source = pgb_dup(recording->source);
	chosen->single_branches = has_single_branches(recording->source);
	note_inference(chosen, &recorded->quality);
	chosen->has_build_id = recorded->build_id != NULL;
	if (chosen->has_build_id && !parse_build_id(recorded->build_id, &chosen->build_id))
		return pgb_fail(error, PGB_E_CORRUPT,
				"%s: the build-id of %s is no hexadecimal "
				"number: %s",
				recording->directory, recorded->name, recorded->build_id);
	return 0;
}

int pgb_profile_choose(struct pgb_chosen_profile *chosen, const char *binary, const char *profile,
		       struct pgb_error *error)
{
	const char *path = profile ? profile : PGB_RECORDING_DEFAULT;
	struct pgb_recording recording = {0};
	struct pgb_error local = {0};
	enum pgb_input_kind kind;
	int code;

	if (error == NULL)
		error = &local;
	*chosen = (struct pgb_chosen_profile){0};
	if (profile == NULL) {
		kind = PGB_INPUT_RECORDING;
	} else {
		code = pgb_input_identify(path, &kind, error);
		if (code != 0)
			return code;
	}
	if (kind == PGB_INPUT_FDATA)
		return choose_file(chosen, binary, path, error);
	if (kind != PGB_INPUT_RECORDING)
		return pgb_input_refuse(path, kind, "a recording or an fdata profile", error);
	code = pgb_recording_read(&recording, path, error);
	if (code == 0)
		code = choose_recorded(chosen, binary, &recording, error);
	pgb_recording_release(&recording);
	return code;
}

void pgb_chosen_profile_release(struct pgb_chosen_profile *chosen)
{
	free(chosen->binary);
	free(chosen->fdata);
	free(chosen->recording);
	free(chosen->source);
	*chosen = (struct pgb_chosen_profile){0};
}
