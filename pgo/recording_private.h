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
