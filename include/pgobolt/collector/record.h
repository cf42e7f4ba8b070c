/* SPDX-License-Identifier: MIT */
/*
 * One perf record: header, body by type, sample fields by sample_type. Pure: bytes in, fields
 * out; cursors in the result point into the input.
 *
 * Source: include/uapi/linux/perf_event.h, enum perf_event_type and its comments;
 * kernel/events/core.c perf_output_sample() for the order of sample fields.
 */
#ifndef PGOBOLT_COLLECTOR_RECORD_H
#define PGOBOLT_COLLECTOR_RECORD_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/binary.h"

/* What decides how the records of one event look. */
struct pgb_record_format {
	uint64_t sample_type;
	uint64_t read_format;
	uint64_t branch_sample_type;
	uint64_t sample_regs_user, sample_regs_intr;
	bool sample_id_all;
	bool big_endian;
};

/* PERF_SAMPLE_BRANCH_STACK: `entries` holds `count` entries of 24 bytes, newest first. */
struct pgb_record_stack {
	uint64_t count;
	uint64_t hw_index; /* UINT64_MAX: unknown */
	struct pgb_cursor entries;
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

	/* From the sample or the sample_id trailer; 0 where sample_type has no such field. */
	uint64_t id, stream_id, time_ns;
	uint32_t pid, tid, cpu;
	bool has_time;

	/* PERF_RECORD_SAMPLE only */
	uint64_t ip, address, period_events, weight;
	struct pgb_record_stack stack;
	struct pgb_cursor raw; /* payload behind its u32 size; empty where there is none */

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
	/* Whom a side-band record is about: MMAP, COMM, FORK (the child), EXIT, ITRACE_START. */
	uint32_t subject_pid, subject_tid;
};

/*
 * Parse the record at the front of `bytes` and advance past it.
 * 1 a record; 0 no bytes left; PGB_E_TRUNCATED the record is cut (bytes is not advanced);
 * PGB_E_CORRUPT its size is impossible or its body breaks the format (advanced by its size where
 * that is possible, else to the end): the caller counts it and goes on.
 * A type that is not known is a record with only its header filled.
 */
int pgb_record_parse(struct pgb_cursor *bytes, const struct pgb_record_format *format,
		     struct pgb_record *record);

#endif
