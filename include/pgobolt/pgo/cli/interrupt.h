/* SPDX-License-Identifier: MIT */
/*
 * Commands that end well when they are interrupted: SIGINT, SIGTERM and SIGHUP set a flag, and what
 * runs looks at it.
 */
#ifndef PGOBOLT_PGO_CLI_INTERRUPT_H
#define PGOBOLT_PGO_CLI_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t pgb_interrupted;

/* Catch them from now on; false: as it was before. */
void pgb_interrupt_catch(bool on);

#endif
