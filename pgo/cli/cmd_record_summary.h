/* SPDX-License-Identifier: MIT */
/* What `record` says at its end. */
#ifndef PGOBOLT_PGO_CLI_CMD_RECORD_SUMMARY_H
#define PGOBOLT_PGO_CLI_CMD_RECORD_SUMMARY_H

#include "pgobolt/pgo/cli/output.h"
#include "pgobolt/pgo/recording.h"

/* Text for people, or with --json the recording as one document. */
void pgb_record_summary(struct pgb_output *output, const struct pgb_recording *recording);

#endif
