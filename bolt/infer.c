/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/infer.h"

#include "bolt/infer_private.h"
#include "pgobolt/base/alloc.h"

/* ---- facts from edges */

static const struct pgb_elf_function *function_at(const struct pgb_inference *inference,
						  uint64_t address)
{
	const struct pgb_elf_function *function =
		address < PGB_ADDRESS_EXTERNAL
			? pgb_elf_image_find_function(inference->image, address)
			: NULL;

	return function && pgb_cfgs_find(inference->cfgs, function) ? function : NULL;
}

static void add_fact(struct pgb_inference *inference, const struct pgb_elf_function *function,
		     enum pgb_infer_kind kind, uint64_t at, uint64_t to, uint64_t count)
{
	pgb_array_push(&inference->facts,
		       ((struct pgb_infer_fact){
			       .function = (uint32_t)pgb_infer_number(inference, function),
			       .kind = (uint8_t)kind,
			       .at = (uint32_t)(at - (at ? function->address : 0)),
			       .to = (uint32_t)(to - (to ? function->address : 0)),
			       .count = count,
		       }));
}

/* Did control get there by a call or a jump, and not back from a call? */
static bool is_entered(struct pgb_inference *inference, const struct pgb_elf_function *function,
		       uint64_t address)
{
	const struct pgb_cfg *cfg = pgb_cfgs_find(inference->cfgs, function);
	uint64_t offset = address - function->address;
	const struct pgb_cfg_block *block = pgb_cfg_block_at(cfg, offset);

	if (block == NULL || block->offset != offset)
		return false;
	return block == cfg->blocks || block->is_landing_pad ||
	       (block->is_entry && !block[-1].ends_in_call);
}

/* The conditional branch right behind the instruction at this offset: a compare fuses with it. */
static const struct pgb_cfg_transfer *fused_branch(const struct pgb_cfg *cfg, uint64_t offset)
{
	uint64_t next = offset + 1;
	const struct pgb_cfg_transfer *transfer;

	if (!pgb_cfg_is_instruction(cfg, offset))
		return NULL;
	while (next < cfg->function->size_bytes && !pgb_cfg_is_instruction(cfg, next))
		next++;
	transfer = pgb_cfg_transfer_at(cfg, next);
	return transfer && transfer->kind == PGB_INSN_CONDITIONAL ? transfer : NULL;
}

/*
 * What the code knows better than the source: which branch a compare was fused with, and where a
 * direct branch goes. NULL: no branch.
 */
static const struct pgb_cfg_transfer *complete(struct pgb_inference *inference,
					       const struct pgb_elf_function *function,
					       struct pgb_edge *edge)
{
	const struct pgb_cfg *cfg = pgb_cfgs_find(inference->cfgs, function);
	uint64_t offset = edge->branch - function->address;
	const struct pgb_cfg_transfer *transfer = pgb_cfg_transfer_at(cfg, offset);

	if (transfer == NULL && inference->graph.set == PGB_INSN_X86_64) {
		transfer = fused_branch(cfg, offset);
		if (transfer)
			add_fact(inference, function, PGB_INFER_FUSED, edge->branch, 0,
				 edge->count);
	}
	if (transfer == NULL)
		return NULL;
	edge->branch = function->address + transfer->offset;
	if (edge->from == PGB_ADDRESS_NONE)
		edge->from = transfer->target;
	return transfer;
}

