/* SPDX-License-Identifier: MIT */
/* Doing it: one command after the other, with a log for each step. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pgo/pipeline_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/collector/process_tree.h"

enum { POLL_MS = 100, GRACE_MS = 10000, LINE_MAX_BYTES = 512 };

struct work {
	struct pgb_pipeline *pipeline;
	struct pgb_step *step;
	char *prelude, *log_path;
	int log; /* descriptor */
	uint64_t started_ns;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_stopped(const struct pgb_pipeline *pipeline)
{
	return pipeline->config->stop && *pipeline->config->stop;
}

/* ---- one command */

/* The last line of the log that is not empty. */
static void last_line(const struct work *work, char *line)
{
	struct stat status;
	char tail[LINE_MAX_BYTES + 1];
	off_t from;
	ssize_t length;
	char *newline;

	line[0] = '\0';
	if (fstat(work->log, &status) != 0)
		return;
	from = status.st_size > LINE_MAX_BYTES ? status.st_size - LINE_MAX_BYTES : 0;
	length = pread(work->log, tail, LINE_MAX_BYTES, from);
	while (length > 0 && (tail[length - 1] == '\n' || tail[length - 1] == '\r'))
		length--;
	tail[length > 0 ? length : 0] = '\0';
	newline = strrchr(tail, '\n');
	memmove(line, newline ? newline + 1 : tail, strlen(newline ? newline + 1 : tail) + 1);
}

static void show_progress(const struct work *work)
{
	const struct pgb_pipeline_config *config = work->pipeline->config;
	char line[LINE_MAX_BYTES + 1];

	if (config->progress == NULL)
		return;
	last_line(work, line);
	config->progress(config->context, work->step, clock_ns() - work->started_ns, line);
}

/*
 * All of it: what has a process group of its own (timeout, an interactive shell) as well. Servers
 * that a build leaves behind, such as a compiler cache's, are nobody's child any more and stay.
 */
static void stop_all(struct pgb_process *process)
{
	struct pgb_process_tree tree = {0};
	int ended = 0, wait_status;

	pgb_process_tree_hold(&tree, process->pid);
	pgb_process_tree_signal(&tree, process->pid, SIGTERM);
	for (int waited_ms = 0; ended == 0 && waited_ms < GRACE_MS; waited_ms += POLL_MS)
		ended = pgb_process_wait(process, POLL_MS, &wait_status, NULL);
	if (ended == 0)
		pgb_process_tree_signal(&tree, process->pid, SIGKILL);
	pgb_process_tree_release(&tree);
	pgb_process_stop(process, 0);
}

static int wait_for(struct work *work, struct pgb_process *process, int *wait_status,
		    struct pgb_error *error)
{
	int ended;

	while ((ended = pgb_process_wait(process, POLL_MS, wait_status, error)) == 0) {
		show_progress(work);
		if (is_stopped(work->pipeline)) {
			stop_all(process);
			return pgb_fail(error, PGB_E_INTERRUPTED, "interrupted: %s",
					work->step->title);
		}
	}
	return ended < 0 ? ended : 0;
}

/* Commands have a process group of their own: a signal to us stops them in our way. */
static int run_command(struct work *work, const char *command, struct pgb_error *error)
{
	char *script = pgb_format("%s%s", work->prelude, command);
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	const char *environment[] = {work->pipeline->environment, NULL};
	struct pgb_spawn spawn = {.argv = argv,
				  .environment = environment,
				  .quiet_stdin = true,
				  .fd_stdout = work->log,
				  .fd_stderr = work->log,
				  .own_group = true,
				  .die_with_parent = true};
	struct pgb_process process;
	int wait_status = 0;
	int code;

	dprintf(work->log, "$ %s\n", command);
	code = pgb_process_spawn(&process, &spawn, error);
	if (code == 0)
		code = wait_for(work, &process, &wait_status, error);
	if (code == 0 && is_stopped(work->pipeline))
		code = pgb_fail(error, PGB_E_INTERRUPTED, "interrupted: %s", work->step->title);
	if (code == 0 && wait_status != 0) {
		pgb_fail(error, PGB_E_TOOL, "%s failed: exit status %d of: %s", work->step->title,
			 pgb_process_exit_status(wait_status), command);
		code = pgb_remedy(error,
				  "all that it printed: %s\n"
				  "what is done stays: correct it, and type the same again",
				  work->log_path);
	}
	free(script);
	return code;
}

/* ---- one step */

