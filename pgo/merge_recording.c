/* SPDX-License-Identifier: MIT */
/*
 * Recordings into one: edges and fdata of each build are added up. fdata is linear in the edges it
 * was made of, so that the binaries themselves are not needed here.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "pgo/merge_private.h"
#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edge_file.h"
#include "pgobolt/collector/file.h"

struct merger {
	const struct pgb_merge_job *job;
	struct pgb_recording *parts; /* one for each input */
	struct pgb_recording whole;
	struct pgb_recording_writer *writer;
};

static const struct pgb_recorded_binary *find_id(const struct pgb_recording *recording,
						 const char *id)
{
	for (size_t i = 0; i < recording->binaries.count; i++)
		if (strcmp(recording->binaries.items[i].id, id) == 0)
			return &recording->binaries.items[i];
	return NULL;
}

/* ---- may these be added? */

static int check_source(const struct merger *merger, size_t index, struct pgb_error *error)
{
	const struct pgb_recording *first = &merger->parts[0], *other = &merger->parts[index];

	if (strcmp(first->source, other->source) != 0 || first->branches != other->branches) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "%s was recorded with source %s, %s with source %s: their counts mean "
			 "different things",
			 first->directory, first->source, other->directory, other->source);
		return pgb_remedy(error, "merge recordings of one source");
	}
	if (strcmp(first->event, other->event) != 0 ||
	    first->rate.period_events != other->rate.period_events ||
	    first->rate.frequency_hz != other->rate.frequency_hz)
		pgb_log(merger->job->log, PGB_LOG_WARNING,
			"%s and %s sampled another event or at another rate: give the rarer one a "
			"--weight",
			first->directory, other->directory);
	return 0;
}

/* The same program in two builds: offsets of one mean nothing in the other. */
static int check_builds(const struct merger *merger, size_t index, struct pgb_error *error)
{
	const struct pgb_recording *first = &merger->parts[0], *other = &merger->parts[index];
	const struct pgb_recorded_binary *ours = pgb_recording_main(first);
	const struct pgb_recorded_binary *theirs = pgb_recording_main(other);

	if (ours == NULL || theirs == NULL || strcmp(ours->name, theirs->name) != 0 ||
	    strcmp(ours->id, theirs->id) == 0)
		return 0;
	pgb_fail(error, PGB_E_MISMATCH,
		 "%s holds another build of %s (id %s) than %s (id %s): their counts do not add up",
		 other->directory, ours->name, theirs->id, first->directory, ours->id);
	return pgb_remedy(error, "merge recordings of one build, or record again");
}

static int read_parts(struct merger *merger, struct pgb_error *error)
{
	for (size_t i = 0; i < merger->job->input_count; i++) {
		int code =
			pgb_recording_read(&merger->parts[i], merger->job->inputs[i].path, error);

		if (code == 0 && i > 0)
			code = check_source(merger, i, error);
		if (code == 0 && i > 0)
			code = check_builds(merger, i, error);
		if (code)
			return code;
	}
	return 0;
}

/* ---- one binary */

static int read_edges(const struct merger *merger, size_t index,
		      const struct pgb_recorded_binary *binary, struct pgb_edges *edges,
		      struct pgb_edge_file_head *head, struct pgb_error *error)
{
	char *path = pgb_recording_file(&merger->parts[index], binary->edges_file);
	struct pgb_edge_file_head own = {0};
	struct pgb_file_map map = {0};
	char *build_id;
	int code = pgb_file_map_open(&map, path, error);

	if (code == 0)
		code = pgb_edge_file_read(pgb_cursor_of(map.bytes, map.size_bytes), path,
					  merger->job->inputs[index].weight, &own, edges, 0, error);
	build_id = pgb_build_id_string(&own.build_id);
	if (code == 0 && binary->build_id && strcmp(build_id, binary->build_id) != 0)
		code = pgb_fail(error, PGB_E_CORRUPT,
				"%s is of the build %s, recording.json says %s", path,
				build_id[0] ? build_id : "without id", binary->build_id);
	free(build_id);
	pgb_file_map_close(&map);
	free(path);
	if (head->name == NULL) {
		*head = own;
		return code;
	}
	pgb_edge_file_head_release(&own);
	return code;
}

