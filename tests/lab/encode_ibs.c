/* SPDX-License-Identifier: MIT */
#include "tests/lab/encode_ibs.h"

#include "pgobolt/base/hash.h"

/* The type number of ibs_op; sysfs tells it on a real machine. */
#define IBS_TYPE	 11
#define IBS_NAME	 "ibs_op"
#define CONFIG_COUNT_OPS (UINT64_C(1) << 19)
#define CPUID_ZEN_4	 "AuthenticAMD,25,97,2"
#define REGISTERS_MAX	 9

#define CONTROL_ENABLE	    (UINT64_C(1) << 17)
#define CONTROL_VALID	    (UINT64_C(1) << 18)
#define DATA_RETURN	    (UINT64_C(1) << 34)
#define DATA_TAKEN	    (UINT64_C(1) << 35)
#define DATA_MISPREDICTED   (UINT64_C(1) << 36)
#define DATA_BRANCH_RETIRED (UINT64_C(1) << 37)
#define DATA_RIP_INVALID    (UINT64_C(1) << 38)
#define DATA_BRANCH_FUSED   (UINT64_C(1) << 39)
#define DATA_MICROCODE	    (UINT64_C(1) << 40)

struct encoder {
	const struct lab_ibs_options *options;
	struct lab_recording recording;
	struct lab_event event;
	struct lab_image *image;
	struct lab_truth *truth;
	uint64_t samples;
	enum pgb_insn_set set;
};

static bool has(const struct encoder *encoder, uint32_t capability)
{
	return (encoder->options->capabilities & capability) != 0;
}

/* cmp and test with registers or small immediates: what fuses with the jump behind it. */
static bool can_fuse(const uint8_t *code, uint64_t left_bytes)
{
	uint64_t at = left_bytes > 1 && (code[0] & 0xf0) == 0x40 ? 1 : 0; /* a REX prefix */

	if (left_bytes < at + 2)
		return false;
	switch (code[at]) {
	case 0x38 ... 0x3d:
	case 0x84:
	case 0x85:
	case 0xa8:
	case 0xa9:
		return true;
	case 0x80:
	case 0x81:
	case 0x83:
		return (code[at + 1] & 0x38) == 0x38; /* /7: cmp */
	}
	return false;
}

/* Where the fused pair begins, or the jump itself where there is none. */
static uint64_t fused_start(struct encoder *encoder, const struct lab_sample *sample)
{
	const uint8_t *code;
	uint64_t before, left;

	if (!encoder->options->fused || sample->branch.kind != PGB_INSN_CONDITIONAL ||
	    sample->index == 0)
		return sample->address;
	before = lab_recording_instruction(&encoder->recording, encoder->set, sample->block,
					   sample->index - 1);
	code = before ? lab_recording_code(&encoder->recording, before, &left) : NULL;
	return code != NULL && can_fuse(code, left) ? before : sample->address;
}

static uint64_t branch_data(const struct lab_branch *branch)
{
	uint64_t data = DATA_BRANCH_RETIRED;

	data |= branch->kind == PGB_INSN_RETURN ? DATA_RETURN : 0;
	data |= branch->taken ? DATA_TAKEN : 0;
	data |= branch->mispredicted ? DATA_MISPREDICTED : 0;
	return data;
}

