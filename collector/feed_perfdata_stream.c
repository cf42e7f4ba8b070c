/* SPDX-License-Identifier: MIT */
#include "collector/feed_perfdata_stream_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/feed_perfdata_zstd.h"

enum {
	HEADER_BYTES = 8,
	COMPRESSED = 81,
	COMPRESSED2 = 83,
	/* simpleperf's own types from here on have 32 bits of size; misc holds the high half. */
	SIMPLEPERF_TYPES = 32768,
	AGAIN = 2,
};

void pgb_perfdata_stream_show(struct pgb_perfdata_stream *stream)
{
	stream->windows = pgb_perfdata_windows_new(stream->fd);
	stream->shows = stream->windows != NULL;
}

void pgb_perfdata_stream_init(struct pgb_perfdata_stream *stream, int fd, const char *path,
			      bool seekable)
{
	*stream = (struct pgb_perfdata_stream){.fd = fd, .path = path, .seekable = seekable};
	stream->current = pgb_perfdata_stream_take_chunk(stream);
	if (seekable)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

void pgb_perfdata_stream_release(struct pgb_perfdata_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	for (size_t i = 0; i < stream->chunks.count; i++)
		free(stream->chunks.items[i].memory);
	pgb_array_release(&stream->chunks);
	pgb_array_release(&stream->spare);
	pgb_perfdata_windows_free(stream->windows);
	pgb_perfdata_zstd_free(stream->zstd);
	free(stream->raw);
	free(stream->carry);
	*stream = (struct pgb_perfdata_stream){.fd = -1};
}

void pgb_perfdata_stream_drop(struct pgb_perfdata_stream *stream, uint32_t chunk, uint32_t records)
{
	uint32_t *held = &stream->chunks.items[chunk].held;

	pgb_assert(*held >= records);
	*held -= records;
	if (*held == 0 && chunk != stream->current)
		pgb_array_push(&stream->spare, chunk);
}

/* The header of the record at `bytes`. false: its size cannot be. */
static bool read_header(const struct pgb_perfdata_stream *stream, const uint8_t *bytes,
			struct pgb_perfdata_raw *raw)
{
	struct perf_event_header header;

	memcpy(&header, bytes, sizeof(header));
	if (stream->big_endian) {
		struct pgb_cursor cursor = pgb_cursor_of(bytes, HEADER_BYTES);

		cursor.big_endian = true;
		header.type = pgb_cursor_u32(&cursor);
		header.misc = pgb_cursor_u16(&cursor);
		header.size = pgb_cursor_u16(&cursor);
	}
	raw->type = header.type;
	raw->misc = header.misc;
	raw->size_bytes = header.size;
	raw->bytes = bytes;
	raw->chunk = stream->current;
	if (header.type >= SIMPLEPERF_TYPES)
		raw->size_bytes |= (size_t)header.misc << 16;
	return raw->size_bytes >= HEADER_BYTES;
}

/* Compressed records follow: what is in the chunk from here on becomes raw input. */
static int start_expanding(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	int code = stream->shows ? pgb_perfdata_stream_leave_windows(stream, error) : PGB_OK;
	struct pgb_perfdata_chunk *chunk = pgb_perfdata_stream_chunk(stream);

	if (code < 0)
		return code;
	stream->zstd = pgb_perfdata_zstd_new();
	stream->raw = pgb_calloc(PGB_PERFDATA_CHUNK_BYTES, 1);
	stream->carry = pgb_calloc(PGB_LIMIT_RECORD_BYTES, 1);
	stream->raw_length = chunk->length - stream->at;
	memcpy(stream->raw, chunk->bytes + stream->at, stream->raw_length);
	chunk->length = stream->at;
	return AGAIN;
}

/* What is open in the chunk, a record's first part, waits for the next compressed record. */
static void finish_payload(struct pgb_perfdata_stream *stream)
{
	struct pgb_perfdata_chunk *chunk = pgb_perfdata_stream_chunk(stream);

	stream->expanding = false;
	stream->carry_length = chunk->length - stream->at;
	pgb_assert(stream->carry_length < PGB_LIMIT_RECORD_BYTES);
	memcpy(stream->carry, chunk->bytes + stream->at, stream->carry_length);
	chunk->length = stream->at;
}

static void make_room(struct pgb_perfdata_stream *stream, size_t count)
{
	if (PGB_PERFDATA_CHUNK_BYTES - pgb_perfdata_stream_chunk(stream)->length < count)
		pgb_perfdata_stream_start_chunk(stream);
}

static void append(struct pgb_perfdata_stream *stream, const uint8_t *bytes, size_t count)
{
	struct pgb_perfdata_chunk *chunk;

	make_room(stream, count);
	chunk = pgb_perfdata_stream_chunk(stream);
	memcpy(chunk->memory + chunk->length, bytes, count);
	chunk->length += count;
}

static int start_payload(struct pgb_perfdata_stream *stream, const struct pgb_perfdata_raw *raw)
{
	struct pgb_cursor body = pgb_cursor_of(raw->bytes, raw->size_bytes);
	uint64_t count;

	body.big_endian = stream->big_endian;
	pgb_cursor_skip(&body, HEADER_BYTES);
	count = raw->type == COMPRESSED2 ? pgb_cursor_u64(&body) : pgb_cursor_left(&body);
	stream->payload = pgb_cursor_bytes(&body, count);
	stream->payload_bytes = (size_t)count;
	if (body.truncated)
		return PGB_E_CORRUPT;
	stream->expanding = true;
	stream->more_output = false;
	append(stream, stream->carry, stream->carry_length);
	stream->carry_length = 0;
	return PGB_OK;
}

/* 1 a record; AGAIN the payload is used up; PGB_E_CORRUPT. */
static int next_of_payload(struct pgb_perfdata_stream *stream, struct pgb_perfdata_raw *raw)
{
	for (;;) {
		struct pgb_perfdata_chunk *chunk = pgb_perfdata_stream_chunk(stream);
		size_t left = chunk->length - stream->at;
		size_t in_used, out_used, room;

		if (left >= HEADER_BYTES) {
			if (!read_header(stream, chunk->bytes + stream->at, raw) ||
			    raw->size_bytes > UINT16_MAX)
				return PGB_E_CORRUPT;
			if (raw->size_bytes <= left) {
				stream->at += raw->size_bytes;
				return 1;
			}
		}
		if (stream->payload_bytes == 0 && !stream->more_output) {
			finish_payload(stream);
			return AGAIN;
		}
		make_room(stream, 1);
		chunk = pgb_perfdata_stream_chunk(stream);
		room = PGB_PERFDATA_CHUNK_BYTES - chunk->length;
		if (pgb_perfdata_zstd_expand(stream->zstd, stream->payload, stream->payload_bytes,
					     &in_used, chunk->memory + chunk->length, room,
					     &out_used) < 0)
			return PGB_E_CORRUPT;
		if (stream->payload_bytes > 0 && in_used == 0 && out_used == 0)
			return PGB_E_CORRUPT;
		stream->payload += in_used;
		stream->payload_bytes -= in_used;
		stream->more_output = out_used == room;
		chunk->length += out_used;
	}
}

static int open_section(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	const struct pgb_perfdata_section *section = &stream->sections[stream->section];

	stream->left = section->size_bytes;
	if (!stream->seekable)
		return PGB_OK;
	stream->offset = section->offset;
	return pgb_perfdata_stream_seek(stream, error);
}

/* A section's last bytes were read; `cut`: its last record is not whole. */
static int end_section(struct pgb_perfdata_stream *stream, bool cut, struct pgb_error *error)
{
	int code;

	if (stream->section + 1 >= stream->section_count)
		return pgb_perfdata_stream_stop(stream,
						cut ? PGB_PERFDATA_CUT : PGB_PERFDATA_WHOLE);
	stream->section++;
	stream->at = pgb_perfdata_stream_chunk(stream)->length;
	stream->raw_at = stream->raw_length = stream->carry_length = 0;
	code = open_section(stream, error);
	return code < 0 ? code : AGAIN;
}

static int skip_large(struct pgb_perfdata_stream *stream, const struct pgb_perfdata_raw *raw,
		      struct pgb_error *error)
{
	int code = pgb_perfdata_stream_skip(stream, raw->size_bytes, error);

	return code < 0 ? code : AGAIN;
}

/* One record of the file itself, copied behind the expanded ones, or the start of a payload. */
static int next_of_raw(struct pgb_perfdata_stream *stream, struct pgb_perfdata_raw *raw,
		       struct pgb_error *error)
{
	int code = pgb_perfdata_stream_need_raw(stream, HEADER_BYTES, error);

	if (code == 0)
		return end_section(stream,
				   stream->raw_length > stream->raw_at || stream->carry_length > 0,
				   error);
	if (code < 0)
		return code;
	if (!read_header(stream, stream->raw + stream->raw_at, raw))
		return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_DAMAGED);
	if (raw->size_bytes > UINT16_MAX)
		return skip_large(stream, raw, error);
	code = pgb_perfdata_stream_need_raw(stream, raw->size_bytes, error);
	if (code <= 0)
		return code < 0 ? code : end_section(stream, true, error);
	read_header(stream, stream->raw + stream->raw_at, raw);
	stream->raw_at += raw->size_bytes;
	if (raw->type == COMPRESSED || raw->type == COMPRESSED2)
		return start_payload(stream, raw) < 0
			       ? pgb_perfdata_stream_stop(stream, PGB_PERFDATA_DAMAGED)
			       : AGAIN;
	append(stream, raw->bytes, raw->size_bytes);
	read_header(stream, pgb_perfdata_stream_chunk(stream)->bytes + stream->at, raw);
	stream->at += raw->size_bytes;
	return 1;
}