static int merge_edges(struct merger *merger, struct pgb_recorded_binary *merged,
		       struct pgb_error *error)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_edge_file_head head = {0};
	int code = 0;

	for (size_t i = 0; code == 0 && i < merger->job->input_count; i++) {
		const struct pgb_recorded_binary *binary = find_id(&merger->parts[i], merged->id);

		if (binary && binary->edges_file)
			code = read_edges(merger, i, binary, edges, &head, error);
	}
	if (code == 0) {
		char *path = pgb_format("%s/%s", pgb_recording_writer_directory(merger->writer),
					merged->edges_file);

		code = pgb_edge_file_write(path, &head, edges, 0, error);
		merged->edges = pgb_edges_count(edges);
		merger->whole.stats.edges_overflow = pgb_count_add(
			merger->whole.stats.edges_overflow, pgb_edges_overflow(edges));
		free(path);
	}
	pgb_edge_file_head_release(&head);
	pgb_edges_free(edges);
	return code;
}

static int merge_fdata(struct merger *merger, const char *id, const char *path, size_t *functions,
		       uint64_t *total, struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	int code = 0;

	for (size_t i = 0; code == 0 && i < merger->job->input_count; i++) {
		const struct pgb_recorded_binary *binary = find_id(&merger->parts[i], id);
		char *input;

		if (binary == NULL)
			continue;
		if (binary->fdata_file == NULL) {
			pgb_log(merger->job->log, PGB_LOG_WARNING, "%s has no fdata of %s: %s",
				merger->parts[i].directory, binary->name,
				binary->reason ? binary->reason : "no reason is given");
			continue;
		}
		input = pgb_recording_file(&merger->parts[i], binary->fdata_file);
		code = pgb_fdata_read_file(input, merger->job->inputs[i].weight, profile, error);
		free(input);
	}
	if (code == 0)
		code = pgb_fdata_write_file(path, profile, error);
	*functions = pgb_profile_function_count(profile);
	*total = pgb_profile_total(profile);
	pgb_profile_free(profile);
	return code;
}

static void add_stats(struct pgb_profile_stats *sum, const struct pgb_profile_stats *part,
		      uint64_t weight)
{
	sum->seen = pgb_count_add(sum->seen, pgb_count_multiply(part->seen, weight));
	sum->written = pgb_count_add(sum->written, pgb_count_multiply(part->written, weight));
	sum->no_function =
		pgb_count_add(sum->no_function, pgb_count_multiply(part->no_function, weight));
	sum->external = pgb_count_add(sum->external, pgb_count_multiply(part->external, weight));
	sum->dropped = pgb_count_add(sum->dropped, pgb_count_multiply(part->dropped, weight));
}

static const char *keep_first(char **kept, const char *offered)
{
	if (*kept == NULL)
		*kept = pgb_dup(offered);
	return *kept;
}

/* What the parts say of this binary, without the contents of their files. */
static void describe_binary(const struct merger *merger, struct pgb_recorded_binary *merged)
{
	for (size_t i = 0; i < merger->job->input_count; i++) {
		const struct pgb_recorded_binary *binary = find_id(&merger->parts[i], merged->id);
		uint64_t weight = merger->job->inputs[i].weight;

		if (binary == NULL)
			continue;
		keep_first(&merged->edges_file, binary->edges_file);
		keep_first(&merged->fdata_file, binary->fdata_file);
		keep_first(&merged->reason, binary->reason);
		merged->executable |= binary->executable;
		merged->count =
			pgb_count_add(merged->count, pgb_count_multiply(binary->count, weight));
		add_stats(&merged->stats, &binary->stats, weight);
	}
	if (merged->fdata_file) {
		free(merged->reason);
		merged->reason = NULL;
	}
}

static int merge_binary(struct merger *merger, const struct pgb_recorded_binary *binary,
			struct pgb_error *error)
{
	struct pgb_recorded_binary merged = {.name = pgb_dup(binary->name),
					     .path = pgb_dup(binary->path),
					     .id = pgb_dup(binary->id),
					     .build_id = pgb_dup(binary->build_id),
					     .size_bytes = binary->size_bytes};
	int code = 0;

	describe_binary(merger, &merged);
	if (merged.edges_file)
		code = merge_edges(merger, &merged, error);
	if (code == 0 && merged.fdata_file) {
		char *path = pgb_format("%s/%s", pgb_recording_writer_directory(merger->writer),
					merged.fdata_file);
		size_t functions;
		uint64_t total;

		code = merge_fdata(merger, merged.id, path, &functions, &total, error);
		merged.functions = functions;
		free(path);
	}
	pgb_array_push(&merger->whole.binaries, merged);
	return code;
}

/* ---- all of it */

