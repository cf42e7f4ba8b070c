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
	uint64_t samples;
	uint64_t round_end;
};

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

static void push(struct encoder *encoder, const struct lab_branch *branch)
{
	const struct lab_lbr_options *options = encoder->options;
	uint64_t bits = 0, number = ++encoder->pushed;

	if (options->mispredicts)
		bits |= branch->mispredicted ? 1 : 2;
	if (options->types)
		bits |= type_of(branch) << 20;
	if (options->wrong_path_every > 0)
		bits |= SPECULATION_CORRECT_PATH;
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

static void add_truth(struct encoder *encoder, const struct perf_entry *entries)
{
	struct lab_fact fact = {.kind = LAB_FACT_TRACE, .run_end = LAB_NO_RUN, .count = 1};

	for (unsigned int i = 0; i < encoder->filled; i++) {
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

static int write_sample(struct encoder *encoder, uint64_t time_ns, struct pgb_error *error)
{
	struct perf_entry entries[LAB_LBR_DEPTH_MAX];
	struct lab_recording *recording = &encoder->recording;
	unsigned int depth = encoder->options->depth;
	struct perf_sample sample;

	for (unsigned int i = 0; i < encoder->filled; i++)
		entries[i] = encoder->ring[(encoder->newest + depth - i) % depth];
	recording->who.time_ns = time_ns;
	sample = (struct perf_sample){
		.who = recording->who,
		.misc = PERF_RECORD_MISC_USER,
		.ip = entries[0].to,
		.period_events = encoder->options->period_events,
		.entries = entries,
		.entry_count = encoder->filled,
	};
	if (encoder->truth != NULL)
		add_truth(encoder, entries);
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

static int encode_trace(struct encoder *encoder, struct lab_trace *trace, struct pgb_error *error)
{
	uint64_t start_ns = encoder->recording.who.time_ns;
	struct lab_branch branch;
	struct lab_machine machine;
	int code;

	encoder->filled = 0;
	lab_machine_init(&machine, trace, encoder->options->kernel);
	while ((code = lab_machine_next(&machine, &branch)) > 0) {
		if (!branch.taken)
			continue;
		push(encoder, &branch);
		if (branch.kernel || --encoder->countdown_events > 0)
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
