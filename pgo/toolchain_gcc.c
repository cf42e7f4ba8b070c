/* SPDX-License-Identifier: MIT */
/* gcc: one .gcda file per object, named after the object's path. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/toolchain_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/shim.h"

enum { MERGE_TIMEOUT_S = 3600, ASK_TIMEOUT_S = 20 };

/*
 * Threads count exactly only with atomic updates. -fprofile-correction: smooth what is not
 * consistent all the same (longjmp, processes that were killed) and do not stop the build.
 * A .cold fragment that gcc split off is one that llvm-bolt must leave alone. gcc has no second,
 * context-sensitive stage: that build uses the profile, and counts nothing.
 */
#define USES (PGB_FLAG_USE | PGB_FLAG_INSTRUMENT_CS)

static const struct pgb_flag flags[] = {
	{"-fprofile-generate", PGB_FLAG_INSTRUMENT | PGB_FLAG_COMPILE | PGB_FLAG_LINK},
	{"-fprofile-update=atomic", PGB_FLAG_INSTRUMENT | PGB_FLAG_COMPILE | PGB_FLAG_LINK},
	{"-fprofile-dir=%r", PGB_FLAG_INSTRUMENT | PGB_FLAG_COMPILE | PGB_FLAG_LINK},
	{"-fprofile-use=%p", USES | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_PROFILE},
	{"-fprofile-correction", USES | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_PROFILE},
	{"-Wno-missing-profile", USES | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_PROFILE},
	{"-Wno-error=coverage-mismatch",
	 USES | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_PROFILE},
	{"-fprofile-partial-training",
	 USES | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_PROFILE | PGB_FLAG_PARTIAL_TRAINING},
	{"-fno-reorder-blocks-and-partition",
	 PGB_FLAG_USE | PGB_FLAG_SAMPLING | PGB_FLAG_COMPILE | PGB_FLAG_LINK},
	{"-Wl,--emit-relocs", PGB_FLAG_USE | PGB_FLAG_SAMPLING | PGB_FLAG_LINK},
	{NULL, 0},
};

static const char *const own_flags[] = {
	"-fprofile-generate",
	"-fprofile-use",
	"-fno-profile-generate",
	"-fauto-profile",
	"-fprofile-arcs",
	"-fno-profile-arcs",
	"-ftest-coverage",
	"--coverage",
	"-coverage",
	NULL,
};

