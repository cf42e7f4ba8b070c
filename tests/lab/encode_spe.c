/* SPDX-License-Identifier: MIT */
#include "tests/lab/encode_spe.h"

#include "pgobolt/base/hash.h"

/* The type number of arm_spe_0; sysfs tells it on a real machine. */
#define SPE_TYPE	      12
#define SPE_NAME	      "arm_spe_0"
#define AUXTRACE_INFO	      70
#define AUXTRACE	      71
#define TIME_CONV	      79
#define AUXTRACE_INFO_ARM_SPE 4
#define AUXTRACE_HEADER_BYTES 48
#define CONFIG_TIMESTAMPS     UINT64_C(1)
#define CONFIG_JITTER	      (UINT64_C(1) << 16)
#define CONFIG_BRANCH_FILTER  (UINT64_C(1) << 32)
#define STRANGER	      100000 /* this much behind the process that is traced */
#define EVENT_RETIRED	      2	     /* config1: what was squashed makes no record */

/* The top byte of an instruction's address: not secure, exception level 0. */
#define USER_ADDRESS	   (UINT64_C(0x80) << 56)
#define KERNEL_ADDRESS	   (UINT64_C(0xa0) << 56) /* level 1; 2 with virtualization extensions */
#define HYPERVISOR_ADDRESS (UINT64_C(0xc0) << 56)

enum packet {
	PACKET_END = 0x01,
	PACKET_EXTENDED = 0x20,	 /* the first of two bytes of a header */
	PACKET_ALIGNMENT = 0x25, /* up to a multiple of 64 */
	PACKET_EVENTS_1 = 0x42,
	PACKET_DATA_SOURCE_1 = 0x43,
	PACKET_OPERATION_OTHER = 0x48,
	PACKET_OPERATION_LOAD_STORE = 0x49,
	PACKET_OPERATION_BRANCH = 0x4a,
	PACKET_EVENTS_2 = 0x52,
	PACKET_DATA_SOURCE_2 = 0x53,
	PACKET_EVENTS_4 = 0x62,
	PACKET_CONTEXT_1 = 0x64, /* CONTEXTIDR_EL1 */
	PACKET_CONTEXT_2 = 0x65,
	PACKET_TIMESTAMP = 0x71,
	PACKET_EVENTS_8 = 0x72,
	PACKET_LATENCY_TOTAL = 0x98,
	PACKET_LATENCY_ISSUE = 0x99,
	PACKET_LATENCY_TRANSLATION = 0x9a,
	PACKET_ADDRESS_PC = 0xb0,
	PACKET_ADDRESS_TARGET = 0xb1,
	PACKET_ADDRESS_DATA = 0xb2,
	PACKET_ADDRESS_DATA_PHYSICAL = 0xb3,
	PACKET_ADDRESS_PREVIOUS_TARGET = 0xb4,
	PACKET_ADDRESS_RESERVED = 0xb6
};

enum event { EVENT_BIT_RETIRED = 1, EVENT_BIT_NOT_TAKEN = 6, EVENT_BIT_MISPREDICTED = 7 };

struct encoder {
	const struct lab_spe_options *options;
	struct lab_recording recording;
	struct lab_event events[2]; /* SPE, and the one for mappings and tasks */
	struct lab_image *image;
	struct lab_truth *truth;
	struct perf_bytes chunk;
	uint64_t aux_offset;
	uint64_t chunks;
	uint64_t samples;
	uint64_t records;
	size_t record_start; /* of the last one, in `chunk` */
	struct lab_sample last;
	bool has_last; /* its truth is not told yet */
	uint32_t thread_index;
};

static void put_packet(struct perf_bytes *out, enum packet packet, uint64_t payload,
		       unsigned int size_bytes)
{
	perf_put_uint(out, packet, 1);
	perf_put_uint(out, payload, size_bytes);
}

/* Bit 0 conditional, 1 indirect, 4:3 call (1), return (2) or neither (3). */
static uint64_t operation_of(const struct encoder *encoder, enum pgb_insn_kind kind)
{
	uint64_t call_or_return = 3, bits = 0;

	switch (kind) {
	case PGB_INSN_CONDITIONAL:
		bits = 1;
		break;
	case PGB_INSN_JUMP_INDIRECT:
		bits = 2;
		break;
	case PGB_INSN_CALL:
		call_or_return = 1;
		break;
	case PGB_INSN_CALL_INDIRECT:
		bits = 2;
		call_or_return = 1;
		break;
	case PGB_INSN_RETURN:
		bits = 2;
		call_or_return = 2;
		break;
	default:
		break;
	}
	return bits | (encoder->options->branch_kinds ? call_or_return << 3 : 0);
}