/* u32 capabilities, then the registers; `ip` is where perf finds the sample. */
static void put_registers(struct encoder *encoder, struct perf_bytes *raw,
			  const struct lab_sample *sample, bool rip_invalid, uint64_t *ip)
{
	uint64_t count = encoder->options->period_events >> 4;
	uint64_t data = 5 | 20 << 16, target = 0;
	bool is_load = !sample->is_branch && encoder->samples % 4 == 0;

	*ip = sample->address;
	if (sample->is_branch) {
		*ip = fused_start(encoder, sample);
		data |= branch_data(&sample->branch);
		data |= *ip != sample->address ? DATA_BRANCH_FUSED : 0;
		target = sample->branch.taken ? sample->branch.to : 0;
	} else if (sample->index + 1 == sample->block->instructions &&
		   sample->block->insn.repeated) {
		data |= DATA_MICROCODE;
	}
	data |= rip_invalid ? DATA_RIP_INVALID : 0;
	perf_put_u32(raw, encoder->options->capabilities);
	perf_put_u64(raw, (count & 0xffff) | CONTROL_ENABLE | CONTROL_VALID | CONFIG_COUNT_OPS |
				  (count >> 16 & 0x7f) << 20);
	perf_put_u64(raw, *ip);
	perf_put_u64(raw, data);
	/* data 2 and 3, linear and physical address: now and then a load that missed */
	perf_put_u64(raw, is_load ? 3 : 0);
	perf_put_u64(raw, is_load ? 1 | 1 << 7 | 1 << 17 | 1 << 18 | UINT64_C(120) << 32 : 0);
	perf_put_u64(raw, is_load ? 0x7ffc00001000 + *ip % 4096 : 0);
	perf_put_u64(raw, is_load ? 0x123456000 + *ip % 4096 : 0);
	if (has(encoder, LAB_IBS_BRANCH_TARGET))
		perf_put_u64(raw, target);
	if (has(encoder, LAB_IBS_OP_DATA_4))
		perf_put_u64(raw,
			     is_load ? 1 << 5 : 0); /* cache line's first use after a prefetch */
}

/* Before Linux 6.14 nobody keeps the kernel's samples out. */
static void write_kernel_sample(struct encoder *encoder)
{
	const uint64_t ip = LAB_KERNEL_ENTRY + encoder->samples % 64 * 4;
	struct perf_bytes raw = {.length = 0};
	struct perf_sample encoded = {.who = encoder->recording.who,
				      .misc = PERF_RECORD_MISC_KERNEL | PERF_RECORD_MISC_EXACT_IP,
				      .ip = ip,
				      .period_events = encoder->options->period_events};

	perf_put_u32(&raw, encoder->options->capabilities);
	perf_put_u64(&raw, CONTROL_ENABLE | CONTROL_VALID | CONFIG_COUNT_OPS);
	perf_put_u64(&raw, ip);
	perf_put_u64(&raw, encoder->samples & 1 ? DATA_BRANCH_RETIRED | DATA_TAKEN : 0);
	perf_put(&raw, NULL, 4 * 8);
	if (has(encoder, LAB_IBS_BRANCH_TARGET))
		perf_put_u64(&raw, encoder->samples & 1 ? LAB_KERNEL_EXIT : 0);
	if (has(encoder, LAB_IBS_OP_DATA_4))
		perf_put_u64(&raw, 0);
	encoded.raw = raw.data;
	encoded.raw_bytes = raw.length;
	perf_encode_sample(&encoder->recording.out.records, &encoder->event.attr, &encoded);
	perf_bytes_release(&raw);
}

static void add_truth(struct encoder *encoder, const struct lab_sample *sample)
{
	const struct lab_branch *branch = &sample->branch;
	struct lab_fact fact = {.kind = LAB_FACT_IP, .from = sample->address, .count = 1};

	if (sample->is_branch) {
		fact.kind = branch->taken ? LAB_FACT_BRANCH : LAB_FACT_NOT_TAKEN;
		fact.to = branch->to;
		fact.mispredicts = branch->mispredicted;
	}
	lab_truth_add(encoder->truth, encoder->image, &fact);
}

static int write_sample(struct encoder *encoder, const struct lab_sample *sample,
			struct pgb_error *error)
{
	struct lab_recording *recording = &encoder->recording;
	uint64_t every = encoder->options->rip_invalid_every;
	bool rip_invalid = every > 0 && encoder->samples % every == every - 1;
	struct perf_bytes raw = {.length = 0};
	struct perf_sample encoded;
	uint64_t ip;

