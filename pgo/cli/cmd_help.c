/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/commands.h"

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct pgb_command *command;

	if (cli->arguments.operands.count == 0) {
		pgb_help_overview(&cli->output);
		return 0;
	}
	command = pgb_command_find(cli->arguments.operands.items[0]);
	if (command == NULL)
		return pgb_command_unknown(cli->arguments.operands.items[0], error);
	pgb_help_command(&cli->output, command);
	return 0;
}

static const struct pgb_example examples[] = {
	{"pgobolt help", "the list of commands"},
	{"pgobolt help record", "what record does, its options and examples"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_help = {
	.name = "help",
	.summary = "show the help of a command",
	.synopsis = "[COMMAND]",
	.description = "Prints the list of commands, or one command's options and examples.",
	.examples = examples,
	.operands_max = 1,
	.operand_name = "COMMAND",
	.run = run,
};
