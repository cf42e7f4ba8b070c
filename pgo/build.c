/* SPDX-License-Identifier: MIT */
#include "pgo/build_private.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

enum { LOG_SIZE_MAX = 256 << 20 };

/* ---- the environment */

/* By which builds are told their compiler, in the environment or on a command line. */
static const char *const compiler_variables[] = {
	"CC",	 "CXX",	  "OBJC",     "OBJCXX",		  "LD",
	"CCLD",	 "CXXLD", "LDSHARED", "CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER",
	"RUSTC", "CARGO", "STRIP",    "BASECC",		  NULL};

/* "CC=..", "-DCMAKE_C_COMPILER:PATH=..": where the value begins; NULL: another word. */
static const char *compiler_value(const char *word)
{
	const char *name = strncmp(word, "-D", 2) == 0 ? word + 2 : word;
	size_t length = strcspn(name, ":=");

	for (size_t i = 0; compiler_variables[i]; i++)
		if (strlen(compiler_variables[i]) == length &&
		    strncmp(compiler_variables[i], name, length) == 0) {
			const char *equals = strchr(name, '=');

			return equals ? equals + 1 : NULL;
		}
	return NULL;
}

static void add_argument(struct pgb_build_environment *environment, const char *word)
{
	const char *value = compiler_value(word);
	char *shim = value ? pgb_build_shim_for(environment->state, value) : NULL;

	if (shim)
		pgb_array_push(&environment->argv.items,
			       pgb_format("%.*s%s", (int)(value - word), word, shim));
	else
		pgb_shim_words_add(&environment->argv, word);
	free(shim);
}

/* What argv[0] is found as with the shims first in PATH; NULL: as it stands. */
static char *find_command(const struct pgb_build_environment *environment, const char *name)
{
	char *shim, *path;

	if (strchr(name, '/') == NULL)
		shim = pgb_dup(name);
	else
		shim = pgb_build_shim_for(environment->state, name);
	if (shim == NULL)
		return NULL;
	path = pgb_format("%s/bin/%s", environment->state, shim);
	free(shim);
	if (pgb_tool_kind(path) != PGB_TOOL_NONE && pgb_file_is_executable(path))
		return path;
	free(path);
	return NULL;
}

void pgb_build_environment_add(struct pgb_build_environment *environment, char *assignment)
{
	size_t last = environment->variables.items.count - 1;

	environment->variables.items.items[last] = assignment;
	pgb_array_push(&environment->variables.items, NULL);
}

static void add_variables(struct pgb_build_environment *environment,
			  const struct pgb_build_config *config)
{
	const char *path = getenv("PATH"), *extra = getenv("CCACHE_EXTRAFILES");
	char *without = pgb_shim_path_without(path ? path : PGB_PROCESS_PATH_DEFAULT);
	const char *state = environment->state;

	pgb_array_push(&environment->variables.items, NULL);
	pgb_build_environment_add(environment, pgb_format("PATH=%s/bin:%s", state, without));
	pgb_build_environment_add(environment, pgb_format(PGB_SHIM_STATE_VARIABLE "=%s", state));
	pgb_build_environment_add(environment, pgb_format(PGB_SHIM_MODE_VARIABLE "=%s",
							  pgb_build_mode_word(config->mode)));
	if (config->lines)
		pgb_build_environment_add(environment, pgb_dup(PGB_SHIM_LINES_VARIABLE "=1"));
	if (config->partial_training)
		pgb_build_environment_add(environment, pgb_dup(PGB_SHIM_PARTIAL_VARIABLE "=1"));
	/* Where ccache takes a shim for the compiler, it must still see that the mode changed. */
	pgb_build_environment_add(environment,
				  pgb_format("CCACHE_EXTRAFILES=%s%s%s/mode", extra ? extra : "",
					     extra ? ":" : "", state));
	for (size_t i = 0; compiler_variables[i]; i++) {
		const char *value = getenv(compiler_variables[i]);
		char *shim = value ? pgb_build_shim_for(state, value) : NULL;

		if (shim)
			pgb_build_environment_add(environment,
						  pgb_format("%s=%s", compiler_variables[i], shim));
		free(shim);
	}
	free(without);
}

