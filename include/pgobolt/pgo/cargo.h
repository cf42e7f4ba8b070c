/* SPDX-License-Identifier: MIT */
/*
 * What a cargo project builds: how to build one of its targets, and where it lies then.
 */
#ifndef PGOBOLT_PGO_CARGO_H
#define PGOBOLT_PGO_CARGO_H

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"

/* Strings are owned. */
struct pgb_cargo_target {
	char *build;   /* the command: "cargo build --release -p app --bin app" */
	char *binary;  /* the program or shared library, for the triple of the host */
	char *sources; /* the workspace's folder, of which this may be a part; "." */
};

/*
 * Ask cargo about the project here. `name` is a target's: a program, a cdylib, an example; NULL:
 * the only program there is. Errors: PGB_E_NOT_FOUND (no such target; the remedy names those there
 * are), PGB_E_NOT_SUITABLE (a library that becomes part of programs), PGB_E_USAGE (which one?),
 * PGB_E_UNSUPPORTED (no cargo), PGB_E_TOOL (cargo fails: no project here).
 */
int pgb_cargo_find(struct pgb_cargo_target *target, const char *name, struct pgb_error *error);

/* The same from what `cargo metadata --no-deps` prints. PGB_E_CORRUPT. */
int pgb_cargo_parse(struct pgb_cargo_target *target, struct pgb_cursor metadata, const char *name,
		    const char *triple, struct pgb_error *error);
void pgb_cargo_target_release(struct pgb_cargo_target *target);

#endif
