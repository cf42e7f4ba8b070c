/* SPDX-License-Identifier: MIT */
#include "tests/lab/trace.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lab/trace_format.h"

#define NO_BLOCK       UINT32_MAX
#define PATH_BYTES_MAX 4096

/* A LEB128 number. At the end of the file: PGB_E_TRUNCATED. */
static int get(struct lab_trace *trace, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; shift < 64; shift += 7) {
		int byte = getc_unlocked(trace->file);

		if (byte == EOF)
			return PGB_E_TRUNCATED;
		*value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return 0;
	}
	return PGB_E_CORRUPT;
}

static int get_numbers(struct lab_trace *trace, uint64_t *values, unsigned int count)
{
	int code = 0;

	for (unsigned int i = 0; i < count && code == 0; i++)
		code = get(trace, &values[i]);
	return code;
}

static int get_bytes(struct lab_trace *trace, void *bytes, size_t size_bytes)
{
	return fread(bytes, 1, size_bytes, trace->file) == size_bytes ? 0 : PGB_E_TRUNCATED;
}

int lab_trace_open(struct lab_trace *trace, const char *path, struct pgb_error *error)
{
	struct lab_block outside = {.outside = true, .predicted = NO_BLOCK};
	char magic[LAB_TRACE_MAGIC_BYTES];

	*trace = (struct lab_trace){.coming = NO_BLOCK};
	trace->file = fopen(path, "rb");
	if (trace->file == NULL)
		return pgb_fail(error, pgb_code_from_errno(errno), "cannot open %s: %s", path,
				strerror(errno));
	pgb_array_push(&trace->blocks, outside);
	if (get_bytes(trace, magic, sizeof(magic)) == 0) {
		if (memcmp(magic, LAB_TRACE_MAGIC_X86_64, sizeof(magic)) == 0) {
			trace->set = PGB_INSN_X86_64;
			return 0;
		}
		if (memcmp(magic, LAB_TRACE_MAGIC_AARCH64, sizeof(magic)) == 0) {
			trace->set = PGB_INSN_AARCH64;
			return 0;
		}
	}
	lab_trace_close(trace);
	return pgb_fail(error, PGB_E_CORRUPT, "%s is not a trace of the lab's plugin", path);
}

void lab_trace_close(struct lab_trace *trace)
{
	for (size_t i = 0; i < trace->maps.count; i++)
		free(trace->maps.items[i].path);
	pgb_array_release(&trace->maps);
	pgb_array_release(&trace->blocks);
	if (trace->file != NULL)
		fclose(trace->file);
	trace->file = NULL;
}

static int read_map(struct lab_trace *trace)
{
	struct lab_map map;
	uint64_t values[4];
	int code = get_numbers(trace, values, 4);

	if (code != 0)
		return code;
	if (values[3] > PATH_BYTES_MAX)
		return PGB_E_CORRUPT;
	map = (struct lab_map){
		.start = values[0], .size_bytes = values[1], .offset_file = values[2]};
	map.path = calloc(1, values[3] + 1);
	if (map.path == NULL)
		abort();
	code = get_bytes(trace, map.path, values[3]);
	if (code != 0) {
		free(map.path);
		return code;
	}
	pgb_array_push(&trace->maps, map);
	return 0;
}

static int read_block(struct lab_trace *trace)
{
	struct lab_block block = {.predicted = NO_BLOCK};
	uint64_t values[5];
	uint8_t bytes[16];
	int code = get_numbers(trace, values, 5);

	if (code != 0)
		return code;
	if (values[1] > UINT32_MAX || values[2] > values[1] || values[3] > UINT32_MAX ||
	    values[4] > sizeof(bytes) || trace->blocks.count >= NO_BLOCK)
		return PGB_E_CORRUPT;
	block.start = values[0];
	block.end = values[0] + values[1];
	block.last = values[0] + values[2];
	block.instructions = (uint32_t)values[3];
	code = get_bytes(trace, bytes, values[4]);
	if (code != 0)
		return code;
	if (pgb_insn_decode(trace->set, bytes, values[4], block.last, &block.insn) != 0)
		block.insn = (struct pgb_insn){.target = UINT64_MAX};
	pgb_array_push(&trace->blocks, block);
	return 0;
}

static bool is_direct_to(const struct lab_block *block, uint64_t address)
{
	return block->insn.target == UINT64_MAX || block->insn.target == address;
}

