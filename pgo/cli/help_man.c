/* SPDX-License-Identifier: MIT */
/* The man page, in the man(7) macros that groff and mandoc both know. */
#include "config.h"
#include "pgo/cli/help_formats.h"

struct named_text {
	const char *name, *text; /* name NULL ends the list */
};

static const struct named_text environment[] = {
	{"PGOBOLT_LLVM_BOLT", "the llvm-bolt to use where --llvm-bolt names none"},
	{"PGOBOLT_BINARY", "set by pgobolt for commands that it runs on a binary under test"},
	{"NO_COLOR", "when set and not empty: no colours unless --color asks for them"},
	{"TMPDIR", "where temporary files go that have no better place; default: /tmp"},
	{NULL, NULL},
};

static const struct named_text files[] = {
	{"pgobolt.data", "the recording that commands read and write where no other is named; "
			 "the one before it is kept as pgobolt.data.old"},
	{"BINARY.bolt", "what optimize writes"},
	{NULL, NULL},
};

static const struct named_text exit_statuses[] = {
	{"0", "done"},
	{"1", "failed"},
	{"2", "the command line is wrong"},
	{"3", "this machine or toolchain cannot do it"},
	{"125, 126, 127", "of record and train, which pass on the status of the program they run "
			  "(128 and the signal's number when it was killed): they failed "
			  "themselves, the program cannot be executed, it was not found"},
	{NULL, NULL},
};

/* Text that stands in a line: roff's backslash, and dashes that can be searched for and pasted. */
static void add_inline(struct pgb_text *text, const char *plain)
{
	for (; *plain; plain++) {
		if (*plain == '\\')
			pgb_text_add(text, "\\e");
		else if (*plain == '-')
			pgb_text_add(text, "\\-");
		else
			pgb_text_add_bytes(text, plain, 1);
	}
}

/* A line of its own: one that begins with a dot or an apostrophe would be a request. */
static void add_line(struct pgb_text *text, const char *plain)
{
	if (*plain == '.' || *plain == '\'')
		pgb_text_add(text, "\\&");
	add_inline(text, plain);
	pgb_text_add(text, "\n");
}

static void add_paragraphs(struct pgb_text *text, const char *plain)
{
	while (*plain) {
		const char *end = strstr(plain, "\n\n");
		size_t length = end ? (size_t)(end - plain) : strlen(plain);
		char *paragraph = pgb_dup_bytes(plain, length);

		pgb_text_add(text, ".PP\n");
		add_line(text, paragraph);
		free(paragraph);
		plain += length;
		plain += strspn(plain, "\n");
	}
}

static void add_bold(struct pgb_text *text, const char *plain)
{
	pgb_text_add(text, "\\fB");
	add_inline(text, plain);
	pgb_text_add(text, "\\fR");
}

static void add_option(struct pgb_text *text, const struct pgb_option *option)
{
	const char letter[] = {'-', option->letter, '\0'};

	pgb_text_add(text, ".TP\n");
	if (option->letter) {
		add_bold(text, letter);
		pgb_text_add(text, ", ");
	}
	pgb_text_add(text, "\\fB\\-\\-");
	add_inline(text, option->name);
	pgb_text_add(text, "\\fR");
	if (option->argument) {
		pgb_text_add(text, " \\fI");
		add_inline(text, option->argument);
		pgb_text_add(text, "\\fR");
	}
	for (size_t i = 0; option->choices && option->choices[i]; i++) {
		pgb_text_add(text, i ? "|" : " ");
		add_bold(text, option->choices[i]);
	}
	pgb_text_add(text, "\n");
	add_line(text, option->help);
}

static void add_options(struct pgb_text *text, const struct pgb_option *table)
{
	for (const struct pgb_option *option = table; option && option->name; option++)
		if (!option->hidden)
			add_option(text, option);
}

