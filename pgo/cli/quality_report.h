/* SPDX-License-Identifier: MIT */
#ifndef PGOBOLT_PGO_CLI_QUALITY_REPORT_H
#define PGOBOLT_PGO_CLI_QUALITY_REPORT_H

#include "pgobolt/bolt/quality.h"
#include "pgobolt/pgo/cli/output.h"

/* Grade, reasons and figures for people; nothing for one that was not computed. */
void pgb_quality_print(struct pgb_output *output, const struct pgb_quality *quality);

#endif
