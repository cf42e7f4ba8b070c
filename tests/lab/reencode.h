/* SPDX-License-Identifier: MIT */
/* A record that was read, written again as the kernel would for another event. */
#ifndef TESTS_LAB_REENCODE_H
#define TESTS_LAB_REENCODE_H

#include "pgobolt/collector/record.h"
#include "tests/support/perf_encode.h"

/* `who` of the record as it shall be now. false: a type that is not written again. */
bool lab_reencode(struct perf_bytes *out, const struct perf_event_attr *attr,
		  const struct perf_identity *who, const struct pgb_record *record);

#endif
