/* SPDX-License-Identifier: MIT */
/*
 * One binary from profile to verified output: choose the profile, check that the two belong
 * together, run llvm-bolt, and look at the result before it gets its name.
 */
#ifndef PGOBOLT_PGO_OPTIMIZE_H
#define PGOBOLT_PGO_OPTIMIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/bolt/strict.h"
#include "pgobolt/bolt/verify.h"
#include "pgobolt/pgo/bisect.h"
#include "pgobolt/pgo/check.h"

/* A profile for one binary. Strings are owned. */
struct pgb_chosen_profile {
	char *binary;	      /* what it is for: as given, or as recorded */
	char *fdata;	      /* the file that llvm-bolt reads */
	char *recording;      /* its folder; NULL: a lone fdata file */
	char *source;	      /* of the recording: "ip", "lbr"; NULL: not known */
	bool single_branches; /* the source gives branches without their ranges .. */
	bool is_inferred;     /* .. which were inferred (infer.h): .. */
	double inferred;      /* .. this share of the counts */
	bool has_build_id;    /* does anything tell the build? */
	struct pgb_build_id build_id;
};

/*
 * The profile for `binary` (NULL: the recording's main binary) in `profile`: a recording's folder
 * (NULL: pgobolt.data) or an fdata file, whose build-id is read from FILE.json where that is there.
 * Errors: those of pgb_recording_read(); PGB_E_USAGE (a lone fdata and no binary),
 * PGB_E_NOT_FOUND (no such file; the recorded program is gone), PGB_E_MISMATCH (the recording is of
 * other programs, or of another build without a build-id), PGB_E_EMPTY (recorded, but nothing for
 * llvm-bolt), and what pgb_input_refuse() says of other kinds of files.
 */
int pgb_profile_choose(struct pgb_chosen_profile *chosen, const char *binary, const char *profile,
		       struct pgb_error *error);
void pgb_chosen_profile_release(struct pgb_chosen_profile *chosen);

enum pgb_huge_pages {
	PGB_HUGE_PAGES_AUTO, /* where there is enough code to fill one */
	PGB_HUGE_PAGES_YES,
	PGB_HUGE_PAGES_NO,
};

struct pgb_optimize_job {
	const struct pgb_chosen_profile *profile;
	const char *output; /* NULL: BINARY.bolt */
	enum pgb_huge_pages huge_pages;
	bool drop_debug;      /* even where the binary holds debug information */
	bool keep_unverified; /* findings of the result do not stop it */
	const char *strip;    /* llvm-strip, to be run on the result; NULL: leave its symbols */
	/* The user's test, of the original and of the result; `original` is set here. NULL: none.
	 */
	const struct pgb_check_job *check;
	/*
	 * Of a result that is wrong, do not look for the functions, or options of llvm-bolt, that
	 * make it so, but fail; of a crash of llvm-bolt neither, but ask less of it.
	 */
	bool no_search;
	unsigned int parallel; /* llvm-bolts at a time in that search; 0: by the number of CPUs */
	/* Called with a result that passed, before it gets its name; an error discards it. */
	int (*accept)(void *context, const char *path, struct pgb_error *error);
	void *accept_context;
	/* What is passed on; input, output, profile, accept and what follows from above is set. */
	struct pgb_llvm_bolt_job bolt;
};

/*
 * What a wrong result needed to become right, or llvm-bolt to end well. Strings are owned, but for
 * the options.
 */
struct pgb_optimize_search {
	bool done;
	char *failure; /* what was wrong with the first result, or with llvm-bolt */
	size_t candidates, runs;
	enum pgb_bisect_end end;
	PGB_ARRAY(char *) functions;	 /* that must be left alone */
	PGB_ARRAY(const char *) options; /* of llvm-bolt that must be left out .. */
	/* .. or, with functions, that harm them */
	bool only_profiled; /* it is right when the functions without a profile are left alone .. */
	char *kept;	    /* .. that is, all but the names in this file */
	char *reproducer;   /* folder; NULL: none was written */
};

/* A function whose jumps llvm-bolt does not understand, see strict.h. */
struct pgb_optimize_strict {
	char *name;
	enum pgb_strict_kind kind;
	const char *why; /* static; NULL: it is proven */
};

struct pgb_optimize_result {
	char *output;
	uint64_t size_before, size_after; /* bytes of the files */
	enum pgb_profile_kind kind;
	uint64_t profile_functions, profile_total;
	char *build_id; /* of the binary, "" where it has none */
	struct pgb_findings before, after;
	struct pgb_llvm_bolt_result bolt;
	/*
	 * By address. Those with a profile, where llvm-bolt was given -strict for them; else those
	 * for which that could not be done. Empty where there is nothing to gain from it, or no
	 * way.
	 */
	PGB_ARRAY(struct pgb_optimize_strict) strict;
	bool stripped;
	bool checked; /* the user's test ran on both; what it did is in `check` */
	struct pgb_optimize_checked {
		bool in_place, output_varies;
		unsigned int repeats;
		uint64_t original_ns;
		uint64_t output_bytes;
	} check;
	struct pgb_optimize_search search; /* after a wrong result */
	struct pgb_optimize_search crash;  /* where llvm-bolt failed and did not say on what */
};

/*
 * Errors: those of pgb_elf_image_open(), pgb_fdata_read_file() and pgb_llvm_bolt_run();
 * PGB_E_NOT_SUITABLE and PGB_E_MISMATCH from the findings before, PGB_E_CHECK from those after and
 * from the user's test, where no search mends it; what accept() returned.
 * A search, also that after a crash, that was interrupted goes on where it was when the same is
 * asked for again: its state is in OUTPUT.search. No output is left then. `result` is filled as far
 * as it got and must be released either way.
 */
int pgb_optimize(const struct pgb_optimize_job *job, const struct pgb_llvm_bolt *bolt,
		 struct pgb_optimize_result *result, const struct pgb_log *log,
		 struct pgb_error *error);
void pgb_optimize_result_release(struct pgb_optimize_result *result);

#endif
