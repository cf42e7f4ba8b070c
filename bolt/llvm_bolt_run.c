/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bolt/llvm_bolt_private.h"
#include "bolt/verify_private.h"
#include "pgobolt/collector/file.h"

#define STALE_PERCENT_MOST 50.0

/* The folder of a path: "." where it names none. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return pgb_dup(".");
	return slash == path ? pgb_dup("/") : pgb_dup_bytes(path, (size_t)(slash - path));
}

static int check_output(const struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	const struct pgb_llvm_bolt_job *job = &run->job;
	char *folder = folder_of(run->path_output);
	struct stat status;
	int code = 0;

	if (pgb_file_same(job->input, job->output)) {
		code = pgb_fail(
			error, PGB_E_EXISTS,
			"input and output are one file: %s and %s (llvm-bolt would destroy it)",
			job->input, job->output);
		pgb_remedy(error, "name another output with -o");
	} else if (stat(job->output, &status) == 0 && !S_ISREG(status.st_mode)) {
		code = pgb_fail(error, PGB_E_EXISTS,
				"the output %s is there and is no regular file", job->output);
		pgb_remedy(error, "name a file with -o");
	} else if (access(folder, W_OK | X_OK) != 0) {
		code = pgb_fail(error, pgb_code_from_errno(errno),
				"cannot write into the folder of the output, %s: %s", folder,
				strerror(errno));
		pgb_remedy(error, "name an output elsewhere with -o");
	}
	free(folder);
	return code;
}

/* Is the file there, does it hold anything, and can this llvm-bolt use its kind? */
static int check_profile(const struct pgb_llvm_bolt *bolt, const char *path,
			 struct pgb_error *error)
{
	struct pgb_file_map map;
	bool samples;
	int code;

	code = pgb_file_map_open(&map, path, error);
	if (code != 0)
		return code;
	samples = map.size_bytes >= 6 && memcmp(map.bytes, "no_lbr", 6) == 0;
	if (map.size_bytes == 0) {
		code = pgb_fail(error, PGB_E_EMPTY, "the profile %s is empty", path);
		pgb_remedy(error, "record again: pgobolt record -- COMMAND");
	} else if (samples && bolt->major == 15) {
		code = pgb_fail(error, PGB_E_UNSUPPORTED,
				"llvm-bolt %s silently ignores profiles of IP samples, such as %s",
				bolt->version, path);
		pgb_remedy(error, "use llvm-bolt 16 or newer: --llvm-bolt PATH");
	}
	pgb_file_map_close(&map);
	return code;
}

static int check_job(const struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	const struct pgb_llvm_bolt *bolt = run->bolt;
	int code;

	code = check_output(run, error);
	if (code != 0)
		return code;
	code = pgb_llvm_bolt_check_extra(bolt, run->image, &run->job, error);
	if (code != 0)
		return code;
	if (run->job.instrument_prefix != NULL)
		return pgb_llvm_bolt_check_instrument(bolt, run->image, error);
	return check_profile(bolt, run->job.profile, error);
}

int pgb_llvm_bolt_link(const struct pgb_llvm_bolt_run *run, const char *name, const char *path,
		       struct pgb_error *error)
{
	char *target, *link;
	int code = 0;

	if (path == NULL)
		return 0;
	target = realpath(path, NULL);
	link = pgb_format("%s/%s", run->folder, name);
	if (target == NULL)
		code = pgb_fail(error, pgb_code_from_errno(errno), "%s: %s", path, strerror(errno));
	else if (symlink(target, link) != 0)
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot link %s to %s: %s", link,
				target, strerror(errno));
	free(target);
	free(link);
	return code;
}

/* In the output's folder, so that a rename is all that is left to do. */
static int make_folder(struct pgb_llvm_bolt_run *run, char *path, struct pgb_error *error)
{
	const struct pgb_llvm_bolt_job *job = &run->job;
	int code;

	if (mkdtemp(path) == NULL) {
		pgb_fail(error, pgb_code_from_errno(errno), "cannot create a folder beside %s: %s",
			 run->path_output, strerror(errno));
		free(path);
		return pgb_remedy(error, "name an output elsewhere with -o");
	}
	run->folder = path;
	run->path_temporary = pgb_format("%s/%s", path, PGB_LINK_OUTPUT);
	code = pgb_llvm_bolt_link(run, PGB_LINK_INPUT, job->input, error);
	if (code == 0)
		code = pgb_llvm_bolt_link(run, PGB_LINK_PROFILE, job->profile, error);
	if (code == 0)
		code = pgb_llvm_bolt_link(run, PGB_LINK_SKIPPED, job->skip_functions_file, error);
	if (code == 0)
		code = pgb_llvm_bolt_link(run, PGB_LINK_ONLY, job->only_functions_file, error);
	return code;
}

static int make_file(struct pgb_llvm_bolt_run *run, char *path, struct pgb_error *error)
{
	int fd = mkstemp(path);

	if (fd < 0) {
		pgb_fail(error, pgb_code_from_errno(errno), "cannot create a file beside %s: %s",
			 run->path_output, strerror(errno));
		free(path);
		return pgb_remedy(error, "name an output elsewhere with -o");
	}
	run->path_temporary = path;
	close(fd);
	return 0;
}

