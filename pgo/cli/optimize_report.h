/* SPDX-License-Identifier: MIT */
/* Private to cmd_optimize.c: what it did, for people and as JSON. */
#ifndef PGOBOLT_PGO_CLI_OPTIMIZE_REPORT_H
#define PGOBOLT_PGO_CLI_OPTIMIZE_REPORT_H

#include "pgobolt/pgo/cli/output.h"
#include "pgobolt/pgo/optimize.h"

void pgb_optimize_print(struct pgb_output *output, const struct pgb_llvm_bolt *bolt,
			const struct pgb_optimize_job *job,
			const struct pgb_optimize_result *result);
/* What to do now; a remark. */
void pgb_optimize_print_next(struct pgb_output *output, const struct pgb_optimize_job *job,
			     const struct pgb_optimize_result *result);

/*
 * After a failure: warnings, and the errors behind the first one, which is the error message. With
 * --json nothing: there is one document, the error.
 */
void pgb_optimize_print_failure(struct pgb_output *output,
				const struct pgb_optimize_result *result);

#endif