static int open_log(struct work *work, struct pgb_error *error)
{
	work->log_path = pgb_format("%s/%s", work->pipeline->folder, work->step->log);
	/* appended to, as commands write by themselves; readable for the progress line */
	work->log = open(work->log_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (work->log >= 0)
		return 0;
	return pgb_fail(error, pgb_code_from_errno(errno), "cannot write %s: %s", work->log_path,
			strerror(errno));
}

static int write_state(struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	return pgb_pipeline_state_write(&pipeline->state, pipeline->folder, error);
}

static void set_text(char **to, char *text)
{
	free(*to);
	*to = text;
}

/* A build that came to its end: is it what was wanted? */
static int examine_build(struct work *work, struct pgb_error *error)
{
	const struct pgb_pipeline *pipeline = work->pipeline;
	int code = pgb_pipeline_check_binary(pipeline, error);

	if (code == 0 && !pipeline->config->allow_stale)
		code = pgb_pipeline_check_objects(pipeline, error);
	return code;
}

/* --strict failed it: that can be said better. */
static int explain_build(struct work *work, struct pgb_error *error)
{
	struct pgb_error better = {0};

	if (!work->pipeline->config->allow_stale &&
	    pgb_pipeline_check_objects(work->pipeline, &better) != 0)
		*error = better;
	return error->code;
}

static int run_commands(struct work *work, bool builds, struct pgb_error *error)
{
	const struct pgb_shim_words *commands = &work->step->commands;
	size_t count = commands->items.count;
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		/* the last command of a build copies what it made */
		if (builds && i + 1 == count)
			code = examine_build(work, error);
		if (code == 0)
			code = run_command(work, commands->items.items[i], error);
	}
	if (builds && code == PGB_E_TOOL)
		code = explain_build(work, error);
	return code;
}

/* The commands of check say it all: none failed. */
static int write_check(const struct work *work, struct pgb_error *error)
{
	char *path = pgb_pipeline_output(work->pipeline, STEP_CHECK);
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code == 0) {
		fputs("{\"passed\": true, \"variants\": [\"baseline\", \"pgo\", \"bolt\"]}\n",
		      out.stream);
		code = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	free(path);
	return code;
}

static int check_recording(const struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	char *folder = pgb_format("%s/recording", pipeline->folder);
	int code = pgb_pipeline_check_recording(pipeline, folder, error);

	free(folder);
	return code;
}

static int run_step(struct work *work, size_t index, struct pgb_error *error)
{
	struct pgb_pipeline *pipeline = work->pipeline;
	const struct pgb_step_facts *facts = pgb_step_facts(pipeline, index);
	char *output = pgb_pipeline_output(pipeline, index);
	int code = open_log(work, error);

	work->step->status = PGB_STEP_INTERRUPTED; /* should we be killed */
	if (facts->builds)
		set_text(&pipeline->state.tree, pgb_dup(""));
	if (code == 0)
		code = write_state(pipeline, error);
	work->started_ns = clock_ns();
	if (code == 0)
		code = run_commands(work, facts->builds, error);
	if (code == 0 && index == STEP_CHECK)
		code = write_check(work, error);
	work->step->seconds = (double)(clock_ns() - work->started_ns) / 1e9;
	if (code == 0) {
		set_text(&work->step->output_hash, pgb_pipeline_hash_file(output));
		if (work->step->output_hash == NULL)
			code = pgb_fail(error, PGB_E_NOT_FOUND, "%s left no %s", work->step->title,
					output);
	}
	if (code == 0 && index == STEP_RECORDING)
		code = check_recording(pipeline, error);
	if (code == 0 && facts->builds)
		set_text(&pipeline->state.tree, pgb_dup(facts->name));
	free(output);
	return code;
}

/* ---- sources */

static int write_sources(const struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	char *path = pgb_format("%s/sources", pipeline->folder);
	int code = pgb_sources_write(&pipeline->sources, path, error);

	free(path);
	return code;
}

/* Before the first build: what there is now is what will have been built. */
static void take_sources(struct pgb_pipeline *pipeline)
{
	if (pipeline->changed == NULL && !pipeline->config->fresh)
		return;
	pgb_sources_release(&pipeline->sources);
	pgb_sources_scan(&pipeline->sources,
			 pipeline->config->sources ? pipeline->config->sources : ".");
	set_text(&pipeline->changed, NULL);
	for (size_t i = 0; i < STEP_COUNT; i++)
		if (pgb_step_facts(pipeline, i)->builds)
			pipeline->state.steps.items[i].status = PGB_STEP_TODO;
}

/* What changed while building is taken for the build's own output, and that is said. */
static int drop_generated(struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	const char *changed = pgb_sources_changed(&pipeline->sources);
	char *text;
	size_t count;

	if (changed == NULL)
		return 0;
	text = pgb_dup(changed);
	count = pgb_sources_drop_changed(&pipeline->sources);
	if (config->warning) {
		char *line = pgb_format("changed while it was built, and so taken for its output: "
					"%s%s; if you changed it: --fresh",
					text, count > 1 ? " and others" : "");

		config->warning(config->context, line);
		free(line);
	}
	free(text);
	return write_sources(pipeline, error);
}

/* ---- all steps */

