/* SPDX-License-Identifier: MIT */
/* What the files pipeline*.c share. */
#ifndef PGOBOLT_PGO_PIPELINE_PRIVATE_H
#define PGOBOLT_PGO_PIPELINE_PRIVATE_H

#include "pgobolt/pgo/pipeline.h"
#include "pgobolt/pgo/pipeline_sources.h"

enum pgb_step_index {
	STEP_BASELINE,
	STEP_INSTRUMENTED,
	STEP_TRAINING,
	STEP_PGO,
	STEP_RECORDING,
	STEP_BOLT,
	STEP_CHECK,
	STEP_BENCH,
	STEP_REPORT,
	STEP_COUNT
};

struct pgb_pipeline {
	const struct pgb_pipeline_config *config;
	char *folder; /* STATE/run */
	char *here;   /* the working directory */
	char *name;   /* last part of the binary's path */
	char *binary; /* absolute */
	char *llvm_bolt_id;
	struct pgb_sources sources; /* as the builds that are done saw them */
	char *changed;		    /* of these, the first that is not as it was; NULL */
	struct pgb_pipeline_state
		state;		 /* STEP_COUNT steps; those without commands are not wanted */
	bool todo[STEP_COUNT];	 /* as far as can be told now */
	bool forced[STEP_COUNT]; /* whatever its key says */
	char *environment;	 /* "PGOBOLT_BINARY=.." */
};

/* ---- pipeline_plan.c */

/* Constant facts about a step. */
struct pgb_step_facts {
	const char *name, *title, *output;
	unsigned int inputs;	  /* 1 << step */
	enum pgb_step_index tree; /* whose files must lie in the project; STEP_COUNT: any */
	bool builds;
};
const struct pgb_step_facts *pgb_step_facts(const struct pgb_pipeline *pipeline, size_t step);

/* Fill in every step's commands. */
void pgb_pipeline_plan(struct pgb_pipeline *pipeline);

/* The shell command that puts the binary of this step in its place, as a copy of its own. */
char *pgb_pipeline_place(const struct pgb_pipeline *pipeline, enum pgb_step_index step);

/* FOLDER/FILE of a step's output; the caller frees it. */
char *pgb_pipeline_output(const struct pgb_pipeline *pipeline, size_t step);

/* ---- pipeline_script.c */

/* A word for the shell; the caller frees it. */
char *pgb_pipeline_quoted(const char *word);

/* What is put in front of every command: `pgobolt` is this program. */
char *pgb_pipeline_prelude(const struct pgb_pipeline *pipeline);

/* ---- pipeline.c */

bool pgb_pipeline_wants(const struct pgb_pipeline *pipeline, size_t step);

/* The key that the step would be done with now; the caller frees it. */
char *pgb_pipeline_key(const struct pgb_pipeline *pipeline, size_t step);

/* Is it done, with this key, and is its output as it was? */
bool pgb_pipeline_is_done(const struct pgb_pipeline *pipeline, size_t step);

/* ---- pipeline_binary.c */

/* Look at what a build left. */
int pgb_pipeline_check_binary(const struct pgb_pipeline *pipeline, struct pgb_error *error);
/* Look at what the shims saw. */
int pgb_pipeline_check_objects(const struct pgb_pipeline *pipeline, struct pgb_error *error);
/* Is the binary in this recording? */
int pgb_pipeline_check_recording(const struct pgb_pipeline *pipeline, const char *folder,
				 struct pgb_error *error);

/* A file's name, size and time, where there is one. */
void pgb_pipeline_add_file(struct pgb_text *text, const char *path);

/* cargo's variables and configuration files, and which rustc this is. */
void pgb_pipeline_add_cargo(struct pgb_text *text);

#endif
