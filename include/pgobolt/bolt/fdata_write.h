/* SPDX-License-Identifier: MIT */
/*
 * The fdata text format, written as perf2bolt writes it (DataAggregator::writeAggregatedFile):
 * functions by their unescaped name, byte-wise; in a function by (from, to), non-symbols before
 * symbols, then name, then offset; then the lines that enter it from outside; memory lines last.
 * A backslash stands before each space and backslash of a name. Every line ends in \n.
 */
#ifndef PGOBOLT_BOLT_FDATA_WRITE_H
#define PGOBOLT_BOLT_FDATA_WRITE_H

#include <stdio.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/profile.h"

/* Write errors are left in ferror(stream): pgb_out_commit() reports them. */
void pgb_fdata_write(FILE *stream, struct pgb_profile *profile);

/* Whole or not at all. PGB_E_EMPTY: a profile without a line is never written. */
int pgb_fdata_write_file(const char *path, struct pgb_profile *profile, struct pgb_error *error);

#endif
