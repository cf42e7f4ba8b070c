/* SPDX-License-Identifier: MIT */
/* What the files recording_*.c share. */
#ifndef PGOBOLT_PGO_RECORDING_PRIVATE_H
#define PGOBOLT_PGO_RECORDING_PRIVATE_H

#include "pgobolt/pgo/recording.h"

struct pgb_recording_writer {
	char *directory;	     /* where it goes */
	char *temporary;	     /* DIR.tmp, locked by the file in it */
	char *old;		     /* DIR.old */
	char *work;		     /* DIR.tmp/work */
	int fd_lock;		     /* -1: nothing to remove */
	struct pgb_recording former; /* with `add`; zeroed else */
};

/* One binary on its way to disk. */
struct pgb_recording_item {
	struct pgb_recording_writer *writer;
	const struct pgb_recording *recording;
	const struct pgb_binary *binary;
	struct pgb_recorded_binary *recorded;
	struct pgb_edges *edges;
	uint32_t index;				  /* of the binary, in edges */
	const struct pgb_recorded_binary *former; /* with --add: of the same binary; or NULL */
};

/* NAME-ID.SUFFIX for any name; in the temporary folder. The caller frees both. */
char *pgb_recording_file_name(const struct pgb_recorded_binary *recorded, const char *suffix);
char *pgb_recording_temporary(const struct pgb_recording_writer *writer, const char *file);
int pgb_recording_write_fdata(const struct pgb_recording_writer *writer,
			      struct pgb_recorded_binary *recorded, struct pgb_profile *profile,
			      struct pgb_error *error);
/* What cannot be converted is no error: the reason is kept. What cannot be written is one. */
int pgb_recording_convert(const struct pgb_recording_item *item, struct pgb_error *error);

/* The quality of counts of instrumented runs, where the file can still be read. */
void pgb_recording_judge_counts(struct pgb_recorded_binary *recorded, struct pgb_profile *profile);

void pgb_recorded_binary_release(struct pgb_recorded_binary *binary);

/* With `add`: take over the binaries that did not run this time. */
int pgb_recording_carry(struct pgb_recording_writer *writer, struct pgb_recording *recording,
			struct pgb_error *error);
/* Heaviest first; of the programs started, the heaviest is the main one and goes to the front. */
void pgb_recording_arrange(struct pgb_recording *recording);
/* Add up the counters that recording.json keeps. */
void pgb_recording_add_counters(struct pgb_session_stats *sum,
				const struct pgb_session_stats *part);

/* All counters, for documents of other commands; the caller owns it. */
struct json_t *pgb_recording_counters_json(const struct pgb_session_stats *stats);

#endif
