/* SPDX-License-Identifier: MIT */
/*
 * One run of `record`: choose a source, gather, and write the recording.
 */
#ifndef PGOBOLT_PGO_RECORDER_H
#define PGOBOLT_PGO_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/base/log.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/session.h"
#include "pgobolt/pgo/recording.h"

/* Borrowed for the time of the run. */
struct pgb_recorder_config {
	const struct pgb_host *host;
	const struct pgb_log *log;
	const char *program;   /* "pgobolt 0.1.0" */
	const char *directory; /* of the recording */
	bool add;
	const char *source; /* NULL: the first that works, in the order of pgb_recorder_sources */
	const char *event;
	struct pgb_rate rate;
	double max_overhead_percent; /* walk; 0: its default */
	size_t depth;		     /* walk: branches of one stack; 0: its default */
	uint64_t seed;		     /* walk */
	const char *const *argv; /* see struct pgb_session_config */
	const char *raw_path;	 /* as well */
	const pid_t *pids;
	size_t pid_count;
	bool system_wide;
	uint64_t duration_ns;
	/*
	 * The binaries that matter: instrumented instead of the command's own; when sampling, the
	 * first is the recording's main binary. NULL-terminated or NULL.
	 */
	const char *const *files;
	const char *llvm_bolt; /* path; NULL: look for it */
	bool server;	       /* instrument: count also what is killed or never ends */
	const struct pgb_session_signals *signals;
	/* Told once, before anything runs: the source, and why not a better one. */
	void (*chosen)(void *context, const struct pgb_recording *recording);
	void (*progress)(void *context, const struct pgb_session *session);
	void *context;
};

/* Every source there is, best first: how `auto` tries them. NULL-terminated. */
struct pgb_recorder_source {
	const char *name;
	const char *summary; /* one line for people */
	const char *lost;    /* what a profile from it lacks; NULL: nothing */
};
extern const struct pgb_recorder_source pgb_recorder_sources[];

/*
 * Record. `recording` is filled as far as it got, also on errors: its stats say whether the
 * program was started; release it either way. Errors: PGB_E_USAGE (contradictory wishes),
 * PGB_E_UNSUPPORTED and PGB_E_PERMISSION (no source, or not the one wanted), PGB_E_NOT_FOUND,
 * PGB_E_PERMISSION of the program, PGB_E_GONE (a pid), PGB_E_EMPTY, PGB_E_MISMATCH (--add),
 * PGB_E_INTERRUPTED (before anything was started), and what writing the recording gives.
 */
int pgb_recorder_run(const struct pgb_recorder_config *config, struct pgb_recording *recording,
		     struct pgb_error *error);

#endif
