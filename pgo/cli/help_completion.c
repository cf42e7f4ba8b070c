/* SPDX-License-Identifier: MIT */
/* Completion scripts. Each is whole in itself: nothing runs pgobolt to complete a word. */
#include "pgo/cli/help_formats.h"

/* What the value of an option can be completed with. */
enum value {
	VALUE_NONE, /* it takes none */
	VALUE_CHOICE,
	VALUE_DIRECTORY,
	VALUE_FILE,
	VALUE_OTHER, /* a number, a name: nothing to offer */
};

static enum value value_of(const struct pgb_option *option)
{
	static const char *const files[] = {"BINARY", "FILE", "OUT", "PATH"};

	switch (option->kind) {
	case PGB_OPTION_FLAG:
		return VALUE_NONE;
	case PGB_OPTION_CHOICE:
		return VALUE_CHOICE;
	case PGB_OPTION_STRING:
	case PGB_OPTION_LIST:
		if (strcmp(option->argument, "DIR") == 0)
			return VALUE_DIRECTORY;
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
			if (strcmp(option->argument, files[i]) == 0)
				return VALUE_FILE;
		return VALUE_OTHER;
	default:
		return VALUE_OTHER;
	}
}

#define FOR_EACH_OPTION(option, table)                                                             \
	for (const struct pgb_option *option = (table); option && option->name; option++)          \
		if (!option->hidden)

static void add_words(struct pgb_text *text, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		pgb_text_addf(text, "%s%s", i ? " " : "", words[i]);
}

static void add_commands(struct pgb_text *text)
{
	for (size_t i = 0; pgb_commands[i]; i++)
		pgb_text_addf(text, "%s%s", i ? " " : "", pgb_commands[i]->name);
}

/* The words that a command takes, where it does not take files. */
static bool add_operands(struct pgb_text *text, const struct pgb_command *command)
{
	if (command == &pgb_command_help) {
		add_commands(text);
		return true;
	}
	if (command != &pgb_command_explain)
		return false;
	for (int code = PGB_CODE_BASE + 1; code < PGB_CODE_END; code++)
		pgb_text_addf(text, "%s%s", code > PGB_CODE_BASE + 1 ? " " : "",
			      pgb_code_name(code));
	return true;
}

/* ---- bash */

static void add_bash_names(struct pgb_text *text, const struct pgb_option *table)
{
	FOR_EACH_OPTION(option, table)
	{
		if (option->letter)
			pgb_text_addf(text, " -%c", option->letter);
		pgb_text_addf(text, " --%s", option->name);
	}
}

/* What follows an option, a line for each that takes a value. */
static void add_bash_values(struct pgb_text *text, const char *command,
			    const struct pgb_option *table)
{
	static const char *const actions[] = {
		[VALUE_DIRECTORY] = "kind='directory'",
		[VALUE_FILE] = "kind='file'",
		[VALUE_OTHER] = "kind='other'",
	};

	FOR_EACH_OPTION(option, table)
	{
		enum value value = value_of(option);

		if (value == VALUE_NONE)
			continue;
		pgb_text_addf(text, "\t%s:--%s", command, option->name);
		if (option->letter)
			pgb_text_addf(text, " | %s:-%c", command, option->letter);
		if (value == VALUE_CHOICE) {
			pgb_text_add(text, ") kind='words' words='");
			add_words(text, option->choices);
			pgb_text_add(text, "' ;;\n");
		} else {
			pgb_text_addf(text, ") %s ;;\n", actions[value]);
		}
	}
}

static void add_bash_commands(struct pgb_text *text)
{
	pgb_text_add(text, "\tcase $command in\n\t'') words='");
	add_commands(text);
	pgb_text_add(text, "' ;;\n");
	for (size_t i = 0; pgb_commands[i]; i++) {
		const struct pgb_command *command = pgb_commands[i];

		pgb_text_addf(text, "\t%s) options+='", command->name);
		add_bash_names(text, command->options);
		pgb_text_add(text, "' words='");
		add_operands(text, command);
		pgb_text_add(text, "' ;;\n");
	}
	pgb_text_add(text, "\tesac\n");
}

