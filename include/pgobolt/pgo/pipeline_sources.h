/* SPDX-License-Identifier: MIT */
/*
 * The source files below a folder, by content: did anything change since they were built?
 *
 * Source is what has the name of some: .c, .rs, Makefile, CMakeLists.txt .. Hidden folders, cargo's
 * target folders and symbolic links are left out. Files that appear while building do not count,
 * and those that a build changes are dropped: they are its output.
 */
#ifndef PGOBOLT_PGO_PIPELINE_SOURCES_H
#define PGOBOLT_PGO_PIPELINE_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"

/* Files beyond that are not looked at. */
#define PGB_SOURCES_MAX	      200000
#define PGB_SOURCES_DEPTH_MAX 40

struct pgb_source_file {
	char *path; /* begins with the folder's */
	uint64_t hash;
};

struct pgb_sources {
	PGB_ARRAY(struct pgb_source_file) files; /* by path */
};

/* Read every source file below `folder`. What cannot be read is left out. */
void pgb_sources_scan(struct pgb_sources *sources, const char *folder);
void pgb_sources_release(struct pgb_sources *sources);

/* The first file that is not as it was, or is gone; NULL: none. Borrowed. */
const char *pgb_sources_changed(const struct pgb_sources *sources);

/* Drop those that are not as they were; their number. */
size_t pgb_sources_drop_changed(struct pgb_sources *sources);

/* A line each: hash, blank, path. Errors: those of files; PGB_E_CORRUPT. */
int pgb_sources_write(const struct pgb_sources *sources, const char *path, struct pgb_error *error);
int pgb_sources_read(struct pgb_sources *sources, const char *path, struct pgb_error *error);

/* Is this the name of a source file? */
bool pgb_sources_is_name(const char *name);

#endif
