/* SPDX-License-Identifier: MIT */
#include "pgo/cli/run_command.h"

#include <signal.h>

#include "pgobolt/pgo/cli/interrupt.h"

int pgb_cli_check_program(const struct pgb_cli *cli, const char *example, struct pgb_error *error)
{
	if (cli->arguments.program && cli->arguments.program[0])
		return 0;
	pgb_fail(error, PGB_E_USAGE, "%s needs a command behind --", cli->command->name);
	return pgb_remedy(error, "%s", example);
}

static void note(int number)
{
	(void)number;
	pgb_interrupted = 1;
}

/* A handler, not SIG_IGN: what is ignored would be so in the command, too. */
void pgb_cli_leave_signals_to_child(void)
{
	struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, former;
	static const int numbers[] = {SIGINT, SIGQUIT};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], NULL, &former) == 0 && former.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
}
