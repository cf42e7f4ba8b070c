/* SPDX-License-Identifier: MIT */
#include "pgo/convert_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/preagg.h"
#include "pgobolt/pgo/input.h"

/* ---- names and counts */

void pgb_convert_add_name(struct pgb_convert_names *names, const char *name)
{
	for (size_t i = 0; i < names->list.count; i++)
		if (strcmp(names->list.items[i], name) == 0)
			return;
	if (name[0] != '\0')
		pgb_array_push(&names->list, pgb_dup(name));
}

static void release_names(struct pgb_convert_names *names)
{
	for (size_t i = 0; i < names->list.count; i++)
		free(names->list.items[i]);
	pgb_array_release(&names->list);
}

static char *join_names(const struct pgb_convert_names *names)
{
	struct pgb_text text = {0};

	for (size_t i = 0; i < names->list.count; i++)
		pgb_text_addf(&text, "%s%s", i ? "," : "", names->list.items[i]);
	return pgb_text_detach(&text);
}

char *pgb_convert_event(const struct pgb_conversion *conversion, size_t index)
{
	const char *name =
		index < conversion->events.list.count ? conversion->events.list.items[index] : "";
	size_t length = strlen(name);

	return pgb_dup_bytes(name, length > 0 && name[length - 1] == ':' ? length - 1 : length);
}

static char *join_events(const struct pgb_conversion *conversion)
{
	struct pgb_convert_names plain = {0};
	char *joined;

	for (size_t i = 0; i < conversion->events.list.count; i++) {
		char *event = pgb_convert_event(conversion, i);

		pgb_convert_add_name(&plain, event);
		free(event);
	}
	joined = join_names(&plain);
	release_names(&plain);
	return joined;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] != '\0' ? slash + 1 : path;
}

void pgb_convert_add_other(struct pgb_conversion *conversion, const char *path,
			   const char *build_id, uint64_t count)
{
	struct pgb_convert_other other = {
		.name = pgb_dup(base_name(path)),
		.build_id = pgb_dup(build_id),
		.count = count,
	};

	for (size_t i = 0; i < conversion->result->others.count; i++) {
		struct pgb_convert_other *known = &conversion->result->others.items[i];

		if (strcmp(known->name, other.name) != 0 || !known->build_id != !other.build_id ||
		    (known->build_id && strcmp(known->build_id, other.build_id) != 0))
			continue;
		known->count = pgb_count_add(known->count, count);
		free(other.name);
		free(other.build_id);
		return;
	}
	pgb_array_push(&conversion->result->others, other);
}

void pgb_convert_set_other_build(struct pgb_convert_target *target, const char *build_id)
{
	free(target->other_build);
	target->other_build = pgb_dup(build_id);
}