static int do_step(struct pgb_pipeline *pipeline, size_t index, struct pgb_error *error)
{
	struct work work = {
		.pipeline = pipeline, .step = &pipeline->state.steps.items[index], .log = -1};
	struct pgb_error writing = {0};
	int code;

	work.prelude = pgb_pipeline_prelude(pipeline);
	code = run_step(&work, index, error);
	if (code == 0 && pgb_step_facts(pipeline, index)->builds)
		code = drop_generated(pipeline, error);
	if (code == 0)
		set_text(&work.step->key, pgb_pipeline_key(pipeline, index));
	work.step->status = code == 0			? PGB_STEP_DONE
			    : code == PGB_E_INTERRUPTED ? PGB_STEP_INTERRUPTED
							: PGB_STEP_FAILED;
	if (work.log >= 0)
		close(work.log);
	free(work.prelude);
	free(work.log_path);
	if (write_state(pipeline, &writing) != 0 && code == 0) {
		*error = writing;
		code = writing.code;
	}
	return code;
}

/* A build that turned out to be kept may have left another's files in the project. */
static bool needs_build(const struct pgb_pipeline *pipeline, size_t index)
{
	enum pgb_step_index tree = pgb_step_facts(pipeline, index)->tree;

	return tree != STEP_COUNT &&
	       strcmp(pipeline->state.tree, pgb_step_facts(pipeline, tree)->name) != 0;
}

static int do_step_and_tell(struct pgb_pipeline *pipeline, size_t index,
			    const struct pgb_step **failed, struct pgb_error *error)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	const struct pgb_step *step = &pipeline->state.steps.items[index];
	int code = do_step(pipeline, index, error);

	if (config->ended)
		config->ended(config->context, step, false);
	if (code != 0)
		*failed = step;
	return code;
}

static int do_steps(struct pgb_pipeline *pipeline, const struct pgb_step **failed,
		    struct pgb_error *error)
{
	const struct pgb_pipeline_config *config = pipeline->config;
	int code = 0;

	for (size_t i = 0; i < STEP_COUNT && code == 0; i++) {
		const struct pgb_step *step = &pipeline->state.steps.items[i];
		bool kept = !pipeline->forced[i] && pgb_pipeline_is_done(pipeline, i);

		if (!pgb_pipeline_wants(pipeline, i))
			continue;
		if (is_stopped(pipeline))
			return pgb_fail(error, PGB_E_INTERRUPTED, "interrupted before: %s",
					step->title);
		if (kept && config->ended)
			config->ended(config->context, step, true);
		if (!kept && needs_build(pipeline, i))
			code = do_step_and_tell(pipeline, pgb_step_facts(pipeline, i)->tree, failed,
						error);
		if (!kept && code == 0)
			code = do_step_and_tell(pipeline, i, failed, error);
	}
	return code;
}

static void place(const struct pgb_pipeline *pipeline, enum pgb_step_index step)
{
	char *line = pgb_pipeline_place(pipeline, step);
	const char *argv[] = {"/bin/sh", "-c", line, NULL};
	struct pgb_spawn spawn = {.argv = argv};

	(void)pgb_process_run(&spawn, 0, NULL, NULL, &(int){0}, NULL);
	free(line);
}

/* Where all behind the training was kept, what lies there counts. */
static void place_last(const struct pgb_pipeline *pipeline)
{
	char *hash = pgb_pipeline_hash_file(pipeline->config->binary);
	const char *wanted = pipeline->state.steps.items[STEP_PGO].output_hash;

	if (hash == NULL || wanted == NULL || strcmp(hash, wanted) != 0)
		place(pipeline, STEP_PGO);
	free(hash);
}

/* A copy that lies in the binary's place as a link would change with the next build. */
static void restore_binary(struct pgb_pipeline *pipeline)
{
	static const enum pgb_step_index copies[] = {STEP_BASELINE, STEP_INSTRUMENTED, STEP_PGO,
						     STEP_BOLT};

	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		char *copy = pgb_pipeline_output(pipeline, copies[i]);

		if (pgb_file_same(copy, pipeline->config->binary))
			place(pipeline,
			      copies[i] == STEP_INSTRUMENTED ? STEP_INSTRUMENTED : STEP_PGO);
		free(copy);
	}
}

static int write_script(const struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	char *path = pgb_format("%s/replay.sh", pipeline->folder);
	char *text = pgb_pipeline_script(pipeline);
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code == 0) {
		fputs(text, out.stream);
		code = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
		(void)chmod(path, 0777 & ~022);
	}
	free(path);
	free(text);
	return code;
}

static int make_folders(const struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	char *logs = pgb_format("%s/logs", pipeline->folder);
	int code = pgb_file_make_directories(logs, error);

	free(logs);
	return code;
}

int pgb_pipeline_run(struct pgb_pipeline *pipeline, const struct pgb_step **failed,
		     struct pgb_error *error)
{
	int lock = -1;
	int code = make_folders(pipeline, error);

	*failed = NULL;
	if (code == 0)
		code = pgb_pipeline_lock(pipeline->config->state, &lock, error);
	if (code == 0) {
		restore_binary(pipeline);
		take_sources(pipeline);
		code = write_sources(pipeline, error);
	}
	if (code == 0)
		code = write_script(pipeline, error);
	if (code == 0) {
		code = do_steps(pipeline, failed, error);
		restore_binary(pipeline);
		if (code == 0)
			place_last(pipeline);
	}
	if (lock >= 0)
		close(lock);
	return code;
}
