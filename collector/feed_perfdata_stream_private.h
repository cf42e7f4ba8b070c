/* SPDX-License-Identifier: MIT */
/*
 * What feed_perfdata_stream.c (records) and feed_perfdata_stream_fill.c (where bytes come from)
 * share.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_STREAM_PRIVATE_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_STREAM_PRIVATE_H

#include "pgobolt/collector/feed_perfdata_stream.h"

/* The chunk that is filled. */
static inline struct pgb_perfdata_chunk *
pgb_perfdata_stream_chunk(struct pgb_perfdata_stream *stream)
{
	return &stream->chunks.items[stream->current];
}

/* One with memory of its own, empty. */
uint32_t pgb_perfdata_stream_take_chunk(struct pgb_perfdata_stream *stream);
/* Go on in such a chunk with what is left of this one, less than a chunk. */
void pgb_perfdata_stream_start_chunk(struct pgb_perfdata_stream *stream);

/* All return 1 more bytes; 0 the section or the file ends; PGB_E_IO. */
int pgb_perfdata_stream_refill(struct pgb_perfdata_stream *stream, struct pgb_error *error);
/* Bring `count` bytes together behind raw_at. */
int pgb_perfdata_stream_need_raw(struct pgb_perfdata_stream *stream, size_t count,
				 struct pgb_error *error);
/* 0; the reason that was first stays. */
int pgb_perfdata_stream_stop(struct pgb_perfdata_stream *stream, enum pgb_perfdata_end end);

/* To `offset`. */
int pgb_perfdata_stream_seek(struct pgb_perfdata_stream *stream, struct pgb_error *error);
/* Read from the next record on, where windows showed it. */
int pgb_perfdata_stream_leave_windows(struct pgb_perfdata_stream *stream, struct pgb_error *error);

#endif
