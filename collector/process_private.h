/* SPDX-License-Identifier: MIT */
/* What the files process*.c share. */
#ifndef PGOBOLT_COLLECTOR_PROCESS_PRIVATE_H
#define PGOBOLT_COLLECTOR_PROCESS_PRIVATE_H

#include <stdbool.h>

/*
 * In a child, before exec, all signals blocked: split in two. The new process, in a session of its
 * own, returns and goes on to exec. The old one stays as its supervisor and never returns: it
 * waits for the other to end, or for SIGTERM, ends whatever that has left behind, however deep and
 * in whatever session, and ends itself as the other did.
 * `die_with_parent`: the supervisor does the same when the thread that made it dies.
 */
void pgb_process_supervise(bool die_with_parent);

#endif