static void describe_whole(struct merger *merger)
{
	const struct pgb_recording *first = &merger->parts[0];
	struct pgb_recording *whole = &merger->whole;
	bool same_command = true, same_rate = true;

	for (size_t i = 0; i < merger->job->input_count; i++) {
		const struct pgb_recording *part = &merger->parts[i];

		whole->runs = pgb_count_add(whole->runs, part->runs);
		pgb_recording_add_counters(&whole->stats, &part->stats);
		same_command &= strcmp(part->command, first->command) == 0;
		same_rate &= part->rate.period_events == first->rate.period_events &&
			     part->rate.frequency_hz == first->rate.frequency_hz;
	}
	whole->program = pgb_dup(PACKAGE_STRING);
	whole->source = pgb_dup(first->source);
	whole->reason = pgb_format("merged from %zu recordings", merger->job->input_count);
	whole->branches = first->branches;
	whole->event = pgb_dup(first->event);
	whole->command = pgb_dup(same_command ? first->command : "");
	if (same_rate)
		whole->rate = first->rate;
	whole->machine = pgb_dup(first->machine);
	whole->cpu = pgb_dup(first->cpu);
	whole->kernel = pgb_dup(first->kernel);
	whole->is_virtual = first->is_virtual;
}

static int write_folder(struct merger *merger, struct pgb_merge_result *result,
			struct pgb_error *error)
{
	int code = pgb_recording_writer_open(&merger->writer, merger->job->output, false, error);

	if (code)
		return code;
	describe_whole(merger);
	for (size_t i = 0; code == 0 && i < merger->job->input_count; i++) {
		const struct pgb_recording *part = &merger->parts[i];

		pgb_merge_announce(merger->job, i);
		for (size_t j = 0; code == 0 && j < part->binaries.count; j++)
			if (find_id(&merger->whole, part->binaries.items[j].id) == NULL)
				code = merge_binary(merger, &part->binaries.items[j], error);
	}
	if (code == 0 && merger->whole.binaries.count == 0)
		code = pgb_fail(error, PGB_E_EMPTY, "the recordings hold no binary");
	if (code == 0)
		code = pgb_recording_writer_commit(merger->writer, &merger->whole, error);
	result->lines = merger->whole.binaries.count;
	for (size_t i = 0; i < result->lines; i++)
		result->total = pgb_count_add(result->total, merger->whole.binaries.items[i].count);
	return code;
}

/* NAME.fdata, or a file that is there: the profile alone is wanted. */
static bool wants_fdata(const char *output)
{
	size_t length = strlen(output);
	struct stat status;

	if (stat(output, &status) == 0)
		return !S_ISDIR(status.st_mode);
	return length > 6 && strcmp(output + length - 6, ".fdata") == 0;
}

/* One file holds the profile of one binary. */
static int write_fdata(struct merger *merger, struct pgb_merge_result *result,
		       struct pgb_error *error)
{
	const struct pgb_recorded_binary *only = NULL;
	size_t functions;

	result->fdata_only = true;
	for (size_t i = 0; i < merger->job->input_count; i++)
		for (size_t j = 0; j < merger->parts[i].binaries.count; j++) {
			const struct pgb_recorded_binary *binary =
				&merger->parts[i].binaries.items[j];

			if (binary->fdata_file == NULL ||
			    (only && strcmp(only->id, binary->id) == 0))
				continue;
			if (only) {
				pgb_fail(error, PGB_E_MISMATCH,
					 "%s would be one profile, but the recordings hold several "
					 "binaries: %s, %s ..",
					 merger->job->output, only->name, binary->name);
				return pgb_remedy(
					error,
					"merge into a folder: -o DIR\nor merge the fdata files of "
					"one binary: pgobolt merge %s/%s .. -o %s",
					merger->parts[0].directory, only->fdata_file,
					merger->job->output);
			}
			only = binary;
		}
	if (only == NULL)
		return pgb_fail(error, PGB_E_EMPTY, "the recordings hold no fdata");
	return merge_fdata(merger, only->id, merger->job->output, &functions, &result->total,
			   error);
}

int pgb_merge_recordings(const struct pgb_merge_job *job, struct pgb_merge_result *result,
			 struct pgb_error *error)
{
	struct merger merger = {.job = job,
				.parts = pgb_calloc(job->input_count, sizeof(*merger.parts)),
				.whole = {.main = PGB_BINARY_NONE}};
	int code = read_parts(&merger, error);

	if (code == 0)
		code = wants_fdata(job->output) ? write_fdata(&merger, result, error)
						: write_folder(&merger, result, error);
	pgb_recording_writer_close(merger.writer);
	pgb_recording_release(&merger.whole);
	for (size_t i = 0; i < job->input_count; i++)
		pgb_recording_release(&merger.parts[i]);
	free(merger.parts);
	return code;
}
