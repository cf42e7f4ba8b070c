/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/fdata_merge.h"

#include <string.h>

#include "bolt/fdata_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/parallel.h"

#define INPUTS_MOST	     64 /* more are better read one after the other */
#define THREADS_MOST	     8
#define GATHERED_BYTES_LEAST (4 * 1024 * 1024) /* less is read before threads are started */

struct files {
	struct pgb_file_map *maps;
	struct pgb_fdata_lines *lines; /* behind the headers */
	size_t count;
};

/* What a profile refuses does not know which file it came from. */
static int name_input(const char *path, int code, const struct pgb_error *why,
		      struct pgb_error *error)
{
	if (code == 0)
		return 0;
	if (strstr(why->message, path))
		pgb_fail(error, code, "%s", why->message);
	else
		pgb_fail(error, code, "%s: %s", path, why->message);
	return why->remedy[0] ? pgb_remedy(error, "%s", why->remedy) : code;
}

static int merge_in_turn(const struct pgb_fdata_input *inputs, size_t count, FILE *stream,
			 struct pgb_fdata_merged *merged, struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	int code = 0;

	for (size_t i = 0; code == 0 && i < count; i++) {
		struct pgb_error why = {0};

		code = pgb_fdata_read_file(inputs[i].path, inputs[i].weight, profile, &why);
		code = name_input(inputs[i].path, code, &why, error);
	}
	if (code == 0 && pgb_profile_is_empty(profile))
		code = pgb_fail(error, PGB_E_EMPTY, "the profiles have no line with a symbol");
	if (code == 0)
		pgb_fdata_write(stream, profile);
	merged->lines = pgb_profile_line_count(profile);
	merged->total = pgb_profile_total(profile);
	pgb_profile_free(profile);
	return code;
}

static int open_input(struct files *files, const struct pgb_fdata_input *input,
		      struct pgb_profile *header, struct pgb_error *error)
{
	struct pgb_file_map *map = &files->maps[files->count];
	struct pgb_fdata_lines *lines = &files->lines[files->count];
	struct pgb_error why = {0};
	int code = pgb_file_map_open(map, input->path, error);

	if (code != 0)
		return code;
	files->count++;
	lines->weight = input->weight;
	lines->mapped = true;
	lines->bytes = pgb_cursor_of(map->bytes, map->size_bytes);
	code = pgb_fdata_read_header(&lines->bytes, input->path, header, &why);
	return name_input(input->path, code, &why, error);
}

/* Too large for one thread to read them while others wait. */
static bool is_large(const struct files *files)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < files->count; i++)
		sum += files->maps[i].size_bytes;
	return sum >= GATHERED_BYTES_LEAST;
}

static size_t gathering_threads(void)
{
	size_t processors = pgb_parallel_processors();

	return processors < THREADS_MOST ? processors : THREADS_MOST;
}

/* Lines in any order. *good: they were merged. `out` holds an attempt that failed. */
static int merge_gathered(const struct files *files, const struct pgb_profile *header,
			  struct pgb_out_file *out, struct pgb_fdata_merged *merged, bool *good,
			  struct pgb_error *error)
{
	struct pgb_fdata_gathered *gathered =
		pgb_fdata_gather(files->lines, files->count, gathering_threads());
	char *path;
	int code;

	if (gathered == NULL)
		return 0;
	path = pgb_dup(out->path);
	pgb_out_discard(out);
	code = pgb_out_open(out, path, error);
	free(path);
	if (code == 0) {
		pgb_fdata_write_header(out->stream, header);
		pgb_fdata_gathered_write(gathered, out->stream, merged);
		*good = merged->lines > 0;
	}
	pgb_fdata_gathered_free(gathered);
	return code;
}

/* *good: they were merged. */
static int merge_side_by_side(const struct pgb_fdata_input *inputs, size_t count,
			      struct pgb_out_file *out, struct pgb_fdata_merged *merged, bool *good,
			      struct pgb_error *error)
{
	struct pgb_profile *header = pgb_profile_new();
	struct files files = {
		.maps = pgb_calloc(count, sizeof(*files.maps)),
		.lines = pgb_calloc(count, sizeof(*files.lines)),
	};
	bool samples = false;
	int code = 0;

	for (size_t i = 0; code == 0 && i < count; i++)
		code = open_input(&files, &inputs[i], header, error);
	if (code == 0) {
		samples = pgb_profile_kind(header) == PGB_PROFILE_SAMPLES;
		pgb_fdata_write_header(out->stream, header);
		*good = pgb_fdata_merge_sorted(files.lines, count, samples, out->stream, merged) &&
			merged->lines > 0;
	}
	if (code == 0 && !*good && !samples && is_large(&files))
		code = merge_gathered(&files, header, out, merged, good, error);
	for (size_t i = 0; i < files.count; i++)
		pgb_file_map_close(&files.maps[i]);
	free(files.maps);
	free(files.lines);
	pgb_profile_free(header);
	return code;
}

/* Where the output is written directly, there is no second try. */
static bool can_try(const struct pgb_out_file *out, size_t count)
{
	return out->path_temporary != NULL && count <= INPUTS_MOST;
}

int pgb_fdata_merge(const struct pgb_fdata_input *inputs, size_t count, const char *output,
		    struct pgb_fdata_merged *merged, struct pgb_error *error)
{
	struct pgb_out_file out = {0};
	bool good = false;
	int code = pgb_out_open(&out, output, error);

	*merged = (struct pgb_fdata_merged){0};
	if (code == 0 && can_try(&out, count)) {
		code = merge_side_by_side(inputs, count, &out, merged, &good, error);
		if (code == 0 && !good) {
			pgb_out_discard(&out);
			code = pgb_out_open(&out, output, error);
		}
	}
	if (code == 0 && !good) {
		*merged = (struct pgb_fdata_merged){0};
		code = merge_in_turn(inputs, count, out.stream, merged, error);
	}
	if (code == 0)
		code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return code;
}
