/* SPDX-License-Identifier: MIT */
/*
 * One function as a graph of flow. A block is two nodes, where control comes together and where it
 * parts, and the arc between them; where ranges tell how blocks were entered, the branches to a
 * block meet in a third. Everything outside the function is one node more, so that the flow goes
 * round. Indirect jumps whose targets nobody knows meet the places that data refers to in another.
 */
#include <string.h>

#include "bolt/infer_private.h"
#include "pgobolt/bolt/elf_image_code.h"

#define NODES_PER_BLOCK	  3
#define TIME_SAMPLES_MOST 4
/* Leaving where the code does not say so: a call that does not come back. */
#define PRICE_OF_NO_RETURN (2 * PGB_FLOW_WEIGHT)
/* A jump to somewhere is more often one within the function, where data refers into that. */
#define PRICE_OF_TAIL_CALL 1
#define STEPS_PER_ARC	   20000
#define STEPS_MOST	   UINT64_C(400000000)

static uint32_t node_jumped(const struct pgb_infer_graph *graph, size_t block)
{
	return (uint32_t)(block * NODES_PER_BLOCK + !graph->sight.ranges);
}

static uint32_t node_in(size_t block)
{
	return (uint32_t)(block * NODES_PER_BLOCK + 1);
}

static uint32_t node_out(size_t block)
{
	return (uint32_t)(block * NODES_PER_BLOCK + 2);
}

static uint32_t node_outside(const struct pgb_infer_graph *graph)
{
	return (uint32_t)(graph->cfg->block_count * NODES_PER_BLOCK);
}

static uint32_t node_hub(const struct pgb_infer_graph *graph)
{
	return node_outside(graph) + 1;
}

struct ends {
	uint32_t tail, head;
};

static struct pgb_flow_arc *add_arc(struct pgb_infer_graph *graph, struct ends ends,
				    struct pgb_infer_meaning meaning, uint32_t exposure,
				    uint64_t count)
{
	struct pgb_flow_arc arc = {
		.tail = ends.tail,
		.head = ends.head,
		.exposure = (uint64_t)exposure * PGB_FLOW_WEIGHT,
		.count = exposure ? pgb_count_multiply(count, PGB_FLOW_WEIGHT) : 0,
	};

	pgb_array_push(&graph->arcs, arc);
	pgb_array_push(&graph->meanings, meaning);
	return &graph->arcs.items[graph->arcs.count - 1];
}

/*
 * Addresses alone tell time, which is no count: an instruction may take a tenth or ten times of
 * another. Such an arc's word weighs as much as a few samples, at the most.
 */
static void weigh_time(struct pgb_flow_arc *arc, const struct pgb_infer_sight *sight)
{
	uint64_t samples = arc->count / PGB_FLOW_WEIGHT;
	uint64_t weight = samples < TIME_SAMPLES_MOST ? samples : TIME_SAMPLES_MOST;

	arc->exposure *= sight->time_scale;
	if (samples == 0)
		arc->exposure /= TIME_SAMPLES_MOST;
	else
		arc->exposure = arc->exposure * weight / samples;
	arc->count = weight * PGB_FLOW_WEIGHT;
}

/* Is there a branch behind which ranges tell that control came over this edge? */
static bool has_range_end(const struct pgb_cfg *cfg, const struct pgb_cfg_block *block)
{
	const struct pgb_cfg_block *end = cfg->blocks + cfg->block_count;

	for (; block < end; block++) {
		if (pgb_infer_first_transfer(cfg, block) != NULL)
			return true;
		if (!pgb_infer_runs_on(cfg, block))
			return false;
	}
	return false;
}

static void add_blocks(struct pgb_infer_graph *graph)
{
	const struct pgb_cfg *cfg = graph->cfg;

	for (size_t i = 0; i < cfg->block_count; i++) {
		const struct pgb_cfg_block *block = &cfg->blocks[i];
		bool called = i > 0 && pgb_infer_runs_on(cfg, block - 1) && block[-1].ends_in_call;
		struct pgb_flow_arc *arc;

		arc = add_arc(
			graph, (struct ends){node_in(i), node_out(i)},
			(struct pgb_infer_meaning){PGB_INFER_BLOCK, block->offset, (uint32_t)i},
			graph->exposures.items[i], graph->block_counts.items[i]);
		if (!graph->sight.branches)
			weigh_time(arc, &graph->sight);
		if (graph->sight.ranges) {
			/* Ranges begin behind a call, too, where it came back. */
			bool known = !called && has_range_end(cfg, block);

			add_arc(graph, (struct ends){node_jumped(graph, i), node_in(i)},
				(struct pgb_infer_meaning){PGB_INFER_JUMPED_IN, block->offset,
							   (uint32_t)i},
				known, graph->jump_counts.items[i]);
		}
		if (i == 0 || block->is_entry || block->is_landing_pad ||
		    graph->entry_counts.items[i] > 0)
			add_arc(graph, (struct ends){node_outside(graph), node_jumped(graph, i)},
				(struct pgb_infer_meaning){PGB_INFER_ENTRY, 0, block->offset},
				graph->sight.branches, graph->entry_counts.items[i]);
	}
}

