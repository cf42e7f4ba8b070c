/* SPDX-License-Identifier: MIT */
/*
 * Several fdata files into one, counts summed.
 */
#ifndef PGOBOLT_BOLT_FDATA_MERGE_H
#define PGOBOLT_BOLT_FDATA_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"

struct pgb_fdata_input {
	const char *path;
	uint64_t weight; /* counts are multiplied by it */
};

struct pgb_fdata_merged {
	size_t lines;	/* of the output, without its header */
	uint64_t total; /* sum of all counts */
};

/*
 * Files in the order that perf2bolt and pgobolt write are merged side by side: fast, and in memory
 * that does not grow with them. Large ones in another order are read by several threads, into 36
 * bytes a line. Others are read one after the other. The output is the same either way, and
 * appears whole or not at all.
 * Errors: as pgb_fdata_read_file() and pgb_fdata_write_file(), with the input's path in the
 * message.
 */
int pgb_fdata_merge(const struct pgb_fdata_input *inputs, size_t count, const char *output,
		    struct pgb_fdata_merged *merged, struct pgb_error *error);

#endif
