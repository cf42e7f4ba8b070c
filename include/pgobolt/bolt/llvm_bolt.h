/* SPDX-License-Identifier: MIT */
/*
 * llvm-bolt itself: find it, learn what it accepts, build its command line, run it, understand
 * what it printed.
 */
#ifndef PGOBOLT_BOLT_LLVM_BOLT_H
#define PGOBOLT_BOLT_LLVM_BOLT_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/elf_image.h"

struct pgb_llvm_bolt {
	char *path;	       /* realpath: 15..19 look for their runtime library beside argv[0] */
	unsigned int major;    /* from the "LLVM version" line */
	char *version;	       /* "22.1.8" */
	char *runtime_library; /* libbolt_rt_instr.a; NULL: not installed */
	char *help;	       /* --help-hidden, for probing */
};

/*
 * Find one: `explicit_path` (--llvm-bolt), $PGOBOLT_LLVM_BOLT, PATH (llvm-bolt, llvm-bolt-NN),
 * /usr/lib/llvm-NN/bin, newest first. PGB_E_NOT_FOUND: the remedy names the package.
 */
int pgb_llvm_bolt_find(struct pgb_llvm_bolt *bolt, const char *explicit_path,
		       struct pgb_error *error);
void pgb_llvm_bolt_release(struct pgb_llvm_bolt *bolt);

/* Does --help-hidden list the option; and this value of it? */
bool pgb_llvm_bolt_has_option(const struct pgb_llvm_bolt *bolt, const char *option);
bool pgb_llvm_bolt_has_value(const struct pgb_llvm_bolt *bolt, const char *option,
			     const char *value);

enum pgb_preset { PGB_PRESET_SAFE, PGB_PRESET_DEFAULT, PGB_PRESET_MAX };

/* Borrowed for the time of the call. */
struct pgb_llvm_bolt_job {
	const char *input, *output;
	const char *profile; /* fdata; NULL when instrumenting */
	enum pgb_preset preset;
	bool update_debug;
	bool no_huge_pages;		 /* small programs: no 2 MiB alignment */
	bool infer_fall_throughs;	 /* profile of single branches */
	const char *skip_functions_file; /* NULL: none */
	const char *const *extra;	 /* the user's own options, last; NULL-terminated or NULL */
	unsigned int threads;		 /* 0: llvm-bolt's choice */
	/* instrumentation: where each process writes PREFIX.PID.fdata; NULL: optimize */
	const char *instrument_prefix;
	const char *log_path; /* all its output goes here as well; NULL: nowhere */
	unsigned int timeout_s;
};

/* One row of the dyno-stats table. */
struct pgb_dyno_stat {
	char *name; /* "taken branches" */
	uint64_t before, after;
};

struct pgb_llvm_bolt_result {
	int exit_status;
	uint64_t functions, functions_profiled; /* "N out of M functions .. non-empty" */
	uint64_t functions_stale;
	uint64_t functions_not_optimized; /* "could not be optimized" */
	uint64_t samples_stale, samples_total;
	double stale_percent;
	PGB_ARRAY(struct pgb_dyno_stat) dyno_stats;
	PGB_ARRAY(char *) skip_advised; /* functions it says to skip; owned */
	struct pgb_text output;
	uint64_t duration_ns;
};

/* argv for a job, NULL-terminated, each string and the array owned by the caller. */
char **pgb_llvm_bolt_arguments(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			       const struct pgb_llvm_bolt_job *job);
void pgb_llvm_bolt_arguments_free(char **argv);

/*
 * Run the job; the output file appears whole or not at all. Errors: PGB_E_EXISTS (input is output),
 * PGB_E_TOOL (it failed; its last error line is quoted and understood where we know it),
 * PGB_E_EMPTY (the profile matched no function), PGB_E_MISMATCH (most of it is stale).
 * `result` is filled as far as it got and must be released either way.
 */
int pgb_llvm_bolt_run(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
		      const struct pgb_llvm_bolt_job *job, struct pgb_llvm_bolt_result *result,
		      const struct pgb_log *log, struct pgb_error *error);
void pgb_llvm_bolt_result_release(struct pgb_llvm_bolt_result *result);

/* Parse what llvm-bolt printed; pure. */
void pgb_llvm_bolt_parse_output(const char *output, struct pgb_llvm_bolt_result *result);

#endif
