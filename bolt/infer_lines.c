/* SPDX-License-Identifier: MIT */
/* The flow of functions as branch lines. */
#include <string.h>

#include "bolt/infer_private.h"
#include "pgobolt/base/search.h"

static uint32_t name_of(struct pgb_inference *inference, const struct pgb_elf_function *function)
{
	uint32_t *name = &inference->names[pgb_infer_number(inference, function)];

	if (*name == PGB_NAME_UNKNOWN)
		*name = pgb_profile_intern(inference->profile, function->name,
					   strlen(function->name));
	return *name;
}

/* `seen`: a sample shows this very line. */
static void write_line(struct pgb_inference *inference, const struct pgb_profile_branch *line,
		       const struct pgb_elf_function *to, bool seen)
{
	struct pgb_infer_stats *stats = inference->stats;
	uint64_t *counts = seen ? &stats->counts_seen : &stats->counts_filled;

	if (line->count == 0)
		return;
	pgb_profile_add_branch(inference->profile, line);
	*counts = pgb_count_add(*counts, line->count);
	*(seen ? &stats->lines_seen : &stats->lines_filled) += 1;
	if (to && line->to.offset == 0) {
		uint64_t *sum = &inference->entering[pgb_infer_number(inference, to)];

		*sum = pgb_count_add(*sum, line->count);
	}
}

static struct pgb_place translate(struct pgb_inference *inference, const struct pgb_place *seen,
				  const struct pgb_elf_function **function)
{
	struct pgb_place place = {.name = PGB_NAME_UNKNOWN, .offset = seen->offset};

	*function = NULL;
	if (seen->name == PGB_NAME_UNKNOWN)
		return place;
	*function = pgb_elf_image_function_named(inference->image,
						 pgb_profile_name(inference->seen, seen->name));
	pgb_assert(*function != NULL);
	place.name = name_of(inference, *function);
	return place;
}

/* A line as it was seen, with another count. */
static void copy_line(struct pgb_inference *inference, const struct pgb_profile_branch *seen,
		      uint64_t count)
{
	const struct pgb_elf_function *from, *to;
	struct pgb_profile_branch line = {
		.from = translate(inference, &seen->from, &from),
		.to = translate(inference, &seen->to, &to),
		.count = count,
		.mispredicts = pgb_count_multiply(seen->mispredicts, PGB_INFER_SCALE),
	};

	if (line.mispredicts > line.count)
		line.mispredicts = line.count;
	write_line(inference, &line, to, true);
}

/* What was seen of one function, those that enter it from outside last. */
static const struct pgb_profile_branch *
seen_lines(struct pgb_inference *inference, const struct pgb_elf_function *function, size_t *count)
{
	uint32_t group = inference->groups[pgb_infer_number(inference, function)];

	*count = 0;
	return group ? pgb_profile_function_branches(inference->seen, group - 1, count) : NULL;
}

/* Those of them that start at this offset: lines are sorted by it, and entries stand behind. */
static const struct pgb_profile_branch *lines_from(const struct pgb_profile_branch *lines,
						   uint64_t offset, size_t *count)
{
	size_t at = pgb_search(
		*count, i, lines[i].from.name != PGB_NAME_UNKNOWN && lines[i].from.offset < offset);
	size_t end;

	for (end = at; end < *count && lines[end].from.name != PGB_NAME_UNKNOWN &&
		       lines[end].from.offset == offset;)
		end++;
	*count = end - at;
	return lines + at;
}

static const struct pgb_profile_branch *find_line(struct pgb_inference *inference,
						  const struct pgb_infer_meaning *meaning)
{
	size_t count;
	const struct pgb_profile_branch *lines =
		seen_lines(inference, inference->graph.cfg->function, &count);

	lines = lines_from(lines, meaning->at, &count);
	for (size_t i = 0; i < count; i++)
		if (lines[i].to.name == lines[i].from.name && lines[i].to.offset == meaning->to)
			return &lines[i];
	return NULL;
}

