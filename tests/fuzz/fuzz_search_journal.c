/* SPDX-License-Identifier: MIT */
/* The journal of optimize's search. What was read is written and read again as the same. */
#include <inttypes.h>
#include <stdlib.h>

#include "pgo/optimize_private.h"
#include "pgobolt/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static const char head[] = "pgobolt-search 1 0123456789abcdef\n";

static void release(struct pgb_trials *trials)
{
	pgb_array_release(&trials->passed);
	pgb_array_release(&trials->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char *text = pgb_dup_bytes(bytes, size_bytes);
	struct pgb_trials first = {0}, second = {0};
	struct pgb_text again = {0};

	pgb_trials_read_journal(&first, text, head);
	pgb_text_add(&again, head);
	for (size_t i = 0; i < first.passed.count; i++)
		pgb_text_addf(&again, "%016" PRIx64 " good\n", first.passed.items[i]);
	for (size_t i = 0; i < first.failed.count; i++)
		pgb_text_addf(&again, "%016" PRIx64 " bad\n", first.failed.items[i]);
	pgb_trials_read_journal(&second, pgb_text_string(&again), head);
	pgb_assert(first.passed.count == second.passed.count);
	pgb_assert(first.failed.count == second.failed.count);
	for (size_t i = 0; i < first.passed.count; i++)
		pgb_assert(first.passed.items[i] == second.passed.items[i]);
	for (size_t i = 0; i < first.failed.count; i++)
		pgb_assert(first.failed.items[i] == second.failed.items[i]);
	release(&first);
	release(&second);
	pgb_text_release(&again);
	free(text);
	return 0;
}
