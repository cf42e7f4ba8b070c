/* SPDX-License-Identifier: MIT */
/*
 * Run an instrumented program and merge what it counted into the profile. Runs add up until the
 * program is built anew; each keeps its weight. Several may be at work at the same time: the
 * last one to end has merged them all.
 */
#ifndef PGOBOLT_PGO_TRAIN_H
#define PGOBOLT_PGO_TRAIN_H

#include <signal.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/pgo/toolchain.h"

struct pgb_train_config {
	const char *state; /* the state folder of pgobolt build */
	const char *const *argv;
	unsigned long weight;		   /* at least 1 */
	bool new_runs;			   /* forget the runs before this one */
	const volatile sig_atomic_t *stop; /* set: do not begin the command; NULL */
};

/* The profile for one key. */
struct pgb_train_profile {
	char *key;	      /* "llvm-22" */
	char *path;	      /* what the compilers read */
	char *unreached_path; /* names of the functions that did not run; NULL: not known, none */
	uint64_t runs;	      /* merged */
	uint64_t raw_count, raw_size_bytes; /* of this run */
	uint64_t size_bytes;
	struct pgb_merge_counts counts;
};

struct pgb_train_result {
	int wait_status;	/* of the command */
	bool starting, started; /* the command */
	PGB_ARRAY(struct pgb_train_profile) profiles;
};

/*
 * Errors besides those of starting the command: PGB_E_NOT_FOUND, PGB_E_NOT_SUITABLE (no
 * instrumented build), PGB_E_EMPTY (no profile was written: the message says why),
 * PGB_E_UNSUPPORTED (no tool that merges), PGB_E_TOOL. A command that fails is no error; what its
 * processes wrote counts.
 */
int pgb_train_run(const struct pgb_train_config *config, struct pgb_train_result *result,
		  struct pgb_error *error);
void pgb_train_result_release(struct pgb_train_result *result);

#endif
