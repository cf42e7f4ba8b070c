/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/pipeline_state.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

#define FORMAT_NAME "pgobolt-run"

enum { FORMAT_VERSION = 1, FILE_SIZE_MAX = 16 << 20, COMMANDS_MAX = 4096 };

static const char *const status_words[] = {
	[PGB_STEP_TODO] = "todo",
	[PGB_STEP_DONE] = "done",
	[PGB_STEP_FAILED] = "failed",
	[PGB_STEP_INTERRUPTED] = "interrupted",
};

const char *pgb_step_status_word(enum pgb_step_status status)
{
	return status_words[status];
}

void pgb_step_release(struct pgb_step *step)
{
	free(step->name);
	free(step->title);
	free(step->key);
	free(step->output);
	free(step->output_hash);
	free(step->log);
	pgb_shim_words_release(&step->commands);
	*step = (struct pgb_step){0};
}

void pgb_pipeline_state_release(struct pgb_pipeline_state *state)
{
	for (size_t i = 0; i < state->steps.count; i++)
		pgb_step_release(&state->steps.items[i]);
	pgb_array_release(&state->steps);
	free(state->program);
	free(state->binary);
	free(state->tree);
	free(state->compilers);
	*state = (struct pgb_pipeline_state){0};
}

struct pgb_step *pgb_pipeline_state_find(const struct pgb_pipeline_state *state, const char *name)
{
	for (size_t i = 0; i < state->steps.count; i++)
		if (strcmp(state->steps.items[i].name, name) == 0)
			return &state->steps.items[i];
	return NULL;
}

char *pgb_pipeline_hash_file(const char *path)
{
	struct pgb_file_map map;
	uint64_t hash;

	if (pgb_file_map_open(&map, path, NULL) != 0)
		return NULL;
	hash = pgb_hash_stream(PGB_HASH_SEED, map.bytes, map.size_bytes);
	hash = pgb_hash_combine(hash, map.size_bytes);
	pgb_file_map_close(&map);
	return pgb_format("%016" PRIx64, hash);
}

/* ---- writing */

/* Paths and commands may hold bytes that are no UTF-8, which JSON cannot carry. */
static json_t *text_json(const char *text)
{
	json_t *string = text ? json_string(text) : json_null();
	char *copy;

	if (string != NULL)
		return string;
	copy = pgb_dup(text);
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

static json_t *step_json(const struct pgb_step *step)
{
	json_t *commands = json_array();

	for (size_t i = 0; i < step->commands.items.count; i++)
		json_array_append_new(commands, text_json(step->commands.items.items[i]));
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:f, s:o}", "name",
			 text_json(step->name), "title", text_json(step->title), "commands",
			 commands, "status", status_words[step->status], "key",
			 text_json(step->key), "output", text_json(step->output), "output_hash",
			 text_json(step->output_hash), "seconds", step->seconds, "log",
			 text_json(step->log));
}

char *pgb_pipeline_state_text(const struct pgb_pipeline_state *state)
{
	json_t *steps = json_array(), *root;
	char *dumped, *text;

	for (size_t i = 0; i < state->steps.count; i++)
		json_array_append_new(steps, step_json(&state->steps.items[i]));
	root = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "format", FORMAT_NAME, "version",
			 FORMAT_VERSION, "program", text_json(state->program), "binary",
			 text_json(state->binary), "tree", text_json(state->tree), "compilers",
			 text_json(state->compilers), "steps", steps);
	dumped = json_dumps(root, JSON_INDENT(2));
	pgb_assert(dumped != NULL);
	text = pgb_format("%s\n", dumped);
	free(dumped);
	json_decref(root);
	return text;
}

int pgb_pipeline_state_write(const struct pgb_pipeline_state *state, const char *folder,
			     struct pgb_error *error)
{
	char *path = pgb_format("%s/run.json", folder), *text = pgb_pipeline_state_text(state);
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code == 0) {
		fputs(text, out.stream);
		code = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	free(path);
	free(text);
	return code;
}

/* ---- reading */

static int wrong(const char *what, const char *key, struct pgb_error *error)
{
	pgb_fail(error, PGB_E_CORRUPT, "%s: '%s' is not as pgobolt writes it", what, key);
	return pgb_remedy(error, "begin anew: pgobolt run --fresh ..");
}

/* false: neither a string nor, where that is allowed, null. */
static bool get_text(const json_t *json, const char *key, bool required, char **text)
{
	const json_t *value = json_object_get(json, key);

	if (!required && json_is_null(value))
		return true;
	if (!json_is_string(value))
		return false;
	*text = pgb_dup(json_string_value(value));
	return true;
}

