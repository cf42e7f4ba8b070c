/* SPDX-License-Identifier: MIT */
/*
 * Bounded reader over bytes that are not ours: recordings, ELF headers, packets.
 *
 * Invariant: `at <= end`. A read past the end returns 0, moves `at` to `end` and sets
 * `truncated` for good, so a parser may read a whole structure and check once. Values are
 * copied out of the bytes: no alignment is assumed, and either byte order is read.
 * `offset` is the stream offset of `at`: error messages and packets that align themselves use
 * it, never the pointer's value.
 * Counts that come from input are checked with pgb_cursor_holds() before a loop or an allocation.
 */
#ifndef PGOBOLT_BASE_CURSOR_H
#define PGOBOLT_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pgb_cursor {
	const uint8_t *at;
	const uint8_t *end;
	uint64_t offset;
	bool truncated;
	bool big_endian;
};

static inline struct pgb_cursor pgb_cursor_of(const void *bytes, size_t size_bytes)
{
	const uint8_t *at = bytes;

	return (struct pgb_cursor){.at = at, .end = at ? at + size_bytes : at};
}

static inline size_t pgb_cursor_left(const struct pgb_cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

/* Are there `count` elements of `size_bytes` each? Divides, so it cannot overflow. */
static inline bool pgb_cursor_holds(const struct pgb_cursor *cursor, uint64_t count,
				    size_t size_bytes)
{
	return count <= pgb_cursor_left(cursor) / size_bytes;
}

/* The next `size_bytes` bytes, or NULL (truncated). Borrowed from the input. */
static inline const uint8_t *pgb_cursor_bytes(struct pgb_cursor *cursor, uint64_t size_bytes)
{
	const uint8_t *bytes = cursor->at;

	if (size_bytes > pgb_cursor_left(cursor)) {
		cursor->offset += pgb_cursor_left(cursor);
		cursor->at = cursor->end;
		cursor->truncated = true;
		return NULL;
	}
	cursor->at += size_bytes;
	cursor->offset += size_bytes;
	return bytes;
}

static inline void pgb_cursor_skip(struct pgb_cursor *cursor, uint64_t size_bytes)
{
	(void)pgb_cursor_bytes(cursor, size_bytes);
}

/* Is the input's byte order the other one than this machine's? */
static inline bool pgb_cursor_swaps(const struct pgb_cursor *cursor)
{
	return cursor->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static inline uint8_t pgb_cursor_u8(struct pgb_cursor *cursor)
{
	const uint8_t *bytes = pgb_cursor_bytes(cursor, 1);

	return bytes ? *bytes : 0;
}

/* The hot reads: records and branch stacks are made of these. */
static inline uint16_t pgb_cursor_u16(struct pgb_cursor *cursor)
{
	const uint8_t *bytes = pgb_cursor_bytes(cursor, 2);
	uint16_t value;

	if (bytes == NULL)
		return 0;
	memcpy(&value, bytes, sizeof(value));
	return pgb_cursor_swaps(cursor) ? __builtin_bswap16(value) : value;
}

static inline uint32_t pgb_cursor_u32(struct pgb_cursor *cursor)
{
	const uint8_t *bytes = pgb_cursor_bytes(cursor, 4);
	uint32_t value;

	if (bytes == NULL)
		return 0;
	memcpy(&value, bytes, sizeof(value));
	return pgb_cursor_swaps(cursor) ? __builtin_bswap32(value) : value;
}

static inline uint64_t pgb_cursor_u64(struct pgb_cursor *cursor)
{
	const uint8_t *bytes = pgb_cursor_bytes(cursor, 8);
	uint64_t value;

	if (bytes == NULL)
		return 0;
	memcpy(&value, bytes, sizeof(value));
	return pgb_cursor_swaps(cursor) ? __builtin_bswap64(value) : value;
}

/* The next `size_bytes` bytes as a cursor of their own; empty and truncated if not there. */
static inline struct pgb_cursor pgb_cursor_sub(struct pgb_cursor *cursor, uint64_t size_bytes)
{
	struct pgb_cursor sub = *cursor;
	const uint8_t *bytes = pgb_cursor_bytes(cursor, size_bytes);

	if (bytes == NULL) {
		sub.at = sub.end;
		sub.truncated = true;
		return sub;
	}
	sub.end = bytes + size_bytes;
	return sub;
}

/*
 * A NUL-terminated string that ends inside the cursor, or NULL (truncated). Borrowed.
 * The cursor moves behind the NUL.
 */
static inline const char *pgb_cursor_string(struct pgb_cursor *cursor)
{
	size_t left = pgb_cursor_left(cursor);
	const uint8_t *nul = left ? memchr(cursor->at, '\0', left) : NULL;

	if (nul == NULL) {
		cursor->offset += left;
		cursor->at = cursor->end;
		cursor->truncated = true;
		return NULL;
	}
	return (const char *)pgb_cursor_bytes(cursor, (uint64_t)(nul - cursor->at) + 1);
}

#endif
