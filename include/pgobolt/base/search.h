/* SPDX-License-Identifier: MIT */
#ifndef PGOBOLT_BASE_SEARCH_H
#define PGOBOLT_BASE_SEARCH_H

#include <stddef.h>

/*
 * Binary search: the first of `count` indexes for which `is_before`, an expression of `index`, does
 * not hold; `count` where it holds for all.
 *
 *	size_t at = pgb_search(count, i, items[i].address < address);
 */
#define pgb_search(count, index, is_before)                                                        \
	({                                                                                         \
		size_t pgb_low = 0, pgb_high = (count);                                            \
                                                                                                   \
		while (pgb_low < pgb_high) {                                                       \
			size_t index = pgb_low + (pgb_high - pgb_low) / 2;                         \
                                                                                                   \
			if (is_before)                                                             \
				pgb_low = index + 1;                                               \
			else                                                                       \
				pgb_high = index;                                                  \
		}                                                                                  \
		pgb_low;                                                                           \
	})

#endif
