/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bolt/llvm_bolt_private.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

enum {
	/* Each attempt leaves at least one more function alone, so this ends; it also bounds it. */
	ATTEMPTS_MOST = 16,
	OUTPUT_BYTES_MOST = 64 * 1024 * 1024,
	POLL_MS = 200,
	STOP_GRACE_MS = 500,
};

#define STALE_PERCENT_MOST 50.0

/* One call of pgb_llvm_bolt_run(). */
struct run {
	const struct pgb_llvm_bolt *bolt;
	const struct pgb_elf_image *image;
	struct pgb_llvm_bolt_job job; /* as attempted now; output is what the caller asked for */
	struct pgb_llvm_bolt_result *result;
	const struct pgb_log *log;
	PGB_ARRAY(const char *) skip; /* job.skip_functions and result.skipped; NULL-terminated */
	char *path_output;	      /* job.output, or what it links to: the link stays a link */
	char *path_temporary;
	int wait_status;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What a parse fills, emptied for the next attempt. */
static void clear_parsed(struct pgb_llvm_bolt_result *result)
{
	struct pgb_llvm_bolt_result kept = {0};

	memcpy(&kept.skipped, &result->skipped, sizeof(kept.skipped));
	kept.debug_dropped = result->debug_dropped;
	kept.duration_ns = result->duration_ns;
	result->skipped.items = NULL;
	result->skipped.count = 0;
	pgb_llvm_bolt_result_release(result);
	*result = kept;
}

/* The folder of a path: "." where it names none. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return pgb_dup(".");
	return slash == path ? pgb_dup("/") : pgb_dup_bytes(path, (size_t)(slash - path));
}

static int check_output(const struct run *run, struct pgb_error *error)
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

static int check_job(const struct run *run, struct pgb_error *error)
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

/* A new, empty file in the output's folder, so that a rename is all that is left to do. */
static int make_temporary(struct run *run, struct pgb_error *error)
{
	char *folder = folder_of(run->path_output);
	const char *slash = strrchr(run->path_output, '/');
	const char *name = slash ? slash + 1 : run->path_output;
	int fd;

	run->path_temporary = pgb_format("%s/.%.200s.XXXXXX", folder, name);
	free(folder);
	fd = mkstemp(run->path_temporary);
	if (fd < 0) {
		pgb_fail(error, pgb_code_from_errno(errno), "cannot create a file beside %s: %s",
			 run->path_output, strerror(errno));
		free(run->path_temporary);
		run->path_temporary = NULL;
		return pgb_remedy(error, "name an output elsewhere with -o");
	}
	close(fd);
	return 0;
}

/* Wait until it ends, the time is over, or someone asks to stop. */
static int wait_for(struct run *run, struct pgb_process *process, struct pgb_error *error)
{
	uint64_t start = now_ns();
	int ended;

	for (;;) {
		ended = pgb_process_wait(process, POLL_MS, &run->wait_status, error);
		if (ended == 1)
			return 0;
		if (ended < 0 && ended != PGB_E_INTERRUPTED)
			break;
		if (run->job.interrupted != NULL && *run->job.interrupted) {
			ended = pgb_fail(error, PGB_E_INTERRUPTED, "stopped; nothing was written");
			break;
		}
		if (run->job.waiting != NULL)
			run->job.waiting(run->job.waiting_context, now_ns() - start);
		if (run->job.timeout_s > 0 &&
		    now_ns() - start > run->job.timeout_s * UINT64_C(1000000000)) {
			ended = pgb_fail(
				error, PGB_E_TOOL,
				"llvm-bolt %s on %s was stopped: not done after %u seconds",
				run->bolt->version, run->job.input, run->job.timeout_s);
			pgb_remedy(error, "give it longer: --timeout SECONDS%s",
				   run->job.update_debug ? "; or less to do: --drop-debug" : "");
			break;
		}
	}
	pgb_process_stop(process, STOP_GRACE_MS);
	return ended;
}

static void read_output(struct pgb_text *output, int fd)
{
	char bytes[16384];
	off_t offset = 0;
	ssize_t length;

	while (output->length < OUTPUT_BYTES_MOST &&
	       (length = pread(fd, bytes, sizeof(bytes), offset)) > 0) {
		for (ssize_t i = 0; i < length; i++)
			if (bytes[i] == '\0')
				bytes[i] = ' ';
		pgb_text_add_bytes(output, bytes, (size_t)length);
		offset += length;
	}
}

/* Its output goes to memory, so that no pipe can fill up and nothing needs a second thread. */
static int execute(struct run *run, char **argv, struct pgb_error *error)
{
	static const char *const environment[] = {
		/* a crash would start llvm-symbolizer on a binary of 100 MB */
		"LLVM_DISABLE_SYMBOLIZATION=1", "LC_ALL=C", NULL};
	struct pgb_spawn spawn = {
		.argv = (const char *const *)argv,
		.file = run->bolt->path,
		.environment = environment,
		.quiet_stdin = true,
		.own_group = true,
		.die_with_parent = true,
	};
	struct pgb_process process;
	uint64_t start = now_ns();
	int fd = memfd_create("llvm-bolt", MFD_CLOEXEC);
	int code;

	if (fd < 0)
		return pgb_fail(error, pgb_code_from_errno(errno), "memfd_create: %s",
				strerror(errno));
	spawn.fd_stdout = fd;
	spawn.fd_stderr = fd;
	code = pgb_process_spawn(&process, &spawn, error);
	if (code == 0)
		code = wait_for(run, &process, error);
	read_output(&run->result->output, fd);
	close(fd);
	run->result->duration_ns += now_ns() - start;
	return code;
}

static void append_log(const struct run *run)
{
	FILE *log = run->job.log_path ? fopen(run->job.log_path, "ae") : NULL;

	if (log == NULL)
		return;
	fprintf(log, "$ %s\n%s", run->result->command_line, pgb_text_string(&run->result->output));
	fclose(log);
}

static int attempt(struct run *run, struct pgb_error *error)
{
	struct pgb_llvm_bolt_job job = run->job;
	char **argv;
	int code;

	clear_parsed(run->result);
	pgb_array_push(&run->skip, NULL);
	run->skip.count--;
	job.skip_functions = run->skip.items;
	argv = pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	run->result->command_line = pgb_process_command_line((const char *const *)argv);
	pgb_llvm_bolt_arguments_free(argv);

	job.output = run->path_temporary;
	argv = pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	pgb_log(run->log, PGB_LOG_DETAIL, "%s", run->result->command_line);
	code = execute(run, argv, error);
	pgb_llvm_bolt_arguments_free(argv);
	append_log(run);
	pgb_llvm_bolt_parse_output(pgb_text_string(&run->result->output), run->result);
	if (code != 0)
		return code;
	run->result->exit_status = pgb_process_exit_status(run->wait_status);
	if (run->result->exit_status == 0)
		return 0;
	return pgb_llvm_bolt_explain(run->bolt, &run->job, run->result, run->wait_status, error);
}

static bool is_skipped(const struct run *run, const char *name)
{
	for (size_t i = 0; i < run->skip.count; i++)
		if (strcmp(run->skip.items[i], name) == 0)
			return true;
	return false;
}

/* After a failure: is there something to leave out? false: the failure stands. */
static bool can_retry(struct run *run)
{
	bool more = false;

	for (size_t i = 0; i < run->result->skip_advised.count; i++) {
		char *name = run->result->skip_advised.items[i];

		if (is_skipped(run, name))
			continue;
		name = pgb_dup(name);
		pgb_array_push(&run->result->skipped, name);
		pgb_array_push(&run->skip, name);
		pgb_log(run->log, PGB_LOG_WARNING,
			"llvm-bolt cannot move the function %s: it stays as it is", name);
		more = true;
	}
	return more;
}

/* Debug information fails on its own: out of time, out of memory, or for what is in it. */
static bool can_drop_debug(struct run *run, const struct pgb_error *failure)
{
	if (!run->job.update_debug || failure->code != PGB_E_TOOL)
		return false;
	run->job.update_debug = false;
	run->result->debug_dropped = true;
	pgb_log(run->log, PGB_LOG_WARNING, "%s; trying again without debug information",
		failure->message);
	return true;
}

static int run_attempts(struct run *run, struct pgb_error *error)
{
	for (int i = 1;; i++) {
		struct pgb_error failure = {0};
		int code = attempt(run, &failure);

		if (code == 0)
			return 0;
		if (i < ATTEMPTS_MOST && code != PGB_E_INTERRUPTED &&
		    (can_retry(run) || can_drop_debug(run, &failure)))
			continue;
		pgb_fail(error, code, "%s", failure.message);
		if (failure.remedy[0] != '\0')
			pgb_remedy(error, "%s", failure.remedy);
		return code;
	}
}

/* It ended well; was the profile any use? llvm-bolt says so only in passing. */
static int check_profile_used(const struct run *run, struct pgb_error *error)
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

/* Mode as the input's, bytes on the disk, accepted by the caller; then the name. */
static int publish(struct run *run, struct pgb_error *error)
{
	struct stat status;
	int fd, code;

	if (run->job.accept != NULL) {
		code = run->job.accept(run->job.accept_context, run->path_temporary, error);
		if (code != 0)
			return code;
	}
	fd = open(run->path_temporary, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || stat(run->job.input, &status) != 0 ||
	    fchmod(fd, status.st_mode & 0777) != 0 || fsync(fd) != 0 ||
	    rename(run->path_temporary, run->path_output) != 0) {
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot write %s: %s",
				run->path_output, strerror(errno));
		if (fd >= 0)
			close(fd);
		return code;
	}
	close(fd);
	free(run->path_temporary);
	run->path_temporary = NULL;
	return 0;
}

int pgb_llvm_bolt_run(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
		      const struct pgb_llvm_bolt_job *job, struct pgb_llvm_bolt_result *result,
		      const struct pgb_log *log, struct pgb_error *error)
{
	struct run run = {.bolt = bolt, .image = image, .job = *job, .result = result, .log = log};
	int code;

	*result = (struct pgb_llvm_bolt_result){0};
	for (size_t i = 0; job->skip_functions != NULL && job->skip_functions[i] != NULL; i++)
		pgb_array_push(&run.skip, job->skip_functions[i]);
	run.path_output = realpath(job->output, NULL);
	if (run.path_output == NULL)
		run.path_output = pgb_dup(job->output);
	code = check_job(&run, error);
	if (code == 0)
		code = make_temporary(&run, error);
	if (code == 0)
		code = run_attempts(&run, error);
	if (code == 0 && job->instrument_prefix == NULL)
		code = check_profile_used(&run, error);
	if (code == 0)
		code = publish(&run, error);
	if (run.path_temporary != NULL)
		unlink(run.path_temporary);
	free(run.path_temporary);
	free(run.path_output);
	pgb_array_release(&run.skip);
	return code;
}
