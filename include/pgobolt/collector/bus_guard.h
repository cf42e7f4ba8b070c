/* SPDX-License-Identifier: MIT */
/*
 * For memory that maps a file which somebody may cut meanwhile: what is gone reads as zeros then,
 * where the kernel would end the process with SIGBUS, and the guard tells.
 */
#ifndef PGOBOLT_COLLECTOR_BUS_GUARD_H
#define PGOBOLT_COLLECTOR_BUS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Guard a range of whole pages, in all threads that do not block SIGBUS. The guard's number, or -1:
 * there are as many as can be.
 */
int pgb_bus_guard_add(const void *start, size_t size_bytes);
void pgb_bus_guard_remove(int guard);
/* Was something read that is gone? */
bool pgb_bus_guard_was_hit(int guard);

#endif
