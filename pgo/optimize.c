/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/optimize.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgo/optimize_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/strip.h"

enum {
	SEGMENT_EXECUTABLE = 1,
	HUGE_PAGE_BYTES = 2 * 1024 * 1024,
};

static uint64_t size_of_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* A program whose code does not fill one huge page gains nothing and grows by megabytes. */
static bool is_small(const struct pgb_elf_image *image)
{
	const struct pgb_binary *binary = pgb_elf_image_binary(image);
	uint64_t code_bytes = 0;

	for (size_t i = 0; i < binary->segments.count; i++)
		if (binary->segments.items[i].flags & SEGMENT_EXECUTABLE)
			code_bytes += binary->segments.items[i].size_file;
	return code_bytes < HUGE_PAGE_BYTES;
}

/* Asked to do without relocations, their absence is no error any more. */
static void allow_missing_relocations(struct pgb_findings *findings)
{
	for (size_t i = 0; i < findings->list.count; i++) {
		struct pgb_finding *finding = &findings->list.items[i];

		if (strcmp(finding->check, "relocations") != 0 ||
		    finding->severity != PGB_FINDING_ERROR)
			continue;
		free(finding->message);
		finding->message = pgb_dup("no relocations kept: blocks move only inside their "
					   "functions, and these stay where they are");
		free(finding->remedy);
		finding->remedy = NULL;
		finding->severity = PGB_FINDING_WARNING;
		finding->code = 0;
	}
}

/* The first error among findings, with the name of the file it is about. */
static int fail_by(const struct pgb_findings *findings, const char *path, const char *advice,
		   struct pgb_error *error)
{
	struct pgb_error found = {0};
	int code = pgb_findings_error(findings, &found);

	if (code == 0)
		return 0;
	pgb_fail(error, code, "%s: %s", path, found.message);
	return pgb_remedy(error, "%s", found.remedy[0] ? found.remedy : advice);
}

static int check_before(struct pgb_optimize_run *run, struct pgb_error *error)
{
	const struct pgb_chosen_profile *profile = run->job->profile;
	struct pgb_findings *findings = &run->result->before;
	/* of a recording without build-id the code was compared already */
	bool check_build = profile->has_build_id || profile->recording == NULL;
	int code = pgb_verify_before(run->image, check_build ? &profile->build_id : NULL, findings,
				     error);

	if (code != 0)
		return code;
	if (run->job->bolt.without_relocations)
		allow_missing_relocations(findings);
	return fail_by(findings, profile->binary, "", error);
}

/* The user's test of the finished file. */
static int check_behaviour(struct pgb_optimize_run *run, const char *path, struct pgb_error *error)
{
	struct pgb_optimize_checked *checked = &run->result->check;
	struct pgb_check_verdict verdict;
	int code = pgb_check_judge(&run->check, path, &verdict, error);

	checked->output_varies = run->check.output_varies;
	checked->repeats = run->check.repeats;
	if (code != 0)
		return code;
	run->result->checked = true;
	if (verdict.good)
		return 0;
	run->faulty = true;
	pgb_fail(error, PGB_E_CHECK, "the result fails the check: %s", verdict.why);
	return pgb_remedy(error,
			  "%s%.800s%skeep the original; or try --preset safe, or another "
			  "release of llvm-bolt",
			  verdict.tail[0] ? "it printed last:\n" : "", verdict.tail,
			  verdict.tail[0] ? "\n" : "");
}

/* Findings about a file; with the profile, also whether its functions are there. */
static int verify(struct pgb_optimize_run *run, const char *path, bool with_profile,
		  struct pgb_error *error)
{
	struct pgb_optimize_result *result = run->result;
	struct pgb_elf_image *optimized = NULL;
	struct pgb_error unreadable = {0};
	int code;

