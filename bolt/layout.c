/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/layout.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/layout_private.h"

static const struct pgb_elf_image *original_of(const struct pgb_layout_work *work)
{
	return pgb_cfgs_image(work->cfgs);
}

static size_t index_of(const struct pgb_layout_work *work, const struct pgb_elf_function *function)
{
	return (size_t)(function - pgb_elf_image_function(original_of(work), 0));
}

/* ---- counts of blocks */

/* The function of a name in the profile, with room for its counts; NULL: none with a graph. */
static struct pgb_layout_counts *counts_of(struct pgb_layout_work *work, uint32_t name)
{
	const struct pgb_elf_function *function;
	struct pgb_layout_counts *counts;

	if (name == PGB_NAME_UNKNOWN)
		return NULL;
	while (work->by_name.count <= name)
		pgb_array_push(&work->by_name, PGB_LAYOUT_NOT_ASKED);
	if (work->by_name.items[name] == PGB_LAYOUT_NOT_ASKED) {
		function = pgb_elf_image_function_named(original_of(work),
							pgb_profile_name(work->profile, name));
		work->by_name.items[name] =
			function ? index_of(work, function) : PGB_LAYOUT_NO_FUNCTION;
	}
	if (work->by_name.items[name] == PGB_LAYOUT_NO_FUNCTION)
		return NULL;
	counts = &work->counts[work->by_name.items[name]];
	if (counts->function == NULL) {
		counts->function =
			pgb_elf_image_function(original_of(work), work->by_name.items[name]);
		counts->cfg = pgb_cfgs_find(work->cfgs, counts->function);
		if (counts->cfg && counts->cfg->block_count > 0)
			counts->in = pgb_calloc(2 * counts->cfg->block_count, sizeof(uint64_t));
	}
	return counts->in ? counts : NULL;
}

static void add(const struct pgb_layout_counts *counts, bool out, uint64_t offset, uint64_t count)
{
	const struct pgb_cfg_block *block = pgb_cfg_block_at(counts->cfg, offset);
	uint64_t *sum;

	if (block == NULL)
		return;
	sum = counts->in + (out ? counts->cfg->block_count : 0) + (block - counts->cfg->blocks);
	*sum = pgb_count_add(*sum, count);
}

/* A block ran as often as it was entered, or left where more is known of that. */
static void count_branches(struct pgb_layout_work *work)
{
	size_t count;
	const struct pgb_profile_branch *branches = pgb_profile_branches(work->profile, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pgb_profile_branch *branch = &branches[i];
		struct pgb_layout_counts *from = counts_of(work, branch->from.name);
		struct pgb_layout_counts *to;

		if (from)
			add(from, true, branch->from.offset, branch->count);
		to = counts_of(work, branch->to.name);
		if (to)
			add(to, false, branch->to.offset, branch->count);
	}
}

static void count_samples(struct pgb_layout_work *work)
{
	size_t count;
	const struct pgb_profile_sample *samples = pgb_profile_samples(work->profile, &count);

	for (size_t i = 0; i < count; i++) {
		struct pgb_layout_counts *at = counts_of(work, samples[i].at.name);

		if (at)
			add(at, false, samples[i].at.offset, samples[i].count);
	}
}

/* ---- blocks with counts */

static uint64_t block_end(const struct pgb_cfg *cfg, size_t index)
{
	return index + 1 < cfg->block_count ? cfg->blocks[index + 1].offset
					    : cfg->function->size_bytes;
}

static void add_blocks(struct pgb_layout_work *work, struct pgb_layout_counts *counts)
{
	const struct pgb_cfg *cfg = counts->cfg;

	counts->block_first = work->blocks.count;
	for (size_t i = 0; i < cfg->block_count; i++) {
		uint64_t in = counts->in[i], out = counts->in[cfg->block_count + i];
		struct pgb_layout_block block = {
			.offset = cfg->blocks[i].offset,
			.count = in > out ? in : out,
			.address_after = PGB_LAYOUT_GONE,
		};

		if (block.count == 0 || block_end(cfg, i) <= block.offset)
			continue;
		block.size_bytes = block_end(cfg, i) - block.offset;
		block.weight = work->layout->samples
				       ? block.count
				       : pgb_count_multiply(block.count, block.size_bytes);
		counts->weight = pgb_count_add(counts->weight, block.weight);
		pgb_array_push(&work->blocks, block);
	}
	counts->block_count = work->blocks.count - counts->block_first;
	work->layout->weight = pgb_count_add(work->layout->weight, counts->weight);
}

static int hotter_function(const void *a, const void *b)
{
	const struct pgb_layout_counts *left = *(struct pgb_layout_counts *const *)a;
	const struct pgb_layout_counts *right = *(struct pgb_layout_counts *const *)b;

	if (left->weight != right->weight)
		return left->weight < right->weight ? 1 : -1;
	return (left->function->address > right->function->address) -
	       (left->function->address < right->function->address);
}

