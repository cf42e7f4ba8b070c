/* SPDX-License-Identifier: MIT */
/* What a session gathered, binary by binary, into the files of a recording. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgo/recording_private.h"
#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/edge_file.h"
#include "pgobolt/collector/file.h"

/* So few may miss all but the loader. */
#define SAMPLES_FEW 100
#define MORE_SAMPLES                                                                               \
	"the program ran too shortly or slept: give it more work, or sample more often with -F"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] != '\0' ? slash + 1 : path;
}

static struct pgb_recorded_binary *new_entry(struct pgb_recording *recording,
					     const struct pgb_binary *binary, bool executable)
{
	struct pgb_recorded_binary recorded = {
		.name = pgb_dup(base_name(binary->path)),
		.path = pgb_dup(binary->path),
		.id = pgb_binary_id(binary),
		.executable = executable,
		.size_bytes = binary->size_bytes,
	};

	if (binary->build_id.size_bytes > 0)
		recorded.build_id = pgb_build_id_string(&binary->build_id);
	pgb_array_push(&recording->binaries, recorded);
	return &recording->binaries.items[recording->binaries.count - 1];
}

/* ---- edges */

/* With --add: what the former recording counted in the same binary. */
static int add_former_edges(const struct pgb_recording_item *item, struct pgb_error *error)
{
	struct pgb_edge_file_head head = {0};
	struct pgb_file_map map;
	char *path;
	int code;

	if (item->former == NULL || item->former->edges_file == NULL)
		return 0;
	path = pgb_recording_file(&item->writer->former, item->former->edges_file);
	code = pgb_file_map_open(&map, path, error);
	if (code == 0) {
		code = pgb_edge_file_read(pgb_cursor_of(map.bytes, map.size_bytes), path, 1, &head,
					  item->edges, item->index, error);
		pgb_edge_file_head_release(&head);
		pgb_file_map_close(&map);
	}
	item->recorded->executable |= item->former->executable;
	free(path);
	return code;
}

static int write_edges(const struct pgb_recording_item *item, struct pgb_error *error)
{
	const struct pgb_edge_file_head head = {
		.build_id = item->binary->build_id,
		.code_hash = item->binary->code_hash,
		.name = item->recorded->name,
		.source = item->recording->source,
		.event = item->recording->event,
	};
	char *file = pgb_recording_file_name(item->recorded, "edges");
	char *path = pgb_recording_temporary(item->writer, file);
	int code = pgb_edge_file_write(path, &head, item->edges, item->index, error);

	free(path);
	if (code == 0)
		item->recorded->edges_file = file;
	else
		free(file);
	return code;
}

static int write_binary(const struct pgb_recording_item *item, struct pgb_error *error)
{
	const struct pgb_edge *edges;
	size_t count;
	int code = add_former_edges(item, error);

	if (code != 0)
		return code;
	edges = pgb_edges_of_binary(item->edges, item->index, &count);
	item->recorded->edges = count;
	for (size_t i = 0; i < count; i++)
		item->recorded->count = pgb_count_add(item->recorded->count, edges[i].count);
	if (item->binary->kind != PGB_BINARY_ELF) {
		item->recorded->reason = pgb_dup(item->binary->kind == PGB_BINARY_NOT_ELF
							 ? "it is not a 64-bit ELF file"
							 : "it could not be read");
		return 0;
	}
	code = write_edges(item, error);
	return code ? code : pgb_recording_convert(item, error);
}

/* ---- former binaries that did not run this time */

static int carry_file(const struct pgb_recording_writer *writer, const char *file,
		      struct pgb_error *error)
{
	char *from, *to;
	int code;

	if (file == NULL)
		return 0;
	from = pgb_recording_file(&writer->former, file);
	to = pgb_recording_temporary(writer, file);
	code = pgb_file_copy(from, to, error);
	free(from);
	free(to);
	return code;
}

static bool has_entry(const struct pgb_recording *recording, const char *id)
{
	for (size_t i = 0; i < recording->binaries.count; i++)
		if (strcmp(recording->binaries.items[i].id, id) == 0)
			return true;
	return false;
}

int pgb_recording_carry(struct pgb_recording_writer *writer, struct pgb_recording *recording,
			struct pgb_error *error)
{
	int code = 0;

	for (size_t i = 0; i < writer->former.binaries.count && code == 0; i++) {
		struct pgb_recorded_binary *former = &writer->former.binaries.items[i];

		if (has_entry(recording, former->id))
			continue;
		code = carry_file(writer, former->edges_file, error);
		if (code == 0)
			code = carry_file(writer, former->fdata_file, error);
		if (code == 0) {
			pgb_array_push(&recording->binaries, *former);
			*former = (struct pgb_recorded_binary){.id = pgb_dup("")};
		}
	}
	return code;
}

/* ---- all of it */

static int compare_binaries(const void *left, const void *right)
{
	const struct pgb_recorded_binary *a = left, *b = right;
	int order;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	order = strcmp(a->name, b->name);
	return order ? order : strcmp(a->id, b->id);
}

