/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/quality.h"

#include <stdlib.h>
#include <string.h>

#include "bolt/quality_private.h"
#include "pgobolt/collector/parallel.h"

enum {
	INSTRUCTION_BYTES_MOST = 15,
	PARALLEL_EDGES_LEAST = 4096, /* fewer are not worth a thread */
};

/* Per function of the binary, by its number in the image. */
struct tally {
	uint64_t count; /* of lines that start in it */
	uint64_t bytes; /* executed, as far as ranges tell */
	uint64_t size_bytes;
	bool has_profile;
	bool is_dense; /* takes part in density: has a graph, or nobody knows */
};

struct tallies {
	const struct pgb_elf_image *image;
	struct tally *items;
	size_t count;
};

static size_t number_of(const struct tallies *tallies, const struct pgb_elf_function *function)
{
	return (size_t)(function - pgb_elf_image_function(tallies->image, 0));
}

/* ---- counts of functions */

static struct tally *tally_of_name(struct tallies *tallies, const struct pgb_profile *profile,
				   uint32_t name)
{
	const struct pgb_elf_function *function =
		pgb_elf_image_function_named(tallies->image, pgb_profile_name(profile, name));

	return function ? &tallies->items[number_of(tallies, function)] : NULL;
}

static void tally_lines(struct pgb_quality *quality, struct tallies *tallies,
			const struct pgb_profile *profile, uint32_t name, uint64_t count)
{
	struct tally *tally = tally_of_name(tallies, profile, name);

	if (tally == NULL) {
		quality->count_unmatched = pgb_count_add(quality->count_unmatched, count);
		return;
	}
	tally->has_profile = true;
	tally->count = pgb_count_add(tally->count, count);
}

static void tally_branches(struct pgb_quality *quality, struct tallies *tallies,
			   struct pgb_profile *profile)
{
	size_t functions = pgb_profile_branch_functions(profile);

	for (size_t i = 0; i < functions; i++) {
		size_t count;
		const struct pgb_profile_branch *lines =
			pgb_profile_function_branches(profile, i, &count);
		uint64_t sum = 0;
		uint32_t name = PGB_NAME_UNKNOWN;

		for (size_t j = 0; j < count; j++) {
			if (lines[j].from.name != PGB_NAME_UNKNOWN) {
				name = lines[j].from.name;
				sum = pgb_count_add(sum, lines[j].count);
			} else if (name == PGB_NAME_UNKNOWN) {
				name = lines[j].to.name;
			}
		}
		if (name != PGB_NAME_UNKNOWN)
			tally_lines(quality, tallies, profile, name, sum);
	}
}

static void tally_samples(struct pgb_quality *quality, struct tallies *tallies,
			  struct pgb_profile *profile)
{
	size_t count;
	const struct pgb_profile_sample *samples = pgb_profile_samples(profile, &count);

	for (size_t i = 0, next; i < count; i = next) {
		uint64_t sum = 0;

		for (next = i; next < count && samples[next].at.name == samples[i].at.name; next++)
			sum = pgb_count_add(sum, samples[next].count);
		tally_lines(quality, tallies, profile, samples[i].at.name, sum);
	}
}

/* ---- bytes that ran */

/* A function that is one jump (Rust's allocator has such) begins and ends at the same place. */
static uint64_t bytes_of(const struct pgb_edge *range, const struct pgb_elf_function *function)
{
	if (range->from == function->address && range->to == range->from &&
	    function->size_bytes <= INSTRUCTION_BYTES_MOST)
		return function->size_bytes;
	return range->to - range->from;
}

static void tally_bytes(struct tallies *tallies, const struct pgb_edge *edges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct pgb_edge *edge = &edges[i];
		const struct pgb_elf_function *function;
		struct tally *tally;

		if (edge->kind != PGB_EDGE_TRACE && edge->kind != PGB_EDGE_RETURN &&
		    edge->kind != PGB_EDGE_RANGE)
			continue;
		if (edge->to >= PGB_ADDRESS_EXTERNAL || edge->to < edge->from)
			continue;
		function = pgb_elf_image_find_function(tallies->image, edge->from);
		if (function == NULL || edge->to - function->address >= function->max_size_bytes)
			continue;
		tally = &tallies->items[number_of(tallies, function)];
		tally->bytes = pgb_count_add(
			tally->bytes, pgb_count_multiply(edge->count, bytes_of(edge, function)));
	}
}

