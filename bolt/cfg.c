/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/base/search.h"

#include <string.h>

#include "bolt/cfg_private.h"
#include "pgobolt/base/alloc.h"

struct pgb_cfgs {
	struct pgb_elf_image *image;
	struct pgb_cfg **graphs; /* one for each function; NULL: not asked for yet */
	size_t function_count;
	struct pgb_cfg_outside outside;
	struct pgb_cfg_builder builder;
};

/* Stands for a function without a graph. */
static struct pgb_cfg no_graph;

int pgb_cfgs_new(struct pgb_cfgs **cfgs_out, struct pgb_elf_image *image, struct pgb_error *error)
{
	struct pgb_cfgs *cfgs;
	int code = pgb_elf_image_load_code(image, error);

	*cfgs_out = NULL;
	if (code != 0)
		return code;
	cfgs = pgb_calloc(1, sizeof(*cfgs));
	cfgs->image = image;
	cfgs->function_count = pgb_elf_image_function_count(image);
	cfgs->graphs = pgb_calloc(cfgs->function_count, sizeof(*cfgs->graphs));
	cfgs->builder.image = image;
	cfgs->builder.is_static = pgb_elf_image_find_section(image, ".dynamic") == NULL;
	cfgs->builder.has_relocations = pgb_elf_image_has_code_relocations(image);
	pgb_assert(
		pgb_insn_set_of_machine(pgb_elf_image_binary(image)->machine, &cfgs->builder.set));
	pgb_cfg_outside_init(&cfgs->outside, image, cfgs->builder.set,
			     cfgs->builder.has_relocations);
	cfgs->builder.outside = &cfgs->outside;
	*cfgs_out = cfgs;
	return 0;
}

static void free_graph(struct pgb_cfg *cfg)
{
	if (cfg == NULL || cfg == &no_graph)
		return;
	free(cfg->blocks);
	free(cfg->transfers);
	free(cfg->table_targets);
	free(cfg->instructions);
	free(cfg);
}

void pgb_cfgs_free(struct pgb_cfgs *cfgs)
{
	struct pgb_cfg_builder *builder;

	if (cfgs == NULL)
		return;
	builder = &cfgs->builder;
	for (size_t i = 0; i < cfgs->function_count; i++)
		free_graph(cfgs->graphs[i]);
	free(cfgs->graphs);
	free(builder->instructions);
	pgb_cfg_outside_release(&cfgs->outside);
	pgb_array_release(&builder->insns);
	pgb_array_release(&builder->transfers);
	pgb_array_release(&builder->calls);
	pgb_array_release(&builder->labels);
	pgb_array_release(&builder->entries);
	pgb_array_release(&builder->landings);
	pgb_array_release(&builder->external);
	pgb_array_release(&builder->table_targets);
	pgb_array_release(&builder->tables);
	pgb_array_release(&builder->other_targets);
	pgb_array_release(&builder->data_references);
	pgb_array_release(&builder->blocks);
	pgb_array_release(&builder->call_sites);
	free(cfgs);
}

struct pgb_elf_image *pgb_cfgs_image(const struct pgb_cfgs *cfgs)
{
	return cfgs->image;
}

static void *copy_array(const void *items, size_t count, size_t size_bytes)
{
	return count ? memcpy(pgb_calloc(count, size_bytes), items, count * size_bytes) : NULL;
}

static struct pgb_cfg *store_graph(struct pgb_cfg_builder *builder)
{
	struct pgb_cfg *cfg = pgb_calloc(1, sizeof(*cfg));

	cfg->function = builder->function;
	cfg->block_count = builder->blocks.count;
	cfg->blocks = copy_array(builder->blocks.items, builder->blocks.count,
				 sizeof(*builder->blocks.items));
	cfg->transfer_count = builder->transfers.count;
	cfg->transfers = copy_array(builder->transfers.items, builder->transfers.count,
				    sizeof(*builder->transfers.items));
	cfg->table_targets = copy_array(builder->table_targets.items, builder->table_targets.count,
					sizeof(*builder->table_targets.items));
	cfg->instructions = builder->instructions;
	builder->instructions = NULL;
	return cfg;
}

struct pgb_cfg_builder *pgb_cfgs_rebuild(struct pgb_cfgs *cfgs,
					 const struct pgb_elf_function *function)
{
	struct pgb_cfg_builder *builder = &cfgs->builder;

	free(builder->instructions);
	builder->instructions = NULL;
	builder->function = function;
	return pgb_cfg_build(builder) ? builder : NULL;
}

const struct pgb_cfg *pgb_cfgs_find(struct pgb_cfgs *cfgs, const struct pgb_elf_function *function)
{
	size_t index = (size_t)(function - pgb_elf_image_function(cfgs->image, 0));
	struct pgb_cfg_builder *builder = &cfgs->builder;

	pgb_assert(index < cfgs->function_count);
	if (cfgs->graphs[index] == NULL) {
		free(builder->instructions);
		builder->instructions = NULL;
		builder->function = function;
		cfgs->graphs[index] = pgb_cfg_build(builder) ? store_graph(builder) : &no_graph;
		free(builder->instructions);
		builder->instructions = NULL;
	}
	return cfgs->graphs[index] == &no_graph ? NULL : cfgs->graphs[index];
}

const struct pgb_cfg_block *pgb_cfg_block_at(const struct pgb_cfg *cfg, uint64_t offset)
{
	size_t behind;

	if (offset >= cfg->function->size_bytes)
		return NULL;
	/* The last one that starts at or before the offset. */
	behind = pgb_search(cfg->block_count, i, cfg->blocks[i].offset <= offset);
	return behind > 0 ? &cfg->blocks[behind - 1] : NULL;
}

bool pgb_cfg_is_instruction(const struct pgb_cfg *cfg, uint64_t offset)
{
	return offset < cfg->function->size_bytes &&
	       (cfg->instructions[offset / 8] >> (offset % 8) & 1);
}

const struct pgb_cfg_transfer *pgb_cfg_transfer_at(const struct pgb_cfg *cfg, uint64_t offset)
{
	size_t at = pgb_search(cfg->transfer_count, i, cfg->transfers[i].offset < offset);

	return at < cfg->transfer_count && cfg->transfers[at].offset == offset ? &cfg->transfers[at]
									       : NULL;
}