	pgb_findings_release(&result->after);
	result->size_after = size_of_file(path);
	if (pgb_elf_image_open(&optimized, path, &unreadable) != 0) {
		run->faulty = true;
		code = pgb_fail(error, PGB_E_CHECK, "what llvm-bolt wrote cannot be read: %s",
				unreadable.message);
	} else {
		code = pgb_verify_after(run->image, optimized, with_profile ? run->profile : NULL,
					&result->after, error);
		pgb_elf_image_close(optimized);
		if (code == 0 && !run->job->keep_unverified) {
			code = pgb_findings_error(&result->after, error);
			run->faulty = code != 0;
		}
	}
	if (run->faulty)
		pgb_remedy(error,
			   "the output was thrown away; try --preset safe or another "
			   "release of llvm-bolt, or keep it with --no-verify to look at it");
	return code;
}

/* Verified before, as symbols tell where the functions are, and after. */
static int strip(struct pgb_optimize_run *run, const char *path, struct pgb_error *error)
{
	int code = pgb_strip_run(run->job->strip, path, error);

	if (code == 0)
		code = verify(run, path, false, error);
	run->result->stripped = code == 0;
	return code;
}

/* pgb_llvm_bolt_run() calls this with the finished file, which has no name yet. */
static int check_after(void *context, const char *path, struct pgb_error *error)
{
	struct pgb_optimize_run *run = context;
	const struct pgb_optimize_job *job = run->job;
	int code = verify(run, path, true, error);

	if (code == 0 && job->strip != NULL)
		code = strip(run, path, error);
	if (code == 0 && job->check != NULL)
		code = check_behaviour(run, path, error);
	if (code == 0 && job->accept != NULL)
		code = job->accept(job->accept_context, path, error);
	return code;
}

static int read_profile(struct pgb_optimize_run *run, struct pgb_error *error)
{
	struct pgb_optimize_result *result = run->result;
	int code;

	run->profile = pgb_profile_new();
	code = pgb_fdata_read_file(run->job->profile->fdata, 1, run->profile, error);
	if (code != 0)
		return code;
	result->kind = pgb_profile_kind(run->profile);
	result->profile_functions = pgb_profile_function_count(run->profile);
	result->profile_total = pgb_profile_total(run->profile);
	return 0;
}

struct pgb_llvm_bolt_job pgb_optimize_bolt_job(const struct pgb_optimize_run *run)
{
	const struct pgb_optimize_job *job = run->job;
	struct pgb_llvm_bolt_job bolt_job = job->bolt;

	bolt_job.strict = run->strict;
	if (run->skip.count > 0)
		bolt_job.skip_functions = run->skip.items;
	bolt_job.input = job->profile->binary;
	bolt_job.profile = job->profile->fdata;
	bolt_job.profile_is_of_input =
		job->profile->has_build_id || job->profile->recording != NULL;
	/* an inferred profile has them */
	bolt_job.infer_fall_throughs = job->profile->single_branches && !job->profile->is_inferred;
	bolt_job.no_huge_pages = job->huge_pages == PGB_HUGE_PAGES_NO ||
				 (job->huge_pages == PGB_HUGE_PAGES_AUTO && is_small(run->image));
	bolt_job.update_debug =
		!job->drop_debug && pgb_elf_image_find_section(run->image, ".debug_info") != NULL;
	return bolt_job;
}

int pgb_optimize_attempt(struct pgb_optimize_run *run, const struct pgb_llvm_bolt_job *bolt_job,
			 struct pgb_error *error)
{
	struct pgb_llvm_bolt_job job = *bolt_job;

	job.output = run->result->output;
	job.accept = check_after;
	job.accept_context = run;
	run->faulty = false;
	pgb_llvm_bolt_result_release(&run->result->bolt);
	return pgb_llvm_bolt_run(run->bolt, run->image, &job, &run->result->bolt, run->log, error);
}

static int begin_check(struct pgb_optimize_run *run, struct pgb_error *error)
{
	struct pgb_optimize_checked *checked = &run->result->check;
	struct pgb_check_job job;
	int code;

	if (run->job->check == NULL)
		return 0;
	job = *run->job->check;
	job.original = run->job->profile->binary;
	code = pgb_check_begin(&run->check, &job, error);
	checked->in_place = run->check.original.in_place;
	checked->original_ns = run->check.original.elapsed_ns;
	checked->output_bytes = run->check.original.output_bytes;
	if (code == 0 && !checked->in_place)
		pgb_log(run->log, PGB_LOG_DETAIL, "the check runs outside the original's place: %s",
			run->check.job.never_in_place ? "it fails there"
						      : "no private mount namespace here");
	return code;
}