/* Events in each of their sizes, in turn. */
static void put_events(struct encoder *encoder, uint64_t events)
{
	static const enum packet packets[] = {PACKET_EVENTS_1, PACKET_EVENTS_2, PACKET_EVENTS_4,
					      PACKET_EVENTS_8};
	unsigned int size_log2 = encoder->options->every_packet ? encoder->records % 4 : 1;

	put_packet(&encoder->chunk, packets[size_log2], events, 1u << size_log2);
}

/* What says nothing about branches: data, and indexes that are not given out yet. */
static void put_others(struct encoder *encoder)
{
	struct perf_bytes *out = &encoder->chunk;
	uint64_t number = encoder->records;

	if (!encoder->options->every_packet)
		return;
	if (number % 2)
		put_packet(out, PACKET_DATA_SOURCE_1, 0x0b, 1);
	else
		put_packet(out, PACKET_DATA_SOURCE_2, 0x010b, 2);
	put_packet(out, PACKET_LATENCY_TRANSLATION, 1, 2);
	if (number % 3 == 0) {
		put_packet(out, PACKET_ADDRESS_DATA, UINT64_C(0xab00aaaad000f0e0) + number, 8);
		put_packet(out, PACKET_ADDRESS_DATA_PHYSICAL, USER_ADDRESS | 0x80123400, 8);
	}
	put_packet(out, PACKET_ADDRESS_RESERVED, number, 8);
	/* index 8 and more: the first byte has its upper bits */
	perf_put_uint(out, PACKET_EXTENDED | 1, 1);
	put_packet(out, PACKET_LATENCY_TOTAL, 77, 2);
	perf_put_uint(out, PACKET_EXTENDED | 2, 1);
	put_packet(out, PACKET_ADDRESS_TARGET, USER_ADDRESS | number, 8);
	if (number % 2)
		perf_put_uint(out, 0, 1);
	if (!encoder->options->context)
		put_packet(out, PACKET_CONTEXT_2, 4242, 4);
}

/* The next record starts at a multiple of 64, by a packet or by its padding. */
static void put_alignment(struct encoder *encoder)
{
	struct perf_bytes *out = &encoder->chunk;

	if (!encoder->options->every_packet || encoder->records % 5 != 0 || out->length % 64 > 62)
		return;
	perf_put_uint(out, PACKET_ALIGNMENT, 1);
	perf_put_uint(out, 0, 1);
	while (out->length % 64)
		perf_put_uint(out, 0, 1);
}

static void put_branch(struct encoder *encoder, const struct lab_branch *branch)
{
	struct perf_bytes *out = &encoder->chunk;
	uint64_t events = 1u << EVENT_BIT_RETIRED;

	if (!branch->taken)
		events |= 1u << EVENT_BIT_NOT_TAKEN;
	if (branch->mispredicted)
		events |= 1u << EVENT_BIT_MISPREDICTED;
	put_packet(out, PACKET_OPERATION_BRANCH, operation_of(encoder, branch->kind), 1);
	put_events(encoder, events);
	put_packet(out, PACKET_LATENCY_ISSUE, 3, 2);
	put_packet(out, PACKET_LATENCY_TOTAL, branch->mispredicted ? 24 : 7, 2);
	put_packet(out, PACKET_ADDRESS_TARGET, branch->to | USER_ADDRESS, 8);
	if (encoder->options->previous_target && branch->target_before != 0)
		put_packet(out, PACKET_ADDRESS_PREVIOUS_TARGET,
			   branch->target_before | USER_ADDRESS, 8);
}

/* Is this one due, of those that come now and then? */
static bool is_due(const struct encoder *encoder, uint64_t every)
{
	return every > 0 && encoder->records % every == every - 1;
}

static void end_record(struct encoder *encoder, uint64_t time_ns)
{
	bool no_time = encoder->options->no_timestamps ||
		       (encoder->options->every_packet && encoder->records % 7 == 0);

	if (no_time)
		perf_put_uint(&encoder->chunk, PACKET_END, 1);
	else
		put_packet(&encoder->chunk, PACKET_TIMESTAMP, time_ns, 8);
	perf_put_padding(&encoder->chunk, 0, encoder->options->record_alignment);
}

