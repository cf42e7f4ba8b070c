/* SPDX-License-Identifier: MIT */
/*
 * A recording's bytes where the kernel keeps them: windows of a fixed size onto the file, each in a
 * place of its own, so that nothing is copied and memory stays bounded. A file that is cut
 * meanwhile reads as zeros from there on, and is told of.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_WINDOWS_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/limits.h"

enum {
	PGB_PERFDATA_WINDOW_BYTES = 512 * 1024,
	/* As many as are read ahead to put records in order, and some to work on. */
	PGB_PERFDATA_WINDOWS = PGB_LIMIT_REORDER_BYTES / PGB_PERFDATA_WINDOW_BYTES + 32,
};

struct pgb_perfdata_windows;

/* NULL: small, no regular file, or no room. `fd` is borrowed. */
struct pgb_perfdata_windows *pgb_perfdata_windows_new(int fd);
void pgb_perfdata_windows_free(struct pgb_perfdata_windows *windows);

/*
 * Move window `index` to where `offset` is the first byte: the bytes from there on, *size_bytes of
 * them, at most `most`; what the window showed before is gone. NULL: nothing is there, or the
 * kernel does not map it.
 */
const uint8_t *pgb_perfdata_windows_move(struct pgb_perfdata_windows *windows, size_t index,
					 uint64_t offset, uint64_t most, size_t *size_bytes);
/* The file was cut behind our back. */
bool pgb_perfdata_windows_were_cut(const struct pgb_perfdata_windows *windows);

#endif
