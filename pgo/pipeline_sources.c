/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/pipeline_sources.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/line.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

enum { SOURCE_SIZE_MAX = 64 << 20, LIST_SIZE_MAX = 256 << 20 };

static const char *const endings[] = {
	".c",	  ".h",	    ".cc",  ".cpp",  ".cxx",   ".c++", ".C",  ".hh",  ".hpp",
	".hxx",	  ".inc",   ".inl", ".ipp",  ".tcc",   ".def", ".S",  ".s",   ".asm",
	".m",	  ".mm",    ".rs",  ".toml", ".f",     ".f90", ".F",  ".F90", ".y",
	".l",	  ".yy",    ".ll",  ".py",   ".in",    ".am",  ".ac", ".m4",  ".mk",
	".cmake", ".proto", ".td",  ".map",  ".gperf", NULL,
};

static const char *const names[] = {
	"Makefile",	     "makefile",    "GNUmakefile", "CMakeLists.txt", "meson.build",
	"meson_options.txt", "build.ninja", "configure",   "Cargo.lock",     NULL,
};

bool pgb_sources_is_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]) - 1; i++)
		if (strcmp(dot, endings[i]) == 0)
			return true;
	for (size_t i = 0; names[i]; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* false: it cannot be read. */
static bool hash_file(const char *path, uint64_t *hash)
{
	struct pgb_text text = {0};
	bool readable = pgb_file_read(&text, path, SOURCE_SIZE_MAX, NULL) == 0;

	*hash = pgb_hash_combine(
		pgb_hash_stream(PGB_HASH_SEED, pgb_text_string(&text), text.length), text.length);
	pgb_text_release(&text);
	return readable;
}

/* cargo marks its own folder; CMake's lie below names of their own. */
static bool is_output_folder(const char *path, const char *name)
{
	char *mark = pgb_format("%s/CACHEDIR.TAG", path);
	bool is = access(mark, F_OK) == 0 || strcmp(name, "CMakeFiles") == 0;

	free(mark);
	return is;
}

static void scan(struct pgb_sources *sources, const char *folder, unsigned int depth)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL && sources->files.count < PGB_SOURCES_MAX) {
		const char *name = entry->d_name;
		struct pgb_source_file file = {0};
		struct stat status;
		char *path;

		if (name[0] == '.' || strchr(name, '\n'))
			continue;
		path = pgb_format("%s/%s", folder, name);
		if (lstat(path, &status) != 0) {
			free(path);
			continue;
		}
		if (S_ISDIR(status.st_mode) && depth < PGB_SOURCES_DEPTH_MAX &&
		    !is_output_folder(path, name))
			scan(sources, path, depth + 1);
		if (S_ISREG(status.st_mode) && pgb_sources_is_name(name) &&
		    hash_file(path, &file.hash)) {
			file.path = pgb_dup(path);
			pgb_array_push(&sources->files, file);
		}
		free(path);
	}
	closedir(directory);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct pgb_source_file *)a)->path,
		      ((const struct pgb_source_file *)b)->path);
}

void pgb_sources_scan(struct pgb_sources *sources, const char *folder)
{
	*sources = (struct pgb_sources){0};
	scan(sources, folder, 0);
	if (sources->files.count > 0)
		qsort(sources->files.items, sources->files.count, sizeof(*sources->files.items),
		      compare_paths);
}

void pgb_sources_release(struct pgb_sources *sources)
{
	for (size_t i = 0; i < sources->files.count; i++)
		free(sources->files.items[i].path);
	pgb_array_release(&sources->files);
}

static bool is_as_it_was(const struct pgb_source_file *file)
{
	uint64_t hash;

	return hash_file(file->path, &hash) && hash == file->hash;
}

const char *pgb_sources_changed(const struct pgb_sources *sources)
{
	for (size_t i = 0; i < sources->files.count; i++)
		if (!is_as_it_was(&sources->files.items[i]))
			return sources->files.items[i].path;
	return NULL;
}

size_t pgb_sources_drop_changed(struct pgb_sources *sources)
{
	size_t kept = 0, count = sources->files.count;

	for (size_t i = 0; i < count; i++) {
		struct pgb_source_file *file = &sources->files.items[i];

		if (is_as_it_was(file))
			sources->files.items[kept++] = *file;
		else
			free(file->path);
	}
	sources->files.count = kept;
	return count - kept;
}

int pgb_sources_write(const struct pgb_sources *sources, const char *path, struct pgb_error *error)
{
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code != 0)
		return code;
	for (size_t i = 0; i < sources->files.count; i++)
		fprintf(out.stream, "%016" PRIx64 " %s\n", sources->files.items[i].hash,
			sources->files.items[i].path);
	code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return code;
}

int pgb_sources_read(struct pgb_sources *sources, const char *path, struct pgb_error *error)
{
	struct pgb_text text = {0};
	struct pgb_line line = {0};
	struct pgb_cursor bytes;
	int code = pgb_file_read(&text, path, LIST_SIZE_MAX, error);

	*sources = (struct pgb_sources){0};
	bytes = pgb_cursor_of(pgb_text_string(&text), text.length);
	while (code == 0 && pgb_line_next(&line, &bytes) == 1) {
		struct pgb_source_file file;

		if (!pgb_line_hex(&line, &file.hash) || !pgb_line_take(&line, ' ') ||
		    pgb_line_ended(&line)) {
			code = pgb_fail(error, PGB_E_CORRUPT, "%s:%" PRIu64 ": no hash and name",
					path, line.number);
			break;
		}
		file.path = pgb_dup_bytes(line.at, (size_t)(line.end - line.at));
		pgb_array_push(&sources->files, file);
	}
	pgb_text_release(&text);
	return code;
}
