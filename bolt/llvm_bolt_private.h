/* SPDX-License-Identifier: MIT */
/* What the llvm_bolt_*.c files share. */
#ifndef PGOBOLT_BOLT_LLVM_BOLT_PRIVATE_H
#define PGOBOLT_BOLT_LLVM_BOLT_PRIVATE_H

#include "pgobolt/bolt/llvm_bolt.h"

/*
 * The user's own options: PGB_E_USAGE where one is pgobolt's to give (-o, -data), PGB_E_UNSUPPORTED
 * where this llvm-bolt is known to get it wrong.
 */
int pgb_llvm_bolt_check_extra(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			      const struct pgb_llvm_bolt_job *job, struct pgb_error *error);

/* PGB_E_UNSUPPORTED: no library for counters, or a kind of program in which they do not work. */
int pgb_llvm_bolt_check_instrument(const struct pgb_llvm_bolt *bolt,
				   const struct pgb_elf_image *image, struct pgb_error *error);

/* What a parsed, failed run means. Always an error; `wait_status` as from waitpid. */
int pgb_llvm_bolt_explain(const struct pgb_llvm_bolt *bolt, const struct pgb_llvm_bolt_job *job,
			  const struct pgb_llvm_bolt_result *result, int wait_status,
			  struct pgb_error *error);

#endif
