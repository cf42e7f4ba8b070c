/* SPDX-License-Identifier: MIT */
/* How the weight of all blocks lies on code sections, cache lines and pages. */
#include <elf.h>
#include <stdlib.h>

#include "bolt/layout_private.h"

enum {
	LINE_BYTES = 64,
	PAGE_BYTES = 4096,
	BUCKET_BYTES_LEAST = 64,
};

#define SHARE_COUNTED 0.99

/* A piece of memory and its weight. */
struct span {
	uint64_t address, size_bytes, weight;
};

typedef PGB_ARRAY(struct span) span_array;

static int earlier(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static int heavier(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight < right->weight ? 1 : -1;
	return earlier(a, b);
}

static span_array spans_of(const struct pgb_layout_work *work, bool after)
{
	span_array spans = {0};

	for (size_t i = 0; i < work->function_count; i++) {
		const struct pgb_layout_counts *counts = &work->counts[i];

		for (size_t k = 0; k < counts->block_count; k++) {
			const struct pgb_layout_block *block =
				&work->blocks.items[counts->block_first + k];
			struct span span = {counts->function->address + block->offset,
					    block->size_bytes, block->weight};

			if (after) {
				if (block->address_after == PGB_LAYOUT_GONE)
					continue;
				span.address = block->address_after;
				span.size_bytes = block->size_after_bytes;
			}
			pgb_array_push(&spans, span);
		}
	}
	if (spans.count > 0)
		qsort(spans.items, spans.count, sizeof(*spans.items), earlier);
	return spans;
}

/* The part of a span's weight that lies before `end`; the span begins there afterwards. */
static uint64_t cut(struct span *span, uint64_t end)
{
	uint64_t bytes = end - span->address, weight = span->weight;

	if (bytes < span->size_bytes)
		weight =
			(uint64_t)((double)span->weight * (double)bytes / (double)span->size_bytes);
	else
		bytes = span->size_bytes;
	span->address += bytes;
	span->size_bytes -= bytes;
	span->weight -= weight;
	return weight;
}

/* How many units of memory have weight, and how many of the heaviest hold most of it. */
static void count_units(const span_array *spans, uint64_t unit_bytes, uint64_t *all, uint64_t *most)
{
	span_array units = {0};
	double total = 0, sum = 0;

	for (size_t i = 0; i < spans->count; i++) {
		struct span rest = spans->items[i];

		total += (double)rest.weight;
		while (rest.size_bytes > 0) {
			uint64_t start = rest.address / unit_bytes * unit_bytes;

			if (units.count == 0 || units.items[units.count - 1].address != start) {
				struct span unit = {.address = start};

				pgb_array_push(&units, unit);
			}
			units.items[units.count - 1].weight += cut(&rest, start + unit_bytes);
		}
	}
	*all = units.count;
	*most = 0;
	if (units.count > 0)
		qsort(units.items, units.count, sizeof(*units.items), heavier);
	while (*most < units.count && sum < SHARE_COUNTED * total)
		sum += (double)units.items[(*most)++].weight;
	pgb_array_release(&units);
}

static void add_sections(struct pgb_layout_side *side, const struct pgb_elf_image *image)
{
	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++) {
		const struct pgb_elf_section *from = pgb_elf_image_section(image, i);
		struct pgb_layout_section section = {.address = from->address,
						     .size_bytes = from->size_bytes};

		if ((from->flags & SHF_EXECINSTR) == 0 || (from->flags & SHF_ALLOC) == 0 ||
		    from->type == SHT_NOBITS || from->size_bytes == 0)
			continue;
		section.name = pgb_dup(from->name);
		pgb_array_push(&side->sections, section);
	}
}

static int lower_section(const void *a, const void *b)
{
	const struct pgb_layout_section *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static uint64_t buckets_needed(const struct pgb_layout_side *side, uint64_t bucket_bytes)
{
	uint64_t count = 0;

	for (size_t i = 0; i < side->sections.count; i++)
		count += (side->sections.items[i].size_bytes - 1) / bucket_bytes + 1;
	return count;
}

/* Small sections without weight (.init, .plt) say nothing, and the many take room. */
static void drop_cold_sections(struct pgb_layout_side *side, const span_array *spans)
{
	size_t kept = 0;

	for (size_t i = 0; i < side->sections.count; i++) {
		struct pgb_layout_section *section = &side->sections.items[i];
		bool warm = section->size_bytes >= PAGE_BYTES;

		for (size_t k = 0; k < spans->count && !warm; k++)
			warm = spans->items[k].address >= section->address &&
			       spans->items[k].address - section->address < section->size_bytes;
		if (warm)
			side->sections.items[kept++] = *section;
		else
			free(section->name);
	}
	side->sections.count = kept;
	while (side->sections.count > PGB_LAYOUT_BUCKETS_MOST)
		free(side->sections.items[--side->sections.count].name);
}

static void fill_buckets(struct pgb_layout_section *section, const span_array *spans,
			 uint64_t bucket_bytes)
{
	uint64_t count = (section->size_bytes - 1) / bucket_bytes + 1;

	for (uint64_t i = 0; i < count; i++)
		pgb_array_push(&section->buckets, 0);
	for (size_t i = 0; i < spans->count; i++) {
		struct span rest = spans->items[i];

		while (rest.size_bytes > 0 && rest.address >= section->address &&
		       rest.address - section->address < section->size_bytes) {
			uint64_t bucket = (rest.address - section->address) / bucket_bytes;
			uint64_t end = section->address + (bucket + 1) * bucket_bytes;

			section->buckets.items[bucket] += cut(&rest, end);
		}
	}
}

static span_array prepare(struct pgb_layout_work *work, struct pgb_layout_side *side, bool after)
{
	span_array spans = spans_of(work, after);

	add_sections(side, after ? work->moved : pgb_cfgs_image(work->cfgs));
	if (side->sections.count > 0)
		qsort(side->sections.items, side->sections.count, sizeof(*side->sections.items),
		      lower_section);
	drop_cold_sections(side, &spans);
	count_units(&spans, LINE_BYTES, &side->spread.lines, &side->spread.lines_99);
	count_units(&spans, PAGE_BYTES, &side->spread.pages, &side->spread.pages_99);
	return spans;
}

void pgb_layout_add_heat(struct pgb_layout_work *work)
{
	struct pgb_layout *layout = work->layout;
	span_array before = prepare(work, &layout->before, false);
	span_array after = prepare(work, &layout->after, true);

	layout->bucket_bytes = BUCKET_BYTES_LEAST;
	while (layout->bucket_bytes < UINT64_MAX / 4 &&
	       (buckets_needed(&layout->before, layout->bucket_bytes) > PGB_LAYOUT_BUCKETS_MOST ||
		buckets_needed(&layout->after, layout->bucket_bytes) > PGB_LAYOUT_BUCKETS_MOST))
		layout->bucket_bytes *= 2;
	for (size_t i = 0; i < layout->before.sections.count; i++)
		fill_buckets(&layout->before.sections.items[i], &before, layout->bucket_bytes);
	for (size_t i = 0; i < layout->after.sections.count; i++)
		fill_buckets(&layout->after.sections.items[i], &after, layout->bucket_bytes);
	pgb_array_release(&before);
	pgb_array_release(&after);
}