void pgb_recording_arrange(struct pgb_recording *recording)
{
	struct pgb_recorded_binary *items = recording->binaries.items;
	size_t count = recording->binaries.count, chosen = count;

	recording->main = PGB_BINARY_NONE;
	if (count > 0)
		qsort(items, count, sizeof(*items), compare_binaries);
	for (size_t i = count; i-- > 0;)
		if (items[i].executable)
			chosen = i;
	for (size_t i = 0; i < count; i++)
		if (recording->wanted && strcmp(items[i].id, recording->wanted) == 0)
			chosen = i;
	if (chosen < count) {
		struct pgb_recorded_binary first = items[chosen];

		memmove(items + 1, items, chosen * sizeof(*items));
		items[0] = first;
		recording->main = 0;
	}
}

static int explain_empty(const struct pgb_session_stats *stats, struct pgb_error *error)
{
	uint64_t outside = stats->anonymous + stats->unmapped;

	if (stats->source.samples == 0) {
		pgb_fail(error, PGB_E_EMPTY, "no samples in %" PRIu64 " ms",
			 stats->duration_ns / 1000000);
		pgb_remedy(error, MORE_SAMPLES);
		return PGB_E_EMPTY;
	}
	pgb_fail(error, PGB_E_EMPTY,
		 "none of %s fell into a file: %" PRIu64
		 " outside all files (JIT code, vDSO), %" PRIu64 " in the kernel",
		 PGB_PLURAL(stats->source.samples, "sample"), outside, stats->source.kernel);
	pgb_remedy(error, "BOLT optimizes compiled files only");
	return PGB_E_EMPTY;
}

static int check_profiles(const struct pgb_recording *recording, struct pgb_error *error)
{
	const struct pgb_recorded_binary *heaviest = NULL;

	for (size_t i = 0; i < recording->binaries.count; i++) {
		const struct pgb_recorded_binary *binary = &recording->binaries.items[i];

		if (binary->fdata_file != NULL)
			return 0;
		if (heaviest == NULL || binary->count > heaviest->count)
			heaviest = binary;
	}
	if (recording->stats.source.samples < SAMPLES_FEW) {
		pgb_fail(error, PGB_E_EMPTY, "only %s, and none in a file that can have a profile",
			 PGB_PLURAL(recording->stats.source.samples, "sample"));
		pgb_remedy(error, MORE_SAMPLES);
		return PGB_E_EMPTY;
	}
	pgb_fail(error, PGB_E_EMPTY,
		 "no file that ran can have a profile; most samples fell into %s: %s",
		 heaviest->path, heaviest->reason);
	pgb_remedy(error, "%s",
		   heaviest->remedy ? heaviest->remedy
				    : "record a program that was built with -Wl,-q and not "
				      "stripped; pgobolt doctor FILE says what a file lacks");
	return PGB_E_EMPTY;
}

int pgb_recording_write_session(struct pgb_recording_writer *writer,
				struct pgb_recording *recording, struct pgb_session *session,
				struct pgb_error *error)
{
	struct pgb_addrspace *space = pgb_session_addrspace(session);
	struct pgb_edges *edges = pgb_session_edges(session);
	const struct pgb_recording *former = pgb_recording_writer_former(writer);
	int code = 0;

	recording->stats = *pgb_session_stats(session);
	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space) && code == 0; i++) {
		struct pgb_recording_item item = {
			.writer = writer,
			.recording = recording,
			.binary = pgb_addrspace_binary(space, i),
			.edges = edges,
			.index = i,
		};
		size_t count;

		(void)pgb_edges_of_binary(edges, i, &count);
		if (count == 0)
			continue;
		item.recorded =
			new_entry(recording, item.binary, pgb_session_is_executable(session, i));
		item.former = former ? pgb_recording_find(former, item.binary) : NULL;
		code = write_binary(&item, error);
	}
	if (code == 0 && recording->binaries.count == 0)
		return explain_empty(&recording->stats, error);
	return code ? code : check_profiles(recording, error);
}

int pgb_recording_write_profile(struct pgb_recording_writer *writer,
				struct pgb_recording *recording, const struct pgb_binary *binary,
				bool executable, struct pgb_profile *profile,
				struct pgb_error *error)
{
	const struct pgb_recording *former = pgb_recording_writer_former(writer);
	const struct pgb_recorded_binary *added =
		former ? pgb_recording_find(former, binary) : NULL;
	struct pgb_recorded_binary *recorded = new_entry(recording, binary, executable);
	int code = 0;

	if (added != NULL && added->fdata_file != NULL) {
		char *path = pgb_recording_file(former, added->fdata_file);

		code = pgb_fdata_read_file(path, 1, profile, error);
		free(path);
	}
	if (code == 0)
		code = pgb_recording_write_fdata(writer, recorded, profile, error);
	recorded->count = recorded->stats.seen = recorded->stats.written =
		pgb_profile_total(profile);
	if (code == 0)
		pgb_recording_judge_counts(recorded, profile);
	return code;
}