/* A branch of the kernel, where a filter let it through, or of what runs below it. */
static void put_kernel_record(struct encoder *encoder, uint64_t time_ns)
{
	struct perf_bytes *out = &encoder->chunk;
	uint64_t level = encoder->records % 2 ? KERNEL_ADDRESS : HYPERVISOR_ADDRESS;
	uint64_t pc = (LAB_KERNEL_ENTRY & ~(UINT64_C(0xff) << 56)) | level;

	put_packet(out, PACKET_ADDRESS_PC, pc, 8);
	put_packet(out, PACKET_OPERATION_BRANCH, 1, 1);
	put_packet(out, PACKET_EVENTS_2, 1u << EVENT_BIT_RETIRED, 2);
	put_packet(out, PACKET_ADDRESS_TARGET, pc + 64, 8);
	end_record(encoder, time_ns);
}

/* It was started on the wrong path, and never ended. */
static void put_squashed_record(struct encoder *encoder, const struct lab_sample *sample,
				uint64_t time_ns)
{
	struct perf_bytes *out = &encoder->chunk;

	put_packet(out, PACKET_ADDRESS_PC, sample->address | USER_ADDRESS, 8);
	put_packet(out, PACKET_OPERATION_BRANCH, 1, 1);
	put_packet(out, PACKET_EVENTS_2, 1u << EVENT_BIT_NOT_TAKEN, 2);
	end_record(encoder, time_ns);
}

/* The same branch of another process, whose turn is over before the next sample. */
static void put_stranger(struct encoder *encoder, const struct lab_sample *sample)
{
	const struct perf_event_attr *attr = &encoder->events[1].attr;
	struct perf_bytes *records = &encoder->recording.out.records;
	struct perf_bytes *out = &encoder->chunk;
	struct perf_identity *who = &encoder->recording.who;
	uint32_t stranger = who->pid + STRANGER;

	who->time_ns++;
	perf_encode_switch_cpu_wide(records, attr, who, PERF_RECORD_MISC_SWITCH_OUT, stranger,
				    stranger);
	put_packet(out, PACKET_ADDRESS_PC, sample->address | USER_ADDRESS, 8);
	put_packet(out, PACKET_OPERATION_BRANCH, 1, 1);
	put_packet(out, PACKET_EVENTS_2, 1u << EVENT_BIT_RETIRED, 2);
	put_packet(out, PACKET_ADDRESS_TARGET, sample->address | USER_ADDRESS, 8);
	put_packet(out, PACKET_TIMESTAMP, who->time_ns + 1, 8);
	perf_put_padding(out, 0, encoder->options->record_alignment);
	who->time_ns += 2;
	perf_encode_switch_cpu_wide(records, attr, who, 0, stranger, stranger);
}

static void put_record(struct encoder *encoder, const struct lab_sample *sample, uint64_t time_ns)
{
	struct perf_bytes *out = &encoder->chunk;
	const struct lab_spe_options *options = encoder->options;

	if (is_due(encoder, options->kernel_every))
		put_kernel_record(encoder, time_ns);
	if (is_due(encoder, options->squashed_every))
		put_squashed_record(encoder, sample, time_ns);
	put_alignment(encoder);
	encoder->record_start = out->length;
	if (is_due(encoder, options->damage_every))
		perf_put_uint(out, 0xff, 1);
	put_packet(out, PACKET_ADDRESS_PC, sample->address | USER_ADDRESS, 8);
	if (options->context)
		put_packet(out, PACKET_CONTEXT_1, encoder->recording.who.tid, 4);
	put_others(encoder);
	if (sample->is_branch) {
		put_branch(encoder, &sample->branch);
	} else {
		put_packet(out,
			   options->every_packet && encoder->records % 2
				   ? PACKET_OPERATION_LOAD_STORE
				   : PACKET_OPERATION_OTHER,
			   0, 1);
		put_events(encoder, 1u << EVENT_BIT_RETIRED);
		put_packet(out, PACKET_LATENCY_ISSUE, 2, 2);
		put_packet(out, PACKET_LATENCY_TOTAL, 5, 2);
	}
	end_record(encoder, time_ns);
	encoder->records++;
}

