/* SPDX-License-Identifier: MIT */
/*
 * Recordings of one event with branch stacks: what most tests of the perf.data reader need.
 */
#ifndef TESTS_SUPPORT_LBR_FILE_H
#define TESTS_SUPPORT_LBR_FILE_H

#include "pgobolt/collector/feed_perfdata.h"
#include "tests/support/perf_file.h"

enum { LBR_FILE_ID = 77, LBR_FILE_ENTRIES = 3 };

#define LBR_FILE_TYPE                                                                              \
	(PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU |                   \
	 PERF_SAMPLE_BRANCH_STACK | PERF_SAMPLE_IDENTIFIER)

/* From 0x401000 to 0x402000 mispredicted, 0x403000 to 0x404000 and 0x405000 to 0x406000 not. */
extern const struct perf_entry lbr_file_entries[LBR_FILE_ENTRIES];

/* cycles:u with LBR_FILE_TYPE, ids 77 and 78, no name. */
struct perf_file_event lbr_file_event(void);
/* Process 5, thread 6 on CPU 1. */
struct perf_identity lbr_file_at(uint64_t time_ns);
/* Its ip is 0x400000 + time_ns; at most LBR_FILE_ENTRIES entries. */
void lbr_file_sample(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t time_ns,
		     size_t entry_count);
/* /bin/app at 0x400000. */
void lbr_file_map(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t time_ns);

/* Open a recording that must open; `fd` is to be closed after the feed. */
struct pgb_feed *lbr_file_feed(const char *path);
struct pgb_feed *lbr_file_feed_of(int *fd, const struct perf_bytes *bytes);
/* Read to the end, which must be one, and stay one. */
uint64_t lbr_file_samples(struct pgb_feed *feed);

#endif
