/* SPDX-License-Identifier: MIT */
/*
 * 64-bit hashes for tables and for naming content. Stable: recordings carry them in file names.
 */
#ifndef PGOBOLT_BASE_HASH_H
#define PGOBOLT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `bits`: 1 to 63 */
static inline uint64_t pgb_rotate_left(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): full avalanche, a bijection. */
static inline uint64_t pgb_hash_u64(uint64_t value)
{
	value ^= value >> 30;
	value *= 0xbf58476d1ce4e5b9u;
	value ^= value >> 27;
	value *= 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static inline uint64_t pgb_hash_combine(uint64_t seed, uint64_t value)
{
	return pgb_hash_u64(seed ^ (value + 0x9e3779b97f4a7c15u + (seed << 6) + (seed >> 2)));
}

#define PGB_HASH_SEED 0xcbf29ce484222325u

/* FNV-1a, then mixed. `seed` is PGB_HASH_SEED or an earlier FNV state: see pgb_hash_bytes. */
static inline uint64_t pgb_hash_fnv(uint64_t seed, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < length; i++)
		seed = (seed ^ at[i]) * 0x100000001b3u;
	return seed;
}

static inline uint64_t pgb_hash_bytes(const void *bytes, size_t length)
{
	return pgb_hash_u64(pgb_hash_fnv(PGB_HASH_SEED, bytes, length));
}

/*
 * For whole segments of code: one multiplication per little-endian 8-byte word, the last one
 * filled up with zeros; at 4 GB/s as fast as pages arrive. In pieces it gives the same when each
 * but the last is a multiple of 8 long; finish with pgb_hash_combine(state, total length).
 */
static inline uint64_t pgb_hash_stream(uint64_t state, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	while (length > 0) {
		size_t step = length < 8 ? length : 8;
		uint64_t word = 0;

		memcpy(&word, at, step);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		state = (state ^ word) * 0x9e3779b97f4a7c15u;
		state ^= state >> 32;
		at += step;
		length -= step;
	}
	return state;
}

#endif
