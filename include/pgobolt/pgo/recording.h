/* SPDX-License-Identifier: MIT */
/*
 * A recording: a folder with recording.json (keys in README.md) and, for each binary,
 * NAME-ID.edges (branches or IPs as gathered) and NAME-ID.fdata (what llvm-bolt reads). ID is the
 * build-id, or "h" and a hash of the code where there is none.
 *
 * A folder is written beside its place under a temporary name and renamed when it is whole; the
 * former one becomes DIR.old. Edges and fdata hold no dates and no paths.
 */
#ifndef PGOBOLT_PGO_RECORDING_H
#define PGOBOLT_PGO_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/bolt/quality.h"
#include "pgobolt/collector/binary.h"
#include "pgobolt/collector/session.h"

#define PGB_RECORDING_VERSION 1
#define PGB_RECORDING_DEFAULT "pgobolt.data"

/* Strings are owned; those marked may be NULL. */
struct pgb_recorded_binary {
	char *name;	  /* base name: "python3.11" */
	char *path;	  /* where it was when it ran */
	char *id;	  /* as in the file names */
	char *build_id;	  /* hex; NULL: it has none, id is the code's hash */
	char *edges_file; /* in the folder; NULL: none (instrumented runs) */
	char *fdata_file; /* in the folder; NULL: none, and .. */
	char *reason;	  /* .. why there is none */
	char *remedy;	  /* .. what to do about it; NULL: the usual; not stored */
	bool executable;  /* was started as a program (not just mapped) */
	uint64_t size_bytes;
	uint64_t edges;			/* distinct */
	uint64_t count;			/* samples, branches, or counts of instrumented runs */
	uint64_t functions;		/* with counts, in the fdata */
	struct pgb_profile_stats stats; /* edges to fdata; zeros where nothing was converted */
	struct pgb_quality quality;	/* of the fdata; grade 0 where it is not known */
};

struct pgb_recording {
	char *directory; /* where it was read from, or goes to; not stored */
	char *program;	 /* "pgobolt 0.1.0": who wrote it */
	char *source;	 /* "ip", "lbr", "instrument" */
	char *reason;	 /* why this source */
	bool branches;	 /* the source sees branches, not just IPs */
	char *event;	 /* "" for instrumented runs */
	struct pgb_rate rate;
	char *command; /* as one would type it; "" when attached or system-wide */
	char *machine; /* "x86_64" */
	char *cpu;
	char *kernel;
	bool is_virtual;
	uint64_t runs; /* 1, and 1 for each --add */
	struct pgb_session_stats stats;
	/* The main binary first, then by count, descending, then by name and id. */
	PGB_ARRAY(struct pgb_recorded_binary) binaries;
	/* Index of the main binary: of the programs started, the one with most counts. */
	uint32_t main; /* PGB_BINARY_NONE: there is none */
	char *wanted;  /* id of the binary that shall be the main one; NULL; not stored */
};

void pgb_recording_release(struct pgb_recording *recording);

/* Is there a folder with a recording.json in it? Says nothing about what that holds. */
bool pgb_recording_is_folder(const char *directory);

/*
 * Read DIR/recording.json. Errors: PGB_E_NOT_FOUND (no such folder; no recording in it),
 * PGB_E_UNSUPPORTED (a newer version), PGB_E_CORRUPT (with the key or line), PGB_E_PERMISSION.
 */
int pgb_recording_read(struct pgb_recording *recording, const char *directory,
		       struct pgb_error *error);
/* The text of a recording.json; `what` names it in messages. */
int pgb_recording_parse(struct pgb_recording *recording, struct pgb_cursor bytes, const char *what,
			struct pgb_error *error);
/* The text of a recording.json: keys sorted; the caller frees it. */
char *pgb_recording_text(const struct pgb_recording *recording);

/*
 * The recorded binary with this identity (build-id, or hash of the code), or NULL. The hash of
 * `binary` must have been asked for where it has no build-id.
 */
const struct pgb_recorded_binary *pgb_recording_find(const struct pgb_recording *recording,
						     const struct pgb_binary *binary);
/* NULL where there is none. */
const struct pgb_recorded_binary *pgb_recording_main(const struct pgb_recording *recording);
/* DIR/FILE for one of the files above; the caller frees it. */
char *pgb_recording_file(const struct pgb_recording *recording, const char *file);

/* ---- writing */

struct pgb_recording_writer;

/*
 * Make sure that DIR can be written and start to: to be called before anything is run. `add`:
 * DIR's recording is read and what is written will be added to it.
 * Errors: PGB_E_EXISTS (DIR or DIR.old is there and is no recording; another pgobolt writes it),
 * PGB_E_NOT_FOUND (its parent; with `add`: DIR), PGB_E_PERMISSION, PGB_E_RESOURCE.
 */
int pgb_recording_writer_open(struct pgb_recording_writer **writer, const char *directory, bool add,
			      struct pgb_error *error);
/* Remove what was written, unless it was committed. Legal with NULL. */
void pgb_recording_writer_close(struct pgb_recording_writer *writer);

/* The recording that `add` adds to; NULL: none. Borrowed. */
const struct pgb_recording *pgb_recording_writer_former(const struct pgb_recording_writer *writer);
/* The temporary folder: what is put there becomes part of the recording. Borrowed. */
const char *pgb_recording_writer_directory(const struct pgb_recording_writer *writer);
/* A folder for work files, removed when the recording is put in place. Borrowed. */
const char *pgb_recording_writer_work(const struct pgb_recording_writer *writer);

/*
 * May this source and this main binary (NULL: not known) be added to the former recording?
 * PGB_E_MISMATCH: another source, or another build of a recorded program.
 */
int pgb_recording_writer_check(const struct pgb_recording_writer *writer, const char *source,
			       const struct pgb_binary *binary, struct pgb_error *error);

/*
 * Write the edges of every binary of a session, and the fdata of those that can have one now.
 * What cannot be converted is listed in `recording` with the reason. PGB_E_EMPTY: there was
 * nothing at all, with the cause; PGB_E_IO, PGB_E_RESOURCE while writing.
 */
int pgb_recording_write_session(struct pgb_recording_writer *writer,
				struct pgb_recording *recording, struct pgb_session *session,
				struct pgb_error *error);
/* Write one binary's profile of instrumented runs. */
int pgb_recording_write_profile(struct pgb_recording_writer *writer,
				struct pgb_recording *recording, const struct pgb_binary *binary,
				bool executable, struct pgb_profile *profile,
				struct pgb_error *error);
/*
 * Write recording.json, and put the folder in its place. recording->directory is set; runs 0
 * stands for one.
 */
int pgb_recording_writer_commit(struct pgb_recording_writer *writer,
				struct pgb_recording *recording, struct pgb_error *error);

#endif
