/* SPDX-License-Identifier: MIT */
/* What the llvm_bolt_*.c files share. */
#ifndef PGOBOLT_BOLT_LLVM_BOLT_PRIVATE_H
#define PGOBOLT_BOLT_LLVM_BOLT_PRIVATE_H

#include "pgobolt/bolt/llvm_bolt.h"

/* One call of pgb_llvm_bolt_run(). */
struct pgb_llvm_bolt_run {
	const struct pgb_llvm_bolt *bolt;
	const struct pgb_elf_image *image;
	struct pgb_llvm_bolt_job job; /* as attempted now; output is what the caller asked for */
	struct pgb_llvm_bolt_result *result;
	const struct pgb_log *log;
	PGB_ARRAY(const char *) skip;	 /* job.skip_functions and result.skipped */
	PGB_ARRAY(const char *) without; /* job.without and what the steps took away */
	char *path_output; /* job.output, or what it links to: the link stays a link */
	/*
	 * llvm-bolt writes its command line into the output. So it runs in a folder of its own, on
	 * links that have the same names everywhere, and finds itself called `llvm-bolt`: the same
	 * input and profile give the same bytes wherever they lie. NULL: it needs the real names.
	 */
	char *folder;
	char *path_temporary; /* what it writes */
	int wait_status;
	bool timed_out;
	bool out_of_memory;
	bool no_function; /* job.crashed() found none */
	size_t steps_taken;
};

#define PGB_LINK_INPUT	 "input"
#define PGB_LINK_OUTPUT	 "optimized.bolt"
#define PGB_LINK_PROFILE "profile"
#define PGB_LINK_SKIPPED "skipped"
#define PGB_LINK_ONLY	 "only"

/* llvm_bolt_attempt.c: until it ends well or there is nothing left to leave out. */
int pgb_llvm_bolt_attempts(struct pgb_llvm_bolt_run *run, struct pgb_error *error);

/* In the run's folder, `name` becomes a link to `path`. */
int pgb_llvm_bolt_link(const struct pgb_llvm_bolt_run *run, const char *name, const char *path,
		       struct pgb_error *error);

/* Is this option of the preset given, as the job stands? */
bool pgb_llvm_bolt_gives(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			 const struct pgb_llvm_bolt_job *job, const char *option);

/*
 * The user's own options: PGB_E_USAGE where one is pgobolt's to give (-o, -data), PGB_E_UNSUPPORTED
 * where this llvm-bolt is known to get it wrong.
 */
int pgb_llvm_bolt_check_extra(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			      const struct pgb_llvm_bolt_job *job, struct pgb_error *error);

/* PGB_E_UNSUPPORTED: no library for counters, or a kind of program in which they do not work. */
int pgb_llvm_bolt_check_instrument(const struct pgb_llvm_bolt *bolt,
				   const struct pgb_elf_image *image, struct pgb_error *error);

/* Did it fail for want of memory? */
bool pgb_llvm_bolt_lacked_memory(const struct pgb_llvm_bolt_result *result, int wait_status);

/* What a parsed, failed run means. Always an error; `wait_status` as from waitpid. */
int pgb_llvm_bolt_explain(const struct pgb_llvm_bolt *bolt, const struct pgb_llvm_bolt_job *job,
			  const struct pgb_llvm_bolt_result *result, int wait_status,
			  struct pgb_error *error);

#endif
