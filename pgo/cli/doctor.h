/* SPDX-License-Identifier: MIT */
/* Private to cmd_doctor.c and doctor_*.c: each looks at one part of the machine. */
#ifndef PGOBOLT_PGO_CLI_DOCTOR_H
#define PGOBOLT_PGO_CLI_DOCTOR_H

#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/bolt/verify.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"
#include "pgobolt/pgo/recorder.h"

struct doctor {
	struct pgb_host host;
	struct pgb_llvm_bolt bolt; /* path NULL: none was found */
	bool is_elsewhere;	   /* the host is another machine's files: nothing is tried */
	bool binary_is_unfit;	   /* there is a binary, and llvm-bolt cannot take it */
	struct pgb_findings machine, sources, tools, binary;
	size_t ring_bytes; /* all rings of one recording, as they could be mapped; 0: none */
	const struct pgb_recorder_source *automatic; /* what `record` takes; NULL: nothing works */
};

/* Fill bolt and tools. `llvm_bolt` is the user's choice or NULL. */
void pgb_doctor_tools(struct doctor *doctor, const char *llvm_bolt);
/* Fill sources, automatic and ring_bytes; behind tools. */
void pgb_doctor_sources(struct doctor *doctor);
/* Fill machine; behind sources. */
void pgb_doctor_machine(struct doctor *doctor);

/*
 * Add to `binary` how much there is to gain, as this profile shows it; behind tools. Errors: those
 * of choosing and reading the profile.
 */
int pgb_doctor_benefit(struct doctor *doctor, const char *binary, const char *profile,
		       struct pgb_error *error);

/* Add a finding; `remedy` NULL: none. */
__attribute__((format(printf, 5, 6))) void pgb_doctor_add(struct pgb_findings *findings,
							  enum pgb_severity severity,
							  const char *check, const char *remedy,
							  const char *format, ...);
/* The same from an error: a warning where it is not needed for the main job. */
void pgb_doctor_add_error(struct pgb_findings *findings, enum pgb_severity severity,
			  const char *check, const struct pgb_error *error);

#endif
