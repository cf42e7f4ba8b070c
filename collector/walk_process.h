/* SPDX-License-Identifier: MIT */
/* The executable memory of a process that is visited. */
#ifndef PGOBOLT_COLLECTOR_WALK_PROCESS_H
#define PGOBOLT_COLLECTOR_WALK_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/collector/proc_maps.h"
#include "pgobolt/collector/walker.h"

struct walk_range {
	uint64_t start, end;
};

struct walk_process {
	pid_t pid;
	struct pgb_walk_identity identity;
	uint64_t scanned_ns;
	PGB_ARRAY(struct walk_range) code; /* ascending */
};

/* Read /proc/PID/maps anew; each executable mapping is told. One that cannot be read: as it was. */
void walk_process_scan(struct walk_process *process,
		       void (*told)(void *context, pid_t pid, const struct pgb_proc_map *map),
		       void *context);
/* Is all that a visit went through mapped, as far as we know? */
bool walk_process_maps(const struct walk_process *process, const struct pgb_walk *visit);

#endif
