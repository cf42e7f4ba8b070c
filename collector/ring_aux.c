/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/ring_aux.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"

int pgb_ring_aux_open(struct pgb_ring_aux *aux, const struct pgb_ring *ring, size_t pages,
		      struct pgb_error *error)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), size_bytes;
	void *address = NULL;
	int code;

	pgb_assert(pages >= 2);
	while (pages & (pages - 1))
		pages &= pages - 1;
	size_bytes = pages * page_bytes;
	ring->page->aux_offset = ring->map_bytes;
	ring->page->aux_size = size_bytes;
	code = ring->sys->map(ring->sys->context, ring->fd, size_bytes, PROT_READ | PROT_WRITE,
			      (off_t)ring->map_bytes, &address);
	if (code == -EPERM || code == -ENOMEM) {
		pgb_fail(error, PGB_E_RESOURCE,
			 "mapping an AUX area of %zu pages failed: no locked memory is left",
			 pages);
		return pgb_remedy(error, "raise `ulimit -l`, or as root: "
					 "sysctl -w kernel.perf_event_mlock_kb=8192");
	}
	if (code < 0)
		return pgb_fail(error, pgb_code_from_errno(-code),
				"mapping an AUX area of %zu pages failed: %s", pages,
				strerror(-code));
	*aux = (struct pgb_ring_aux){
		.sys = ring->sys, .page = ring->page, .bytes = address, .size_bytes = size_bytes};
	return PGB_OK;
}

void pgb_ring_aux_close(struct pgb_ring_aux *aux)
{
	if (aux->bytes)
		aux->sys->unmap(aux->sys->context, (void *)(uintptr_t)aux->bytes, aux->size_bytes);
	*aux = (struct pgb_ring_aux){0};
}

struct pgb_cursor pgb_ring_aux_bytes(const struct pgb_ring_aux *aux, uint64_t offset,
				     uint64_t size_bytes)
{
	struct pgb_cursor bytes = pgb_cursor_of(NULL, 0);
	uint64_t place;

	bytes.offset = offset;
	/* Given back already, or more than there is room for. */
	if (aux->bytes == NULL || offset < aux->tail || size_bytes > aux->size_bytes ||
	    offset - aux->tail > aux->size_bytes - size_bytes)
		return bytes;
	place = offset & (aux->size_bytes - 1);
	if (size_bytes > aux->size_bytes - place)
		size_bytes = aux->size_bytes - place;
	bytes = pgb_cursor_of(aux->bytes + place, size_bytes);
	bytes.offset = offset;
	return bytes;
}

void pgb_ring_aux_release(struct pgb_ring_aux *aux, uint64_t offset)
{
	if (aux->bytes == NULL || offset <= aux->tail)
		return;
	aux->tail = offset;
	/* What was read must have been read before the hardware may write there. */
	__atomic_store_n(&aux->page->aux_tail, offset, __ATOMIC_RELEASE);
}
