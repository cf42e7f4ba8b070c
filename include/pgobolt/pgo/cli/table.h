/* SPDX-License-Identifier: MIT */
/*
 * Aligned text: tables and key/value lists, and numbers for people.
 */
#ifndef PGOBOLT_PGO_CLI_TABLE_H
#define PGOBOLT_PGO_CLI_TABLE_H

#include <stdint.h>

#include "pgobolt/base/array.h"
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

/*
 * Numbers for people, three significant digits; PGB_COUNT(n) in the arguments of one call:
 *	count 999, 1.20 k, 34.5 M	size 512 B, 3.40 MiB
 *	percent 0.04%, 12.3%		duration 120 ns, 3.40 ms, 12.3 s, 2 min 5 s, 3 h 20 min
 */
struct pgb_number {
	char text[32];
};
#define PGB_COUNT(value)    (pgb_number_count(value).text)
#define PGB_SIZE(value)	    (pgb_number_size(value).text)
#define PGB_PERCENT(value)  (pgb_number_percent(value).text)
#define PGB_DURATION(value) (pgb_number_duration(value).text)
struct pgb_number pgb_number_count(uint64_t count);
struct pgb_number pgb_number_size(uint64_t size_bytes);
struct pgb_number pgb_number_percent(double percent);
struct pgb_number pgb_number_duration(uint64_t time_ns);

#endif
