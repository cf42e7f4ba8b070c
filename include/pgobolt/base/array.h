/* SPDX-License-Identifier: MIT */
/*
 * Growable array of one type, embedded where it is used:
 *
 *	PGB_ARRAY(struct pgb_segment) segments;		zeroed = empty
 *	pgb_array_push(&segments, segment);
 *	pgb_array_release(&segments);			empty again
 *
 * Pointers into items are valid until the next push.
 */
#ifndef PGOBOLT_BASE_ARRAY_H
#define PGOBOLT_BASE_ARRAY_H

#include <stddef.h>

#include "pgobolt/base/alloc.h"

#define PGB_ARRAY(type)                                                                            \
	struct {                                                                                   \
		type *items;                                                                       \
		size_t count;                                                                      \
		size_t capacity;                                                                   \
	}

#define pgb_array_reserve(array, wanted)                                                           \
	do {                                                                                       \
		if ((array)->capacity < (wanted)) {                                                \
			size_t pgb_grown = (array)->capacity + (array)->capacity / 2;              \
			if (pgb_grown < (wanted))                                                  \
				pgb_grown = (wanted);                                              \
			if (pgb_grown < 8)                                                         \
				pgb_grown = 8;                                                     \
			(array)->items = pgb_realloc_array((array)->items, pgb_grown,              \
							   sizeof(*(array)->items));               \
			(array)->capacity = pgb_grown;                                             \
		}                                                                                  \
	} while (0)

#define pgb_array_push(array, value)                                                               \
	do {                                                                                       \
		pgb_array_reserve((array), (array)->count + 1);                                    \
		(array)->items[(array)->count++] = (value);                                        \
	} while (0)

#define pgb_array_release(array)                                                                   \
	do {                                                                                       \
		free((array)->items);                                                              \
		(array)->items = NULL;                                                             \
		(array)->count = 0;                                                                \
		(array)->capacity = 0;                                                             \
	} while (0)

#endif