static enum lab_way way_between(const struct lab_block *block, const struct lab_block *next)
{
	bool behind = next->start == block->end;

	/* where to in the outside is not known, nor where from */
	if (block->outside)
		return LAB_TAKEN;
	switch (block->insn.kind) {
	case PGB_INSN_CONDITIONAL:
		if (behind)
			return LAB_NOT_TAKEN;
		if (next->outside || block->insn.target == next->start)
			return LAB_TAKEN;
		break;
	case PGB_INSN_JUMP:
	case PGB_INSN_CALL:
	case PGB_INSN_JUMP_INDIRECT:
	case PGB_INSN_CALL_INDIRECT:
	case PGB_INSN_RETURN:
		if (next->outside || is_direct_to(block, next->start))
			return LAB_TAKEN;
		break;
	default:
		if (behind || (block->insn.repeated && next->start == block->last))
			return LAB_FALLS;
	}
	/*
	 * The emulator left the block in its middle. Into the block itself: it goes on there,
	 * after an instruction it had to do apart (an unaligned atomic one, say).
	 */
	if (next->start > block->start && next->start <= block->last)
		return LAB_FALLS;
	return LAB_INTERRUPTED;
}

static int fill_step(struct lab_trace *trace, struct lab_step *step, uint64_t from, uint64_t to,
		     uint64_t count)
{
	if (from >= trace->blocks.count || to >= trace->blocks.count)
		return PGB_E_CORRUPT;
	step->block = &trace->blocks.items[from];
	step->next = &trace->blocks.items[to];
	step->way = way_between(step->block, step->next);
	step->count = count;
	return 1;
}

/* An edge of a file of counts, or the end, or a new chain. 1: `step` is filled. */
static int read_other(struct lab_trace *trace, struct lab_step *step)
{
	uint64_t what, values[3];
	int code = get(trace, &what);

	if (code != 0)
		return code;
	switch (what) {
	case LAB_END:
		trace->ended = true;
		trace->running = false;
		return 0;
	case LAB_START:
		code = get(trace, &values[0]);
		if (code == 0 && values[0] >= trace->blocks.count)
			code = PGB_E_CORRUPT;
		trace->current = trace->last_number = (uint32_t)values[0];
		trace->running = true;
		return code;
	case LAB_EDGE:
		code = get_numbers(trace, values, 3);
		return code != 0 ? code : fill_step(trace, step, values[0], values[1], values[2]);
	}
	return PGB_E_CORRUPT;
}

static int read_run(struct lab_trace *trace, uint64_t hits)
{
	uint64_t zigzag, number;
	int code = get(trace, &zigzag);

	if (code != 0)
		return code;
	number = trace->last_number + ((zigzag >> 1) ^ (0 - (zigzag & 1)));
	if (!trace->running || number >= trace->blocks.count)
		return PGB_E_CORRUPT;
	trace->hits = hits;
	trace->coming = (uint32_t)number;
	trace->last_number = (uint32_t)number;
	return 0;
}

static int advance(struct lab_trace *trace, struct lab_step *step, uint32_t next)
{
	uint32_t current = trace->current;

	if (next == NO_BLOCK)
		return PGB_E_CORRUPT;
	trace->blocks.items[current].predicted = next;
	trace->current = next;
	return fill_step(trace, step, current, next, 1);
}

static int read_item(struct lab_trace *trace)
{
	uint64_t head;
	int code = get(trace, &head);

	if (code != 0)
		return code;
	switch (head & 3) {
	case LAB_RUN:
		return read_run(trace, head >> 2);
	case LAB_BLOCK:
		return read_block(trace);
	case LAB_MAP:
		return read_map(trace);
	}
	trace->hits = head >> 2;
	trace->other_is_due = true;
	return trace->hits == 0 || trace->running ? 0 : PGB_E_CORRUPT;
}

int lab_trace_next(struct lab_trace *trace, struct lab_step *step)
{
	int code = 0;

	while (code == 0) {
		if (trace->hits > 0) {
			trace->hits--;
			return advance(trace, step, trace->blocks.items[trace->current].predicted);
		}
		if (trace->coming != NO_BLOCK) {
			uint32_t coming = trace->coming;

			trace->coming = NO_BLOCK;
			return advance(trace, step, coming);
		}
		if (trace->other_is_due) {
			trace->other_is_due = false;
			code = read_other(trace, step);
		} else if (trace->ended) {
			return 0;
		} else {
			code = read_item(trace);
		}
	}
	return code;
}
