/* SPDX-License-Identifier: MIT */
/*
 * Run the user's build with the compilers' flags injected. All that pgobolt keeps is in one state
 * folder, ".pgobolt" in the folder where it is called unless told otherwise:
 *
 *	bin/		shims, first in PATH
 *	mode		the last build: "instrument", "instrument-cs", "sampling", "use PROFILES"
 *	compiled	what the shims saw since the mode changed, one tab-separated line each:
 *			compiler KEY, object FILE, of FILE (its source), source FILE, own FILE,
 *			unprofiled KEY, cargo FOLDER, link FILE, input FILE (of that link)
 *	raw/KEY/	where programs write their counts when nobody trains them
 *	runs/N/		one training run: weight, raw profiles; `cs`: of a context-sensitive build
 *	profile/	merged: see pgo/toolchain.h; sample-HASH.afdo: a copy of the sample profile
 */
#ifndef PGOBOLT_PGO_BUILD_H
#define PGOBOLT_PGO_BUILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/pgo/shim.h"

#define PGB_STATE_DEFAULT ".pgobolt"
#define PGB_RUN_CS	  "cs" /* in a run of a context-sensitive build */

struct pgb_build_config {
	enum pgb_build_mode mode;
	const char *state; /* the state folder; made where it is missing */
	const char *const *argv;
	bool partial_training; /* USE, gcc: functions without counts are not cold */
	const char *sample;    /* USE: this sample profile instead of the trained one; NULL */
	bool lines;	       /* USE: with what SAMPLING adds, for the next sample profile */
	const volatile sig_atomic_t *stop; /* set: do not begin the command; NULL */
};

struct pgb_build_result {
	int exit_status;		   /* of the build command, as a shell gives it */
	uint64_t compiled, linked;	   /* files, without configure's tests */
	uint64_t cargo;			   /* calls of it; it knows itself what to compile again */
	bool rust;			   /* some of it is Rust */
	struct pgb_shim_words compilers;   /* keys: "llvm-22"; configure's, too */
	struct pgb_shim_words compiled_by; /* keys of those that compiled one of `compiled` */
	struct pgb_shim_words unprofiled;  /* keys of those that there was no profile for */
	struct pgb_shim_words trained;	   /* keys that there is a profile for */
	struct pgb_shim_words compiled_files; /* objects, or sources where those are not named */
	struct pgb_shim_words sources;	      /* of these objects */
	struct pgb_shim_words own_profile; /* sources that the build profiles itself: left alone */
	struct pgb_shim_words inputs;	   /* objects and archives that were linked, each once */
	struct pgb_shim_words stale;	   /* of these, what an earlier build compiled */
	struct pgb_shim_words bypassed;	   /* and what no compiler of this build did */
	struct pgb_shim_words outputs;	   /* linked */
	struct pgb_shim_words unfit;	   /* of these, what llvm-bolt cannot rearrange: no
					      relocations, or no symbols */
};

/*
 * The environment for a command whose compilers are to be shims, made ready in the state folder.
 * `argv` is the command: compilers named by a path in it and in the environment (CC, CXX,
 * CMAKE_C_COMPILER ..) are named by their shim's path instead.
 */
struct pgb_build_environment {
	struct pgb_shim_words variables; /* "NAME=value"; NULL-terminated by .._init */
	struct pgb_shim_words argv;	 /* NULL-terminated */
	char *file;			 /* what argv[0] means: a shim or NULL */
	char *state;			 /* absolute */
	const volatile sig_atomic_t *stop;
};
int pgb_build_environment_init(struct pgb_build_environment *environment,
			       const struct pgb_build_config *config, struct pgb_error *error);
/* Add one more variable. */
void pgb_build_environment_add(struct pgb_build_environment *environment, char *assignment);
/* Run environment->argv to its end. */
int pgb_build_command(const struct pgb_build_environment *environment, int *wait_status,
		      struct pgb_error *error);
void pgb_build_environment_release(struct pgb_build_environment *environment);

/*
 * Errors besides those of starting the command: PGB_E_EMPTY (nothing went through the shims since
 * the mode changed; USE and INSTRUMENT_CS without a profile), PGB_E_UNSUPPORTED (no compiler here),
 * those of reading `sample`. A build that fails is no error: see exit_status.
 */
int pgb_build_run(const struct pgb_build_config *config, struct pgb_build_result *result,
		  struct pgb_error *error);
void pgb_build_result_release(struct pgb_build_result *result);

/* What lines of the log say: all of `result` but exit_status, trained, unfit, stale and bypassed.
 */
void pgb_build_read_log(struct pgb_build_result *result, const char *text);

/*
 * Were the inputs compiled as `mode` has it, since it began in the state folder? `whole` is what
 * the whole log says. ARCHIVE(MEMBER) names a part of an archive. Stale: older than the mode, or
 * counting in a build that does not. Bypassed: of gcc or clang, but not by way of a shim; known by
 * its code where that should count, else by its names.
 */
void pgb_build_check_inputs(struct pgb_build_result *result, const struct pgb_build_result *whole,
			    const char *state, enum pgb_build_mode mode);

/*
 * Do compilers mix whose counts do not: the libraries that write them know one version of one kind?
 * Which two.
 */
bool pgb_build_is_mixed(const struct pgb_build_result *result, const char **one,
			const char **other);

/* " --state DIR" for a command line, or "" where it is the usual one. The caller frees it. */
char *pgb_build_state_option(const char *state);

/* The log as it is; "" where there is none. The caller frees it. */
char *pgb_build_log(const char *state);

/* The mode of the last build, PGB_BUILD_NONE where there was none. */
enum pgb_build_mode pgb_build_last_mode(const char *state);

/* Forget training runs: all of them, or those of context-sensitive builds. */
int pgb_build_forget_runs(const char *state, bool only_cs, struct pgb_error *error);

/*
 * Cargo before 1.85 does not know that what a build script compiles depends on the mode: have it
 * run those again that compiled something in this one, which ends.
 */
void pgb_build_forget_scripts(const char *state);

/* Fill STATE/bin with a shim for every compiler in PATH. PGB_E_UNSUPPORTED: there is none. */
int pgb_build_shims(const char *state, struct pgb_error *error);

/*
 * `value` is a compiler as CC may name it: "ccache /opt/gcc/bin/gcc -m32". Where it is named by an
 * absolute path, the same with the name of a shim, made for it where there was none: a name, as a
 * path would be split at its blanks. NULL: nothing to change, or no compiler. The caller frees it.
 */
char *pgb_build_shim_for(const char *state, const char *value);

#endif
