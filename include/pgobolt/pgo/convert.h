/* SPDX-License-Identifier: MIT */
/*
 * perf.data, pre-aggregated text, fdata and recordings into profiles for llvm-bolt: all counts that
 * the inputs hold of the given binaries, added up.
 */
#ifndef PGOBOLT_PGO_CONVERT_H
#define PGOBOLT_PGO_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/bolt/infer.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/bolt/quality.h"
#include "pgobolt/collector/session.h"
#include "pgobolt/pgo/merge.h"
#include "pgobolt/pgo/sample_profile.h"

enum pgb_convert_format {
	PGB_CONVERT_FDATA = 1,		/* what llvm-bolt reads */
	PGB_CONVERT_PREAGG = 2,		/* BOLT's pre-aggregated text, which perf2bolt reads */
	PGB_CONVERT_AUTOFDO = 4,	/* LLVM's sample profile, which clang reads: text */
	PGB_CONVERT_AUTOFDO_BINARY = 8, /* the same in its binary format, by llvm-profdata */
};

/* Borrowed for the time of the conversion. */
struct pgb_convert_job {
	const struct pgb_merge_input *inputs; /* "-": perf.data from standard input */
	size_t input_count;
	const char *const *binaries; /* files as they ran, at least one */
	size_t binary_count;
	/*
	 * A file, with several formats without its suffix; for several binaries, or where it ends
	 * in a slash or is a recording already, a recording's folder.
	 */
	const char *output;
	unsigned int formats; /* enum pgb_convert_format; 0: fdata */
	bool compat_perf2bolt;
	bool basic;	      /* sampled addresses, even where there are branch stacks */
	bool ignore_build_id; /* match by name alone */
	enum pgb_infer_when infer;
	char min_grade;	     /* refuse what is worse; 0: nothing */
	const char *program; /* "pgobolt 0.1.0", for the note beside an fdata file */
	const struct pgb_log *log;
	/* Called now and then: of input `index`, so many bytes of its `size` (0: unknown). */
	void (*progress)(void *context, size_t index, uint64_t bytes, uint64_t size);
	void *progress_context;
};

/* What became of one of the given binaries. Strings are owned. */
struct pgb_converted {
	char *path; /* as given */
	char *name;
	char *id;	/* build-id, or "h" and a hash of its code */
	char *build_id; /* NULL: it has none */
	char *fdata_file, *preagg_file, *autofdo_file, *autofdo_binary_file;
	char *reason; /* why there is no profile of it; NULL where there is */
	enum pgb_profile_kind kind;
	uint64_t edges;			/* distinct */
	uint64_t count;			/* branches or samples in it, weighted */
	uint64_t lines, functions;	/* of the fdata */
	uint64_t preagg_lost;		/* counts that the text cannot carry */
	struct pgb_profile_stats stats; /* edges to fdata */
	bool is_inferred;
	struct pgb_infer_stats inferred;
	struct pgb_quality quality;	 /* of the fdata */
	struct pgb_sample_stats samples; /* edges to the sample profile */
};

/* A file that was not asked for, and the branches or samples in it. */
struct pgb_convert_other {
	char *name;	/* base name */
	char *build_id; /* NULL: not told */
	uint64_t count;
};

struct pgb_convert_result {
	PGB_ARRAY(struct pgb_converted) binaries;   /* as the job has them */
	PGB_ARRAY(struct pgb_convert_other) others; /* most first */
	struct pgb_session_stats stats;		    /* of all perf.data inputs together */
	char *source, *event;			    /* several are joined by commas */
	uint64_t left_out;			    /* samples of events that were not converted */
	bool incomplete;			    /* an input was cut or damaged; it was said */
};

/*
 * The output appears whole or not at all, inputs are never changed. Errors: as reading each kind
 * gives; PGB_E_MISMATCH (another build of a binary, another machine, samples and branches
 * together); PGB_E_EMPTY (nothing of a binary: the message says which binaries have the samples);
 * PGB_E_UNSUPPORTED (a trace unit that is not decoded; no llvm-profdata for the binary format);
 * PGB_E_NOT_SUITABLE (a sample profile of a binary without debug information); PGB_E_CHECK
 * (min_grade); PGB_E_EXISTS (the output is an input). `result` is filled as far as it got and must
 * be released either way.
 */
int pgb_convert(const struct pgb_convert_job *job, struct pgb_convert_result *result,
		struct pgb_error *error);
void pgb_convert_result_release(struct pgb_convert_result *result);

/* Does the job's output become a folder? */
bool pgb_convert_to_folder(const struct pgb_convert_job *job);

struct json_t; /* jansson's */
/* The result as a document; the caller owns it. */
struct json_t *pgb_convert_json(const struct pgb_convert_result *result);

#endif