	if (encoder->options->kernel_every > 0 &&
	    encoder->samples % encoder->options->kernel_every == 0)
		write_kernel_sample(encoder);
	put_registers(encoder, &raw, sample, rip_invalid, &ip);
	encoded = (struct perf_sample){
		.who = recording->who,
		.misc = PERF_RECORD_MISC_USER | (rip_invalid ? 0 : PERF_RECORD_MISC_EXACT_IP),
		.ip = ip,
		.period_events = encoder->options->period_events,
		.raw = raw.data,
		.raw_bytes = raw.length,
	};
	perf_encode_sample(&recording->out.records, &encoder->event.attr, &encoded);
	perf_bytes_release(&raw);
	if (encoder->truth != NULL && !rip_invalid)
		add_truth(encoder, sample);
	encoder->samples++;
	return lab_perf_flush_some(&recording->out, error);
}

static uint64_t interval(void *context)
{
	struct encoder *encoder = context;
	uint64_t period = encoder->options->period_events;

	if (encoder->options->seed == 0)
		return period;
	return period - pgb_hash_combine(encoder->options->seed, encoder->samples) % 128;
}

static int encode_trace(struct encoder *encoder, struct lab_trace *trace, struct pgb_error *error)
{
	uint64_t start_ns = encoder->recording.who.time_ns;
	struct lab_sampler sampler;
	struct lab_sample sample;
	size_t maps_seen = 0;
	int code;

	encoder->set = trace->set;
	lab_sampler_init(&sampler, trace, &encoder->recording, interval, encoder);
	while ((code = lab_sampler_next(&sampler, &sample, error)) > 0) {
		for (; encoder->image && maps_seen < trace->maps.count; maps_seen++)
			lab_image_place(encoder->image, &trace->maps.items[maps_seen]);
		if (sample.address == 0)
			continue;
		encoder->recording.who.time_ns = start_ns + sample.instructions;
		code = write_sample(encoder, &sample, error);
		if (code != 0)
			break;
	}
	lab_sampler_release(&sampler);
	return code;
}

static void describe_event(struct encoder *encoder)
{
	struct lab_event *event = &encoder->event;

	lab_recording_defaults(event, encoder->options->period_events);
	event->name = "ibs_op/cnt_ctl=1,swfilt=1/u";
	event->attr.type = IBS_TYPE;
	event->attr.config = CONFIG_COUNT_OPS;
	event->attr.config2 = 1; /* the kernel's samples are left out by software */
	if (encoder->options->kernel_every > 0) {
		event->name = "ibs_op/cnt_ctl=1/";
		event->attr.config2 = event->attr.exclude_kernel = event->attr.exclude_hv = 0;
	}
	event->attr.sample_type |= PERF_SAMPLE_RAW;
}

int lab_encode_ibs(const char *out_path, char *const *trace_paths, size_t trace_count,
		   const struct lab_ibs_options *options, struct lab_image *image,
		   struct lab_truth *truth, struct pgb_error *error)
{
	struct encoder encoder = {.options = options, .image = image, .truth = truth};
	int code;

	pgb_assert(options->period_events >= 128);
	describe_event(&encoder);
	code = lab_recording_open(&encoder.recording, out_path, &encoder.event, 1, error);
	if (code != 0)
		return code;
	lab_perf_feature_string(&encoder.recording.out, LAB_FEATURE_ARCH, "x86_64");
	lab_perf_feature_string(&encoder.recording.out, LAB_FEATURE_CPUID, CPUID_ZEN_4);
	lab_perf_feature_pmu(&encoder.recording.out, IBS_TYPE, IBS_NAME);
	for (size_t i = 0; i < trace_count && code == 0; i++) {
		struct lab_trace trace;

		code = lab_trace_open(&trace, trace_paths[i], error);
		if (code != 0)
			break;
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
