/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_stream.h"

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

static uint32_t take_chunk(struct pgb_perfdata_stream *stream)
{
	struct pgb_perfdata_chunk chunk = {0};
	uint32_t index;

	if (stream->spare.count > 0) {
		index = stream->spare.items[--stream->spare.count];
		stream->chunks.items[index].length = 0;
		return index;
	}
	chunk.bytes = pgb_calloc(PGB_PERFDATA_CHUNK_BYTES, 1);
	pgb_array_push(&stream->chunks, chunk);
	return (uint32_t)(stream->chunks.count - 1);
}

void pgb_perfdata_stream_init(struct pgb_perfdata_stream *stream, int fd, const char *path,
			      bool seekable)
{
	*stream = (struct pgb_perfdata_stream){.fd = fd, .path = path, .seekable = seekable};
	stream->current = take_chunk(stream);
	if (seekable)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

void pgb_perfdata_stream_release(struct pgb_perfdata_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	for (size_t i = 0; i < stream->chunks.count; i++)
		free(stream->chunks.items[i].bytes);
	pgb_array_release(&stream->chunks);
	pgb_array_release(&stream->spare);
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

/* Go on in a fresh chunk with what is left of this one. */
static void start_chunk(struct pgb_perfdata_stream *stream)
{
	uint32_t index = take_chunk(stream);
	struct pgb_perfdata_chunk *old = &stream->chunks.items[stream->current];
	struct pgb_perfdata_chunk *chunk = &stream->chunks.items[index];

	chunk->length = old->length - stream->at;
	memcpy(chunk->bytes, old->bytes + stream->at, chunk->length);
	if (old->held == 0)
		pgb_array_push(&stream->spare, stream->current);
	stream->current = index;
	stream->at = 0;
}

static struct pgb_perfdata_chunk *current_chunk(struct pgb_perfdata_stream *stream)
{
	return &stream->chunks.items[stream->current];
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

static int refill(struct pgb_perfdata_stream *stream, struct pgb_error *error)
{
	struct pgb_perfdata_chunk *chunk = current_chunk(stream);

	if (chunk->length == PGB_PERFDATA_CHUNK_BYTES) {
		start_chunk(stream);
		chunk = current_chunk(stream);
	}
	return fill(stream, chunk->bytes, PGB_PERFDATA_CHUNK_BYTES, &chunk->length, error);
}

/* Bring `count` bytes together behind raw_at. */
static int need_raw(struct pgb_perfdata_stream *stream, size_t count, struct pgb_error *error)
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

static int stop(struct pgb_perfdata_stream *stream, enum pgb_perfdata_end end)
{
	if (stream->end == PGB_PERFDATA_READING)
		stream->end = end;
	return 0;
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
static void start_expanding(struct pgb_perfdata_stream *stream)
{
	struct pgb_perfdata_chunk *chunk = current_chunk(stream);

	stream->zstd = pgb_perfdata_zstd_new();
	stream->raw = pgb_calloc(PGB_PERFDATA_CHUNK_BYTES, 1);
	stream->carry = pgb_calloc(PGB_LIMIT_RECORD_BYTES, 1);
	stream->raw_length = chunk->length - stream->at;
	memcpy(stream->raw, chunk->bytes + stream->at, stream->raw_length);
	chunk->length = stream->at;
}

/* What is open in the chunk, a record's first part, waits for the next compressed record. */
static void finish_payload(struct pgb_perfdata_stream *stream)
{
	struct pgb_perfdata_chunk *chunk = current_chunk(stream);

	stream->expanding = false;
	stream->carry_length = chunk->length - stream->at;
	pgb_assert(stream->carry_length < PGB_LIMIT_RECORD_BYTES);
	memcpy(stream->carry, chunk->bytes + stream->at, stream->carry_length);
	chunk->length = stream->at;
}

static void make_room(struct pgb_perfdata_stream *stream, size_t count)
{
	if (PGB_PERFDATA_CHUNK_BYTES - current_chunk(stream)->length < count)
		start_chunk(stream);
}

static void append(struct pgb_perfdata_stream *stream, const uint8_t *bytes, size_t count)
{
	struct pgb_perfdata_chunk *chunk;

	make_room(stream, count);
	chunk = current_chunk(stream);
	memcpy(chunk->bytes + chunk->length, bytes, count);
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
		struct pgb_perfdata_chunk *chunk = current_chunk(stream);
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
		chunk = current_chunk(stream);
		room = PGB_PERFDATA_CHUNK_BYTES - chunk->length;
		if (pgb_perfdata_zstd_expand(stream->zstd, stream->payload, stream->payload_bytes,
					     &in_used, chunk->bytes + chunk->length, room,
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
	if (lseek(stream->fd, (off_t)section->offset, SEEK_SET) < 0)
		return pgb_fail(error, PGB_E_IO, "seeking in %s to byte %llu failed: %s",
				stream->path, (unsigned long long)section->offset, strerror(errno));
	return PGB_OK;
}

/* A section's last bytes were read; `cut`: its last record is not whole. */
static int end_section(struct pgb_perfdata_stream *stream, bool cut, struct pgb_error *error)
{
	int code;

	if (stream->section + 1 >= stream->section_count)
		return stop(stream, cut ? PGB_PERFDATA_CUT : PGB_PERFDATA_WHOLE);
	stream->section++;
	stream->at = current_chunk(stream)->length;
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
	int code = need_raw(stream, HEADER_BYTES, error);

	if (code == 0)
		return end_section(stream,
				   stream->raw_length > stream->raw_at || stream->carry_length > 0,
				   error);
	if (code < 0)
		return code;
	if (!read_header(stream, stream->raw + stream->raw_at, raw))
		return stop(stream, PGB_PERFDATA_DAMAGED);
	if (raw->size_bytes > UINT16_MAX)
		return skip_large(stream, raw, error);
	code = need_raw(stream, raw->size_bytes, error);
	if (code <= 0)
		return code < 0 ? code : end_section(stream, true, error);
	read_header(stream, stream->raw + stream->raw_at, raw);
	stream->raw_at += raw->size_bytes;
	if (raw->type == COMPRESSED || raw->type == COMPRESSED2)
		return start_payload(stream, raw) < 0 ? stop(stream, PGB_PERFDATA_DAMAGED) : AGAIN;
	append(stream, raw->bytes, raw->size_bytes);
	read_header(stream, current_chunk(stream)->bytes + stream->at, raw);
	stream->at += raw->size_bytes;
	return 1;
}

static int next_in_place(struct pgb_perfdata_stream *stream, struct pgb_perfdata_raw *raw,
			 struct pgb_error *error)
{
	for (;;) {
		struct pgb_perfdata_chunk *chunk = current_chunk(stream);
		size_t left = chunk->length - stream->at;
		int code;

		if (left >= HEADER_BYTES) {
			if (!read_header(stream, chunk->bytes + stream->at, raw))
				return stop(stream, PGB_PERFDATA_DAMAGED);
			if (raw->size_bytes > UINT16_MAX)
				return skip_large(stream, raw, error);
			if (raw->type == COMPRESSED || raw->type == COMPRESSED2) {
				start_expanding(stream);
				return AGAIN;
			}
			if (raw->size_bytes <= left) {
				stream->at += raw->size_bytes;
				return 1;
			}
		}
		code = refill(stream, error);
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
			return stop(stream, PGB_PERFDATA_DAMAGED);
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
	pgb_assert(stream->at <= current_chunk(stream)->length);
}

int pgb_perfdata_stream_bytes(struct pgb_perfdata_stream *stream, uint64_t most,
			      struct pgb_cursor *bytes, struct pgb_error *error)
{
	struct pgb_perfdata_chunk *chunk = current_chunk(stream);
	uint8_t *buffer = stream->zstd ? stream->raw : chunk->bytes;
	size_t *at = stream->zstd ? &stream->raw_at : &stream->at;
	size_t length = stream->zstd ? stream->raw_length : chunk->length;
	size_t count;

	*bytes = pgb_cursor_of(buffer, 0);
	if (stream->expanding) /* no such bytes can stand inside compressed records */
		return stop(stream, PGB_PERFDATA_DAMAGED);
	if (length == *at) {
		int code = stream->zstd ? need_raw(stream, 1, error) : refill(stream, error);

		if (code <= 0)
			return code;
		chunk = current_chunk(stream);
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
	size_t here = (stream->zstd ? stream->raw_length : current_chunk(stream)->length) - *at;

	if (stream->expanding)
		return stop(stream, PGB_PERFDATA_DAMAGED);
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
		if (lseek(stream->fd, (off_t)stream->offset, SEEK_SET) >= 0)
			return PGB_OK;
		return pgb_fail(error, PGB_E_IO, "seeking in %s to byte %llu failed: %s",
				stream->path, (unsigned long long)stream->offset, strerror(errno));
	}
	while (count > 0) {
		struct pgb_cursor bytes;
		int code = pgb_perfdata_stream_bytes(stream, count, &bytes, error);

		if (code < 0)
			return code;
		if (pgb_cursor_left(&bytes) == 0)
			return stop(stream, PGB_PERFDATA_CUT);
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
