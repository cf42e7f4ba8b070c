/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <jansson.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/table.h"

/*
 * What usually lies behind a code and what to do: "cause|what to do|..". The test of this command
 * asks for every code.
 */
#define ADVICE(name) [PGB_E_##name - PGB_CODE_BASE]
static const char *const advice_on[PGB_CODE_END - PGB_CODE_BASE] = {
	ADVICE(USAGE) =
		"An option or command is misspelled, has no value, or an operand is missing."
		"|pgobolt help COMMAND lists what is accepted"
		"|options of the recorded program stand behind --: pgobolt record -- app -v",
	ADVICE(IO) = "The system refused to read or write: a directory or device where a file is "
		     "needed, a bad disk, a pipe that was closed."
		     "|the message names the file and the system's reason"
		     "|results are written under a temporary name first: nothing half-written is "
		     "left under the final one",
	ADVICE(NOT_FOUND) = "A path, program, process or function that was named does not exist."
			    "|check the spelling, and the folder: -C DIR starts elsewhere"
			    "|programs are looked up in PATH; llvm-bolt also by --llvm-bolt and "
			    "PGOBOLT_LLVM_BOLT: pgobolt doctor",
	ADVICE(EXISTS) = "Going on would overwrite an input or something that is not ours."
			 "|choose another output with -o"
			 "|two names may lead to one file: hard and symbolic links are followed",
	ADVICE(PERMISSION) =
		"The kernel, a security module, a container or the file's mode forbids it "
		"to "
		"this user."
		"|pgobolt doctor names each restriction and how to lift it"
		"|sysctl kernel.perf_event_paranoid=2 allows profiling of one's own programs"
		"|in a container: --cap-add PERFMON, and a seccomp profile that allows "
		"perf_event_open",
	ADVICE(UNSUPPORTED) =
		"The hardware, kernel, llvm-bolt or compiler lacks what was asked for."
		"|pgobolt doctor shows what is there"
		"|record -s auto takes the best source that works"
		"|virtual machines often hide the CPU's counters: -s instrument needs none",
	ADVICE(RESOURCE) =
		"A limit of the system was reached: open files, locked memory, disk space."
		"|open files: ulimit -n 65536"
		"|locked memory: sysctl kernel.perf_event_mlock_kb=2048, or ulimit -l"
		"|disk: df on the output's folder",
	ADVICE(CORRUPT) = "A file does not follow its format: damaged, edited, or of another kind."
			  "|the message names the line or offset and what was expected there"
			  "|pgobolt dump FILE says what a file is"
			  "|fdata allows no comments, blank lines or carriage returns",
	ADVICE(TRUNCATED) =
		"A file ends in the middle: its writer was stopped, or a copy broke off."
		"|make or copy it again; what is there cannot be trusted to be whole",
	ADVICE(LIMIT) = "Input is larger than a bound that keeps memory finite."
			"|the message names the bound"
			"|record for a shorter time, or fewer programs at once",
	ADVICE(MISMATCH) = "Two things do not belong together: a profile and another build of the "
			   "binary, "
			   "or profiles of different kinds."
			   "|record again with the binary that is to be optimized"
			   "|branch profiles and sample profiles (no_lbr) cannot be merged"
			   "|pgobolt dump shows the build-id of a binary and of a recording",
	ADVICE(EMPTY) = "There is nothing to work with: no samples were taken, or none fell into "
			"the "
			"binary."
			"|run the program longer, or with more work"
			"|a script or wrapper spends its time elsewhere: see the binaries of the "
			"recording with pgobolt dump DIR"
			"|sleeping programs take no samples: only time on a CPU counts",
	ADVICE(NOT_SUITABLE) =
		"The binary lacks what llvm-bolt needs, or was changed afterwards."
		"|link with -Wl,--emit-relocs (-Wl,-q), and do not strip before optimizing"
		"|gcc: add -fno-reorder-blocks-and-partition"
		"|Rust: RUSTFLAGS=\"-Clink-args=-Wl,-q\", strip = false in the profile"
		"|pgobolt verify BINARY lists every finding",
	ADVICE(TOOL) = "A program that pgobolt ran (llvm-bolt, a compiler, a profile tool) failed."
		       "|its last words are in the message; -v shows all of them"
		       "|another version may do: pgobolt doctor lists those installed",
	ADVICE(CHECK) = "The optimized binary was made, but a check of it failed. It is not kept."
			"|pgobolt verify NEW ORIGINAL lists what differs"
			"|try --preset safe, and report it: a wrong binary is a bug",
	ADVICE(GONE) = "A process ended before it could be followed."
		       "|check the process number: pgrep -a NAME"
		       "|let pgobolt start the program: pgobolt record -- PROGRAM",
	ADVICE(INTERRUPTED) =
		"A signal (Ctrl-C, SIGTERM) stopped the work."
		"|what was recorded until then is kept; other results are not written",
};

