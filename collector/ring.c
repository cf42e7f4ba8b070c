/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"

static size_t power_of_two_not_above(size_t value)
{
	size_t power = 1;

	while (power <= value / 2)
		power *= 2;
	return power;
}

static int fail_open(struct pgb_error *error, int code, size_t data_pages)
{
	if (code == -EPERM) {
		pgb_fail(error, PGB_E_RESOURCE,
			 "mapping a ring of one page failed: no locked memory is left");
		pgb_remedy(error, "raise `ulimit -l`, or as root: "
				  "sysctl -w kernel.perf_event_mlock_kb=8192");
		return PGB_E_RESOURCE;
	}
	return pgb_fail(error, pgb_code_from_errno(-code), "mapping a ring of %zu pages failed: %s",
			data_pages, strerror(-code));
}

int pgb_ring_open(struct pgb_ring *ring, const struct pgb_perf_sys *sys, int fd, size_t data_pages,
		  struct pgb_error *error)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	pgb_assert(data_pages > 0);
	data_pages = power_of_two_not_above(data_pages);
	for (;; data_pages /= 2) {
		size_t map_bytes = (data_pages + 1) * page_bytes;
		void *address = NULL;
		int code =
			sys->map(sys->context, fd, map_bytes, PROT_READ | PROT_WRITE, 0, &address);

		if (code == -EPERM && data_pages > 1)
			continue;
		if (code < 0)
			return fail_open(error, code, data_pages);
		*ring = (struct pgb_ring){
			.sys = sys,
			.fd = fd,
			.page = address,
			.map_bytes = map_bytes,
			.data = (const uint8_t *)address + page_bytes,
			.size_bytes = data_pages * page_bytes,
			.scratch = pgb_calloc(PGB_LIMIT_RECORD_BYTES, 1),
		};
		return 0;
	}
}

void pgb_ring_close(struct pgb_ring *ring)
{
	if (ring->page)
		ring->sys->unmap(ring->sys->context, ring->page, ring->map_bytes);
	free(ring->scratch);
	*ring = (struct pgb_ring){.fd = -1};
}

uint64_t pgb_ring_acquire(struct pgb_ring *ring)
{
	/* Pairs with the kernel's store of the head behind the records. */
	ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	return ring->head - ring->tail;
}

/* `size_bytes` bytes from stream offset `from`, put together where they wrap around. */
static void copy_out(const struct pgb_ring *ring, uint64_t from, void *to, size_t size_bytes)
{
	size_t place = from & (ring->size_bytes - 1);
	size_t first = ring->size_bytes - place;

	if (first > size_bytes)
		first = size_bytes;
	memcpy(to, ring->data + place, first);
	memcpy((uint8_t *)to + first, ring->data, size_bytes - first);
}

int pgb_ring_peek(struct pgb_ring *ring, struct pgb_cursor *bytes)
{
	uint64_t waiting = ring->head - ring->tail;
	size_t place = ring->tail & (ring->size_bytes - 1);
	struct perf_event_header header;

	ring->record_bytes = 0;
	if (waiting == 0)
		return 0;
	if (waiting >= sizeof(header) && waiting <= ring->size_bytes) {
		copy_out(ring, ring->tail, &header, sizeof(header));
		if (header.size >= sizeof(header) && header.size <= waiting)
			ring->record_bytes = header.size;
	}
	if (ring->record_bytes == 0) {
		ring->tail = ring->head;
		return PGB_E_CORRUPT;
	}
	if (place + ring->record_bytes <= ring->size_bytes) {
		*bytes = pgb_cursor_of(ring->data + place, ring->record_bytes);
	} else {
		copy_out(ring, ring->tail, ring->scratch, ring->record_bytes);
		*bytes = pgb_cursor_of(ring->scratch, ring->record_bytes);
	}
	bytes->offset = ring->tail;
	return 1;
}

void pgb_ring_advance(struct pgb_ring *ring)
{
	pgb_assert(ring->record_bytes > 0);
	ring->tail += ring->record_bytes;
	ring->record_bytes = 0;
}

void pgb_ring_release(struct pgb_ring *ring)
{
	/* What was read must have been read before the kernel may write there. */
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
}