static void add_examples(struct pgb_text *text, const struct pgb_example *examples)
{
	pgb_text_add(text, ".PP\nExamples:\n");
	for (const struct pgb_example *example = examples; example->command; example++) {
		pgb_text_add(text, ".TP\n");
		add_bold(text, example->command);
		pgb_text_add(text, "\n");
		add_line(text, example->what);
	}
}

static void add_command(struct pgb_text *text, const struct pgb_command *command)
{
	bool has_options = command->options && command->options->name;

	pgb_text_add(text, ".SS \"");
	pgb_text_addf(text, "pgobolt %s\"\n", command->name);
	add_bold(text, "pgobolt ");
	add_bold(text, command->name);
	pgb_text_add(text, has_options ? " [options] " : " ");
	add_inline(text, command->synopsis);
	pgb_text_add(text, "\n.PP\n");
	pgb_text_addf(text, "%c",
		      command->summary[0] >= 'a' ? command->summary[0] - 'a' + 'A'
						 : command->summary[0]);
	add_inline(text, command->summary + 1);
	pgb_text_add(text, ".\n");
	add_paragraphs(text, command->description);
	add_options(text, command->options);
	add_examples(text, command->examples);
}

static void add_list(struct pgb_text *text, const char *title, const struct named_text *list)
{
	pgb_text_addf(text, ".SH %s\n", title);
	for (; list->name; list++) {
		pgb_text_add(text, ".TP\n");
		add_bold(text, list->name);
		pgb_text_add(text, "\n");
		add_line(text, list->text);
	}
}

static void add_codes(struct pgb_text *text)
{
	pgb_text_add(text, ".SH ERRORS\nErrors have a code, which \\fB\\-\\-json\\fR shows; "
			   "\\fBpgobolt explain\\fR \\fICODE\\fR says what lies behind it and "
			   "what to do.\n");
	for (int code = PGB_CODE_BASE + 1; code < PGB_CODE_END; code++) {
		pgb_text_addf(text, ".TP\n\\fB%s\\fR (exit status %d)\n", pgb_code_name(code),
			      pgb_code_exit_status(code));
		add_line(text, pgb_code_meaning(code));
	}
}

void pgb_help_man(struct pgb_text *text)
{
	pgb_text_addf(text,
		      ".\\\" Made from pgobolt's own tables: pgobolt help --format man\n"
		      ".TH PGOBOLT 1 \"\" \"%s %s\" \"User Commands\"\n"
		      ".SH NAME\npgobolt \\- make native programs faster from how they run\n"
		      ".SH SYNOPSIS\n.B pgobolt\n\\fICOMMAND\\fR [options] [\\-\\- "
		      "\\fIPROGRAM ARGS\\fR..]\n.SH DESCRIPTION\n",
		      PACKAGE_NAME, PACKAGE_VERSION);
	add_line(text, "Records the branches that a program takes, makes a BOLT profile of them, "
		       "has llvm-bolt lay the program out anew, checks the result and measures "
		       "whether it became faster.");
	pgb_text_add(text, ".PP\nThe commands, mostly in the order of use:\n");
	for (size_t i = 0; pgb_commands[i]; i++) {
		pgb_text_add(text, ".TP\n");
		add_bold(text, pgb_commands[i]->name);
		pgb_text_add(text, "\n");
		add_line(text, pgb_commands[i]->summary);
	}
	pgb_text_add(text, ".SH GLOBAL OPTIONS\nBefore or after the command.\n");
	add_options(text, pgb_global_table);
	pgb_text_add(text, ".SH COMMANDS\n");
	for (size_t i = 0; pgb_commands[i]; i++)
		add_command(text, pgb_commands[i]);
	add_list(text, "EXIT STATUS", exit_statuses);
	add_codes(text);
	add_list(text, "ENVIRONMENT", environment);
	add_list(text, "FILES", files);
	pgb_text_add(text, ".SH SEE ALSO\n.BR perf (1),\n.BR perf\\-record (1),\n.BR llvm\\-bolt "
			   "(1),\n.BR ptrace (2),\n.BR perf_event_open (2)\n");
}
