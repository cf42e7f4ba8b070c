/* SPDX-License-Identifier: MIT */
/*
 * The distinct mapped files of a recording, numbered from 0 in order of first sight.
 *
 * Two mappings are of the same binary when device and inode agree (and the generations, where
 * both are known), or else the build-ids, or, of files without one, the hashes of the code: so hard
 * links, copies and containers that share an image are one binary. A file that was replaced or
 * overwritten while the recording ran is another one. Where the event has no inode, path and
 * build-id tell.
 */
#ifndef PGOBOLT_COLLECTOR_BINARIES_H
#define PGOBOLT_COLLECTOR_BINARIES_H

#include <stdint.h>

#include "pgobolt/collector/addrspace.h"
#include "pgobolt/collector/binary.h"

struct pgb_binaries;

/* The opener is copied. */
struct pgb_binaries *pgb_binaries_new(const struct pgb_binary_opener *opener);
void pgb_binaries_free(struct pgb_binaries *binaries);

/*
 * The binary that this executable mapping is of, opened at first sight. PGB_BINARY_ANONYMOUS:
 * memory of no file, or of one that is only memory (/dev/zero, System V, a memfd that is no ELF).
 * PGB_BINARY_NONE: more than PGB_LIMIT_BINARIES of them; counted.
 */
uint32_t pgb_binaries_of_mapping(struct pgb_binaries *binaries, const struct pgb_map_event *event);

uint32_t pgb_binaries_count(const struct pgb_binaries *binaries);
const struct pgb_binary *pgb_binaries_get(const struct pgb_binaries *binaries, uint32_t index);
uint64_t pgb_binaries_unreadable(const struct pgb_binaries *binaries);
uint64_t pgb_binaries_over_limit(const struct pgb_binaries *binaries);

#endif
