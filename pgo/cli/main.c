/* SPDX-License-Identifier: MIT */
/* argv to one command's run, and its result to an exit status. */
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "config.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/shim.h"

static const struct pgb_option no_options[] = {{.name = NULL}};

/* The command that was named, its options and the global ones. */
struct invocation {
	struct pgb_cli cli;
	struct pgb_global_options global;
	void *values; /* of the command's own options */
};

static const struct pgb_option *options_of(const struct pgb_command *command)
{
	return command && command->options ? command->options : no_options;
}

/* Where no program is expected, `--` only ends the options: names may begin with a dash. */
static void take_as_operands(struct pgb_arguments *arguments)
{
	for (const char *const *word = arguments->program; word && *word; word++)
		pgb_array_push(&arguments->operands, *word);
	arguments->program = NULL;
}

static int read_command_line(struct invocation *invocation, const char *const *words,
			     struct pgb_error *error)
{
	struct pgb_option_set sets[] = {{pgb_global_table, &invocation->global},
					{no_options, NULL}};
	struct pgb_cli *cli = &invocation->cli;
	size_t consumed = 0;
	int code;

	code = pgb_options_parse(sets, 1, words, true, &cli->arguments, &consumed, error);
	if (code || words[consumed] == NULL || cli->arguments.program)
		return code;
	cli->command = pgb_command_find(words[consumed]);
	if (cli->command == NULL)
		return pgb_command_unknown(words[consumed], error);
	invocation->values = pgb_calloc(1, cli->command->options_size);
	if (cli->command->defaults)
		memcpy(invocation->values, cli->command->defaults, cli->command->options_size);
	cli->options = invocation->values;
	sets[1] = (struct pgb_option_set){options_of(cli->command), invocation->values};
	code = pgb_options_parse(sets, 2, words + consumed + 1, false, &cli->arguments, NULL,
				 error);
	if (!cli->command->takes_program)
		take_as_operands(&cli->arguments);
	if (code)
		pgb_remedy(error, "for all options: pgobolt help %s", cli->command->name);
	return code;
}

static int check_operands(const struct pgb_cli *cli, struct pgb_error *error)
{
	const struct pgb_command *command = cli->command;
	size_t count = cli->arguments.operands.count;

	if (count > command->operands_max) {
		const char *extra = cli->arguments.operands.items[command->operands_max];

		pgb_fail(error, PGB_E_USAGE, "%s does not expect '%s'", command->name, extra);
		if (command->takes_program)
			return pgb_remedy(error,
					  "a program and its arguments stand behind --: "
					  "pgobolt %s -- %s",
					  command->name, extra);
		return pgb_remedy(error, "see: pgobolt help %s", command->name);
	}
	if (count < command->operands_min) {
		pgb_fail(error, PGB_E_USAGE, "%s needs %s", command->name, command->operand_name);
		return pgb_remedy(error, "usage: pgobolt %s %s", command->name, command->synopsis);
	}
	return 0;
}

/* --json counts wherever it stands: an error before it must come as JSON too. */
static bool wants_json(const char *const *words)
{
	for (; *words && strcmp(*words, "--") != 0; words++)
		if (strcmp(*words, "--json") == 0)
			return true;
	return false;
}

static void set_up_output(struct invocation *invocation, const char *const *words)
{
	struct pgb_output *output = &invocation->cli.output;

	output->json = invocation->global.json || wants_json(words);
	output->quiet = invocation->global.quiet;
	output->verbose = invocation->global.verbose;
	output->color = (enum pgb_color)invocation->global.color;
	pgb_output_init(output);
}

static int run_command(struct invocation *invocation, struct pgb_error *error)
{
	struct pgb_cli *cli = &invocation->cli;
	int code;

	if (invocation->global.version) {
		pgb_output_line(&cli->output, "%s %s", PACKAGE_NAME, PACKAGE_VERSION);
		pgb_output_json(&cli->output, json_pack("{s:s, s:s}", "name", PACKAGE_NAME,
							"version", PACKAGE_VERSION));
		return 0;
	}
	if (invocation->global.help) {
		if (cli->command)
			pgb_help_command(&cli->output, cli->command);
		else
			pgb_help_overview(&cli->output);
		return 0;
	}
	if (cli->command == NULL) {
		if (cli->output.json)
			return pgb_fail(error, PGB_E_USAGE, "no command was given");
		pgb_output_use_stderr(&cli->output);
		pgb_help_overview(&cli->output);
		return pgb_code_exit_status(PGB_E_USAGE);
	}
	code = check_operands(cli, error);
	if (code)
		return code;
	if (invocation->global.directory && chdir(invocation->global.directory) != 0)
		return pgb_fail(error, pgb_code_from_errno(errno), "cannot go to %s: %s",
				invocation->global.directory, strerror(errno));
	return cli->command->run(cli, error);
}

/* Print what went wrong, or find out that the result could not be written. */
static int finish(struct pgb_output *output, int code, const struct pgb_error *error)
{
	struct pgb_error write_error = {0};

	if (output->progress)
		pgb_progress_done(output->progress);
	if (code < 0)
		pgb_output_error(output, error);
	if (pgb_output_finish(output, &write_error) < 0 && code >= 0) {
		output->json = false; /* stdout is what failed */
		pgb_output_error(output, &write_error);
		code = write_error.code;
	}
	return code < 0 ? pgb_code_exit_status(code) : code;
}

/* Under a compiler's name: become it, with the build's flags. Returns only when that fails. */
static int run_as_shim(const char *const *argv)
{
	struct pgb_output output = {0};
	struct pgb_error error = {0};
	int code = pgb_shim_run(argv, &error);

	pgb_output_init(&output);
	pgb_output_error(&output, &error);
	return pgb_exit_status_of_runner(code, true, false);
}

static void do_nothing(int number)
{
	(void)number;
}

/*
 * A write over the limit of `ulimit -f` then fails with a reason, and does not end us. A handler:
 * what is ignored would be so in the programs that we run.
 */
static void survive_file_size_limit(void)
{
	const struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};

	sigaction(SIGXFSZ, &action, NULL);
}

int main(int argc, char **argv)
{
	struct invocation invocation = {0};
	const char *const *words = (const char *const *)(argc > 0 ? argv + 1 : argv);
	struct pgb_error error = {0};
	int code, status;

	if (argc > 0 && pgb_shim_is_one(argv[0]))
		return run_as_shim((const char *const *)argv);
	survive_file_size_limit();
	setlocale(LC_CTYPE, "");
	code = read_command_line(&invocation, words, &error);
	set_up_output(&invocation, words);
	/* whoever asks for help gets it, whatever else is wrong */
	if (code == 0 || (invocation.global.help && invocation.cli.command)) {
		pgb_error_clear(&error);
		code = run_command(&invocation, &error);
	}
	status = finish(&invocation.cli.output, code, &error);
	pgb_options_release(options_of(invocation.cli.command), invocation.values);
	pgb_arguments_release(&invocation.cli.arguments);
	free(invocation.values);
	return status;
}