static void add_branch(struct pgb_inference *inference, struct pgb_edge *edge)
{
	const struct pgb_elf_function *from = function_at(inference, edge->branch), *to;
	const struct pgb_cfg_transfer *transfer = NULL;

	if (from) {
		transfer = complete(inference, from, edge);
		/* nor is it known where this one went */
		if (transfer == NULL ||
		    (edge->from == PGB_ADDRESS_NONE && transfer->kind == PGB_INSN_JUMP_INDIRECT))
			return;
	}
	to = function_at(inference, edge->from);
	if (transfer) {
		bool inside = from == to && !pgb_infer_is_call(transfer->kind) &&
			      transfer->kind != PGB_INSN_RETURN;

		add_fact(inference, from, inside ? PGB_INFER_INSIDE : PGB_INFER_OUT, edge->branch,
			 inside ? edge->from : 0, edge->count);
		if (inside || transfer->kind == PGB_INSN_RETURN)
			return;
	}
	if (to && edge->kind != PGB_EDGE_RETURN && is_entered(inference, to, edge->from))
		add_fact(inference, to, PGB_INFER_ENTERED, 0, edge->from, edge->count);
}

static void add_not_taken(struct pgb_inference *inference, struct pgb_edge *edge)
{
	const struct pgb_elf_function *function = function_at(inference, edge->branch);

	if (function && complete(inference, function, edge))
		add_fact(inference, function, PGB_INFER_NOT_TAKEN, edge->branch, 0, edge->count);
}

static void add_edge(struct pgb_inference *inference, const struct pgb_edge *seen)
{
	const struct pgb_elf_function *function;
	struct pgb_edge whole = *seen, *edge = &whole;

	switch (edge->kind) {
	case PGB_EDGE_IP:
		function = function_at(inference, edge->branch);
		if (function)
			add_fact(inference, function, PGB_INFER_IP, edge->branch, 0, edge->count);
		return;
	case PGB_EDGE_NOT_TAKEN:
		add_not_taken(inference, edge);
		return;
	case PGB_EDGE_TRACE:
	case PGB_EDGE_BRANCH:
	case PGB_EDGE_RETURN:
		if (edge->branch != PGB_ADDRESS_NONE)
			add_branch(inference, edge);
	}
	if (edge->to == PGB_ADDRESS_NONE || edge->kind == PGB_EDGE_BRANCH)
		return;
	function = function_at(inference, edge->from);
	if (function && function == function_at(inference, edge->to))
		add_fact(inference, function, PGB_INFER_RANGE, edge->from, edge->to, edge->count);
}

