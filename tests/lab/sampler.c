/* SPDX-License-Identifier: MIT */
#include "tests/lab/sampler.h"

void lab_sampler_init(struct lab_sampler *sampler, struct lab_trace *trace,
		      struct lab_recording *recording, uint64_t (*interval)(void *context),
		      void *context)
{
	*sampler = (struct lab_sampler){
		.recording = recording, .interval = interval, .context = context};
	lab_machine_init(&sampler->machine, trace, LAB_KERNEL_NONE);
	sampler->next = interval(context);
}

void lab_sampler_release(struct lab_sampler *sampler)
{
	lab_machine_release(&sampler->machine);
}

static int run_to_sample(struct lab_sampler *sampler)
{
	while (sampler->next >= sampler->machine.instructions) {
		int code;

		sampler->block_start = sampler->machine.instructions;
		code = lab_machine_step(&sampler->machine, &sampler->branch, &sampler->has_branch);
		if (code <= 0)
			return code;
	}
	return 1;
}

int lab_sampler_next(struct lab_sampler *sampler, struct lab_sample *sample,
		     struct pgb_error *error)
{
	const struct lab_block *block;
	int code = run_to_sample(sampler);

	if (code <= 0) /* a trace that stops early is one of a program that was killed */
		return code == PGB_E_TRUNCATED ? 0 : code;
	code = lab_recording_maps(sampler->recording, sampler->machine.trace, error);
	if (code != 0)
		return code;
	block = sampler->machine.step.block;
	*sample = (struct lab_sample){.block = block,
				      .index = sampler->next - sampler->block_start,
				      .instructions = sampler->next};
	sample->is_branch = sampler->has_branch && sample->index + 1 == block->instructions;
	if (sample->is_branch)
		sample->branch = sampler->branch;
	sample->address = lab_recording_instruction(sampler->recording, sampler->machine.trace->set,
						    block, sample->index);
	sampler->next += sampler->interval(sampler->context);
	return 1;
}
