/* SPDX-License-Identifier: MIT */
/*
 * Which objects that went into a build's links were not compiled as the build has it: they are
 * older, or count where they must not, or something else than its compilers made them. An object
 * tells whether it counts; that it was compiled with a profile it does not, so in a final build it
 * goes by names: what was compiled before may have been moved, renamed or put into an archive.
 */
#include "pgo/build_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgobolt/bolt/elf_objects.h"

struct judge {
	struct pgb_build_result *result;
	enum pgb_build_mode mode;
	struct pgb_shim_words compiled, own; /* names without folder and ending, ascending */
	const char *path;		     /* of what is looked at */
};

/* "a/work.o" and "work.c" are "work"; the caller frees it. */
static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');

	return pgb_dup_bytes(base, dot > base ? (size_t)(dot - base) : strlen(base));
}

static void list_stems(struct pgb_shim_words *stems, const struct pgb_shim_words *files)
{
	for (size_t i = 0; i < files->items.count; i++)
		pgb_array_push(&stems->items, stem_of(files->items.items[i]));
	pgb_shim_words_sort(stems);
}

static bool is_listed(const struct pgb_shim_words *stems, const char *path)
{
	char *stem = path ? stem_of(path) : NULL;
	bool found = stem && pgb_shim_words_find(stems, stem);

	free(stem);
	return found;
}

static bool is_of(const struct judge *judge, const struct pgb_shim_words *stems,
		  const struct pgb_elf_object *object)
{
	return is_listed(stems, object->member ? object->member : judge->path) ||
	       is_listed(stems, object->source);
}

static void name_object(struct pgb_shim_words *names, const struct judge *judge,
			const struct pgb_elf_object *object)
{
	if (object->member)
		pgb_array_push(&names->items, pgb_format("%s(%s)", judge->path, object->member));
	else
		pgb_shim_words_add(names, judge->path);
}

static void judge_object(void *context, const struct pgb_elf_object *object)
{
	struct judge *judge = context;
	bool is_final =
		judge->mode != PGB_BUILD_INSTRUMENT && judge->mode != PGB_BUILD_INSTRUMENT_CS;

	if (!object->compiled || is_of(judge, &judge->own, object))
		return;
	if (is_final && object->counts)
		name_object(&judge->result->stale, judge, object);
	else if (judge->mode == PGB_BUILD_NONE || (!is_final && object->counts))
		return;
	else if (!is_final || (object->source && !is_of(judge, &judge->compiled, object)))
		name_object(&judge->result->bypassed, judge, object);
}

void pgb_build_check_inputs(struct pgb_build_result *result, const struct pgb_build_result *whole,
			    const char *state, enum pgb_build_mode mode)
{
	struct judge judge = {.result = result, .mode = mode};
	int64_t started_ns = pgb_build_started_ns(state);

	list_stems(&judge.compiled, &whole->compiled_files);
	list_stems(&judge.compiled, &whole->sources);
	list_stems(&judge.own, &whole->own_profile);
	for (size_t i = 0; i < result->inputs.items.count; i++) {
		char resolved[PATH_MAX];
		struct stat status;

		if (realpath(result->inputs.items.items[i], resolved) == NULL ||
		    pgb_build_is_of_system(resolved) || stat(resolved, &status) != 0)
			continue;
		judge.path = resolved;
		if ((int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec <
		    started_ns)
			pgb_shim_words_add(&result->stale, judge.path);
		else
			(void)pgb_elf_objects_read(judge.path, judge_object, &judge, NULL);
	}
	/* one file may have been named in several ways */
	pgb_shim_words_sort(&result->stale);
	pgb_shim_words_sort(&result->bypassed);
	pgb_shim_words_release(&judge.compiled);
	pgb_shim_words_release(&judge.own);
}