static void write_inner(struct pgb_inference *inference, const struct pgb_infer_meaning *meaning,
			uint64_t flow)
{
	const struct pgb_elf_function *function = inference->graph.cfg->function;
	const struct pgb_profile_branch *seen = find_line(inference, meaning);
	uint32_t name = name_of(inference, function);
	struct pgb_profile_branch line = {
		.from = {name, meaning->at}, .to = {name, meaning->to}, .count = flow};

	if (seen) {
		line.mispredicts = pgb_count_multiply(seen->mispredicts, PGB_INFER_SCALE);
		if (line.mispredicts > flow)
			line.mispredicts = flow;
	}
	write_line(inference, &line, function, seen != NULL);
}

/* Does a line leave the function, or call it anew? */
static bool leaves(const struct pgb_profile_branch *line, const struct pgb_cfg *cfg)
{
	const struct pgb_cfg_transfer *transfer = pgb_cfg_transfer_at(cfg, line->from.offset);

	return line->to.name != line->from.name ||
	       (transfer && pgb_infer_is_call(transfer->kind) && line->to.offset == 0);
}

/* `flow` among the lines that leave here, as they were seen; 0: there are none. */
static uint64_t share_out(struct pgb_inference *inference, uint32_t at, uint64_t flow)
{
	const struct pgb_cfg *cfg = inference->graph.cfg;
	size_t count;
	const struct pgb_profile_branch *lines = seen_lines(inference, cfg->function, &count);
	uint64_t sum = 0;

	lines = lines_from(lines, at, &count);
	for (size_t i = 0; i < count; i++)
		if (leaves(&lines[i], cfg))
			sum = pgb_count_add(sum, lines[i].count);
	for (size_t i = 0; i < count && sum > 0; i++)
		if (leaves(&lines[i], cfg))
			copy_line(inference, &lines[i],
				  (uint64_t)((unsigned __int128)flow * lines[i].count / sum));
	return sum;
}

/* A direct call or jump to another function of which no sample tells. */
static void write_out(struct pgb_inference *inference, const struct pgb_cfg_transfer *transfer,
		      uint64_t flow)
{
	const struct pgb_elf_function *from = inference->graph.cfg->function, *to = NULL;
	struct pgb_profile_branch line = {.count = flow};

	if (transfer->target != UINT64_MAX)
		to = pgb_elf_image_find_function(inference->image, transfer->target);
	if (to == NULL)
		return;
	line.from = (struct pgb_place){name_of(inference, from), transfer->offset};
	line.to = (struct pgb_place){name_of(inference, to), transfer->target - to->address};
	write_line(inference, &line, to, false);
}

static void write_calls(struct pgb_inference *inference, size_t block_number, uint64_t flow)
{
	const struct pgb_cfg *cfg = inference->graph.cfg;
	const struct pgb_cfg_block *block = &cfg->blocks[block_number];

	for (size_t i = 0; i < cfg->transfer_count; i++) {
		const struct pgb_cfg_transfer *transfer = &cfg->transfers[i];

		if (transfer->offset < block->offset || !pgb_infer_is_call(transfer->kind))
			continue;
		if (transfer->offset > block->offset_last)
			return;
		if (share_out(inference, transfer->offset, flow) == 0)
			write_out(inference, transfer, flow);
	}
}

static void write_exit(struct pgb_inference *inference, uint32_t at, uint64_t flow)
{
	const struct pgb_cfg_transfer *transfer = pgb_cfg_transfer_at(inference->graph.cfg, at);

	if (transfer == NULL || pgb_infer_is_call(transfer->kind) ||
	    transfer->kind == PGB_INSN_RETURN)
		return;
	if (share_out(inference, at, flow) == 0)
		write_out(inference, transfer, flow);
}

