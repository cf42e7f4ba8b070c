/* SPDX-License-Identifier: MIT */
#include "pgo/cli/optimize_report.h"

#include <inttypes.h>
#include <string.h>

#include "pgobolt/pgo/cli/table.h"

static const char *const preset_names[] = {"safe", "default", "max"};

static double share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static const struct pgb_dyno_stat *find_dyno(const struct pgb_llvm_bolt_result *bolt,
					     const char *name)
{
	for (size_t i = 0; i < bolt->dyno_stats.count; i++)
		if (strcmp(bolt->dyno_stats.items[i].name, name) == 0)
			return &bolt->dyno_stats.items[i];
	return NULL;
}

__attribute__((format(printf, 3, 4))) static void pair(struct pgb_table *table, const char *key,
						       const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	pgb_table_cell(table, "%s", key);
	pgb_table_cell(table, "%s", text.data);
	pgb_text_release(&text);
}

static void profile_rows(struct pgb_table *table, const struct pgb_optimize_job *job,
			 const struct pgb_optimize_result *result)
{
	const struct pgb_chosen_profile *profile = job->profile;
	const struct pgb_llvm_bolt_result *bolt = &result->bolt;
	bool samples = result->kind == PGB_PROFILE_SAMPLES;

	pair(table, "profile", "%s%s%s: %s %s in %" PRIu64 " functions",
	     profile->recording ? profile->recording : profile->fdata,
	     profile->source ? ", source " : "", profile->source ? profile->source : "",
	     PGB_COUNT(result->profile_total), samples ? "samples" : "branches",
	     result->profile_functions);
	if (samples)
		pair(table, "", "samples of single addresses, no branches: counts are estimated");
	if (profile->is_inferred)
		pair(table, "", "inferred: %s of the counts from the code, no sample shows them",
		     PGB_PERCENT(100 * profile->inferred));
	else if (profile->single_branches)
		pair(table, "", "single branches: llvm-bolt infers what falls through");
	pair(table, "functions", "%" PRIu64 " of %" PRIu64 " have a profile (%s)",
	     bolt->functions_profiled, bolt->functions,
	     PGB_PERCENT(share(bolt->functions_profiled, bolt->functions)));
	if (bolt->functions_not_optimized > 0)
		pair(table, "", "%" PRIu64 " of these cannot be optimized",
		     bolt->functions_not_optimized);
	if (bolt->functions_stale > 0)
		pair(table, "", "%" PRIu64 " of these do not fit their profile (%s of the samples)",
		     bolt->functions_stale, PGB_PERCENT(bolt->stale_percent));
	if (bolt->skipped.count > 0)
		pair(table, "", "%zu left as they are at llvm-bolt's request: %s%s",
		     bolt->skipped.count, bolt->skipped.items[0],
		     bolt->skipped.count > 1 ? ", .." : "");
}

static void layout_rows(struct pgb_table *table, const struct pgb_llvm_bolt_result *bolt)
{
	static const char *const names[] = {"taken branches", "executed instructions"};

	pair(table, "layout", "%" PRIu64 " functions laid out anew", bolt->functions_reordered);
	if (bolt->bytes_cold > 0)
		pair(table, "", "of those that were split, %s are hot and %s cold",
		     PGB_SIZE(bolt->bytes_hot), PGB_SIZE(bolt->bytes_cold));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct pgb_dyno_stat *stat = find_dyno(bolt, names[i]);

		if (stat != NULL && stat->before > 0)
			pair(table, names[i],
			     "%+.1f%% (%s before, %s after; estimated from the profile)",
			     share(stat->after, stat->before) - 100, PGB_COUNT(stat->before),
			     PGB_COUNT(stat->after));
	}
}

static void verified_row(struct pgb_table *table, const struct pgb_findings *findings)
{
	size_t good = 0;

	for (size_t i = 0; i < findings->list.count; i++)
		good += findings->list.items[i].severity <= PGB_FINDING_NOTE;
	pair(table, "verified", "%zu of %zu checks of the result good", good, findings->list.count);
}

/* With -v all of them, else what needs attention. */
static void print_findings(struct pgb_output *output, const struct pgb_findings *findings)
{
	for (size_t i = 0; i < findings->list.count; i++)
		if (output->verbose || findings->list.items[i].severity >= PGB_FINDING_WARNING)
			pgb_output_finding(output, &findings->list.items[i]);
}

