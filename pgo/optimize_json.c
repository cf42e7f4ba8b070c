/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/optimize_json.h"

#include <jansson.h>
#include <stdlib.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/json.h"

const char *pgb_preset_name(enum pgb_preset preset)
{
	static const char *const names[] = {"safe", "default", "max"};

	return names[preset];
}

static json_t *profile_json(const struct pgb_chosen_profile *profile,
			    const struct pgb_optimize_result *result)
{
	json_t *json =
		json_pack("{s:o, s:s, s:o, s:o}", "fdata", pgb_json_text(profile->fdata), "kind",
			  result->kind == PGB_PROFILE_SAMPLES ? "samples" : "branches", "functions",
			  pgb_json_count(result->profile_functions), "total",
			  pgb_json_count(result->profile_total));

	if (profile->recording != NULL)
		json_object_set_new(json, "recording", pgb_json_text(profile->recording));
	if (profile->source != NULL)
		json_object_set_new(json, "source", pgb_json_text(profile->source));
	if (profile->is_inferred)
		json_object_set_new(json, "inferred", json_real(profile->inferred));
	return json;
}

static json_t *dyno_json(const struct pgb_llvm_bolt_result *bolt)
{
	json_t *json = json_object();

	for (size_t i = 0; i < bolt->dyno_stats.count; i++) {
		const struct pgb_dyno_stat *stat = &bolt->dyno_stats.items[i];

		json_object_set_new(json, stat->name,
				    json_pack("{s:o, s:o}", "before", pgb_json_count(stat->before),
					      "after", pgb_json_count(stat->after)));
	}
	return json;
}

static json_t *functions_json(const struct pgb_llvm_bolt_result *bolt)
{
	json_t *skipped = json_array();

	for (size_t i = 0; i < bolt->skipped.count; i++)
		json_array_append_new(skipped, pgb_json_text(bolt->skipped.items[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "all", pgb_json_count(bolt->functions),
			 "profiled", pgb_json_count(bolt->functions_profiled), "not_optimized",
			 pgb_json_count(bolt->functions_not_optimized), "stale",
			 pgb_json_count(bolt->functions_stale), "laid_out",
			 pgb_json_count(bolt->functions_reordered), "skipped", skipped);
}

static json_t *strict_json(const struct pgb_optimize_result *result)
{
	json_t *all = json_array();

	for (size_t i = 0; i < result->strict.count; i++) {
		const struct pgb_optimize_strict *at = &result->strict.items[i];

		json_array_append_new(all, json_pack("{s:o, s:s?, s:s?}", "function",
						     pgb_json_text(at->name), "proven",
						     pgb_strict_kind_name(at->kind), "why_not",
						     at->why));
	}
	return all;
}

static json_t *steps_json(const struct pgb_llvm_bolt_result *bolt)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < bolt->steps.count; i++)
		json_array_append_new(steps,
				      json_pack("{s:s, s:o}", "what", bolt->steps.items[i].what,
						"why", pgb_json_text(bolt->steps.items[i].why)));
	return steps;
}

static json_t *check_json(const struct pgb_optimize_job *job,
			  const struct pgb_optimize_result *result)
{
	const struct pgb_optimize_checked *check = &result->check;

	if (!result->checked)
		return json_null();
	return json_pack("{s:o, s:b, s:b, s:o, s:f, s:o}", "command",
			 pgb_json_text(job->check->command), "in_place", check->in_place,
			 "output_varies", check->output_varies, "repeats",
			 pgb_json_count(check->repeats), "seconds_of_original",
			 (double)check->original_ns / 1e9, "output_bytes",
			 pgb_json_count(check->output_bytes));
}

static json_t *search_json(const struct pgb_optimize_search *search)
{
	json_t *functions = json_array(), *options = json_array();

	for (size_t i = 0; i < search->functions.count; i++)
		json_array_append_new(functions, pgb_json_text(search->functions.items[i]));
	for (size_t i = 0; i < search->options.count; i++)
		json_array_append_new(options, json_string(search->options.items[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "failure",
			 pgb_json_text(search->failure), "candidates",
			 pgb_json_count(search->candidates), "runs", pgb_json_count(search->runs),
			 "functions", functions, "options", options, "only_profiled",
			 search->only_profiled, "reproducer",
			 search->reproducer ? pgb_json_text(search->reproducer) : json_null());
}

json_t *pgb_optimize_json(const struct pgb_llvm_bolt *bolt, const struct pgb_optimize_job *job,
			  const struct pgb_optimize_result *result)
{
	const struct pgb_llvm_bolt_result *run = &result->bolt;
	json_t *json = json_pack(
		"{s:o, s:o, s:s, s:s, s:o, s:o}", "binary", pgb_json_text(job->profile->binary),
		"output", pgb_json_text(result->output), "build_id", result->build_id, "preset",
		pgb_preset_name(job->bolt.preset), "profile", profile_json(job->profile, result),
		"llvm_bolt",
		json_pack("{s:o, s:s, s:o, s:f}", "path", pgb_json_text(bolt->path), "version",
			  bolt->version, "command", pgb_json_text(run->command_line), "seconds",
			  (double)run->duration_ns / 1e9));

	json_object_set_new(json, "functions", functions_json(run));
	json_object_set_new(json, "unknown_jumps", strict_json(result));
	json_object_set_new(json, "stale_percent", json_real(run->stale_percent));
	json_object_set_new(json, "dyno_stats", dyno_json(run));
	json_object_set_new(json, "hot_bytes", pgb_json_count(run->bytes_hot));
	json_object_set_new(json, "cold_bytes", pgb_json_count(run->bytes_cold));
	json_object_set_new(json, "debug_dropped", json_boolean(run->debug_dropped));
	json_object_set_new(json, "left_out", steps_json(run));
	json_object_set_new(json, "size_before", pgb_json_count(result->size_before));
	json_object_set_new(json, "size_after", pgb_json_count(result->size_after));
	json_object_set_new(json, "findings_before", pgb_findings_json(&result->before));
	json_object_set_new(json, "findings_after", pgb_findings_json(&result->after));
	json_object_set_new(json, "check", check_json(job, result));
	json_object_set_new(json, "search",
			    result->search.done ? search_json(&result->search) : json_null());
	json_object_set_new(json, "crash",
			    result->crash.done ? search_json(&result->crash) : json_null());
	return json;
}

int pgb_optimize_json_write(const json_t *document, const char *folder, struct pgb_error *error)
{
	char *path = pgb_format("%s/optimize.json", folder);
	int code = pgb_json_write(document, path, error);

	free(path);
	return code;
}
