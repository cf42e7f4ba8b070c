/* SPDX-License-Identifier: MIT */
/*
 * Plain samples: each instruction address becomes a line of its own, as perf2bolt -ba has it.
 */
#include <string.h>

#include "pgobolt/bolt/profile.h"

static void saturate(uint64_t *sum, uint64_t count)
{
	if (__builtin_add_overflow(*sum, count, sum))
		*sum = UINT64_MAX;
}

static bool in_binary(const struct pgb_elf_image *image, uint64_t address)
{
	const struct pgb_binary *binary = pgb_elf_image_binary(image);

	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];

		if (address >= segment->address &&
		    address - segment->address < segment->size_memory)
			return true;
	}
	return false;
}

static void add_edge(struct pgb_profile *profile, const struct pgb_elf_image *image,
		     const struct pgb_edge *edge, struct pgb_profile_stats *stats)
{
	const struct pgb_elf_function *function = pgb_elf_image_find_function(image, edge->branch);
	struct pgb_profile_sample sample;

	if (function == NULL) {
		saturate(in_binary(image, edge->branch) ? &stats->no_function : &stats->external,
			 edge->count);
		return;
	}
	sample.at.name = pgb_profile_intern(profile, function->name, strlen(function->name));
	sample.at.offset = edge->branch - function->address;
	sample.count = edge->count;
	pgb_profile_add_sample(profile, &sample);
	saturate(&stats->written, edge->count);
}

int pgb_profile_add_ip_edges(struct pgb_profile *profile, struct pgb_elf_image *image,
			     struct pgb_edges *edges, uint32_t binary,
			     struct pgb_profile_stats *stats, struct pgb_error *error)
{
	const struct pgb_edge *list;
	size_t count;
	int code = pgb_elf_image_discover(image, error);

	if (code == 0)
		code = pgb_profile_set_kind(profile, PGB_PROFILE_SAMPLES, false, error);
	if (code != 0)
		return code;
	list = pgb_edges_sorted(edges, &count);
	for (size_t i = 0; i < count; i++) {
		if (list[i].binary != binary)
			continue;
		saturate(&stats->seen, list[i].count);
		if (list[i].kind == PGB_EDGE_IP)
			add_edge(profile, image, &list[i], stats);
		else
			saturate(&stats->dropped, list[i].count);
	}
	return 0;
}
