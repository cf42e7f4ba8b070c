/* SPDX-License-Identifier: MIT */
#include "tests/lab/encode_lbr.h"

#include <string.h>

#include "pgobolt/base/hash.h"

#define ROUND_BYTES    (UINT64_C(4) << 20)
#define FINISHED_ROUND 68
#define KERNEL_START   UINT64_C(0xffff800000000000)
/* Bits of struct perf_branch_entry. */
#define ABORT			 (UINT64_C(1) << 3)
#define SPECULATION_MASK	 (UINT64_C(3) << 24)
#define SPECULATION_WRONG_PATH	 (UINT64_C(1) << 24)
#define SPECULATION_CORRECT_PATH (UINT64_C(3) << 24)
#define TYPE_SHIFT		 20
#define NEW_TYPE_SHIFT		 26
#define PRIVILEGE_SHIFT		 30
#define PRIVILEGE_USER		 UINT64_C(1)
#define PRIVILEGE_KERNEL	 UINT64_C(2)
/* Of perf_event.h since Linux 6.1 and 6.8. */
#define BRANCH_PRIV_SAVE    (UINT64_C(1) << 18)
#define BRANCH_COUNTERS	    (UINT64_C(1) << 19)
#define TYPE_INTERRUPT	    UINT64_C(12)
#define TYPE_EXTENDED	    UINT64_C(15)
#define NEW_TYPE_DATA_FAULT UINT64_C(1)

struct encoder {
	const struct lab_lbr_options *options;
	struct lab_recording recording;
	struct lab_event event;
	struct lab_image *image;
	struct lab_truth *truth;
	struct perf_entry ring[LAB_LBR_DEPTH_MAX];
	unsigned int filled, newest;
	uint64_t pushed;
	uint64_t countdown_events;
	uint64_t instructions; /* at the last branch */
	uint64_t samples;
	uint64_t round_end;
};

static const struct {
	const char *name;
	struct lab_lbr_options options;
} hardware[] = {
	{"lbr-8", {.depth = 8, .mispredicts = true}},
	{"lbr-16", {.depth = 16, .mispredicts = true}},
	{"lbr-32", {.depth = 32, .mispredicts = true, .hardware_index = true}},
	{"skylake", {.depth = 32, .mispredicts = true, .repeat_every = 9, .abort_every = 501}},
	{"arch-lbr", {.depth = 32, .mispredicts = true, .types = true, .privilege = true}},
	{"arch-lbr-counters", {.depth = 32, .mispredicts = true, .types = true, .counters = true}},
	{"brs", {.depth = 16}},
	{"lbr-v2",
	 {.depth = 16,
	  .mispredicts = true,
	  .types = true,
	  .hardware_index = true,
	  .speculation = true,
	  .wrong_path_every = 41}},
	{"brbe-8", {.depth = 8}},
	{"brbe-16", {.depth = 16}},
	{"brbe-32", {.depth = 32}},
	{"brbe-64", {.depth = 64}},
};

bool lab_lbr_hardware(struct lab_lbr_options *options, const char *name)
{
	struct lab_lbr_options wanted = *options;

	for (size_t i = 0; i < sizeof(hardware) / sizeof(hardware[0]); i++) {
		if (strcmp(name, hardware[i].name) != 0)
			continue;
		*options = hardware[i].options;
		options->period_events = wanted.period_events;
		options->build_id_maps = wanted.build_id_maps;
		if (strncmp(name, "brbe", 4) == 0) {
			options->mispredicts = options->types = options->privilege = true;
			options->hardware_index = true;
			options->kernel = LAB_KERNEL_HIDDEN;
		}
		return true;
	}
	return false;
}

/* As perf_event.h numbers branch types. */
static uint64_t type_of(const struct lab_branch *branch)
{
	if (branch->kernel)
		return branch->kind == PGB_INSN_SYSCALL ? PERF_BR_SYSCALL : PERF_BR_SYSRET;
	switch (branch->kind) {
	case PGB_INSN_CONDITIONAL:
		return PERF_BR_COND;
	case PGB_INSN_JUMP:
		return PERF_BR_UNCOND;
	case PGB_INSN_JUMP_INDIRECT:
		return PERF_BR_IND;
	case PGB_INSN_CALL:
		return PERF_BR_CALL;
	case PGB_INSN_CALL_INDIRECT:
		return PERF_BR_IND_CALL;
	case PGB_INSN_RETURN:
		return PERF_BR_RET;
	default:
		return PERF_BR_UNKNOWN;
	}
}

static void push_entry(struct encoder *encoder, uint64_t from, uint64_t to, uint64_t bits)
{
	unsigned int depth = encoder->options->depth;

	encoder->newest = (encoder->newest + 1) % depth;
	if (encoder->filled < depth)
		encoder->filled++;
	encoder->ring[encoder->newest] = (struct perf_entry){.from = from, .to = to, .bits = bits};
}

