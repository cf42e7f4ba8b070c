/* SPDX-License-Identifier: MIT */
/*
 * A ring of one page whose contents, head and tail the input decides; it is read to its end.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/collector/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static volatile uint64_t sink;

static int map(void *context, int fd, size_t size_bytes, int protection, off_t offset,
	       void **address)
{
	(void)context, (void)fd, (void)protection, (void)offset;
	*address = pgb_calloc(size_bytes, 1);
	return 0;
}

static int unmap(void *context, void *address, size_t size_bytes)
{
	(void)context, (void)size_bytes;
	free(address);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static const struct pgb_perf_sys sys = {.map = map, .unmap = unmap};
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	struct pgb_cursor record;
	struct pgb_ring ring;
	uint64_t budget;

	if (pgb_ring_open(&ring, &sys, 0, 1, NULL) < 0)
		return 0;
	ring.tail = pgb_cursor_u64(&cursor);
	ring.page->data_head = ring.tail + pgb_cursor_u16(&cursor);
	size_bytes = pgb_cursor_left(&cursor);
	if (size_bytes > ring.size_bytes)
		size_bytes = ring.size_bytes;
	memcpy((uint8_t *)ring.page + sysconf(_SC_PAGESIZE), cursor.at, size_bytes);
	budget = pgb_ring_acquire(&ring) / 8 + 1;
	while (pgb_ring_peek(&ring, &record) == 1) {
		pgb_assert(budget-- > 0);
		while (pgb_cursor_left(&record) > 0)
			sink += pgb_cursor_u8(&record);
		pgb_ring_advance(&ring);
	}
	pgb_assert(ring.tail == ring.page->data_head);
	pgb_ring_release(&ring);
	pgb_ring_close(&ring);
	return 0;
}
