/* SPDX-License-Identifier: MIT */
/* What the shims wrote down about a build. */
#include "pgo/build_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgobolt/bolt/elf_image.h"

static void add_once(struct pgb_shim_words *words, const char *word)
{
	for (size_t i = 0; i < words->items.count; i++)
		if (strcmp(words->items.items[i], word) == 0)
			return;
	pgb_shim_words_add(words, word);
}

/* What configure scripts and build systems compile to find out about the compiler. */
static bool is_probe(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strncmp(base, "conftest", 8) == 0 || strstr(path, "/CMakeFiles/CMakeScratch/") ||
	       strstr(path, "/CMakeFiles/CMakeTmp/") || strstr(path, "/CMakeFiles/CMakeTry") ||
	       strstr(path, "/CompilerIdC") || strstr(path, "/meson-private/");
}

/* The system's start files and libraries are older than any build, and fine. */
static bool is_of_system(const char *path)
{
	return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/lib", 4) == 0 ||
	       strncmp(path, "/opt/", 5) == 0;
}

static bool is_compiled_code(const char *path)
{
	static const char *const endings[] = {".o", ".lo", ".obj", ".a", ".pic.o", NULL};
	size_t length = strlen(path);

	for (size_t i = 0; endings[i]; i++) {
		size_t ending = strlen(endings[i]);

		if (length > ending && strcmp(path + length - ending, endings[i]) == 0)
			return true;
	}
	return false;
}

static void check_input(struct pgb_build_result *result, const char *path, int64_t started_ns)
{
	char resolved[PATH_MAX];
	struct stat status;
	int64_t modified_ns;

	if (started_ns == INT64_MIN || !is_compiled_code(path) || is_probe(path) ||
	    realpath(path, resolved) == NULL || is_of_system(resolved) ||
	    stat(resolved, &status) != 0)
		return;
	modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
	if (modified_ns < started_ns)
		add_once(&result->stale, resolved);
}

static void read_line(struct pgb_build_result *result, const char *what, const char *value,
		      int64_t started_ns)
{
	if (strcmp(what, "compiler") == 0)
		add_once(&result->compilers, value);
	else if (strcmp(what, "unprofiled") == 0)
		add_once(&result->unprofiled, value);
	else if (strcmp(what, "cargo") == 0)
		result->cargo++;
	else if (strcmp(what, "input") == 0)
		check_input(result, value, started_ns);
	else if (is_probe(value))
		return;
	else if (strcmp(what, "object") == 0 || strcmp(what, "source") == 0)
		result->compiled++;
	else if (strcmp(what, "link") == 0) {
		result->linked++;
		add_once(&result->outputs, value);
	} else if (strcmp(what, "own") == 0)
		result->own_profile++;
}

void pgb_build_read_log(struct pgb_build_result *result, const char *text, int64_t started_ns)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = pgb_dup_bytes(text, length);
		char *tab = strchr(line, '\t');

		if (tab) {
			*tab = '\0';
			read_line(result, line, tab + 1, started_ns);
		}
		free(line);
		text += length + (text[length] == '\n');
	}
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
	pgb_shim_words_release(&result->unprofiled);
	pgb_shim_words_release(&result->stale);
	pgb_shim_words_release(&result->outputs);
	pgb_shim_words_release(&result->unfit);
}