static int next_in_place(struct pgb_perfdata_stream *stream, struct pgb_perfdata_raw *raw,
			 struct pgb_error *error)
{
	for (;;) {
		struct pgb_perfdata_chunk *chunk = pgb_perfdata_stream_chunk(stream);
		size_t left = chunk->length - stream->at;
		int code;

		if (left >= HEADER_BYTES) {
			if (!read_header(stream, chunk->bytes + stream->at, raw))
				return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_DAMAGED);
			if (raw->size_bytes > UINT16_MAX)
				return skip_large(stream, raw, error);
			if (raw->type == COMPRESSED || raw->type == COMPRESSED2)
				return start_expanding(stream, error);
			if (raw->size_bytes <= left) {
				stream->at += raw->size_bytes;
				return 1;
			}
		}
		code = pgb_perfdata_stream_refill(stream, error);
		if (code <= 0)
			return code < 0 ? code : end_section(stream, left > 0, error);
	}
}

int pgb_perfdata_stream_start(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	pgb_assert(stream->section_count > 0 && stream->section_count <= PGB_PERFDATA_SECTIONS);
	return open_section(stream, error);
}

int pgb_perfdata_stream_next(struct pgb_perfdata_stream *stream, struct pgb_perfdata_raw *raw,
			     struct pgb_error *error)
{
	int code = AGAIN;

