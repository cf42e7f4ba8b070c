/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "pgo/cli/help_formats.h"
#include "pgobolt/pgo/cli/commands.h"

enum format { FORMAT_TEXT, FORMAT_MAN, FORMAT_BASH, FORMAT_ZSH, FORMAT_FISH };

static const char *const format_words[] = {"text", "man", "bash", "zsh", "fish", NULL};

struct help_options {
	int format;
};

static const struct pgb_option table[] = {
	{.name = "format",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = format_words,
	 .offset = offsetof(struct help_options, format),
	 .help = "of all commands: a man page, or a completion script for a shell"},
	{.name = NULL},
};

static int print_file(struct pgb_cli *cli, enum format format, struct pgb_error *error)
{
	static void (*const writers[])(struct pgb_text * text) = {
		[FORMAT_MAN] = pgb_help_man,
		[FORMAT_BASH] = pgb_help_bash,
		[FORMAT_ZSH] = pgb_help_zsh,
		[FORMAT_FISH] = pgb_help_fish,
	};
	struct pgb_text text = {0};

	if (cli->arguments.operands.count > 0)
		return pgb_fail(error, PGB_E_USAGE,
				"--format %s holds all commands: it goes without COMMAND",
				format_words[format]);
	writers[format](&text);
	text.data[--text.length] = '\0'; /* pgb_output_line() adds the last newline */
	pgb_output_line(&cli->output, "%s", text.data);
	pgb_output_json(&cli->output,
			json_pack("{s:s, s:s}", "format", format_words[format], "text", text.data));
	pgb_text_release(&text);
	return 0;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct help_options *options = cli->options;
	const struct pgb_command *command;

	if (options->format != FORMAT_TEXT)
		return print_file(cli, (enum format)options->format, error);
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
	{"pgobolt help --format bash >~/.local/share/bash-completion/completions/pgobolt",
	 "completion where 'make install' was not run"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_help = {
	.name = "help",
	.summary = "show the help of a command",
	.synopsis = "[COMMAND]",
	.description = "Prints the list of commands, or one command's options and examples.",
	.options = table,
	.options_size = sizeof(struct help_options),
	.examples = examples,
	.operands_max = 1,
	.operand_name = "COMMAND",
	.run = run,
};
