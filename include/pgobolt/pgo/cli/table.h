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
/* A result: nothing with --json. The last column is not padded. Rows must be whole. */
void pgb_table_print(const struct pgb_table *table, struct pgb_output *output);
void pgb_table_release(struct pgb_table *table);

/* Names come from files: control characters, which a terminal would obey, become question marks. */
void pgb_text_printable(char *text);
/* Columns that UTF-8 text takes on a terminal; invalid bytes count one each. */
size_t pgb_text_columns(const char *text);

#endif
