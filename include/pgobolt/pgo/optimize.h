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
#include "pgobolt/bolt/verify.h"

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
	/* What is passed on; input, output, profile, accept and what follows from above is set. */
	struct pgb_llvm_bolt_job bolt;
};

struct pgb_optimize_result {
	char *output;
	uint64_t size_before, size_after; /* bytes of the files */
	enum pgb_profile_kind kind;
	uint64_t profile_functions, profile_total;
	char *build_id; /* of the binary, "" where it has none */
	struct pgb_findings before, after;
	struct pgb_llvm_bolt_result bolt;
};

/*
 * Errors: those of pgb_elf_image_open(), pgb_fdata_read_file() and pgb_llvm_bolt_run();
 * PGB_E_NOT_SUITABLE and PGB_E_MISMATCH from the findings before, PGB_E_CHECK from those after.
 * No output is left then. `result` is filled as far as it got and must be released either way.
 */
int pgb_optimize(const struct pgb_optimize_job *job, const struct pgb_llvm_bolt *bolt,
		 struct pgb_optimize_result *result, const struct pgb_log *log,
		 struct pgb_error *error);
void pgb_optimize_result_release(struct pgb_optimize_result *result);

#endif