/* Names of files are joined to the folder's. */
static bool is_inside(const char *path)
{
	return path == NULL || (path[0] != '/' && strstr(path, "..") == NULL);
}

static bool get_status(const json_t *json, enum pgb_step_status *status)
{
	const char *word = json_string_value(json_object_get(json, "status"));

	for (size_t i = 0; word && i < sizeof(status_words) / sizeof(status_words[0]); i++)
		if (strcmp(word, status_words[i]) == 0) {
			*status = (enum pgb_step_status)i;
			return true;
		}
	return false;
}

static bool get_commands(const json_t *json, struct pgb_shim_words *commands)
{
	const json_t *array = json_object_get(json, "commands");

	if (!json_is_array(array) || json_array_size(array) > COMMANDS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *command = json_string_value(json_array_get(array, i));

		if (command == NULL)
			return false;
		pgb_shim_words_add(commands, command);
	}
	return true;
}

/* The key that is wrong; NULL: none. */
static const char *get_step(const json_t *json, struct pgb_step *step)
{
	const json_t *seconds = json_object_get(json, "seconds");

	if (!get_text(json, "name", true, &step->name))
		return "name";
	if (!get_text(json, "title", true, &step->title))
		return "title";
	if (!get_text(json, "key", false, &step->key))
		return "key";
	if (!get_text(json, "output", false, &step->output) || !is_inside(step->output))
		return "output";
	if (!get_text(json, "output_hash", false, &step->output_hash))
		return "output_hash";
	if (!get_text(json, "log", false, &step->log) || !is_inside(step->log))
		return "log";
	if (!get_status(json, &step->status))
		return "status";
	if (!get_commands(json, &step->commands))
		return "commands";
	if (!json_is_number(seconds))
		return "seconds";
	step->seconds = json_number_value(seconds);
	return NULL;
}

static int get_state(struct pgb_pipeline_state *state, const json_t *json, const char *what,
		     struct pgb_error *error)
{
	const char *format = json_string_value(json_object_get(json, "format"));
	const json_t *steps = json_object_get(json, "steps");

	if (format == NULL || strcmp(format, FORMAT_NAME) != 0)
		return wrong(what, "format", error);
	if (json_integer_value(json_object_get(json, "version")) != FORMAT_VERSION)
		return pgb_fail(error, PGB_E_UNSUPPORTED,
				"%s is of another version of pgobolt; begin anew with "
				"pgobolt run --fresh",
				what);
	if (!get_text(json, "program", true, &state->program))
		return wrong(what, "program", error);
	if (!get_text(json, "binary", true, &state->binary))
		return wrong(what, "binary", error);
	if (!get_text(json, "tree", true, &state->tree))
		return wrong(what, "tree", error);
	if (json_object_get(json, "compilers") &&
	    !get_text(json, "compilers", false, &state->compilers))
		return wrong(what, "compilers", error);
	if (!json_is_array(steps) || json_array_size(steps) > PGB_PIPELINE_STEPS_MAX)
		return wrong(what, "steps", error);
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const char *key;

		pgb_array_push(&state->steps, (struct pgb_step){0});
		key = get_step(json_array_get(steps, i), &state->steps.items[i]);
		if (key != NULL)
			return wrong(what, key, error);
	}
	return 0;
}

int pgb_pipeline_state_parse(struct pgb_pipeline_state *state, struct pgb_cursor bytes,
			     const char *what, struct pgb_error *error)
{
	size_t size = pgb_cursor_left(&bytes);
	json_error_t why;
	json_t *json =
		json_loadb(size ? (const char *)bytes.at : "", size, JSON_REJECT_DUPLICATES, &why);
	int code;

	*state = (struct pgb_pipeline_state){0};
	if (json == NULL) {
		pgb_fail(error, PGB_E_CORRUPT, "%s: line %d: %s", what, why.line, why.text);
		return pgb_remedy(error, "begin anew: pgobolt run --fresh ..");
	}
	code = get_state(state, json, what, error);
	json_decref(json);
	if (code != 0)
		pgb_pipeline_state_release(state);
	return code;
}

int pgb_pipeline_state_read(struct pgb_pipeline_state *state, const char *folder,
			    struct pgb_error *error)
{
	char *path = pgb_format("%s/run.json", folder);
	struct pgb_text text = {0};
	int code = pgb_file_read(&text, path, FILE_SIZE_MAX, error);

	*state = (struct pgb_pipeline_state){0};
	if (code == 0)
		code = pgb_pipeline_state_parse(
			state, pgb_cursor_of(pgb_text_string(&text), text.length), path, error);
	pgb_text_release(&text);
	free(path);
	return code;
}