static int hotter_block(const void *a, const void *b)
{
	const struct pgb_layout_block *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight < right->weight ? 1 : -1;
	return (left->offset > right->offset) - (left->offset < right->offset);
}

static int earlier_block(const void *a, const void *b)
{
	const struct pgb_layout_block *left = a, *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

static void show_function(struct pgb_layout_work *work, struct pgb_layout_counts *counts)
{
	struct pgb_layout_function shown = {
		.name = pgb_dup(counts->function->name),
		.address = counts->function->address,
		.size_bytes = counts->function->size_bytes,
		.weight = counts->weight,
		.blocks_all = counts->cfg->block_count,
		.blocks_run = counts->block_count,
		.moved = counts->moved,
	};

	for (size_t i = 0; i < counts->block_count; i++)
		pgb_array_push(&shown.blocks, work->blocks.items[counts->block_first + i]);
	qsort(shown.blocks.items, shown.blocks.count, sizeof(*shown.blocks.items), hotter_block);
	if (shown.blocks.count > PGB_LAYOUT_BLOCKS_MOST)
		shown.blocks.count = PGB_LAYOUT_BLOCKS_MOST;
	qsort(shown.blocks.items, shown.blocks.count, sizeof(*shown.blocks.items), earlier_block);
	pgb_layout_add_fragments(work, counts, &shown);
	pgb_array_push(&work->layout->functions, shown);
}

static void show_hottest(struct pgb_layout_work *work)
{
	PGB_ARRAY(struct pgb_layout_counts *) hottest = {0};

	for (size_t i = 0; i < work->function_count; i++)
		if (work->counts[i].weight > 0)
			pgb_array_push(&hottest, &work->counts[i]);
	qsort(hottest.items, hottest.count, sizeof(*hottest.items), hotter_function);
	for (size_t i = 0; i < hottest.count && i < PGB_LAYOUT_FUNCTIONS_MOST; i++)
		show_function(work, hottest.items[i]);
	pgb_array_release(&hottest);
}

/* ---- all of it */

static int translate(struct pgb_layout_work *work, struct pgb_error *error)
{
	const struct pgb_elf_section *section =
		pgb_elf_image_find_section(work->moved, ".note.bolt_bat");
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(work->moved, section) : NULL;
	int code;

	if (bytes == NULL)
		return pgb_fail(error, PGB_E_NOT_FOUND, "%s has no .note.bolt_bat",
				pgb_elf_image_path(work->moved));
	code = pgb_address_translation_parse(&work->translation,
					     pgb_cursor_of(bytes, section->size_bytes), error);
	if (code == 0)
		code = pgb_elf_image_discover(work->moved, error);
	if (code == 0)
		pgb_layout_move_blocks(work);
	return code;
}

static int compute(struct pgb_layout_work *work, struct pgb_error *error)
{
	if (work->layout->samples)
		count_samples(work);
	else
		count_branches(work);
	for (size_t i = 0; i < work->function_count; i++)
		if (work->counts[i].in)
			add_blocks(work, &work->counts[i]);
	if (work->layout->weight == 0)
		return pgb_fail(error, PGB_E_EMPTY,
				"no function that can be taken apart has counts");
	return translate(work, error);
}

int pgb_layout_compute(struct pgb_layout *layout, struct pgb_cfgs *cfgs,
		       struct pgb_profile *profile, struct pgb_elf_image *moved,
		       struct pgb_error *error)
{
	struct pgb_layout_work work = {
		.layout = layout, .cfgs = cfgs, .profile = profile, .moved = moved};
	int code;

	*layout = (struct pgb_layout){.samples = pgb_profile_kind(profile) == PGB_PROFILE_SAMPLES};
	work.function_count = pgb_elf_image_function_count(original_of(&work));
	work.counts = pgb_calloc(work.function_count, sizeof(*work.counts));
	code = compute(&work, error);
	if (code == 0) {
		show_hottest(&work);
		pgb_layout_add_heat(&work);
	}
	for (size_t i = 0; i < work.function_count; i++)
		free(work.counts[i].in);
	free(work.counts);
	pgb_array_release(&work.by_name);
	pgb_array_release(&work.blocks);
	pgb_array_release(&work.fragments);
	pgb_address_translation_release(&work.translation);
	return code;
}

static void release_side(struct pgb_layout_side *side)
{
	for (size_t i = 0; i < side->sections.count; i++) {
		free(side->sections.items[i].name);
		pgb_array_release(&side->sections.items[i].buckets);
	}
	pgb_array_release(&side->sections);
}

void pgb_layout_release(struct pgb_layout *layout)
{
	for (size_t i = 0; i < layout->functions.count; i++) {
		free(layout->functions.items[i].name);
		pgb_array_release(&layout->functions.items[i].fragments);
		pgb_array_release(&layout->functions.items[i].blocks);
	}
	pgb_array_release(&layout->functions);
	release_side(&layout->before);
	release_side(&layout->after);
	*layout = (struct pgb_layout){0};
}
