/* SPDX-License-Identifier: MIT */
/* What kind of build the state folder is in, and the profile that it uses. */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/build_private.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/input.h"

enum { SMALL_SIZE_MAX = 4096 };

#define SAMPLE_PREFIX "sample-"

static char *read_small(const char *state, const char *name)
{
	char *path = pgb_format("%s/%s", state, name);
	struct pgb_text text = {0};

	if (pgb_file_read(&text, path, SMALL_SIZE_MAX, NULL) != 0)
		text.length = 0;
	if (text.data)
		text.data[text.length] = '\0';
	free(path);
	return pgb_text_detach(&text);
}

enum pgb_build_mode pgb_build_last_mode(const char *state)
{
	char *mode = read_small(state, "mode");
	enum pgb_build_mode found;

	mode[strcspn(mode, " \n")] = '\0';
	found = pgb_build_mode_of(mode);
	free(mode);
	return found;
}

int64_t pgb_build_started_ns(const char *state)
{
	char *path = pgb_format("%s/mode", state);
	struct stat status;
	int64_t started_ns = 0;

	if (stat(path, &status) == 0)
		started_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
	free(path);
	return started_ns;
}

/* ---- the sample profile */

/* "sample-HASH.afdo"; the caller frees it. */
static int name_sample(const char *path, char **name, struct pgb_error *error)
{
	enum pgb_input_kind kind;
	struct pgb_file_map map;
	int code = pgb_input_identify(path, &kind, error);

	if (code == 0 && kind != PGB_INPUT_SAMPLES) {
		code = pgb_input_refuse(path, kind, "a sample profile", error);
		if (kind == PGB_INPUT_RECORDING || kind == PGB_INPUT_PERF_DATA)
			pgb_remedy(error, "pgobolt convert -b BINARY %s --format autofdo -o OUT",
				   path);
	}
	if (code == 0)
		code = pgb_file_map_open(&map, path, error);
	if (code != 0)
		return code;
	*name = pgb_format(
		SAMPLE_PREFIX "%016" PRIx64 ".afdo",
		pgb_hash_combine(pgb_hash_stream(PGB_HASH_SEED, map.bytes, map.size_bytes),
				 map.size_bytes));
	pgb_file_map_close(&map);
	return 0;
}

