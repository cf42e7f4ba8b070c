/* SPDX-License-Identifier: MIT */
/*
 * One perf record: header, body by type, sample fields by sample_type. Pure: bytes in, fields out;
 * cursors in the result point into the input. Source: include/uapi/linux/perf_event.h, enum
 * perf_event_type; kernel/events/core.c perf_output_sample() for the order of sample fields.
 */
#ifndef PGOBOLT_COLLECTOR_RECORD_H
#define PGOBOLT_COLLECTOR_RECORD_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/ticks.h"
#include "pgobolt/collector/binary.h"

/* Linux 6.8; behind the entries of a stack stands one u64 of counters for each. */
#define PGB_SAMPLE_BRANCH_COUNTERS (1u << 19)

/* What decides how the records of one event look. */
struct pgb_record_format {
	uint64_t sample_type;
	uint64_t read_format;
	uint64_t branch_sample_type;
	uint64_t sample_regs_user, sample_regs_intr;
	bool sample_id_all;
	bool big_endian;
};

/*
 * PERF_SAMPLE_BRANCH_STACK: `entries` holds `count` entries of 24 bytes, newest first; at most
 * PGB_LIMIT_STACK_ENTRIES. Read them with pgb_record_entry().
 */
struct pgb_record_stack {
	uint64_t count;
	uint64_t hw_index; /* UINT64_MAX: unknown */
	struct pgb_cursor entries;
};

/* One branch of a stack; `bits` numbered as on little-endian machines, whatever the input's. */
struct pgb_record_entry {
	uint64_t from, to, bits;
};

enum pgb_record_entry_bit {
	PGB_ENTRY_MISPREDICTED = 1,
	PGB_ENTRY_PREDICTED = 2, /* neither: the hardware does not tell */
	PGB_ENTRY_IN_TX = 4,
	PGB_ENTRY_ABORT = 8,
	PGB_ENTRY_SPEC_SHIFT = 24, /* two bits: 0 not told, 1 wrong path, 2 and 3 right path */
	PGB_ENTRY_SPEC_MASK = 3,
};

struct pgb_record_mmap {
	uint64_t address, length, offset_file;
	uint32_t major, minor;
	uint64_t inode, inode_generation;
	struct pgb_build_id build_id; /* size 0: the device and inode form */
	uint32_t protection, flags;   /* MMAP (not MMAP2): PROT_EXEC, unless misc says data */
	const char *path;	      /* points into the input */
};

struct pgb_record {
	uint32_t type;
	uint16_t misc;
	uint16_t size_bytes;
	uint32_t event; /* feeds of several events: the index; set by the feed */

	/* From the sample or the sample_id trailer; 0 where sample_type has no such field. Of
	 * FORK, EXIT, THROTTLE and LOST without a trailer: time and id from their bodies. */
	uint64_t id, stream_id, time_ns;
	uint32_t pid, tid, cpu;
	bool has_time;

	/* PERF_RECORD_SAMPLE only */
	uint64_t ip, address, period_events, weight;
	struct pgb_record_stack stack;
	struct pgb_cursor raw; /* payload behind its u32 size; empty where there is none */
	/* A piece of the AUX area: PERF_SAMPLE_AUX; of AUX records where the feed has it. */
	struct pgb_cursor aux_bytes;
	bool aux_of_cpu; /* AUX: of all that ran on the CPU; pid and tid do not say whose */
	const struct pgb_ticks *aux_ticks; /* AUX: of the times in it; NULL: not known */
	/* Whom a side-band record is about: MMAP, COMM, FORK (the child), EXIT, ITRACE_START. */
	uint32_t subject_pid, subject_tid;

	/* By type; of others it is not set. */
	union {
		struct pgb_record_mmap mmap; /* MMAP, MMAP2: pid and tid stand in `subject` */
		const char *comm;	     /* COMM; misc bit PERF_RECORD_MISC_COMM_EXEC */
		uint64_t lost;		     /* LOST, LOST_SAMPLES: number of records */
		struct {		     /* FORK, EXIT */
			uint32_t parent_pid, parent_tid;
		} task;
		struct { /* AUX */
			uint64_t offset, size_bytes, flags;
		} aux;
		struct { /* SWITCH_CPU_WIDE */
			uint32_t pid, tid;
		} other;
	};
};

/* What a little-endian kernel writes for this attr. */
struct pgb_record_format pgb_record_format_of(const struct perf_event_attr *attr);

/*
 * Parse the record at the front of `bytes` and advance past it.
 * 1 a record; 0 no bytes left; PGB_E_TRUNCATED the record is cut (bytes is not advanced);
 * PGB_E_CORRUPT its size is impossible or its body breaks the format (advanced by its size where
 * that is possible, else to the end): the caller counts it and goes on.
 * A type that is not known is a record with only its header filled. Bytes behind the last field
 * of sample_type are ignored, as perf does: a newer kernel may have put more there.
 */
int pgb_record_parse(struct pgb_cursor *bytes, const struct pgb_record_format *format,
		     struct pgb_record *record);

/* A type that the kernel writes and that we know; perf's own (64 and more) are none. */
bool pgb_record_known(uint32_t type);

/* The bits of a big-endian entry, moved to where little-endian compilers put them. */
uint64_t pgb_record_entry_swap(uint64_t bits);

/* The entry of a stack at these bytes, which may have any alignment. */
static inline struct pgb_record_entry pgb_record_entry_at(const uint8_t *bytes, bool big_endian)
{
	struct pgb_record_entry entry;
	struct pgb_cursor words = {bytes, bytes + sizeof(entry), 0, false, big_endian};

	entry.from = pgb_cursor_u64(&words);
	entry.to = pgb_cursor_u64(&words);
	entry.bits = pgb_cursor_u64(&words);
	if (big_endian)
		entry.bits = pgb_record_entry_swap(entry.bits);
	return entry;
}

/* The next entry of a stack; the caller has looked at `count`. */
static inline struct pgb_record_entry pgb_record_entry(struct pgb_cursor *entries)
{
	const uint8_t *bytes = pgb_cursor_bytes(entries, sizeof(struct pgb_record_entry));

	if (bytes == NULL)
		return (struct pgb_record_entry){0};
	return pgb_record_entry_at(bytes, entries->big_endian);
}

#endif
