/* SPDX-License-Identifier: MIT */
/*
 * An AUX area of any bytes as SPE packets: every byte is in one packet or counted as none, and
 * every record comes out as a branch or an address, or is counted under one reason.
 */
#include <stdint.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/source.h"
#include "pgobolt/collector/spe_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

struct given {
	uint64_t branches, ranges, addresses;
};

static void count_trace(void *context, const struct pgb_record *record, uint64_t branch,
			uint64_t from, uint64_t to, unsigned int flags)
{
	struct given *given = context;

	(void)flags;
	pgb_assert(record->pid != 0);
	pgb_assert(branch < UINT64_C(1) << 55 || branch == PGB_ADDRESS_NONE);
	pgb_assert(branch != PGB_ADDRESS_NONE || (from <= to && to != PGB_ADDRESS_NONE));
	given->branches += branch != PGB_ADDRESS_NONE;
	given->ranges += branch == PGB_ADDRESS_NONE;
}

static void count_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	struct given *given = context;

	pgb_assert(record->pid != 0 && address != 0);
	given->addresses++;
}

static uint32_t process_of(void *context, uint32_t tid)
{
	(void)context;
	return tid & 1 ? tid & 0xffff : 0;
}

static bool thread_at(void *context, uint32_t cpu, uint64_t time_ns, struct pgb_switch *thread)
{
	(void)context;
	(void)cpu;
	*thread = (struct pgb_switch){.pid = 44, .tid = 45};
	return time_ns & 1;
}

static void read_packets(struct pgb_cursor bytes)
{
	uint64_t start = bytes.offset, covered = 0, size_bytes = pgb_cursor_left(&bytes);
	struct pgb_spe_packet packet;
	int code;

	while ((code = pgb_spe_packet_next(&bytes, &packet)) != 0) {
		struct pgb_text text = {0};

		pgb_assert(packet.offset == start + covered);
		covered = bytes.offset - start;
		if (code == PGB_E_TRUNCATED)
			pgb_assert(pgb_cursor_left(&bytes) == 0);
		if (code < 0)
			continue;
		pgb_assert(packet.size_bytes == bytes.offset - packet.offset);
		pgb_spe_packet_describe(&packet, &text);
		pgb_assert(text.length > 0);
		pgb_text_release(&text);
	}
	pgb_assert(covered == size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	uint8_t flags = pgb_cursor_u8(&cursor);
	struct pgb_record record = {.type = PERF_RECORD_AUX, .pid = 42, .tid = 43};
	struct pgb_source_stats stats = {0};
	static const struct pgb_ticks ticks = {.zero_ns = 99, .multiplier = 3, .shift = 63};
	struct given given = {0};
	struct pgb_sink sink = {.trace = count_trace,
				.ip = count_ip,
				.process_of = flags & 16 ? process_of : NULL,
				.thread_at = thread_at,
				.context = &given};

	cursor.offset = flags & 64 ? 7 : 0;
	record.aux_of_cpu = flags & 32;
	record.aux_ticks = flags & 128 ? &ticks : NULL;
	record.aux.flags = flags & 15;
	record.aux.size_bytes = pgb_cursor_left(&cursor);
	record.aux_bytes = cursor;
	read_packets(cursor);
	(void)pgb_source_spe.decode(&record, NULL, &sink, &stats);
	pgb_assert(stats.ranges == given.ranges);
	pgb_assert(stats.branches + stats.operations ==
		   given.branches + given.addresses + pgb_source_dropped(&stats));
	return 0;
}
