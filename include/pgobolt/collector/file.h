/* SPDX-License-Identifier: MIT */
/*
 * Files: mapped input that is never touched, and output that appears whole or not at all.
 */
#ifndef PGOBOLT_COLLECTOR_FILE_H
#define PGOBOLT_COLLECTOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/text.h"

/* A read-only private mapping of a regular file. `bytes` is NULL where size_bytes is 0. */
struct pgb_file_map {
	const uint8_t *bytes;
	size_t size_bytes;
	uint64_t device, inode;
	int64_t modified_ns;
};

/*
 * Errors: PGB_E_NOT_FOUND, PGB_E_PERMISSION, PGB_E_RESOURCE, PGB_E_IO (also: a directory, a
 * FIFO, a device). A file that another program cuts while it is mapped ends this one by SIGBUS:
 * for files that may change under us there is pgb_file_read() or pread(2).
 */
int pgb_file_map_open(struct pgb_file_map *map, const char *path, struct pgb_error *error);
void pgb_file_map_close(struct pgb_file_map *map);

/*
 * Append at most `most` bytes of a file of unknown size (sysfs, procfs) to `text`.
 * Errors: as above, and PGB_E_GONE where the process of a procfs file has ended.
 */
int pgb_file_read(struct pgb_text *text, const char *path, size_t most, struct pgb_error *error);

/*
 * Output under a temporary name in the target's folder. Write to `stream` with stdio, then
 * commit: flush, fsync, rename over `path`. Until then `path` is untouched. Write errors (a full
 * disk) surface in commit, which then removes the temporary file.
 *
 * A symbolic link stays, what it names is replaced. An existing file keeps its permission bits
 * (and owner, where we may); a new one gets 0666 less the umask. A file that is write-protected
 * is not replaced. A device, a FIFO or /dev/stdout is written directly: it cannot be whole or
 * not at all. `stream` has no descriptor of its own: fileno() fails. Files can be sought in.
 *
 * Errors of open and commit: PGB_E_NOT_FOUND (no such folder), PGB_E_PERMISSION, PGB_E_RESOURCE
 * (disk full, quota, RLIMIT_FSIZE where SIGXFSZ is ignored), PGB_E_EXISTS (a directory is in
 * the way), PGB_E_IO.
 */
struct pgb_out_file {
	FILE *stream;
	char *path;	      /* as asked for */
	char *path_target;    /* what a link at `path` names in the end */
	char *path_temporary; /* NULL: written directly */
	struct pgb_out_sink *sink;
};

int pgb_out_open(struct pgb_out_file *out, const char *path, struct pgb_error *error);
/* All of commit but the rename: of two files that belong together, neither comes alone. */
int pgb_out_finish(struct pgb_out_file *out, struct pgb_error *error);
int pgb_out_commit(struct pgb_out_file *out, struct pgb_error *error);
/* Remove what was written. Legal after commit and on a zeroed object: does nothing then. */
void pgb_out_discard(struct pgb_out_file *out);

/* The content of a regular file into another; errors as mapping and writing have them. */
int pgb_file_copy(const char *from, const char *to, struct pgb_error *error);

/* Are these two names for one file (st_dev, st_ino)? false where either does not exist. */
bool pgb_file_same(const char *path_a, const char *path_b);

/* mkdir -p. Errors: PGB_E_EXISTS (a file is in the way), PGB_E_PERMISSION, PGB_E_RESOURCE. */
int pgb_file_make_directories(const char *path, struct pgb_error *error);

/* Remove a folder and what is in it, never following a link. Missing is success. */
int pgb_file_remove_tree(const char *path, struct pgb_error *error);

/* Is there a file one can execute? */
bool pgb_file_is_executable(const char *path);

#endif