/* The folder, with a word to git that nothing in it is source. */
static int make_state(const char *path, char **absolute, struct pgb_error *error)
{
	int status = pgb_file_make_directories(path, error);
	struct pgb_out_file out;
	char *ignore;

	if (status == PGB_E_PERMISSION && error) {
		error->remedy[0] = '\0'; /* there is a better one than to look who may */
		return pgb_remedy(error, "it belongs beside the project; where you may not write, "
					 "keep it elsewhere: --state DIR");
	}
	if (status != 0)
		return status;
	*absolute = realpath(path, NULL);
	if (*absolute == NULL)
		return pgb_fail(error, pgb_code_from_errno(errno), "cannot find %s: %s", path,
				strerror(errno));
	if (strpbrk(*absolute, ":%")) {
		pgb_fail(error, PGB_E_NOT_SUITABLE, "%s has a %s", *absolute,
			 strchr(*absolute, ':')
				 ? "colon in its path: it cannot stand in PATH"
				 : "percent sign in its path: programs that count "
				   "would write elsewhere, by what stands behind it");
		(void)rmdir(*absolute); /* what is in it stays */
		return pgb_remedy(error, "keep it where there is none: --state DIR");
	}
	ignore = pgb_format("%s/.gitignore", *absolute);
	if (access(ignore, F_OK) != 0) {
		status = pgb_out_open(&out, ignore, error);
		if (status == 0) {
			fputs("*\n", out.stream);
			status = pgb_out_commit(&out, error);
			pgb_out_discard(&out);
		}
	}
	free(ignore);
	return status;
}

int pgb_build_environment_init(struct pgb_build_environment *environment,
			       const struct pgb_build_config *config, struct pgb_error *error)
{
	int status;

	*environment = (struct pgb_build_environment){.stop = config->stop};
	status = make_state(config->state, &environment->state, error);
	if (status == 0)
		status = pgb_build_shims(environment->state, error);
	if (status != 0)
		return status;
	add_variables(environment, config);
	environment->file = find_command(environment, config->argv[0]);
	pgb_shim_words_add(&environment->argv,
			   environment->file ? environment->file : config->argv[0]);
	for (size_t i = 1; config->argv[i]; i++)
		add_argument(environment, config->argv[i]);
	pgb_array_push(&environment->argv.items, NULL);
	return 0;
}

void pgb_build_environment_release(struct pgb_build_environment *environment)
{
	pgb_shim_words_release(&environment->variables);
	pgb_shim_words_release(&environment->argv);
	free(environment->file);
	free(environment->state);
}

/* ---- the build */

static size_t log_size(const char *state)
{
	char *path = pgb_format("%s/" PGB_SHIM_LOG, state);
	struct stat status;
	size_t size = stat(path, &status) == 0 ? (size_t)status.st_size : 0;

	free(path);
	return size;
}

char *pgb_build_log(const char *state)
{
	char *path = pgb_format("%s/" PGB_SHIM_LOG, state);
	struct pgb_text text = {0};

	if (pgb_file_read(&text, path, LOG_SIZE_MAX, NULL) != 0)
		text.length = 0;
	if (text.data)
		text.data[text.length] = '\0';
	free(path);
	return pgb_text_detach(&text);
}

int pgb_build_command(const struct pgb_build_environment *environment, int *wait_status,
		      struct pgb_error *error)
{
	struct pgb_spawn spawn = {
		.argv = (const char *const *)environment->argv.items.items,
		.file = environment->file,
		.environment = (const char *const *)environment->variables.items.items,
	};
	struct pgb_process process;
	int status;

	/* What interrupted us while compilers were asked was meant for the command as well. */
	if (environment->stop && *environment->stop)
		return pgb_fail(error, PGB_E_INTERRUPTED, "interrupted before the command began");
	status = pgb_process_spawn(&process, &spawn, error);
	if (status == 0)
		status = pgb_process_wait(&process, -1, wait_status, error);
	return status < 0 ? status : 0;
}