static void add_fall(struct pgb_infer_graph *graph, size_t i)
{
	const struct pgb_cfg_block *block = &graph->cfg->blocks[i];
	const struct pgb_cfg_transfer *last = pgb_cfg_transfer_at(graph->cfg, block->offset_last);
	uint64_t count = 0;
	uint32_t exposure = 0;

	if (graph->sight.not_taken && last && last->kind == PGB_INSN_CONDITIONAL) {
		exposure++;
		count = pgb_infer_sum_at(graph, PGB_INFER_NOT_TAKEN, last->offset);
	}
	if (graph->sight.ranges && has_range_end(graph->cfg, block + 1)) {
		exposure++;
		count = pgb_count_add(count, graph->fall_counts.items[i]);
	}
	add_arc(graph, (struct ends){node_out(i), node_in(i + 1)},
		(struct pgb_infer_meaning){PGB_INFER_LINE, block->offset_last, block[1].offset},
		exposure, count);
	if (block->ends_in_call)
		add_arc(graph, (struct ends){node_out(i), node_outside(graph)},
			(struct pgb_infer_meaning){PGB_INFER_EXIT, block->offset_last, 0}, 0, 0)
			->price = PRICE_OF_NO_RETURN;
}

static const struct pgb_cfg_block *block_starting_at(const struct pgb_cfg *cfg, uint64_t offset)
{
	const struct pgb_cfg_block *block = pgb_cfg_block_at(cfg, offset);

	return block && block->offset == offset ? block : NULL;
}

static void add_line(struct pgb_infer_graph *graph, size_t i, uint32_t at,
		     const struct pgb_cfg_block *to, uint32_t exposure, uint64_t count)
{
	add_arc(graph,
		(struct ends){node_out(i),
			      node_jumped(graph, pgb_infer_block_number(graph->cfg, to))},
		(struct pgb_infer_meaning){PGB_INFER_LINE, at, to->offset}, exposure, count);
}

static bool has_fact_to(const struct pgb_infer_fact *facts, size_t count, uint32_t to)
{
	for (size_t i = 0; i < count; i++)
		if (facts[i].to == to)
			return true;
	return false;
}

static void add_indirect(struct pgb_infer_graph *graph, size_t i,
			 const struct pgb_cfg_transfer *transfer)
{
	const struct pgb_cfg *cfg = graph->cfg;
	uint32_t exposure = graph->sight.branches;
	size_t count;
	const struct pgb_infer_fact *facts =
		pgb_infer_facts_at(graph, PGB_INFER_INSIDE, transfer->offset, &count);
	uint64_t out = pgb_infer_sum_at(graph, PGB_INFER_OUT, transfer->offset);
	bool leaves = !transfer->knows_targets || transfer->table_count == 0 || out > 0;

	for (size_t j = 0; j < count; j++) {
		const struct pgb_cfg_block *to = block_starting_at(cfg, facts[j].to);

		if (to)
			add_line(graph, i, transfer->offset, to, 1, facts[j].count);
	}
	for (uint32_t j = 0; j < transfer->table_count; j++) {
		uint32_t offset = cfg->table_targets[transfer->table_first + j];
		const struct pgb_cfg_block *to = block_starting_at(cfg, offset);

		if (to && !has_fact_to(facts, count, offset))
			add_line(graph, i, transfer->offset, to, exposure, 0);
	}
	if (leaves)
		add_arc(graph, (struct ends){node_out(i), node_outside(graph)},
			(struct pgb_infer_meaning){PGB_INFER_EXIT, transfer->offset, 0}, exposure,
			out)
			->price = transfer->knows_targets || out > 0 ? 0 : PRICE_OF_TAIL_CALL;
	if (!transfer->knows_targets)
		add_arc(graph, (struct ends){node_out(i), node_hub(graph)},
			(struct pgb_infer_meaning){PGB_INFER_TO_HUB, transfer->offset, 0}, exposure,
			0);
}

