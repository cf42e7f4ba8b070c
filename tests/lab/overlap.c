/* SPDX-License-Identifier: MIT */
/*
 * How near does a profile of sampled branches come to the truth?
 *
 *	overlap [--thin N] [--addresses] [--time] [-o FDATA] BINARY TRUTH FACTS
 *
 * TRUTH is what `lab truth` writes, FACTS what `lab spe|ibs --truth` does. Both become profiles of
 * BINARY; printed is the overlap of their lines, the sum over all lines of min(share, share): of
 * the samples as they are, with what llvm-bolt's -infer-fall-throughs adds, and inferred.
 * --thin N keeps one sample in N, at random but reproducibly: as if so much less had been sampled.
 * --addresses forgets the branches and keeps where they were. -o writes the inferred profile.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/infer.h"

struct arguments {
	uint64_t thin, seed;
	bool addresses, time;
	const char *output, *raw_output, *binary, *truth, *facts;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "overlap: %s: %s\n", what, why);
	exit(1);
}

/* ---- facts */

static uint64_t address_of(uint64_t number)
{
	return number ? number : PGB_ADDRESS_EXTERNAL;
}

static uint64_t thinned(const struct arguments *arguments, uint64_t count, uint64_t line)
{
	uint64_t kept = 0;

	if (arguments->thin <= 1)
		return count;
	for (uint64_t i = 0; i < count; i++)
		kept += pgb_hash_u64(pgb_hash_combine(line, i) ^ arguments->seed) %
				arguments->thin ==
			0;
	return kept;
}

static struct pgb_edge edge_of(char letter, const uint64_t *numbers, uint64_t *count)
{
	struct pgb_edge edge = {
		.branch = address_of(numbers[0]), .from = PGB_ADDRESS_NONE, .to = PGB_ADDRESS_NONE};

	*count = letter == 'S' ? numbers[1] : letter == 'T' ? numbers[3] : numbers[2];
	switch (letter) {
	case 'T':
		edge.kind = PGB_EDGE_TRACE;
		edge.from = address_of(numbers[1]);
		edge.to = address_of(numbers[2]);
		break;
	case 'B':
	case 'N':
		edge.kind = letter == 'B' ? PGB_EDGE_BRANCH : PGB_EDGE_NOT_TAKEN;
		edge.from = address_of(numbers[1]);
		break;
	case 'F':
		edge.kind = PGB_EDGE_TRACE;
		edge.branch = PGB_ADDRESS_NONE;
		edge.from = numbers[0];
		edge.to = numbers[1];
		break;
	default:
		edge.kind = PGB_EDGE_IP;
	}
	return edge;
}

/* Returns the number of samples: ranges come with branches, and are none. */
static uint64_t read_facts(struct pgb_edges *edges, const char *path,
			   const struct arguments *arguments)
{
	FILE *file = fopen(path, "r");
	uint64_t samples = 0, line = 0, counts[2];
	char text[256], letter;

	if (file == NULL)
		die(path, "cannot be read");
	for (; fgets(text, sizeof(text), file); line++) {
		uint64_t numbers[4] = {0};
		struct pgb_edge edge;
		const char *format =
			strchr("TR", text[0]) ? "%c %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNu64
			: text[0] == 'S'      ? "%c %" SCNx64 " %" SCNu64
					      : "%c %" SCNx64 " %" SCNx64 " %" SCNu64 " %" SCNu64;

		if (sscanf(text, format, &letter, &numbers[0], &numbers[1], &numbers[2],
			   &numbers[3]) < 3)
			die(path, text);
		edge = edge_of(letter, numbers, &counts[0]);
		edge.count = thinned(arguments, counts[0], line);
		samples += letter == 'F' ? 0 : edge.count;
		if (arguments->addresses) {
			if (letter == 'F' || edge.branch >= PGB_ADDRESS_EXTERNAL)
				continue;
			edge.kind = PGB_EDGE_IP;
			edge.from = edge.to = PGB_ADDRESS_NONE;
		}
		if (edge.count > 0)
			pgb_edges_add(edges, &edge);
	}
	fclose(file);
	return samples;
}

/* ---- llvm-bolt's -infer-fall-throughs (BinaryFunction::inferFallThroughCounts) */

