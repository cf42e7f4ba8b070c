/* SPDX-License-Identifier: MIT */
/* What the files merge*.c share. */
#ifndef PGOBOLT_PGO_MERGE_PRIVATE_H
#define PGOBOLT_PGO_MERGE_PRIVATE_H

#include "pgobolt/pgo/merge.h"

int pgb_merge_recordings(const struct pgb_merge_job *job, struct pgb_merge_result *result,
			 struct pgb_error *error);
void pgb_merge_announce(const struct pgb_merge_job *job, size_t index);

#endif
