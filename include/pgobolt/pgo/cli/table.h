/* SPDX-License-Identifier: MIT */
/*
 * Aligned text: tables and key/value lists.
 */
#ifndef PGOBOLT_PGO_CLI_TABLE_H
#define PGOBOLT_PGO_CLI_TABLE_H

#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/number.h"
#include "pgobolt/pgo/cli/output.h"

/*
 * struct pgb_table table = {.columns = 3, .right = "-rr", .header = true};
 * pgb_table_cell(&table, "%s", name); ...	row by row, left to right
 * pgb_table_print(&table, output);
 * pgb_table_release(&table);
 * A list of keys and values is a table of two columns without a header.
 */
struct pgb_table {
	unsigned int columns;
	const char *right; /* a letter per column: 'r' aligns right, else left; NULL: all left */
	bool header;	   /* the first row is a heading */
	unsigned int indent;
	PGB_ARRAY(char *) cells;
};

__attribute__((format(printf, 2, 3))) void pgb_table_cell(struct pgb_table *table,
							  const char *format, ...);
/* A row of a list of keys and values. */
__attribute__((format(printf, 3, 4))) void pgb_table_pair(struct pgb_table *table, const char *key,
							  const char *format, ...);
/* A result: nothing with --json. The last column is not padded. Rows must be whole. */
void pgb_table_print(const struct pgb_table *table, struct pgb_output *output);
void pgb_table_release(struct pgb_table *table);

/* A share of 0 to 1 as a bar of at most PGB_BAR_COLUMNS: block characters, or # where the locale
 * has none. Something is to be seen of every share above 0. PGB_BAR(output, share) in arguments. */
#define PGB_BAR_COLUMNS 12
struct pgb_bar {
	char text[3 * PGB_BAR_COLUMNS + 1];
};
#define PGB_BAR(output, share) (pgb_bar(output, share).text)
struct pgb_bar pgb_bar(const struct pgb_output *output, double share);

/* Names come from files: control characters, which a terminal would obey, become question marks. */
void pgb_text_printable(char *text);
/* Columns that UTF-8 text takes on a terminal; invalid bytes count one each. */
size_t pgb_text_columns(const char *text);

#endif
