/* SPDX-License-Identifier: MIT */
/*
 * The laboratory's command line: looks into traces and turns them into recordings.
 * See tests/lab/README.md.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lab/encode_lbr.h"

static const char usage_text[] =
	"usage: lab show TRACE              every step of a trace\n"
	"       lab edges [-b BINARY] FILE  how often each block ended in each way (also of "
	"counts)\n"
	"       lab truth -b BINARY TRACE.. what a perfect profile holds, as pre-aggregated text\n"
	"       lab lbr -o OUT [options] TRACE..   perf.data with branch stacks\n"
	"TRACE: one file per thread, the main thread first. Options:\n"
	"  -b, --binary FILE      addresses are those of this file, the rest is left out\n"
	"  -o, --output FILE\n"
	"      --truth FILE       what the samples hold, as pre-aggregated text (needs -b)\n"
	"      --period N         events between samples [1000]\n"
	"      --random SEED      vary the period, reproducibly\n"
	"      --depth N          entries of a branch stack [32]\n"
	"      --kernel none|returns|both   entries of the kernel in branch stacks [none]\n"
	"      --mispredicts      tell mispredicted from predicted branches\n"
	"      --types            branch types\n"
	"      --hw-index         the hardware index in each stack\n"
	"      --build-id-maps    MMAP2 records with build-id\n"
	"      --pid N            process id [1000]\n";

struct arguments {
	const char *binary, *output, *truth;
	struct lab_lbr_options lbr;
	char **traces;
	size_t trace_count;
	struct lab_image image; /* of `binary` */
};

enum option_code {
	OPTION_TRUTH = 256,
	OPTION_PERIOD,
	OPTION_RANDOM,
	OPTION_DEPTH,
	OPTION_KERNEL,
	OPTION_MISPREDICTS,
	OPTION_TYPES,
	OPTION_HW_INDEX,
	OPTION_BUILD_ID_MAPS,
	OPTION_PID
};

static const struct option options[] = {
	{"binary", required_argument, NULL, 'b'},
	{"output", required_argument, NULL, 'o'},
	{"truth", required_argument, NULL, OPTION_TRUTH},
	{"period", required_argument, NULL, OPTION_PERIOD},
	{"random", required_argument, NULL, OPTION_RANDOM},
	{"depth", required_argument, NULL, OPTION_DEPTH},
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"mispredicts", no_argument, NULL, OPTION_MISPREDICTS},
	{"types", no_argument, NULL, OPTION_TYPES},
	{"hw-index", no_argument, NULL, OPTION_HW_INDEX},
	{"build-id-maps", no_argument, NULL, OPTION_BUILD_ID_MAPS},
	{"pid", required_argument, NULL, OPTION_PID},
	{NULL, 0, NULL, 0},
};

static _Noreturn void usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (end == text || *end != '\0')
		usage();
	return value;
}

static enum lab_kernel kernel_of(const char *text)
{
	static const char *const names[] = {"none", "returns", "both"};

	for (unsigned int i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum lab_kernel)i;
	}
	usage();
}

static void read_option(struct arguments *arguments, int option, const char *value)
{
	switch (option) {
	case 'b':
		arguments->binary = value;
		break;
	case 'o':
		arguments->output = value;
		break;
	case OPTION_TRUTH:
		arguments->truth = value;
		break;
	case OPTION_PERIOD:
		arguments->lbr.period_events = number_of(value);
		break;
	case OPTION_RANDOM:
		arguments->lbr.seed = number_of(value);
		break;
	case OPTION_DEPTH:
		arguments->lbr.depth = (unsigned int)number_of(value);
		break;
	case OPTION_KERNEL:
		arguments->lbr.kernel = kernel_of(value);
		break;
	case OPTION_MISPREDICTS:
		arguments->lbr.mispredicts = true;
		break;
	case OPTION_TYPES:
		arguments->lbr.types = true;
		break;
	case OPTION_HW_INDEX:
		arguments->lbr.hardware_index = true;
		break;
	case OPTION_BUILD_ID_MAPS:
		arguments->lbr.build_id_maps = true;
		break;
	case OPTION_PID:
		arguments->lbr.pid = (uint32_t)number_of(value);
		break;
	default:
		usage();
	}
}

