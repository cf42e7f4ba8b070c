/* SPDX-License-Identifier: MIT */
/*
 * The AUX area beside a ring: a second one, for bytes that the hardware itself writes. AUX
 * records in the ring tell which of its bytes are new; they are read in place.
 * Source: include/uapi/linux/perf_event.h, struct perf_event_mmap_page;
 * kernel/events/ring_buffer.c rb_alloc_aux().
 */
#ifndef PGOBOLT_COLLECTOR_RING_AUX_H
#define PGOBOLT_COLLECTOR_RING_AUX_H

#include "pgobolt/collector/ring.h"

/* Zeroed: none. */
struct pgb_ring_aux {
	const struct pgb_perf_sys *sys;
	struct perf_event_mmap_page *page; /* the ring's */
	const uint8_t *bytes;
	uint64_t size_bytes; /* power of two */
	uint64_t tail;	     /* given back up to here */
};

/*
 * Map an area of so many pages (2 at least), rounded down to a power of two, for the ring's
 * event. Errors: PGB_E_RESOURCE (no locked memory left), what else mmap says. `aux` is written on
 * success only.
 */
int pgb_ring_aux_open(struct pgb_ring_aux *aux, const struct pgb_ring *ring, size_t pages,
		      struct pgb_error *error);
void pgb_ring_aux_close(struct pgb_ring_aux *aux);

/*
 * The bytes from `offset` on, up to `size_bytes` of them or to where the area wraps around; the
 * rest is at the offset behind those. Empty where the kernel cannot have put any there.
 */
struct pgb_cursor pgb_ring_aux_bytes(const struct pgb_ring_aux *aux, uint64_t offset,
				     uint64_t size_bytes);
/* Give everything before `offset` back. */
void pgb_ring_aux_release(struct pgb_ring_aux *aux, uint64_t offset);

#endif
