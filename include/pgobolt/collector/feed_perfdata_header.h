/* SPDX-License-Identifier: MIT */
/*
 * The fixed header of a perf.data file.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_HEADER_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata_stream.h"

enum {
	PGB_PERFDATA_HEADER_BYTES = 104,
	PGB_PERFDATA_PIPE_HEADER_BYTES = 16,
	PGB_PERFDATA_FEATURES = 256,
};

struct pgb_perfdata_header {
	bool big_endian;
	bool pipe_mode;	     /* then nothing else is filled */
	uint64_t attr_bytes; /* one entry of `attrs`: an attr and the section of its ids */
	struct pgb_perfdata_section attrs, data;
	uint64_t features[PGB_PERFDATA_FEATURES / 64];
};

/*
 * `bytes` are the file's first. 0; PGB_E_CORRUPT no perf.data; PGB_E_UNSUPPORTED version 1;
 * PGB_E_TRUNCATED.
 */
int pgb_perfdata_header_parse(struct pgb_perfdata_header *header, struct pgb_cursor bytes,
			      const char *path, struct pgb_error *error);

static inline bool pgb_perfdata_header_has(const struct pgb_perfdata_header *header,
					   unsigned int feature)
{
	return (header->features[feature / 64] >> (feature % 64)) & 1;
}

/*
 * Read and parse it: of a file as much as there is, of a pipe the 16 bytes that come in any case.
 * Errors: those of parse, PGB_E_IO; PGB_E_UNSUPPORTED: file mode, and it cannot be sought in.
 */
int pgb_perfdata_header_read(struct pgb_perfdata_header *header, int fd, bool seekable,
			     const char *path, struct pgb_error *error);

#endif
