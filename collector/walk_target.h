/* SPDX-License-Identifier: MIT */
/* May a process that runs already be visited? If not: why, and what to do about it. */
#ifndef PGOBOLT_COLLECTOR_WALK_TARGET_H
#define PGOBOLT_COLLECTOR_WALK_TARGET_H

#include <sys/types.h>

#include "pgobolt/base/error.h"
#include "pgobolt/collector/host.h"

/*
 * Errors: PGB_E_GONE (not there, a zombie), PGB_E_UNSUPPORTED (a kernel thread),
 * PGB_E_NOT_SUITABLE (32-bit), PGB_E_PERMISSION (traced already, another user's, yama, a container,
 * undumpable). Seizes the process to learn it, without stopping it, and lets go at once.
 */
int walk_target_check(pid_t pid, const struct pgb_host *host, struct pgb_error *error);

#endif
