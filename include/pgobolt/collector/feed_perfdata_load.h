/* SPDX-License-Identifier: MIT */
/*
 * Opening a recording, and what the header of a file in file mode points to: the events with
 * their ids, and the features.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_LOAD_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_LOAD_H

#include "pgobolt/base/error.h"
#include "pgobolt/collector/feed_perfdata_events.h"
#include "pgobolt/collector/feed_perfdata_header.h"

/* A recording, opened for reading; both are the caller's. */
struct pgb_perfdata_opened {
	int fd;
	char *path; /* as messages call it; of a directory, the file with the header */
	bool seekable;
	uint64_t size_bytes; /* UINT64_MAX where it cannot be sought in */
};

/* Errors: PGB_E_NOT_FOUND, PGB_E_PERMISSION, PGB_E_IO. */
int pgb_perfdata_load_open(struct pgb_perfdata_opened *opened, const char *path,
			   struct pgb_error *error);

/* Errors: PGB_E_IO, PGB_E_CORRUPT, PGB_E_TRUNCATED, PGB_E_LIMIT. */
int pgb_perfdata_load_attrs(struct pgb_perfdata_events *events, int fd, const char *path,
			    const struct pgb_perfdata_header *header, struct pgb_error *error);

/*
 * Needs the events: names are given to them. `init_map`: simpleperf's records of what was mapped
 * at the start; untouched where there are none. A feature that is cut or impossible is left out.
 * Errors: PGB_E_IO.
 */
int pgb_perfdata_load_features(struct pgb_perfdata_info *info, int fd, const char *path,
			       const struct pgb_perfdata_header *header,
			       struct pgb_perfdata_section *init_map, struct pgb_error *error);

#endif