static void fill_function(struct pgb_profile *out, struct pgb_profile *profile,
			  const struct pgb_cfg *cfg, const struct pgb_profile_branch *lines,
			  size_t count, uint64_t entered)
{
	uint64_t *in = pgb_calloc(cfg->block_count, sizeof(*in));
	uint64_t *outside = pgb_calloc(cfg->block_count, sizeof(*in));
	bool *fallen = pgb_calloc(cfg->block_count, sizeof(*fallen));
	uint32_t name = pgb_profile_intern(out, cfg->function->name, strlen(cfg->function->name));

	(void)profile;
	in[0] = entered;
	for (size_t i = 0; i < count; i++) {
		const struct pgb_cfg_block *from, *to;
		const struct pgb_cfg_transfer *transfer;

		if (lines[i].from.name == PGB_NAME_UNKNOWN ||
		    lines[i].to.name != lines[i].from.name || lines[i].to.offset == 0)
			continue;
		from = pgb_cfg_block_at(cfg, lines[i].from.offset);
		to = pgb_cfg_block_at(cfg, lines[i].to.offset);
		transfer = pgb_cfg_transfer_at(cfg, lines[i].from.offset);
		if (from == NULL || to == NULL ||
		    (transfer && transfer->kind == PGB_INSN_CALL && to != from + 1))
			continue;
		outside[from - cfg->blocks] += lines[i].count;
		in[to - cfg->blocks] += lines[i].count;
		fallen[from - cfg->blocks] |= to == from + 1;
	}
	for (size_t i = 0; i + 1 < cfg->block_count; i++) {
		const struct pgb_cfg_block *block = &cfg->blocks[i];

		if (!block->falls_through || fallen[i] || in[i] <= outside[i])
			continue;
		in[i + 1] += in[i] - outside[i];
		pgb_profile_add_branch(
			out, &(struct pgb_profile_branch){.from = {name, block->offset_last},
							  .to = {name, block[1].offset},
							  .count = in[i] - outside[i]});
	}
	free(in);
	free(outside);
	free(fallen);
}

static struct pgb_place place_in(struct pgb_profile *to, const struct pgb_profile *from,
				 struct pgb_place place)
{
	const char *name = pgb_profile_name(from, place.name);

	if (place.name != PGB_NAME_UNKNOWN)
		place.name = pgb_profile_intern(to, name, strlen(name));
	return place;
}

static struct pgb_profile *fill_falls(struct pgb_profile *profile, struct pgb_cfgs *cfgs)
{
	struct pgb_profile *out = pgb_profile_new();
	struct pgb_elf_image *image = pgb_cfgs_image(cfgs);
	size_t functions = pgb_elf_image_function_count(image), count;
	uint64_t *entered = pgb_calloc(functions, sizeof(*entered));
	const struct pgb_profile_branch *lines = pgb_profile_branches(profile, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pgb_elf_function *to =
			lines[i].to.name == PGB_NAME_UNKNOWN || lines[i].to.offset != 0
				? NULL
				: pgb_elf_image_function_named(
					  image, pgb_profile_name(profile, lines[i].to.name));
		struct pgb_profile_branch copy = lines[i];

		copy.from = place_in(out, profile, copy.from);
		copy.to = place_in(out, profile, copy.to);
		pgb_profile_add_branch(out, &copy);
		if (to)
			entered[to - pgb_elf_image_function(image, 0)] += lines[i].count;
	}
	for (size_t i = 0; i < pgb_profile_branch_functions(profile); i++) {
		const struct pgb_elf_function *function;
		const struct pgb_cfg *cfg;

		lines = pgb_profile_function_branches(profile, i, &count);
		if (lines[0].from.name == PGB_NAME_UNKNOWN)
			continue;
		function = pgb_elf_image_function_named(
			image, pgb_profile_name(profile, lines[0].from.name));
		cfg = pgb_cfgs_find(cfgs, function);
		if (cfg)
			fill_function(out, profile, cfg, lines, count,
				      entered[function - pgb_elf_image_function(image, 0)]);
	}
	free(entered);
	return out;
}

/* ---- overlap */

struct line {
	struct pgb_place from, to;
	double share;
};

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	if (a->from.name != b->from.name)
		return a->from.name < b->from.name ? -1 : 1;
	if (a->from.offset != b->from.offset)
		return a->from.offset < b->from.offset ? -1 : 1;
	if (a->to.name != b->to.name)
		return a->to.name < b->to.name ? -1 : 1;
	return (a->to.offset > b->to.offset) - (a->to.offset < b->to.offset);
}

/* The lines of a profile with the names of another. */
static struct line *lines_of(struct pgb_profile *profile, struct pgb_profile *names, size_t *count)
{
	const struct pgb_profile_branch *branches = pgb_profile_branches(profile, count);
	struct line *lines = pgb_calloc(*count, sizeof(*lines));
	double sum = 0;

