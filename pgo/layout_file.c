/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/layout_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

#define FORMAT_NAME "pgobolt-layout"

enum {
	FORMAT_VERSION = 1,
	BINARIES_MOST = 16,
	FILE_BYTES_MOST = 16 << 20,
};

typedef PGB_ARRAY(char *) word_array;

static void release_words(word_array *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	pgb_array_release(words);
}

/* Undo pgb_process_command_line(). */
static void split_words(word_array *words, const char *line)
{
	struct pgb_text word = {0};
	bool quoted = false;

	for (; *line; line++) {
		if (*line == '\'') {
			quoted = !quoted;
			pgb_text_add(&word, ""); /* '' is a word, too */
		} else if (!quoted && *line == '\\' && line[1]) {
			pgb_text_add_bytes(&word, ++line, 1);
		} else if (quoted || *line != ' ') {
			pgb_text_add_bytes(&word, line, 1);
		} else if (word.data) {
			pgb_array_push(words, pgb_text_detach(&word));
		}
	}
	if (word.data)
		pgb_array_push(words, pgb_text_detach(&word));
}

/* The same command with another output, translation, and no work on debug information. */
static void change_words(word_array *words, const char *output)
{
	size_t kept = 0;

	for (size_t i = 0; i < words->count; i++) {
		char *word = words->items[i];

		if (strcmp(word, "-update-debug-sections") == 0) {
			free(word);
			continue;
		}
		if (i > 0 && kept > 0 && strcmp(words->items[kept - 1], "-o") == 0) {
			free(word);
			word = pgb_dup(output);
		}
		words->items[kept++] = word;
	}
	words->count = kept;
	pgb_array_push(words, pgb_dup("-enable-bat"));
}

static int run_again(const struct pgb_layout_file_job *job, const char *output,
		     struct pgb_error *error)
{
	struct pgb_text said = {0};
	word_array words = {0};
	struct pgb_spawn spawn = {.quiet_stdin = true, .die_with_parent = true};
	int status = 0, code;

	split_words(&words, job->command_line);
	change_words(&words, output);
	pgb_array_push(&words, NULL);
	spawn.argv = (const char *const *)words.items;
	code = pgb_process_run(&spawn, job->timeout_s, &said, &said, &status, error);
	if (code == 0 && status != 0)
		code = pgb_fail(error, PGB_E_TOOL,
				"llvm-bolt with -enable-bat ended with status %d",
				pgb_process_exit_status(status));
	release_words(&words);
	pgb_text_release(&said);
	return code;
}

/* Is the code the same, byte by byte? Else the picture would be of another program. */
static int compare_code(struct pgb_elf_image *moved, const char *output, struct pgb_error *error)
{
	static const char *const names[] = {".text", ".text.cold"};
	struct pgb_elf_image *shipped;
	int code = pgb_elf_image_open(&shipped, output, error);

	if (code != 0)
		return code;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && code == 0; i++) {
		const struct pgb_elf_section *a = pgb_elf_image_find_section(moved, names[i]);
		const struct pgb_elf_section *b = pgb_elf_image_find_section(shipped, names[i]);
		const uint8_t *left = a ? pgb_elf_image_section_bytes(moved, a) : NULL;
		const uint8_t *right = b ? pgb_elf_image_section_bytes(shipped, b) : NULL;

		if (left == NULL && right == NULL)
			continue;
		if (left == NULL || right == NULL || a->size_bytes != b->size_bytes ||
		    memcmp(left, right, a->size_bytes) != 0)
			code = pgb_fail(error, PGB_E_MISMATCH,
					"llvm-bolt made other code the second time: %s differs",
					names[i]);
	}
	pgb_elf_image_close(shipped);
	return code;
}

static int compute(struct pgb_layout *layout, struct pgb_elf_image *original, const char *fdata,
		   struct pgb_elf_image *moved, struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_cfgs *cfgs = NULL;
	int code = pgb_fdata_read_file(fdata, 1, profile, error);

	if (code == 0)
		code = pgb_cfgs_new(&cfgs, original, error);
	if (code == 0)
		code = pgb_layout_compute(layout, cfgs, profile, moved, error);
	if (cfgs)
		pgb_cfgs_free(cfgs);
	pgb_profile_free(profile);
	return code;
}

/* What the file holds now; anything that cannot be read is replaced. */
static json_t *read_entries(const char *path)
{
	struct pgb_error ignored = {0};
	struct pgb_text text = {0};
	json_t *root = NULL, *entries = NULL;

	if (pgb_file_read(&text, path, FILE_BYTES_MOST, &ignored) == 0)
		root = json_loadb(pgb_text_string(&text), text.length, JSON_REJECT_DUPLICATES,
				  NULL);
	if (json_integer_value(json_object_get(root, "version")) == FORMAT_VERSION)
		entries = json_incref(json_object_get(root, "binaries"));
	pgb_text_release(&text);
	json_decref(root);
	if (json_is_array(entries))
		return entries;
	json_decref(entries);
	return json_array();
}

static bool is_of_same_binary(const json_t *left, const json_t *right)
{
	return json_equal(json_object_get(left, "name"), json_object_get(right, "name")) &&
	       json_equal(json_object_get(left, "build_id"), json_object_get(right, "build_id"));
}

static int write_entry(const char *path, json_t *entry, struct pgb_error *error)
{
	json_t *entries = read_entries(path), *root;
	struct pgb_out_file out;
	size_t i = 0;
	int code;

	while (i < json_array_size(entries))
		if (is_of_same_binary(json_array_get(entries, i), entry))
			json_array_remove(entries, i);
		else
			i++;
	while (json_array_size(entries) >= BINARIES_MOST)
		json_array_remove(entries, 0);
	json_array_append_new(entries, entry);
	root = json_pack("{s:s, s:i, s:o}", "format", FORMAT_NAME, "version", FORMAT_VERSION,
			 "binaries", entries);
	code = pgb_out_open(&out, path, error);
	if (code == 0) {
		json_dumpf(root, out.stream, JSON_ENSURE_ASCII | JSON_COMPACT);
		fputc('\n', out.stream);
		code = pgb_out_commit(&out, error);
	}
	json_decref(root);
	return code;
}

int pgb_layout_file_make(const struct pgb_layout_file_job *job, struct pgb_error *error)
{
	char *scratch = pgb_format("%s.pgobolt-layout-%ld.tmp", job->output, (long)getpid());
	struct pgb_elf_image *original = NULL, *moved = NULL;
	struct pgb_layout layout = {0};
	int code = run_again(job, scratch, error);

	if (code == 0)
		code = pgb_elf_image_open(&moved, scratch, error);
	if (code == 0)
		code = compare_code(moved, job->output, error);
	if (code == 0)
		code = pgb_elf_image_open(&original, job->binary, error);
	if (code == 0)
		code = compute(&layout, original, job->fdata, moved, error);
	if (code == 0) {
		const char *slash = strrchr(job->binary, '/');
		char *id = pgb_build_id_string(&pgb_elf_image_binary(original)->build_id);
		char *path = pgb_format("%s/%s", job->recording, PGB_LAYOUT_FILE);

		code = write_entry(
			path, pgb_layout_file_json(&layout, slash ? slash + 1 : job->binary, id),
			error);
		free(path);
		free(id);
	}
	pgb_layout_release(&layout);
	if (moved)
		pgb_elf_image_close(moved);
	if (original)
		pgb_elf_image_close(original);
	unlink(scratch);
	free(scratch);
	return code;
}
