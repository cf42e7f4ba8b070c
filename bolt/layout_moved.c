/* SPDX-License-Identifier: MIT */
/*
 * Which function of the original each translated fragment is. The note names none, and local
 * functions of one name are numbered in the order of addresses, which is another one now: of these
 * the one is taken whose graph has a block at each translated offset.
 */
#include <stdlib.h>
#include <string.h>

#include "bolt/layout_private.h"
#include "pgobolt/base/search.h"
#include "pgobolt/base/text.h"

enum {
	LOCAL_NAMES_MOST = 4096,    /* functions of one name that are looked at */
	BLOCK_BYTES_MOST = 1 << 24, /* of a moved block: a symbol may claim any size */
};

static uint64_t fragment_end(const struct pgb_layout_work *work, uint64_t address)
{
	const struct pgb_elf_function *at = pgb_elf_image_find_function(work->moved, address);

	return at && at->address == address ? at->address + at->size_bytes : address;
}

static bool has_all_blocks(const struct pgb_layout_work *work, const struct pgb_cfg *cfg,
			   const struct pgb_translated_fragment *fragment)
{
	for (size_t i = 0; i < fragment->block_count; i++) {
		uint64_t offset = work->translation.blocks.items[fragment->block_first + i].offset;
		const struct pgb_cfg_block *block = pgb_cfg_block_at(cfg, offset);

		if (block == NULL || block->offset != offset)
			return false;
	}
	return true;
}

/* NULL: it has no counts, or another fragment was taken for it, or it is not like this one. */
static struct pgb_layout_counts *fitting(struct pgb_layout_work *work, const char *name,
					 const struct pgb_translated_fragment *fragment,
					 bool *exists)
{
	const struct pgb_elf_image *original = pgb_cfgs_image(work->cfgs);
	const struct pgb_elf_function *function = pgb_elf_image_function_named(original, name);
	struct pgb_layout_counts *counts;

	*exists = function != NULL;
	if (function == NULL)
		return NULL;
	counts = &work->counts[function - pgb_elf_image_function(original, 0)];
	if (counts->in == NULL || counts->moved || !has_all_blocks(work, counts->cfg, fragment))
		return NULL;
	return counts;
}

static struct pgb_layout_counts *owner_of(struct pgb_layout_work *work,
					  const struct pgb_translated_fragment *fragment)
{
	const struct pgb_elf_function *at =
		pgb_elf_image_find_function(work->moved, fragment->address);
	const char *slash;
	struct pgb_layout_counts *counts = NULL;
	bool exists = true;

	if (at == NULL || at->address != fragment->address)
		return NULL;
	slash = strrchr(at->name, '/');
	if (slash == NULL || strspn(slash + 1, "0123456789") != strlen(slash + 1))
		return fitting(work, at->name, fragment, &exists);
	for (int k = 1; counts == NULL && exists && k <= LOCAL_NAMES_MOST; k++) {
		char *name = pgb_format("%.*s/%d", (int)(slash - at->name), at->name, k);

		counts = fitting(work, name, fragment, &exists);
		free(name);
	}
	return counts;
}

static struct pgb_layout_block *block_at(struct pgb_layout_work *work,
					 const struct pgb_layout_counts *counts, uint64_t offset)
{
	struct pgb_layout_block *blocks = work->blocks.items + counts->block_first;
	size_t at = pgb_search(counts->block_count, i, blocks[i].offset < offset);

	return at < counts->block_count && blocks[at].offset == offset ? &blocks[at] : NULL;
}

static void move_fragment(struct pgb_layout_work *work, struct pgb_layout_counts *counts,
			  const struct pgb_translated_fragment *fragment)
{
	const struct pgb_translated_block *moved =
		work->translation.blocks.items + fragment->block_first;
	uint64_t end = fragment_end(work, fragment->address);
	struct pgb_layout_fragment place = {fragment->address, end - fragment->address};

	if (counts->fragment_count++ == 0)
		counts->fragment_first = work->fragments.count;
	pgb_array_push(&work->fragments, place);
	for (size_t i = 0; i < fragment->block_count; i++) {
		uint64_t next = i + 1 < fragment->block_count ? moved[i + 1].address : end;
		struct pgb_layout_block *block = block_at(work, counts, moved[i].offset);

		/* an empty block shares its address with the next one, a removed one the end's */
		if (block == NULL || moved[i].address >= end || next <= moved[i].address ||
		    next - moved[i].address > BLOCK_BYTES_MOST)
			continue;
		block->address_after = moved[i].address;
		block->size_after_bytes = (next < end ? next : end) - moved[i].address;
	}
}

static void stay(struct pgb_layout_work *work, struct pgb_layout_counts *counts)
{
	struct pgb_layout_fragment place = {counts->function->address,
					    counts->function->size_bytes};

	counts->fragment_first = work->fragments.count;
	counts->fragment_count = 1;
	pgb_array_push(&work->fragments, place);
	for (size_t i = 0; i < counts->block_count; i++) {
		struct pgb_layout_block *block = &work->blocks.items[counts->block_first + i];

		block->address_after = place.address + block->offset;
		block->size_after_bytes = block->size_bytes;
	}
}

static int compare_hot(const void *a, const void *b)
{
	const struct pgb_translated_fragment *left = a, *right = b;

	if (left->hot != right->hot)
		return left->hot < right->hot ? -1 : 1;
	/* the hot part first, then by address */
	if ((left->address == left->hot) != (right->address == right->hot))
		return left->address == left->hot ? -1 : 1;
	return (left->address > right->address) - (left->address < right->address);
}

void pgb_layout_move_blocks(struct pgb_layout_work *work)
{
	struct pgb_translated_fragment *fragments = work->translation.fragments.items;
	size_t count = work->translation.fragments.count;
	struct pgb_layout_counts *owner = NULL;

	if (count > 0)
		qsort(fragments, count, sizeof(*fragments), compare_hot);
	for (size_t i = 0; i < count; i++) {
		if (fragments[i].address == fragments[i].hot) {
			owner = owner_of(work, &fragments[i]);
			if (owner)
				owner->moved = true;
		}
		if (owner)
			move_fragment(work, owner, &fragments[i]);
	}
	for (size_t i = 0; i < work->function_count; i++)
		if (work->counts[i].in && !work->counts[i].moved)
			stay(work, &work->counts[i]);
}

void pgb_layout_add_fragments(const struct pgb_layout_work *work,
			      const struct pgb_layout_counts *counts,
			      struct pgb_layout_function *shown)
{
	for (size_t i = 0; i < counts->fragment_count; i++)
		pgb_array_push(&shown->fragments,
			       work->fragments.items[counts->fragment_first + i]);
}
