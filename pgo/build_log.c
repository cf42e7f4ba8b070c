/* SPDX-License-Identifier: MIT */
/* What the shims wrote down about a build. */
#include "pgo/build_private.h"
#include "pgobolt/base/text.h"

#include <stdlib.h>
#include <string.h>

#include "pgobolt/bolt/elf_image.h"

static void add_once(struct pgb_shim_words *words, const char *word)
{
	for (size_t i = 0; i < words->items.count; i++)
		if (strcmp(words->items.items[i], word) == 0)
			return;
	pgb_shim_words_add(words, word);
}

/*
 * What configure scripts and build systems compile to find out about the compiler; Makefiles give
 * it a line of their own to read, or have it write to nowhere.
 */
static bool is_probe(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strcmp(base, "-") == 0 || strcmp(path, "/dev/null") == 0 ||
	       strncmp(base, "conftest", 8) == 0 || strstr(path, "/CMakeFiles/CMakeScratch/") ||
	       strstr(path, "/CMakeFiles/CMakeTmp/") || strstr(path, "/CMakeFiles/CMakeTry") ||
	       strstr(path, "/CompilerIdC") || strstr(path, "/meson-private/");
}

bool pgb_build_is_of_system(const char *path)
{
	static const char *const folders[] = {"/usr/",	  "/lib/",    "/lib32/", "/lib64/",
					      "/libx32/", "/libo32/", "/opt/",	 NULL};

	for (size_t i = 0; folders[i]; i++)
		if (pgb_begins_with(path, folders[i]))
			return !pgb_begins_with(path, "/usr/src/");
	return false;
}

static bool is_compiled_code(const char *path)
{
	static const char *const endings[] = {".o", ".lo", ".obj", ".a", ".pic.o", NULL};
	for (size_t i = 0; endings[i]; i++)
		if (pgb_ends_with(path, endings[i]))
			return true;
	return false;
}

/* The lines of one compiler call stand together: what is said of a probe is said of nothing else.
 */
struct reading {
	struct pgb_build_result *result;
	char *compiler; /* of these lines */
	bool probe;
};

static void read_compiled(struct reading *reading, const char *path)
{
	reading->probe = is_probe(path);
	if (reading->probe)
		return;
	reading->result->compiled++;
	pgb_shim_words_add(&reading->result->compiled_files, path);
	reading->result->rust |= pgb_ends_with(path, ".rs");
	if (reading->compiler)
		add_once(&reading->result->compiled_by, reading->compiler);
}

static void read_line(struct reading *reading, const char *what, const char *value)
{
	struct pgb_build_result *result = reading->result;

	if (strcmp(what, "compiler") == 0) {
		add_once(&result->compilers, value);
		free(reading->compiler);
		reading->compiler = pgb_dup(value);
		reading->probe = false;
	} else if (strcmp(what, "object") == 0 || strcmp(what, "source") == 0) {
		read_compiled(reading, value);
	} else if (strcmp(what, "of") == 0) {
		if (!reading->probe)
			pgb_shim_words_add(&result->sources, value);
	} else if (strcmp(what, "unprofiled") == 0) {
		if (!reading->probe)
			add_once(&result->unprofiled, value);
	} else if (strcmp(what, "cargo") == 0) {
		result->cargo++;
		result->rust = true;
		if (reading->compiler)
			add_once(&result->compiled_by, reading->compiler);
	} else if (strcmp(what, "input") == 0) {
		if (is_compiled_code(value) && !is_probe(value))
			pgb_shim_words_add(&result->inputs, value);
	} else if (strcmp(what, "link") == 0 && !is_probe(value)) {
		result->linked++;
		add_once(&result->outputs, value);
	} else if (strcmp(what, "own") == 0 && !is_probe(value)) {
		pgb_shim_words_add(&result->own_profile, value);
	}
}

void pgb_build_read_log(struct pgb_build_result *result, const char *text)
{
	struct reading reading = {.result = result};

	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = pgb_dup_bytes(text, length);
		char *tab = strchr(line, '\t');

		if (tab) {
			*tab = '\0';
			read_line(&reading, line, tab + 1);
		}
		free(line);
		text += length + (text[length] == '\n');
	}
	free(reading.compiler);
	pgb_shim_words_sort(&result->inputs); /* programs share objects */
}

bool pgb_build_is_mixed(const struct pgb_build_result *result, const char **one, const char **other)
{
	const struct pgb_shim_words *keys = &result->compiled_by;
	struct pgb_compiler compiler, before;

	for (size_t i = 1; i < keys->items.count; i++) {
		*other = keys->items.items[i];
		for (size_t k = 0; k < i && pgb_compiler_from_key(&compiler, *other); k++) {
			*one = keys->items.items[k];
			/* rustc has the C compiler link, which brings along what its objects need
			 */
			if (pgb_compiler_from_key(&before, *one) &&
			    (before.toolchain == compiler.toolchain || !result->rust))
				return true;
		}
	}
	return false;
}

void pgb_build_check_outputs(struct pgb_build_result *result)
{
	for (size_t i = 0; i < result->outputs.items.count; i++) {
		const char *path = result->outputs.items.items[i];
		struct pgb_elf_image *image;

		if (pgb_elf_image_open(&image, path, NULL) != 0)
			continue; /* gone, or nothing that runs */
		if (!pgb_elf_image_has_code_relocations(image) || !pgb_elf_image_has_symbols(image))
			pgb_shim_words_add(&result->unfit, path);
		pgb_elf_image_close(image);
	}
}

void pgb_build_result_release(struct pgb_build_result *result)
{
	pgb_shim_words_release(&result->compilers);
	pgb_shim_words_release(&result->compiled_by);
	pgb_shim_words_release(&result->trained);
	pgb_shim_words_release(&result->unprofiled);
	pgb_shim_words_release(&result->compiled_files);
	pgb_shim_words_release(&result->sources);
	pgb_shim_words_release(&result->own_profile);
	pgb_shim_words_release(&result->inputs);
	pgb_shim_words_release(&result->stale);
	pgb_shim_words_release(&result->bypassed);
	pgb_shim_words_release(&result->outputs);
	pgb_shim_words_release(&result->unfit);
}
