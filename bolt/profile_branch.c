/* SPDX-License-Identifier: MIT */
/*
 * Counted edges into branch lines, as perf2bolt does it (DataAggregator: doBranch, doTrace,
 * getFallthroughsInTrace), unless the function's graph shows that it cannot be.
 */
#include <string.h>

#include "bolt/profile_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image_code.h"

struct conversion {
	struct pgb_profile *profile;
	struct pgb_cfgs *cfgs;
	struct pgb_elf_image *image;
	enum pgb_insn_set set;
	bool as_perf2bolt;
	uint32_t *names;	     /* of functions in the profile; 0: not interned yet */
	PGB_ARRAY(uint64_t) returns; /* branches that a RETURN edge declares, ascending */
	struct pgb_profile_stats *stats;
};

/* An address and what it is in. */
struct end {
	uint64_t address;
	const struct pgb_elf_function *function; /* NULL: outside, or in none */
	uint64_t offset;
};

static const char *const drop_texts[] = {
#define PGB_DROP_TEXT(name, text) text,
	PGB_DROPS(PGB_DROP_TEXT)
#undef PGB_DROP_TEXT
};

const char *pgb_drop_text(enum pgb_drop drop)
{
	pgb_assert(drop < PGB_DROP_COUNT);
	return drop_texts[drop];
}

static struct end find_end(const struct conversion *conversion, uint64_t address)
{
	struct end end = {.address = address};

	if (address >= PGB_ADDRESS_EXTERNAL)
		return end;
	end.function = pgb_elf_image_find_function(conversion->image, address);
	if (end.function != NULL)
		end.offset = address - end.function->address;
	return end;
}

static struct pgb_place place_of(struct conversion *conversion, const struct end *end)
{
	struct pgb_place place = {.name = PGB_NAME_UNKNOWN};
	size_t index;

	if (end->function == NULL)
		return place;
	index = (size_t)(end->function - pgb_elf_image_function(conversion->image, 0));
	if (conversion->names[index] == PGB_NAME_UNKNOWN)
		conversion->names[index] = pgb_profile_intern(
			conversion->profile, end->function->name, strlen(end->function->name));
	place.name = conversion->names[index];
	place.offset = end->offset;
	return place;
}

static void write_line(struct conversion *conversion, const struct end *from, const struct end *to,
		       uint64_t count, uint64_t mispredicts)
{
	struct pgb_profile_branch line = {
		.from = place_of(conversion, from),
		.to = place_of(conversion, to),
		.count = count,
		.mispredicts = mispredicts,
	};

	pgb_profile_add_branch(conversion->profile, &line);
}

static bool decode_at(const struct conversion *conversion, uint64_t address, struct pgb_insn *insn)
{
	size_t left = 0;
	const uint8_t *bytes = pgb_elf_image_bytes_at(conversion->image, address, &left);

	return bytes != NULL && pgb_insn_decode(conversion->set, bytes, left, address, insn) == 0;
}

/* The instruction at this place, where it transfers control; false where it does not. */
static bool find_transfer(const struct conversion *conversion, const struct end *at,
			  struct pgb_insn *insn)
{
	const struct pgb_cfg *cfg = pgb_cfgs_find(conversion->cfgs, at->function);
	const struct pgb_cfg_transfer *transfer;