static int compare_others(const void *left, const void *right)
{
	const struct pgb_convert_other *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* ---- the binaries */

static int open_target(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_convert_target *target = &conversion->targets[index];
	struct pgb_converted converted = {.path = pgb_dup(conversion->job->binaries[index])};
	int code;

	target->path = conversion->job->binaries[index];
	target->profile = pgb_profile_new();
	converted.name = pgb_dup(base_name(target->path));
	code = pgb_elf_image_open(&target->image, target->path, error);
	if (code == 0 && pgb_elf_image_is_optimized(target->image)) {
		code = pgb_fail(error, PGB_E_NOT_SUITABLE,
				"%s: llvm-bolt made it, and does not do so twice", target->path);
		pgb_remedy(error, "record and convert the binary that the linker made");
	}
	if (code == 0)
		code = pgb_binary_read(&target->binary, target->path, target->path, error);
	converted.id = pgb_binary_id(&target->binary);
	if (target->binary.build_id.size_bytes > 0)
		converted.build_id = pgb_build_id_string(&target->binary.build_id);
	pgb_array_push(&conversion->result->binaries, converted);
	return code;
}

static int open_targets(struct pgb_conversion *conversion, struct pgb_error *error)
{
	const struct pgb_convert_job *job = conversion->job;
	int code = 0;

	for (size_t i = 0; i < job->binary_count && code == 0; i++) {
		code = open_target(conversion, i, error);
		for (size_t j = 0; j < i && code == 0; j++)
			if (strcmp(conversion->result->binaries.items[i].id,
				   conversion->result->binaries.items[j].id) == 0)
				code = pgb_fail(error, PGB_E_USAGE,
						"%s and %s are the same build of one program",
						job->binaries[j], job->binaries[i]);
	}
	return code;
}

/* Text formats tell addresses or names, not whose: there must be one candidate. */
static int single_target(const struct pgb_conversion *conversion, const char *path,
			 const char *what, struct pgb_error *error)
{
	if (conversion->job->binary_count == 1)
		return 0;
	pgb_fail(error, PGB_E_USAGE, "%s, %s, is of one binary, but %zu are given", path, what,
		 conversion->job->binary_count);
	return pgb_remedy(error, "convert it alone, with its own -b");
}

/* ---- inputs */

static int read_preagg(struct pgb_conversion *conversion, const struct pgb_merge_input *input,
		       struct pgb_error *error)
{
	struct pgb_file_map map;
	struct pgb_cursor bytes;
	char *events, *rest = NULL;
	int code = single_target(conversion, input->path, "pre-aggregated text", error);

	if (code == 0)
		code = pgb_file_map_open(&map, input->path, error);
	if (code != 0)
		return code;
	bytes = pgb_cursor_of(map.bytes, map.size_bytes);
	events = pgb_preagg_events(bytes);
	for (char *at = strtok_r(events, ",", &rest); at; at = strtok_r(NULL, ",", &rest))
		pgb_convert_add_name(&conversion->events, at);
	free(events);
	code = pgb_preagg_read(bytes, input->path, input->weight,
			       &conversion->targets[0].binary.build_id, conversion->edges, 0,
			       error);
	pgb_file_map_close(&map);
	conversion->halves_unknown = true;
	pgb_convert_add_name(&conversion->sources, "preagg");
	return code;
}

/* What a profile refuses does not know which file it came from. */
static int read_fdata(struct pgb_conversion *conversion, const struct pgb_merge_input *input,
		      struct pgb_error *error)
{
	struct pgb_error why = {0};
	int code = single_target(conversion, input->path, "an fdata profile", error);

	if (code != 0)
		return code;
	code = pgb_fdata_read_file(input->path, input->weight, conversion->targets[0].profile,
				   &why);
	conversion->from_fdata = input->path;
	pgb_convert_add_name(&conversion->sources, "fdata");
	if (code == 0)
		return 0;
	if (strstr(why.message, input->path))
		pgb_fail(error, code, "%s", why.message);
	else
		pgb_fail(error, code, "%s: %s", input->path, why.message);
	return why.remedy[0] ? pgb_remedy(error, "%s", why.remedy) : code;
}

static int identify(const char *path, enum pgb_input_kind *kind, struct pgb_error *error)
{
	struct stat status;

	if (strcmp(path, "-") == 0 || (stat(path, &status) == 0 && S_ISFIFO(status.st_mode))) {
		*kind = PGB_INPUT_PERF_DATA;
		return 0;
	}
	return pgb_input_identify(path, kind, error);
}

static int read_input(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	const struct pgb_merge_input *input = &conversion->job->inputs[index];
	enum pgb_input_kind kind;
	int code = identify(input->path, &kind, error);

	if (code != 0)
		return code;
	switch (kind) {
	case PGB_INPUT_PERF_DATA:
		return pgb_convert_read_perf_data(conversion, index, error);
	case PGB_INPUT_PREAGG:
		return read_preagg(conversion, input, error);
	case PGB_INPUT_FDATA:
		return read_fdata(conversion, input, error);
	case PGB_INPUT_RECORDING:
		return pgb_convert_read_recording(conversion, index, error);
	default:
		return pgb_input_refuse(input->path, kind,
					"perf.data, pre-aggregated text, fdata or a recording",
					error);
	}
}

/* ---- what is there of each binary */

/* "python3.11 71.2%, libc.so.6 20.1%": where the samples are instead. */
static void list_others(const struct pgb_conversion *conversion, struct pgb_text *text)
{
	enum { OTHERS_MOST = 5 };
	const struct pgb_convert_result *result = conversion->result;
	uint64_t total = 0;

	for (size_t i = 0; i < result->others.count; i++)
		total = pgb_count_add(total, result->others.items[i].count);
	for (size_t i = 0; i < result->binaries.count; i++)
		total = pgb_count_add(total, result->binaries.items[i].count);
	for (size_t i = 0; i < result->others.count && i < OTHERS_MOST; i++) {
		const struct pgb_convert_other *other = &result->others.items[i];

		pgb_text_addf(text, "%s%s %.1f%%", i ? ", " : "", other->name,
			      100.0 * (double)other->count / (double)total);
		if (other->build_id)
			pgb_text_addf(text, " (%.12s..)", other->build_id);
	}
	if (result->others.count > OTHERS_MOST)
		pgb_text_add(text, ", ..");
}

static int explain_mismatch(const struct pgb_conversion *conversion, size_t index,
			    struct pgb_error *error)
{
	const struct pgb_convert_target *target = &conversion->targets[index];
	const struct pgb_converted *converted = &conversion->result->binaries.items[index];

	pgb_fail(error, PGB_E_MISMATCH,
		 "another build of %s was recorded: its build-id is %s, %s has %s", converted->name,
		 target->other_build, target->path,
		 converted->build_id ? converted->build_id : "none");
	pgb_remedy(error,
		   "convert with the binary that ran, or record again with this one; "
		   "--ignore-build-id takes it all the same: most of the profile will not fit");
	return PGB_E_MISMATCH;
}

static int explain_empty(const struct pgb_conversion *conversion, size_t index,
			 struct pgb_error *error)
{
	const struct pgb_session_stats *stats = &conversion->result->stats;
	const char *path = conversion->targets[index].path;
	struct pgb_text others = {0};

	list_others(conversion, &others);
	if (others.length > 0) {
		pgb_fail(error, PGB_E_EMPTY, "nothing was recorded of %s; what was: %s", path,
			 others.data);
		pgb_remedy(error, "name a binary that ran: -b FILE; files are told by build-id, "
				  "those without one by their name");
	} else if (stats->source.samples > 0) {
		pgb_fail(error, PGB_E_EMPTY,
			 "nothing was recorded of %s: of %s %" PRIu64
			 " %s in the kernel, the rest in no file (JIT code, vDSO)",
			 path, PGB_PLURAL(stats->source.samples, "sample"), stats->source.kernel,
			 stats->source.branches > 0 ? "branches are" : "are");
		pgb_remedy(error, "BOLT optimizes compiled files only");
	} else {
		pgb_fail(error, PGB_E_EMPTY, "there is nothing of %s in the input: no samples",
			 path);
		pgb_remedy(error, "record longer, or a busier program");
	}
	pgb_text_release(&others);
	return PGB_E_EMPTY;
}

static bool is_empty(const struct pgb_conversion *conversion, size_t index)
{
	return conversion->result->binaries.items[index].edges == 0 &&
	       pgb_profile_is_empty(conversion->targets[index].profile);
}

static int check_targets(struct pgb_conversion *conversion, struct pgb_error *error)
{
	const struct pgb_convert_job *job = conversion->job;
	size_t empty = 0, first = 0;

	for (size_t i = 0; i < job->binary_count; i++) {
		bool other = conversion->targets[i].other_build != NULL;

		if (other && (conversion->targets[i].mistaken || is_empty(conversion, i)))
			return explain_mismatch(conversion, i, error);
		if (other)
			pgb_log(job->log, PGB_LOG_WARNING,
				"other builds of %s ran too; their samples are left out",
				conversion->result->binaries.items[i].name);
		if (is_empty(conversion, i) && empty++ == 0)
			first = i;
		else if (conversion->targets[i].by_name && !job->ignore_build_id)
			pgb_log(job->log, PGB_LOG_WARNING,
				"which build of %s ran is not recorded: %s was taken by its name "
				"alone",
				conversion->result->binaries.items[i].name, job->binaries[i]);
	}
	if (empty == job->binary_count)
		return explain_empty(conversion, 0, error);
	if (empty > 0)
		pgb_log(job->log, PGB_LOG_WARNING, "nothing was recorded of %s%s",
			job->binaries[first], empty > 1 ? " and others" : "");
	return 0;
}

static void count_edges(struct pgb_conversion *conversion)
{
	for (size_t i = 0; i < conversion->job->binary_count; i++) {
		struct pgb_converted *converted = &conversion->result->binaries.items[i];
		size_t count;
		const struct pgb_edge *edges =
			pgb_edges_of_binary(conversion->edges, (uint32_t)i, &count);

		converted->edges = count;
		converted->count = pgb_profile_total(conversion->targets[i].profile);
		for (size_t j = 0; j < count; j++)
			converted->count = pgb_count_add(converted->count, edges[j].count);
	}
}

/* ---- all of it */

bool pgb_convert_to_folder(const struct pgb_convert_job *job)
{
	size_t length = strlen(job->output);

	return job->binary_count > 1 || (length > 0 && job->output[length - 1] == '/') ||
	       pgb_recording_is_folder(job->output);
}

static int check_output(const struct pgb_convert_job *job, struct pgb_error *error)
{
	const char *clash = NULL;

	for (size_t i = 0; i < job->input_count; i++)
		if (pgb_file_same(job->inputs[i].path, job->output))
			clash = job->inputs[i].path;
	for (size_t i = 0; i < job->binary_count; i++)
		if (pgb_file_same(job->binaries[i], job->output))
			clash = job->binaries[i];
	if (clash == NULL)
		return 0;
	pgb_fail(error, PGB_E_EXISTS, "%s is an input and the output", clash);
	return pgb_remedy(error, "choose another output with -o");
}

static void release_targets(struct pgb_conversion *conversion)
{
	for (size_t i = 0; i < conversion->job->binary_count; i++) {
		pgb_cfgs_free(conversion->targets[i].cfgs);
		pgb_cfgs_free(conversion->targets[i].prepared);
		pgb_elf_image_close(conversion->targets[i].image);
		pgb_binary_release(&conversion->targets[i].binary);
		pgb_profile_free(conversion->targets[i].profile);
		free(conversion->targets[i].other_build);
	}
	free(conversion->targets);
}

int pgb_convert(const struct pgb_convert_job *job, struct pgb_convert_result *result,
		struct pgb_error *error)
{
	struct pgb_conversion conversion = {.job = job, .result = result};
	int code;

	pgb_assert(job->input_count > 0 && job->binary_count > 0);
	*result = (struct pgb_convert_result){0};
	conversion.targets = pgb_calloc(job->binary_count, sizeof(*conversion.targets));
	conversion.edges = pgb_edges_new();
	code = check_output(job, error);
	if (code == 0)
		code = open_targets(&conversion, error);
	for (size_t i = 0; i < job->input_count && code == 0; i++)
		code = read_input(&conversion, i, error);
	pgb_convert_prepare_wait(&conversion);
	result->source = join_names(&conversion.sources);
	result->event = join_events(&conversion);
	if (code == 0) {
		count_edges(&conversion);
		if (result->others.count > 0)
			qsort(result->others.items, result->others.count,
			      sizeof(*result->others.items), compare_others);
		code = check_targets(&conversion, error);
	}
	if (code == 0 && pgb_convert_to_folder(job))
		code = pgb_convert_write_folder(&conversion, error);
	else if (code == 0)
		code = pgb_convert_write(&conversion, error);
	pgb_recording_release(&conversion.origin);
	release_targets(&conversion);
	pgb_edges_free(conversion.edges);
	release_names(&conversion.sources);
	release_names(&conversion.events);
	return code;
}

void pgb_convert_result_release(struct pgb_convert_result *result)
{
	for (size_t i = 0; i < result->binaries.count; i++) {
		struct pgb_converted *converted = &result->binaries.items[i];

		free(converted->path);
		free(converted->name);
		free(converted->id);
		free(converted->build_id);
		free(converted->fdata_file);
		free(converted->preagg_file);
		free(converted->autofdo_file);
		free(converted->autofdo_binary_file);
		free(converted->reason);
		pgb_quality_release(&converted->quality);
	}
	pgb_array_release(&result->binaries);
	for (size_t i = 0; i < result->others.count; i++) {
		free(result->others.items[i].name);
		free(result->others.items[i].build_id);
	}
	pgb_array_release(&result->others);
	free(result->source);
	free(result->event);
	*result = (struct pgb_convert_result){0};
}
