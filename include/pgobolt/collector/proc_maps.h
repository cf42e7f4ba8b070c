/* SPDX-License-Identifier: MIT */
/*
 * The text of /proc/PID/maps (proc_pid_maps(5), fs/proc/task_mmu.c show_map_vma()):
 *
 *	55d0c3a00000-55d0c3a21000 r-xp 00002000 fd:00 1573048    /usr/bin/a program (deleted)
 *
 * Pure: text in, fields out.
 */
#ifndef PGOBOLT_COLLECTOR_PROC_MAPS_H
#define PGOBOLT_COLLECTOR_PROC_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/limits.h"

struct pgb_proc_map {
	uint64_t start, end;
	bool readable, writable, executable, shared;
	uint64_t offset_file;
	uint64_t device; /* as st_dev */
	uint64_t inode;
	/* "" for anonymous memory; a newline in it is real again (the kernel writes \012). */
	char path[PGB_LIMIT_PATH_BYTES];
};

/*
 * The next line. 1 a mapping; 0 the end; PGB_E_CORRUPT: not a line of this format (the cursor is
 * behind it); PGB_E_TRUNCATED: the last line has no newline (the cursor is at the end).
 */
int pgb_proc_maps_next(struct pgb_cursor *text, struct pgb_proc_map *map);

#endif
