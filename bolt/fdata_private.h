/* SPDX-License-Identifier: MIT */
/*
 * What the files bolt/fdata*.c share.
 */
#ifndef PGOBOLT_BOLT_FDATA_PRIVATE_H
#define PGOBOLT_BOLT_FDATA_PRIVATE_H

#include <stdio.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/fdata_merge.h"
#include "pgobolt/bolt/profile.h"

/*
 * Read the header lines into `profile` (kind and events) and move the cursor behind them. Checks
 * that the bytes end in a newline. Errors as pgb_fdata_read().
 */
int pgb_fdata_read_header(struct pgb_cursor *bytes, const char *what, struct pgb_profile *profile,
			  struct pgb_error *error);

void pgb_fdata_write_header(FILE *stream, const struct pgb_profile *profile);

/* What stands behind a file's header; ends in a newline. */
struct pgb_fdata_lines {
	struct pgb_cursor bytes;
	uint64_t weight;
	bool mapped; /* from a file: memory that may be given back */
};

/*
 * false: the lines are not in the order or the spelling that pgobolt and perf2bolt write; what the
 * stream got is to be thrown away.
 */
bool pgb_fdata_merge_sorted(const struct pgb_fdata_lines *inputs, size_t count, bool samples,
			    FILE *stream, struct pgb_fdata_merged *merged);

/*
 * Branch lines in any order, by so many threads. NULL: one is no plain branch line, or a number is
 * longer than real ones are; pgb_fdata_read() knows what to make of it.
 */
struct pgb_fdata_gathered;

struct pgb_fdata_gathered *pgb_fdata_gather(const struct pgb_fdata_lines *inputs, size_t count,
					    size_t threads);
/* Once, by as many threads: what pgb_fdata_write() would write behind the header. */
void pgb_fdata_gathered_write(struct pgb_fdata_gathered *gathered, FILE *stream,
			      struct pgb_fdata_merged *merged);
void pgb_fdata_gathered_free(struct pgb_fdata_gathered *gathered);

#endif
