/* SPDX-License-Identifier: MIT */
/*
 * Several profiles of one kind into one: fdata, pre-aggregated text, or recordings. Sums are the
 * same whatever the order of the inputs; so is every byte of the output but, in a recording, what
 * differs between the inputs and is kept from the first one (host, command).
 */
#ifndef PGOBOLT_PGO_MERGE_H
#define PGOBOLT_PGO_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/pgo/input.h"

struct pgb_merge_input {
	const char *path;
	uint64_t weight; /* counts are multiplied by it; at least 1 */
};

struct pgb_merge_job {
	const struct pgb_merge_input *inputs;
	size_t input_count; /* at least 1 */
	const char *output; /* recordings: a folder, or NAME.fdata for the profile alone */
	const struct pgb_log *log;
	/* Called before each input is read; NULL: none. */
	void (*progress)(void *context, size_t index);
	void *progress_context;
};

struct pgb_merge_result {
	enum pgb_input_kind kind; /* of the inputs; RECORDING may have become .. */
	bool fdata_only;	  /* .. one fdata file */
	size_t lines;	/* distinct branches, samples or edges; of a recording: binaries */
	uint64_t total; /* sum of all counts */
	uint64_t lost;	/* counts that the output's format could not carry */
};

/*
 * The output appears whole or not at all, inputs are never changed. Errors: as reading each kind
 * gives; PGB_E_MISMATCH: inputs of different kinds, or of different builds of one program;
 * PGB_E_EXISTS: the output is an input; PGB_E_EMPTY: nothing to write.
 */
int pgb_merge(const struct pgb_merge_job *job, struct pgb_merge_result *result,
	      struct pgb_error *error);

#endif
