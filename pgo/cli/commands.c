/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/commands.h"

static const char *const color_words[] = {"auto", "always", "never", NULL};

const struct pgb_option pgb_global_table[] = {
	{.letter = 'v',
	 .name = "verbose",
	 .offset = offsetof(struct pgb_global_options, verbose),
	 .help = "say more about what is done, on stderr"},
	{.letter = 'q',
	 .name = "quiet",
	 .offset = offsetof(struct pgb_global_options, quiet),
	 .help = "leave out remarks and progress"},
	{.name = "json",
	 .offset = offsetof(struct pgb_global_options, json),
	 .help = "print the result, or the error, as one JSON document on stdout"},
	{.name = "color",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = color_words,
	 .offset = offsetof(struct pgb_global_options, color),
	 .help = "colour the text; auto: on a terminal, unless NO_COLOR is set"},
	{.letter = 'C',
	 .name = "directory",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct pgb_global_options, directory),
	 .help = "go to DIR first"},
	{.letter = 'h',
	 .name = "help",
	 .offset = offsetof(struct pgb_global_options, help),
	 .help = "show help and exit"},
	{.name = "version",
	 .offset = offsetof(struct pgb_global_options, version),
	 .help = "show the version and exit"},
	{.name = NULL},
};

const struct pgb_command *const pgb_commands[] = {
	&pgb_command_doctor,
	&pgb_command_run,
	&pgb_command_build,
	&pgb_command_train,
	&pgb_command_record,
	&pgb_command_optimize,
	&pgb_command_verify,
	&pgb_command_bench,
	&pgb_command_report,
	&pgb_command_status,
	&pgb_command_clean,
	&pgb_command_convert,
	&pgb_command_merge,
	&pgb_command_dump,
	&pgb_command_explain,
	&pgb_command_help,
	NULL,
};

const struct pgb_command *pgb_command_find(const char *name)
{
	for (size_t i = 0; pgb_commands[i]; i++)
		if (strcmp(pgb_commands[i]->name, name) == 0)
			return pgb_commands[i];
	return NULL;
}

int pgb_command_unknown(const char *name, struct pgb_error *error)
{
	PGB_ARRAY(const char *) names = {0};
	const char *near;

	for (size_t i = 0; pgb_commands[i]; i++)
		pgb_array_push(&names, pgb_commands[i]->name);
	near = pgb_near_name(name, names.items, names.count);
	pgb_array_release(&names);
	pgb_fail(error, PGB_E_USAGE, "there is no command '%s'", name);
	if (near)
		return pgb_remedy(error, "did you mean: pgobolt %s", near);
	return pgb_remedy(error, "for the list of commands: pgobolt help");
}

int pgb_exit_status_of_runner(int code, bool starting, bool started)
{
	if (starting && code == PGB_E_NOT_FOUND)
		return 127;
	if (starting && code == PGB_E_PERMISSION)
		return 126;
	if (!starting && !started && (code == PGB_E_USAGE || pgb_code_exit_status(code) == 3))
		return pgb_code_exit_status(code);
	return 125;
}
