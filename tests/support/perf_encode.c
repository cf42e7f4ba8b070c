/* SPDX-License-Identifier: MIT */
#include "tests/support/perf_encode.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/assert.h"

static const uint8_t zeros[65536];

void perf_bytes_release(struct perf_bytes *out)
{
	free(out->data);
	*out = (struct perf_bytes){.big_endian = out->big_endian};
}

void perf_put(struct perf_bytes *out, const void *bytes, size_t length)
{
	if (out->length + length > out->capacity) {
		out->capacity = 2 * (out->length + length);
		out->data = pgb_realloc_array(out->data, out->capacity, 1);
	}
	if (bytes == NULL) {
		pgb_assert(length <= sizeof(zeros));
		bytes = zeros;
	}
	if (length > 0)
		memcpy(out->data + out->length, bytes, length);
	out->length += length;
}

void perf_put_uint(struct perf_bytes *out, uint64_t value, unsigned int size_bytes)
{
	uint8_t bytes[8];

	for (unsigned int i = 0; i < size_bytes; i++)
		bytes[out->big_endian ? size_bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
	perf_put(out, bytes, size_bytes);
}

void perf_put_u16(struct perf_bytes *out, uint64_t value)
{
	perf_put_uint(out, value, 2);
}

void perf_put_u32(struct perf_bytes *out, uint64_t value)
{
	perf_put_uint(out, value, 4);
}

void perf_put_u64(struct perf_bytes *out, uint64_t value)
{
	perf_put_uint(out, value, 8);
}

void perf_put_padding(struct perf_bytes *out, size_t start, size_t alignment)
{
	size_t over = (out->length - start) % alignment;

	if (over > 0)
		perf_put(out, NULL, alignment - over);
}

void perf_put_string(struct perf_bytes *out, const char *string, size_t alignment)
{
	size_t start = out->length;

	perf_put(out, string, strlen(string) + 1);
	perf_put_padding(out, start, alignment);
}

struct perf_map perf_map_of_self(uint64_t address, const char *path)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	struct perf_map map = {.protection = PROT_READ | PROT_EXEC, .path = path};
	unsigned long start, end, offset;
	char line[4400];

	pgb_assert(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) != 3 ||
		    address < start || address >= end)
			continue;
		map.address = start;
		map.length = end - start;
		map.offset_file = offset;
	}
	fclose(maps);
	pgb_assert(map.length > 0);
	return map;
}

size_t perf_record_begin(struct perf_bytes *out, uint32_t type, uint16_t misc)
{
	size_t start = out->length;

	perf_put_u32(out, type);
	perf_put_u16(out, misc);
	perf_put_u16(out, 0);
	return start;
}

void perf_record_end(struct perf_bytes *out, size_t start)
{
	size_t size_bytes = out->length - start;

	pgb_assert(size_bytes <= UINT16_MAX);
	out->length = start + 6;
	perf_put_u16(out, size_bytes);
	out->length = start + size_bytes;
}

static void put_words(struct perf_bytes *out, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		perf_put_u64(out, words ? words[i] : 0);
}

void perf_put_trailer(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who)
{
	if (!attr->sample_id_all)
		return;
	if (attr->sample_type & PERF_SAMPLE_TID) {
		perf_put_u32(out, who->pid);
		perf_put_u32(out, who->tid);
	}
	if (attr->sample_type & PERF_SAMPLE_TIME)
		perf_put_u64(out, who->time_ns);
	if (attr->sample_type & PERF_SAMPLE_ID)
		perf_put_u64(out, who->id);
	if (attr->sample_type & PERF_SAMPLE_STREAM_ID)
		perf_put_u64(out, who->stream_id);
	if (attr->sample_type & PERF_SAMPLE_CPU) {
		perf_put_u32(out, who->cpu);
		perf_put_u32(out, 0);
	}
	if (attr->sample_type & PERF_SAMPLE_IDENTIFIER)
		perf_put_u64(out, who->id);
}

