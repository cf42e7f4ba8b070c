/* SPDX-License-Identifier: MIT */
/* What the files bolt/infer*.c share. */
#ifndef PGOBOLT_BOLT_INFER_PRIVATE_H
#define PGOBOLT_BOLT_INFER_PRIVATE_H

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/infer.h"

/* What samples showed of one function; offsets in it. */
enum pgb_infer_kind {
	PGB_INFER_INSIDE,    /* the branch `at` went to `to` */
	PGB_INFER_OUT,	     /* the call, return or jump `at` went elsewhere */
	PGB_INFER_NOT_TAKEN, /* the branch `at` */
	PGB_INFER_IP,	     /* an instruction that is no branch, or nobody knows */
	PGB_INFER_ENTERED,   /* from elsewhere, at `to` */
	PGB_INFER_RANGE,     /* straight on from `at` to the branch `to` */
	PGB_INFER_FUSED,     /* the compare `at` is sampled with the branch behind it alone */
};

struct pgb_infer_fact {
	uint32_t function; /* its number in the image */
	uint8_t kind;
	uint32_t at, to;
	uint64_t count;
};

/* What the samples of a binary can tell at all. */
struct pgb_infer_sight {
	bool branches, not_taken, addresses, ranges;
	uint64_t time_scale; /* samples of addresses alone are worth one in so many */
};

enum pgb_infer_meaning_kind {
	PGB_INFER_BLOCK,     /* `to` is its number */
	PGB_INFER_LINE,	     /* from the instruction `at` to the block `to` */
	PGB_INFER_ENTRY,     /* to the block `to` */
	PGB_INFER_EXIT,	     /* by the transfer `at`, or otherwise */
	PGB_INFER_TO_HUB,    /* the indirect jump `at` to one of .. */
	PGB_INFER_FROM_HUB,  /* .. these */
	PGB_INFER_JUMPED_IN, /* by some branch to block number `to` */
};

/* What an arc of the flow stands for. */
struct pgb_infer_meaning {
	uint8_t kind; /* enum pgb_infer_meaning_kind */
	uint32_t at, to;
};

/* The flow of one function; arrays are kept from one to the next. */
struct pgb_infer_graph {
	const struct pgb_cfg *cfg;
	const struct pgb_elf_image *image;
	enum pgb_insn_set set;
	struct pgb_infer_sight sight;
	const struct pgb_infer_fact *facts; /* of this function, by kind, at, to */
	size_t fact_count;
	PGB_ARRAY(struct pgb_flow_arc) arcs;
	PGB_ARRAY(struct pgb_infer_meaning) meanings;
	PGB_ARRAY(uint64_t) block_counts;
	PGB_ARRAY(uint64_t) entry_counts; /* by block */
	PGB_ARRAY(uint64_t) fall_counts;  /* by block: ranges that ran on from it */
	PGB_ARRAY(uint64_t) jump_counts;  /* by block: ranges that began with it */
	PGB_ARRAY(uint32_t) exposures;	  /* by block, without its jumps */
	PGB_ARRAY(uint32_t) unlike; /* offsets of instructions that are not sampled once each */
	bool solved;
};

/* Build and solve the graph of `cfg`. */
void pgb_infer_graph_solve(struct pgb_infer_graph *graph);
void pgb_infer_graph_release(struct pgb_infer_graph *graph);

/* Facts of this kind; with `at`: at this offset alone. */
const struct pgb_infer_fact *pgb_infer_facts(const struct pgb_infer_graph *graph,
					     enum pgb_infer_kind kind, size_t *count);
const struct pgb_infer_fact *pgb_infer_facts_at(const struct pgb_infer_graph *graph,
						enum pgb_infer_kind kind, uint32_t at,
						size_t *count);

/* What samples tell of each block: into block_counts, exposures and their like. */
void pgb_infer_count_blocks(struct pgb_infer_graph *graph);
uint64_t pgb_infer_sum_at(const struct pgb_infer_graph *graph, enum pgb_infer_kind kind,
			  uint32_t at);
/* Jumps and returns; not calls. */
bool pgb_infer_ends_block(uint8_t kind);
/* Does control go straight on from the block to the next one? */
bool pgb_infer_runs_on(const struct pgb_cfg *cfg, const struct pgb_cfg_block *block);
/* NULL: none in the block. */
const struct pgb_cfg_transfer *pgb_infer_first_transfer(const struct pgb_cfg *cfg,
							const struct pgb_cfg_block *block);

static inline size_t pgb_infer_block_number(const struct pgb_cfg *cfg,
					    const struct pgb_cfg_block *block)
{
	return (size_t)(block - cfg->blocks);
}

static inline bool pgb_infer_is_call(uint8_t kind)
{
	return kind == PGB_INSN_CALL || kind == PGB_INSN_CALL_INDIRECT;
}

struct pgb_inference {
	struct pgb_profile *profile; /* what is written */
	struct pgb_profile *seen;    /* the lines that samples show */
	struct pgb_cfgs *cfgs;
	struct pgb_elf_image *image;
	PGB_ARRAY(struct pgb_infer_fact) facts;
	struct pgb_infer_graph graph;
	struct pgb_infer_stats *stats;
	/* by function */
	uint32_t *names;    /* in the profile; 0: not interned yet */
	uint32_t *groups;   /* of its lines in `seen`, and 1; 0: none */
	uint64_t *entering; /* written to its start .. */
	uint64_t *entries;  /* .. and the flow that enters there */
	bool *inferred;
};

static inline size_t pgb_infer_number(const struct pgb_inference *inference,
				      const struct pgb_elf_function *function)
{
	return (size_t)(function - pgb_elf_image_function(inference->image, 0));
}

/* Which lines of `seen` are whose. */
void pgb_infer_find_groups(struct pgb_inference *inference);
/* The function that inference->graph was solved for. */
void pgb_infer_write_function(struct pgb_inference *inference);
/* Lines of functions without a graph, and what enters from outside: as they were seen. */
void pgb_infer_copy_rest(struct pgb_inference *inference);
/* Functions that are entered, but by none of the lines: through pointers, where no sample fell. */
void pgb_infer_write_entries(struct pgb_inference *inference);

#endif
