/* SPDX-License-Identifier: MIT */
/*
 * Counters put into a program by llvm-bolt: make the copies, run the command with them in the
 * originals' place, merge what its processes wrote.
 *
 * Where a private mount namespace is allowed a copy takes its original's path, so that a program
 * finds the files that lie beside it. Else the command's own binary runs from where the copy lies,
 * under its original argv[0], and other files cannot be replaced.
 */
#ifndef PGOBOLT_BOLT_INSTRUMENT_H
#define PGOBOLT_BOLT_INSTRUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/binary.h"
#include "pgobolt/collector/session.h"

/* Borrowed; must outlive the object. */
struct pgb_instrument_config {
	const char *const *argv;
	/* What to put counters into; NULL: the command's own binary, of a script its interpreter.
	 */
	const char *const *files;
	const char *llvm_bolt; /* path; NULL: look for it */
	const char *directory; /* for copies and raw profiles; left as it is */
	/*
	 * Count also what is killed or never ends. A watching process beside each program writes
	 * the counts when it has gone; all processes write one file, the last one holds. Without,
	 * each process writes its own file when it ends by itself.
	 */
	bool server;
	uint64_t duration_ns; /* 0: until the end */
	const struct pgb_session_signals *signals;
	const struct pgb_log *log;
};

struct pgb_instrument;

/*
 * Find the files and make the copies; nothing of the command runs yet. Errors: PGB_E_NOT_FOUND
 * (the command, a file, llvm-bolt), PGB_E_NOT_SUITABLE (linked without relocations, stripped, not
 * ELF, ..), PGB_E_UNSUPPORTED (no runtime library; no mount namespace for a file that is not the
 * command's own), PGB_E_INTERRUPTED, and what llvm-bolt failed with.
 */
int pgb_instrument_new(struct pgb_instrument **instrument,
		       const struct pgb_instrument_config *config, struct pgb_error *error);
/*
 * Run the command to its end, the duration's end or a signal. Fills times, exit status and
 * `starting`, `started` .. of *stats. Errors: those of the program's start.
 */
int pgb_instrument_run(struct pgb_instrument *instrument, struct pgb_session_stats *stats,
		       struct pgb_error *error);
void pgb_instrument_free(struct pgb_instrument *instrument);

size_t pgb_instrument_count(const struct pgb_instrument *instrument);
/* The original. Borrowed. */
const struct pgb_binary *pgb_instrument_binary(const struct pgb_instrument *instrument,
					       size_t index);
/* A program, not a shared library. */
bool pgb_instrument_is_executable(const struct pgb_instrument *instrument, size_t index);
/*
 * The counts of all processes of one file; borrowed. PGB_E_EMPTY: none wrote any, with the likely
 * cause. What was cut short is taken as far as it goes, with a warning.
 */
int pgb_instrument_merge(struct pgb_instrument *instrument, size_t index,
			 struct pgb_profile **profile, struct pgb_error *error);
/* How many wrote some. */
uint64_t pgb_instrument_processes(const struct pgb_instrument *instrument, size_t index);

#endif
