/* SPDX-License-Identifier: MIT */
/*
 * llvm-bolt run until it ends well: again without the functions that it names, then with less and
 * less to do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bolt/llvm_bolt_private.h"
#include "pgobolt/collector/process.h"

enum {
	/* Each attempt leaves at least one more function or step out, so this ends; it also bounds
	   it. */
	ATTEMPTS_MOST = 32,
	OUTPUT_BYTES_MOST = 64 * 1024 * 1024,
	POLL_MS = 200,
	STOP_GRACE_MS = 500,
};

/* What is left out, one after the other and on top of the ones before, when llvm-bolt fails. */
static const struct step {
	const char *what;
	const char *options[8];
} steps[] = {
	{"splitting of exception handlers", {"split-eh"}},
	{"folding of equal functions", {"icf"}},
	{"jump tables, PLT calls and inlining",
	 {"jump-tables", "plt", "indirect-call-promotion", "inline-small-functions",
	  "simplify-rodata-loads", "peepholes"}},
	{"splitting of functions", {"split-functions", "split-all-cold", "split-strategy"}},
	{"order of blocks", {"reorder-blocks"}},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

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
	memcpy(&kept.steps, &result->steps, sizeof(kept.steps));
	kept.debug_dropped = result->debug_dropped;
	kept.duration_ns = result->duration_ns;
	result->skipped.items = NULL;
	result->skipped.count = 0;
	result->steps.items = NULL;
	result->steps.count = 0;
	pgb_llvm_bolt_result_release(result);
	*result = kept;
}

/* Updating debug information may take for ever: it gets half of the time, the rest a whole one. */
static unsigned int time_limit_s(const struct pgb_llvm_bolt_run *run)
{
	return run->job.update_debug && run->job.timeout_s > 1 ? run->job.timeout_s / 2
							       : run->job.timeout_s;
}