	while (code == AGAIN) {
		if (stream->end != PGB_PERFDATA_READING)
			return 0;
		if (stream->zstd == NULL)
			code = next_in_place(stream, raw, error);
		else if (!stream->expanding)
			code = next_of_raw(stream, raw, error);
		else
			code = next_of_payload(stream, raw);
		if (code == PGB_E_CORRUPT)
			return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_DAMAGED);
	}
	return code;
}

struct pgb_cursor pgb_perfdata_stream_ahead(const struct pgb_perfdata_stream *stream)
{
	const struct pgb_perfdata_chunk *chunk = &stream->chunks.items[stream->current];

	if (stream->zstd && !stream->expanding)
		return pgb_cursor_of(NULL, 0);
	return pgb_cursor_of(chunk->bytes + stream->at, chunk->length - stream->at);
}

void pgb_perfdata_stream_take(struct pgb_perfdata_stream *stream, size_t size_bytes)
{
	stream->at += size_bytes;
	pgb_assert(stream->at <= pgb_perfdata_stream_chunk(stream)->length);
}

int pgb_perfdata_stream_bytes(struct pgb_perfdata_stream *stream, uint64_t most,
			      struct pgb_cursor *bytes, struct pgb_error *error)
{
	struct pgb_perfdata_chunk *chunk = pgb_perfdata_stream_chunk(stream);
	const uint8_t *buffer = stream->zstd ? stream->raw : chunk->bytes;
	size_t *at = stream->zstd ? &stream->raw_at : &stream->at;
	size_t length = stream->zstd ? stream->raw_length : chunk->length;
	size_t count;

	*bytes = pgb_cursor_of(buffer, 0);
	if (stream->expanding) /* no such bytes can stand inside compressed records */
		return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_DAMAGED);
	if (length == *at) {
		int code = stream->zstd ? pgb_perfdata_stream_need_raw(stream, 1, error)
					: pgb_perfdata_stream_refill(stream, error);

		if (code <= 0)
			return code;
		chunk = pgb_perfdata_stream_chunk(stream);
		buffer = stream->zstd ? stream->raw : chunk->bytes;
		length = stream->zstd ? stream->raw_length : chunk->length;
	}
	count = length - *at < most ? length - *at : (size_t)most;
	*bytes = pgb_cursor_of(buffer + *at, count);
	bytes->big_endian = stream->big_endian;
	*at += count;
	return PGB_OK;
}

int pgb_perfdata_stream_skip(struct pgb_perfdata_stream *stream, uint64_t count,
			     struct pgb_error *error)
{
	size_t *at = stream->zstd ? &stream->raw_at : &stream->at;
	size_t here =
		(stream->zstd ? stream->raw_length : pgb_perfdata_stream_chunk(stream)->length) -
		*at;

	if (stream->expanding)
		return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_DAMAGED);
	if (count <= here) {
		*at += (size_t)count;
		return PGB_OK;
	}
	*at += here;
	count -= here;
	if (stream->seekable) {
		if (count > stream->left) {
			stream->end = PGB_PERFDATA_CUT;
			count = stream->left;
		}
		stream->left -= count;
		stream->offset += count;
		return pgb_perfdata_stream_seek(stream, error);
	}
	while (count > 0) {
		struct pgb_cursor bytes;
		int code = pgb_perfdata_stream_bytes(stream, count, &bytes, error);

		if (code < 0)
			return code;
		if (pgb_cursor_left(&bytes) == 0)
			return pgb_perfdata_stream_stop(stream, PGB_PERFDATA_CUT);
		count -= pgb_cursor_left(&bytes);
	}
	return PGB_OK;
}

uint64_t pgb_perfdata_stream_position(const struct pgb_perfdata_stream *stream)
{
	if (stream->zstd)
		return stream->offset - (stream->raw_length - stream->raw_at);
	return stream->offset - (stream->chunks.items[stream->current].length - stream->at);
}