static int attempt(struct pgb_optimize_run *run, struct pgb_error *error)
{
	struct pgb_llvm_bolt_job job = pgb_optimize_bolt_job(run);

	if (!run->job->no_search && !run->strict) {
		job.crashed = pgb_optimize_crashed;
		job.crashed_context = run;
	}
	return pgb_optimize_attempt(run, &job, error);
}

static int optimize(struct pgb_optimize_run *run, struct pgb_error *error)
{
	int code;

	code = check_before(run, error);
	if (code == 0)
		code = read_profile(run, error);
	if (code == 0)
		code = begin_check(run, error);
	if (code == 0)
		code = pgb_optimize_prove(run, error);
	if (code != 0)
		return code;
	code = attempt(run, error);
	if (code != 0 && run->strict && (run->faulty || code == PGB_E_TOOL) &&
	    !run->job->bolt.no_steps) {
		pgb_log(run->log, PGB_LOG_WARNING, "%s; trying without -strict", error->message);
		pgb_error_clear(error);
		pgb_optimize_give_up_strict(run);
		code = attempt(run, error);
	} else if (run->strict && run->result->bolt.skipped.count > 0) {
		pgb_optimize_give_up_strict(run);
	}
	if (code != 0 && run->faulty && !run->job->no_search)
		code = pgb_optimize_search(run, error);
	return code;
}

/* A search that cannot go on has nothing to keep. */
static void remove_search(const struct pgb_optimize_run *run, int code)
{
	char *folder;

	if (!run->result->crash.done || code == PGB_E_INTERRUPTED || code == PGB_E_RESOURCE)
		return;
	folder = pgb_format("%s.search", run->result->output);
	pgb_file_remove_tree(folder, NULL);
	free(folder);
}

int pgb_optimize(const struct pgb_optimize_job *job, const struct pgb_llvm_bolt *bolt,
		 struct pgb_optimize_result *result, const struct pgb_log *log,
		 struct pgb_error *error)
{
	const char *binary = job->profile->binary;
	struct pgb_optimize_run run = {.job = job, .bolt = bolt, .result = result, .log = log};
	struct pgb_error local = {0};
	int code;

	if (error == NULL)
		error = &local;
	*result = (struct pgb_optimize_result){0};
	result->output = job->output ? pgb_dup(job->output) : pgb_format("%s.bolt", binary);
	code = pgb_elf_image_open(&run.image, binary, error);
	if (code != 0)
		return code;
	result->size_before = size_of_file(binary);
	result->build_id = pgb_build_id_string(&pgb_elf_image_binary(run.image)->build_id);
	code = optimize(&run, error);
	remove_search(&run, code);
	pgb_check_end(&run.check);
	pgb_profile_free(run.profile);
	pgb_array_release(&run.skip);
	pgb_elf_image_close(run.image);
	return code;
}

static void release_search(struct pgb_optimize_search *search)
{
	for (size_t i = 0; i < search->functions.count; i++)
		free(search->functions.items[i]);
	pgb_array_release(&search->functions);
	pgb_array_release(&search->options);
	free(search->failure);
	free(search->kept);
	free(search->reproducer);
}

void pgb_optimize_result_release(struct pgb_optimize_result *result)
{
	free(result->output);
	free(result->build_id);
	pgb_findings_release(&result->before);
	pgb_findings_release(&result->after);
	pgb_llvm_bolt_result_release(&result->bolt);
	for (size_t i = 0; i < result->strict.count; i++)
		free(result->strict.items[i].name);
	pgb_array_release(&result->strict);
	release_search(&result->search);
	release_search(&result->crash);
	*result = (struct pgb_optimize_result){0};
}
