/* SPDX-License-Identifier: MIT */
/*
 * Trees of /proc and /sys in a temporary folder, as known machines have them: what
 * pgb_host_init() reads with a root of its own.
 */
#ifndef TESTS_SUPPORT_FAKE_HOST_H
#define TESTS_SUPPORT_FAKE_HOST_H

#include "pgobolt/collector/host.h"

enum fake_machine {
	FAKE_EMPTY,	 /* nothing at all */
	FAKE_SKYLAKE,	 /* Intel, 32 branch records, 4 CPUs */
	FAKE_ALDERLAKE,	 /* cpu_core on CPUs 0-3, cpu_atom on CPUs 4-7 */
	FAKE_ZEN2,	 /* AMD without branch records, with IBS */
	FAKE_ZEN3,	 /* BRS */
	FAKE_ZEN4,	 /* LbrExtV2 */
	FAKE_NEOVERSE,	 /* Arm, Linux 6.17: whether it has BRBE only opening tells */
	FAKE_BIG_LITTLE, /* Arm, Linux 6.1: Cortex-A55 on CPUs 0-3, Cortex-A76 on CPUs 4-7 */
	FAKE_GUEST,	 /* virtual machine without a PMU, 2 CPUs */
	FAKE_GUEST_PMU,	 /* virtual machine with a PMU but without branch records */
};

/* Make the tree; the path is the caller's to free, after fake_root_remove(). */
char *fake_root_new(enum fake_machine machine);
void fake_root_remove(const char *root);
/* Write (or replace) one file below the root, folders included. */
void fake_root_write(const char *root, const char *path, const char *text);
void fake_root_delete(const char *root, const char *path);

/* The two together: a host read from such a tree, which is gone again. Release it. */
void fake_host_init(struct pgb_host *host, enum fake_machine machine);

#endif
