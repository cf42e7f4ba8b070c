/* SPDX-License-Identifier: MIT */
/* Where the bytes of a recording come from, and the chunks that they come into. */
#include "collector/feed_perfdata_stream_private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A chunk that nobody uses. */
static uint32_t take_place(struct pgb_perfdata_stream *stream)
{
	uint32_t index = (uint32_t)stream->chunks.count;

	if (stream->spare.count > 0)
		index = stream->spare.items[--stream->spare.count];
	else
		pgb_array_push(&stream->chunks, (struct pgb_perfdata_chunk){0});
	return index;
}

uint32_t pgb_perfdata_stream_take_chunk(struct pgb_perfdata_stream *stream)
{
	uint32_t index = take_place(stream);
	struct pgb_perfdata_chunk *chunk = &stream->chunks.items[index];

	if (chunk->memory == NULL)
		chunk->memory = pgb_calloc(PGB_PERFDATA_CHUNK_BYTES, 1);
	chunk->bytes = chunk->memory;
	chunk->length = 0;
	return index;
}

static void go_on_in(struct pgb_perfdata_stream *stream, uint32_t index)
{
	if (stream->chunks.items[stream->current].held == 0)
		pgb_array_push(&stream->spare, stream->current);
	stream->current = index;
	stream->at = 0;
}

void pgb_perfdata_stream_start_chunk(struct pgb_perfdata_stream *stream)
{
	uint32_t index = pgb_perfdata_stream_take_chunk(stream);
	struct pgb_perfdata_chunk *old = &stream->chunks.items[stream->current];
	struct pgb_perfdata_chunk *chunk = &stream->chunks.items[index];

	chunk->length = old->length - stream->at;
	memcpy(chunk->memory, old->bytes + stream->at, chunk->length);
	go_on_in(stream, index);
}

int pgb_perfdata_stream_stop(struct pgb_perfdata_stream *stream, enum pgb_perfdata_end end)
{
	if (stream->windows && pgb_perfdata_windows_were_cut(stream->windows))
		end = PGB_PERFDATA_CUT;
	if (stream->end == PGB_PERFDATA_READING)
		stream->end = end;
	return 0;
}

/* Append to `buffer` what one read gives. 1 something; 0 the section or the file ends; PGB_E_IO. */
static int fill(struct pgb_perfdata_stream *stream, uint8_t *buffer, size_t capacity,
		size_t *length, struct pgb_error *error)
{
	size_t wanted = capacity - *length;
	ssize_t got;

	if (wanted > stream->left)
		wanted = (size_t)stream->left;
	if (wanted == 0)
		return 0;
	do
		got = read(stream->fd, buffer + *length, wanted);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return pgb_fail(error, PGB_E_IO, "reading %s failed at byte %llu: %s", stream->path,
				(unsigned long long)stream->offset, strerror(errno));
	*length += (size_t)got;
	stream->offset += (uint64_t)got;
	if (stream->left != UINT64_MAX) {
		if (got == 0)
			stream->end = PGB_PERFDATA_CUT;
		stream->left -= (uint64_t)got;
	}
	return got > 0;
}

int pgb_perfdata_stream_seek(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	if (lseek(stream->fd, (off_t)stream->offset, SEEK_SET) >= 0)
		return PGB_OK;
	return pgb_fail(error, PGB_E_IO, "seeking in %s to byte %llu failed: %s", stream->path,
			(unsigned long long)stream->offset, strerror(errno));
}

/* Show what follows, and what is left here, in another window. false: there is none. */
static bool move_on(struct pgb_perfdata_stream *stream)
{
	size_t here = pgb_perfdata_stream_chunk(stream)->length - stream->at, size_bytes;
	uint32_t index = take_place(stream);
	struct pgb_perfdata_chunk *chunk = &stream->chunks.items[index];
	uint64_t most;

	if (__builtin_add_overflow(stream->left, here, &most))
		most = UINT64_MAX;
	chunk->bytes = pgb_perfdata_windows_move(stream->windows, index, stream->offset - here,
						 most, &size_bytes);
	if (chunk->bytes == NULL || size_bytes <= here) {
		pgb_array_push(&stream->spare, index);
		return false;
	}
	chunk->length = size_bytes;
	stream->offset += size_bytes - here;
	stream->left -= stream->left == UINT64_MAX ? 0 : size_bytes - here;
	go_on_in(stream, index);
	return true;
}

int pgb_perfdata_stream_leave_windows(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	size_t here = pgb_perfdata_stream_chunk(stream)->length - stream->at;

	pgb_perfdata_stream_chunk(stream)->length = stream->at;
	stream->offset -= here;
	stream->left += stream->left == UINT64_MAX ? 0 : here;
	pgb_perfdata_stream_start_chunk(stream);
	stream->shows = false;
	return pgb_perfdata_stream_seek(stream, error);
}

int pgb_perfdata_stream_refill(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	struct pgb_perfdata_chunk *chunk;
	int code;

	if (stream->shows) {
		if (pgb_perfdata_windows_were_cut(stream->windows))
			return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_CUT);
		if (stream->left == 0)
			return 0;
		if (move_on(stream))
			return 1;
		code = pgb_perfdata_stream_leave_windows(stream, error);
		if (code < 0)
			return code;
	}
	chunk = pgb_perfdata_stream_chunk(stream);
	if (chunk->length == PGB_PERFDATA_CHUNK_BYTES) {
		pgb_perfdata_stream_start_chunk(stream);
		chunk = pgb_perfdata_stream_chunk(stream);
	}
	return fill(stream, chunk->memory, PGB_PERFDATA_CHUNK_BYTES, &chunk->length, error);
}

int pgb_perfdata_stream_need_raw(struct pgb_perfdata_stream *stream, size_t count,
				 struct pgb_error *error)
{
	pgb_assert(count <= PGB_PERFDATA_CHUNK_BYTES);
	while (stream->raw_length - stream->raw_at < count) {
		int code;

		memmove(stream->raw, stream->raw + stream->raw_at,
			stream->raw_length - stream->raw_at);
		stream->raw_length -= stream->raw_at;
		stream->raw_at = 0;
		code = fill(stream, stream->raw, PGB_PERFDATA_CHUNK_BYTES, &stream->raw_length,
			    error);
		if (code <= 0)
			return code;
	}
	return 1;
}