/* What goes through the hub from one jump: among where it comes out, by how much does there. */
static void write_hub(struct pgb_inference *inference, uint32_t at, uint64_t flow)
{
	const struct pgb_infer_graph *graph = &inference->graph;
	uint64_t sum = 0;

	for (size_t i = 0; i < graph->arcs.count; i++)
		if (graph->meanings.items[i].kind == PGB_INFER_FROM_HUB)
			sum += (uint64_t)graph->arcs.items[i].flow;
	for (size_t i = 0; i < graph->arcs.count && sum > 0; i++) {
		struct pgb_infer_meaning meaning = graph->meanings.items[i];
		uint64_t share = (uint64_t)((unsigned __int128)flow *
					    (uint64_t)graph->arcs.items[i].flow / sum);

		meaning.at = at;
		if (meaning.kind == PGB_INFER_FROM_HUB && share > 0)
			write_inner(inference, &meaning, share);
	}
}

void pgb_infer_write_function(struct pgb_inference *inference)
{
	const struct pgb_infer_graph *graph = &inference->graph;
	size_t number = pgb_infer_number(inference, graph->cfg->function);

	for (size_t i = 0; i < graph->arcs.count; i++) {
		const struct pgb_infer_meaning *meaning = &graph->meanings.items[i];
		uint64_t flow = (uint64_t)graph->arcs.items[i].flow;

		if (flow == 0)
			continue;
		if (meaning->kind == PGB_INFER_BLOCK)
			write_calls(inference, meaning->to, flow);
		else if (meaning->kind == PGB_INFER_LINE)
			write_inner(inference, meaning, flow);
		else if (meaning->kind == PGB_INFER_EXIT)
			write_exit(inference, meaning->at, flow);
		else if (meaning->kind == PGB_INFER_TO_HUB)
			write_hub(inference, meaning->at, flow);
		else if (meaning->kind == PGB_INFER_ENTRY && meaning->to == 0)
			inference->entries[number] = flow;
	}
	inference->stats->functions++;
	inference->stats->blocks += graph->cfg->block_count;
}

void pgb_infer_copy_rest(struct pgb_inference *inference)
{
	size_t groups = pgb_profile_branch_functions(inference->seen);

	for (size_t i = 0; i < groups; i++) {
		size_t count;
		const struct pgb_profile_branch *lines =
			pgb_profile_function_branches(inference->seen, i, &count);

		for (size_t j = 0; j < count; j++) {
			const struct pgb_elf_function *from;

			translate(inference, &lines[j].from, &from);
			if (from == NULL || !inference->inferred[pgb_infer_number(inference, from)])
				copy_line(inference, &lines[j],
					  pgb_count_multiply(lines[j].count, PGB_INFER_SCALE));
		}
	}
}

void pgb_infer_write_entries(struct pgb_inference *inference)
{
	size_t count = pgb_elf_image_function_count(inference->image);

	for (size_t i = 0; i < count; i++) {
		const struct pgb_elf_function *function =
			pgb_elf_image_function(inference->image, i);
		struct pgb_profile_branch line = {.to = {0, 0}};

		if (inference->entries[i] / 2 <= inference->entering[i])
			continue;
		line.to.name = name_of(inference, function);
		line.count = inference->entries[i] - inference->entering[i];
		write_line(inference, &line, NULL, false);
	}
}

void pgb_infer_find_groups(struct pgb_inference *inference)
{
	size_t groups = pgb_profile_branch_functions(inference->seen);

	for (size_t i = 0; i < groups; i++) {
		size_t count;
		const struct pgb_profile_branch *lines =
			pgb_profile_function_branches(inference->seen, i, &count);
		const struct pgb_elf_function *function;

		if (lines[0].from.name == PGB_NAME_UNKNOWN)
			continue;
		translate(inference, &lines[0].from, &function);
		inference->groups[pgb_infer_number(inference, function)] = (uint32_t)i + 1;
	}
}
