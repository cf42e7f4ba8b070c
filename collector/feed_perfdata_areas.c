/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_areas.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"

static void forget(struct pgb_perfdata_areas *areas, size_t index)
{
	struct pgb_perfdata_piece *piece = &areas->pieces.items[index];

	if (piece->bytes)
		areas->kept_bytes -= piece->size_bytes;
	free(piece->bytes);
	areas->pieces.count--;
	memmove(piece, piece + 1, (areas->pieces.count - index) * sizeof(*piece));
}

void pgb_perfdata_areas_release(struct pgb_perfdata_areas *areas)
{
	for (size_t i = 0; i < areas->pieces.count; i++)
		free(areas->pieces.items[i].bytes);
	pgb_array_release(&areas->pieces);
	free(areas->bytes);
	*areas = (struct pgb_perfdata_areas){0};
}

/* Copy from a pipe; what it does not have is cut off. */
static int keep(struct pgb_perfdata_stream *stream, struct pgb_perfdata_piece *piece,
		struct pgb_error *error)
{
	uint64_t at = 0;
	int code = PGB_OK;

	piece->bytes = pgb_calloc(1, piece->size_bytes);
	while (at < piece->size_bytes && code == PGB_OK) {
		struct pgb_cursor bytes;
		size_t count;

		code = pgb_perfdata_stream_bytes(stream, piece->size_bytes - at, &bytes, error);
		count = code == PGB_OK ? pgb_cursor_left(&bytes) : 0;
		if (count == 0)
			break;
		memcpy(piece->bytes + at, bytes.at, count);
		at += count;
	}
	piece->size_bytes = at;
	return code;
}

int pgb_perfdata_areas_add(struct pgb_perfdata_areas *areas, struct pgb_perfdata_stream *stream,
			   const struct pgb_perfdata_piece *wanted, struct pgb_error *error)
{
	struct pgb_perfdata_piece piece = *wanted;
	int code;

	if (piece.size_bytes == 0)
		return PGB_OK;
	if (stream->seekable) {
		piece.fd = stream->fd;
		piece.position = pgb_perfdata_stream_position(stream);
		code = pgb_perfdata_stream_skip(stream, piece.size_bytes, error);
	} else if (piece.size_bytes > PGB_LIMIT_AUX_BYTES ||
		   areas->kept_bytes + piece.size_bytes > PGB_LIMIT_AUX_KEPT_BYTES) {
		areas->lost_bytes += piece.size_bytes;
		return pgb_perfdata_stream_skip(stream, piece.size_bytes, error);
	} else {
		code = keep(stream, &piece, error);
		areas->kept_bytes += piece.size_bytes;
	}
	pgb_array_push(&areas->pieces, piece);
	areas->has_new = true;
	return code;
}

static bool is_of(const struct pgb_perfdata_piece *piece, const struct pgb_record *record)
{
	return piece->cpu != UINT32_MAX ? piece->cpu == record->cpu : piece->tid == record->tid;
}

/* The piece that has the byte at `offset` of the record's area; its index, or SIZE_MAX. */
static size_t find_piece(const struct pgb_perfdata_areas *areas, const struct pgb_record *record,
			 uint64_t offset)
{
	/* The latest first: that is where it is. */
	for (size_t i = areas->pieces.count; i-- > 0;) {
		const struct pgb_perfdata_piece *piece = &areas->pieces.items[i];

		if (is_of(piece, record) && offset >= piece->offset &&
		    offset - piece->offset < piece->size_bytes)
			return i;
	}
	return SIZE_MAX;
}

bool pgb_perfdata_areas_hold(const struct pgb_perfdata_areas *areas,
			     const struct pgb_record *record)
{
	uint64_t at = 0;

	while (at < record->aux.size_bytes) {
		uint64_t offset = record->aux.offset + at;
		size_t index = find_piece(areas, record, offset);

		if (index == SIZE_MAX)
			return false;
		at += areas->pieces.items[index].size_bytes -
		      (offset - areas->pieces.items[index].offset);
	}
	return true;
}

static bool read_piece(const struct pgb_perfdata_piece *piece, uint64_t from, uint8_t *to,
		       size_t size_bytes)
{
	if (piece->bytes)
		memcpy(to, piece->bytes + from, size_bytes);
	for (size_t at = 0; piece->bytes == NULL && at < size_bytes;) {
		ssize_t got = pread(piece->fd, to + at, size_bytes - at,
				    (off_t)(piece->position + from + at));

		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

/* Of a pipe: what lies before the end of this record has been handed out. */
static void forget_read(struct pgb_perfdata_areas *areas, const struct pgb_record *record)
{
	uint64_t end = record->aux.offset + record->aux.size_bytes;

	for (size_t i = areas->pieces.count; i-- > 0;) {
		const struct pgb_perfdata_piece *piece = &areas->pieces.items[i];

		if (is_of(piece, record) && piece->offset + piece->size_bytes <= end)
			forget(areas, i);
	}
}

void pgb_perfdata_areas_attach(struct pgb_perfdata_areas *areas, struct pgb_record *record,
			       bool of_cpu)
{
	uint64_t wanted = record->aux.size_bytes;
	size_t done = 0;

	if (wanted > PGB_LIMIT_AUX_BYTES)
		wanted = PGB_LIMIT_AUX_BYTES;
	while (done < wanted) {
		uint64_t offset = record->aux.offset + done, from, count;
		size_t index = find_piece(areas, record, offset);
		const struct pgb_perfdata_piece *piece;

		if (index == SIZE_MAX)
			break;
		piece = &areas->pieces.items[index];
		from = offset - piece->offset;
		count = piece->size_bytes - from < wanted - done ? piece->size_bytes - from
								 : wanted - done;
		if (areas->capacity < done + count) {
			areas->capacity = done + count;
			areas->bytes = pgb_realloc_array(areas->bytes, areas->capacity, 1);
		}
		if (!read_piece(piece, from, areas->bytes + done, count))
			break;
		record->aux_of_cpu = of_cpu && piece->cpu != UINT32_MAX;
		done += count;
	}
	record->aux_bytes = pgb_cursor_of(areas->bytes, done);
	record->aux_bytes.offset = record->aux.offset;
	forget_read(areas, record);
}
