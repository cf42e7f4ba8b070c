/* SPDX-License-Identifier: MIT */
/*
 * Each function of the original, where it is now: can it be entered as before, and unwound?
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"

/* Locals of one name are numbered by address, which changes: only single names tell. */
const struct pgb_elf_function *pgb_verify_find_twin(const struct pgb_comparison *comparison,
						    const struct pgb_elf_function *function)
{
	size_t length = strcspn(function->name, "/");

	if (function->name[length] == '/') {
		char *second = pgb_format("%.*s/2", (int)length, function->name);
		bool single = strcmp(function->name + length, "/1") == 0 &&
			      pgb_elf_image_function_named(comparison->original, second) == NULL;

		free(second);
		if (!single)
			return NULL;
	}
	return pgb_elf_image_function_named(comparison->optimized, function->name);
}

/* ---- indirect calls under CET and BTI */

static uint32_t first_instruction(const struct pgb_elf_image *image, uint64_t address)
{
	size_t left;
	const uint8_t *bytes = pgb_elf_image_bytes_at(image, address, &left);
	uint32_t word = 0;

	if (bytes != NULL && left >= sizeof(word))
		memcpy(&word, bytes, sizeof(word));
	return word;
}

/* An instruction that an indirect call may land on where the CPU is told to be strict. */
static bool is_landing_pad(uint16_t machine, uint32_t instruction)
{
	enum {
		ENDBR64 = 0xfa1e0ff3,
		BTI = 0xd503241f,
		BTI_MASK = 0xffffff3f, /* c, j, jc */
		PACIASP = 0xd503233f,
		PACIBSP = 0xd503237f,
	};

	if (machine == EM_X86_64)
		return instruction == (uint32_t)ENDBR64;
	return (instruction & (uint32_t)BTI_MASK) == (uint32_t)BTI ||
	       instruction == (uint32_t)PACIASP || instruction == (uint32_t)PACIBSP;
}

/* Does the kernel, or the loader, turn that on for this binary? */
static bool is_strict(const struct pgb_elf_image *image)
{
	if (pgb_elf_image_binary(image)->machine == EM_X86_64)
		return pgb_elf_property_bits(image, GNU_PROPERTY_X86_FEATURE_1_AND) &
		       GNU_PROPERTY_X86_FEATURE_1_IBT;
	return pgb_elf_property_bits(image, GNU_PROPERTY_AARCH64_FEATURE_1_AND) &
	       GNU_PROPERTY_AARCH64_FEATURE_1_BTI;
}

struct counts {
	size_t compared, moved;
	size_t pads, pads_lost;
	size_t unwound, unwound_lost;
	const char *first_pad, *first_unwound; /* borrowed */
};

static void check_pad(const struct pgb_comparison *comparison,
		      const struct pgb_elf_function *before, const struct pgb_elf_function *after,
		      struct counts *counts)
{
	uint16_t machine = pgb_elf_image_binary(comparison->original)->machine;

	if (!is_landing_pad(machine, first_instruction(comparison->original, before->address)))
		return;
	counts->pads++;
	if (is_landing_pad(machine, first_instruction(comparison->optimized, after->address)))
		return;
	if (counts->pads_lost++ == 0)
		counts->first_pad = before->name;
}

static bool is_unwound(const struct pgb_unwind *unwind, const struct pgb_elf_function *function)
{
	struct pgb_unwind_range range;

	return pgb_unwind_find(unwind, function->address, &range) &&
	       range.end - function->address >= function->size_bytes;
}

/* What could be unwound all through before must be so after. */
static void check_unwound(const struct pgb_unwind unwind[2], const struct pgb_elf_function *before,
			  const struct pgb_elf_function *after, struct counts *counts)
{
	if (!is_unwound(&unwind[0], before))
		return;
	counts->unwound++;
	if (is_unwound(&unwind[1], after))
		return;
	if (counts->unwound_lost++ == 0)
		counts->first_unwound = before->name;
}

/* `bad` says what cannot be said of all; its end, where there is one, what comes of it. */
struct wording {
	const char *check, *bad, *end, *good;
};

static void report(struct pgb_findings *findings, const struct wording *words, size_t count,
		   size_t lost, const char *first_lost)
{
	if (lost > 0)
		pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_CHECK, words->check, NULL,
				 "%zu of %s %s, %s first%s", lost, PGB_PLURAL(count, "function"),
				 words->bad, first_lost, words->end);
	else
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, words->check, NULL, "%s %s",
				 PGB_PLURAL(count, "function"), words->good);
}

void pgb_verify_functions(struct pgb_comparison *comparison)
{
	static const struct wording pads = {
		"landing-pads",
		"no longer begin with an instruction that indirect calls may land on (CET, BTI)",
		"", "that indirect calls may land on, as before"};
	struct wording unwound = {"unwind-coverage", "can no longer be unwound through",
				  ": exceptions would end the program there", NULL};
	struct pgb_unwind unwind[2];
	struct counts counts = {0};
	uint32_t head;
	bool unwindable = pgb_unwind_open(&unwind[0], &comparison->before, &head);

	unwindable = pgb_unwind_open(&unwind[1], &comparison->after, &head) && unwindable;
	for (size_t i = 0; i < pgb_elf_image_function_count(comparison->original); i++) {
		const struct pgb_elf_function *before =
			pgb_elf_image_function(comparison->original, i);
		const struct pgb_elf_function *after;

		if (before->is_plt || !before->from_symbol)
			continue;
		after = pgb_verify_find_twin(comparison, before);
		if (after == NULL || after->is_plt)
			continue;
		counts.compared++;
		counts.moved += before->address != after->address;
		check_pad(comparison, before, after, &counts);
		if (unwindable)
			check_unwound(unwind, before, after, &counts);
	}
	if (counts.compared > 0 && is_strict(comparison->original))
		report(comparison->findings, &pads, counts.pads, counts.pads_lost,
		       counts.first_pad);
	if (counts.compared > 0 && unwindable) {
		char *good = pgb_format("can be unwound through, %zu of them moved", counts.moved);

		unwound.good = good;
		report(comparison->findings, &unwound, counts.unwound, counts.unwound_lost,
		       counts.first_unwound);
		free(good);
	}
}