void pgb_help_bash(struct pgb_text *text)
{
	pgb_text_add(text,
		     "# bash completion for pgobolt, made by: pgobolt help --format bash\n"
		     "_pgobolt()\n{\n"
		     "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
		     "\tlocal command='' words='' kind='' options index=1\n\n"
		     "\tCOMPREPLY=()\n"
		     "\tif [[ $word == = ]]; then\n\t\tword=''\n"
		     "\telif [[ $before == = ]]; then\n"
		     "\t\tbefore=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
		     "\tfor ((; index < COMP_CWORD; index++)); do\n"
		     "\t\tcase ${COMP_WORDS[index]} in\n"
		     "\t\t--)\n\t\t\tif declare -F _command_offset >/dev/null; then\n"
		     "\t\t\t\t_command_offset $((index + 1))\n"
		     "\t\t\telif ((COMP_CWORD == index + 1)); then\n"
		     "\t\t\t\tmapfile -t COMPREPLY < <(compgen -c -- \"$word\")\n"
		     "\t\t\tfi\n\t\t\treturn\n\t\t\t;;\n"
		     "\t\t-C | --directory | --color) [[ $command ]] || ((index++)) ;;\n"
		     "\t\t-*) ;;\n"
		     "\t\t*) [[ $command ]] || command=${COMP_WORDS[index]} ;;\n"
		     "\t\tesac\n\tdone\n\toptions='");
	add_bash_names(text, pgb_global_table);
	pgb_text_add(text, "'\n");
	add_bash_commands(text);
	pgb_text_add(text, "\tcase $command:$before in\n");
	add_bash_values(text, "*", pgb_global_table);
	for (size_t i = 0; pgb_commands[i]; i++)
		add_bash_values(text, pgb_commands[i]->name, pgb_commands[i]->options);
	pgb_text_add(text, "\t*) [[ $word == -* ]] && kind='words' words=$options ;;\n\tesac\n"
			   "\tcase $kind in\n"
			   "\tdirectory) mapfile -t COMPREPLY < <(compgen -d -- \"$word\") ;;\n"
			   "\tfile) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
			   "\tother) ;;\n"
			   "\t*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\") ;;\n"
			   "\tesac\n}\n"
			   "complete -o bashdefault -o default -F _pgobolt pgobolt\n");
}

/* ---- zsh */

/* In single quotes, where _arguments gives colons and brackets a meaning. */
static void add_zsh_text(struct pgb_text *text, const char *plain)
{
	for (; *plain; plain++) {
		if (*plain == '\'')
			pgb_text_add(text, "'\\''");
		else if (strchr(":[]\\", *plain))
			pgb_text_addf(text, "\\%c", *plain);
		else
			pgb_text_add_bytes(text, plain, 1);
	}
}

static void add_zsh_value(struct pgb_text *text, const struct pgb_option *option)
{
	enum value value = value_of(option);

	if (value == VALUE_NONE)
		return;
	pgb_text_add(text, ":");
	add_zsh_text(text, value == VALUE_CHOICE ? option->name : option->argument);
	pgb_text_add(text, ":");
	if (value == VALUE_CHOICE) {
		pgb_text_add(text, "(");
		add_words(text, option->choices);
		pgb_text_add(text, ")");
	} else if (value == VALUE_DIRECTORY) {
		pgb_text_add(text, "_directories");
	} else if (value == VALUE_FILE) {
		pgb_text_add(text, "_files");
	}
}

static void add_zsh_options(struct pgb_text *text, const char *indent,
			    const struct pgb_option *table)
{
	FOR_EACH_OPTION(option, table)
	{
		bool many =
			option->kind == PGB_OPTION_LIST || option->kind == PGB_OPTION_COMMA_LIST;
		/* -o VALUE and -oVALUE, --name VALUE and --name=VALUE */
		const char *mark = option->kind == PGB_OPTION_FLAG ? "" : "+";
		const char *long_mark = option->kind == PGB_OPTION_FLAG ? "" : "=";

		for (int i = option->letter ? 0 : 1; i < 2; i++) {
			pgb_text_addf(text, "%s'%s", indent, many ? "*" : "");
			if (i == 0)
				pgb_text_addf(text, "-%c%s", option->letter, mark);
			else
				pgb_text_addf(text, "--%s%s", option->name, long_mark);
			pgb_text_add(text, "[");
			add_zsh_text(text, option->help);
			pgb_text_add(text, "]");
			add_zsh_value(text, option);
			pgb_text_add(text, "' \\\n");
		}
	}
}

