/* SPDX-License-Identifier: MIT */
/*
 * Exception tables after llvm-bolt: does each function that caught or cleaned up still do so, and
 * does every handler lie in the function that it belongs to? A broken one shows only when an
 * exception is thrown.
 */
#include <stdlib.h>
#include <string.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/elf_image_code.h"

struct handlers {
	const struct pgb_elf_image *image;
	uint32_t *of_function; /* how many it has, with its cold parts */
	size_t astray;
	const char *first_astray;
	PGB_ARRAY(struct pgb_elf_call_site) sites;
};

/* Of a cold part's name: the function. *single: there is no second one of that name. */
static const struct pgb_elf_function *find_whole(const struct pgb_elf_image *image,
						 const char *part, bool *single)
{
	static const char *const endings[] = {"", "/1", "/2"};
	const struct pgb_elf_function *found[3] = {NULL};
	const char *end = strstr(part, ".cold");

	if (end == NULL)
		end = strstr(part, ".warm");
	for (size_t i = 0; i < 3 && end != NULL; i++) {
		char *name = pgb_format("%.*s%s", (int)(end - part), part, endings[i]);

		found[i] = pgb_elf_image_function_named(image, name);
		free(name);
	}
	*single = found[2] == NULL;
	return found[0] != NULL ? found[0] : found[1];
}

/* The function that a cold part is of, else itself. NULL: its names do not tell. */
static const struct pgb_elf_function *owner_of(const struct pgb_elf_image *image,
					       const struct pgb_elf_function *function)
{
	const struct pgb_elf_function *whole;
	bool single;

	if (function == NULL || !function->is_fragment)
		return function;
	whole = find_whole(image, function->name, &single);
	/* on AArch64 the first name may be that of a mark: $x.cold.0 */
	for (uint32_t i = 0; i < function->alias_count && whole == NULL; i++)
		whole = find_whole(image, pgb_elf_image_alias(image, function->alias_first + i),
				   &single);
	return single ? whole : NULL;
}

static size_t read_sites(struct handlers *handlers, const struct pgb_elf_function *function)
{
	size_t count = pgb_elf_image_call_sites(handlers->image, function, NULL, 0);

	while (handlers->sites.count < count)
		pgb_array_push(&handlers->sites, (struct pgb_elf_call_site){0});
	return pgb_elf_image_call_sites(handlers->image, function, handlers->sites.items, count);
}

static void add_function(struct handlers *handlers, const struct pgb_elf_function *function)
{
	const struct pgb_elf_image *image = handlers->image;
	const struct pgb_elf_function *owner = owner_of(image, function);
	size_t count = owner != NULL ? read_sites(handlers, function) : 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t address = handlers->sites.items[i].landing_pad;
		const struct pgb_elf_function *there = pgb_elf_image_find_function(image, address);
		const struct pgb_elf_function *of = owner_of(image, there);

		if ((there == NULL || (of != NULL && of != owner)) && handlers->astray++ == 0)
			handlers->first_astray = function->name;
	}
	if (owner != NULL)
		handlers->of_function[owner - pgb_elf_image_function(image, 0)] += (uint32_t)count;
}

static void collect(struct handlers *handlers, const struct pgb_elf_image *image)
{
	size_t count = pgb_elf_image_function_count(image);

	*handlers = (struct handlers){.image = image};
	handlers->of_function = pgb_calloc(count + 1, sizeof(*handlers->of_function));
	for (size_t i = 0; i < count; i++)
		add_function(handlers, pgb_elf_image_function(image, i));
}

static void release(struct handlers *handlers)
{
	free(handlers->of_function);
	pgb_array_release(&handlers->sites);
}

static void report(struct pgb_comparison *comparison, const struct handlers *after, size_t catching,
		   size_t lost, const char *first_lost)
{
	struct pgb_findings *findings = comparison->findings;

	if (lost > 0)
		pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_CHECK, "exceptions", NULL,
				 "%zu of %s with handlers of exceptions have none any more, %s "
				 "first",
				 lost, PGB_PLURAL(catching, "function"), first_lost);
	if (after->astray > 0)
		pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_CHECK, "exceptions", NULL,
				 "%s of exceptions outside the function, %s first",
				 PGB_PLURAL(after->astray, "handler"), after->first_astray);
	if (lost == 0 && after->astray == 0 && catching > 0)
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "exceptions", NULL,
				 "%s with handlers of exceptions as before",
				 PGB_PLURAL(catching, "function"));
}

void pgb_verify_exceptions(struct pgb_comparison *comparison)
{
	struct handlers before, after;
	size_t catching = 0, lost = 0;
	const char *first_lost = NULL;

	collect(&before, comparison->original);
	collect(&after, comparison->optimized);
	for (size_t i = 0; i < pgb_elf_image_function_count(comparison->original); i++) {
		const struct pgb_elf_function *function =
			pgb_elf_image_function(comparison->original, i);
		const struct pgb_elf_function *twin;

		if (before.of_function[i] == 0)
			continue;
		twin = pgb_verify_find_twin(comparison, function);
		if (twin == NULL)
			continue;
		catching++;
		if (after.of_function[twin - pgb_elf_image_function(comparison->optimized, 0)] > 0)
			continue;
		if (lost++ == 0)
			first_lost = function->name;
	}
	/* what lay outside before, as in code that no symbol tells of, may do so after */
	if (after.astray <= before.astray)
		after.astray = 0;
	report(comparison, &after, catching, lost, first_lost);
	release(&before);
	release(&after);
}