	if (cfg == NULL)
		return decode_at(conversion, at->address, insn) && insn->kind >= PGB_INSN_JUMP &&
		       insn->kind <= PGB_INSN_RETURN;
	transfer = pgb_cfg_transfer_at(cfg, at->offset);
	if (transfer == NULL)
		return false;
	*insn = (struct pgb_insn){.kind = transfer->kind,
				  .length_bytes = transfer->length_bytes,
				  .target = transfer->target};
	return true;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool is_return(const struct conversion *conversion, const struct end *branch)
{
	struct pgb_insn insn;

	if (conversion->returns.count > 0 &&
	    bsearch(&branch->address, conversion->returns.items, conversion->returns.count,
		    sizeof(branch->address), compare_addresses) != NULL)
		return true;
	return branch->function != NULL && find_transfer(conversion, branch, &insn) &&
	       insn.kind == PGB_INSN_RETURN;
}

static bool has_table_target(const struct pgb_cfg *cfg, const struct pgb_cfg_transfer *transfer,
			     uint64_t offset)
{
	for (uint32_t i = 0; i < transfer->table_count; i++) {
		if (cfg->table_targets[transfer->table_first + i] == offset)
			return true;
	}
	return false;
}

/* A branch from one place of a function to another. */
static int check_inner(const struct pgb_cfg *cfg, const struct end *from, const struct end *to)
{
	const struct pgb_cfg_transfer *transfer = pgb_cfg_transfer_at(cfg, from->offset);
	const struct pgb_cfg_block *block = pgb_cfg_block_at(cfg, to->offset);

	if (block == NULL || block->offset != to->offset)
		return PGB_DROP_NO_EDGE;
	switch (transfer->kind) {
	case PGB_INSN_CALL:
	case PGB_INSN_CALL_INDIRECT:
		return block->is_entry ? -1 : PGB_DROP_NO_EDGE;
	case PGB_INSN_JUMP_INDIRECT:
		if (transfer->knows_targets && !block->is_entry &&
		    !has_table_target(cfg, transfer, to->offset))
			return PGB_DROP_NO_EDGE;
	}
	return -1;
}

/* Can the branch have happened? -1, or why not. */
static int check_branch(const struct conversion *conversion, const struct end *from,
			const struct end *to)
{
	const struct pgb_cfg *cfg;
	struct pgb_insn insn;

	if (from->function != NULL) {
		if (!from->function->is_plt && !find_transfer(conversion, from, &insn))
			return PGB_DROP_NO_SOURCE;
		if (!from->function->is_plt && insn.target != UINT64_MAX &&
		    (to->function != NULL || find_end(conversion, insn.target).function != NULL) &&
		    insn.target != to->address)
			return PGB_DROP_WRONG_TARGET;
	}
	if (to->function == NULL || to->function->is_plt)
		return -1;
	cfg = pgb_cfgs_find(conversion->cfgs, to->function);
	if (cfg == NULL)
		return -1;
	if (!pgb_cfg_is_instruction(cfg, to->offset))
		return PGB_DROP_NO_TARGET;
	return from->function == to->function && to->offset != 0 ? check_inner(cfg, from, to) : -1;
}

static void drop(struct conversion *conversion, uint64_t *sum, enum pgb_drop reason, uint64_t count)
{
	*sum = pgb_count_add(*sum, count);
	conversion->stats->by_reason[reason] =
		pgb_count_add(conversion->stats->by_reason[reason], count);
}

static bool in_binary(const struct conversion *conversion, uint64_t address)
{
	return address < PGB_ADDRESS_EXTERNAL &&
	       pgb_elf_image_section_containing(conversion->image, address) != NULL;
}

static void convert_branch(struct conversion *conversion, const struct pgb_edge *edge,
			   const struct end *branch)
{
	struct pgb_profile_stats *stats = conversion->stats;
	struct end to = find_end(conversion, edge->from);
	uint64_t *sum;
	int reason;

	if (branch->function == NULL && to.function == NULL) {
		sum = in_binary(conversion, edge->branch) || in_binary(conversion, edge->from)
			      ? &stats->no_function
			      : &stats->external;
		*sum = pgb_count_add(*sum, edge->count);
		return;
	}
	reason = conversion->as_perf2bolt ? -1 : check_branch(conversion, branch, &to);
	if (reason >= 0) {
		drop(conversion, &stats->dropped, (enum pgb_drop)reason, edge->count);
		return;
	}
	write_line(conversion, branch, &to, edge->count, edge->mispredicts);
	stats->written = pgb_count_add(stats->written, edge->count);
}

/*
 * Was the range entered by a return to behind a call? Then the call's block ran on, too: a block
 * before, if the call ends it.
 */
static bool extends_back(const struct pgb_cfg *cfg, const struct pgb_edge *edge, bool returns,
			 uint64_t offset, const struct pgb_cfg_block *block)
{
	const struct pgb_elf_function *function = cfg->function;

	if (edge->branch == PGB_ADDRESS_NONE || offset != block->offset || block == cfg->blocks ||
	    edge->branch - function->address < function->size_bytes)
		return false;
	if (!returns && (block->is_entry || block->is_landing_pad))
		return false;
	return block[-1].falls_through && block[-1].ends_in_call;
}

static int check_range(const struct pgb_cfg_block *block, const struct pgb_cfg_block *last)
{
	if (block > last)
		return PGB_DROP_BACKWARDS;
	for (; block != last; block++) {
		if (!block->falls_through)
			return PGB_DROP_CROSSES_JUMP;
	}
	return -1;
}

/* A range within one function: -1, or why it cannot be. */
static int convert_inner_range(struct conversion *conversion, const struct pgb_edge *edge,
			       bool returns, const struct end *from, const struct end *to)
{
	const struct pgb_cfg *cfg;
	const struct pgb_cfg_block *block, *last;
	struct end step_from = *from, step_to = *from;
	int reason;

	if (from->offset > to->offset)
		return PGB_DROP_BACKWARDS;
	if (from->function->is_plt)
		return -1;
	cfg = pgb_cfgs_find(conversion->cfgs, from->function);
	if (cfg == NULL)
		return PGB_DROP_NO_GRAPH;
	block = pgb_cfg_block_at(cfg, from->offset);
	last = pgb_cfg_block_at(cfg, to->offset);
	if (block == NULL || last == NULL)
		return PGB_DROP_NO_TARGET;
	if (!conversion->as_perf2bolt && (!pgb_cfg_is_instruction(cfg, from->offset) ||
					  !pgb_cfg_is_instruction(cfg, to->offset)))
		return PGB_DROP_NO_TARGET;
	if (extends_back(cfg, edge, returns, from->offset, block))
		block--;
	reason = check_range(block, last);
	for (; reason < 0 && block != last; block++) {
		step_from.offset = block->offset_last;
		step_to.offset = block[1].offset;
		write_line(conversion, &step_from, &step_to, edge->count, 0);
	}
	return reason;
}

static void convert_range(struct conversion *conversion, const struct pgb_edge *edge, bool returns)
{
	struct pgb_profile_stats *stats = conversion->stats;
	struct end from = find_end(conversion, edge->from), to = find_end(conversion, edge->to);
	int reason;

	stats->ranges = pgb_count_add(stats->ranges, edge->count);
	if (from.function == NULL || to.function == NULL) {
		stats->ranges_outside = pgb_count_add(stats->ranges_outside, edge->count);
		return;
	}
	reason = from.function != to.function
			 ? PGB_DROP_TWO_FUNCTIONS
			 : convert_inner_range(conversion, edge, returns, &from, &to);
	if (reason >= 0)
		drop(conversion, &stats->ranges_dropped, (enum pgb_drop)reason, edge->count);
	else
		stats->ranges_written = pgb_count_add(stats->ranges_written, edge->count);
}

/* The branch was not taken: the block runs on, if the branch ends it. */
static void convert_not_taken(struct conversion *conversion, const struct pgb_edge *edge)
{
	struct pgb_profile_stats *stats = conversion->stats;
	struct end branch = find_end(conversion, edge->branch), next = branch;
	const struct pgb_cfg *cfg =
		branch.function ? pgb_cfgs_find(conversion->cfgs, branch.function) : NULL;
	const struct pgb_cfg_transfer *transfer =
		cfg ? pgb_cfg_transfer_at(cfg, branch.offset) : NULL;
	const struct pgb_cfg_block *block;

	if (branch.function == NULL) {
		stats->no_function = pgb_count_add(stats->no_function, edge->count);
		return;
	}
	if (cfg == NULL || transfer == NULL || transfer->kind != PGB_INSN_CONDITIONAL) {
		drop(conversion, &stats->dropped, cfg ? PGB_DROP_NO_SOURCE : PGB_DROP_NO_GRAPH,
		     edge->count);
		return;
	}
	block = pgb_cfg_block_at(cfg, branch.offset);
	if (block->offset_last != branch.offset || !block->falls_through) {
		drop(conversion, &stats->dropped, PGB_DROP_NO_EDGE, edge->count);
		return;
	}
	next.offset = block[1].offset;
	write_line(conversion, &branch, &next, edge->count, edge->mispredicts);
	stats->written = pgb_count_add(stats->written, edge->count);
}

/* The conditional branch behind the instruction `at`, where the edge can be of the two together. */
static bool find_fused(const struct conversion *conversion, const struct pgb_edge *edge,
		       struct end *at, struct pgb_insn *insn)
{
	const struct pgb_cfg *cfg = pgb_cfgs_find(conversion->cfgs, at->function);

