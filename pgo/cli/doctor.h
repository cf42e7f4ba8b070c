/* SPDX-License-Identifier: MIT */
/* Private to cmd_doctor.c and doctor_*.c: each looks at one part of the machine. */
#ifndef PGOBOLT_PGO_CLI_DOCTOR_H
#define PGOBOLT_PGO_CLI_DOCTOR_H

#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/bolt/verify.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"

struct doctor {
	struct pgb_host host;
	struct pgb_llvm_bolt bolt; /* path NULL: none was found */
	bool is_elsewhere;	   /* the host is another machine's files: nothing is tried */
	size_t ring_bytes; /* all rings of one recording, as they could be mapped; 0: none */
	struct pgb_findings sampling, tools;
	bool can_sample; /* perf events of one's own programs work */
	bool can_optimize;
	const struct pgb_source *branch_source; /* of the CPU; NULL: none works */
};

/* Fill sampling, can_sample, branch_source and ring_bytes. */
void pgb_doctor_sampling(struct doctor *doctor);
/* The parts of it that are about limits and permissions. */
void pgb_doctor_limits(struct doctor *doctor);
/* Fill bolt, tools and can_optimize. `llvm_bolt` is the user's choice or NULL. */
void pgb_doctor_tools(struct doctor *doctor, const char *llvm_bolt);

/* Add a finding; `remedy` NULL: none. */
__attribute__((format(printf, 5, 6))) void pgb_doctor_add(struct pgb_findings *findings,
							  enum pgb_severity severity,
							  const char *check, const char *remedy,
							  const char *format, ...);
/* The same from an error: a warning where it is not needed for the main job. */
void pgb_doctor_add_error(struct pgb_findings *findings, enum pgb_severity severity,
			  const char *check, const struct pgb_error *error);

#endif