static bool is_due(uint64_t number, uint64_t every)
{
	return every > 0 && number % every == 0;
}

/* Of what enters the kernel some are interrupts and faults, for which there are more types. */
static uint64_t type_bits(const struct lab_branch *branch, uint64_t number)
{
	uint64_t type = type_of(branch);

	if (branch->kernel && type == PERF_BR_SYSCALL && number % 3 == 0)
		return TYPE_INTERRUPT << TYPE_SHIFT;
	if (branch->kernel && type == PERF_BR_SYSCALL && number % 3 == 1)
		return TYPE_EXTENDED << TYPE_SHIFT | NEW_TYPE_DATA_FAULT << NEW_TYPE_SHIFT;
	return type << TYPE_SHIFT;
}

static void push(struct encoder *encoder, const struct lab_branch *branch)
{
	const struct lab_lbr_options *options = encoder->options;
	uint64_t bits = 0, number = ++encoder->pushed;

	if (options->mispredicts)
		bits |= branch->mispredicted ? 1 : 2;
	if (options->types)
		bits |= type_bits(branch, number);
	if (options->speculation || options->wrong_path_every > 0)
		bits |= SPECULATION_CORRECT_PATH;
	if (options->privilege)
		bits |= (branch->kernel ? PRIVILEGE_KERNEL : PRIVILEGE_USER) << PRIVILEGE_SHIFT;
	push_entry(encoder, branch->from, branch->to, bits);
	if (is_due(number, options->wrong_path_every))
		push_entry(encoder, branch->to, branch->from, SPECULATION_WRONG_PATH);
	if (is_due(number, options->hole_every))
		push_entry(encoder, 0, is_due(number, 2) ? branch->to : 0, 0);
	if (is_due(number, options->abort_every))
		push_entry(encoder, branch->to, branch->from, ABORT);
}

static uint64_t next_period(struct encoder *encoder)
{
	uint64_t period = encoder->options->period_events;
	uint64_t spread = period / 4;

	if (encoder->options->seed == 0 || spread == 0)
		return period;
	return period - spread / 2 +
	       pgb_hash_combine(encoder->options->seed, encoder->samples) % (spread + 1);
}

static bool in_kernel(const struct perf_entry *entry)
{
	return entry->from >= KERNEL_START || entry->to >= KERNEL_START;
}

static bool is_no_branch(const struct perf_entry *entry)
{
	return entry->from == 0 || entry->to == 0 || (entry->bits & ABORT) ||
	       (entry->bits & SPECULATION_MASK) == SPECULATION_WRONG_PATH;
}

static void add_truth(struct encoder *encoder, const struct perf_entry *entries, unsigned int count)
{
	struct lab_fact fact = {.kind = LAB_FACT_TRACE, .run_end = LAB_NO_RUN, .count = 1};

	for (unsigned int i = 0; i < count; i++) {
		if (in_kernel(&entries[i]))
			continue;
		if (is_no_branch(&entries[i])) {
			fact.run_end = LAB_NO_RUN;
			continue;
		}
		fact.from = entries[i].from;
		fact.to = entries[i].to;
		lab_truth_add(encoder->truth, encoder->image, &fact);
		fact.run_end = entries[i].from;
	}
}

/* The newest entry twice, where nobody can take it for a loop: the oldest has no place then. */
static bool repeat_newest(struct encoder *encoder, struct perf_entry *entries)
{
	if (!is_due(encoder->samples + 1, encoder->options->repeat_every) ||
	    is_no_branch(&entries[0]) || in_kernel(&entries[0]) ||
	    entries[0].to <= entries[0].from || encoder->filled < encoder->options->depth)
		return false;
	memmove(&entries[1], &entries[0], (encoder->filled - 1) * sizeof(entries[0]));
	return true;
}

static int write_sample(struct encoder *encoder, uint64_t time_ns, struct pgb_error *error)
{
	struct perf_entry entries[LAB_LBR_DEPTH_MAX];
	uint64_t counters[LAB_LBR_DEPTH_MAX];
	struct lab_recording *recording = &encoder->recording;
	unsigned int depth = encoder->options->depth;
	struct perf_sample sample;
	bool repeated;

	for (unsigned int i = 0; i < encoder->filled; i++) {
		entries[i] = encoder->ring[(encoder->newest + depth - i) % depth];
		counters[i] = (encoder->samples + i) & 0xff;
	}
	recording->who.time_ns = time_ns;
	sample = (struct perf_sample){
		.who = recording->who,
		.misc = PERF_RECORD_MISC_USER,
		.ip = entries[0].to,
		.period_events = encoder->options->period_events,
		.entries = entries,
		.entry_count = encoder->filled,
		.hw_index = encoder->newest,
		.counters = counters,
	};
	repeated = repeat_newest(encoder, entries);
	if (encoder->truth != NULL)
		add_truth(encoder, entries + repeated, encoder->filled - repeated);
	perf_encode_sample(&recording->out.records, &encoder->event.attr, &sample);
	encoder->samples++;
	encoder->countdown_events = next_period(encoder);
	if (lab_perf_position(&recording->out) > encoder->round_end) {
		perf_record_end(&recording->out.records,
				perf_record_begin(&recording->out.records, FINISHED_ROUND, 0));
		encoder->round_end = lab_perf_position(&recording->out) + ROUND_BYTES;
	}
	return lab_perf_flush_some(&recording->out, error);
}

