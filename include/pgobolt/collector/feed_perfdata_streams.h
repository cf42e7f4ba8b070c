/* SPDX-License-Identifier: MIT */
/*
 * The streams of one recording: one for a file or a pipe; for a directory, as perf record
 * --threads writes it, one per thread of perf, read in turn so that none runs ahead in time.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_STREAMS_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata_stream.h"

enum {
	PGB_PERFDATA_STREAMS_MAX = 4096,
	PGB_PERFDATA_TURN = 2, /* of next(): time to hand out what is old enough */
};

struct pgb_perfdata_member {
	struct pgb_perfdata_stream stream;
	char *path;
	uint64_t latest_ns; /* of the records it gave */
	bool ended;
};

/* Zeroed = empty. */
struct pgb_perfdata_streams {
	PGB_ARRAY(struct pgb_perfdata_member) members;
	size_t current;
	size_t turn_left; /* records that it may still give */
	size_t turns;	  /* since the last PGB_PERFDATA_TURN */
	uint64_t limit_ns;
};

/* Takes `fd`. Pointers to members are valid until the next add. */
struct pgb_perfdata_stream *pgb_perfdata_streams_add(struct pgb_perfdata_streams *streams, int fd,
						     const char *path, bool seekable,
						     bool big_endian);
/*
 * Add `directory`/data.0 and so on, as many as there are. Errors: PGB_E_IO, PGB_E_RESOURCE (open
 * files), PGB_E_PERMISSION, PGB_E_LIMIT.
 */
int pgb_perfdata_streams_add_directory(struct pgb_perfdata_streams *streams, const char *directory,
				       bool big_endian, struct pgb_error *error);
void pgb_perfdata_streams_release(struct pgb_perfdata_streams *streams);

/*
 * 1 a record; 0 all ended; PGB_PERFDATA_TURN (with several streams): nothing that comes is older
 * than limit_ns; PGB_E_IO. The caller says each record's time with _saw().
 */
int pgb_perfdata_streams_next(struct pgb_perfdata_streams *streams, struct pgb_perfdata_raw *raw,
			      struct pgb_error *error);

/* The stream that gave the last record. */
static inline struct pgb_perfdata_stream *
pgb_perfdata_streams_current(struct pgb_perfdata_streams *streams)
{
	return &streams->members.items[streams->current].stream;
}

static inline void pgb_perfdata_streams_saw(struct pgb_perfdata_streams *streams, uint64_t time_ns)
{
	struct pgb_perfdata_member *member = &streams->members.items[streams->current];

	if (time_ns > member->latest_ns)
		member->latest_ns = time_ns;
}

/* How many more records the stream may give before others have their turn. */
static inline uint64_t pgb_perfdata_streams_turn_left(const struct pgb_perfdata_streams *streams)
{
	return streams->members.count > 1 ? streams->turn_left : UINT32_MAX;
}

/* Go on past `records` that were ahead in the stream that gave the last record. */
static inline void pgb_perfdata_streams_take(struct pgb_perfdata_streams *streams,
					     size_t size_bytes, uint32_t records)
{
	pgb_perfdata_stream_take(pgb_perfdata_streams_current(streams), size_bytes);
	streams->turn_left -= records;
}

static inline void pgb_perfdata_streams_drop(struct pgb_perfdata_streams *streams, uint32_t member,
					     uint32_t chunk, uint32_t records)
{
	pgb_perfdata_stream_drop(&streams->members.items[member].stream, chunk, records);
}

size_t pgb_perfdata_streams_chunks_in_use(const struct pgb_perfdata_streams *streams);
/* The member that ended worst; NULL while one is being read. */
const struct pgb_perfdata_member *
pgb_perfdata_streams_worst(const struct pgb_perfdata_streams *streams);

#endif