	for (size_t i = 0; i < *count; i++)
		sum += (double)branches[i].count;
	for (size_t i = 0; i < *count; i++)
		lines[i] = (struct line){place_in(names, profile, branches[i].from),
					 place_in(names, profile, branches[i].to),
					 (double)branches[i].count / sum};
	qsort(lines, *count, sizeof(*lines), compare_lines);
	return lines;
}

static double overlap(struct pgb_profile *truth, struct pgb_profile *other)
{
	struct pgb_profile *names = pgb_profile_new();
	size_t count, other_count, at = 0;
	struct line *lines = lines_of(truth, names, &count);
	struct line *others = lines_of(other, names, &other_count);
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		while (at < other_count && compare_lines(&others[at], &lines[i]) < 0)
			at++;
		if (at < other_count && compare_lines(&others[at], &lines[i]) == 0)
			sum += lines[i].share < others[at].share ? lines[i].share
								 : others[at].share;
	}
	free(lines);
	free(others);
	pgb_profile_free(names);
	return sum;
}

static const struct option options[] = {
	{"thin", required_argument, NULL, 't'},	  {"seed", required_argument, NULL, 's'},
	{"addresses", no_argument, NULL, 'a'},	  {"raw", required_argument, NULL, 'r'},
	{"output", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0},
};

static void read_arguments(struct arguments *arguments, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (option) {
		case 't':
			arguments->thin = strtoull(optarg, NULL, 10);
			break;
		case 's':
			arguments->seed = strtoull(optarg, NULL, 10);
			break;
		case 'a':
			arguments->addresses = true;
			break;
		case 'r':
			arguments->raw_output = optarg;
			break;
		case 'o':
			arguments->output = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 3)
		die("arguments", "BINARY TRUTH FACTS are wanted");
	arguments->binary = argv[optind];
	arguments->truth = argv[optind + 1];
	arguments->facts = argv[optind + 2];
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.thin = 1}, whole = {.thin = 1};
	struct pgb_profile *truth = pgb_profile_new(), *raw = pgb_profile_new();
	struct pgb_profile *inferred = pgb_profile_new(), *filled;
	struct pgb_edges *true_edges = pgb_edges_new(), *edges = pgb_edges_new();
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats infer_stats = {0};
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs;
	struct pgb_error error = {0};
	uint64_t samples;
	struct timespec start, end;

	read_arguments(&arguments, argc, argv);
	if (pgb_elf_image_open(&image, arguments.binary, &error) != 0 ||
	    pgb_elf_image_discover(image, &error) != 0 || pgb_cfgs_new(&cfgs, image, &error) != 0)
		die(arguments.binary, error.message);
	read_facts(true_edges, arguments.truth, &whole);
	samples = read_facts(edges, arguments.facts, &arguments);
	if (pgb_profile_add_branch_edges(truth, cfgs, true_edges, 0, false, &stats, &error) != 0 ||
	    pgb_profile_add_branch_edges(raw, cfgs, edges, 0, false, &stats, &error) != 0)
		die(arguments.facts, error.message);
	stats = (struct pgb_profile_stats){0};
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (pgb_infer_edges(inferred, cfgs, edges, 0, &stats, &infer_stats, &error) != 0)
		die(arguments.facts, error.message);
	clock_gettime(CLOCK_MONOTONIC, &end);
	filled = fill_falls(raw, cfgs);
	printf("%" PRIu64 " %.4f %.4f %.4f\n", samples, overlap(truth, raw), overlap(truth, filled),
	       overlap(truth, inferred));
	fprintf(stderr,
		"%.2f s, %" PRIu64 " functions (%" PRIu64 " unsolved), %" PRIu64
		" blocks, lines %" PRIu64 " + %" PRIu64 ", filled %.3f\n",
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
		infer_stats.functions, infer_stats.functions_unsolved, infer_stats.blocks,
		infer_stats.lines_seen, infer_stats.lines_filled,
		(double)infer_stats.counts_filled /
			(double)(infer_stats.counts_filled + infer_stats.counts_seen));
	if (arguments.output && pgb_fdata_write_file(arguments.output, inferred, &error) != 0)
		die(arguments.output, error.message);
	if (arguments.raw_output && pgb_fdata_write_file(arguments.raw_output, raw, &error) != 0)
		die(arguments.raw_output, error.message);
	pgb_profile_free(truth);
	pgb_profile_free(raw);
	pgb_profile_free(inferred);
	pgb_profile_free(filled);
	pgb_edges_free(true_edges);
	pgb_edges_free(edges);
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
	return 0;
}
