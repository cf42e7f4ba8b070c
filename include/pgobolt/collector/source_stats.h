/* SPDX-License-Identifier: MIT */
/* What a source saw, gave and dropped. */
#ifndef PGOBOLT_COLLECTOR_SOURCE_STATS_H
#define PGOBOLT_COLLECTOR_SOURCE_STATS_H

#include <stdint.h>

/* What decoding dropped, by reason; part of the conservation law. */
struct pgb_source_stats {
	uint64_t samples;	    /* decoded */
	uint64_t samples_empty;	    /* no entries in the stack */
	uint64_t branches;	    /* entries seen, before any was dropped */
	uint64_t operations;	    /* sampled instructions that are no branches: given as ips */
	uint64_t ranges;	    /* given beside the branches: from the one before to this one */
	uint64_t kernel;	    /* dropped: either end in the kernel */
	uint64_t zero;		    /* dropped: an end is 0; chain broken there */
	uint64_t speculative;	    /* dropped: wrong-path entries of AMD; chain broken there */
	uint64_t aborted;	    /* dropped: transaction aborts; chain broken there */
	uint64_t duplicate;	    /* dropped: the entry before, delivered twice */
	uint64_t resumed_elsewhere; /* the kernel did not return to where it was entered from:
				     * a signal, say; chain broken there, no entry dropped */
	uint64_t misplaced;	    /* dropped: the hardware could not tell the address */
	uint64_t ownerless;	    /* dropped: of a process that is not told */
	uint64_t malformed;
	/* AUX areas */
	uint64_t aux_collided;	/* pieces in which the hardware skipped a sample at least */
	uint64_t aux_truncated; /* pieces behind which there was no room */
	uint64_t aux_gaps;	/* pieces that are cut, or bytes that are not there */
	uint64_t aux_bad_bytes; /* that are no packets */
};

/* Branches and operations that were dropped, for whatever reason. */
uint64_t pgb_source_dropped(const struct pgb_source_stats *stats);

#endif