static int make_temporary(struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	const struct pgb_llvm_bolt_job *job = &run->job;
	char *folder = folder_of(run->path_output), *path;
	const char *slash = strrchr(run->path_output, '/');
	const char *name = slash ? slash + 1 : run->path_output;
	struct pgb_debug debug;
	/*
	 * The user's options may name files, from here; so does split debug information; counters
	 * know their program by its name.
	 */
	bool real_names = (job->extra != NULL && job->extra[0] != NULL && !job->no_steps) ||
			  job->instrument_prefix != NULL ||
			  (job->update_debug && pgb_debug_read(&debug, run->image) && debug.split);

	path = pgb_format("%s/.%.200s.XXXXXX", folder, name);
	free(folder);
	return real_names ? make_file(run, path, error) : make_folder(run, path, error);
}

/* Nothing of the run stays but a published output. */
static void remove_temporary(struct pgb_llvm_bolt_run *run)
{
	if (run->path_temporary != NULL)
		unlink(run->path_temporary);
	if (run->folder != NULL)
		pgb_file_remove_tree(run->folder, NULL);
	free(run->path_temporary);
	free(run->folder);
}

/* It ended well; was the profile any use? llvm-bolt says so only in passing. */
static int check_profile_used(const struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	const struct pgb_llvm_bolt_result *result = run->result;
	double most =
		run->job.stale_percent_most > 0 ? run->job.stale_percent_most : STALE_PERCENT_MOST;

	if (result->functions_profiled == 0 && result->functions_not_optimized > 0) {
		pgb_fail(error, PGB_E_NOT_SUITABLE,
			 "%s: llvm-bolt %s can optimize none of the functions with a profile "
			 "(%llu): "
			 "it does not understand how they branch",
			 run->job.input, run->bolt->version,
			 (unsigned long long)result->functions_not_optimized);
		return pgb_remedy(error, "record a run that spends time in more of the program; "
					 "-fno-jump-tables makes switches clear to it");
	}
	if (result->functions_profiled == 0) {
		pgb_fail(error, PGB_E_EMPTY,
			 "the profile %s matches none of the %llu functions of %s",
			 run->job.profile, (unsigned long long)result->functions, run->job.input);
		return pgb_remedy(error,
				  "it is of another program or build: record again with this "
				  "binary, pgobolt record -- COMMAND");
	}
	if (result->stale_percent > most) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "%.1f%% of the samples in %s do not fit %s: %llu of %llu profiled "
			 "functions "
			 "have changed",
			 result->stale_percent, run->job.profile, run->job.input,
			 (unsigned long long)result->functions_stale,
			 (unsigned long long)result->functions_profiled);
		if (run->job.profile_is_of_input)
			return pgb_remedy(error,
					  "the build is the same, so the profile was garbled on "
					  "its way: record again; --max-stale 100 goes on");
		return pgb_remedy(error, "it is of another build: record again with this binary, "
					 "pgobolt record -- COMMAND");
	}
	return 0;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;

	if (fd < 0)
		return -1;
	status = fsync(fd);
	close(fd);
	return status;
}

/* Mode as the input's, accepted by the caller, bytes on the disk; then the name. */
static int publish(struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	struct stat status;
	int code = 0;

	if (stat(run->job.input, &status) != 0 ||
	    chmod(run->path_temporary, status.st_mode & 0777) != 0)
		return pgb_fail(error, pgb_code_from_errno(errno),
				"what llvm-bolt wrote for %s: %s", run->path_output,
				strerror(errno));
	if (run->job.accept != NULL)
		code = run->job.accept(run->job.accept_context, run->path_temporary, error);
	if (code == 0 && (sync_file(run->path_temporary) != 0 ||
			  rename(run->path_temporary, run->path_output) != 0))
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot write %s: %s",
				run->path_output, strerror(errno));
	return code;
}

int pgb_llvm_bolt_run(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
		      const struct pgb_llvm_bolt_job *job, struct pgb_llvm_bolt_result *result,
		      const struct pgb_log *log, struct pgb_error *error)
{
	struct pgb_llvm_bolt_run run = {
		.bolt = bolt, .image = image, .job = *job, .result = result, .log = log};
	int code;

	*result = (struct pgb_llvm_bolt_result){0};
	for (size_t i = 0; job->skip_functions != NULL && job->skip_functions[i] != NULL; i++)
		pgb_array_push(&run.skip, job->skip_functions[i]);
	for (size_t i = 0; job->without != NULL && job->without[i] != NULL; i++)
		pgb_array_push(&run.without, job->without[i]);
	run.path_output = realpath(job->output, NULL);
	if (run.path_output == NULL)
		run.path_output = pgb_dup(job->output);
	code = check_job(&run, error);
	if (code == 0)
		code = make_temporary(&run, error);
	if (code == 0)
		code = pgb_llvm_bolt_attempts(&run, error);
	if (code == 0 && job->instrument_prefix == NULL && job->only_functions_file == NULL)
		code = check_profile_used(&run, error);
	if (code == 0)
		code = publish(&run, error);
	remove_temporary(&run);
	free(run.path_output);
	pgb_array_release(&run.skip);
	pgb_array_release(&run.without);
	return code;
}
