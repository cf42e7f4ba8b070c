/* SPDX-License-Identifier: MIT */
/*
 * Everything that pgobolt prints.
 *
 * Three kinds: results (text on stdout, or one JSON document there with --json), remarks to the
 * person at the terminal (same place, left out with -q and --json), and errors and warnings
 * (stderr; errors are the JSON document with --json).
 * Colour and Unicode marks only where they are wanted: see pgb_output_init().
 */
#ifndef PGOBOLT_PGO_CLI_OUTPUT_H
#define PGOBOLT_PGO_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/bolt/verify.h"
#include "pgobolt/pgo/json.h"

struct json_t; /* jansson's */
struct pgb_progress;

enum pgb_color { PGB_COLOR_AUTO, PGB_COLOR_ALWAYS, PGB_COLOR_NEVER };

enum pgb_style {
	PGB_STYLE_PLAIN,
	PGB_STYLE_BOLD,
	PGB_STYLE_DIM,
	PGB_STYLE_GREEN,
	PGB_STYLE_YELLOW,
	PGB_STYLE_RED,
	PGB_STYLE_CYAN,
};

struct pgb_output {
	FILE *people; /* results as text, and remarks: stdout, or see pgb_output_use_stderr() */
	FILE *stdout_stream, *stderr_stream;
	bool json, quiet, verbose;
	enum pgb_color color;
	bool unicode;	    /* the locale is UTF-8 */
	unsigned int width; /* columns; 80 where there is no terminal */
	bool printed;	    /* something stands on `people` already */
	bool document_written;
	struct pgb_progress *progress; /* a line to erase before anything is printed; or NULL */
	struct pgb_log log;	       /* hand this down; it prints here */
};

/*
 * `output` zeroed but for json, quiet, verbose and color. AUTO colours a stream that is a
 * terminal, unless NO_COLOR is set and not empty or TERM is "dumb". Streams are the process's own.
 * The object must not move afterwards: `log` points to it.
 */
void pgb_output_init(struct pgb_output *output);

/* Text for people goes to stderr from now on: stdout belongs to the program that is run. */
void pgb_output_use_stderr(struct pgb_output *output);

/* A line of the result; nothing with --json. The newline is added. */
__attribute__((format(printf, 2, 3))) void pgb_output_line(struct pgb_output *output,
							   const char *format, ...);
/* A remark; nothing with --json or -q. */
__attribute__((format(printf, 2, 3))) void pgb_output_note(struct pgb_output *output,
							   const char *format, ...);
/*
 * Words of `text` in lines of the terminal's width, at most 100; `first` stands before the first
 * line, the others begin in column `indent`. A result.
 */
void pgb_output_wrapped(struct pgb_output *output, const char *first, size_t indent,
			const char *text);
/* A bold heading with a blank line before it, unless it is the first thing printed. */
void pgb_output_heading(struct pgb_output *output, const char *heading);
/* "Next: pgobolt optimize": the command to type now; a remark. */
__attribute__((format(printf, 2, 3))) void pgb_output_next(struct pgb_output *output,
							   const char *format, ...);
/* The same, of words that are quoted where a shell needs it; NULL-terminated. */
void pgb_output_next_command(struct pgb_output *output, const char *const *argv);
__attribute__((format(printf, 2, 3))) void pgb_output_warning(struct pgb_output *output,
							      const char *format, ...);
/* "pgobolt: what failed" and the remedy's lines on stderr; or the JSON document. */
void pgb_output_error(struct pgb_output *output, const struct pgb_error *error);

/* Print the command's one JSON document (takes the reference). Without --json: drops it. */
void pgb_output_json(struct pgb_output *output, struct json_t *document);

/*
 * Were all results written? To be asked last, once: flushes stdout. PGB_E_IO, PGB_E_RESOURCE
 * (a full disk).
 */
int pgb_output_finish(struct pgb_output *output, struct pgb_error *error);

/* Escape sequences for a style on `people`; "" where colour is off. End with STYLE_PLAIN. */
const char *pgb_output_style(const struct pgb_output *output, enum pgb_style style);

/*
 * One line for a finding: mark (Unicode or ASCII) and message; below it the remedy, indented,
 * each line of it. With -q only warnings and errors.
 */
void pgb_output_finding(struct pgb_output *output, const struct pgb_finding *finding);
void pgb_output_findings(struct pgb_output *output, const struct pgb_findings *findings);

#endif
