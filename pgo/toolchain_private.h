/* SPDX-License-Identifier: MIT */
/* What the toolchains share. */
#ifndef PGOBOLT_PGO_TOOLCHAIN_PRIVATE_H
#define PGOBOLT_PGO_TOOLCHAIN_PRIVATE_H

#include "pgobolt/pgo/toolchain.h"

int pgb_llvm_merge(const char *tool, const struct pgb_raw_profiles *raw, const char *output,
		   struct pgb_merge_counts *counts, struct pgb_error *error);

/* The figures in what `llvm-profdata show --value-cutoff=1 --list-below-cutoff` printed. */
void pgb_llvm_profdata_parse(struct pgb_merge_counts *counts, const char *shown);

/* Add what `gcov-dump FILE.gcda..` printed: functions, and those with a count. */
void pgb_gcov_dump_parse(struct pgb_merge_counts *counts, const char *shown);

/* The archive with what objects need that this gcc made count; NULL. The caller frees it. */
char *pgb_gcc_runtime(const char *gcc);

#endif
