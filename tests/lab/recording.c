/* SPDX-License-Identifier: MIT */
#include "tests/lab/recording.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES UINT64_C(4096)
#define MAP_LIMIT  4096

void lab_recording_defaults(struct lab_event *event, uint64_t period_events)
{
	struct perf_event_attr *attr = &event->attr;

	event->id = 77;
	attr->sample_period = period_events;
	attr->sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
			    PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD;
	attr->disabled = 1;
	attr->inherit = 1;
	attr->exclude_kernel = 1;
	attr->exclude_hv = 1;
	attr->enable_on_exec = 1;
	attr->sample_id_all = 1;
	attr->mmap = 1;
	attr->mmap2 = 1;
	attr->comm = 1;
	attr->comm_exec = 1;
	attr->task = 1;
}

int lab_recording_open(struct lab_recording *recording, const char *path, struct lab_event *events,
		       size_t event_count, struct pgb_error *error)
{
	*recording = (struct lab_recording){.event = &events[event_count - 1], .parent_pid = 1};
	recording->who.id = recording->event->id;
	recording->who.time_ns = 1000000000;
	return lab_perf_open(&recording->out, path, events, event_count, error);
}

/* The executable segments, as the kernel maps them: whole pages, from the page that holds each. */
static void write_image(struct lab_recording *recording, const struct lab_image *image)
{
	for (size_t i = 0; i < image->segments.count; i++) {
		const Elf64_Phdr *segment = &image->segments.items[i];
		uint64_t skew = segment->p_vaddr % PAGE_BYTES;
		struct perf_map map = {
			.pid = recording->who.pid,
			.tid = recording->who.tid,
			.address = image->bias + segment->p_vaddr - skew,
			.length = (segment->p_filesz + skew + PAGE_BYTES - 1) / PAGE_BYTES *
				  PAGE_BYTES,
			.offset_file = segment->p_offset - skew,
			.major = (uint32_t)(image->device >> 8),
			.minor = (uint32_t)(image->device & 255),
			.inode = image->inode,
			.protection = PROT_READ | PROT_EXEC,
			.flags = MAP_PRIVATE,
			.path = image->path,
		};

		if (!(segment->p_flags & PF_X))
			continue;
		if (recording->build_id_maps && image->build_id_bytes > 0) {
			map.build_id = image->build_id;
			map.build_id_bytes = (uint8_t)image->build_id_bytes;
		}
		perf_encode_map(&recording->out.records, &recording->event->attr, &recording->who,
				&map);
	}
}

static void write_anonymous(struct lab_recording *recording, const struct lab_map *mapped)
{
	struct perf_map map = {.pid = recording->who.pid,
			       .tid = recording->who.tid,
			       .address = mapped->start,
			       .length = mapped->size_bytes,
			       .protection = PROT_READ | PROT_EXEC,
			       .flags = MAP_PRIVATE | MAP_ANONYMOUS,
			       .path = "//anon"};

	perf_encode_map(&recording->out.records, &recording->event->attr, &recording->who, &map);
}

static int add_map(struct lab_recording *recording, const struct lab_map *map,
		   struct pgb_error *error)
{
	struct lab_image image;
	int code;

	for (size_t i = 0; i < recording->images.count; i++) {
		struct lab_image placed = recording->images.items[i];

		/* another piece of a mapping that is written already */
		if (lab_image_place(&placed, map) && placed.bias == recording->images.items[i].bias)
			return 0;
	}
	if (map->path[0] != '/') {
		write_anonymous(recording, map);
		return 0;
	}
	code = lab_image_open(&image, map->path, error);
	if (code != 0)
		return code;
	if (!lab_image_place(&image, map) || recording->images.count >= MAP_LIMIT) {
		lab_image_close(&image);
		return pgb_fail(error, PGB_E_MISMATCH, "%s has no segment for its mapping",
				map->path);
	}
	pgb_array_push(&recording->images, image);
	write_image(recording, &image);
	return 0;
}

int lab_recording_maps(struct lab_recording *recording, const struct lab_trace *trace,
		       struct pgb_error *error)
{
	while (recording->maps_seen < trace->maps.count) {
		int code = add_map(recording, &trace->maps.items[recording->maps_seen], error);

		if (code != 0)
			return code;
		recording->maps_seen++;
	}
	return 0;
}

void lab_recording_thread(struct lab_recording *recording, const char *name, uint32_t pid,
			  uint32_t tid)
{
	struct perf_bytes *records = &recording->out.records;
	struct perf_event_attr *attr = &recording->event->attr;

	recording->who.pid = pid;
	recording->who.tid = tid;
	recording->maps_seen = 0;
	if (recording->started)
		perf_encode_task(records, attr, PERF_RECORD_FORK, &recording->who, pid, pid);
	else
		perf_encode_comm(records, attr, &recording->who, name, true);
	recording->started = true;
}

const uint8_t *lab_recording_code(struct lab_recording *recording, uint64_t address,
				  uint64_t *left_bytes)
{
	for (size_t i = 0; i < recording->images.count; i++) {
		const uint8_t *code =
			lab_image_code(&recording->images.items[i], address, left_bytes);

		if (code != NULL)
			return code;
	}
	return NULL;
}

uint64_t lab_recording_instruction(struct lab_recording *recording, enum pgb_insn_set set,
				   const struct lab_block *block, uint64_t index)
{
	uint64_t left, address = block->start;
	const uint8_t *code;

	if (index + 1 == block->instructions)
		return block->last;
	code = lab_recording_code(recording, address, &left);
	while (code != NULL && index-- > 0) {
		struct pgb_insn insn;

		if (pgb_insn_decode(set, code, left, address, &insn) != 0)
			return 0;
		code += insn.length_bytes;
		left -= insn.length_bytes;
		address += insn.length_bytes;
	}
	return code != NULL ? address : 0;
}

static void release(struct lab_recording *recording)
{
	for (size_t i = 0; i < recording->images.count; i++)
		lab_image_close(&recording->images.items[i]);
	pgb_array_release(&recording->images);
}

int lab_recording_close(struct lab_recording *recording, struct pgb_error *error)
{
	struct lab_perf_file *out = &recording->out;

	recording->who.tid = recording->who.pid;
	perf_encode_task(&out->records, &recording->event->attr, PERF_RECORD_EXIT, &recording->who,
			 recording->parent_pid, recording->parent_pid);
	for (size_t i = 0; i < recording->images.count; i++) {
		const struct lab_image *image = &recording->images.items[i];

		if (image->build_id_bytes > 0)
			lab_perf_feature_build_id(out, image->path, image->build_id,
						  image->build_id_bytes);
	}
	release(recording);
	return lab_perf_close(out, error);
}

void lab_recording_abandon(struct lab_recording *recording)
{
	release(recording);
	lab_perf_abandon(&recording->out);
}
