/* SPDX-License-Identifier: MIT */
#include "pgo/merge_private.h"

int pgb_merge_recordings(const struct pgb_merge_job *job, struct pgb_merge_result *result,
			 struct pgb_error *error)
{
	(void)job;
	(void)result;
	return pgb_fail(error, PGB_E_UNSUPPORTED, "recordings cannot be merged yet");
}
