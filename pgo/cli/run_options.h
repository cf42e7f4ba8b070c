/* SPDX-License-Identifier: MIT */
/* The options of `run`, from the command line and from pgobolt.ini. */
#ifndef PGOBOLT_PGO_CLI_RUN_OPTIONS_H
#define PGOBOLT_PGO_CLI_RUN_OPTIONS_H

#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/ini.h"

struct pgb_run_options {
	const char *build, *clean, *record, *check, *bench, *binary;
	const char *source, *state, *llvm_bolt, *optimize, *config;
	struct pgb_option_list train, weights;
	uint64_t bench_runs, bench_time_ns, record_time_ns;
	bool cargo, sample, partial_training, no_compare, allow_stale, no_report;
	bool dry_run, fresh; /* on the command line alone */
};

extern const struct pgb_option pgb_run_table[];
extern const struct pgb_run_options pgb_run_defaults;

/*
 * `merged` becomes what the command line says and, where it says nothing, what the file says:
 * options->config, else pgobolt.ini where there is one. It borrows from `options` and `ini`; its
 * lists are its own: pgb_options_release(pgb_run_table, merged) and pgb_ini_release().
 * PGB_E_USAGE: an option that there is not, or a bad value, with the line; what reading gives.
 */
int pgb_run_options_merge(struct pgb_run_options *merged, const struct pgb_run_options *options,
			  struct pgb_ini *ini, struct pgb_error *error);

#endif
