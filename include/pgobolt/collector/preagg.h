/* SPDX-License-Identifier: MIT */
/*
 * BOLT's pre-aggregated text (llvm-bolt's --pa input, DataAggregator::parseAggregatedLBREntry):
 *
 *	E NAME				event
 *	S ADDR COUNT			IP sample
 *	T BRANCH FROM TO COUNT		branch and straight-line range
 *	R BRANCH FROM TO COUNT		the same, BRANCH is a return
 *	B FROM TO COUNT MISPREDS	branch alone; 0 = external
 *	F START END COUNT		range of local origin
 *	f START END COUNT		range of external origin
 *	r START END COUNT		range after an external return
 *
 * Hex without 0x, decimal counts. It cannot carry all of an edge: B/F lose a range's origin, T/R
 * lose mispredictions.
 */
#ifndef PGOBOLT_COLLECTOR_PREAGG_H
#define PGOBOLT_COLLECTOR_PREAGG_H

#include <stdio.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/edges.h"

/* Errors: PGB_E_CORRUPT with the line's number. `what` names the input in messages. */
int pgb_preagg_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		    struct pgb_edges *edges, uint32_t binary, struct pgb_error *error);

/* Write the edges of one binary; what the format cannot carry is counted in *lost. */
int pgb_preagg_write(FILE *stream, struct pgb_edges *edges, uint32_t binary, const char *event,
		     uint64_t *lost, struct pgb_error *error);

#endif
