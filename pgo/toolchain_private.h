/* SPDX-License-Identifier: MIT */
/* What the toolchains share. */
#ifndef PGOBOLT_PGO_TOOLCHAIN_PRIVATE_H
#define PGOBOLT_PGO_TOOLCHAIN_PRIVATE_H

#include "pgobolt/base/cursor.h"
#include "pgobolt/pgo/toolchain.h"

int pgb_llvm_merge(const char *tool, const struct pgb_raw_profiles *raw, const char *output,
		   struct pgb_merge_counts *counts, struct pgb_error *error);

/* The figures in what `llvm-profdata show --value-cutoff=1 --list-below-cutoff` printed. */
void pgb_llvm_profdata_parse(struct pgb_merge_counts *counts, const char *shown);

/* Add what `gcov-dump FILE.gcda..` printed: functions, and those with a count. */
void pgb_gcov_dump_parse(struct pgb_merge_counts *counts, const char *shown);

/* The archive with what objects need that this gcc made count; NULL. The caller frees it. */
char *pgb_gcc_runtime(const char *gcc);

/* A .gcda file; one of a gcc that is not known here is taken to be whole. */
bool pgb_gcda_is_whole(struct pgb_cursor cursor);

/* Remove those in RUN/KEY, or below, that were not written to their end; how many. */
unsigned long pgb_gcda_drop_damaged(const char *run, const char *key);

/*
 * Append to the empty `sum` what two .gcda files of one object have counted, each so many times.
 * false: not of one object, or of a gcc that is not known here; what `sum` holds then is nothing.
 */
bool pgb_gcda_add(struct pgb_text *sum, struct pgb_cursor a, unsigned long weight_a,
		  struct pgb_cursor b, unsigned long weight_b);

#endif