static int show(struct arguments *arguments, struct pgb_error *error)
{
	static const char *const ways[] = {"falls", "not-taken", "taken", "interrupted"};
	struct lab_trace trace;
	struct lab_step step;
	int code = lab_trace_open(&trace, arguments->traces[0], error);

	if (code != 0)
		return code;
	while ((code = lab_trace_next(&trace, &step)) > 0)
		printf("%" PRIx64 " %s %" PRIx64 " %s %" PRIx64 "\n", step.block->start,
		       pgb_insn_kind_name(step.block->insn.kind), step.block->last, ways[step.way],
		       step.next->start);
	for (size_t i = 0; i < trace.maps.count; i++) {
		const struct lab_map *map = &trace.maps.items[i];

		printf("map %" PRIx64 " %" PRIx64 " %" PRIx64 " %s\n", map->start,
		       map->start + map->size_bytes, map->offset_file, map->path);
	}
	lab_trace_close(&trace);
	return code < 0 ? pgb_fail(error, code, "%s", pgb_code_meaning(code)) : 0;
}

struct edge {
	uint64_t from, to, count;
	enum lab_way way;
	enum pgb_insn_kind kind;
};

static int compare_edges(const void *left, const void *right)
{
	const struct edge *one = left, *other = right;

	if (one->from != other->from)
		return one->from < other->from ? -1 : 1;
	if (one->to != other->to)
		return one->to < other->to ? -1 : 1;
	return (int)one->way - (int)other->way;
}

/* In addresses of the binary, where one was given; false: the edge does not touch it. */
static bool localize(const struct lab_image *image, struct edge *edge)
{
	bool inside;

	if (image->path == NULL)
		return true;
	inside = lab_image_address(image, edge->from, &edge->from);
	if (!inside)
		edge->from = 0;
	if (lab_image_address(image, edge->to, &edge->to))
		return true;
	edge->to = 0;
	return inside;
}

static void print_edges(struct edge *edges, size_t count)
{
	static const char *const ways[] = {"falls", "not-taken", "taken", "interrupted"};

	qsort(edges, count, sizeof(*edges), compare_edges);
	for (size_t i = 0; i < count; i++) {
		struct edge *edge = &edges[i];

		while (i + 1 < count && compare_edges(edge, &edges[i + 1]) == 0)
			edge->count += edges[++i].count;
		printf("%s %s %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", ways[edge->way],
		       pgb_insn_kind_name(edge->kind), edge->from, edge->to, edge->count);
	}
}

/* Adds up steps by (block, next block) first: a trace has few of those. */
static int collect_edges(struct lab_trace *trace, struct lab_image *image, struct lab_truth *counts)
{
	size_t maps_seen = 0;
	struct lab_step step;
	int code;

	while ((code = lab_trace_next(trace, &step)) > 0) {
		uint64_t from = (uint64_t)(step.block - trace->blocks.items);
		uint64_t to = (uint64_t)(step.next - trace->blocks.items);

		for (; image->path && maps_seen < trace->maps.count; maps_seen++)
			lab_image_place(image, &trace->maps.items[maps_seen]);
		lab_truth_count(counts, from, to, step.way, step.count);
	}
	return code;
}

static int edges(struct arguments *arguments, struct pgb_error *error)
{
	PGB_ARRAY(struct edge) found = {.items = NULL};
	struct lab_truth counts = {.slots = NULL};
	struct lab_trace trace;
	int code = lab_trace_open(&trace, arguments->traces[0], error);

	if (code != 0)
		return code;
	code = collect_edges(&trace, &arguments->image, &counts);
	for (size_t i = 0; i < counts.slot_count; i++) {
		const struct lab_traversal *slot = &counts.slots[i];
		const struct lab_block *block, *next;
		struct edge edge;

		if (slot->count == 0)
			continue;
		block = &trace.blocks.items[slot->from];
		next = &trace.blocks.items[slot->to];
		edge = (struct edge){.from = block->last,
				     .to = next->start,
				     .count = slot->count,
				     .way = (enum lab_way)slot->run_end,
				     .kind = block->insn.kind};
		if (localize(&arguments->image, &edge))
			pgb_array_push(&found, edge);
	}
	print_edges(found.items, found.count);
	pgb_array_release(&found);
	lab_truth_release(&counts);
	lab_trace_close(&trace);
	return code < 0 ? pgb_fail(error, code, "%s", pgb_code_meaning(code)) : 0;
}

