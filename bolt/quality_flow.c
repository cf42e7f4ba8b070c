/* SPDX-License-Identifier: MIT */
/*
 * What enters a basic block leaves it: how far is that true of a profile? Compared are blocks with
 * a way in and a way out inside their function (BOLT's CFG flow conservation gap does the same):
 * the first block and landing pads are entered from elsewhere, blocks that return are left for
 * elsewhere.
 */
#include <stdlib.h>

#include "bolt/quality_private.h"

/* Sums over all blocks that were compared. */
struct flow {
	double differences, larger_sides;
	uint64_t *in, *out; /* by block of the function at hand */
	size_t capacity;
};

static size_t index_of(const struct pgb_cfg *cfg, const struct pgb_cfg_block *block)
{
	return (size_t)(block - cfg->blocks);
}

/* Control leaves the function here, or is not known to go on. */
static bool is_exit(const struct pgb_cfg *cfg, const struct pgb_cfg_block *block)
{
	const struct pgb_cfg_transfer *last = pgb_cfg_transfer_at(cfg, block->offset_last);

	if (block->falls_through)
		return false;
	return last == NULL || (last->kind != PGB_INSN_JUMP && last->kind != PGB_INSN_CONDITIONAL &&
				last->kind != PGB_INSN_JUMP_INDIRECT);
}

static void compare_blocks(struct flow *flow, const struct pgb_cfg *cfg)
{
	for (size_t i = 0; i < cfg->block_count; i++) {
		const struct pgb_cfg_block *block = &cfg->blocks[i];
		double in = (double)flow->in[i], out = (double)flow->out[i];

		if (i == 0 || block->is_entry || block->is_landing_pad || is_exit(cfg, block))
			continue;
		flow->differences += in > out ? in - out : out - in;
		flow->larger_sides += in > out ? in : out;
	}
}

/* One line that starts in the function. */
static void add_line(struct flow *flow, const struct pgb_cfg *cfg,
		     const struct pgb_profile_branch *line)
{
	const struct pgb_cfg_block *from = pgb_cfg_block_at(cfg, line->from.offset);
	const struct pgb_cfg_transfer *transfer = pgb_cfg_transfer_at(cfg, line->from.offset);
	bool inside = line->to.name == line->from.name && line->to.offset != 0;
	const struct pgb_cfg_block *to = inside ? pgb_cfg_block_at(cfg, line->to.offset) : NULL;
	bool calls = transfer &&
		     (transfer->kind == PGB_INSN_CALL || transfer->kind == PGB_INSN_CALL_INDIRECT);

	/* Calls come back; tail calls do not. */
	if (from == NULL || (calls && !inside))
		return;
	flow->out[index_of(cfg, from)] = pgb_count_add(flow->out[index_of(cfg, from)], line->count);
	if (to != NULL)
		flow->in[index_of(cfg, to)] =
			pgb_count_add(flow->in[index_of(cfg, to)], line->count);
}

static void clear_blocks(struct flow *flow, size_t count)
{
	if (count > flow->capacity) {
		flow->capacity = count;
		flow->in = pgb_realloc_array(flow->in, count, sizeof(*flow->in));
		flow->out = pgb_realloc_array(flow->out, count, sizeof(*flow->out));
	}
	memset(flow->in, 0, count * sizeof(*flow->in));
	memset(flow->out, 0, count * sizeof(*flow->out));
}

static void add_function(struct flow *flow, const struct pgb_quality_input *input,
			 const struct pgb_profile_branch *lines, size_t count)
{
	const struct pgb_elf_function *function;
	const struct pgb_cfg *cfg;

	function = pgb_elf_image_function_named(
		input->image, pgb_profile_name(input->profile, lines[0].from.name));
	cfg = function ? pgb_cfgs_find(input->cfgs, function) : NULL;
	if (cfg == NULL || cfg->block_count < 2)
		return;
	clear_blocks(flow, cfg->block_count);
	for (size_t i = 0; i < count; i++)
		if (lines[i].from.name != PGB_NAME_UNKNOWN)
			add_line(flow, cfg, &lines[i]);
	compare_blocks(flow, cfg);
}

double pgb_quality_flow(const struct pgb_quality_input *input)
{
	size_t functions = pgb_profile_branch_functions(input->profile);
	struct flow flow = {0};

	for (size_t i = 0; i < functions; i++) {
		size_t count;
		const struct pgb_profile_branch *lines =
			pgb_profile_function_branches(input->profile, i, &count);

		/* Lines from outside stand behind a function's own. */
		if (count > 0 && lines[0].from.name != PGB_NAME_UNKNOWN)
			add_function(&flow, input, lines, count);
	}
	free(flow.in);
	free(flow.out);
	return flow.larger_sides > 0 ? 1 - flow.differences / flow.larger_sides : -1;
}