static void add_truth(struct encoder *encoder, const struct lab_sample *sample)
{
	const struct lab_branch *branch = &sample->branch;
	struct lab_fact fact = {.from = sample->address, .count = 1};

	if (!sample->is_branch) {
		fact.kind = LAB_FACT_IP;
		lab_truth_add(encoder->truth, encoder->image, &fact);
		return;
	}
	fact.kind = branch->taken ? LAB_FACT_BRANCH : LAB_FACT_NOT_TAKEN;
	fact.to = branch->to;
	fact.mispredicts = branch->mispredicted;
	lab_truth_add(encoder->truth, encoder->image, &fact);
	if (encoder->options->previous_target && branch->target_before != 0) {
		fact = (struct lab_fact){.kind = LAB_FACT_RUN,
					 .from = branch->target_before,
					 .to = branch->from,
					 .count = 1};
		lab_truth_add(encoder->truth, encoder->image, &fact);
	}
}

/* The last record is whole, and stays. */
static void keep_last(struct encoder *encoder)
{
	if (encoder->has_last && encoder->truth != NULL)
		add_truth(encoder, &encoder->last);
	encoder->has_last = false;
}

/* The area was full: it ends in the midst of the last record. */
static void cut_last(struct encoder *encoder)
{
	encoder->chunk.length = encoder->record_start + 20;
	encoder->has_last = false;
}

static bool has_area_of_cpu(const struct lab_spe_options *options)
{
	return options->context || options->switch_every > 0;
}

/* The AUX record tells that data is there, AUXTRACE carries it. */
static int write_chunk(struct encoder *encoder, struct pgb_error *error)
{
	struct lab_recording *recording = &encoder->recording;
	struct perf_bytes *records = &recording->out.records;
	bool per_cpu = has_area_of_cpu(encoder->options);
	uint64_t flags = 0;
	size_t start;

	if (encoder->chunk.length == 0)
		return 0;
	encoder->chunks++;
	if (encoder->options->flags_every > 0 &&
	    encoder->chunks % encoder->options->flags_every == 0)
		flags = PERF_AUX_FLAG_COLLISION;
	if (encoder->options->cut_every > 0 && encoder->chunks % encoder->options->cut_every == 0) {
		flags |= PERF_AUX_FLAG_TRUNCATED;
		cut_last(encoder);
	} else {
		perf_put_padding(&encoder->chunk, 0, 64);
	}
	keep_last(encoder);
	recording->who.id = encoder->events[0].id;
	perf_encode_aux(records, &encoder->events[0].attr, &recording->who, encoder->aux_offset,
			encoder->chunk.length, flags);
	recording->who.id = encoder->events[1].id;
	start = perf_record_begin(records, AUXTRACE, 0);
	perf_put_u64(records, encoder->chunk.length);
	perf_put_u64(records, encoder->aux_offset);
	perf_put_u64(records, encoder->chunks);
	perf_put_u32(records, per_cpu ? 0 : encoder->thread_index);
	perf_put_u32(records, per_cpu ? UINT32_MAX : recording->who.tid);
	perf_put_u32(records, per_cpu ? 0 : UINT32_MAX);
	perf_put_u32(records, 0);
	perf_record_end(records, start);
	perf_put(records, encoder->chunk.data, encoder->chunk.length);
	encoder->aux_offset += encoder->chunk.length;
	encoder->chunk.length = 0;
	return lab_perf_flush_some(&recording->out, error);
}

static uint64_t interval(void *context)
{
	struct encoder *encoder = context;
	uint64_t period = encoder->options->period_events;

	if (encoder->options->seed == 0)
		return period;
	return period + pgb_hash_combine(encoder->options->seed, encoder->samples++) % 256;
}

static int encode_trace(struct encoder *encoder, struct lab_trace *trace, struct pgb_error *error)
{
	uint64_t start_ns = encoder->recording.who.time_ns;
	struct lab_sampler sampler;
	struct lab_sample sample;
	size_t maps_seen = 0;
	int code;

	lab_sampler_init(&sampler, trace, &encoder->recording, interval, encoder);
	while ((code = lab_sampler_next(&sampler, &sample, error)) > 0) {
		for (; encoder->image && maps_seen < trace->maps.count; maps_seen++)
			lab_image_place(encoder->image, &trace->maps.items[maps_seen]);
		if (sample.address == 0 || (!sample.is_branch && !encoder->options->all_operations))
			continue;
		encoder->recording.who.time_ns = start_ns + sample.instructions;
		keep_last(encoder);
		encoder->last = sample;
		encoder->has_last = !is_due(encoder, encoder->options->damage_every);
		put_record(encoder, &sample, encoder->recording.who.time_ns);
		if (is_due(encoder, encoder->options->switch_every))
			put_stranger(encoder, &sample);
		if (encoder->chunk.length >= encoder->options->chunk_bytes) {
			code = write_chunk(encoder, error);
			if (code != 0)
				break;
		}
	}
	lab_sampler_release(&sampler);
	return code != 0 ? code : write_chunk(encoder, error);
}

