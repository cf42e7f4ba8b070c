/* SPDX-License-Identifier: MIT */
/*
 * Option tables and the parser that reads argv by them. Help, man pages and shell completion are
 * printed from the same tables.
 *
 * A command has a plain struct for its options; a row says where in that struct its value goes
 * (offsetof), so tables are constant:
 *
 *	struct merge_options { const char *output; struct pgb_option_list weights; };
 *	static const struct pgb_option merge_table[] = {
 *		{.letter = 'o', .name = "output", .kind = PGB_OPTION_STRING, .argument = "OUT",
 *		 .offset = offsetof(struct merge_options, output), .help = "write to OUT"},
 *		{.name = NULL}};
 *
 * Accepted: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -abc for flags, options and operands in
 * any order; `--` ends the options. No abbreviations: a script must not break when an option is
 * added. An unknown name is answered with the nearest known one.
 */
#ifndef PGOBOLT_PGO_CLI_OPTIONS_H
#define PGOBOLT_PGO_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"

enum pgb_option_kind {
	PGB_OPTION_FLAG,       /* bool: set to true */
	PGB_OPTION_STRING,     /* const char *: the last one given holds; borrowed from argv */
	PGB_OPTION_LIST,       /* struct pgb_option_list: one item for each use */
	PGB_OPTION_COMMA_LIST, /* struct pgb_option_list: items also separated by commas */
	PGB_OPTION_UNSIGNED,   /* uint64_t: 5000, 10k, 2M, 1G (powers of 1000) */
	PGB_OPTION_SIZE,       /* uint64_t, bytes: 4096, 64K, 64KiB, 1M, 2G (powers of 1024) */
	PGB_OPTION_DURATION,   /* uint64_t, ns: 10 or 10s, 500ms, 2m, 1.5h */
	PGB_OPTION_PERCENT,    /* double: 10, 10%, 0.5% */
	PGB_OPTION_CHOICE,     /* int: index into choices */
	PGB_OPTION_KINDS
};

struct pgb_option {
	const char *name; /* long name without dashes; NULL ends a table */
	char letter;	  /* short name; 0: none */
	bool hidden;	  /* left out of the help text */
	enum pgb_option_kind kind;
	size_t offset;		    /* of the value in the command's options struct */
	const char *argument;	    /* how the help names the value: "DIR"; NULL for flags */
	const char *help;	    /* one sentence without a full stop; says the default */
	const char *const *choices; /* CHOICE: the words, NULL-terminated */
	/* Numbers are refused outside these bounds; maximum 0: none (PERCENT: 100). */
	uint64_t minimum, maximum;
};

struct pgb_option_item {
	char *value;		/* owned by the list */
	size_t operands_before; /* number of operands that stand before it on the command line */
};

struct pgb_option_list {
	PGB_ARRAY(struct pgb_option_item) items;
};

/* What is left of argv besides options. Strings are borrowed from argv. */
struct pgb_arguments {
	PGB_ARRAY(const char *) operands;
	const char *const *program; /* what stands behind `--`, NULL-terminated; NULL: no `--` */
};

/* A table and the struct that its rows fill. */
struct pgb_option_set {
	const struct pgb_option *table;
	void *values;
};

/*
 * Parse `argv` (NULL-terminated, without the program's name). Each set is asked in turn, so that
 * global options are known beside a command's own. With `stop_at_operand` parsing ends at the
 * first operand (the command's name) and *consumed tells how many words were read; `consumed` may
 * be NULL otherwise.
 * PGB_E_USAGE: unknown option (the remedy names the nearest), missing or malformed value.
 */
int pgb_options_parse(const struct pgb_option_set *sets, size_t set_count, const char *const *argv,
		      bool stop_at_operand, struct pgb_arguments *arguments, size_t *consumed,
		      struct pgb_error *error);

/* Free the lists that a table's rows own, and what `arguments` holds. */
void pgb_options_release(const struct pgb_option *table, void *values);
void pgb_arguments_release(struct pgb_arguments *arguments);

/* Values as the options read them; for what comes as operands or list items. */
int pgb_parse_unsigned(const char *text, uint64_t *value, struct pgb_error *error);
int pgb_parse_size(const char *text, uint64_t *size_bytes, struct pgb_error *error);
int pgb_parse_duration(const char *text, uint64_t *time_ns, struct pgb_error *error);
int pgb_parse_percent(const char *text, double *percent, struct pgb_error *error);

/*
 * The name (of `count`) that `wanted` was most likely meant to be; NULL where none is near.
 * Edit distance with transpositions, at most a third of the length; or a unique beginning.
 */
const char *pgb_near_name(const char *wanted, const char *const *names, size_t count);

#endif
