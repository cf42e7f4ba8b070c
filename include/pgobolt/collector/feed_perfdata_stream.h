/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a recording as a stream of whole records: read, expanded where they are
 * compressed, cut at record boundaries. Says nothing about what is in a record.
 *
 * Records lie in chunks of a fixed size, or in windows onto the file where it is a large one that
 * is not compressed. A record's bytes are valid until the next call, or, when
 * its chunk is held, until that is dropped; chunks are used again, so memory follows what is held.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_STREAM_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/feed_perfdata_windows.h"

struct pgb_perfdata_zstd;

enum {
	PGB_PERFDATA_CHUNK_BYTES = 128 * 1024,
	PGB_PERFDATA_SECTIONS = 2,
};

/* A stretch of the file; in a pipe there is one, without an end. */
struct pgb_perfdata_section {
	uint64_t offset, size_bytes; /* UINT64_MAX: until the end */
};

struct pgb_perfdata_chunk {
	const uint8_t *bytes; /* in its own memory, or a window onto the file */
	size_t length;
	uint32_t held;
	uint8_t *memory; /* NULL: it has needed none yet */
};

/* A record's header and whole bytes. */
struct pgb_perfdata_raw {
	uint32_t type;
	uint16_t misc;
	size_t size_bytes;
	const uint8_t *bytes;
	uint32_t chunk;
};

struct pgb_perfdata_stream {
	const char *path; /* for messages; borrowed */
	int fd;
	bool seekable;
	bool big_endian;
	struct pgb_perfdata_section sections[PGB_PERFDATA_SECTIONS];
	size_t section_count, section;
	uint64_t offset; /* of the next byte to read */
	uint64_t left;	 /* in this section */

	PGB_ARRAY(struct pgb_perfdata_chunk) chunks;
	PGB_ARRAY(uint32_t) spare;
	uint32_t current;		      /* the chunk that is filled */
	size_t at;			      /* in it: the next record */
	struct pgb_perfdata_windows *windows; /* one for each chunk; may be NULL */
	bool shows;			      /* by windows; else the file is read */

	/* Once a compressed record was met, records are read here and expanded into chunks. */
	struct pgb_perfdata_zstd *zstd;
	uint8_t *raw;
	size_t raw_at, raw_length;
	const uint8_t *payload; /* of the compressed record under way; inside `raw` */
	size_t payload_bytes;
	bool expanding, more_output;
	uint8_t *carry; /* a record's first part: the rest is in the next compressed one */
	size_t carry_length;

	enum pgb_perfdata_end end;
};

/* `fd` becomes the stream's. */
void pgb_perfdata_stream_init(struct pgb_perfdata_stream *stream, int fd, const char *path,
			      bool seekable);
/* Look at the file where it lies, if that is possible: for a stream that is read alone. */
void pgb_perfdata_stream_show(struct pgb_perfdata_stream *stream);
/* Once the caller has set the byte order and the sections. */
int pgb_perfdata_stream_start(struct pgb_perfdata_stream *stream, struct pgb_error *error);
void pgb_perfdata_stream_release(struct pgb_perfdata_stream *stream);

/* 1 a record; 0 the end, stream->end tells which; PGB_E_IO. */
int pgb_perfdata_stream_next(struct pgb_perfdata_stream *stream, struct pgb_perfdata_raw *raw,
			     struct pgb_error *error);

/*
 * What is at hand of the records that come next: _next() would give them one by one from there.
 * Its last one may be cut. Empty: ask for the next one.
 */
struct pgb_cursor pgb_perfdata_stream_ahead(const struct pgb_perfdata_stream *stream);
/* Go past the first `size_bytes` of it: whole records, that stay where they are. */
void pgb_perfdata_stream_take(struct pgb_perfdata_stream *stream, size_t size_bytes);

/*
 * Bytes that stand between records (AUX areas): at most `most` of them, as many as are at hand.
 * Empty at the end of the section. Valid until the next call of the stream.
 */
int pgb_perfdata_stream_bytes(struct pgb_perfdata_stream *stream, uint64_t most,
			      struct pgb_cursor *bytes, struct pgb_error *error);
/* Go past `count` bytes between records. A section that is shorter ends there. */
int pgb_perfdata_stream_skip(struct pgb_perfdata_stream *stream, uint64_t count,
			     struct pgb_error *error);

/* Where in the file the next record stands. */
uint64_t pgb_perfdata_stream_position(const struct pgb_perfdata_stream *stream);

/* `records` times. */
static inline void pgb_perfdata_stream_hold(struct pgb_perfdata_stream *stream, uint32_t chunk,
					    uint32_t records)
{
	stream->chunks.items[chunk].held += records;
}

void pgb_perfdata_stream_drop(struct pgb_perfdata_stream *stream, uint32_t chunk, uint32_t records);

/* Chunks that are held or being filled. */
static inline size_t pgb_perfdata_stream_chunks_in_use(const struct pgb_perfdata_stream *stream)
{
	return stream->chunks.count - stream->spare.count;
}
static inline size_t pgb_perfdata_stream_chunk_bytes(const struct pgb_perfdata_stream *stream)
{
	return stream->shows ? PGB_PERFDATA_WINDOW_BYTES : PGB_PERFDATA_CHUNK_BYTES;
}

#endif
