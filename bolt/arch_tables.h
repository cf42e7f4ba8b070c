/* SPDX-License-Identifier: MIT */
/* The tables that bolt/arch_*.c define. */
#ifndef PGOBOLT_BOLT_ARCH_TABLES_H
#define PGOBOLT_BOLT_ARCH_TABLES_H

#include "pgobolt/bolt/arch.h"

extern const struct pgb_arch pgb_arch_x86_64, pgb_arch_aarch64;

#endif
