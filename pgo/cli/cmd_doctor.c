/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "pgobolt/pgo/cli/commands.h"

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	(void)cli;
	return pgb_fail(error, PGB_E_UNSUPPORTED, "doctor is not written yet");
}

static const struct pgb_example examples[] = {{NULL, NULL}};

const struct pgb_command pgb_command_doctor = {
	.name = "doctor",
	.summary = "not written yet",
	.synopsis = "",
	.description = "",
	.examples = examples,
	.operands_max = UINT_MAX,
	.takes_program = true,
	.run = run,
};
