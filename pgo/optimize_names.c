/* SPDX-License-Identifier: MIT */
/* The functions that a profile names, those that a search may name, and lists for llvm-bolt. */
#include <stdlib.h>
#include <string.h>

#include "pgo/optimize_private.h"
#include "pgobolt/collector/file.h"

enum { PATTERN_BYTES_MOST = 16 * 1024 * 1024 };

static void mark(const struct pgb_optimize_run *run, bool *profiled, uint32_t name)
{
	const struct pgb_elf_function *function;

	if (name == PGB_NAME_UNKNOWN)
		return;
	function = pgb_elf_image_function_named(run->image, pgb_profile_name(run->profile, name));
	if (function != NULL)
		profiled[function - pgb_elf_image_function(run->image, 0)] = true;
}

bool *pgb_optimize_profiled(const struct pgb_optimize_run *run)
{
	bool *profiled = pgb_calloc(pgb_elf_image_function_count(run->image) + 1, sizeof(bool));
	const struct pgb_profile_branch *branches;
	const struct pgb_profile_sample *samples;
	size_t count;

	branches = pgb_profile_branches(run->profile, &count);
	for (size_t i = 0; i < count; i++) {
		mark(run, profiled, branches[i].from.name);
		mark(run, profiled, branches[i].to.name);
	}
	samples = pgb_profile_samples(run->profile, &count);
	for (size_t i = 0; i < count; i++)
		mark(run, profiled, samples[i].at.name);
	return profiled;
}

/* llvm-bolt takes functions to skip or functions to work on: the latter must not hold the former.
 */
static bool is_left_alone(const struct pgb_trials *trials, const struct pgb_elf_function *function)
{
	const char *const *skip = trials->base.skip_functions;

	for (uint32_t i = 0; i <= function->alias_count; i++) {
		const char *name = i == 0 ? function->name
					  : pgb_elf_image_alias(trials->run->image,
								function->alias_first + i - 1);

		for (size_t k = 0; skip != NULL && skip[k] != NULL; k++)
			if (strcmp(skip[k], name) == 0)
				return true;
		for (size_t k = 0; k < trials->names.patterns.count; k++)
			if (regexec(&trials->names.patterns.items[k], name, 0, NULL, 0) == 0)
				return true;
	}
	return false;
}

/* Each line of the user's file is a pattern for whole names. */
static int read_patterns(struct pgb_optimize_names *names, const char *path,
			 struct pgb_error *error)
{
	struct pgb_text text = {0};
	char *rest, *line;
	int code;

	if (path == NULL)
		return 0;
	code = pgb_file_read(&text, path, PATTERN_BYTES_MOST, error);
	rest = code == 0 ? pgb_dup(pgb_text_string(&text)) : NULL;
	for (char *at = rest; (line = at ? strsep(&at, "\n") : NULL) != NULL;) {
		char *whole = pgb_format("^(%s)$", line);
		regex_t pattern;

		if (line[0] != '\0' && regcomp(&pattern, whole, REG_EXTENDED | REG_NOSUB) == 0)
			pgb_array_push(&names->patterns, pattern);
		free(whole);
	}
	free(rest);
	pgb_text_release(&text);
	return code;
}

int pgb_trials_collect_names(struct pgb_trials *trials, struct pgb_error *error)
{
	const struct pgb_elf_image *image = trials->run->image;
	struct pgb_optimize_names *names = &trials->names;
	int code = read_patterns(names, trials->base.skip_functions_file, error);
	bool *profiled;

	if (code != 0)
		return code;
	profiled = pgb_optimize_profiled(trials->run);
	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);

		if (!function->is_fragment && (function->is_plt || !profiled[i]))
			continue;
		if (is_left_alone(trials, function))
			continue;
		if (function->is_fragment)
			pgb_array_push(&names->fragments, function);
		else
			pgb_array_push(&names->functions, function);
	}
	free(profiled);
	return 0;
}

void pgb_trials_release_names(struct pgb_trials *trials)
{
	struct pgb_optimize_names *names = &trials->names;

	for (size_t i = 0; i < names->patterns.count; i++)
		regfree(&names->patterns.items[i]);
	pgb_array_release(&names->patterns);
	pgb_array_release(&names->functions);
	pgb_array_release(&names->fragments);
}

int pgb_trials_write_names(const struct pgb_trials *trials, const char *path,
			   const struct pgb_elf_function *const *functions, size_t count,
			   struct pgb_error *error)
{
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code != 0)
		return code;
	/* an empty list would mean all functions */
	fprintf(out.stream, "__pgobolt_no_function\n");
	for (size_t i = 0; i < count; i++)
		fprintf(out.stream, "%s\n", functions[i]->name);
	/* a function whose fragment is left alone is left alone, too */
	for (size_t i = 0; i < trials->names.fragments.count; i++)
		fprintf(out.stream, "%s\n", trials->names.fragments.items[i]->name);
	return pgb_out_commit(&out, error);
}
