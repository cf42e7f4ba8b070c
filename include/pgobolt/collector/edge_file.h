/* SPDX-License-Identifier: MIT */
/*
 * The edges of one binary as a recording stores them: text, versioned, sorted, deterministic.
 *
 *	pgobolt-edges 1
 *	build-id a05de386...		or "code-hash 0123456789abcdef" where there is none
 *	name haswell_loop
 *	source lbr
 *	event cycles:u
 *	edges 4				number of lines that follow
 *	T 401136 401120 401134 17 2	branch from to count mispredicts
 *	B 401136 401120 1 0		branch from count mispredicts
 *	N 40112e 401130 5 1		branch next count mispredicts
 *	I 401122 4			address count
 *	R 401136 401120 401134 17 2	as T, branch is a return
 *	f 401120 401134 5		from to count, entered from outside
 *
 * One letter for each pgb_edge_kind. Addresses in hex without 0x; "x" stands for
 * PGB_ADDRESS_EXTERNAL and "-" for PGB_ADDRESS_NONE. Counts in decimal, below 2^64. Fields are
 * separated by one space, every line ends in \n. Names: a backslash before space and backslash, \n
 * for a newline.
 */
#ifndef PGOBOLT_COLLECTOR_EDGE_FILE_H
#define PGOBOLT_COLLECTOR_EDGE_FILE_H

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/binary.h"
#include "pgobolt/collector/edges.h"

#define PGB_EDGE_FILE_VERSION 1

struct pgb_edge_file_head {
	struct pgb_build_id build_id; /* size 0: code_hash identifies */
	uint64_t code_hash;
	char *name;   /* base name of the binary; owned; NULL is written as "" */
	char *source; /* "ip", "lbr", ..; owned */
	char *event;  /* owned */
};

void pgb_edge_file_head_release(struct pgb_edge_file_head *head);

/*
 * Write the edges of `binary` (an index into `edges`) to `path`, whole or not at all. No edges
 * are a file as well. Errors as pgb_out_open() and pgb_out_commit().
 */
int pgb_edge_file_write(const char *path, const struct pgb_edge_file_head *head,
			struct pgb_edges *edges, uint32_t binary, struct pgb_error *error);

/*
 * Add the edges of a stored file to `edges` under the number `binary`, counts times `weight`.
 * `head` is filled and, whatever is returned, owned by the caller. `what` names the input in
 * messages.
 * Errors: PGB_E_CORRUPT with the line's number (also: no edge file at all), PGB_E_TRUNCATED (cut at
 * any byte), PGB_E_UNSUPPORTED (version). Edges ahead of the error have been added.
 */
int pgb_edge_file_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		       struct pgb_edge_file_head *head, struct pgb_edges *edges, uint32_t binary,
		       struct pgb_error *error);

#endif
