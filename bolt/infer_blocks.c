/* SPDX-License-Identifier: MIT */
/* What samples tell of each block of a function. */
#include <string.h>

#include "bolt/cfg_private.h"
#include "bolt/infer_private.h"
#include "pgobolt/base/search.h"

/* ---- facts */

static int compare_fact(const struct pgb_infer_fact *fact, enum pgb_infer_kind kind, uint32_t at)
{
	if (fact->kind != kind)
		return fact->kind < kind ? -1 : 1;
	return (fact->at > at) - (fact->at < at);
}

/* The first that is not before (kind, at). */
static const struct pgb_infer_fact *lower_bound(const struct pgb_infer_graph *graph,
						enum pgb_infer_kind kind, uint32_t at)
{
	return graph->facts +
	       pgb_search(graph->fact_count, i, compare_fact(&graph->facts[i], kind, at) < 0);
}

const struct pgb_infer_fact *pgb_infer_facts(const struct pgb_infer_graph *graph,
					     enum pgb_infer_kind kind, size_t *count)
{
	const struct pgb_infer_fact *first = lower_bound(graph, kind, 0);

	*count = (size_t)(lower_bound(graph, (enum pgb_infer_kind)(kind + 1), 0) - first);
	return first;
}

const struct pgb_infer_fact *pgb_infer_facts_at(const struct pgb_infer_graph *graph,
						enum pgb_infer_kind kind, uint32_t at,
						size_t *count)
{
	const struct pgb_infer_fact *first = lower_bound(graph, kind, at), *end = first;

	while (end < graph->facts + graph->fact_count && compare_fact(end, kind, at) == 0)
		end++;
	*count = (size_t)(end - first);
	return first;
}

uint64_t pgb_infer_sum_at(const struct pgb_infer_graph *graph, enum pgb_infer_kind kind,
			  uint32_t at)
{
	size_t count;
	const struct pgb_infer_fact *facts = pgb_infer_facts_at(graph, kind, at, &count);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum = pgb_count_add(sum, facts[i].count);
	return sum;
}

/* ---- what was seen of each block */

bool pgb_infer_ends_block(uint8_t kind)
{
	return kind == PGB_INSN_JUMP || kind == PGB_INSN_CONDITIONAL ||
	       kind == PGB_INSN_JUMP_INDIRECT || kind == PGB_INSN_RETURN;
}

/* A conditional branch to the next block with a jump behind it: an edge, but no way straight on. */
bool pgb_infer_runs_on(const struct pgb_cfg *cfg, const struct pgb_cfg_block *block)
{
	const struct pgb_cfg_transfer *last = pgb_cfg_transfer_at(cfg, block->offset_last);

	return block->falls_through && (last == NULL || last->kind == PGB_INSN_CONDITIONAL ||
					!pgb_infer_ends_block(last->kind));
}

/* Jumps are counted with where they go, unless only addresses are known. */
static bool counts_with_block(const struct pgb_infer_graph *graph, const struct pgb_insn *insn)
{
	if (insn->kind == PGB_INSN_CALL || insn->kind == PGB_INSN_CALL_INDIRECT)
		return true;
	return graph->sight.addresses &&
	       (!graph->sight.branches || !pgb_infer_ends_block(insn->kind));
}

static void count_chances(struct pgb_infer_graph *graph)
{
	struct pgb_cfg_walk walk;
	size_t block = 0, fused;
	bool bad;

	pgb_infer_facts(graph, PGB_INFER_FUSED, &fused);
	graph->unlike.count = 0;
	pgb_cfg_walk_start(&walk, graph->image, graph->set, graph->cfg->function);
	while (pgb_cfg_walk_next(&walk, &bad)) {
		while (block + 1 < graph->cfg->block_count &&
		       graph->cfg->blocks[block + 1].offset <= walk.offset)
			block++;
		if (walk.insn.repeated ||
		    (fused > 0 &&
		     pgb_infer_sum_at(graph, PGB_INFER_FUSED, (uint32_t)walk.offset) > 0))
			pgb_array_push(&graph->unlike, (uint32_t)walk.offset);
		else if (counts_with_block(graph, &walk.insn))
			graph->exposures.items[block]++;
	}
}

static bool is_unlike(const struct pgb_infer_graph *graph, uint32_t offset)
{
	for (size_t i = 0; i < graph->unlike.count; i++)
		if (graph->unlike.items[i] == offset)
			return true;
	return false;
}