static void add_transfer(struct pgb_infer_graph *graph, size_t i,
			 const struct pgb_cfg_transfer *transfer, uint64_t not_taken)
{
	const struct pgb_elf_function *function = graph->cfg->function;
	uint64_t offset = transfer->target - function->address;
	const struct pgb_cfg_block *to = NULL;
	uint32_t exposure = graph->sight.branches;

	if (transfer->kind == PGB_INSN_JUMP_INDIRECT) {
		add_indirect(graph, i, transfer);
		return;
	}
	if (transfer->kind != PGB_INSN_RETURN && offset < function->size_bytes)
		to = block_starting_at(graph->cfg, offset);
	if (to != NULL) {
		uint64_t count = pgb_infer_sum_at(graph, PGB_INFER_INSIDE, transfer->offset);

		/* A jump behind a conditional branch runs whenever that was not taken. */
		if (not_taken != UINT64_MAX && graph->sight.not_taken) {
			exposure++;
			count = pgb_count_add(count, not_taken);
		}
		add_line(graph, i, transfer->offset, to, exposure, count);
		return;
	}
	add_arc(graph, (struct ends){node_out(i), node_outside(graph)},
		(struct pgb_infer_meaning){PGB_INFER_EXIT, transfer->offset, 0}, exposure,
		pgb_infer_sum_at(graph, PGB_INFER_OUT, transfer->offset));
}

/* Everything that leaves a block. */
static void add_ways_out(struct pgb_infer_graph *graph, size_t i)
{
	const struct pgb_cfg *cfg = graph->cfg;
	const struct pgb_cfg_block *block = &cfg->blocks[i];
	const struct pgb_cfg_transfer *end = cfg->transfers + cfg->transfer_count;
	uint64_t not_taken = UINT64_MAX;
	bool leaves = false;

	for (const struct pgb_cfg_transfer *transfer = pgb_infer_first_transfer(cfg, block);
	     transfer && transfer < end && transfer->offset <= block->offset_last; transfer++) {
		if (!pgb_infer_ends_block(transfer->kind))
			continue;
		add_transfer(graph, i, transfer, not_taken);
		leaves = true;
		if (transfer->kind == PGB_INSN_CONDITIONAL)
			not_taken = pgb_infer_sum_at(graph, PGB_INFER_NOT_TAKEN, transfer->offset);
	}
	if (pgb_infer_runs_on(cfg, block))
		add_fall(graph, i);
	else if (!leaves)
		add_arc(graph, (struct ends){node_out(i), node_outside(graph)},
			(struct pgb_infer_meaning){PGB_INFER_EXIT, block->offset_last, 0}, 0, 0);
}

/* Where an indirect jump may go of which nothing is known. */
static void add_hub(struct pgb_infer_graph *graph)
{
	const struct pgb_elf_function *function = graph->cfg->function;
	size_t count;
	const struct pgb_elf_reference *references = pgb_elf_image_references(
		graph->image, function->address, function->address + function->size_bytes, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pgb_cfg_block *to =
			block_starting_at(graph->cfg, references[i].address - function->address);

		if (to == NULL || references[i].by == PGB_ELF_BY_SAME)
			continue;
		add_arc(graph,
			(struct ends){node_hub(graph),
				      node_jumped(graph, pgb_infer_block_number(graph->cfg, to))},
			(struct pgb_infer_meaning){PGB_INFER_FROM_HUB, 0, to->offset}, 0, 0);
	}
}

void pgb_infer_graph_solve(struct pgb_infer_graph *graph)
{
	uint64_t steps;

	pgb_infer_count_blocks(graph);
	graph->arcs.count = 0;
	graph->meanings.count = 0;
	add_blocks(graph);
	for (size_t i = 0; i < graph->cfg->block_count; i++)
		add_ways_out(graph, i);
	add_hub(graph);
	steps = graph->arcs.count * (uint64_t)STEPS_PER_ARC;
	graph->solved = pgb_flow_solve(graph->arcs.items, graph->arcs.count,
				       graph->cfg->block_count * NODES_PER_BLOCK + 2,
				       steps < STEPS_MOST ? steps : STEPS_MOST);
}

void pgb_infer_graph_release(struct pgb_infer_graph *graph)
{
	pgb_array_release(&graph->arcs);
	pgb_array_release(&graph->meanings);
	pgb_array_release(&graph->block_counts);
	pgb_array_release(&graph->entry_counts);
	pgb_array_release(&graph->fall_counts);
	pgb_array_release(&graph->jump_counts);
	pgb_array_release(&graph->exposures);
	pgb_array_release(&graph->unlike);
}
