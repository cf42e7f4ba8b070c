/* SPDX-License-Identifier: MIT */
/*
 * The edges of one binary as a recording stores them: text, versioned, sorted, deterministic.
 *
 *	pgobolt-edges 1
 *	build-id a05de386...		or "code-hash 0123..." where there is none
 *	name haswell_loop
 *	source lbr
 *	event cycles:u
 *	edges 3				number of lines that follow
 *	T 401136 401120 401134 17 2	branch from to count mispredicts
 *	B 401136 401120 1 0		branch from count mispredicts
 *	N 40112e 401130 5		branch next count
 *	I 401122 4			address count
 *
 * Addresses in hex without 0x; "x" stands for PGB_ADDRESS_EXTERNAL and "-" for
 * PGB_ADDRESS_NONE. Names are escaped like fdata names (a backslash before space and backslash).
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
	char *name;   /* base name of the binary; owned */
	char *source; /* "ip", "lbr", ..; owned */
	char *event;  /* owned */
};

void pgb_edge_file_head_release(struct pgb_edge_file_head *head);

/* Write the edges of `binary` (an index into `edges`) to `path`, whole or not at all. */
int pgb_edge_file_write(const char *path, const struct pgb_edge_file_head *head,
			struct pgb_edges *edges, uint32_t binary, struct pgb_error *error);

/*
 * Add the edges of a stored file to `edges` under the number `binary`, counts times `weight`.
 * `head` is filled and owned by the caller. `what` names the input in messages.
 * Errors: PGB_E_CORRUPT with the line's number, PGB_E_TRUNCATED, PGB_E_UNSUPPORTED (version).
 */
int pgb_edge_file_read(struct pgb_cursor bytes, const char *what, uint64_t weight,
		       struct pgb_edge_file_head *head, struct pgb_edges *edges, uint32_t binary,
		       struct pgb_error *error);

#endif
