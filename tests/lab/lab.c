/* SPDX-License-Identifier: MIT */
/*
 * The laboratory's command line: looks into traces and turns them into recordings.
 * See tests/lab/README.md.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lab/encode_ibs.h"
#include "tests/lab/encode_lbr.h"
#include "tests/lab/encode_spe.h"

static const char usage_text[] =
	"usage: lab show TRACE              every step of a trace\n"
	"       lab edges [-b BINARY] FILE  how often each block ended in each way (also of "
	"counts)\n"
	"       lab truth -b BINARY TRACE.. what a perfect profile holds, as pre-aggregated text\n"
	"       lab lbr|spe|ibs -o OUT [options] TRACE..   a perf.data as that hardware makes it\n"
	"TRACE: one file per thread, the main thread first. Options of all:\n"
	"  -b, --binary FILE      addresses are those of this file, the rest is left out\n"
	"  -o, --output FILE\n"
	"      --truth FILE       what the samples hold, as text (needs -b)\n"
	"      --period N         taken branches (lbr) or instructions between samples [1024]\n"
	"      --random SEED      vary the period as the hardware does, reproducibly\n"
	"      --pid N            process id [1000]\n"
	"lbr:  --depth N          entries of a branch stack [32]\n"
	"      --hardware NAME    all of it as that hardware does: lbr-8, lbr-16, lbr-32, "
	"skylake,\n"
	"                         arch-lbr, arch-lbr-counters, brs, lbr-v2, brbe-8, brbe-16, "
	"brbe-32,\n"
	"                         brbe-64; what stands behind it changes that\n"
	"      --by-instructions  the period counts instructions, not taken branches\n"
	"      --kernel none|returns|both|hidden   entries of the kernel in branch stacks [none]\n"
	"      --mispredicts      tell mispredicted from predicted branches\n"
	"      --types            branch types\n"
	"      --hw-index         the hardware index in each stack\n"
	"      --speculation, --privilege, --counters   what newer kernels tell of each entry\n"
	"      --build-id-maps    MMAP2 records with build-id\n"
	"      --wrong-path N     each Nth branch is followed by a speculative entry\n"
	"      --holes N          ... by an entry with a zero in it\n"
	"      --aborts N         ... by the abort of a transaction\n"
	"      --repeats N        each Nth sample has its newest entry twice\n"
	"spe:  --previous-target  packets with the target of the branch before\n"
	"      --branch-kinds     call, return or other in the operation type\n"
	"      --context          packets with the thread, one AUX area per CPU\n"
	"      --all-operations   records of all instructions, not of branches alone\n"
	"      --no-timestamps\n"
	"      --align N          pad each record to a multiple of N [64]\n"
	"      --chunk N          bytes between AUX records [65536]\n"
	"      --collisions N     flag each Nth AUX record\n"
	"      --every-packet     all kinds of packets, sizes and headers\n"
	"      --kernel-every N, --squashed N   records of the kernel, and of what never retired\n"
	"      --damage N         each Nth record has a byte that is no packet\n"
	"      --cut N            each Nth AUX record ends inside a record of SPE\n"
	"      --switches N       of a whole CPU: behind each Nth record another process has a "
	"turn,\n"
	"                         which context switches tell\n"
	"ibs:  --capabilities N   CPUID 0x8000001b [0xfff, Zen 4]\n"
	"      --fused            sample a compare and its jump as one\n"
	"      --rip-invalid N    each Nth sample has no valid address\n"
	"      --kernel-every N   samples of the kernel in between\n";

struct arguments {
	const char *binary, *output, *truth;
	uint64_t period_events, seed;
	uint32_t pid;
	struct lab_lbr_options lbr;
	struct lab_spe_options spe;
	struct lab_ibs_options ibs;
	char **traces;
	size_t trace_count;
	struct lab_image image; /* of `binary` */
};

enum option_code {
	OPTION_TRUTH = 256,
	OPTION_PERIOD,
	OPTION_RANDOM,
	OPTION_PID,
	OPTION_DEPTH,
	OPTION_KERNEL,
	OPTION_WRONG_PATH,
	OPTION_HOLES,
	OPTION_ABORTS,
	OPTION_ALIGN,
	OPTION_CHUNK,
	OPTION_COLLISIONS,
	OPTION_CAPABILITIES,
	OPTION_RIP_INVALID,
	OPTION_HARDWARE,
	OPTION_REPEATS,
	OPTION_KERNEL_EVERY,
	OPTION_SQUASHED,
	OPTION_DAMAGE,
	OPTION_CUT,
	OPTION_SWITCHES,
	OPTION_FLAG /* and an index into flags_of() behind it */
};

