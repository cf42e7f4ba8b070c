/* SPDX-License-Identifier: MIT */
/*
 * One mmap'ed kernel ring: acquire the head, yield records, release the tail. Records are read
 * in place; only one that wraps around the end is copied, into a buffer sized at open.
 * Source: include/uapi/linux/perf_event.h, struct perf_event_mmap_page;
 * kernel/events/ring_buffer.c.
 */
#ifndef PGOBOLT_COLLECTOR_RING_H
#define PGOBOLT_COLLECTOR_RING_H

#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/perf_sys.h"

struct pgb_ring {
	const struct pgb_perf_sys *sys;
	int fd;
	struct perf_event_mmap_page *page;
	size_t map_bytes;
	const uint8_t *data;
	uint64_t size_bytes; /* power of two */
	uint64_t head;	     /* as last acquired */
	uint64_t tail;	     /* next byte to read; published by release */
	uint8_t *scratch;    /* PGB_LIMIT_RECORD_BYTES */
	size_t record_bytes; /* of the record that peek showed; 0: none */
};

/*
 * Map the ring of `fd` with data_pages (> 0) pages, rounded down to a power of two. Tries half as
 * many each time the kernel says EPERM (locked memory), down to one; ring->size_bytes tells what
 * it became. Errors: PGB_E_RESOURCE (no locked memory left), what else mmap says. `ring` is
 * written on success only.
 */
int pgb_ring_open(struct pgb_ring *ring, const struct pgb_perf_sys *sys, int fd, size_t data_pages,
		  struct pgb_error *error);
/* A zeroed or closed ring is legal. `fd` stays open. */
void pgb_ring_close(struct pgb_ring *ring);

/* Acquire the head; returns the bytes that wait. */
uint64_t pgb_ring_acquire(struct pgb_ring *ring);

/*
 * The record at the tail as a cursor over its whole bytes, valid until the next call.
 * 1 a record; 0 empty; PGB_E_CORRUPT a size that cannot be: everything up to the head is skipped.
 */
int pgb_ring_peek(struct pgb_ring *ring, struct pgb_cursor *bytes);
/* Move past the record that peek showed; without one it is a programmer's error. */
void pgb_ring_advance(struct pgb_ring *ring);
/* Give the bytes read so far back to the kernel. */
void pgb_ring_release(struct pgb_ring *ring);

#endif