static void place_image(struct encoder *encoder, const struct lab_trace *trace, size_t from)
{
	for (size_t i = from; encoder->image != NULL && i < trace->maps.count; i++)
		lab_image_place(encoder->image, &trace->maps.items[i]);
}

static bool is_sampled(struct encoder *encoder, const struct lab_branch *branch)
{
	uint64_t events = 1;

	if (encoder->options->by_instructions)
		events = branch->instructions - encoder->instructions;
	encoder->instructions = branch->instructions;
	if (encoder->countdown_events > events) {
		encoder->countdown_events -= events;
		return false;
	}
	return true;
}

static int encode_trace(struct encoder *encoder, struct lab_trace *trace, struct pgb_error *error)
{
	uint64_t start_ns = encoder->recording.who.time_ns;
	struct lab_branch branch;
	struct lab_machine machine;
	int code;

	encoder->filled = 0;
	encoder->instructions = 0;
	lab_machine_init(&machine, trace, encoder->options->kernel);
	while ((code = lab_machine_next(&machine, &branch)) > 0) {
		if (!branch.taken)
			continue;
		push(encoder, &branch);
		if (branch.kernel || !is_sampled(encoder, &branch))
			continue;
		place_image(encoder, trace, encoder->recording.maps_seen);
		code = lab_recording_maps(&encoder->recording, trace, error);
		if (code == 0)
			code = write_sample(encoder, start_ns + machine.instructions, error);
		if (code != 0)
			break;
	}
	lab_machine_release(&machine);
	/* a trace that stops early is one of a program that was killed */
	return code == PGB_E_TRUNCATED ? 0 : code;
}

static void describe_event(struct encoder *encoder)
{
	const struct lab_lbr_options *options = encoder->options;
	struct lab_event *event = &encoder->event;

	lab_recording_defaults(event, options->period_events);
	event->name = "br_inst_retired.near_taken:u";
	event->attr.type = PERF_TYPE_RAW;
	event->attr.config = 0x20c4;
	event->attr.sample_type |= PERF_SAMPLE_BRANCH_STACK;
	event->attr.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY;
	if (options->types)
		event->attr.branch_sample_type |= PERF_SAMPLE_BRANCH_TYPE_SAVE;
	if (options->hardware_index)
		event->attr.branch_sample_type |= PERF_SAMPLE_BRANCH_HW_INDEX;
	if (options->privilege)
		event->attr.branch_sample_type |= BRANCH_PRIV_SAVE;
	if (options->counters)
		event->attr.branch_sample_type |= BRANCH_COUNTERS;
}

int lab_encode_lbr(const char *out_path, char *const *trace_paths, size_t trace_count,
		   const struct lab_lbr_options *options, struct lab_image *image,
		   struct lab_truth *truth, struct pgb_error *error)
{
	struct encoder encoder = {.options = options, .image = image, .truth = truth};
	int code;

	pgb_assert(options->depth >= 1 && options->depth <= LAB_LBR_DEPTH_MAX);
	pgb_assert(options->period_events > 0 && (truth == NULL || image != NULL));
	describe_event(&encoder);
	encoder.countdown_events = next_period(&encoder);
	encoder.round_end = ROUND_BYTES;
	code = lab_recording_open(&encoder.recording, out_path, &encoder.event, 1, error);
	if (code != 0)
		return code;
	encoder.recording.build_id_maps = options->build_id_maps;
	for (size_t i = 0; i < trace_count && code == 0; i++) {
		struct lab_trace trace;

		code = lab_trace_open(&trace, trace_paths[i], error);
		if (code != 0)
			break;
		lab_perf_feature_string(&encoder.recording.out, LAB_FEATURE_ARCH,
					trace.set == PGB_INSN_X86_64 ? "x86_64" : "aarch64");
		lab_recording_thread(&encoder.recording, options->name, options->pid,
				     options->pid + (uint32_t)i);
		code = encode_trace(&encoder, &trace, error);
		lab_trace_close(&trace);
	}
	if (code != 0) {
		lab_recording_abandon(&encoder.recording);
		return pgb_fail(error, code, "cannot encode the trace: %s", pgb_code_meaning(code));
	}
	return lab_recording_close(&encoder.recording, error);
}
