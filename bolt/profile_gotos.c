/* SPDX-License-Identifier: MIT */
/*
 * llvm-bolt has no edges for jumps that may lead anywhere, like computed gotos, and so finds no
 * place for their counts. With -strict it makes where they lead to entries of the function. An
 * entry ran as often as it was entered from outside; where nothing tells of that it is cold, unless
 * a branch of its own block says otherwise. Interpreters have many such blocks: an instruction of
 * theirs that neither branches nor calls.
 */
#include <stdlib.h>

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/profile.h"

typedef PGB_ARRAY(struct pgb_profile_branch) line_array;

/* Does the line stay in the function, and start at a jump that llvm-bolt has no edges of? */
static bool goes_anywhere(const struct pgb_cfg *cfg, const struct pgb_profile_branch *line)
{
	const struct pgb_cfg_transfer *transfer;

	if (line->to.name != line->from.name || line->to.offset == 0)
		return false;
	transfer = pgb_cfg_transfer_at(cfg, line->from.offset);
	return transfer != NULL && transfer->kind == PGB_INSN_JUMP_INDIRECT &&
	       !transfer->knows_targets;
}

static int compare_targets(const void *a, const void *b)
{
	const struct pgb_profile_branch *x = a, *y = b;

	return (x->to.offset > y->to.offset) - (x->to.offset < y->to.offset);
}

/* The profile's count of entries from outside; those lines stand last. */
static uint64_t count_entries(const struct pgb_profile_branch *lines, size_t count, uint64_t offset)
{
	for (; count > 0 && lines[count - 1].from.name == PGB_NAME_UNKNOWN; count--) {
		if (lines[count - 1].to.offset == offset)
			return lines[count - 1].count;
	}
	return 0;
}

static const struct pgb_cfg *graph_of(const struct pgb_profile *profile, struct pgb_cfgs *cfgs,
				      uint32_t name)
{
	const struct pgb_elf_function *function =
		name == PGB_NAME_UNKNOWN
			? NULL
			: pgb_elf_image_function_named(pgb_cfgs_image(cfgs),
						       pgb_profile_name(profile, name));

	return function ? pgb_cfgs_find(cfgs, function) : NULL;
}

/* What the lines of one function lack. */
static void collect(line_array *entries, const struct pgb_cfg *cfg,
		    const struct pgb_profile_branch *lines, size_t count)
{
	size_t first = entries->count, kept = first;

	for (size_t i = 0; i < count; i++) {
		if (lines[i].from.name != PGB_NAME_UNKNOWN && goes_anywhere(cfg, &lines[i]))
			pgb_array_push(entries, ((struct pgb_profile_branch){
							.to = lines[i].to,
							.count = lines[i].count,
						}));
	}
	if (entries->count > first)
		qsort(&entries->items[first], entries->count - first, sizeof(*entries->items),
		      compare_targets);
	while (first < entries->count) {
		struct pgb_profile_branch entry = entries->items[first++];
		uint64_t known = count_entries(lines, count, entry.to.offset);

		for (; first < entries->count && entries->items[first].to.offset == entry.to.offset;
		     first++)
			entry.count = pgb_count_add(entry.count, entries->items[first].count);
		if (entry.count <= known)
			continue;
		entry.count -= known;
		entries->items[kept++] = entry;
	}
	entries->count = kept;
}

void pgb_profile_add_goto_entries(struct pgb_profile *profile, struct pgb_cfgs *cfgs)
{
	size_t functions = pgb_profile_branch_functions(profile);
	line_array entries = {0};

	for (size_t i = 0; i < functions; i++) {
		size_t count;
		const struct pgb_profile_branch *lines =
			pgb_profile_function_branches(profile, i, &count);
		const struct pgb_cfg *cfg =
			count > 0 ? graph_of(profile, cfgs, lines[0].from.name) : NULL;

		if (cfg != NULL)
			collect(&entries, cfg, lines, count);
	}
	for (size_t i = 0; i < entries.count; i++)
		pgb_profile_add_branch(profile, &entries.items[i]);
	pgb_array_release(&entries);
}
