/* SPDX-License-Identifier: MIT */
/* Help texts, printed from the tables of commands and options. */
#include <jansson.h>

#include "config.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/table.h"

#define OPTION_COLUMN 30

static void print_paragraphs(struct pgb_output *output, const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t length = end ? (size_t)(end - text) : strlen(text);
		char *paragraph = pgb_dup_bytes(text, length);

		pgb_output_wrapped(output, "", 0, paragraph);
		pgb_output_line(output, "%s", "");
		free(paragraph);
		text += length;
		text += strspn(text, "\n");
	}
}

static void print_title(struct pgb_output *output, const char *title)
{
	pgb_output_line(output, "%s%s%s", pgb_output_style(output, PGB_STYLE_BOLD), title,
			pgb_output_style(output, PGB_STYLE_PLAIN));
}

static void add_choices(struct pgb_text *text, const struct pgb_option *option)
{
	for (size_t i = 0; option->choices[i]; i++)
		pgb_text_addf(text, "%s%s", i ? "|" : "", option->choices[i]);
}

static void print_option(struct pgb_output *output, const struct pgb_option *option)
{
	struct pgb_text left = {0};

	if (option->letter)
		pgb_text_addf(&left, "  -%c, --%s", option->letter, option->name);
	else
		pgb_text_addf(&left, "      --%s", option->name);
	if (option->kind != PGB_OPTION_FLAG)
		pgb_text_add(&left, " ");
	if (option->kind == PGB_OPTION_CHOICE)
		add_choices(&left, option);
	else if (option->kind != PGB_OPTION_FLAG)
		pgb_text_add(&left, option->argument);
	if (left.length + 2 > OPTION_COLUMN) {
		pgb_output_line(output, "%s", left.data);
		left.length = 0;
		left.data[0] = '\0';
	}
	pgb_output_wrapped(output, pgb_text_string(&left), OPTION_COLUMN, option->help);
	pgb_text_release(&left);
}

static void print_options(struct pgb_output *output, const char *title,
			  const struct pgb_option *table)
{
	if (table == NULL || table->name == NULL)
		return;
	print_title(output, title);
	for (const struct pgb_option *row = table; row->name; row++)
		if (!row->hidden)
			print_option(output, row);
	pgb_output_line(output, "%s", "");
}

static void print_examples(struct pgb_output *output, const struct pgb_example *examples)
{
	print_title(output, "EXAMPLES");
	for (const struct pgb_example *example = examples; example->command; example++) {
		pgb_output_line(output, "  %s", example->command);
		pgb_output_wrapped(output, "", 6, example->what);
	}
}

static json_t *options_json(const struct pgb_option *table)
{
	static const char *const kinds[PGB_OPTION_KINDS] = {
		[PGB_OPTION_FLAG] = "flag",	    [PGB_OPTION_STRING] = "string",
		[PGB_OPTION_LIST] = "list",	    [PGB_OPTION_COMMA_LIST] = "comma-list",
		[PGB_OPTION_UNSIGNED] = "unsigned", [PGB_OPTION_SIZE] = "size",
		[PGB_OPTION_DURATION] = "duration", [PGB_OPTION_PERCENT] = "percent",
		[PGB_OPTION_CHOICE] = "choice",
	};
	json_t *list = json_array();

	for (const struct pgb_option *row = table; row && row->name; row++) {
		json_t *option = json_pack("{s:s, s:s, s:s}", "name", row->name, "kind",
					   kinds[row->kind], "help", row->help);

		if (row->hidden) {
			json_decref(option);
			continue;
		}
		if (row->letter)
			json_object_set_new(option, "letter", json_stringn(&row->letter, 1));
		if (row->argument)
			json_object_set_new(option, "argument", json_string(row->argument));
		for (size_t i = 0; row->kind == PGB_OPTION_CHOICE && row->choices[i]; i++) {
			if (i == 0)
				json_object_set_new(option, "choices", json_array());
			json_array_append_new(json_object_get(option, "choices"),
					      json_string(row->choices[i]));
		}
		json_array_append_new(list, option);
	}
	return list;
}

static json_t *command_json(const struct pgb_command *command)
{
	json_t *examples = json_array();

	for (const struct pgb_example *example = command->examples; example->command; example++)
		json_array_append_new(examples, json_pack("{s:s, s:s}", "command", example->command,
							  "what", example->what));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", command->name, "summary",
			 command->summary, "synopsis", command->synopsis, "description",
			 command->description, "options", options_json(command->options),
			 "examples", examples);
}

static json_t *help_json(const struct pgb_command *command)
{
	json_t *list;

	if (command)
		return command_json(command);
	list = json_array();
	for (size_t i = 0; pgb_commands[i]; i++)
		json_array_append_new(list, command_json(pgb_commands[i]));
	return json_pack("{s:s, s:o, s:o}", "version", PACKAGE_VERSION, "commands", list,
			 "global_options", options_json(pgb_global_table));
}

void pgb_help_command(struct pgb_output *output, const struct pgb_command *command)
{
	bool has_options = command->options && command->options->name;

	pgb_output_json(output, help_json(command));
	pgb_output_line(output, "pgobolt %s: %s", command->name, command->summary);
	pgb_output_line(output, "%s", "");
	print_title(output, "USAGE");
	pgb_output_line(output, "  pgobolt %s%s%s%s", command->name,
			has_options ? " [options]" : "", command->synopsis[0] ? " " : "",
			command->synopsis);
	pgb_output_line(output, "%s", "");
	print_paragraphs(output, command->description);
	print_options(output, "OPTIONS", command->options);
	print_options(output, "GLOBAL OPTIONS", pgb_global_table);
	print_examples(output, command->examples);
}

void pgb_help_overview(struct pgb_output *output)
{
	struct pgb_table table = {.columns = 2, .indent = 2};

	pgb_output_json(output, help_json(NULL));
	pgb_output_line(output,
			"%s %s: faster binaries from profiles: branches in, fdata out, "
			"llvm-bolt driven and checked",
			PACKAGE_NAME, PACKAGE_VERSION);
	pgb_output_line(output, "%s", "");
	print_title(output, "USAGE");
	pgb_output_line(output, "  pgobolt COMMAND [options] [-- PROGRAM ARGS..]");
	pgb_output_line(output, "%s", "");
	print_title(output, "COMMANDS");
	for (size_t i = 0; pgb_commands[i]; i++) {
		pgb_table_cell(&table, "%s", pgb_commands[i]->name);
		pgb_table_cell(&table, "%s", pgb_commands[i]->summary);
	}
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	pgb_output_line(output, "%s", "");
	print_options(output, "GLOBAL OPTIONS, before or after the command", pgb_global_table);
	print_title(output, "EXAMPLES");
	pgb_output_line(output, "  pgobolt doctor                  what works on this machine");
	pgb_output_line(output, "  pgobolt record -- ./app ARGS    profile a run");
	pgb_output_line(output,
			"  pgobolt optimize                write app.bolt, faster and verified");
	pgb_output_line(output, "%s", "");
	pgb_output_line(output, "For one command: pgobolt help COMMAND");
}
