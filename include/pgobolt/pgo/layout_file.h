/* SPDX-License-Identifier: MIT */
/*
 * layout.json of a recording: where the code of the binaries that were optimized from it lay, and
 * where llvm-bolt put it; for report. doc/json.md describes it.
 */
#ifndef PGOBOLT_PGO_LAYOUT_FILE_H
#define PGOBOLT_PGO_LAYOUT_FILE_H

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/layout.h"

#define PGB_LAYOUT_FILE "layout.json"

struct json_t; /* jansson's */

/* All borrowed. */
struct pgb_layout_file_job {
	const char *recording;	  /* its folder */
	const char *fdata;	  /* the profile that was used */
	const char *binary;	  /* the original .. */
	const char *output;	  /* .. and what llvm-bolt made of it .. */
	const char *command_line; /* .. with this, as pgb_llvm_bolt_result has it */
	unsigned int timeout_s;
};

/*
 * Run llvm-bolt once more, with -enable-bat and without debug information, into a temporary file
 * beside `output`, and put what it tells into the recording's layout.json, in place of what
 * that says of the same binary.
 * PGB_E_TOOL (it failed), PGB_E_MISMATCH (its code is not that of `output`), those of
 * pgb_layout_compute(), and of reading and writing files.
 */
int pgb_layout_file_make(const struct pgb_layout_file_job *job, struct pgb_error *error);

/* One binary's entry; the caller owns it. `id`: build-id, or "". */
struct json_t *pgb_layout_file_json(const struct pgb_layout *layout, const char *name,
				    const char *id);

#endif
