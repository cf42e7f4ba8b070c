/* SPDX-License-Identifier: MIT */
/*
 * Raw data of any bytes and capabilities as an IBS sample: it comes out as one branch or address,
 * or is counted under one reason.
 */
#include <stdint.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/ibs_sample.h"
#include "pgobolt/collector/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void count_trace(void *context, const struct pgb_record *record, uint64_t branch,
			uint64_t from, uint64_t to, unsigned int flags)
{
	uint64_t *given = context;

	(void)record;
	pgb_assert(branch != 0 && branch < PGB_KERNEL_ADDRESS && to == PGB_ADDRESS_NONE);
	pgb_assert(from == PGB_ADDRESS_NONE || from < PGB_KERNEL_ADDRESS);
	pgb_assert(!(flags & PGB_BRANCH_NOT_TAKEN) || from == PGB_ADDRESS_NONE);
	++*given;
}

static void count_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	uint64_t *given = context;

	(void)record;
	pgb_assert(address != 0 && address < PGB_KERNEL_ADDRESS);
	++*given;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	struct pgb_source_stats stats = {0};
	struct pgb_record record = {.type = PERF_RECORD_SAMPLE, .misc = pgb_cursor_u8(&cursor)};
	uint64_t given = 0;
	struct pgb_sink sink = {.trace = count_trace, .ip = count_ip, .context = &given};
	struct pgb_ibs_sample sample;
	struct pgb_text text = {0};

	record.raw = cursor;
	(void)pgb_source_ibs.decode(&record, NULL, &sink, &stats);
	pgb_assert(stats.samples == 1);
	pgb_assert(stats.branches + stats.operations + stats.malformed == 1);
	pgb_assert(given + pgb_source_dropped(&stats) + stats.malformed == 1);
	if (pgb_ibs_sample_read(cursor, &sample) == 0)
		pgb_ibs_sample_describe(&sample, &text);
	pgb_text_release(&text);
	return 0;
}