static void add_zsh_command(struct pgb_text *text, const struct pgb_command *command)
{
	struct pgb_text operands = {0};

	pgb_text_addf(text, "\t%s)\n\t\t_arguments -S \\\n", command->name);
	add_zsh_options(text, "\t\t\t", pgb_global_table);
	add_zsh_options(text, "\t\t\t", command->options);
	if (add_operands(&operands, command))
		pgb_text_addf(text, "\t\t\t'1:word:(%s)'\n", pgb_text_string(&operands));
	else
		pgb_text_add(text, "\t\t\t'*:file:_files'\n");
	pgb_text_add(text, "\t\t;;\n");
	pgb_text_release(&operands);
}

void pgb_help_zsh(struct pgb_text *text)
{
	pgb_text_add(text, "#compdef pgobolt\n"
			   "# zsh completion for pgobolt, made by: pgobolt help --format zsh\n"
			   "local curcontext=$curcontext state line\n"
			   "local -a commands\n\ncommands=(\n");
	for (size_t i = 0; pgb_commands[i]; i++) {
		pgb_text_addf(text, "\t'%s:", pgb_commands[i]->name);
		add_zsh_text(text, pgb_commands[i]->summary);
		pgb_text_add(text, "'\n");
	}
	pgb_text_add(text, ")\n_arguments -C -S \\\n");
	add_zsh_options(text, "\t", pgb_global_table);
	pgb_text_add(text, "\t'1:command:->command' \\\n\t'*::argument:->argument'\n"
			   "if [[ $state == command ]]; then\n"
			   "\t_describe command commands\n\treturn\nfi\n"
			   "case $line[1] in\n");
	for (size_t i = 0; pgb_commands[i]; i++)
		add_zsh_command(text, pgb_commands[i]);
	pgb_text_add(text, "esac\n");
}

/* ---- fish */

static void add_fish_text(struct pgb_text *text, const char *plain)
{
	for (; *plain; plain++) {
		if (*plain == '\'' || *plain == '\\')
			pgb_text_add(text, "\\");
		pgb_text_add_bytes(text, plain, 1);
	}
}

static void add_fish_options(struct pgb_text *text, const char *condition,
			     const struct pgb_option *table)
{
	FOR_EACH_OPTION(option, table)
	{
		enum value value = value_of(option);

		pgb_text_addf(text, "complete -c pgobolt%s -l %s", condition, option->name);
		if (option->letter)
			pgb_text_addf(text, " -s %c", option->letter);
		if (value == VALUE_CHOICE) {
			pgb_text_add(text, " -x -a '");
			add_words(text, option->choices);
			pgb_text_add(text, "'");
		} else if (value == VALUE_DIRECTORY) {
			pgb_text_add(text, " -x -a '(__fish_complete_directories)'");
		} else if (value == VALUE_FILE) {
			pgb_text_add(text, " -r -F");
		} else if (value == VALUE_OTHER) {
			pgb_text_add(text, " -x");
		}
		pgb_text_add(text, " -d '");
		add_fish_text(text, option->help);
		pgb_text_add(text, "'\n");
	}
}

void pgb_help_fish(struct pgb_text *text)
{
	pgb_text_add(text, "# fish completion for pgobolt, made by: pgobolt help --format fish\n");
	add_fish_options(text, "", pgb_global_table);
	for (size_t i = 0; pgb_commands[i]; i++) {
		const struct pgb_command *command = pgb_commands[i];
		struct pgb_text operands = {0};
		char *condition = pgb_format(" -n '__fish_seen_subcommand_from %s'", command->name);

		pgb_text_addf(text, "complete -c pgobolt -n __fish_use_subcommand -f -a %s -d '",
			      command->name);
		add_fish_text(text, command->summary);
		pgb_text_add(text, "'\n");
		add_fish_options(text, condition, command->options);
		if (add_operands(&operands, command))
			pgb_text_addf(text, "complete -c pgobolt%s -f -a '%s'\n", condition,
				      pgb_text_string(&operands));
		pgb_text_release(&operands);
		free(condition);
	}
}