static void put_read(struct perf_bytes *out, uint64_t format, const struct perf_sample *sample)
{
	static const struct perf_read_value none;
	size_t count = 1;

	if (format & PERF_FORMAT_GROUP) {
		count = sample->value_count;
		perf_put_u64(out, count);
	} else {
		const struct perf_read_value *value = sample->values ? sample->values : &none;

		perf_put_u64(out, value->value);
	}
	if (format & PERF_FORMAT_TOTAL_TIME_ENABLED)
		perf_put_u64(out, sample->time_enabled_ns);
	if (format & PERF_FORMAT_TOTAL_TIME_RUNNING)
		perf_put_u64(out, sample->time_running_ns);
	for (size_t i = 0; i < count; i++) {
		const struct perf_read_value *value = sample->values ? sample->values + i : &none;

		if (format & PERF_FORMAT_GROUP)
			perf_put_u64(out, value->value);
		if (format & PERF_FORMAT_ID)
			perf_put_u64(out, value->id);
		if (format & PERF_FORMAT_LOST)
			perf_put_u64(out, value->lost);
	}
}

/* Where a big-endian compiler puts struct perf_branch_entry's bit fields: from the top down. */
static uint64_t bits_from_the_top(uint64_t bits)
{
	static const uint8_t widths[] = {1, 1, 1, 1, 16, 4, 2, 4, 3};
	uint64_t moved = 0;
	unsigned int free_bits = 64;

	for (size_t i = 0; i < sizeof(widths); i++) {
		free_bits -= widths[i];
		moved |= (bits & ((1u << widths[i]) - 1)) << free_bits;
		bits >>= widths[i];
	}
	return moved;
}

static void put_stack(struct perf_bytes *out, uint64_t branch_type,
		      const struct perf_sample *sample)
{
	perf_put_u64(out, sample->entry_count);
	if (branch_type & (1u << 17)) /* HW_INDEX */
		perf_put_u64(out, sample->hw_index);
	for (size_t i = 0; i < sample->entry_count; i++) {
		const struct perf_entry *entry = sample->entries + i;

		perf_put_u64(out, entry->from);
		perf_put_u64(out, entry->to);
		perf_put_u64(out, out->big_endian ? bits_from_the_top(entry->bits) : entry->bits);
	}
	if (branch_type & (1u << 19)) /* COUNTERS */
		put_words(out, sample->counters, sample->entry_count);
}

static void put_registers(struct perf_bytes *out, uint64_t abi, uint64_t mask,
			  const uint64_t *registers)
{
	perf_put_u64(out, abi);
	if (abi != PERF_SAMPLE_REGS_ABI_NONE)
		put_words(out, registers, (size_t)__builtin_popcountll(mask));
}

static void put_raw(struct perf_bytes *out, const struct perf_sample *sample)
{
	size_t padded = (sample->raw_bytes + 4 + 7) / 8 * 8 - 4;

	perf_put_u32(out, padded);
	perf_put(out, sample->raw, sample->raw_bytes);
	perf_put(out, NULL, padded - sample->raw_bytes);
}

static void put_sample_head(struct perf_bytes *out, uint64_t type, const struct perf_sample *sample)
{
	if (type & PERF_SAMPLE_IDENTIFIER)
		perf_put_u64(out, sample->who.id);
	if (type & PERF_SAMPLE_IP)
		perf_put_u64(out, sample->ip);
	if (type & PERF_SAMPLE_TID) {
		perf_put_u32(out, sample->who.pid);
		perf_put_u32(out, sample->who.tid);
	}
	if (type & PERF_SAMPLE_TIME)
		perf_put_u64(out, sample->who.time_ns);
	if (type & PERF_SAMPLE_ADDR)
		perf_put_u64(out, sample->address);
	if (type & PERF_SAMPLE_ID)
		perf_put_u64(out, sample->who.id);
	if (type & PERF_SAMPLE_STREAM_ID)
		perf_put_u64(out, sample->who.stream_id);
	if (type & PERF_SAMPLE_CPU) {
		perf_put_u32(out, sample->who.cpu);
		perf_put_u32(out, 0);
	}
	if (type & PERF_SAMPLE_PERIOD)
		perf_put_u64(out, sample->period_events);
}