/* Wait until it ends, the time is over, or someone asks to stop. */
static int wait_for(struct pgb_llvm_bolt_run *run, struct pgb_process *process,
		    struct pgb_error *error)
{
	unsigned int limit_s = time_limit_s(run);
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
		if (limit_s > 0 && now_ns() - start > limit_s * UINT64_C(1000000000)) {
			run->timed_out = true;
			ended = pgb_fail(
				error, PGB_E_TOOL,
				"llvm-bolt %s on %s was stopped: not done after %u seconds",
				run->bolt->version, run->job.input, limit_s);
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
static int execute(struct pgb_llvm_bolt_run *run, char **argv, struct pgb_error *error)
{
	static const char *const environment[] = {
		/* a crash would start llvm-symbolizer on a binary of 100 MB */
		"LLVM_DISABLE_SYMBOLIZATION=1", "LC_ALL=C", NULL};
	struct pgb_spawn spawn = {
		.argv = (const char *const *)argv,
		.file = run->bolt->path,
		.directory = run->folder,
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
	run->timed_out = false;
	code = pgb_process_spawn(&process, &spawn, error);
	if (code == 0)
		code = wait_for(run, &process, error);
	read_output(&run->result->output, fd);
	close(fd);
	run->result->duration_ns += now_ns() - start;
	return code;
}

static void append_log(const struct pgb_llvm_bolt_run *run)
{
	FILE *log = run->job.log_path ? fopen(run->job.log_path, "ae") : NULL;

	if (log == NULL)
		return;
	fprintf(log, "$ %s\n%s", run->result->command_line, pgb_text_string(&run->result->output));
	fclose(log);
}

/* The names that it is told go into a note of the output: see pgb_llvm_bolt_run.folder. */
static char **arguments_to_run(const struct pgb_llvm_bolt_run *run,
			       const struct pgb_llvm_bolt_job *shown)
{
	struct pgb_llvm_bolt_job job = *shown;
	char **argv;

	job.output = run->path_temporary;
	if (run->folder == NULL)
		return pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	job.input = PGB_LINK_INPUT;
	job.output = PGB_LINK_OUTPUT;
	job.profile = PGB_LINK_PROFILE;
	if (job.skip_functions_file != NULL)
		job.skip_functions_file = PGB_LINK_SKIPPED;
	if (job.only_functions_file != NULL)
		job.only_functions_file = PGB_LINK_ONLY;
	argv = pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	free(argv[0]);
	argv[0] = pgb_dup("llvm-bolt");
	return argv;
}

/* The job with what is left out by now. */
static struct pgb_llvm_bolt_job current_job(struct pgb_llvm_bolt_run *run)
{
	struct pgb_llvm_bolt_job job = run->job;

	pgb_array_push(&run->skip, NULL);
	run->skip.count--;
	pgb_array_push(&run->without, NULL);
	run->without.count--;
	job.skip_functions = run->skip.items;
	job.without = run->without.items;
	return job;
}

static int attempt(struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	struct pgb_llvm_bolt_job job = current_job(run);
	char **argv;
	int code;

	clear_parsed(run->result);
	argv = pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	run->result->command_line = pgb_process_command_line((const char *const *)argv);
	pgb_llvm_bolt_arguments_free(argv);

	argv = arguments_to_run(run, &job);
	pgb_log(run->log, PGB_LOG_DETAIL, "%s", run->result->command_line);
	code = execute(run, argv, error);
	pgb_llvm_bolt_arguments_free(argv);
	append_log(run);
	pgb_llvm_bolt_parse_output(pgb_text_string(&run->result->output), run->result);
	if (code != 0)
		return code;
	run->result->exit_status = pgb_process_exit_status(run->wait_status);
	run->out_of_memory = pgb_llvm_bolt_lacked_memory(run->result, run->wait_status);
	if (run->result->exit_status == 0)
		return 0;
	return pgb_llvm_bolt_explain(run->bolt, &run->job, run->result, run->wait_status, error);
}

/* ---- what to leave out */

static bool is_skipped(const struct pgb_llvm_bolt_run *run, const char *name)
{
	for (size_t i = 0; i < run->skip.count; i++)
		if (strcmp(run->skip.items[i], name) == 0)
			return true;
	return false;
}

/* Functions that it names. */
static bool can_skip(struct pgb_llvm_bolt_run *run)
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

static void note_step(struct pgb_llvm_bolt_run *run, const char *what, const char *const *options,
		      const struct pgb_error *failure)
{
	struct pgb_llvm_bolt_step step = {
		.what = what, .why = pgb_dup(failure->message), .options = options};

	pgb_array_push(&run->result->steps, step);
	pgb_log(run->log, PGB_LOG_WARNING, "%s; trying again without: %s", failure->message, what);
}

/* Debug information fails on its own: out of time, out of memory, or for what is in it. */
static bool can_drop_debug(struct pgb_llvm_bolt_run *run, const struct pgb_error *failure)
{
	if (!run->job.update_debug)
		return false;
	run->job.update_debug = false;
	run->result->debug_dropped = true;
	note_step(run, "debug information", NULL, failure);
	return true;
}

/* It fails without it, too, so that was not what it failed on. */
static void restore_debug(struct pgb_llvm_bolt_run *run)
{
	struct pgb_llvm_bolt_result *result = run->result;

	if (!result->debug_dropped)
		return;
	pgb_assert(result->steps.count == 1);
	free(result->steps.items[--result->steps.count].why);
	result->debug_dropped = false;
	run->job.update_debug = true;
}

/* Functions that it does not name, but fails on: whoever called looks for them. */
static int mend_crash(struct pgb_llvm_bolt_run *run, const struct pgb_error *failure, bool *mended,
		      struct pgb_error *error)
{
	struct pgb_llvm_bolt_job job = current_job(run);
	struct pgb_llvm_bolt_mend mend = {0};
	int code;

	*mended = false;
	job.crashed = NULL;
	code = run->job.crashed(run->job.crashed_context, &job, failure, &mend, error);
	for (size_t i = 0; i < mend.skip.count; i++)
		pgb_array_push(&run->skip, mend.skip.items[i]);
	if (code == 0 && mend.only_functions_file != NULL) {
		run->job.only_functions_file = mend.only_functions_file;
		if (run->folder != NULL)
			code = pgb_llvm_bolt_link(run, PGB_LINK_ONLY, mend.only_functions_file,
						  error);
	}
	if (code == 0 && (mend.skip.count > 0 || mend.only_functions_file != NULL)) {
		restore_debug(run);
		*mended = true;
	}
	run->no_function = !*mended;
	pgb_array_release(&mend.skip);
	return code;
}

/* The next step that takes away something that it was asked to do. */
static bool can_step_down(struct pgb_llvm_bolt_run *run, const struct pgb_error *failure)
{
	while (run->steps_taken < STEPS) {
		const struct step *step = &steps[run->steps_taken++];
		bool any = false;

		for (size_t i = 0; step->options[i] != NULL; i++) {
			if (!pgb_llvm_bolt_gives(run->bolt, run->image, &run->job,
						 step->options[i]))
				continue;
			pgb_array_push(&run->without, step->options[i]);
			any = true;
		}
		if (any) {
			note_step(run, step->what, step->options, failure);
			return true;
		}
	}
	return false;
}

static bool can_search(const struct pgb_llvm_bolt_run *run)
{
	return run->job.crashed != NULL && !run->no_function && !run->timed_out &&
	       !run->out_of_memory && run->steps_taken == 0;
}

/* After a failed attempt: `again` when there is less to do now. An error ends it all. */
static int find_less(struct pgb_llvm_bolt_run *run, const struct pgb_error *failure, bool *again,
		     struct pgb_error *error)
{
	int code = 0;

	*again = false;
	if (failure->code == PGB_E_INTERRUPTED)
		return 0;
	*again = can_skip(run);
	if (*again || run->job.no_steps || run->job.strict || failure->code != PGB_E_TOOL)
		return 0;
	*again = can_drop_debug(run, failure);
	if (!*again && can_search(run))
		code = mend_crash(run, failure, again, error);
	/* what it could not do in the time it will not do faster for being asked for less */
	if (code == 0 && !*again && !run->timed_out && run->job.instrument_prefix == NULL)
		*again = can_step_down(run, failure);
	return code;
}

int pgb_llvm_bolt_attempts(struct pgb_llvm_bolt_run *run, struct pgb_error *error)
{
	for (int i = 1;; i++) {
		struct pgb_error failure = {0};
		bool again = false;
		int code = attempt(run, &failure);

		if (code == 0)
			return 0;
		if (i < ATTEMPTS_MOST) {
			int ended = find_less(run, &failure, &again, error);

			if (ended != 0)
				return ended;
		}
		if (again)
			continue;
		pgb_fail(error, code, "%s", failure.message);
		if (failure.remedy[0] != '\0')
			pgb_remedy(error, "%s", failure.remedy);
		return code;
	}
}
