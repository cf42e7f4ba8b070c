/* SPDX-License-Identifier: MIT */
/*
 * The commands, as constant tables: one cmd_NAME.c each with one struct pgb_command in it, listed
 * in commands.c. `--help`, man pages and completion are printed from these.
 */
#ifndef PGOBOLT_PGO_CLI_COMMANDS_H
#define PGOBOLT_PGO_CLI_COMMANDS_H

#include "pgobolt/base/error.h"
#include "pgobolt/pgo/cli/options.h"
#include "pgobolt/pgo/cli/output.h"

struct pgb_command;

/* One run of one command. */
struct pgb_cli {
	const struct pgb_command *command;
	const void *options; /* the command's own options struct, filled in */
	struct pgb_arguments arguments;
	struct pgb_output output;
};

/* A line of the EXAMPLES block. */
struct pgb_example {
	const char *command; /* as one would type it; NULL ends the list */
	const char *what;
};

struct pgb_command {
	const char *name;
	const char *summary;	 /* one line for the overview: "profile a program" */
	const char *synopsis;	 /* what follows the options: "INPUT.. -o OUT"; may be "" */
	const char *description; /* paragraphs divided by \n\n, wrapped when printed */
	const struct pgb_option *options;
	size_t options_size;  /* of the options struct .. */
	const void *defaults; /* .. and its initial content; NULL: all zero */
	const struct pgb_example *examples;
	unsigned int operands_min, operands_max; /* checked before run(); max UINT_MAX: any */
	bool takes_program;	  /* `-- PROGRAM ARGS` or `-- OPTIONS`; refused elsewhere */
	const char *operand_name; /* what is missing when there are too few: "INPUT" */
	/*
	 * 0, or a positive exit status of its own choice (nothing more is printed), or a negative
	 * enum pgb_code with `error` filled: main prints it, the exit status follows from the code.
	 */
	int (*run)(struct pgb_cli *cli, struct pgb_error *error);
};

extern const struct pgb_command pgb_command_bench;
extern const struct pgb_command pgb_command_build;
extern const struct pgb_command pgb_command_clean;
extern const struct pgb_command pgb_command_convert;
extern const struct pgb_command pgb_command_doctor;
extern const struct pgb_command pgb_command_dump;
extern const struct pgb_command pgb_command_explain;
extern const struct pgb_command pgb_command_help;
extern const struct pgb_command pgb_command_merge;
extern const struct pgb_command pgb_command_optimize;
extern const struct pgb_command pgb_command_record;
extern const struct pgb_command pgb_command_report;
extern const struct pgb_command pgb_command_run;
extern const struct pgb_command pgb_command_status;
extern const struct pgb_command pgb_command_train;
extern const struct pgb_command pgb_command_verify;

/* In the order of the overview; NULL-terminated. */
extern const struct pgb_command *const pgb_commands[];

/* Options that every command takes, and their table. */
struct pgb_global_options {
	bool verbose, quiet, json, help, version;
	int color; /* enum pgb_color */
	const char *directory;
};
extern const struct pgb_option pgb_global_table[];

/* NULL: there is none. */
const struct pgb_command *pgb_command_find(const char *name);
/* PGB_E_USAGE "unknown command", with the nearest one in the remedy. */
int pgb_command_unknown(const char *name, struct pgb_error *error);

/* Print a command's help, or the overview, as text or as JSON: names, options, examples. */
void pgb_help_command(struct pgb_output *output, const struct pgb_command *command);
void pgb_help_overview(struct pgb_output *output);

/*
 * Exit status of a command that passes on its program's: what env(1) and timeout(1) do.
 * Own failures 125; `starting` the program: 126 cannot execute, 127 not found. Usage (2) and what
 * this machine cannot do (3) stay as they are as long as nothing was started.
 */
int pgb_exit_status_of_runner(int code, bool starting, bool started);

#endif
