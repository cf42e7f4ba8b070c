/* SPDX-License-Identifier: MIT */
/*
 * fdata text into a profile; as strict as llvm-bolt's reader (DataReader::parse), with clearer
 * words. Streaming: nothing of the text is kept.
 */
#ifndef PGOBOLT_BOLT_FDATA_READ_H
#define PGOBOLT_BOLT_FDATA_READ_H

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/profile.h"

/*
 * Add all lines to `profile`, counts times `weight`. `what` names the input in messages.
 * Errors: PGB_E_CORRUPT with line number and what was expected; PGB_E_TRUNCATED (no final newline);
 * PGB_E_MISMATCH (other kind than the profile has); PGB_E_EMPTY.
 */
int pgb_fdata_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		   struct pgb_profile *profile, struct pgb_error *error);

int pgb_fdata_read_file(const char *path, uint64_t weight, struct pgb_profile *profile,
			struct pgb_error *error);

#endif