static void add_to(uint64_t *counts, const struct pgb_cfg *cfg, const struct pgb_cfg_block *block,
		   uint64_t count)
{
	uint64_t *sum = &counts[pgb_infer_block_number(cfg, block)];

	*sum = pgb_count_add(*sum, count);
}

static void count_blocks(struct pgb_infer_graph *graph)
{
	size_t count;
	const struct pgb_infer_fact *facts = pgb_infer_facts(graph, PGB_INFER_IP, &count);
	const struct pgb_cfg_block *block;

	for (size_t i = 0; i < count; i++) {
		const struct pgb_cfg_transfer *transfer =
			pgb_cfg_transfer_at(graph->cfg, facts[i].at);

		block = pgb_cfg_block_at(graph->cfg, facts[i].at);
		if (block == NULL || is_unlike(graph, facts[i].at) ||
		    (graph->sight.branches && transfer && pgb_infer_ends_block(transfer->kind)))
			continue;
		add_to(graph->block_counts.items, graph->cfg, block, facts[i].count);
	}
	facts = pgb_infer_facts(graph, PGB_INFER_OUT, &count);
	for (size_t i = 0; i < count; i++) {
		const struct pgb_cfg_transfer *transfer =
			pgb_cfg_transfer_at(graph->cfg, facts[i].at);

		block = pgb_cfg_block_at(graph->cfg, facts[i].at);
		if (block && transfer && !pgb_infer_ends_block(transfer->kind))
			add_to(graph->block_counts.items, graph->cfg, block, facts[i].count);
	}
	facts = pgb_infer_facts(graph, PGB_INFER_ENTERED, &count);
	for (size_t i = 0; i < count; i++) {
		block = pgb_cfg_block_at(graph->cfg, facts[i].to);
		if (block && block->offset == facts[i].to)
			add_to(graph->entry_counts.items, graph->cfg, block, facts[i].count);
	}
}

/* The first transfer at or behind the block's start; transfers behind its end do not count. */
const struct pgb_cfg_transfer *pgb_infer_first_transfer(const struct pgb_cfg *cfg,
							const struct pgb_cfg_block *block)
{
	size_t at = pgb_search(cfg->transfer_count, i, cfg->transfers[i].offset < block->offset);

	return at < cfg->transfer_count && cfg->transfers[at].offset <= block->offset_last
		       ? &cfg->transfers[at]
		       : NULL;
}

/*
 * How did control come to the branch that ends this range? A branch is sampled as often as it runs,
 * so the ranges to it tell which share of that came which way; as far back as there is no other
 * branch in between, which would have its own.
 */
static void count_range(struct pgb_infer_graph *graph, const struct pgb_infer_fact *range)
{
	const struct pgb_cfg *cfg = graph->cfg;
	const struct pgb_cfg_block *block = pgb_cfg_block_at(cfg, range->to);
	const struct pgb_cfg_transfer *first = block ? pgb_infer_first_transfer(cfg, block) : NULL;

	if (first == NULL || first->offset != range->to)
		return;
	for (;; block--) {
		if (range->at == block->offset)
			add_to(graph->jump_counts.items, cfg, block, range->count);
		if (range->at >= block->offset || block == cfg->blocks ||
		    !pgb_infer_runs_on(cfg, block - 1))
			return;
		add_to(graph->fall_counts.items, cfg, block - 1, range->count);
		if (pgb_infer_first_transfer(cfg, block - 1) != NULL)
			return;
	}
}

static void clear(struct pgb_infer_graph *graph)
{
	size_t count = graph->cfg->block_count;

	pgb_array_reserve(&graph->block_counts, count);
	pgb_array_reserve(&graph->entry_counts, count);
	pgb_array_reserve(&graph->fall_counts, count);
	pgb_array_reserve(&graph->jump_counts, count);
	pgb_array_reserve(&graph->exposures, count);
	memset(graph->block_counts.items, 0, count * sizeof(uint64_t));
	memset(graph->entry_counts.items, 0, count * sizeof(uint64_t));
	memset(graph->fall_counts.items, 0, count * sizeof(uint64_t));
	memset(graph->jump_counts.items, 0, count * sizeof(uint64_t));
	memset(graph->exposures.items, 0, count * sizeof(uint32_t));
}

void pgb_infer_count_blocks(struct pgb_infer_graph *graph)
{
	size_t count;
	const struct pgb_infer_fact *ranges;

	clear(graph);
	count_chances(graph);
	count_blocks(graph);
	ranges = pgb_infer_facts(graph, PGB_INFER_RANGE, &count);
	for (size_t i = 0; i < count; i++)
		count_range(graph, &ranges[i]);
}
