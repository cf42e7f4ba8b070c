/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/source_stats.h"

uint64_t pgb_source_dropped(const struct pgb_source_stats *stats)
{
	return stats->kernel + stats->zero + stats->speculative + stats->aborted +
	       stats->duplicate + stats->misplaced + stats->ownerless;
}
