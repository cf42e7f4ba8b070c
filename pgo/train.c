/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/train_private.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"

/* ---- the run */

/* Number of folders in an absolute path: what GCOV_PREFIX_STRIP has to take away. */
static unsigned int path_depth(const char *path)
{
	unsigned int depth = 0;

	for (; *path; path++)
		depth += path[0] == '/' && path[1] != '/' && path[1] != '\0';
	return depth;
}

/* For as long as the descriptor is open; waits for who has it. -1: it cannot be locked. */
static int lock_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX) != 0)
		if (errno != EINTR)
			break;
	return fd;
}

static int write_line(const char *run, const char *name, unsigned long number,
		      struct pgb_error *error)
{
	char *path = pgb_format("%s/%s", run, name);
	struct pgb_out_file out;
	int status = pgb_out_open(&out, path, error);

	if (status == 0) {
		fprintf(out.stream, "%lu\n", number);
		status = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	free(path);
	return status;
}

/* The first number that is free, also where others begin at the same time. */
static int claim_run(struct train *train, const char *runs, struct pgb_error *error)
{
	for (unsigned int number = 1;; number++) {
		train->run = pgb_format("%s/%u", runs, number);
		if (mkdir(train->run, 0777) == 0)
			break;
		if (errno != EEXIST)
			return pgb_fail(error, pgb_code_from_errno(errno),
					"cannot make the folder %s: %s", train->run,
					strerror(errno));
		free(train->run);
	}
	train->at_work = lock_folder(train->run);
	return 0;
}

static int make_run(struct train *train, struct pgb_error *error)
{
	char *runs = pgb_format("%s/runs", train->state);
	int status = 0;

	if (train->config->new_runs)
		status = pgb_build_forget_runs(train->state, train->cs, error);
	if (status == 0)
		status = pgb_file_make_directories(runs, error);
	if (status == 0)
		status = claim_run(train, runs, error);
	free(runs);
	if (status != 0)
		return status;
	status = write_line(train->run, "weight", train->config->weight, error);
	return status == 0 && train->cs ? write_line(train->run, PGB_RUN_CS, 1, error) : status;
}

static int run_command(struct train *train, struct pgb_error *error)
{
	struct pgb_build_config config = {.mode = train->cs ? PGB_BUILD_INSTRUMENT_CS
							    : PGB_BUILD_INSTRUMENT,
					  .state = train->config->state,
					  .argv = train->config->argv,
					  .stop = train->config->stop};
	struct pgb_build_environment environment;
	int status = pgb_build_environment_init(&environment, &config, error);

	if (status == 0) {
		/* raw/gcc-12/NAME.gcda becomes runs/N/gcc-12/NAME.gcda */
		pgb_build_environment_add(&environment, pgb_format("GCOV_PREFIX=%s", train->run));
		pgb_build_environment_add(&environment, pgb_format("GCOV_PREFIX_STRIP=%u",
								   path_depth(train->state) + 1));
		/* %m: the binary; %p: the process */
		pgb_build_environment_add(
			&environment,
			pgb_format("LLVM_PROFILE_FILE=%s/%%m_%%p.profraw", train->run));
		train->result->starting = true;
		status = pgb_build_command(&environment, &train->result->wait_status, error);
		train->result->started = status == 0;
		train->result->starting = status != 0;
	}
	pgb_build_environment_release(&environment);
	return status;
}

/* ---- before and after */

/* "../../.pgobolt"; NULL: in none of them. The caller frees it. */
static char *find_above(const char *state)
{
	enum { FOLDERS_MOST = 32 };
	struct pgb_text prefix = {0};
	char *found = NULL;

	for (int i = 0; i < FOLDERS_MOST && state[0] != '/' && found == NULL; i++) {
		pgb_text_add(&prefix, "../");
		found = pgb_format("%s%s", prefix.data, state);
		if (pgb_build_last_mode(found) == PGB_BUILD_NONE) {
			free(found);
			found = NULL;
		}
	}
	pgb_text_release(&prefix);
	return found;
}

static int check_state(struct train *train, struct pgb_error *error)
{
	const char *state = train->config->state;
	char *above, *option;

	if (access(state, F_OK) == 0 && pgb_build_last_mode(state) != PGB_BUILD_NONE) {
		train->state = realpath(state, NULL);
		train->cs = pgb_build_last_mode(state) == PGB_BUILD_INSTRUMENT_CS;
		if (access(state, W_OK) == 0)
			return 0;
		return pgb_fail(error, PGB_E_PERMISSION, "cannot write profiles to %s: %s", state,
				strerror(errno));
	}
	pgb_fail(error, PGB_E_NOT_FOUND, "no build that pgobolt instrumented is known here: %s%s",
		 access(state, F_OK) == 0 ? "none in " : "no ", state);
	above = find_above(state);
	option = pgb_build_state_option(state);
	if (above)
		pgb_remedy(error, "there is one in a folder above: --state %s", above);
	else
		pgb_remedy(error, "pgobolt build --instrument%s -- BUILD COMMAND", option);
	free(option);
	free(above);
	return PGB_E_NOT_FOUND;
}

void pgb_train_result_release(struct pgb_train_result *result)
{
	for (size_t i = 0; i < result->profiles.count; i++) {
		free(result->profiles.items[i].key);
		free(result->profiles.items[i].path);
		free(result->profiles.items[i].unreached_path);
		pgb_text_release(&result->profiles.items[i].counts.unreached);
	}
	pgb_array_release(&result->profiles);
}

/* One after the other: all merge into the same files. */
static int merge_in_turn(struct train *train, struct pgb_error *error)
{
	char *runs = pgb_format("%s/runs", train->state);
	int lock = lock_folder(runs);
	int status = pgb_train_merge(train, error);

	if (lock >= 0)
		close(lock);
	free(runs);
	return status;
}

int pgb_train_run(const struct pgb_train_config *config, struct pgb_train_result *result,
		  struct pgb_error *error)
{
	struct train train = {.config = config, .result = result, .at_work = -1};
	int status;

	*result = (struct pgb_train_result){0};
	status = check_state(&train, error);
	if (status == 0)
		status = make_run(&train, error);
	if (status == 0)
		status = run_command(&train, error);
	if (status == 0)
		status = merge_in_turn(&train, error);
	/* A run that gave nothing must not stay as one that did. */
	if (status != 0 && train.run)
		(void)pgb_file_remove_tree(train.run, NULL);
	if (train.at_work >= 0)
		close(train.at_work);
	free(train.run);
	free(train.state);
	return status;
}
