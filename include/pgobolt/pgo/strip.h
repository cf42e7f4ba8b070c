/* SPDX-License-Identifier: MIT */
/*
 * Strip what llvm-bolt wrote, with LLVM's own tool: GNU strip and objcopy move its segments to
 * where they cannot be loaded, and end with status 0.
 */
#ifndef PGOBOLT_PGO_STRIP_H
#define PGOBOLT_PGO_STRIP_H

#include "pgobolt/bolt/llvm_bolt.h"

/*
 * The llvm-strip that lies beside this llvm-bolt, else one from PATH. NULL: PGB_E_NOT_FOUND, the
 * remedy names the package. The caller frees it.
 */
char *pgb_strip_find(const struct pgb_llvm_bolt *bolt, struct pgb_error *error);

/* Take symbols and debug information out of the file. PGB_E_TOOL: it failed, and said why. */
int pgb_strip_run(const char *tool, const char *path, struct pgb_error *error);

#endif
