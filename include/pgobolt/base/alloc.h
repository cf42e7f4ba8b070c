/* SPDX-License-Identifier: MIT */
/*
 * Allocation that does not return NULL.
 *
 * Sizes that come from input are bounded by limits.h or by the bytes present before they get
 * here, so running out of memory is the machine's condition, not the input's: the process ends.
 * Memory is released with free(3).
 */
#ifndef PGOBOLT_BASE_ALLOC_H
#define PGOBOLT_BASE_ALLOC_H

#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/assert.h"

static inline void *pgb_calloc(size_t count, size_t size_bytes)
{
	void *memory = calloc(count ? count : 1, size_bytes ? size_bytes : 1);

	pgb_assert(memory != NULL);
	return memory;
}

static inline void *pgb_realloc_array(void *memory, size_t count, size_t size_bytes)
{
	memory = reallocarray(memory, count ? count : 1, size_bytes ? size_bytes : 1);
	pgb_assert(memory != NULL);
	return memory;
}

/* Copy of `length` bytes with a NUL behind them. */
static inline char *pgb_dup_bytes(const void *bytes, size_t length)
{
	char *copy = pgb_calloc(length + 1, 1);

	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

/* Copy of a string; NULL stays NULL. */
static inline char *pgb_dup(const char *string)
{
	return string ? pgb_dup_bytes(string, strlen(string)) : NULL;
}

#endif