/* 0: no such code. Any case, with or without PGB_E_. */
static int code_named(const char *name)
{
	if (strncasecmp(name, "PGB_E_", 6) == 0)
		name += 6;
	for (int code = PGB_CODE_BASE + 1; code < PGB_CODE_END; code++)
		if (strcasecmp(pgb_code_name(code), name) == 0)
			return code;
	return 0;
}

static json_t *code_json(int code)
{
	const char *advice = advice_on[code - PGB_CODE_BASE];
	size_t length = strcspn(advice, "|");
	json_t *list = json_array();
	json_t *document =
		json_pack("{s:s, s:i, s:s, s:s%, s:o}", "code", pgb_code_name(code), "exit_status",
			  pgb_code_exit_status(code), "meaning", pgb_code_meaning(code), "cause",
			  advice, length, "advice", list);

	for (advice += length; *advice; advice += length) {
		length = strcspn(++advice, "|");
		json_array_append_new(list, json_stringn(advice, length));
	}
	return document;
}

static void print_code(struct pgb_output *output, int code)
{
	const char *advice = advice_on[code - PGB_CODE_BASE];
	size_t length = strcspn(advice, "|");
	char *cause = pgb_dup_bytes(advice, length);

	pgb_output_line(output, "%s%s%s: %s (exit status %d)",
			pgb_output_style(output, PGB_STYLE_BOLD), pgb_code_name(code),
			pgb_output_style(output, PGB_STYLE_PLAIN), pgb_code_meaning(code),
			pgb_code_exit_status(code));
	pgb_output_wrapped(output, "", 0, cause);
	free(cause);
	for (advice += length; *advice; advice += length) {
		char *line;

		length = strcspn(++advice, "|");
		line = pgb_dup_bytes(advice, length);
		pgb_output_wrapped(output, "  -", 4, line);
		free(line);
	}
}

static void list_codes(struct pgb_output *output)
{
	struct pgb_table table = {.columns = 3, .right = "-r-", .header = true};
	json_t *list = json_array();

	pgb_table_cell(&table, "CODE");
	pgb_table_cell(&table, "EXIT");
	pgb_table_cell(&table, "MEANING");
	for (int code = PGB_CODE_BASE + 1; code < PGB_CODE_END; code++) {
		pgb_table_cell(&table, "%s", pgb_code_name(code));
		pgb_table_cell(&table, "%d", pgb_code_exit_status(code));
		pgb_table_cell(&table, "%s", pgb_code_meaning(code));
		json_array_append_new(list, code_json(code));
	}
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	pgb_output_json(output, json_pack("{s:o}", "codes", list));
}

static int unknown_code(const char *name, struct pgb_error *error)
{
	PGB_ARRAY(const char *) names = {0};
	char *upper = pgb_dup(name);
	const char *near;

	for (char *at = upper; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	for (int code = PGB_CODE_BASE + 1; code < PGB_CODE_END; code++)
		pgb_array_push(&names, pgb_code_name(code));
	near = pgb_near_name(upper, names.items, names.count);
	pgb_array_release(&names);
	free(upper);
	pgb_fail(error, PGB_E_USAGE, "there is no error code '%s'", name);
	if (near)
		return pgb_remedy(error, "did you mean: pgobolt explain %s", near);
	return pgb_remedy(error, "for the list of codes: pgobolt explain");
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const char *name;
	int code;

	if (cli->arguments.operands.count == 0) {
		list_codes(&cli->output);
		return 0;
	}
	name = cli->arguments.operands.items[0];
	code = code_named(name);
	if (code == 0)
		return unknown_code(name, error);
	print_code(&cli->output, code);
	pgb_output_json(&cli->output, code_json(code));
	return 0;
}

static const struct pgb_example examples[] = {
	{"pgobolt explain", "the list of codes"},
	{"pgobolt explain MISMATCH", "what lies behind this one, and what to do"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_explain = {
	.name = "explain",
	.summary = "say what an error code means and what to do about it",
	.synopsis = "[CODE]",
	.description =
		"Errors have a code, which --json shows and which decides the exit status: 1 "
		"failed, 2 usage, 3 this machine or toolchain cannot do it. Without CODE: "
		"the list of codes.",
	.examples = examples,
	.operands_max = 1,
	.operand_name = "CODE",
	.run = run,
};
