/* SPDX-License-Identifier: MIT */
#include "pgo/merge_private.h"

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_merge.h"
#include "pgobolt/collector/edges.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/preagg.h"

void pgb_merge_announce(const struct pgb_merge_job *job, size_t index)
{
	if (job->progress)
		job->progress(job->progress_context, index);
}

static int merge_fdata(const struct pgb_merge_job *job, struct pgb_merge_result *result,
		       struct pgb_error *error)
{
	struct pgb_fdata_input *inputs = pgb_calloc(job->input_count, sizeof(*inputs));
	struct pgb_fdata_merged merged;
	int code;

	for (size_t i = 0; i < job->input_count; i++) {
		pgb_merge_announce(job, i);
		inputs[i] = (struct pgb_fdata_input){job->inputs[i].path, job->inputs[i].weight};
	}
	code = pgb_fdata_merge(inputs, job->input_count, job->output, &merged, error);
	result->lines = merged.lines;
	result->total = merged.total;
	free(inputs);
	return code;
}

/* Event names of all inputs, each list once, joined by commas. */
static void add_events(struct pgb_text *events, struct pgb_cursor bytes)
{
	char *own = pgb_preagg_events(bytes);

	if (own[0] && (events->length == 0 || strstr(events->data, own) == NULL))
		pgb_text_addf(events, "%s%s", events->length ? "," : "", own);
	free(own);
}

static int read_preagg(const struct pgb_merge_input *input, struct pgb_edges *edges,
		       struct pgb_text *events, struct pgb_error *error)
{
	struct pgb_file_map map = {0};
	struct pgb_cursor bytes;
	int code = pgb_file_map_open(&map, input->path, error);

	if (code)
		return code;
	bytes = pgb_cursor_of(map.bytes, map.size_bytes);
	code = pgb_preagg_read(bytes, input->path, input->weight, NULL, edges, 0, error);
	if (code == 0)
		add_events(events, bytes);
	pgb_file_map_close(&map);
	return code;
}

static int write_preagg(const struct pgb_merge_job *job, struct pgb_edges *edges,
			const char *events, struct pgb_merge_result *result,
			struct pgb_error *error)
{
	struct pgb_out_file out = {0};
	const struct pgb_edge *sorted = pgb_edges_sorted(edges, &result->lines);
	int code = pgb_out_open(&out, job->output, error);

	if (code)
		return code;
	for (size_t i = 0; i < result->lines; i++)
		result->total = pgb_count_add(result->total, sorted[i].count);
	code = pgb_preagg_write(out.stream, edges, 0, events, &result->lost, error);
	if (code == 0)
		code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return code;
}

static int merge_preagg(const struct pgb_merge_job *job, struct pgb_merge_result *result,
			struct pgb_error *error)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_text events = {0};
	int code = 0;

	for (size_t i = 0; code == 0 && i < job->input_count; i++) {
		pgb_merge_announce(job, i);
		code = read_preagg(&job->inputs[i], edges, &events, error);
	}
	if (code == 0 && pgb_edges_overflow(edges))
		code = pgb_fail(error, PGB_E_LIMIT, "the inputs hold more than %d distinct edges",
				PGB_LIMIT_EDGES);
	if (code == 0)
		code = write_preagg(job, edges, pgb_text_string(&events), result, error);
	pgb_text_release(&events);
	pgb_edges_free(edges);
	return code;
}

/* One kind for all, and one that can be merged. */
static int identify_inputs(const struct pgb_merge_job *job, enum pgb_input_kind *kind,
			   struct pgb_error *error)
{
	for (size_t i = 0; i < job->input_count; i++) {
		const char *path = job->inputs[i].path;
		enum pgb_input_kind own;
		int code = pgb_input_identify(path, &own, error);

		if (code)
			return code;
		if (own != PGB_INPUT_FDATA && own != PGB_INPUT_PREAGG && own != PGB_INPUT_RECORDING)
			return pgb_input_refuse(path, own, "a profile or recording to be merged",
						error);
		if (i > 0 && own != *kind) {
			pgb_fail(error, PGB_E_MISMATCH,
				 "%s is of the kind '%s', %s of the kind '%s': their counts do not "
				 "add up",
				 job->inputs[0].path, pgb_input_kind_name(*kind), path,
				 pgb_input_kind_name(own));
			return pgb_remedy(error, "merge those of one kind; a recording's folder "
						 "holds an fdata file for each binary");
		}
		*kind = own;
	}
	return 0;
}

static int check_output(const struct pgb_merge_job *job, struct pgb_error *error)
{
	for (size_t i = 0; i < job->input_count; i++) {
		if (!pgb_file_same(job->inputs[i].path, job->output))
			continue;
		pgb_fail(error, PGB_E_EXISTS, "%s is an input and the output", job->inputs[i].path);
		return pgb_remedy(error, "choose another output with -o");
	}
	return 0;
}

static void warn_of_repeats(const struct pgb_merge_job *job)
{
	for (size_t i = 0; i < job->input_count; i++)
		for (size_t j = 0; j < i; j++)
			if (pgb_file_same(job->inputs[i].path, job->inputs[j].path)) {
				pgb_log(job->log, PGB_LOG_WARNING,
					"%s is given more than once: it counts each time",
					job->inputs[i].path);
				break;
			}
}

int pgb_merge(const struct pgb_merge_job *job, struct pgb_merge_result *result,
	      struct pgb_error *error)
{
	int code;

	pgb_assert(job->input_count > 0);
	*result = (struct pgb_merge_result){0};
	code = identify_inputs(job, &result->kind, error);
	if (code == 0)
		code = check_output(job, error);
	if (code)
		return code;
	warn_of_repeats(job);
	if (result->kind == PGB_INPUT_RECORDING)
		return pgb_merge_recordings(job, result, error);
	return result->kind == PGB_INPUT_PREAGG ? merge_preagg(job, result, error)
						: merge_fdata(job, result, error);
}
