/* SPDX-License-Identifier: MIT */
/*
 * Pre-aggregated records that make perf2bolt show every block and edge it sees, and what pgobolt
 * makes of the same records.
 *
 *	branch_records BINARY RECORDS AS-PERF2BOLT CHECKED [STEP]
 *
 * For each pair of neighbouring instructions of each function a range F from one to the other; a
 * range from the start of each block to itself, entered by a return (r) and from outside (f); each
 * branch to its target (B); and traces at random. Counts number the records. AS-PERF2BOLT is the
 * profile that perf2bolt should make, CHECKED the one without impossible lines. Every STEPth
 *function is taken.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edges.h"

struct output {
	FILE *records;
	struct pgb_edges *edges;
	uint64_t number;
};

static void put(struct output *output, char letter, uint64_t branch, uint64_t from, uint64_t to)
{
	struct pgb_edge edge = {.branch = branch, .from = from, .to = to};

	edge.count = ++output->number;
	switch (letter) {
	case 'F':
		edge.kind = PGB_EDGE_TRACE;
		edge.branch = PGB_ADDRESS_NONE;
		break;
	case 'f':
		edge.kind = PGB_EDGE_RANGE;
		edge.branch = PGB_ADDRESS_EXTERNAL;
		break;
	case 'r':
		edge.kind = PGB_EDGE_RETURN;
		edge.branch = PGB_ADDRESS_EXTERNAL;
		break;
	case 'T':
		edge.kind = PGB_EDGE_TRACE;
		break;
	default:
		edge.kind = PGB_EDGE_BRANCH;
		edge.to = PGB_ADDRESS_NONE;
	}
	pgb_edges_add(output->edges, &edge);
	if (letter == 'B')
		fprintf(output->records, "B %" PRIx64 " %" PRIx64 " %" PRIu64 " 0\n", branch, from,
			edge.count);
	else if (letter == 'T')
		fprintf(output->records, "T %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 "\n",
			branch, from, to, edge.count);
	else
		fprintf(output->records, "%c %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", letter, from,
			to, edge.count);
}

/* Straight through the function's bytes, graph or not. */
static void ask_ranges(struct output *output, const struct pgb_elf_image *image,
		       enum pgb_insn_set set, const struct pgb_elf_function *function)
{
	uint64_t end = function->address + function->size_bytes;
	struct pgb_insn insn;
	size_t left;

	for (uint64_t at = function->address; at < end; at += insn.length_bytes) {
		const uint8_t *bytes = pgb_elf_image_bytes_at(image, at, &left);

		if (bytes == NULL || pgb_insn_decode(set, bytes, left, at, &insn) != 0)
			break;
		if (at + insn.length_bytes < end)
			put(output, 'F', 0, at, at + insn.length_bytes);
		if (insn.target != UINT64_MAX)
			put(output, 'B', at, insn.target, 0);
	}
}

static void ask_blocks(struct output *output, const struct pgb_cfg *cfg)
{
	uint64_t start = cfg->function->address;

	for (size_t i = 0; i < cfg->block_count; i++) {
		put(output, 'r', 0, start + cfg->blocks[i].offset, start + cfg->blocks[i].offset);
		put(output, 'f', 0, start + cfg->blocks[i].offset, start + cfg->blocks[i].offset);
	}
}

static uint64_t random_below(uint64_t limit)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return limit ? (state >> 33) % limit : 0;
}

/* A place that may be of interest in a trace: a block's start, an instruction, or any byte. */
static uint64_t random_place(const struct pgb_cfg *cfg)
{
	const struct pgb_elf_function *function = cfg->function;
	const struct pgb_cfg_block *block = &cfg->blocks[random_below(cfg->block_count)];

	switch (random_below(8)) {
	case 0:
		return function->address + random_below(function->max_size_bytes + 8);
	case 1:
		return 0x7f0000000000 + random_below(4096);
	case 2:
	case 3:
		return function->address + block->offset_last;
	}
	return function->address + block->offset;
}

static uint64_t random_transfer(const struct pgb_cfg *cfg)
{
	if (cfg->transfer_count == 0 || random_below(16) == 0)
		return random_place(cfg);
	return cfg->function->address + cfg->transfers[random_below(cfg->transfer_count)].offset;
}

/* Traces from one function into another, plausible and not. */
static void ask_traces(struct output *output, const struct pgb_cfg *cfg,
		       const struct pgb_cfg *other)
{
	for (unsigned int i = 0; i < 4; i++) {
		const struct pgb_cfg *source = i % 2 ? cfg : other;
		uint64_t from = random_place(cfg);

		put(output, 'T', random_transfer(source), from, from + random_below(40));
		put(output, 'T', random_transfer(source), random_place(cfg), random_place(cfg));
		put(output, 'B', random_transfer(source), random_place(cfg), 0);
		put(output, "fr"[i % 2], 0, from, from + random_below(100));
	}
}

static void ask_all(struct output *output, struct pgb_cfgs *cfgs, size_t step)
{
	const struct pgb_elf_image *image = pgb_cfgs_image(cfgs);
	const struct pgb_cfg *other = NULL;
	enum pgb_insn_set set;

	pgb_insn_set_of_machine(pgb_elf_image_binary(image)->machine, &set);
	for (size_t i = 0; i < pgb_elf_image_function_count(image); i += step) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);
		const struct pgb_cfg *cfg = pgb_cfgs_find(cfgs, function);

		ask_ranges(output, image, set, function);
		if (cfg == NULL)
			continue;
		ask_blocks(output, cfg);
		ask_traces(output, cfg, other ? other : cfg);
		other = cfg;
	}
}

static int convert(struct output *output, struct pgb_cfgs *cfgs, bool as_perf2bolt,
		   const char *path, struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_stats stats = {0};
	int code = pgb_profile_add_branch_edges(profile, cfgs, output->edges, 0, as_perf2bolt,
						&stats, error);

	if (code == 0)
		code = pgb_fdata_write_file(path, profile, error);
	if (code == 0 && stats.seen != stats.written + stats.returns + stats.no_function +
					       stats.external + stats.dropped)
		code = pgb_fail(error, PGB_E_CHECK, "branches went missing");
	if (code == 0 &&
	    stats.ranges != stats.ranges_written + stats.ranges_outside + stats.ranges_dropped)
		code = pgb_fail(error, PGB_E_CHECK, "ranges went missing");
	if (as_perf2bolt)
		printf("mismatching %" PRIu64 " out of range %" PRIu64 "\n", stats.ranges_dropped,
		       stats.ranges_outside);
	pgb_profile_free(profile);
	return code;
}

int main(int argc, char **argv)
{
	struct pgb_error error = {0};
	struct output output = {0};
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs = NULL;
	int code;

	if (argc < 5)
		return 2;
	output.records = fopen(argv[2], "w");
	if (output.records == NULL)
		return 1;
	output.edges = pgb_edges_new();
	code = pgb_elf_image_open(&image, argv[1], &error);
	if (code == 0)
		code = pgb_cfgs_new(&cfgs, image, &error);
	if (code == 0) {
		ask_all(&output, cfgs, argc > 5 ? strtoul(argv[5], NULL, 10) : 1);
		code = convert(&output, cfgs, true, argv[3], &error);
	}
	if (code == 0)
		code = convert(&output, cfgs, false, argv[4], &error);
	if (code != 0)
		fprintf(stderr, "%s\n", error.message);
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
	pgb_edges_free(output.edges);
	return fclose(output.records) != 0 || code != 0;
}