void pgb_optimize_print(struct pgb_output *output, const struct pgb_llvm_bolt *bolt,
			const struct pgb_optimize_job *job,
			const struct pgb_optimize_result *result)
{
	struct pgb_table table = {.columns = 2, .indent = 2};
	char *heading = pgb_format("Optimized %s", job->profile->binary);

	pgb_output_heading(output, heading);
	free(heading);
	pair(&table, "output", "%s", result->output);
	pair(&table, "llvm-bolt", "%s, preset %s, %s", bolt->version,
	     preset_names[job->bolt.preset], PGB_DURATION(result->bolt.duration_ns));
	profile_rows(&table, job, result);
	layout_rows(&table, &result->bolt);
	pair(&table, "size", "%s before, %s after", PGB_SIZE(result->size_before),
	     PGB_SIZE(result->size_after));
	for (size_t i = 0; i < result->bolt.steps.count; i++)
		pair(&table, i == 0 ? "left out" : "", "%s: llvm-bolt failed on it",
		     result->bolt.steps.items[i].what);
	verified_row(&table, &result->after);
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	print_findings(output, &result->before);
	print_findings(output, &result->after);
	pgb_output_note(output, "Strip it with llvm-strip only: GNU strip and objcopy break it.");
	pgb_output_next(output, "run your tests with %s, then compare its speed with %s",
			result->output, job->profile->binary);
}

void pgb_optimize_print_failure(struct pgb_output *output, const struct pgb_optimize_result *result)
{
	const struct pgb_findings *sets[] = {&result->before, &result->after};
	bool first = true;

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < sets[k]->list.count; i++) {
			const struct pgb_finding *finding = &sets[k]->list.items[i];

			if (finding->severity < PGB_FINDING_WARNING)
				continue;
			if (finding->severity == PGB_FINDING_ERROR && first)
				first = false;
			else
				pgb_output_finding(output, finding);
		}
}

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *profile_json(const struct pgb_chosen_profile *profile,
			    const struct pgb_optimize_result *result)
{
	json_t *json = json_pack(
		"{s:o, s:s, s:o, s:o}", "fdata", pgb_json_text(profile->fdata), "kind",
		result->kind == PGB_PROFILE_SAMPLES ? "samples" : "branches", "functions",
		number(result->profile_functions), "total", number(result->profile_total));

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
				    json_pack("{s:o, s:o}", "before", number(stat->before), "after",
					      number(stat->after)));
	}
	return json;
}

static json_t *functions_json(const struct pgb_llvm_bolt_result *bolt)
{
	json_t *skipped = json_array();

	for (size_t i = 0; i < bolt->skipped.count; i++)
		json_array_append_new(skipped, pgb_json_text(bolt->skipped.items[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "all", number(bolt->functions),
			 "profiled", number(bolt->functions_profiled), "not_optimized",
			 number(bolt->functions_not_optimized), "stale",
			 number(bolt->functions_stale), "laid_out",
			 number(bolt->functions_reordered), "skipped", skipped);
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

json_t *pgb_optimize_json(const struct pgb_llvm_bolt *bolt, const struct pgb_optimize_job *job,
			  const struct pgb_optimize_result *result)
{
	const struct pgb_llvm_bolt_result *run = &result->bolt;
	json_t *json = json_pack(
		"{s:o, s:o, s:s, s:s, s:o, s:o}", "binary", pgb_json_text(job->profile->binary),
		"output", pgb_json_text(result->output), "build_id", result->build_id, "preset",
		preset_names[job->bolt.preset], "profile", profile_json(job->profile, result),
		"llvm_bolt",
		json_pack("{s:o, s:s, s:o, s:f}", "path", pgb_json_text(bolt->path), "version",
			  bolt->version, "command", pgb_json_text(run->command_line), "seconds",
			  (double)run->duration_ns / 1e9));

	json_object_set_new(json, "functions", functions_json(run));
	json_object_set_new(json, "stale_percent", json_real(run->stale_percent));
	json_object_set_new(json, "dyno_stats", dyno_json(run));
	json_object_set_new(json, "hot_bytes", number(run->bytes_hot));
	json_object_set_new(json, "cold_bytes", number(run->bytes_cold));
	json_object_set_new(json, "debug_dropped", json_boolean(run->debug_dropped));
	json_object_set_new(json, "left_out", steps_json(run));
	json_object_set_new(json, "size_before", number(result->size_before));
	json_object_set_new(json, "size_after", number(result->size_after));
	json_object_set_new(json, "findings_before", pgb_findings_json(&result->before));
	json_object_set_new(json, "findings_after", pgb_findings_json(&result->after));
	return json;
}
