/* SPDX-License-Identifier: MIT */
/* A sample profile to files. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/sample_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/toolchain.h"

enum { TOOL_TIMEOUT_S = 3600 };

/* The profile's tables in the order of writing: indexes of items. */
struct writing {
	const struct pgb_sample_profile *profile;
	FILE *stream;
	uint32_t *contexts, *places, *targets;
};

/* Which table, and in which order of its items. */
struct sorting {
	const struct pgb_sample_profile *profile;
	const struct pgb_sample_table *table;
	bool by_count, by_name;
};

static int compare(const void *a, const void *b, void *context)
{
	const struct sorting *sorting = context;
	const struct pgb_sample_count *x = &sorting->table->items.items[*(const uint32_t *)a];
	const struct pgb_sample_count *y = &sorting->table->items.items[*(const uint32_t *)b];
	/* functions that are in no other one: the hottest first */
	bool by_count = sorting->by_count || (sorting->by_name && x->key[0] == 0);
	char *const *names = sorting->profile->names.list.items;

	for (size_t i = 0; i < 3; i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	if (by_count && x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return sorting->by_name ? strcmp(names[x->key[3]], names[y->key[3]]) : 0;
}

static uint32_t *sorted(const struct pgb_sample_profile *profile,
			const struct pgb_sample_table *table, bool by_count, bool by_name)
{
	struct sorting sorting = {profile, table, by_count, by_name};
	uint32_t *order = pgb_calloc(table->items.count, sizeof(*order));

	for (size_t i = 0; i < table->items.count; i++)
		order[i] = (uint32_t)i;
	if (table->items.count > 1)
		qsort_r(order, table->items.count, sizeof(*order), compare, &sorting);
	return order;
}

/* The first item, in their order, whose numbers are not before these. */
static size_t lower_bound(const struct pgb_sample_table *table, const uint32_t *order, uint32_t a,
			  uint32_t b, uint32_t c)
{
	const uint32_t wanted[3] = {a, b, c};
	size_t low = 0, high = table->items.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const uint32_t *key = table->items.items[order[middle]].key;
		size_t i = 0;

		while (i < 3 && key[i] == wanted[i])
			i++;
		if (i < 3 && key[i] < wanted[i])
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void write_place(const struct writing *writing, unsigned int depth, const uint32_t *key)
{
	fprintf(writing->stream, "%*s%" PRIu32, (int)depth + 1, "", key[1]);
	if (key[2] != 0)
		fprintf(writing->stream, ".%" PRIu32, key[2]);
	fputs(": ", writing->stream);
}

static void write_targets(const struct writing *writing, const uint32_t *place)
{
	const struct pgb_sample_table *table = &writing->profile->targets;
	size_t at = lower_bound(table, writing->targets, place[0], place[1], place[2]);

	for (; at < table->items.count; at++) {
		const struct pgb_sample_count *target = &table->items.items[writing->targets[at]];

		if (memcmp(target->key, place, 3 * sizeof(*place)) != 0)
			break;
		fprintf(writing->stream, " %s:%" PRIu64,
			writing->profile->names.list.items[target->key[3]], target->count);
	}
}

static void write_body(const struct writing *writing, uint32_t context, unsigned int depth)
{
	const struct pgb_sample_table *table = &writing->profile->places;
	size_t at = lower_bound(table, writing->places, context, 0, 0);

	for (; at < table->items.count; at++) {
		const struct pgb_sample_count *place = &table->items.items[writing->places[at]];

		if (place->key[0] != context)
			break;
		write_place(writing, depth, place->key);
		fprintf(writing->stream, "%" PRIu64, place->count);
		write_targets(writing, place->key);
		fputc('\n', writing->stream);
	}
}

static void write_context(const struct writing *writing, uint32_t context, unsigned int depth)
{
	const struct pgb_sample_table *table = &writing->profile->contexts;
	const struct pgb_sample_count *self = &table->items.items[context];
	size_t at;

	fprintf(writing->stream, "%s:%" PRIu64, writing->profile->names.list.items[self->key[3]],
		self->count);
	if (depth == 0)
		fprintf(writing->stream, ":%" PRIu64, writing->profile->heads.items[context]);
	fputc('\n', writing->stream);
	write_body(writing, context, depth);
	at = lower_bound(table, writing->contexts, context + 1, 0, 0);
	for (; at < table->items.count; at++) {
		uint32_t inner = writing->contexts[at];

		if (table->items.items[inner].key[0] != context + 1)
			break;
		write_place(writing, depth, table->items.items[inner].key);
		write_context(writing, inner, depth + 1);
	}
}

void pgb_sample_profile_write(const struct pgb_sample_profile *profile, FILE *stream)
{
	struct writing writing = {
		.profile = profile,
		.stream = stream,
		.contexts = sorted(profile, &profile->contexts, false, true),
		.places = sorted(profile, &profile->places, false, false),
		.targets = sorted(profile, &profile->targets, true, true),
	};

	for (size_t i = 0; i < profile->contexts.items.count; i++) {
		uint32_t context = writing.contexts[i];

		if (profile->contexts.items.items[context].key[0] != 0)
			break;
		write_context(&writing, context, 0);
	}
	free(writing.contexts);
	free(writing.places);
	free(writing.targets);
}

int pgb_sample_profile_write_file(const struct pgb_sample_profile *profile, const char *path,
				  struct pgb_error *error)
{
	struct pgb_out_file out = {0};
	int code = pgb_out_open(&out, path, error);

	if (code != 0)
		return code;
	pgb_sample_profile_write(profile, out.stream);
	code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return code;
}

/* ---- the binary format */

/* Of the compiler's own version, else of any: the format is as old as LLVM 12. */
static int find_tool(const struct pgb_sample_profile *profile, char **path, struct pgb_error *error)
{
	const struct pgb_compiler compiler = {.toolchain = &pgb_toolchain_clang,
					      .major = profile->producer_major};
	struct pgb_error why = {0};

	if (compiler.major > 0 && pgb_toolchain_find_merger(&compiler, NULL, path, &why) == 0)
		return 0;
	*path = pgb_process_find_command("llvm-profdata");
	if (*path)
		return 0;
	if (compiler.major > 0) {
		*error = why;
		return why.code;
	}
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "no llvm-profdata was found: it writes the binary format");
	return pgb_remedy(error, "--format autofdo writes text, which clang reads as well");
}

static int run_tool(const char *tool, const char *text, const char *path, struct pgb_error *error)
{
	const char *argv[] = {tool, "merge", "--sample", "--extbinary", text, "-o", path, NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text said = {0};
	int wait_status = 0;
	int code = pgb_process_run(&spawn, TOOL_TIMEOUT_S, &said, &said, &wait_status, error);

	if (code == 0 && wait_status != 0)
		code = pgb_fail(error, PGB_E_TOOL, "%s could not write the sample profile: %s",
				tool, pgb_text_string(&said));
	pgb_text_release(&said);
	return code;
}

int pgb_sample_profile_write_binary(const struct pgb_sample_profile *profile, const char *path,
				    struct pgb_error *error)
{
	char *text = pgb_format("%s.text", path), *made = pgb_format("%s.binary", path);
	char *tool = NULL;
	int code = find_tool(profile, &tool, error);

	if (code == 0)
		code = pgb_sample_profile_write_file(profile, text, error);
	if (code == 0)
		code = run_tool(tool, text, made, error);
	if (code == 0)
		code = pgb_file_copy(made, path, error);
	(void)pgb_file_remove_tree(text, NULL);
	(void)pgb_file_remove_tree(made, NULL);
	free(text);
	free(made);
	free(tool);
	return code;
}
