/* SPDX-License-Identifier: MIT */
/*
 * Records from a perf.data file, or from a pipe that perf writes one to.
 *
 * Read: file mode and pipe mode; perf's and simpleperf's; either byte order; attrs of any size
 * (Linux 2.6.32 on); events told apart by IDENTIFIER or ID; COMPRESSED and COMPRESSED2 records
 * (zstd); AUX areas handed out in pieces or skipped; recordings that were cut or never finished;
 * directories of `perf record --threads`. Not read, and said so: version 1, of perf in 2.6.31.
 *
 * Memory: what is read ahead to put records in order, at most PGB_LIMIT_REORDER_BYTES, whatever
 * the file's size.
 *
 * Order: perf writes one ring after the other and marks rounds (FINISHED_ROUND): nothing behind
 * the next mark is older than what stands before this one. A round with MMAP, COMM, FORK, EXIT
 * or SWITCH in it is sorted by time; samples among themselves keep the file's order. Without
 * marks the file is trusted as long as its times ascend, then sorted within the limit. The files
 * of a directory are merged by time.
 *
 * Sources: tools/perf/Documentation/perf.data-file-format.txt, tools/perf/util/header.h,
 * tools/lib/perf/include/perf/event.h; simpleperf's record.h and record_file_format.h.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgobolt/base/array.h"
#include "pgobolt/collector/binary.h"
#include "pgobolt/collector/feed.h"

/* One event of the recording; record->event is its index. */
struct pgb_perfdata_event {
	char *name; /* as perf lists it, "cycles:u"; made from type and config where not told */
	struct perf_event_attr attr;
	struct pgb_record_format format;
	uint64_t samples; /* yielded so far */
};

/* A file and its build-id, as perf noted them when the recording ended. */
struct pgb_perfdata_build_id {
	char *path;
	struct pgb_build_id id;
	bool kernel;
};

struct pgb_perfdata_pmu {
	uint32_t type; /* what perf_event_attr.type says */
	char *name;
};

enum pgb_perfdata_end {
	PGB_PERFDATA_READING,
	PGB_PERFDATA_WHOLE,
	PGB_PERFDATA_UNFINISHED, /* perf record did not come to close it: no build-ids, no names */
	PGB_PERFDATA_CUT,	 /* it ends inside a record, or before the size it claims */
	PGB_PERFDATA_DAMAGED, /* from end_offset on it cannot be read: impossible size, bad zstd */
};

/* NULL and 0: not told. In pipe mode it fills while records are read; build-ids come last. */
struct pgb_perfdata_info {
	bool pipe_mode, big_endian, compressed, simpleperf;
	char *host_name, *os_release, *perf_version, *arch, *cpu_description, *cpu_id;
	char *command_line;
	PGB_ARRAY(struct pgb_perfdata_event) events;
	PGB_ARRAY(struct pgb_perfdata_build_id) build_ids;
	PGB_ARRAY(struct pgb_perfdata_pmu) pmus;
	const char *aux_kind; /* "arm_spe", "intel_pt", ..: who wrote the AUX areas; static */
	uint64_t aux_bytes;   /* met so far */
	uint64_t unknown_ids; /* samples of no event of this file; left out */
	enum pgb_perfdata_end end;
	uint64_t end_offset; /* how far into the file we came */
};

/* A piece of an AUX area: `bytes` stand `at` bytes into it. */
struct pgb_perfdata_aux {
	uint64_t size_bytes, offset, reference; /* offset: as AUX records count */
	uint32_t index, tid, cpu;
	uint64_t at;
	struct pgb_cursor bytes;
};

struct pgb_feed_perfdata_config {
	const char *path; /* a file; a directory of perf record --threads; "-": standard input */
	/*
	 * Called with the payload of AUXTRACE_INFO (its type in front) and with pieces of AUX
	 * areas, in the file's order, ahead of the records of the same time. NULL: skipped.
	 */
	void (*aux_info)(void *context, struct pgb_cursor bytes);
	void (*aux)(void *context, const struct pgb_perfdata_aux *piece);
	void *context;
};

/* Do a file's first 8 bytes say perf.data, of either byte order? */
bool pgb_feed_perfdata_recognise(const uint8_t *bytes, size_t size_bytes);

/*
 * Open, read the header and all there is before the first record. Errors: PGB_E_NOT_FOUND,
 * PGB_E_PERMISSION, PGB_E_IO, PGB_E_CORRUPT (no perf.data, impossible header), PGB_E_TRUNCATED
 * (cut inside the header), PGB_E_UNSUPPORTED (version 1, file mode from a pipe), PGB_E_LIMIT,
 * PGB_E_RESOURCE (open files).
 * next() fails with PGB_E_IO only (in pipe mode also PGB_E_CORRUPT, for an impossible attr in its
 * midst): where a file is cut or damaged it ends, and info->end tells.
 */
int pgb_feed_perfdata_new(struct pgb_feed **feed, const struct pgb_feed_perfdata_config *config,
			  struct pgb_error *error);

/*
 * From now on hand out the kernel's AUX records with their bytes (record->aux_bytes), instead of
 * calling `aux`. Before the first next().
 */
void pgb_feed_perfdata_attach_aux(struct pgb_feed *feed);

/* Valid as long as the feed. */
const struct pgb_perfdata_info *pgb_feed_perfdata_info(const struct pgb_feed *feed);

/*
 * For people: that the recording was not read to its end, and where that is. NULL: it was. The
 * caller frees it.
 */
char *pgb_feed_perfdata_notice(const struct pgb_feed *feed);

/* Does any event come with branch stacks? */
bool pgb_feed_perfdata_has_branch_stacks(const struct pgb_feed *feed);

/* The build-id noted for a path; NULL where there is none. In pipe mode: ask at the end. */
const struct pgb_build_id *pgb_feed_perfdata_build_id(const struct pgb_feed *feed,
						      const char *path);

#endif
