/* SPDX-License-Identifier: MIT */
/*
 * The AUX areas of a recording: which of their bytes have been met so far, and where they are; the
 * kernel's AUX records tell later, or earlier, what is in them. In a file they are read again
 * when they are wanted; of a pipe they are kept until then.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_AREAS_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_AREAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata_stream.h"
#include "pgobolt/collector/record.h"

/* One AUXTRACE record's worth. */
struct pgb_perfdata_piece {
	uint64_t offset, size_bytes; /* in the area, as AUX records count */
	uint32_t cpu, tid;	     /* UINT32_MAX: not of one */
	int fd;
	uint64_t position; /* in the file */
	uint8_t *bytes;	   /* of a pipe; else NULL */
};

/* Zeroed = empty. */
struct pgb_perfdata_areas {
	PGB_ARRAY(struct pgb_perfdata_piece) pieces;
	uint8_t *bytes; /* what the last attach read */
	size_t capacity;
	uint64_t kept_bytes; /* of a pipe */
	uint64_t lost_bytes; /* of a pipe: there was no room to keep them */
	bool has_new;	     /* since the last look of the caller, who clears it */
};

void pgb_perfdata_areas_release(struct pgb_perfdata_areas *areas);

/*
 * The next `piece->size_bytes` bytes of the stream are this piece: remember or keep them, and go
 * past them. Errors: PGB_E_IO.
 */
int pgb_perfdata_areas_add(struct pgb_perfdata_areas *areas, struct pgb_perfdata_stream *stream,
			   const struct pgb_perfdata_piece *piece, struct pgb_error *error);

/* Have all bytes been met that an AUX record speaks of? */
bool pgb_perfdata_areas_hold(const struct pgb_perfdata_areas *areas,
			     const struct pgb_record *record);
/*
 * Set aux_bytes of an AUX record to as many of its bytes as there are, from its start on, at most
 * PGB_LIMIT_AUX_BYTES; valid until the next call. `of_cpu`: its event is not of one task. What a
 * pipe kept of them is forgotten.
 */
void pgb_perfdata_areas_attach(struct pgb_perfdata_areas *areas, struct pgb_record *record,
			       bool of_cpu);

#endif
