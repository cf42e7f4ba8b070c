/* SPDX-License-Identifier: MIT */
/*
 * BOLT's pre-aggregated text (llvm-bolt's --pa input, DataAggregator::parseAggregatedLBREntry):
 *
 *	E NAME				event
 *	S ADDR COUNT			IP sample
 *	T BRANCH FROM TO COUNT [MISPREDS]	branch and straight-line range
 *	R BRANCH FROM TO COUNT [MISPREDS]	the same, BRANCH is a return
 *	B FROM TO COUNT MISPREDS	branch alone; 0 = external
 *	F START END COUNT		range of local origin
 *	f START END COUNT		range of external origin
 *	r START END COUNT		range after an external return
 *
 * B, F, f: LLVM 14 and later; T, E, S, R, r: 21 and 22; MISPREDS of T and R: not in 22. It cannot
 * carry all of an edge: B/F lose a range's origin, T/R lose mispredictions.
 *
 * Hex without 0x, decimal counts, spaces between fields, \n behind each line, no blank line. A
 * BRANCH of 0 is external, of -1 (ffffffffffffffff) missing, of -2 as f, of -3 as r; a TO of -1 is
 * missing. An address may be ID:OFFSET, ID a build-id or X for any other file.
 */
#ifndef PGOBOLT_COLLECTOR_PREAGG_H
#define PGOBOLT_COLLECTOR_PREAGG_H

#include <stdio.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/binary.h"
#include "pgobolt/collector/edges.h"

/*
 * Add all records to `edges` under the number `binary`, counts times `weight`. `what` names the
 * input in messages. `own` is the build-id of that binary: addresses of other ids are external;
 * where it is NULL or of size 0, an id says nothing (as in llvm-bolt 22), only X does. Records
 * with nothing inside the binary add nothing.
 * Errors: PGB_E_CORRUPT with the line's number and what was expected, PGB_E_TRUNCATED (no newline
 * at the end), PGB_E_EMPTY (no record). Records ahead of the error have been added.
 */
int pgb_preagg_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		    const struct pgb_build_id *own, struct pgb_edges *edges, uint32_t binary,
		    struct pgb_error *error);

/*
 * The names on E lines, each once, joined by commas, in the order of the text; the caller frees it;
 * "" where there is none. Lines that are no E lines are not looked at.
 */
char *pgb_preagg_events(struct pgb_cursor bytes);

/*
 * Write the edges of one binary, for llvm-bolt 22: TRACE as T (F where the branch is missing),
 * BRANCH as B, NOT_TAKEN as the F that it is, IP as S, RETURN as R or r, RANGE as f. `event` may be
 * NULL. *lost is the sum of counts that the format cannot carry: mispredictions of T, R and F, and
 * edges that have no address inside. Counts stop at 2^63 - 1.
 * Write errors are left in ferror(stream): pgb_out_commit() reports them. PGB_E_EMPTY: no line was
 * written.
 */
int pgb_preagg_write(FILE *stream, struct pgb_edges *edges, uint32_t binary, const char *event,
		     uint64_t *lost, struct pgb_error *error);

#endif