static void put_sample_tail(struct perf_bytes *out, const struct perf_event_attr *attr,
			    const struct perf_sample *sample)
{
	uint64_t type = attr->sample_type;

	if (type & PERF_SAMPLE_WEIGHT_TYPE)
		perf_put_u64(out, sample->weight);
	if (type & PERF_SAMPLE_DATA_SRC)
		perf_put_u64(out, sample->data_source);
	if (type & PERF_SAMPLE_TRANSACTION)
		perf_put_u64(out, sample->transaction);
	if (type & PERF_SAMPLE_REGS_INTR)
		put_registers(out, sample->interrupt_abi, attr->sample_regs_intr,
			      sample->interrupt_registers);
	if (type & PERF_SAMPLE_PHYS_ADDR)
		perf_put_u64(out, sample->physical_address);
	if (type & PERF_SAMPLE_CGROUP)
		perf_put_u64(out, sample->cgroup);
	if (type & PERF_SAMPLE_DATA_PAGE_SIZE)
		perf_put_u64(out, sample->data_page_bytes);
	if (type & PERF_SAMPLE_CODE_PAGE_SIZE)
		perf_put_u64(out, sample->code_page_bytes);
	if (type & PERF_SAMPLE_AUX) {
		perf_put_u64(out, sample->aux_bytes);
		perf_put(out, sample->aux, sample->aux_bytes);
	}
}

void perf_encode_sample(struct perf_bytes *out, const struct perf_event_attr *attr,
			const struct perf_sample *sample)
{
	size_t start = perf_record_begin(out, PERF_RECORD_SAMPLE, sample->misc);
	uint64_t type = attr->sample_type;

	put_sample_head(out, type, sample);
	if (type & PERF_SAMPLE_READ)
		put_read(out, attr->read_format, sample);
	if (type & PERF_SAMPLE_CALLCHAIN) {
		perf_put_u64(out, sample->callchain_count);
		put_words(out, sample->callchain, sample->callchain_count);
	}
	if (type & PERF_SAMPLE_RAW)
		put_raw(out, sample);
	if (type & PERF_SAMPLE_BRANCH_STACK)
		put_stack(out, attr->branch_sample_type, sample);
	if (type & PERF_SAMPLE_REGS_USER)
		put_registers(out, sample->user_abi, attr->sample_regs_user,
			      sample->user_registers);
	if (type & PERF_SAMPLE_STACK_USER) {
		perf_put_u64(out, sample->user_stack_bytes);
		perf_put(out, sample->user_stack, sample->user_stack_bytes);
		if (sample->user_stack_bytes > 0)
			perf_put_u64(out, sample->user_stack_bytes);
	}
	put_sample_tail(out, attr, sample);
	perf_record_end(out, start);
}