char *pgb_gcc_runtime(const char *gcc)
{
	const char *argv[] = {gcc, "-print-file-name=libgcov.a", NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text out = {0};
	int wait_status = 0;
	char *path = NULL;

	/* one that it does not find is answered by its bare name */
	if (pgb_process_run(&spawn, ASK_TIMEOUT_S, &out, NULL, &wait_status, NULL) == 0 &&
	    wait_status == 0 && pgb_text_string(&out)[0] == '/')
		path = pgb_dup_bytes(out.data, strcspn(out.data, "\n"));
	pgb_text_release(&out);
	return path;
}

/* The tool adds to what it finds: its output must be a new folder. */
static int merge_two(const char *tool, const struct pgb_raw_profile *a,
		     const struct pgb_raw_profile *b, const char *output, struct pgb_error *error)
{
	char *weights = pgb_format("%lu,%lu", a->weight, b->weight);
	const char *argv[] = {tool, "merge", "-w", weights, "-o", output, a->path, b->path, NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text said = {0};
	int wait_status = 0;
	int status = pgb_process_run(&spawn, MERGE_TIMEOUT_S, &said, &said, &wait_status, error);

	if (status == 0 && wait_status != 0) {
		const char *first = pgb_text_string(&said);

		status = pgb_fail(error, PGB_E_TOOL,
				  "%s could not merge the profiles of two training runs: %.*s",
				  tool, (int)strcspn(first, "\n"), first);
		pgb_remedy(error, "runs of two different builds do not fit together, nor damaged "
				  "ones: pgobolt train --new -- ..");
	}
	pgb_text_release(&said);
	free(weights);
	return status;
}

static bool is_folder(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Folders in it are of objects that were named by an absolute path. */
static int copy_folder(const char *from, const char *to, struct pgb_error *error)
{
	struct dirent **entries;
	int count = scandir(from, &entries, NULL, alphasort);
	int status = pgb_file_make_directories(to, error);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (status == 0 && name[0] != '.') {
			char *source = pgb_format("%s/%s", from, name);
			char *target = pgb_format("%s/%s", to, name);

			status = is_folder(source) ? copy_folder(source, target, error)
						   : pgb_file_copy(source, target, error);
			free(source);
			free(target);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return status;
}

/* ---- how many functions ran */

void pgb_gcov_dump_parse(struct pgb_merge_counts *counts, const char *shown)
{
	bool ran = false;

	while (*shown) {
		size_t length = strcspn(shown, "\n");
		char *line = pgb_dup_bytes(shown, length);

		if (strstr(line, ":FUNCTION ident=")) {
			counts->functions++;
			ran = false;
		} else if (!ran && strstr(line, ":COUNTERS arcs ") &&
			   strstr(line, "(all zero)") == NULL) {
			counts->functions_run++;
			ran = true;
		}
		free(line);
		shown += length + (shown[length] == '\n');
	}
}

static void add_files(struct pgb_shim_words *files, const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char *path = pgb_format("%s/%s", folder, entries[i]->d_name);

		if (entries[i]->d_name[0] == '.')
			free(path);
		else if (is_folder(path)) {
			add_files(files, path);
			free(path);
		} else {
			pgb_array_push(&files->items, path);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

unsigned long pgb_gcda_drop_damaged(const char *run, const char *key)
{
	char *folder = pgb_format("%s/%s", run, key);
	struct pgb_shim_words files = {0};
	unsigned long damaged = 0;

	add_files(&files, folder);
	for (size_t i = 0; i < files.items.count; i++) {
		struct pgb_file_map map = {0};

		(void)pgb_file_map_open(&map, files.items.items[i], NULL);
		if (!pgb_gcda_is_whole(pgb_cursor_of(map.bytes, map.size_bytes)))
			damaged += unlink(files.items.items[i]) == 0;
		pgb_file_map_close(&map);
	}
	pgb_shim_words_release(&files);
	free(folder);
	return damaged;
}

/* What cannot be asked stays unknown. */
static void ask_some(char *const *files, size_t file_count, const char *dump,
		     struct pgb_merge_counts *counts)
{
	PGB_ARRAY(const char *) argv = {0};
	struct pgb_spawn spawn = {.quiet_stdin = true};
	struct pgb_text shown = {0}, complaints = {0};
	int wait_status = 0;

	pgb_array_push(&argv, dump);
	for (size_t i = 0; i < file_count; i++)
		pgb_array_push(&argv, files[i]);
	pgb_array_push(&argv, NULL);
	spawn.argv = argv.items;
	if (pgb_process_run(&spawn, MERGE_TIMEOUT_S, &shown, &complaints, &wait_status, NULL) == 0)
		pgb_gcov_dump_parse(counts, pgb_text_string(&shown));
	pgb_text_release(&shown);
	pgb_text_release(&complaints);
	pgb_array_release(&argv);
}

/* gcov-dump beside gcov-tool, for so many files at once as a command line can hold. */
static void ask_counts(const char *tool, const char *folder, struct pgb_merge_counts *counts)
{
	enum { FILES_MOST = 400 };
	const char *slash = strrchr(tool, '/'), *name = strstr(slash ? slash : tool, "gcov-tool");
	struct pgb_shim_words files = {0};
	char *dump;

	if (name == NULL)
		return;
	dump = pgb_format("%.*sgcov-dump%s", (int)(name - tool), tool, name + strlen("gcov-tool"));
	add_files(&files, folder);
	for (size_t i = 0; i < files.items.count; i += FILES_MOST) {
		size_t left = files.items.count - i;

		ask_some(files.items.items + i, left < FILES_MOST ? left : FILES_MOST, dump,
			 counts);
	}
	pgb_shim_words_release(&files);
	free(dump);
}

/* A run's counts as they are, then one run after another on top of them. */
static int merge_by_tool(const char *tool, const struct pgb_raw_profiles *raw, const char *output,
			 struct pgb_error *error)
{
	struct pgb_raw_profile sum = {.path = pgb_dup(raw->items.items[0].path),
				      .weight = raw->items.items[0].weight};
	int status = 0;

	for (size_t i = 1; status == 0 && i < raw->items.count; i++) {
		char *next = pgb_format("%s.sum%zu", output, i);

		status = merge_two(tool, &sum, &raw->items.items[i], next, error);
		if (i > 1)
			(void)pgb_file_remove_tree(sum.path, NULL);
		free(sum.path);
		sum = (struct pgb_raw_profile){.path = next, .weight = 1};
	}
	if (status == 0 && rename(sum.path, output) != 0)
		status = pgb_fail(error, pgb_code_from_errno(errno), "cannot rename %s to %s: %s",
				  sum.path, output, strerror(errno));
	if (status != 0)
		(void)pgb_file_remove_tree(sum.path, NULL);
	free(sum.path);
	return status;
}

/* ---- the sum of all runs, file by file */

struct summing {
	const struct pgb_raw_profiles *raw;
	const char *output;
	bool unlike; /* files that we cannot add up */
};

/* One run's counts of a file into *sum, which holds those of the runs before. */
static void add_file(struct summing *summing, struct pgb_text *sum, const char *path,
		     unsigned long weight)
{
	struct pgb_file_map map;
	struct pgb_text next = {0};
	struct pgb_cursor file;

	if (pgb_file_map_open(&map, path, NULL) != 0)
		return;
	file = pgb_cursor_of(map.bytes, map.size_bytes);
	if (sum->length == 0)
		summing->unlike |= !pgb_gcda_add(&next, file, weight, file, 0);
	else
		summing->unlike |= !pgb_gcda_add(&next, pgb_cursor_of(sum->data, sum->length), 1,
						 file, weight);
	pgb_text_release(sum);
	*sum = next;
	pgb_file_map_close(&map);
}

/* A file that the runs before `first` do not have: `name` in this one and those behind it. */
static int sum_file(struct summing *summing, size_t first, const char *name,
		    struct pgb_error *error)
{
	char *target = pgb_format("%s/%s", summing->output, name);
	char *folder = pgb_dup_bytes(target, (size_t)(strrchr(target, '/') - target));
	struct pgb_text sum = {0};
	struct pgb_out_file out;
	int status = 0;

	for (size_t i = first; !summing->unlike && i < summing->raw->items.count; i++) {
		const struct pgb_raw_profile *run = &summing->raw->items.items[i];
		char *path = pgb_format("%s/%s", run->path, name);

		add_file(summing, &sum, path, run->weight);
		free(path);
	}
	if (!summing->unlike)
		status = pgb_file_make_directories(folder, error);
	if (!summing->unlike && status == 0)
		status = pgb_out_open(&out, target, error);
	if (!summing->unlike && status == 0) {
		fwrite(sum.data, 1, sum.length, out.stream);
		status = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	pgb_text_release(&sum);
	free(folder);
	free(target);
	return status;
}

static int sum_runs(struct summing *summing, struct pgb_error *error)
{
	int status = 0;

	for (size_t i = 0; i < summing->raw->items.count; i++) {
		const char *run = summing->raw->items.items[i].path;
		struct pgb_shim_words files = {0};

		add_files(&files, run);
		for (size_t k = 0; k < files.items.count && status == 0 && !summing->unlike; k++) {
			const char *name = files.items.items[k] + strlen(run) + 1;
			char *target = pgb_format("%s/%s", summing->output, name);

			if (access(target, F_OK) != 0)
				status = sum_file(summing, i, name, error);
			free(target);
		}
		pgb_shim_words_release(&files);
	}
	return status;
}

/* gcov-tool has the last word on what we do not know. */
static int merge(const char *tool, const struct pgb_raw_profiles *raw, const char *output,
		 struct pgb_merge_counts *counts, struct pgb_error *error)
{
	struct summing summing = {.raw = raw, .output = output};
	int status;

	*counts = (struct pgb_merge_counts){0};
	if (raw->items.count == 1)
		status = copy_folder(raw->items.items[0].path, output, error);
	else
		status = sum_runs(&summing, error);
	if (status == 0 && summing.unlike) {
		status = pgb_file_remove_tree(output, error);
		if (status == 0)
			status = merge_by_tool(tool, raw, output, error);
	}
	if (status == 0)
		ask_counts(tool, output, counts);
	return status;
}

const struct pgb_toolchain pgb_toolchain_gcc = {
	.name = "gcc",
	.key = "gcc",
	.merger = "gcov-tool",
	.profile_is_folder = true,
	.flags = flags,
	.own_flags = own_flags,
	.merge = merge,
};
