/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/optimize.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"

enum {
	SEGMENT_EXECUTABLE = 1,
	HUGE_PAGE_BYTES = 2 * 1024 * 1024,
};

struct run {
	const struct pgb_optimize_job *job;
	struct pgb_optimize_result *result;
	struct pgb_elf_image *image;
	struct pgb_profile *profile;
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

static int check_before(struct run *run, struct pgb_error *error)
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

/* pgb_llvm_bolt_run() calls this with the finished file, which has no name yet. */
static int check_after(void *context, const char *path, struct pgb_error *error)
{
	struct run *run = context;
	struct pgb_elf_image *optimized = NULL;
	struct pgb_error unreadable = {0};
	int code;

	run->result->size_after = size_of_file(path);
	if (pgb_elf_image_open(&optimized, path, &unreadable) != 0)
		return pgb_fail(error, PGB_E_CHECK, "what llvm-bolt wrote cannot be read: %s",
				unreadable.message);
	code = pgb_verify_after(run->image, optimized, run->profile, &run->result->after, error);
	pgb_elf_image_close(optimized);
	if (code != 0 || run->job->keep_unverified)
		return code;
	code = pgb_findings_error(&run->result->after, error);
	if (code != 0)
		pgb_remedy(error,
			   "the output was thrown away; try --preset safe or another release "
			   "of llvm-bolt, or keep it with --no-verify to look at it");
	return code;
}

static int read_profile(struct run *run, struct pgb_error *error)
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

static int run_llvm_bolt(struct run *run, const struct pgb_llvm_bolt *bolt,
			 const struct pgb_log *log, struct pgb_error *error)
{
	const struct pgb_optimize_job *job = run->job;
	struct pgb_llvm_bolt_job bolt_job = job->bolt;

	bolt_job.input = job->profile->binary;
	bolt_job.output = run->result->output;
	bolt_job.profile = job->profile->fdata;
	bolt_job.profile_is_of_input =
		job->profile->has_build_id || job->profile->recording != NULL;
	/* an inferred profile has them */
	bolt_job.infer_fall_throughs = job->profile->single_branches && !job->profile->is_inferred;
	bolt_job.no_huge_pages = job->huge_pages == PGB_HUGE_PAGES_NO ||
				 (job->huge_pages == PGB_HUGE_PAGES_AUTO && is_small(run->image));
	bolt_job.update_debug =
		!job->drop_debug && pgb_elf_image_find_section(run->image, ".debug_info") != NULL;
	bolt_job.accept = check_after;
	bolt_job.accept_context = run;
	return pgb_llvm_bolt_run(bolt, run->image, &bolt_job, &run->result->bolt, log, error);
}

int pgb_optimize(const struct pgb_optimize_job *job, const struct pgb_llvm_bolt *bolt,
		 struct pgb_optimize_result *result, const struct pgb_log *log,
		 struct pgb_error *error)
{
	const char *binary = job->profile->binary;
	struct run run = {.job = job, .result = result};
	int code;

	*result = (struct pgb_optimize_result){0};
	result->output = job->output ? pgb_dup(job->output) : pgb_format("%s.bolt", binary);
	code = pgb_elf_image_open(&run.image, binary, error);
	if (code != 0)
		return code;
	result->size_before = size_of_file(binary);
	result->build_id = pgb_build_id_string(&pgb_elf_image_binary(run.image)->build_id);
	code = check_before(&run, error);
	if (code == 0)
		code = read_profile(&run, error);
	if (code == 0)
		code = run_llvm_bolt(&run, bolt, log, error);
	pgb_profile_free(run.profile);
	pgb_elf_image_close(run.image);
	return code;
}

void pgb_optimize_result_release(struct pgb_optimize_result *result)
{
	free(result->output);
	free(result->build_id);
	pgb_findings_release(&result->before);
	pgb_findings_release(&result->after);
	pgb_llvm_bolt_result_release(&result->bolt);
	*result = (struct pgb_optimize_result){0};
}