static int add_trace(struct lab_truth *truth, struct lab_image *image, const char *path,
		     struct pgb_error *error)
{
	struct lab_branch branch, last = {.taken = false};
	struct lab_machine machine;
	struct lab_trace trace;
	size_t maps_seen = 0;
	int code = lab_trace_open(&trace, path, error);

	if (code != 0)
		return code;
	lab_machine_init(&machine, &trace, LAB_KERNEL_NONE);
	while ((code = lab_machine_next(&machine, &branch)) > 0) {
		for (; maps_seen < trace.maps.count; maps_seen++)
			lab_image_place(image, &trace.maps.items[maps_seen]);
		if (!branch.taken)
			continue;
		if (last.taken)
			lab_truth_add(truth, image, last.from, last.to, branch.from, 1);
		last = branch;
	}
	if (last.taken)
		lab_truth_add(truth, image, last.from, last.to, LAB_NO_RUN, 1);
	lab_machine_release(&machine);
	lab_trace_close(&trace);
	return code == PGB_E_TRUNCATED ? 0 : code;
}

static int truth(struct arguments *arguments, struct pgb_error *error)
{
	struct lab_truth found = {.slots = NULL};
	int code = 0;

	if (arguments->binary == NULL)
		usage();
	for (size_t i = 0; i < arguments->trace_count && code == 0; i++)
		code = add_trace(&found, &arguments->image, arguments->traces[i], error);
	if (code == 0)
		code = lab_truth_write(&found, stdout, error);
	lab_truth_release(&found);
	return code < 0 ? pgb_fail(error, code, "%s", pgb_code_meaning(code)) : 0;
}

static int write_truth(struct lab_truth *found, const char *path, struct pgb_error *error)
{
	FILE *file = fopen(path, "w");
	int code;

	if (file == NULL)
		return pgb_fail(error, PGB_E_IO, "cannot create %s: %s", path, strerror(errno));
	code = lab_truth_write(found, file, error);
	if (fclose(file) != 0)
		code = pgb_fail(error, PGB_E_IO, "cannot write %s: %s", path, strerror(errno));
	return code;
}

static int lbr(struct arguments *arguments, struct pgb_error *error)
{
	struct lab_lbr_options *lbr_options = &arguments->lbr;
	struct lab_truth found = {.slots = NULL};
	const char *slash;
	int code;

	if (arguments->output == NULL || lbr_options->depth < 1 ||
	    lbr_options->depth > LAB_LBR_DEPTH_MAX || lbr_options->period_events == 0 ||
	    (arguments->truth != NULL && arguments->binary == NULL))
		usage();
	lbr_options->name = arguments->binary ? arguments->binary : "program";
	slash = strrchr(lbr_options->name, '/');
	lbr_options->name = slash ? slash + 1 : lbr_options->name;
	code = lab_encode_lbr(arguments->output, arguments->traces, arguments->trace_count,
			      lbr_options, arguments->binary ? &arguments->image : NULL,
			      arguments->truth ? &found : NULL, error);
	if (code == 0 && arguments->truth != NULL)
		code = write_truth(&found, arguments->truth, error);
	lab_truth_release(&found);
	return code;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct arguments *arguments, struct pgb_error *error);
	} commands[] = {{"show", show}, {"edges", edges}, {"truth", truth}, {"lbr", lbr}};
	struct arguments arguments = {.lbr = {.depth = 32, .period_events = 1000, .pid = 1000}};
	struct pgb_error error = {.code = 0};
	int option, code = PGB_E_USAGE;

	if (argc < 2)
		usage();
	while ((option = getopt_long(argc - 1, argv + 1, "b:o:", options, NULL)) != -1)
		read_option(&arguments, option, optarg);
	arguments.traces = argv + 1 + optind;
	arguments.trace_count = (size_t)(argc - 1 - optind);
	if (arguments.trace_count == 0)
		usage();
	if (arguments.binary == NULL ||
	    lab_image_open(&arguments.image, arguments.binary, &error) == 0) {
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (strcmp(argv[1], commands[i].name) == 0)
				code = commands[i].run(&arguments, &error);
		}
		lab_image_close(&arguments.image);
	}
	if (code == PGB_E_USAGE && error.code == 0)
		usage();
	if (error.code != 0)
		fprintf(stderr, "lab: %s\n", error.message);
	return error.code != 0;
}
