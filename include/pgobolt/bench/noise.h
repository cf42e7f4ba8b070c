/* SPDX-License-Identifier: MIT */
/*
 * What on this machine makes times vary: CPU clock, other programs, the hypervisor.
 */
#ifndef PGOBOLT_BENCH_NOISE_H
#define PGOBOLT_BENCH_NOISE_H

#include <stdint.h>

#include "pgobolt/base/array.h"

/* Both owned. */
struct pgb_noise_remark {
	char *message;
	char *remedy;
};

struct pgb_noise {
	char *root;		      /* prefix of /sys and /proc: "" here, a folder in tests */
	uint64_t ticks, ticks_stolen; /* of /proc/stat, when it began */
	PGB_ARRAY(struct pgb_noise_remark) remarks;
};

/* Remarks on the state before anything runs. `root` NULL: this machine. Missing files: no remark.
 */
void pgb_noise_begin(struct pgb_noise *noise, const char *root);
/* Remarks on what happened since: time stolen by the hypervisor. */
void pgb_noise_end(struct pgb_noise *noise);
void pgb_noise_release(struct pgb_noise *noise);

/* Add one. */
__attribute__((format(printf, 3, 4))) void
pgb_noise_add(struct pgb_noise *noise, const char *remedy, const char *format, ...);

#endif