void perf_encode_map(struct perf_bytes *out, const struct perf_event_attr *attr,
		     const struct perf_identity *who, const struct perf_map *map)
{
	uint16_t misc = PERF_RECORD_MISC_USER;
	size_t start;

	if (attr->mmap2 && map->build_id)
		misc |= PERF_RECORD_MISC_MMAP_BUILD_ID;
	if (!(map->protection & 4)) /* PROT_EXEC */
		misc |= PERF_RECORD_MISC_MMAP_DATA;
	start = perf_record_begin(out, attr->mmap2 ? PERF_RECORD_MMAP2 : PERF_RECORD_MMAP, misc);
	perf_put_u32(out, map->pid);
	perf_put_u32(out, map->tid);
	perf_put_u64(out, map->address);
	perf_put_u64(out, map->length);
	perf_put_u64(out, map->offset_file);
	if (attr->mmap2 && map->build_id) {
		pgb_assert(map->build_id_bytes <= 20);
		perf_put_uint(out, map->build_id_bytes, 1);
		perf_put(out, NULL, 3);
		perf_put(out, map->build_id, map->build_id_bytes);
		perf_put(out, NULL, 20u - map->build_id_bytes);
	} else if (attr->mmap2) {
		perf_put_u32(out, map->major);
		perf_put_u32(out, map->minor);
		perf_put_u64(out, map->inode);
		perf_put_u64(out, map->inode_generation);
	}
	if (attr->mmap2) {
		perf_put_u32(out, map->protection);
		perf_put_u32(out, map->flags);
	}
	perf_put_string(out, map->path, 8);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_comm(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who, const char *comm, bool exec)
{
	size_t start =
		perf_record_begin(out, PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0);

	perf_put_u32(out, who->pid);
	perf_put_u32(out, who->tid);
	perf_put_string(out, comm, 8);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_task(struct perf_bytes *out, const struct perf_event_attr *attr, uint32_t type,
		      const struct perf_identity *who, uint32_t parent_pid, uint32_t parent_tid)
{
	size_t start = perf_record_begin(out, type, 0);
	struct perf_identity writer = *who;

	if (type == PERF_RECORD_FORK) {
		writer.pid = parent_pid;
		writer.tid = parent_tid;
	}
	perf_put_u32(out, who->pid);
	perf_put_u32(out, parent_pid);
	perf_put_u32(out, who->tid);
	perf_put_u32(out, parent_tid);
	perf_put_u64(out, who->time_ns);
	perf_put_trailer(out, attr, &writer);
	perf_record_end(out, start);
}

void perf_encode_lost(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who, uint64_t lost)
{
	size_t start = perf_record_begin(out, PERF_RECORD_LOST, 0);

	perf_put_u64(out, who->id);
	perf_put_u64(out, lost);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_lost_samples(struct perf_bytes *out, const struct perf_event_attr *attr,
			      const struct perf_identity *who, uint64_t lost)
{
	size_t start = perf_record_begin(out, PERF_RECORD_LOST_SAMPLES, 0);

	perf_put_u64(out, lost);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_throttle(struct perf_bytes *out, const struct perf_event_attr *attr, uint32_t type,
			  const struct perf_identity *who)
{
	size_t start = perf_record_begin(out, type, 0);

	perf_put_u64(out, who->time_ns);
	perf_put_u64(out, who->id);
	perf_put_u64(out, who->stream_id);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_aux(struct perf_bytes *out, const struct perf_event_attr *attr,
		     const struct perf_identity *who, uint64_t offset, uint64_t size_bytes,
		     uint64_t flags)
{
	size_t start = perf_record_begin(out, PERF_RECORD_AUX, 0);

	perf_put_u64(out, offset);
	perf_put_u64(out, size_bytes);
	perf_put_u64(out, flags);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_itrace_start(struct perf_bytes *out, const struct perf_event_attr *attr,
			      const struct perf_identity *who)
{
	size_t start = perf_record_begin(out, PERF_RECORD_ITRACE_START, 0);

	perf_put_u32(out, who->pid);
	perf_put_u32(out, who->tid);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_switch(struct perf_bytes *out, const struct perf_event_attr *attr,
			const struct perf_identity *who, uint16_t misc)
{
	size_t start = perf_record_begin(out, PERF_RECORD_SWITCH, misc);

	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}

void perf_encode_switch_cpu_wide(struct perf_bytes *out, const struct perf_event_attr *attr,
				 const struct perf_identity *who, uint16_t misc, uint32_t other_pid,
				 uint32_t other_tid)
{
	size_t start = perf_record_begin(out, PERF_RECORD_SWITCH_CPU_WIDE, misc);

	perf_put_u32(out, other_pid);
	perf_put_u32(out, other_tid);
	perf_put_trailer(out, attr, who);
	perf_record_end(out, start);
}