static void remove_samples_but(const char *folder, const char *kept)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char *path = pgb_format("%s/%s", folder, entries[i]->d_name);

		if (strncmp(entries[i]->d_name, SAMPLE_PREFIX, strlen(SAMPLE_PREFIX)) == 0 &&
		    strcmp(entries[i]->d_name, kept) != 0)
			unlink(path);
		free(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/*
 * A copy under a name of its content: whatever happens to the file while the build runs, and no
 * compiler cache takes a new profile for an old one.
 */
static int keep_sample(struct pgb_build_environment *environment, const char *sample, char **name,
		       struct pgb_error *error)
{
	char *folder = pgb_format("%s/profile", environment->state), *path = NULL;
	int code = name_sample(sample, name, error);

	if (code == 0)
		code = pgb_file_make_directories(folder, error);
	if (code == 0) {
		path = pgb_format("%s/%s", folder, *name);
		if (access(path, F_OK) != 0)
			code = pgb_file_copy(sample, path, error);
	}
	if (code == 0) {
		remove_samples_but(folder, *name);
		pgb_build_environment_add(environment,
					  pgb_format(PGB_SHIM_SAMPLE_VARIABLE "=%s", path));
	}
	free(folder);
	free(path);
	return code;
}

/* ---- the mode */

char *pgb_build_state_option(const char *state)
{
	const char *argv[] = {"--state", state, NULL};
	char *words, *option;

	if (strcmp(state, PGB_STATE_DEFAULT) == 0)
		return pgb_dup("");
	words = pgb_process_command_line(argv);
	option = pgb_format(" %s", words);
	free(words);
	return option;
}

/* Names what the build uses; "" where it needs no profile. */
static int find_profile(struct pgb_build_environment *environment,
			const struct pgb_build_config *config, char **profile,
			struct pgb_error *error)
{
	char *option;

	if (config->mode == PGB_BUILD_USE && config->sample)
		return keep_sample(environment, config->sample, profile, error);
	if (config->mode != PGB_BUILD_USE && config->mode != PGB_BUILD_INSTRUMENT_CS) {
		*profile = pgb_dup("");
		return 0;
	}
	*profile = read_small(environment->state, "profile/id");
	if ((*profile)[0] != '\0')
		return 0;
	pgb_fail(error, PGB_E_EMPTY, "there is no profile to use in %s", config->state);
	option = pgb_build_state_option(config->state);
	pgb_remedy(error,
		   "pgobolt build --instrument%s -- BUILD COMMAND\n"
		   "pgobolt train%s -- PROGRAM ARGS",
		   option, option);
	free(option);
	return PGB_E_EMPTY;
}

/* A folder of cargo's for one build script: "engine-0123456789abcdef". */
static bool is_unit(const char *name, size_t length)
{
	enum { HASH_DIGITS = 16 };

	if (length < HASH_DIGITS + 2 || name[length - HASH_DIGITS - 1] != '-')
		return false;
	for (size_t i = length - HASH_DIGITS; i < length; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return true;
}

/* TARGET/build/UNIT/out/..: what cargo remembers of the unit is in TARGET/.fingerprint/UNIT. */
static void forget_script(const char *object)
{
	const char *build = strstr(object, "/build/"), *unit, *out;
	char *memory;

	for (; build != NULL; build = strstr(unit, "/build/")) {
		unit = build + strlen("/build/");
		out = strchr(unit, '/');
		if (out == NULL || strncmp(out, "/out/", 5) != 0 ||
		    !is_unit(unit, (size_t)(out - unit)))
			continue;
		memory = pgb_format("%.*s/.fingerprint/%.*s", (int)(build - object), object,
				    (int)(out - unit), unit);
		(void)pgb_file_remove_tree(memory, NULL);
		free(memory);
	}
}

void pgb_build_forget_scripts(const char *state)
{
	char *log = pgb_build_log(state);
	char *at = log, *line;

	while ((line = strsep(&at, "\n")) != NULL)
		if (strncmp(line, "object\t", 7) == 0)
			forget_script(line + 7);
	free(log);
}

static int write_mode(const char *state, const char *mode, struct pgb_error *error)
{
	char *path = pgb_format("%s/mode", state), *log = pgb_format("%s/" PGB_SHIM_LOG, state);
	struct pgb_out_file out;
	int code;

	pgb_build_forget_scripts(state);
	unlink(log);
	code = pgb_out_open(&out, path, error);
	if (code == 0) {
		fputs(mode, out.stream);
		code = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	free(path);
	free(log);
	return code;
}

int pgb_build_set_mode(struct pgb_build_environment *environment,
		       const struct pgb_build_config *config, struct pgb_error *error)
{
	char *profile = NULL, *before, *now;
	int code = find_profile(environment, config, &profile, error);

	if (code == 0) {
		before = read_small(environment->state, "mode");
		now = pgb_format("%s%s%s %.*s\n", pgb_build_mode_word(config->mode),
				 config->partial_training ? " partial-training" : "",
				 config->lines ? " lines" : "", (int)strcspn(profile, "\n"),
				 profile);
		/* a context-sensitive build is merged into the profile that it was made with */
		if (strcmp(before, now) != 0)
			code = write_mode(environment->state, now, error);
		free(before);
		free(now);
	}
	free(profile);
	return code;
}

/* ---- training runs */

int pgb_build_forget_runs(const char *state, bool only_cs, struct pgb_error *error)
{
	char *runs = pgb_format("%s/runs", state);
	struct dirent **entries = NULL;
	int code = 0, count;

	if (!only_cs) {
		code = pgb_file_remove_tree(runs, error);
		free(runs);
		return code;
	}
	count = scandir(runs, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *run = pgb_format("%s/%s", runs, entries[i]->d_name);
		char *mark = pgb_format("%s/" PGB_RUN_CS, run);

		if (entries[i]->d_name[0] != '.' && code == 0 && access(mark, F_OK) == 0)
			code = pgb_file_remove_tree(run, error);
		free(run);
		free(mark);
		free(entries[i]);
	}
	free(entries);
	free(runs);
	return code;
}
