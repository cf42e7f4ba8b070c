/* SPDX-License-Identifier: MIT */
/*
 * The user's own test, run on a binary; and whether another binary behaves as the original does.
 *
 * The binary under test takes the original's place in a private mount namespace, where that is
 * allowed: a test that knows the program by its path, or a program that looks for its files beside
 * itself, need not be changed. Elsewhere the test has to name it: `{}` in the command and
 * $PGOBOLT_BINARY stand for its path, and in what it prints its path and name are read as the
 * original's.
 */
#ifndef PGOBOLT_PGO_CHECK_H
#define PGOBOLT_PGO_CHECK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/error.h"

/* All borrowed. */
struct pgb_check_job {
	const char *command;  /* for /bin/sh -c */
	const char *original; /* whose place is taken; NULL: no place is taken */
	bool never_in_place;  /* do not even try; `original` still tells what names mean */
	const char *folder;   /* where it runs; NULL: here */
	uint64_t timeout_ns;  /* 0: none */
	/* Of standard output, as much is compared; what comes after it is read and forgotten. */
	uint64_t output_max_bytes;	   /* 0: 1 GiB */
	const volatile sig_atomic_t *stop; /* set: PGB_E_INTERRUPTED; NULL: none */
};

struct pgb_check_outcome {
	int wait_status; /* as from waitpid */
	bool timed_out;	 /* it was ended: wait_status says nothing */
	uint64_t output_hash, output_bytes;
	bool output_truncated;
	bool in_place; /* the binary had the original's path */
	bool opened;   /* the binary was run, or at least opened; true where that is not known */
	char *tail;    /* the last lines of standard output and error; owned */
	uint64_t elapsed_ns;
};

/*
 * Run the command once. What it starts ends with it, daemons too; none of its output is stored.
 * How it ends is no error: see *outcome, which is to be released in any case.
 * Errors: PGB_E_INTERRUPTED; PGB_E_NOT_FOUND (the binary, the folder); those of starting a process.
 */
int pgb_check_run(const struct pgb_check_job *job, const char *binary,
		  struct pgb_check_outcome *outcome, struct pgb_error *error);
void pgb_check_outcome_release(struct pgb_check_outcome *outcome);

/* The command with `{}` replaced by the path, quoted for a shell; the caller frees it. */
char *pgb_check_command(const char *command, const char *path);

/* "exit status 1", "killed by signal 11 (Segmentation fault)", "no end after 60 s". */
void pgb_check_describe(const struct pgb_check_outcome *outcome, char *text, size_t size);

/* What the original does, to which others are compared. */
struct pgb_check {
	struct pgb_check_job job;
	struct pgb_check_outcome original;
	bool output_varies;   /* from run to run of the original: only the status is compared */
	unsigned int repeats; /* how often a binary must pass to be called good */
	uint64_t timeout_ns;  /* of a binary that may hang: a multiple of what the original took */
};

struct pgb_check_verdict {
	bool good;
	unsigned int runs, failures; /* of the binary */
	char why[256];		     /* what differs; "" when good */
	char tail[1024];	     /* the last lines of the run that failed */
};

/*
 * Run it on the original. Errors: as pgb_check_run(), and PGB_E_CHECK: it fails there, or never
 * opens the binary. Where it fails only for being in a namespace it is run without one, from now
 * on. The job's strings must outlive `check`.
 */
int pgb_check_begin(struct pgb_check *check, const struct pgb_check_job *job,
		    struct pgb_error *error);
void pgb_check_end(struct pgb_check *check);

/*
 * Does the binary pass? Before a failure counts the original is run again: an output that varies is
 * not compared, and a test that fails on the original now and then is refused with PGB_E_CHECK.
 * A binary that fails only now and then is not good; `repeats` is raised so that it would be found
 * again.
 */
int pgb_check_judge(struct pgb_check *check, const char *binary, struct pgb_check_verdict *verdict,
		    struct pgb_error *error);

/* The same without doubts: `repeats` runs of the binary alone. May run in several threads. */
int pgb_check_passes(const struct pgb_check *check, const char *binary, bool *good,
		     struct pgb_error *error);

#endif
