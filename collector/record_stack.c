/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/record_stack.h"

/* In the order of a sample: one word each. */
#define BEFORE_PID (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP)
#define BEFORE_STACK                                                                               \
	(BEFORE_PID | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID |     \
	 PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD)

static size_t words(uint64_t fields)
{
	return (size_t)__builtin_popcountll(fields) * sizeof(uint64_t);
}

struct pgb_record_way pgb_record_way_of(const struct pgb_record_format *format)
{
	const uint64_t needed = PERF_SAMPLE_TID | PERF_SAMPLE_BRANCH_STACK;
	uint64_t type = format->sample_type;
	struct pgb_record_way way = {0};

	if ((type & needed) != needed || (type & ~(BEFORE_STACK | needed)) != 0 ||
	    (format->branch_sample_type & PGB_SAMPLE_BRANCH_COUNTERS) ||
	    format->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
		return way;
	way.pid = sizeof(struct perf_event_header) + words(type & BEFORE_PID);
	way.stack = sizeof(struct perf_event_header) + words(type & BEFORE_STACK);
	way.entries = way.stack + sizeof(uint64_t);
	if (format->branch_sample_type & PERF_SAMPLE_BRANCH_HW_INDEX)
		way.entries += sizeof(uint64_t);
	return way;
}
