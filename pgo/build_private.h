/* SPDX-License-Identifier: MIT */
/* What the files build*.c share. */
#ifndef PGOBOLT_PGO_BUILD_PRIVATE_H
#define PGOBOLT_PGO_BUILD_PRIVATE_H

#include "pgobolt/pgo/build.h"

/*
 * Note the mode in the state folder, and in the environment which sample profile holds. A new
 * mode, or a new profile, starts a new log: what was compiled before is not of it.
 */
int pgb_build_set_mode(struct pgb_build_environment *environment,
		       const struct pgb_build_config *config, struct pgb_error *error);

/*
 * The system's start files and libraries are older than any build, and fine. In /usr/src is what
 * containers build. Pure.
 */
bool pgb_build_is_of_system(const char *path);

/* Which outputs llvm-bolt cannot rearrange. */
void pgb_build_check_outputs(struct pgb_build_result *result);

/* When the mode began. */
int64_t pgb_build_started_ns(const char *state);

#endif
