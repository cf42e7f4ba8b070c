/* SPDX-License-Identifier: MIT */
/*
 * What `pgobolt run` has done, as it stands in run.json (format "pgobolt-run", version 1) of its
 * folder, STATE/run:
 *
 *	run.json	program, binary, tree (the build whose files lie in the project now),
 *			compilers, steps: name, title, commands, status, key, output, output_hash,
 *seconds, log replay.sh	the exact commands sources		see pgo/pipeline_sources.h
 *	logs/STEP.log	what the commands of a step printed
 *	baseline/ instrumented/ pgo/ bolt/	the binary of each step
 *	recording/ bench.json check.json
 */
#ifndef PGOBOLT_PGO_PIPELINE_STATE_H
#define PGOBOLT_PGO_PIPELINE_STATE_H

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/pgo/shim.h"

#define PGB_PIPELINE_FOLDER    "run" /* in the state folder */
#define PGB_PIPELINE_STEPS_MAX 32

enum pgb_step_status {
	PGB_STEP_TODO,
	PGB_STEP_DONE,
	PGB_STEP_FAILED,
	PGB_STEP_INTERRUPTED,
};

/* Strings are owned. */
struct pgb_step {
	char *name;			/* "baseline" */
	char *title;			/* "baseline build" */
	struct pgb_shim_words commands; /* for /bin/sh -c, one after the other */
	enum pgb_step_status status;
	char *key;	   /* hash of the commands and what goes into them; NULL: never run */
	char *output;	   /* the file that shows that it was done, in the folder */
	char *output_hash; /* of its content; NULL: never made */
	double seconds;	   /* all its commands took */
	char *log;	   /* in the folder */
};

struct pgb_pipeline_state {
	char *program;	 /* "pgobolt 0.1.0" */
	char *binary;	 /* as it was given */
	char *tree;	 /* name of a build step, "" where it is not known */
	char *compilers; /* hash of what builds: compilers and their variables; NULL: not known */
	PGB_ARRAY(struct pgb_step) steps;
};

/* "todo", "done" .. */
const char *pgb_step_status_word(enum pgb_step_status status);

/*
 * FOLDER/run.json. Errors: PGB_E_NOT_FOUND (nothing was run), PGB_E_CORRUPT, PGB_E_UNSUPPORTED (of
 * a newer version), PGB_E_PERMISSION. `state` is to be released either way.
 */
int pgb_pipeline_state_read(struct pgb_pipeline_state *state, const char *folder,
			    struct pgb_error *error);
int pgb_pipeline_state_parse(struct pgb_pipeline_state *state, struct pgb_cursor bytes,
			     const char *what, struct pgb_error *error);
int pgb_pipeline_state_write(const struct pgb_pipeline_state *state, const char *folder,
			     struct pgb_error *error);
/* The text of a run.json; the caller frees it. */
char *pgb_pipeline_state_text(const struct pgb_pipeline_state *state);
void pgb_pipeline_state_release(struct pgb_pipeline_state *state);
void pgb_step_release(struct pgb_step *step);

/* NULL: there is none of this name. */
struct pgb_step *pgb_pipeline_state_find(const struct pgb_pipeline_state *state, const char *name);

/* 16 hexadecimal digits for a file's content; NULL: it cannot be read. The caller frees it. */
char *pgb_pipeline_hash_file(const char *path);

#endif
