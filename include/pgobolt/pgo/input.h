/* SPDX-License-Identifier: MIT */
/*
 * What kind of file is this? Commands that take several kinds ask here, and name what they do not
 * take.
 */
#ifndef PGOBOLT_PGO_INPUT_H
#define PGOBOLT_PGO_INPUT_H

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"

enum pgb_input_kind {
	PGB_INPUT_UNKNOWN,
	PGB_INPUT_EMPTY,
	PGB_INPUT_ELF,
	PGB_INPUT_PERF_DATA,
	PGB_INPUT_EDGES,	  /* NAME-ID.edges of a recording */
	PGB_INPUT_FDATA,	  /* BOLT's text profile */
	PGB_INPUT_PREAGG,	  /* BOLT's pre-aggregated text */
	PGB_INPUT_YAML,		  /* BOLT's YAML profile */
	PGB_INPUT_RECORDING_JSON, /* recording.json without its folder */
	PGB_INPUT_RECORDING,	  /* a recording's folder */
	PGB_INPUT_LLVM_RAW,	  /* .profraw of clang and rustc */
	PGB_INPUT_LLVM_INDEXED,	  /* .profdata */
	PGB_INPUT_GCDA,		  /* gcc's counters */
	PGB_INPUT_SAMPLES,	  /* LLVM's sample profile: text or binary */
	PGB_INPUT_KINDS
};

/* By the first bytes of a file; 16 KiB are enough (a long name may come first). Pure. */
enum pgb_input_kind pgb_input_kind_of(struct pgb_cursor head);

/*
 * The kind of a file or folder. Errors: PGB_E_NOT_FOUND (also: a folder that is no recording),
 * PGB_E_PERMISSION, PGB_E_IO (a device, a FIFO).
 */
int pgb_input_identify(const char *path, enum pgb_input_kind *kind, struct pgb_error *error);

/* "fdata profile", "recording", "ELF file"; for messages. */
const char *pgb_input_kind_name(enum pgb_input_kind kind);

/*
 * Fill `error` for a file that a command cannot take: what it is, what `wanted` was ("an fdata
 * profile"), and what to do with such a file. PGB_E_EMPTY, PGB_E_CORRUPT (unknown) or
 * PGB_E_MISMATCH.
 */
int pgb_input_refuse(const char *path, enum pgb_input_kind kind, const char *wanted,
		     struct pgb_error *error);

#endif
