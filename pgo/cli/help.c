/* SPDX-License-Identifier: MIT */
/* Help texts, printed from the tables of commands and options. */
#include "config.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/table.h"

#define TEXT_WIDTH_MOST 100
#define OPTION_COLUMN	30

static size_t text_width(const struct pgb_output *output)
{
	return output->width < TEXT_WIDTH_MOST ? output->width : TEXT_WIDTH_MOST;
}

/* Words of `text` in lines of the given width; the first line goes on behind `first`. */
static void print_wrapped(struct pgb_output *output, const char *first, size_t indent,
			  const char *text)
{
	size_t width = text_width(output), column = pgb_text_columns(first);
	struct pgb_text line = {0};
	bool empty = true;

	pgb_text_add(&line, first);
	for (; column < indent; column++)
		pgb_text_add(&line, " ");
	while (*text) {
		size_t length = strcspn(text, " \n");

		if (!empty && column + 1 + length > width) {
			pgb_output_line(output, "%s", pgb_text_string(&line));
			line.length = 0;
			for (column = 0; column < indent; column++)
				pgb_text_add(&line, " ");
			empty = true;
		}
		if (!empty)
			pgb_text_add(&line, " ");
		pgb_text_add_bytes(&line, text, length);
		column += length + !empty;
		empty = false;
		text += length;
		text += strspn(text, " \n");
	}
	pgb_output_line(output, "%s", pgb_text_string(&line));
	pgb_text_release(&line);
}

static void print_paragraphs(struct pgb_output *output, const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t length = end ? (size_t)(end - text) : strlen(text);
		char *paragraph = pgb_dup_bytes(text, length);

		print_wrapped(output, "", 0, paragraph);
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
	print_wrapped(output, pgb_text_string(&left), OPTION_COLUMN, option->help);
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
		print_wrapped(output, "", 6, example->what);
	}
}

void pgb_help_command(struct pgb_output *output, const struct pgb_command *command)
{
	bool has_options = command->options && command->options->name;

	pgb_output_line(output, "pgobolt %s: %s", command->name, command->summary);
	pgb_output_line(output, "%s", "");
	print_title(output, "USAGE");
	pgb_output_line(output, "  pgobolt %s%s%s%s", command->name,
			has_options ? " [options]" : "", command->synopsis[0] ? " " : "",
			command->synopsis);
	pgb_output_line(output, "%s", "");
	print_paragraphs(output, command->description);
	print_options(output, "OPTIONS", command->options);
	print_options(output, "GLOBAL OPTIONS", pgb_global_options);
	print_examples(output, command->examples);
}

void pgb_help_overview(struct pgb_output *output)
{
	struct pgb_table table = {.columns = 2, .indent = 2};

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
	print_options(output, "GLOBAL OPTIONS, before or after the command", pgb_global_options);
	print_title(output, "EXAMPLES");
	pgb_output_line(output, "  pgobolt doctor                  what works on this machine");
	pgb_output_line(output, "  pgobolt record -- ./app ARGS    profile a run");
	pgb_output_line(output,
			"  pgobolt optimize                write app.bolt, faster and verified");
	pgb_output_line(output, "%s", "");
	pgb_output_line(output, "For one command: pgobolt help COMMAND");
}
