/* SPDX-License-Identifier: MIT */
/* --weight N of commands that add up inputs. */
#ifndef PGOBOLT_PGO_CLI_WEIGHTS_H
#define PGOBOLT_PGO_CLI_WEIGHTS_H

#include "pgobolt/pgo/cli/options.h"
#include "pgobolt/pgo/merge.h"

/*
 * Fill one input for each operand: its path, and the weight in front of it (1 where there is
 * none). PGB_E_USAGE: no number from 1 to 2^32 - 1, or a weight behind the last input.
 */
int pgb_cli_weigh_inputs(const struct pgb_arguments *arguments,
			 const struct pgb_option_list *weights, struct pgb_merge_input *inputs,
			 struct pgb_error *error);

#endif
