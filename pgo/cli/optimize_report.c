/* SPDX-License-Identifier: MIT */
#include "pgo/cli/optimize_report.h"

#include <inttypes.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/optimize_json.h"

enum { STRICT_NAMES = 3 };

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

static void profile_rows(struct pgb_table *table, const struct pgb_optimize_job *job,
			 const struct pgb_optimize_result *result)
{
	const struct pgb_chosen_profile *profile = job->profile;
	const struct pgb_llvm_bolt_result *bolt = &result->bolt;
	bool samples = result->kind == PGB_PROFILE_SAMPLES;

	pgb_table_pair(table, "profile", "%s%s%s: %s in %s",
		       profile->recording ? profile->recording : profile->fdata,
		       profile->source ? ", source " : "", profile->source ? profile->source : "",
		       PGB_COUNT_OF(result->profile_total, samples ? "sample" : "branch"),
		       PGB_PLURAL(result->profile_functions, "function"));
	if (samples)
		pgb_table_pair(table, "",
			       "samples of single addresses, no branches: counts are estimated");
	if (profile->is_inferred)
		pgb_table_pair(table, "",
			       "inferred: %s of the counts from the code, no sample shows them",
			       PGB_PERCENT(100 * profile->inferred));
	else if (profile->single_branches)
		pgb_table_pair(table, "", "single branches: llvm-bolt infers what falls through");
	pgb_table_pair(table, "functions", "%" PRIu64 " of %" PRIu64 " have a profile (%s)",
		       bolt->functions_profiled, bolt->functions,
		       PGB_PERCENT(share(bolt->functions_profiled, bolt->functions)));
	if (bolt->functions_not_optimized > 0)
		pgb_table_pair(table, "", "%" PRIu64 " of these cannot be optimized",
			       bolt->functions_not_optimized);
	if (bolt->functions_stale > 0)
		pgb_table_pair(table, "",
			       "%" PRIu64 " of these do not fit their profile (%s of the samples)",
			       bolt->functions_stale, PGB_PERCENT(bolt->stale_percent));
	if (bolt->skipped.count > 0)
		pgb_table_pair(table, "", "%zu left as %s at llvm-bolt's request: %s%s",
			       bolt->skipped.count, bolt->skipped.count == 1 ? "it is" : "they are",
			       bolt->skipped.items[0], bolt->skipped.count > 1 ? ", .." : "");
}

/* The first names of those of a kind, or of all that are not proven; returns how many there are. */
static size_t strict_names(const struct pgb_optimize_result *result, enum pgb_strict_kind kind,
			   struct pgb_text *names)
{
	size_t count = 0;

	for (size_t i = 0; i < result->strict.count; i++) {
		const struct pgb_optimize_strict *at = &result->strict.items[i];

		if (at->why ? kind != PGB_STRICT_UNPROVEN : at->kind != kind)
			continue;
		if (count++ < STRICT_NAMES)
			pgb_text_addf(names, "%s%s", count > 1 ? ", " : "", at->name);
	}
	if (count > STRICT_NAMES)
		pgb_text_add(names, ", ..");
	return count;
}

/* Which functions are laid out though llvm-bolt alone would not know where their jumps go. */
static void strict_rows(struct pgb_table *table, const struct pgb_optimize_result *result)
{
	for (enum pgb_strict_kind kind = PGB_STRICT_GOTOS + 1; kind-- > 0;) {
		struct pgb_text names = {0};
		size_t count = strict_names(result, kind, &names);

		if (count > 0 && kind == PGB_STRICT_UNPROVEN)
			pgb_table_pair(table, "",
				       "jumps that llvm-bolt does not understand stay as they are, "
				       "for %s: %s",
				       PGB_PLURAL(count, "unproven function"), names.data);
		else if (count > 0)
			pgb_table_pair(table, "", "%zu with %s, proven: %s", count,
				       pgb_strict_kind_name(kind), names.data);
		pgb_text_release(&names);
	}
}

static void layout_rows(struct pgb_table *table, const struct pgb_llvm_bolt_result *bolt)
{
	static const char *const names[] = {"taken branches", "executed instructions"};

	pgb_table_pair(table, "layout", "%s laid out anew",
		       PGB_PLURAL(bolt->functions_reordered, "function"));
	if (bolt->bytes_cold > 0)
		pgb_table_pair(table, "", "of those that were split, %s are hot and %s cold",
			       PGB_SIZE(bolt->bytes_hot), PGB_SIZE(bolt->bytes_cold));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct pgb_dyno_stat *stat = find_dyno(bolt, names[i]);

		if (stat != NULL && stat->before > 0)
			pgb_table_pair(table, names[i],
				       "%+.1f%% (%s before, %s after; estimated from the profile)",
				       share(stat->after, stat->before) - 100,
				       PGB_COUNT(stat->before), PGB_COUNT(stat->after));
	}
}

