/* SPDX-License-Identifier: MIT */
/* Of commands that run a command of the user's. */
#ifndef PGOBOLT_PGO_CLI_RUN_COMMAND_H
#define PGOBOLT_PGO_CLI_RUN_COMMAND_H

#include "pgobolt/pgo/cli/commands.h"

/* PGB_E_USAGE where nothing stands behind `--`; `example` is the remedy. */
int pgb_cli_check_program(const struct pgb_cli *cli, const char *example, struct pgb_error *error);

/* Ctrl-C is the command's: we stay to see how it ends. */
void pgb_cli_leave_signals_to_child(void);

#endif