	if (conversion->set != PGB_INSN_X86_64 || cfg == NULL ||
	    !pgb_cfg_is_instruction(cfg, at->offset) || !decode_at(conversion, at->address, insn) ||
	    insn->kind != PGB_INSN_LINEAR || insn->nop)
		return false;
	*at = find_end(conversion, at->address + insn->length_bytes);
	if (at->function != cfg->function || !find_transfer(conversion, at, insn) ||
	    insn->kind != PGB_INSN_CONDITIONAL)
		return false;
	return edge->kind == PGB_EDGE_NOT_TAKEN || edge->from == PGB_ADDRESS_NONE ||
	       edge->from == insn->target;
}

/*
 * What a source that samples single instructions leaves to the code: which branch a compare is
 * fused with (AMD IBS), and where a direct branch goes.
 */
static struct pgb_edge complete(const struct conversion *conversion, const struct pgb_edge *edge)
{
	struct pgb_edge whole = *edge;
	struct pgb_insn insn;
	struct end at;

	if ((edge->kind != PGB_EDGE_BRANCH && edge->kind != PGB_EDGE_NOT_TAKEN) ||
	    conversion->as_perf2bolt)
		return whole;
	at = find_end(conversion, edge->branch);
	if (at.function == NULL)
		return whole;
	if (!find_transfer(conversion, &at, &insn) && !find_fused(conversion, edge, &at, &insn))
		return whole;
	whole.branch = at.address;
	if (whole.kind == PGB_EDGE_BRANCH && whole.from == PGB_ADDRESS_NONE)
		whole.from = insn.target;
	return whole;
}

static void convert_edge(struct conversion *conversion, const struct pgb_edge *seen)
{
	struct pgb_profile_stats *stats = conversion->stats;
	const struct pgb_edge whole = complete(conversion, seen), *edge = &whole;
	struct end branch = find_end(conversion, edge->branch);
	bool returns = edge->kind == PGB_EDGE_RETURN || is_return(conversion, &branch);

	if (edge->kind != PGB_EDGE_RANGE && edge->branch != PGB_ADDRESS_NONE) {
		stats->seen = pgb_count_add(stats->seen, edge->count);
		if (edge->kind == PGB_EDGE_NOT_TAKEN)
			convert_not_taken(conversion, edge);
		else if (edge->kind == PGB_EDGE_IP)
			drop(conversion, &stats->dropped, PGB_DROP_NOT_A_BRANCH_EDGE, edge->count);
		else if (returns)
			stats->returns = pgb_count_add(stats->returns, edge->count);
		else if (edge->from == PGB_ADDRESS_NONE)
			drop(conversion, &stats->dropped, PGB_DROP_NOT_TOLD, edge->count);
		else
			convert_branch(conversion, edge, &branch);
	}
	if (edge->to != PGB_ADDRESS_NONE &&
	    (edge->kind == PGB_EDGE_TRACE || edge->kind == PGB_EDGE_RETURN ||
	     edge->kind == PGB_EDGE_RANGE))
		convert_range(conversion, edge, returns);
}

int pgb_profile_add_branch_edges(struct pgb_profile *profile, struct pgb_cfgs *cfgs,
				 struct pgb_edges *edges, uint32_t binary, bool as_perf2bolt,
				 struct pgb_profile_stats *stats, struct pgb_error *error)
{
	struct conversion conversion = {
		.profile = profile,
		.cfgs = cfgs,
		.image = pgb_cfgs_image(cfgs),
		.as_perf2bolt = as_perf2bolt,
		.stats = stats,
	};
	const struct pgb_edge *list;
	size_t count;
	int code = pgb_profile_set_kind(profile, PGB_PROFILE_BRANCHES, false, error);

	if (code != 0)
		return code;
	pgb_assert(pgb_insn_set_of_machine(pgb_elf_image_binary(conversion.image)->machine,
					   &conversion.set));
	conversion.names = pgb_calloc(pgb_elf_image_function_count(conversion.image),
				      sizeof(*conversion.names));
	list = pgb_edges_of_binary(edges, binary, &count);
	for (size_t i = 0; i < count; i++) {
		if (list[i].kind == PGB_EDGE_RETURN && list[i].branch < PGB_ADDRESS_EXTERNAL)
			pgb_array_push(&conversion.returns, list[i].branch);
	}
	if (conversion.returns.count > 1)
		qsort(conversion.returns.items, conversion.returns.count, sizeof(uint64_t),
		      compare_addresses);
	for (size_t i = 0; i < count; i++)
		convert_edge(&conversion, &list[i]);
	free(conversion.names);
	pgb_array_release(&conversion.returns);
	return 0;
}
