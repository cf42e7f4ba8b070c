/* SPDX-License-Identifier: MIT */
/*
 * A branch stack of any bytes: each entry has to come out as a trace or be counted under one
 * reason, and a range only ever joins entries that are in the stack.
 */
#include <stdint.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

struct traces {
	uint64_t count, ranges;
	uint64_t branch; /* of the trace before */
};

static void count_trace(void *context, const struct pgb_record *record, uint64_t branch,
			uint64_t from, uint64_t to, unsigned int flags)
{
	struct traces *traces = context;

	(void)record;
	(void)flags;
	pgb_assert(branch < PGB_KERNEL_ADDRESS && from < PGB_KERNEL_ADDRESS);
	pgb_assert(to == PGB_ADDRESS_NONE || (traces->count > 0 && to == traces->branch));
	traces->branch = branch;
	traces->count++;
	traces->ranges += to != PGB_ADDRESS_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	uint8_t flags = pgb_cursor_u8(&cursor);
	struct pgb_decode_options options = {.compat_perf2bolt = flags & 1};
	struct pgb_source_stats stats = {0};
	struct pgb_record record = {.type = PERF_RECORD_SAMPLE};
	struct traces traces = {0};
	struct pgb_sink sink = {.trace = count_trace, .context = &traces};
	uint64_t dropped;

	record.stack.count = pgb_cursor_u8(&cursor);
	record.stack.entries = cursor;
	record.stack.entries.big_endian = flags & 2;
	if (pgb_source_lbr.decode(&record, &options, &sink, &stats) < 0) {
		pgb_assert(stats.malformed == 1 && traces.count == 0);
		return 0;
	}
	dropped = stats.kernel + stats.zero + stats.speculative + stats.aborted + stats.duplicate;
	pgb_assert(stats.branches == record.stack.count);
	pgb_assert(stats.branches == traces.count + dropped);
	if (options.compat_perf2bolt) {
		pgb_assert(dropped == stats.kernel);
		pgb_assert(traces.count == 0 || traces.ranges == traces.count - 1);
	}
	return 0;
}