/* ---- figures */

static int compare_counts(const void *left, const void *right)
{
	const struct tally *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

static double density_of(const struct tally *tally)
{
	return tally->size_bytes ? (double)tally->bytes / (double)tally->size_bytes : 0;
}

static int compare_densities(const void *left, const void *right)
{
	double a = density_of(left), b = density_of(right);

	if (a != b)
		return a < b ? 1 : -1;
	return compare_counts(right, left);
}

static double sum_counts(const struct tallies *tallies, bool dense_only)
{
	double total = 0;

	for (size_t i = 0; i < tallies->count; i++)
		if (tallies->items[i].is_dense || !dense_only)
			total += (double)tallies->items[i].count;
	return total;
}

static void find_hot_set(struct pgb_quality *quality, struct tallies *tallies)
{
	double total = sum_counts(tallies, false), seen = 0;
	uint64_t bytes = 0;

	qsort(tallies->items, tallies->count, sizeof(*tallies->items), compare_counts);
	for (size_t i = 0; i < tallies->count && tallies->items[i].count > 0; i++) {
		if (seen < 0.99 * total)
			quality->functions_99 = i + 1;
		if (seen < 0.9 * total)
			quality->functions_90 = i + 1;
		seen += (double)tallies->items[i].count;
		bytes = pgb_count_add(bytes, tallies->items[i].size_bytes);
		if (quality->functions_99 == i + 1)
			quality->bytes_99 = bytes;
		if (quality->functions_90 == i + 1)
			quality->bytes_90 = bytes;
	}
}

static void find_density(struct pgb_quality *quality, struct tallies *tallies)
{
	double total = sum_counts(tallies, true), seen = 0;

	qsort(tallies->items, tallies->count, sizeof(*tallies->items), compare_densities);
	quality->density = 0;
	for (size_t i = 0; i < tallies->count && seen < 0.99 * total; i++) {
		if (!tallies->items[i].is_dense)
			continue;
		seen += (double)tallies->items[i].count;
		quality->density = density_of(&tallies->items[i]);
	}
	quality->more_samples = 1;
	if (quality->density < PGB_QUALITY_DENSITY_ENOUGH)
		quality->more_samples = quality->density > 0
						? PGB_QUALITY_DENSITY_ENOUGH / quality->density
						: PGB_QUALITY_DENSITY_ENOUGH;
}

static void find_agreement(struct pgb_quality *quality, const struct pgb_edge *edges, size_t count)
{
	double odd = 0, all = 0, common = 0;

	for (size_t i = 0; i < count; i++) {
		odd += (double)edges[i].count_odd;
		all += (double)edges[i].count;
	}
	if (odd <= 0 || odd >= all)
		return; /* one sample at most */
	for (size_t i = 0; i < count; i++) {
		double one = (double)edges[i].count_odd / odd;
		double other = (double)(edges[i].count - edges[i].count_odd) / (all - odd);

		common += one < other ? one : other;
	}
	quality->agreement = common;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : -1;
}

static void count_functions(struct pgb_quality *quality, struct tallies *tallies,
			    struct pgb_cfgs *cfgs)
{
	for (size_t i = 0; i < tallies->count; i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(tallies->image, i);

		struct tally *tally = &tallies->items[i];

		/* Entries of the PLT are no functions that could be laid out. */
		if (function->is_plt) {
			*tally = (struct tally){0};
			continue;
		}
		tally->size_bytes = function->size_bytes;
		tally->is_dense = tally->has_profile && tally->size_bytes > 0 &&
				  (cfgs == NULL || pgb_cfgs_find(cfgs, function) != NULL);
		quality->functions += tally->has_profile;
		quality->functions_in_binary++;
	}
}

/* Functions that nothing was seen of have no part in what is sorted. */
static void drop_idle(struct tallies *tallies)
{
	size_t kept = 0;

	for (size_t i = 0; i < tallies->count; i++)
		if (tallies->items[i].count > 0 || tallies->items[i].is_dense)
			tallies->items[kept++] = tallies->items[i];
	tallies->count = kept;
}

/* Figures that need no graphs, and the one that is made of them alone. */
struct figures {
	struct pgb_quality *quality;
	const struct pgb_quality_input *input;
	struct tallies tallies;
	const struct pgb_edge *edges;
	size_t edge_count;
};

static void find_figures(struct figures *figures)
{
	const struct pgb_quality_input *input = figures->input;
	struct pgb_quality *quality = figures->quality;
	size_t count = figures->edge_count;
	bool dense = count > 0 && quality->branches && !input->single_branches && !input->inferred;

	if (count > 0 && input->halves)
		find_agreement(quality, figures->edges, count);
	if (dense)
		tally_bytes(&figures->tallies, figures->edges, count);
	drop_idle(&figures->tallies);
	if (dense)
		find_density(quality, &figures->tallies);
	find_hot_set(quality, &figures->tallies);
}

static void find_part(void *context, size_t index)
{
	struct figures *figures = context;

	if (index == 0)
		find_figures(figures);
	else if (figures->quality->branches && figures->input->cfgs)
		figures->quality->flow = pgb_quality_flow(figures->input);
}

void pgb_quality_compute(struct pgb_quality *quality, const struct pgb_quality_input *input)
{
	struct figures figures = {
		.quality = quality,
		.input = input,
		.tallies = {.image = input->image,
			    .count = pgb_elf_image_function_count(input->image)},
	};
	struct tallies *tallies = &figures.tallies;

	pgb_quality_release(quality);
	quality->density = quality->more_samples = quality->flow = quality->agreement = -1;
	quality->branches = pgb_profile_kind(input->profile) == PGB_PROFILE_BRANCHES;
	quality->count = pgb_profile_total(input->profile);
	quality->dropped = quality->mismatching = quality->inferred = -1;
	quality->lost = share(input->lost_samples, input->samples + input->lost_samples);
	tallies->items = pgb_calloc(tallies->count, sizeof(*tallies->items));
	if (quality->branches)
		tally_branches(quality, tallies, input->profile);
	else
		tally_samples(quality, tallies, input->profile);
	count_functions(quality, tallies, input->cfgs);
	if (input->edges)
		figures.edges =
			pgb_edges_of_binary(input->edges, input->binary, &figures.edge_count);
	if (figures.edge_count >= PARALLEL_EDGES_LEAST) {
		pgb_parallel_run(2, find_part, &figures);
	} else {
		find_part(&figures, 0);
		find_part(&figures, 1);
	}
	if (input->inferred) {
		quality->count =
			input->stats ? input->stats->written : quality->count / PGB_INFER_SCALE;
		quality->inferred = share(input->inferred->counts_filled,
					  pgb_count_add(input->inferred->counts_filled,
							input->inferred->counts_seen));
	}
	if (input->stats) {
		uint64_t addresses = input->stats->by_reason[PGB_DROP_NOT_A_BRANCH_EDGE];

		/* addresses beside branches do not speak against the code */
		quality->dropped = share(input->stats->dropped - addresses, input->stats->seen);
		quality->mismatching = share(input->stats->ranges_dropped, input->stats->ranges);
	}
	free(tallies->items);
	pgb_quality_judge(quality, input);
}

void pgb_quality_copy(struct pgb_quality *to, const struct pgb_quality *from)
{
	*to = *from;
	memset(&to->reasons, 0, sizeof(to->reasons));
	for (size_t i = 0; i < from->reasons.count; i++) {
		struct pgb_quality_reason reason = from->reasons.items[i];

		reason.text = pgb_dup(reason.text);
		pgb_array_push(&to->reasons, reason);
	}
}

void pgb_quality_release(struct pgb_quality *quality)
{
	for (size_t i = 0; i < quality->reasons.count; i++)
		free(quality->reasons.items[i].text);
	pgb_array_release(&quality->reasons);
	*quality = (struct pgb_quality){0};
}
