/* SPDX-License-Identifier: MIT */
/*
 * llvm-bolt itself: find it, learn what it accepts, build its command line, run it, understand
 * what it printed.
 */
#ifndef PGOBOLT_BOLT_LLVM_BOLT_H
#define PGOBOLT_BOLT_LLVM_BOLT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/llvm_bolt_parse.h"

struct pgb_llvm_bolt {
	char *path;	       /* realpath: 15..19 look for their runtime library beside argv[0] */
	unsigned int major;    /* from the "LLVM version" line */
	char *version;	       /* "22.1.8" */
	char *runtime_library; /* libbolt_rt_instr.a; NULL: not installed */
	char *help;	       /* --help-hidden, for probing */
};

/*
 * Find one: `explicit_path` (--llvm-bolt), else $PGOBOLT_LLVM_BOLT, else `llvm-bolt` in PATH, else
 * the newest of PATH's llvm-bolt-NN and /usr/lib/llvm-NN/bin/llvm-bolt that runs.
 * PGB_E_NOT_FOUND: the remedy names the package. PGB_E_TOOL: it does not run or is something else.
 * PGB_E_UNSUPPORTED: older than 15.
 */
int pgb_llvm_bolt_find(struct pgb_llvm_bolt *bolt, const char *explicit_path,
		       struct pgb_error *error);
void pgb_llvm_bolt_release(struct pgb_llvm_bolt *bolt);

/* Does --help-hidden list the option (without its dashes); and this value of it? */
bool pgb_llvm_bolt_has_option(const struct pgb_llvm_bolt *bolt, const char *option);
bool pgb_llvm_bolt_has_value(const struct pgb_llvm_bolt *bolt, const char *option,
			     const char *value);

/* The first release whose -strict works on position-independent code. */
#define PGB_LLVM_BOLT_STRICT_SINCE 22

enum pgb_preset { PGB_PRESET_SAFE, PGB_PRESET_DEFAULT, PGB_PRESET_MAX };

/* What keeps llvm-bolt from crashing. Strings are borrowed until the run ends. */
struct pgb_llvm_bolt_mend {
	PGB_ARRAY(const char *) skip;	 /* leave these functions alone .. */
	const char *only_functions_file; /* .. or all but those in this file; NULL: no */
};

/* Borrowed for the time of the call. */
struct pgb_llvm_bolt_job {
	const char *input, *output;
	const char *profile; /* fdata; NULL when instrumenting */
	enum pgb_preset preset;
	bool update_debug;	  /* dropped, with a warning, where llvm-bolt fails on it */
	bool no_huge_pages;	  /* small programs: no 2 MiB alignment */
	bool infer_fall_throughs; /* profile of single branches */
	/*
	 * All indirect jumps are known to go where relocations show (strict.h). -strict works on
	 * all functions or none: it is not given where any are to be left alone. When llvm-bolt
	 * fails, asking less of it is left to the caller.
	 */
	bool strict;
	bool without_relocations; /* the input kept none: blocks move inside their functions only */
	const char *skip_functions_file;   /* NULL: none */
	const char *const *skip_functions; /* plain names, not patterns; NULL-terminated or NULL */
	/*
	 * Plain names: leave all others alone. llvm-bolt takes this or functions to skip, so these
	 * are not passed on and must not stand in it. NULL: none.
	 */
	const char *only_functions_file;
	const char *const
		*without; /* options that the preset is not to give; NULL-terminated or NULL */
	bool no_steps;	  /* what it fails on fails: the same steps everywhere */
	const char *const *extra; /* the user's own options, last; NULL-terminated or NULL */
	unsigned int threads;	  /* 0: llvm-bolt's choice */
	/*
	 * Instrumentation: where each process writes PREFIX.PID.fdata at its end; NULL: optimize.
	 * With every_s, and in static programs, a watching process writes all counts to PREFIX each
	 * so many seconds (static: 1) and once more when the program has gone.
	 */
	const char *instrument_prefix;
	unsigned int instrument_every_s;
	const char *log_path;	   /* all its output goes here as well; NULL: nowhere */
	unsigned int timeout_s;	   /* of one run of llvm-bolt; 0: none */
	bool profile_is_of_input;  /* build-ids were compared; only changes what is said */
	double stale_percent_most; /* more stale samples are PGB_E_MISMATCH; 0: 50 */
	/* Set (by a signal handler): stop llvm-bolt, leave nothing, PGB_E_INTERRUPTED. NULL: none.
	 */
	const volatile sig_atomic_t *interrupted;
	/* Called a few times a second while llvm-bolt runs. NULL: none. */
	void (*waiting)(void *context, uint64_t elapsed_ns);
	void *waiting_context;
	/*
	 * It failed on `job`, for no reason that we know, and named no function: which ones make
	 * it? Called before parts of the preset are left out; an empty mend: it is no function. An
	 * error ends the run. NULL: nobody looks.
	 */
	int (*crashed)(void *context, const struct pgb_llvm_bolt_job *job,
		       const struct pgb_error *failure, struct pgb_llvm_bolt_mend *mend,
		       struct pgb_error *error);
	void *crashed_context;
	/* Looks at the finished file before it gets its name; an error discards it. NULL: none. */
	int (*accept)(void *context, const char *path, struct pgb_error *error);
	void *accept_context;
};

/* argv for a job, NULL-terminated, each string and the array owned by the caller. */
char **pgb_llvm_bolt_arguments(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			       const struct pgb_llvm_bolt_job *job);
void pgb_llvm_bolt_arguments_free(char **argv);
/* Names of the preset's options that a job gives, in their order; at most `most`. Static. */
size_t pgb_llvm_bolt_options(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			     const struct pgb_llvm_bolt_job *job, const char **options,
			     size_t most);

/*
 * Run the job; the output file appears whole or not at all and the input is never written to.
 * Functions that llvm-bolt asks to skip, or that crashed() finds, are skipped and it runs again;
 * where it still fails, debug information and then parts of the preset are left out, one after the
 * other; `log` tells.
 * Errors: PGB_E_EXISTS (input is output, or the output is no regular file), PGB_E_PERMISSION and
 * PGB_E_NOT_FOUND (output folder), PGB_E_RESOURCE (disk full), PGB_E_UNSUPPORTED (a combination
 * known to be broken in that version; no runtime library), PGB_E_TOOL (it failed, was killed or ran
 * out of time: its last error line is quoted), PGB_E_NOT_SUITABLE, PGB_E_CORRUPT, PGB_E_USAGE (what
 * it said where we understand it), PGB_E_EMPTY (the profile matched no function),
 * PGB_E_NOT_SUITABLE (those it matched are beyond llvm-bolt), PGB_E_MISMATCH (most of it is stale),
 * PGB_E_INTERRUPTED; what `accept` returned. `result` is filled as far as it got and must be
 * released either way.
 */
int pgb_llvm_bolt_run(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
		      const struct pgb_llvm_bolt_job *job, struct pgb_llvm_bolt_result *result,
		      const struct pgb_log *log, struct pgb_error *error);

#endif