static const struct option options[] = {
	{"binary", required_argument, NULL, 'b'},
	{"output", required_argument, NULL, 'o'},
	{"truth", required_argument, NULL, OPTION_TRUTH},
	{"period", required_argument, NULL, OPTION_PERIOD},
	{"random", required_argument, NULL, OPTION_RANDOM},
	{"pid", required_argument, NULL, OPTION_PID},
	{"depth", required_argument, NULL, OPTION_DEPTH},
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"wrong-path", required_argument, NULL, OPTION_WRONG_PATH},
	{"holes", required_argument, NULL, OPTION_HOLES},
	{"aborts", required_argument, NULL, OPTION_ABORTS},
	{"align", required_argument, NULL, OPTION_ALIGN},
	{"chunk", required_argument, NULL, OPTION_CHUNK},
	{"collisions", required_argument, NULL, OPTION_COLLISIONS},
	{"capabilities", required_argument, NULL, OPTION_CAPABILITIES},
	{"rip-invalid", required_argument, NULL, OPTION_RIP_INVALID},
	{"hardware", required_argument, NULL, OPTION_HARDWARE},
	{"repeats", required_argument, NULL, OPTION_REPEATS},
	{"kernel-every", required_argument, NULL, OPTION_KERNEL_EVERY},
	{"squashed", required_argument, NULL, OPTION_SQUASHED},
	{"damage", required_argument, NULL, OPTION_DAMAGE},
	{"cut", required_argument, NULL, OPTION_CUT},
	{"switches", required_argument, NULL, OPTION_SWITCHES},
	{"mispredicts", no_argument, NULL, OPTION_FLAG + 0},
	{"types", no_argument, NULL, OPTION_FLAG + 1},
	{"hw-index", no_argument, NULL, OPTION_FLAG + 2},
	{"build-id-maps", no_argument, NULL, OPTION_FLAG + 3},
	{"previous-target", no_argument, NULL, OPTION_FLAG + 4},
	{"branch-kinds", no_argument, NULL, OPTION_FLAG + 5},
	{"context", no_argument, NULL, OPTION_FLAG + 6},
	{"all-operations", no_argument, NULL, OPTION_FLAG + 7},
	{"no-timestamps", no_argument, NULL, OPTION_FLAG + 8},
	{"fused", no_argument, NULL, OPTION_FLAG + 9},
	{"speculation", no_argument, NULL, OPTION_FLAG + 10},
	{"privilege", no_argument, NULL, OPTION_FLAG + 11},
	{"counters", no_argument, NULL, OPTION_FLAG + 12},
	{"by-instructions", no_argument, NULL, OPTION_FLAG + 13},
	{"every-packet", no_argument, NULL, OPTION_FLAG + 14},
	{NULL, 0, NULL, 0},
};

/* In the order of the flags above. */
static bool *flag_of(struct arguments *arguments, int index)
{
	bool *flags[] = {&arguments->lbr.mispredicts,	  &arguments->lbr.types,
			 &arguments->lbr.hardware_index,  &arguments->lbr.build_id_maps,
			 &arguments->spe.previous_target, &arguments->spe.branch_kinds,
			 &arguments->spe.context,	  &arguments->spe.all_operations,
			 &arguments->spe.no_timestamps,	  &arguments->ibs.fused,
			 &arguments->lbr.speculation,	  &arguments->lbr.privilege,
			 &arguments->lbr.counters,	  &arguments->lbr.by_instructions,
			 &arguments->spe.every_packet};

	return flags[index];
}

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
	static const char *const names[] = {"none", "returns", "both", "hidden"};

	for (unsigned int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum lab_kernel)i;
	}
	usage();
}

/* NULL: an option without a number of its own. */
static uint64_t *number_option(struct arguments *arguments, int option)
{
	switch (option) {
	case OPTION_PERIOD:
		return &arguments->period_events;
	case OPTION_RANDOM:
		return &arguments->seed;
	case OPTION_WRONG_PATH:
		return &arguments->lbr.wrong_path_every;
	case OPTION_HOLES:
		return &arguments->lbr.hole_every;
	case OPTION_ABORTS:
		return &arguments->lbr.abort_every;
	case OPTION_REPEATS:
		return &arguments->lbr.repeat_every;
	case OPTION_ALIGN:
		return &arguments->spe.record_alignment;
	case OPTION_CHUNK:
		return &arguments->spe.chunk_bytes;
	case OPTION_COLLISIONS:
		return &arguments->spe.flags_every;
	case OPTION_SQUASHED:
		return &arguments->spe.squashed_every;
	case OPTION_DAMAGE:
		return &arguments->spe.damage_every;
	case OPTION_CUT:
		return &arguments->spe.cut_every;
	case OPTION_SWITCHES:
		return &arguments->spe.switch_every;
	case OPTION_RIP_INVALID:
		return &arguments->ibs.rip_invalid_every;
	default:
		return NULL;
	}
}

