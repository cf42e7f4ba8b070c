/* SPDX-License-Identifier: MIT */
/* What the files instrument*.c share. */
#ifndef PGOBOLT_BOLT_INSTRUMENT_PRIVATE_H
#define PGOBOLT_BOLT_INSTRUMENT_PRIVATE_H

#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/instrument.h"
#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/collector/process.h"

/* One file that gets counters. */
struct pgb_instrument_target {
	char *original; /* without links */
	char *copy;
	char *prefix; /* absolute: each process writes PREFIX.PID.fdata, or all write PREFIX */
	struct pgb_elf_image *image;
	struct pgb_binary binary; /* the original, with its identity */
	bool executable;
	struct pgb_profile *profile; /* of what was merged so far */
	uint64_t files, files_empty, files_bad;
	uint64_t device, inode; /* of the copy */
};

struct pgb_instrument {
	struct pgb_instrument_config config;
	struct pgb_llvm_bolt bolt;
	char *directory; /* absolute */
	char *raw;	 /* raw profiles, writable for all */
	PGB_ARRAY(struct pgb_instrument_target) targets;
	PGB_ARRAY(struct pgb_bind) binds; /* none: target 0 runs under the command's argv[0] */
	struct pgb_process process;
	struct pgb_session_stats stats; /* of the run */
	int signals_seen;
};

/*
 * What a command runs: its own binary, of a script the interpreter. The path without links is the
 * caller's. PGB_E_NOT_FOUND, PGB_E_NOT_SUITABLE. *is_script tells which.
 */
int pgb_instrument_find_program(const char *command, char **path, bool *is_script,
				struct pgb_error *error);

#endif