static int compare_facts(const void *left, const void *right)
{
	const struct pgb_infer_fact *a = left, *b = right;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

/* Samples at one place that stand for ten thousand are enough. */
#define TIME_SAMPLES_ENOUGH 10000

static void gather(struct pgb_inference *inference, const struct pgb_edge *edges, size_t count)
{
	struct pgb_infer_sight *sight = &inference->graph.sight;

	sight->time_scale = 1;
	for (size_t i = 0; i < count; i++) {
		const struct pgb_edge *edge = &edges[i];

		if (edge->count / TIME_SAMPLES_ENOUGH >= sight->time_scale)
			sight->time_scale = edge->count / TIME_SAMPLES_ENOUGH + 1;
		sight->addresses |= edge->kind == PGB_EDGE_IP;
		sight->not_taken |= edge->kind == PGB_EDGE_NOT_TAKEN;
		sight->branches |= edge->kind != PGB_EDGE_IP && edge->kind != PGB_EDGE_RANGE &&
				   edge->branch != PGB_ADDRESS_NONE;
		sight->ranges |= edge->to != PGB_ADDRESS_NONE &&
				 (edge->kind == PGB_EDGE_RANGE || edge->kind == PGB_EDGE_TRACE);
		add_edge(inference, edge);
	}
	if (inference->facts.count > 1)
		qsort(inference->facts.items, inference->facts.count,
		      sizeof(*inference->facts.items), compare_facts);
}

bool pgb_infer_applies(const struct pgb_edge *edges, size_t count)
{
	bool taken = false, not_taken = false;

	for (size_t i = 0; i < count; i++) {
		const struct pgb_edge *edge = &edges[i];

		switch (edge->kind) {
		case PGB_EDGE_TRACE:
		case PGB_EDGE_RETURN:
			if (edge->branch < PGB_ADDRESS_EXTERNAL && edge->to != PGB_ADDRESS_NONE)
				return false;
			break;
		case PGB_EDGE_BRANCH:
			taken = true;
			break;
		case PGB_EDGE_NOT_TAKEN:
			not_taken = true;
		}
	}
	return taken && not_taken;
}

/* ---- all of it */

static void infer_functions(struct pgb_inference *inference)
{
	struct pgb_infer_graph *graph = &inference->graph;
	const struct pgb_infer_fact *facts = inference->facts.items;

	for (size_t i = 0, next; i < inference->facts.count; i = next) {
		const struct pgb_elf_function *function =
			pgb_elf_image_function(inference->image, facts[i].function);

		for (next = i; next < inference->facts.count; next++)
			if (facts[next].function != facts[i].function)
				break;
		graph->cfg = pgb_cfgs_find(inference->cfgs, function);
		graph->facts = facts + i;
		graph->fact_count = next - i;
		pgb_infer_graph_solve(graph);
		inference->stats->functions_unsolved += !graph->solved;
		inference->inferred[facts[i].function] = true;
		pgb_infer_write_function(inference);
	}
}

/* The samples' own lines, and what became of every edge. */
static int convert(struct pgb_inference *inference, struct pgb_edges *edges, uint32_t binary,
		   struct pgb_profile_stats *stats, struct pgb_error *error)
{
	uint64_t *addresses = &stats->by_reason[PGB_DROP_NOT_A_BRANCH_EDGE];
	uint64_t before = *addresses;
	int code = pgb_profile_add_branch_edges(inference->seen, inference->cfgs, edges, binary,
						false, stats, error);

	/* Here addresses do have a place among branches. */
	stats->dropped -= *addresses - before;
	stats->written += *addresses - before;
	*addresses = before;
	return code;
}

static void release(struct pgb_inference *inference)
{
	pgb_profile_free(inference->seen);
	pgb_array_release(&inference->facts);
	pgb_infer_graph_release(&inference->graph);
	free(inference->names);
	free(inference->groups);
	free(inference->entering);
	free(inference->entries);
	free(inference->inferred);
}

int pgb_infer_edges(struct pgb_profile *profile, struct pgb_cfgs *cfgs, struct pgb_edges *edges,
		    uint32_t binary, struct pgb_profile_stats *stats,
		    struct pgb_infer_stats *inferred, struct pgb_error *error)
{
	struct pgb_inference inference = {
		.profile = profile,
		.seen = pgb_profile_new(),
		.cfgs = cfgs,
		.image = pgb_cfgs_image(cfgs),
		.stats = inferred,
	};
	size_t functions = pgb_elf_image_function_count(inference.image), count;
	const struct pgb_edge *list = pgb_edges_of_binary(edges, binary, &count);
	int code = pgb_profile_set_kind(profile, PGB_PROFILE_BRANCHES, false, error);

	*inferred = (struct pgb_infer_stats){0};
	inference.graph.image = inference.image;
	pgb_assert(pgb_insn_set_of_machine(pgb_elf_image_binary(inference.image)->machine,
					   &inference.graph.set));
	inference.names = pgb_calloc(functions, sizeof(*inference.names));
	inference.groups = pgb_calloc(functions, sizeof(*inference.groups));
	inference.entering = pgb_calloc(functions, sizeof(*inference.entering));
	inference.entries = pgb_calloc(functions, sizeof(*inference.entries));
	inference.inferred = pgb_calloc(functions, sizeof(*inference.inferred));
	if (code == 0)
		code = convert(&inference, edges, binary, stats, error);
	if (code == 0) {
		pgb_infer_find_groups(&inference);
		list = pgb_edges_of_binary(edges, binary, &count);
		gather(&inference, list, count);
		infer_functions(&inference);
		pgb_infer_copy_rest(&inference);
		pgb_infer_write_entries(&inference);
	}
	release(&inference);
	return code;
}
