/* SPDX-License-Identifier: MIT */
/* Private to cmd_dump.c and dump_*.c: one function for each kind of file. */
#ifndef PGOBOLT_PGO_CLI_DUMP_H
#define PGOBOLT_PGO_CLI_DUMP_H

#include <jansson.h>

#include "pgobolt/pgo/cli/output.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/input.h"

struct dump {
	struct pgb_output *output;
	const char *path;
	enum pgb_input_kind kind;
	uint64_t limit; /* rows of each list; 0: all */
};

int pgb_dump_recording(const struct dump *dump, struct pgb_error *error);
int pgb_dump_elf(const struct dump *dump, struct pgb_error *error);
int pgb_dump_fdata(const struct dump *dump, struct pgb_error *error);
int pgb_dump_edges(const struct dump *dump, struct pgb_error *error);
int pgb_dump_preagg(const struct dump *dump, struct pgb_error *error);
int pgb_dump_perf_data(const struct dump *dump, struct pgb_error *error);
/* The same from memory. */
int pgb_dump_perf_bytes(const struct dump *dump, struct pgb_cursor bytes, struct pgb_error *error);

/* Rows to print of a list of `count`. */
size_t pgb_dump_rows(const struct dump *dump, size_t count);
/* "20 of 1300; --limit 0 shows all", where some were left out. */
void pgb_dump_left_out(const struct dump *dump, size_t count);
/* "PATH: fdata profile", the first line of every dump. */
void pgb_dump_title(const struct dump *dump, const char *more);
/* {"file": PATH, "kind": "fdata profile"}, to be filled and printed. */
json_t *pgb_dump_document(const struct dump *dump);
/* "0x401136", and a number that fits JSON's readers; the caller owns them. */
json_t *pgb_dump_address(uint64_t address);
json_t *pgb_dump_count(uint64_t count);
/* The heading row of a table. */
void pgb_dump_heads(struct pgb_table *table, const char *const *heads);
/* "12.3%", or "-" of nothing. */
struct pgb_number pgb_dump_share(uint64_t part, uint64_t whole);

#endif
