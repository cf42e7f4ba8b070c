/* SPDX-License-Identifier: MIT */
/*
 * Writes perf records as the kernel does, from what a perf_event_attr asks for: the counterpart
 * of collector/record.c, for tests and for the lab. Written from the comments in
 * include/uapi/linux/perf_event.h, not from the reader.
 */
#ifndef TESTS_SUPPORT_PERF_ENCODE_H
#define TESTS_SUPPORT_PERF_ENCODE_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growing bytes; zeroed = empty. */
struct perf_bytes {
	uint8_t *data;
	size_t length, capacity;
	bool big_endian;
};

void perf_bytes_release(struct perf_bytes *out);
void perf_put(struct perf_bytes *out, const void *bytes, size_t length);
void perf_put_uint(struct perf_bytes *out, uint64_t value, unsigned int size_bytes);
void perf_put_u16(struct perf_bytes *out, uint64_t value);
void perf_put_u32(struct perf_bytes *out, uint64_t value);
void perf_put_u64(struct perf_bytes *out, uint64_t value);
/* NUL bytes up to a multiple of `alignment` behind `start`. */
void perf_put_padding(struct perf_bytes *out, size_t start, size_t alignment);
/* With its NUL, padded to a multiple of `alignment`. */
void perf_put_string(struct perf_bytes *out, const char *string, size_t alignment);

/* Who, when and where: the fields that samples and trailers share. */
struct perf_identity {
	uint32_t pid, tid, cpu;
	uint64_t time_ns, id, stream_id;
};

struct perf_entry {
	uint64_t from, to, bits; /* bits as little-endian machines number them */
};

struct perf_read_value {
	uint64_t value, id, lost;
};

/* What an absent pointer points to is written as zeros. Counts are the caller's to keep. */
struct perf_sample {
	struct perf_identity who;
	uint16_t misc;
	uint64_t ip, address, period_events;
	uint64_t time_enabled_ns, time_running_ns;
	const struct perf_read_value *values; /* one, or value_count of them in a group */
	size_t value_count;
	const uint64_t *callchain;
	size_t callchain_count;
	const void *raw; /* padded as the kernel does: u32 size and payload fill whole words */
	size_t raw_bytes;
	const struct perf_entry *entries;
	size_t entry_count;
	uint64_t hw_index;
	const uint64_t *counters; /* entry_count of them */
	uint64_t user_abi, interrupt_abi;
	const uint64_t *user_registers, *interrupt_registers;
	const void *user_stack;
	size_t user_stack_bytes; /* a multiple of 8 */
	uint64_t weight, data_source, transaction, physical_address, cgroup;
	uint64_t data_page_bytes, code_page_bytes;
	const void *aux;
	size_t aux_bytes; /* a multiple of 8 */
};

struct perf_map {
	uint32_t pid, tid;
	uint64_t address, length, offset_file;
	uint32_t major, minor;
	uint64_t inode, inode_generation;
	const uint8_t *build_id; /* MMAP2: instead of device and inode */
	uint8_t build_id_bytes;
	uint32_t protection, flags;
	const char *path;
};

/* The mapping of this process that holds `address`, from /proc/self/maps, for a sample's path. */
struct perf_map perf_map_of_self(uint64_t address, const char *path);

/* Any record: what is put between begin and end is its body. */
size_t perf_record_begin(struct perf_bytes *out, uint32_t type, uint16_t misc);
void perf_record_end(struct perf_bytes *out, size_t start);
void perf_put_trailer(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who);

void perf_encode_sample(struct perf_bytes *out, const struct perf_event_attr *attr,
			const struct perf_sample *sample);
/* PERF_RECORD_MMAP where attr->mmap2 is not set. */
void perf_encode_map(struct perf_bytes *out, const struct perf_event_attr *attr,
		     const struct perf_identity *who, const struct perf_map *map);
void perf_encode_comm(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who, const char *comm, bool exec);
/* PERF_RECORD_FORK or PERF_RECORD_EXIT: `who` is the child, or the one that ends. */
void perf_encode_task(struct perf_bytes *out, const struct perf_event_attr *attr, uint32_t type,
		      const struct perf_identity *who, uint32_t parent_pid, uint32_t parent_tid);
void perf_encode_lost(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who, uint64_t lost);
void perf_encode_lost_samples(struct perf_bytes *out, const struct perf_event_attr *attr,
			      const struct perf_identity *who, uint64_t lost);
/* PERF_RECORD_THROTTLE or PERF_RECORD_UNTHROTTLE. */
void perf_encode_throttle(struct perf_bytes *out, const struct perf_event_attr *attr, uint32_t type,
			  const struct perf_identity *who);
void perf_encode_aux(struct perf_bytes *out, const struct perf_event_attr *attr,
		     const struct perf_identity *who, uint64_t offset, uint64_t size_bytes,
		     uint64_t flags);
void perf_encode_itrace_start(struct perf_bytes *out, const struct perf_event_attr *attr,
			      const struct perf_identity *who);
/* misc: PERF_RECORD_MISC_SWITCH_OUT and _PREEMPT. */
void perf_encode_switch(struct perf_bytes *out, const struct perf_event_attr *attr,
			const struct perf_identity *who, uint16_t misc);
void perf_encode_switch_cpu_wide(struct perf_bytes *out, const struct perf_event_attr *attr,
				 const struct perf_identity *who, uint16_t misc, uint32_t other_pid,
				 uint32_t other_tid);

#endif
