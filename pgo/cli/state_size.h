/* SPDX-License-Identifier: MIT */
#ifndef PGOBOLT_PGO_CLI_STATE_SIZE_H
#define PGOBOLT_PGO_CLI_STATE_SIZE_H

#include <stdint.h>

/* Bytes of the files below a folder, or of one file; links are not followed. */
uint64_t pgb_state_size(const char *path);

#endif
