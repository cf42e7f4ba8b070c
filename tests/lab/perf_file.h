/* SPDX-License-Identifier: MIT */
/*
 * Writes a perf.data file: header, events, records as they come, features at the end. The
 * records themselves are put into `records` with tests/support/perf_encode.h.
 */
#ifndef TESTS_LAB_PERF_FILE_H
#define TESTS_LAB_PERF_FILE_H

#include <stdio.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "tests/support/perf_encode.h"

/* Bits of the header's feature map. */
enum lab_feature {
	LAB_FEATURE_BUILD_ID = 2,
	LAB_FEATURE_HOSTNAME = 3,
	LAB_FEATURE_OSRELEASE = 4,
	LAB_FEATURE_VERSION = 5,
	LAB_FEATURE_ARCH = 6,
	LAB_FEATURE_NRCPUS = 7,
	LAB_FEATURE_CPUID = 9,
	LAB_FEATURE_CMDLINE = 11,
	LAB_FEATURE_EVENT_DESC = 12,
	LAB_FEATURE_BRANCH_STACK = 15,
	LAB_FEATURE_PMU_MAPPINGS = 16,
	LAB_FEATURE_AUXTRACE = 18
};

struct lab_event {
	struct perf_event_attr attr;
	const char *name; /* as perf shows it */
	uint64_t id;
};

struct lab_perf_file {
	FILE *file;
	char *path;
	struct lab_event *events;
	size_t event_count;
	uint64_t data_offset;
	uint64_t data_bytes; /* written already; what is in `records` follows */
	struct perf_bytes records;
	struct perf_bytes features[32];
};

/* `events` are borrowed until the file is closed. */
int lab_perf_open(struct lab_perf_file *out, const char *path, struct lab_event *events,
		  size_t event_count, struct pgb_error *error);
/* Call it now and then: writes out what is in `records` once that is much. */
int lab_perf_flush_some(struct lab_perf_file *out, struct pgb_error *error);
/* Where the next record will stand, as an offset in the file. */
uint64_t lab_perf_position(const struct lab_perf_file *out);

void lab_perf_feature_string(struct lab_perf_file *out, enum lab_feature feature,
			     const char *string);
void lab_perf_feature_build_id(struct lab_perf_file *out, const char *path, const uint8_t *build_id,
			       size_t build_id_bytes);
/* The kernel's names of event types: SPE and IBS are told by them. */
void lab_perf_feature_pmu(struct lab_perf_file *out, uint32_t type, const char *name);

/* Writes the rest. The file is complete on 0, and removed otherwise. */
int lab_perf_close(struct lab_perf_file *out, struct pgb_error *error);
/* Gives up: removes the file. */
void lab_perf_abandon(struct lab_perf_file *out);

#endif
