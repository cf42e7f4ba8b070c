/* SPDX-License-Identifier: MIT */
/*
 * The whole way in steps: builds, training, recording, llvm-bolt, check, benchmark. A step is shell
 * commands, mostly pgobolt's own, so that what is run can be shown, and run again by hand. It is
 * done as long as its commands, its tools and the content of what goes into it stay the same.
 *
 * The binary under test is always at its own place: programs look for their files beside
 * themselves, and tests know them by their path. The copies of each build, in the folder of the
 * run, are put there when they are wanted; in the end the binary of the PGO build lies there.
 */
#ifndef PGOBOLT_PGO_PIPELINE_H
#define PGOBOLT_PGO_PIPELINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/pgo/pipeline_state.h"

struct pgb_pipeline_training {
	const char *command;
	uint64_t weight; /* at least 1 */
};

/* All borrowed. Commands are for /bin/sh -c; {} and $PGOBOLT_BINARY stand for the binary. */
struct pgb_pipeline_config {
	const char *tool;	   /* pgobolt, as an absolute path */
	const char *program;	   /* "pgobolt 0.1.0" */
	const char *state;	   /* the state folder of pgobolt build */
	const char *binary;	   /* program or shared library, as the build leaves it */
	const char *build, *clean; /* clean: NULL, or run before each build */
	const char *sources;	   /* the folder that source files lie in; NULL: this one */
	const struct pgb_pipeline_training *training;
	size_t training_count;
	const char *record;		    /* NULL: the training commands */
	const char *check;		    /* NULL: none */
	const char *bench;		    /* NULL: the training commands */
	const char *source;		    /* of record; NULL: auto */
	uint64_t record_time_ns;	    /* repeat what is recorded until then; 0: once */
	const char *llvm_bolt;		    /* NULL: look for it */
	const char *optimize;		    /* more words for pgobolt optimize; NULL: none */
	uint64_t bench_runs, bench_time_ns; /* 0: what bench does by itself */
	bool sample; /* compile with a sample profile: no instrumented build */
	bool partial_training, no_compare, allow_stale;
	bool fresh;	 /* forget what was done */
	bool has_report; /* there is such a command */
	const volatile sig_atomic_t *stop;
	/* May be NULL. `step` is what is at hand; `line` the last that its commands printed. */
	void (*progress)(void *context, const struct pgb_step *step, uint64_t elapsed_ns,
			 const char *line);
	/* Once for each step: kept from before, done, or not. */
	void (*ended)(void *context, const struct pgb_step *step, bool kept);
	void (*warning)(void *context, const char *text);
	void *context;
};

struct pgb_pipeline;

/*
 * Plan the steps, and read what was done before. Nothing is written yet. Errors: PGB_E_USAGE (a
 * wish is missing), PGB_E_NOT_SUITABLE (a static library), PGB_E_UNSUPPORTED (no llvm-bolt), those
 * of reading the state.
 */
int pgb_pipeline_open(struct pgb_pipeline **pipeline, const struct pgb_pipeline_config *config,
		      struct pgb_error *error);
/* Legal with NULL. */
void pgb_pipeline_close(struct pgb_pipeline *pipeline);

/* The steps in order; those without commands are not wanted. Borrowed. */
const struct pgb_pipeline_state *pgb_pipeline_state(const struct pgb_pipeline *pipeline);

/* STATE/run. Borrowed. */
const char *pgb_pipeline_folder(const struct pgb_pipeline *pipeline);

/* Which source file makes the builds stale; NULL: none. Borrowed. */
const char *pgb_pipeline_changed(const struct pgb_pipeline *pipeline);

/* Is this one of the steps that will be done? */
bool pgb_pipeline_is_todo(const struct pgb_pipeline *pipeline, size_t step);

/* A shell script that does it all; the caller frees it. */
char *pgb_pipeline_script(const struct pgb_pipeline *pipeline);

/*
 * Do what is to be done. What is done stays done, whatever happens afterwards. Errors: PGB_E_EXISTS
 * (another run is at work here), PGB_E_TOOL (a command failed: *failed is its step),
 * PGB_E_NOT_SUITABLE (the binary that came out cannot be used, and why), PGB_E_MISMATCH (objects of
 * another build were linked), PGB_E_INTERRUPTED, those of writing the state.
 */
int pgb_pipeline_run(struct pgb_pipeline *pipeline, const struct pgb_step **failed,
		     struct pgb_error *error);

/*
 * Is somebody at work in this state folder? A lock for as long as *fd is open; -1: no folder.
 * PGB_E_EXISTS.
 */
int pgb_pipeline_lock(const char *state, int *fd, struct pgb_error *error);
bool pgb_pipeline_is_running(const char *state);

#endif