static void remove_folder(const char *state, const char *name)
{
	char *path = pgb_format("%s/%s", state, name);

	(void)pgb_file_remove_tree(path, NULL);
	free(path);
}

/* As one types it. */
static const char *mode_option(enum pgb_build_mode mode)
{
	return mode == PGB_BUILD_NONE		 ? "plain"
	       : mode == PGB_BUILD_INSTRUMENT_CS ? "instrument --cs"
						 : pgb_build_mode_word(mode);
}

/* Nothing came through the shims: neither now nor since the mode began. */
static int fail_empty(const struct pgb_build_config *config, struct pgb_error *error)
{
	char *line = pgb_process_command_line(config->argv);

	pgb_fail(error, PGB_E_EMPTY, "nothing was compiled by: %s", line);
	pgb_remedy(
		error,
		"if all was built before, remove that (make clean) and build again\n"
		"if the build was configured with a compiler's full path (CMake does), configure "
		"it again by pgobolt build --%s -- .., in a new folder\n"
		"if its files name a compiler by a path, name it without one: make CC=gcc\n"
		"if it clears the environment (env -i, sudo, a login shell), do that outside: sudo "
		"pgobolt build ..",
		mode_option(config->mode));
	free(line);
	return PGB_E_EMPTY;
}

static bool is_empty(const struct pgb_build_result *result)
{
	return result->compiled + result->linked + result->cargo +
		       result->own_profile.items.count ==
	       0;
}

/* profile/llvm-22.profdata, profile/gcc-12 */
static void list_trained(const char *state, struct pgb_shim_words *trained)
{
	char *folder = pgb_format("%s/profile", state);
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char *name = entries[i]->d_name, *ending = strstr(name, ".profdata");
		struct pgb_compiler compiler;

		if (ending)
			*ending = '\0';
		if (pgb_compiler_from_key(&compiler, name))
			pgb_shim_words_add(trained, name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(folder);
}

static int examine(const struct pgb_build_config *config, const char *state, size_t size_before,
		   struct pgb_build_result *result, struct pgb_error *error)
{
	bool counts =
		config->mode == PGB_BUILD_INSTRUMENT || config->mode == PGB_BUILD_INSTRUMENT_CS;
	struct pgb_build_result whole = {0};
	char *log = pgb_build_log(state);
	size_t length = strlen(log);
	int status = 0;

	pgb_build_read_log(result, log + (size_before < length ? size_before : length));
	pgb_build_read_log(&whole, log);
	pgb_build_check_inputs(result, &whole, state, config->mode);
	list_trained(state, &result->trained);
	if (pgb_build_mode_is_final(config->mode))
		pgb_build_check_outputs(result);
	if (size_before >= length && is_empty(&whole) && result->exit_status == 0)
		status = fail_empty(config, error);
	/* Counts of programs that are no more. */
	if (counts && result->compiled + result->cargo > 0) {
		(void)pgb_build_forget_runs(state, config->mode == PGB_BUILD_INSTRUMENT_CS, NULL);
		remove_folder(state, "raw");
	}
	pgb_build_result_release(&whole);
	free(log);
	return status;
}

int pgb_build_run(const struct pgb_build_config *config, struct pgb_build_result *result,
		  struct pgb_error *error)
{
	struct pgb_build_environment environment;
	size_t size_before = 0;
	int wait_status = 0;
	int status = pgb_build_environment_init(&environment, config, error);

	*result = (struct pgb_build_result){0};
	if (status == 0)
		status = pgb_build_set_mode(&environment, config, error);
	if (status == 0) {
		size_before = log_size(environment.state);
		/* What the build itself runs is no training. */
		pgb_build_environment_add(&environment, pgb_dup("LLVM_PROFILE_FILE=/dev/null"));
		pgb_build_environment_add(
			&environment, pgb_format("GCOV_PREFIX=%s/discarded", environment.state));
		status = pgb_build_command(&environment, &wait_status, error);
		result->exit_status = pgb_process_exit_status(wait_status);
		remove_folder(environment.state, "discarded");
	}
	if (status == 0)
		status = examine(config, environment.state, size_before, result, error);
	pgb_build_environment_release(&environment);
	return status;
}