static void verified_row(struct pgb_table *table, const struct pgb_findings *findings)
{
	size_t good = 0;

	for (size_t i = 0; i < findings->list.count; i++)
		good += findings->list.items[i].severity <= PGB_FINDING_NOTE;
	pgb_table_pair(table, "verified", "%zu of %s of the result good", good,
		       PGB_PLURAL(findings->list.count, "check"));
}

static void search_rows(struct pgb_table *table, const struct pgb_optimize_search *search,
			const char *what)
{
	const struct pgb_plural trials = pgb_plural(search->runs, "trial");

	if (search->functions.count > 0)
		pgb_table_pair(table, "found",
			       "%zu of %s make%s %s, in %s:", search->functions.count,
			       PGB_PLURAL(search->candidates, "function"),
			       search->functions.count == 1 ? "s" : "", what, trials.text);
	else if (search->only_profiled)
		pgb_table_pair(table, "found", "in %s: some function without a profile makes %s",
			       trials.text, what);
	else
		pgb_table_pair(table, "found", "in %s: no function, but an option makes %s",
			       trials.text, what);
	for (size_t i = 0; i < search->functions.count; i++)
		pgb_table_pair(table, "", "%s: left as it is", search->functions.items[i]);
	for (size_t i = 0; i < search->options.count; i++)
		pgb_table_pair(table, "", "-%s: %s", search->options.items[i],
			       search->functions.count > 0 ? "what llvm-bolt does wrong there"
							   : "left out");
	if (search->only_profiled)
		pgb_table_pair(table, "", "functions without a profile are left as they are");
	if (search->reproducer != NULL)
		pgb_table_pair(table, "reproducer", "%s", search->reproducer);
}

static void checked_rows(struct pgb_table *table, const struct pgb_optimize_job *job,
			 const struct pgb_optimize_result *result)
{
	const struct pgb_optimize_checked *check = &result->check;

	if (result->checked)
		pgb_table_pair(
			table, "check", "passed%s%s, with %s: %s",
			check->in_place ? " in the original's place" : "",
			check->output_varies ? "; prints something else each time, so only its "
					       "status counts"
					     : "",
			check->output_varies ? "the same status" : "the same status and output",
			job->check->command);
	if (result->crash.done && result->crash.end == PGB_BISECT_FOUND)
		search_rows(table, &result->crash, "llvm-bolt fail");
	if (result->search.done)
		search_rows(table, &result->search, "the result wrong");
	if (result->stripped)
		pgb_table_pair(table, "stripped", "by %s", job->strip);
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
	pgb_table_pair(&table, "output", "%s", result->output);
	pgb_table_pair(&table, "llvm-bolt", "%s, preset %s, %s", bolt->version,
		       pgb_preset_name(job->bolt.preset), PGB_DURATION(result->bolt.duration_ns));
	profile_rows(&table, job, result);
	strict_rows(&table, result);
	layout_rows(&table, &result->bolt);
	pgb_table_pair(&table, "size", "%s before, %s after", PGB_SIZE(result->size_before),
		       PGB_SIZE(result->size_after));
	for (size_t i = 0; i < result->bolt.steps.count; i++)
		pgb_table_pair(&table, i == 0 ? "left out" : "", "%s: llvm-bolt failed on it",
			       result->bolt.steps.items[i].what);
	verified_row(&table, &result->after);
	checked_rows(&table, job, result);
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	print_findings(output, &result->before);
	print_findings(output, &result->after);
}

void pgb_optimize_print_next(struct pgb_output *output, const struct pgb_optimize_job *job,
			     const struct pgb_optimize_result *result)
{
	const char *reproducer =
		result->search.reproducer ? result->search.reproducer : result->crash.reproducer;

	if (!result->stripped)
		pgb_output_note(output,
				"Strip it with --strip or llvm-strip: GNU strip and objcopy "
				"break it.");
	if (reproducer != NULL)
		pgb_output_next(output, "report it to llvm-bolt's authors: %s/README.md",
				reproducer);
	else if (!result->checked)
		pgb_output_next(output, "run your tests with %s, or give them to --check",
				result->output);
	else if (job->accept == NULL)
		pgb_output_next(output, "is it faster? pgobolt bench, or --bench 'CMD with {}'");
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