static void describe_events(struct encoder *encoder)
{
	struct lab_event *spe = &encoder->events[0], *dummy = &encoder->events[1];

	lab_recording_defaults(spe, encoder->options->period_events);
	spe->name = "arm_spe_0/branch_filter=1,jitter=1,ts_enable=1/u";
	spe->attr.type = SPE_TYPE;
	spe->attr.config = CONFIG_JITTER;
	if (!encoder->options->no_timestamps)
		spe->attr.config |= CONFIG_TIMESTAMPS;
	if (!encoder->options->all_operations)
		spe->attr.config |= CONFIG_BRANCH_FILTER;
	if (encoder->options->squashed_every == 0)
		spe->attr.config1 = EVENT_RETIRED;
	spe->attr.mmap = spe->attr.mmap2 = spe->attr.comm = spe->attr.comm_exec = spe->attr.task =
		0;
	lab_recording_defaults(dummy, 1);
	dummy->name = "dummy:u";
	dummy->id = spe->id + 1;
	dummy->attr.type = PERF_TYPE_SOFTWARE;
	dummy->attr.config = PERF_COUNT_SW_DUMMY;
	if (encoder->options->switch_every > 0) {
		spe->attr.inherit = dummy->attr.inherit = 0;
		dummy->attr.context_switch = 1;
	}
}

/* What perf needs before the first AUXTRACE: which PMU it was, and what its clock counts. */
static void write_info(struct encoder *encoder)
{
	struct perf_bytes *records = &encoder->recording.out.records;
	size_t start = perf_record_begin(records, AUXTRACE_INFO, 0);

	perf_put_u32(records, AUXTRACE_INFO_ARM_SPE);
	perf_put_u32(records, 0);
	perf_put_u64(records, SPE_TYPE);
	perf_put_u64(records, has_area_of_cpu(encoder->options));
	perf_record_end(records, start);
	start = perf_record_begin(records, TIME_CONV, 0);
	perf_put_u64(records, 0); /* shift */
	perf_put_u64(records, 1); /* multiplier: nanoseconds as they are */
	perf_put_u64(records, 0); /* zero */
	perf_put_u64(records, 0); /* cycles */
	perf_put_u64(records, UINT64_MAX);
	perf_put_u64(records, 1); /* a u8 and padding: the zero counts */
	perf_record_end(records, start);
}

static int encode_traces(struct encoder *encoder, char *const *trace_paths, size_t trace_count,
			 struct pgb_error *error)
{
	int code = 0;

	for (size_t i = 0; i < trace_count && code == 0; i++) {
		struct lab_trace trace;

		code = lab_trace_open(&trace, trace_paths[i], error);
		if (code != 0)
			break;
		encoder->thread_index = (uint32_t)i;
		if (!has_area_of_cpu(encoder->options))
			encoder->aux_offset = 0;
		lab_recording_thread(&encoder->recording, encoder->options->name,
				     encoder->options->pid, encoder->options->pid + (uint32_t)i);
		code = trace.set == PGB_INSN_AARCH64
			       ? encode_trace(encoder, &trace, error)
			       : pgb_fail(error, PGB_E_UNSUPPORTED, "%s is not of AArch64",
					  trace_paths[i]);
		lab_trace_close(&trace);
	}
	return code;
}

int lab_encode_spe(const char *out_path, char *const *trace_paths, size_t trace_count,
		   const struct lab_spe_options *options, struct lab_image *image,
		   struct lab_truth *truth, struct pgb_error *error)
{
	struct encoder encoder = {.options = options, .image = image, .truth = truth};
	int code;

	pgb_assert(options->period_events > 0 && options->record_alignment > 0);
	describe_events(&encoder);
	code = lab_recording_open(&encoder.recording, out_path, encoder.events, 2, error);
	if (code != 0)
		return code;
	lab_perf_feature_string(&encoder.recording.out, LAB_FEATURE_ARCH, "aarch64");
	lab_perf_feature_pmu(&encoder.recording.out, SPE_TYPE, SPE_NAME);
	write_info(&encoder);
	code = encode_traces(&encoder, trace_paths, trace_count, error);
	perf_bytes_release(&encoder.chunk);
	if (code != 0) {
		lab_recording_abandon(&encoder.recording);
		return pgb_fail(error, code, "cannot encode the trace: %s", pgb_code_meaning(code));
	}
	return lab_recording_close(&encoder.recording, error);
}