static void read_option(struct arguments *arguments, int option, const char *value)
{
	uint64_t *number = number_option(arguments, option);

	if (number != NULL) {
		*number = number_of(value);
		return;
	}
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
	case OPTION_PID:
		arguments->pid = (uint32_t)number_of(value);
		break;
	case OPTION_DEPTH:
		arguments->lbr.depth = (unsigned int)number_of(value);
		break;
	case OPTION_KERNEL:
		arguments->lbr.kernel = kernel_of(value);
		break;
	case OPTION_HARDWARE:
		if (!lab_lbr_hardware(&arguments->lbr, value))
			usage();
		break;
	case OPTION_CAPABILITIES:
		arguments->ibs.capabilities = (uint32_t)number_of(value);
		break;
	case OPTION_KERNEL_EVERY:
		arguments->spe.kernel_every = arguments->ibs.kernel_every = number_of(value);
		break;
	default:
		if (option < OPTION_FLAG)
			usage();
		*flag_of(arguments, option - OPTION_FLAG) = true;
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
		lab_truth_add(
			counts, NULL,
			&(struct lab_fact){
				.from = from, .to = to, .run_end = step.way, .count = step.count});
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
		const struct lab_fact *slot = &counts.slots[i];
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
	struct lab_fact last = {.count = 0};
	struct lab_branch branch;
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
		last.run_end = branch.from;
		lab_truth_add(truth, image, &last);
		last = (struct lab_fact){
			.from = branch.from, .to = branch.to, .run_end = LAB_NO_RUN, .count = 1};
	}
	lab_truth_add(truth, image, &last);
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

static const char *program_name(const struct arguments *arguments)
{
	const char *slash;

	if (arguments->binary == NULL)
		return "program";
	slash = strrchr(arguments->binary, '/');
	return slash ? slash + 1 : arguments->binary;
}

static int encode(struct arguments *arguments, const char *command, struct lab_truth *found,
		  struct pgb_error *error)
{
	struct lab_image *image = arguments->binary ? &arguments->image : NULL;

	if (strcmp(command, "lbr") == 0) {
		arguments->lbr.name = program_name(arguments);
		arguments->lbr.pid = arguments->pid;
		arguments->lbr.seed = arguments->seed;
		arguments->lbr.period_events = arguments->period_events;
		return lab_encode_lbr(arguments->output, arguments->traces, arguments->trace_count,
				      &arguments->lbr, image, found, error);
	}
	if (strcmp(command, "spe") == 0) {
		arguments->spe.name = program_name(arguments);
		arguments->spe.pid = arguments->pid;
		arguments->spe.seed = arguments->seed;
		arguments->spe.period_events = arguments->period_events;
		return lab_encode_spe(arguments->output, arguments->traces, arguments->trace_count,
				      &arguments->spe, image, found, error);
	}
	arguments->ibs.name = program_name(arguments);
	arguments->ibs.pid = arguments->pid;
	arguments->ibs.seed = arguments->seed;
	arguments->ibs.period_events = arguments->period_events;
	return lab_encode_ibs(arguments->output, arguments->traces, arguments->trace_count,
			      &arguments->ibs, image, found, error);
}

static int record(struct arguments *arguments, const char *command, struct pgb_error *error)
{
	struct lab_truth found = {.slots = NULL};
	int code;

	if (arguments->output == NULL || arguments->period_events == 0 ||
	    (arguments->truth != NULL && arguments->binary == NULL))
		usage();
	if (strcmp(command, "lbr") == 0 &&
	    (arguments->lbr.depth < 1 || arguments->lbr.depth > LAB_LBR_DEPTH_MAX))
		usage();
	if (strcmp(command, "ibs") == 0 && arguments->period_events < 128)
		usage();
	if (strcmp(command, "spe") == 0 && arguments->spe.record_alignment == 0)
		usage();
	code = encode(arguments, command, arguments->truth ? &found : NULL, error);
	if (code == 0 && arguments->truth != NULL)
		code = write_truth(&found, arguments->truth, error);
	lab_truth_release(&found);
	return code;
}

static int run_command(struct arguments *arguments, const char *command, struct pgb_error *error)
{
	static const char *const recorders[] = {"lbr", "spe", "ibs"};

	if (strcmp(command, "show") == 0)
		return show(arguments, error);
	if (strcmp(command, "edges") == 0)
		return edges(arguments, error);
	if (strcmp(command, "truth") == 0)
		return truth(arguments, error);
	for (unsigned int i = 0; i < 3; i++) {
		if (strcmp(command, recorders[i]) == 0)
			return record(arguments, command, error);
	}
	usage();
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.period_events = 1024,
		.pid = 1000,
		.lbr = {.depth = 32},
		.spe = {.record_alignment = 64, .chunk_bytes = 65536},
		.ibs = {.capabilities = LAB_IBS_ZEN_4},
	};
	struct pgb_error error = {.code = 0};
	int option, code = 0;

	if (argc < 2)
		usage();
	while ((option = getopt_long(argc - 1, argv + 1, "b:o:", options, NULL)) != -1)
		read_option(&arguments, option, optarg);
	arguments.traces = argv + 1 + optind;
	arguments.trace_count = (size_t)(argc - 1 - optind);
	if (arguments.trace_count == 0)
		usage();
	if (arguments.binary != NULL)
		code = lab_image_open(&arguments.image, arguments.binary, &error);
	if (code == 0)
		code = run_command(&arguments, argv[1], &error);
	lab_image_close(&arguments.image);
	if (code != 0)
		fprintf(stderr, "lab: %s\n", error.message);
	return code != 0;
}
