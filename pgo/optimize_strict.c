/* SPDX-License-Identifier: MIT */
/*
 * llvm-bolt leaves functions alone whose indirect jumps it does not understand, unless -strict
 * says that relocations show all they can lead to. It is said where that is proven for each
 * function of the binary: with -strict llvm-bolt moves all of them, also those it is to skip.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/optimize_private.h"

/* With -strict llvm-bolt works on all code and not on that with a profile alone. */
#define CODE_BYTES_MOST (64 * UINT64_C(1024) * 1024)

static bool user_decides(const struct pgb_llvm_bolt_job *job)
{
	for (size_t i = 0; job->extra != NULL && job->extra[i] != NULL; i++) {
		if (strncmp(job->extra[i] + strspn(job->extra[i], "-"), "strict", 6) == 0)
			return true;
	}
	return false;
}

static uint64_t code_bytes(const struct pgb_elf_image *image)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++) {
		const struct pgb_elf_section *section = pgb_elf_image_section(image, i);

		if (section->flags & SHF_EXECINSTR)
			bytes += section->size_bytes;
	}
	return bytes;
}

static bool may_be_strict(const struct pgb_optimize_run *run)
{
	const struct pgb_llvm_bolt_job *job = &run->job->bolt;

	return run->bolt->major >= PGB_LLVM_BOLT_STRICT_SINCE && job->preset != PGB_PRESET_SAFE &&
	       code_bytes(run->image) <= CODE_BYTES_MOST && job->skip_functions_file == NULL &&
	       (job->skip_functions == NULL || job->skip_functions[0] == NULL);
}

static void note(struct pgb_optimize_run *run, const struct pgb_strict_function *function)
{
	pgb_array_push(&run->result->strict, ((struct pgb_optimize_strict){
						     .name = pgb_dup(function->function->name),
						     .kind = function->kind,
						     .why = function->why,
					     }));
}

static void add_users_own(struct pgb_optimize_run *run)
{
	const char *const *own = run->job->bolt.skip_functions;

	if (run->skip.count == 0)
		return;
	for (; own != NULL && *own != NULL; own++)
		pgb_array_push(&run->skip, *own);
	pgb_array_push(&run->skip, NULL);
}

/* What there is to gain, or what is in the way of it. */
static void decide(struct pgb_optimize_run *run, const struct pgb_strict *strict,
		   const bool *profiled)
{
	const struct pgb_elf_function *first = pgb_elf_image_function(run->image, 0);
	bool gains = false, proven = true;

	for (size_t i = 0; i < strict->functions.count; i++) {
		const struct pgb_strict_function *at = &strict->functions.items[i];

		if (at->why != NULL)
			proven = false;
		else
			gains |= profiled[at->function - first];
		if (at->kind == PGB_STRICT_COMPUTED && profiled[at->function - first])
			pgb_array_push(&run->skip, at->function->name);
	}
	gains &= may_be_strict(run);
	run->strict = gains && proven;
	for (size_t i = 0; gains && i < strict->functions.count; i++) {
		const struct pgb_strict_function *at = &strict->functions.items[i];

		if (proven ? profiled[at->function - first] : at->why != NULL)
			note(run, at);
	}
	add_users_own(run);
}

void pgb_optimize_give_up_strict(struct pgb_optimize_run *run)
{
	run->strict = false;
	while (run->result->strict.count > 0)
		free(run->result->strict.items[--run->result->strict.count].name);
}

int pgb_optimize_prove(struct pgb_optimize_run *run, struct pgb_error *error)
{
	struct pgb_strict strict = {0};
	bool *profiled;
	int code;

	if (run->job->bolt.without_relocations || run->job->bolt.only_functions_file != NULL ||
	    user_decides(&run->job->bolt))
		return 0;
	code = pgb_strict_prove(&strict, run->image, error);
	if (code == 0 && strict.functions.count > 0) {
		profiled = pgb_optimize_profiled(run);
		decide(run, &strict, profiled);
		free(profiled);
	}
	pgb_strict_release(&strict);
	return code;
}
