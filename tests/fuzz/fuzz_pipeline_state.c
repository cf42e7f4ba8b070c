/* SPDX-License-Identifier: MIT */
/* run.json, and what cargo prints. What is read is written and read again as the same. */
#include "pgobolt/pgo/cargo.h"
#include "pgobolt/pgo/pipeline_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_pipeline_state first, second;
	struct pgb_cargo_target target;
	struct pgb_error error = {0};

	if (pgb_pipeline_state_parse(&first, pgb_cursor_of(bytes, size_bytes), "fuzz", &error) ==
	    0) {
		char *text = pgb_pipeline_state_text(&first), *again;

		pgb_assert(pgb_pipeline_state_parse(&second, pgb_cursor_of(text, strlen(text)),
						    "fuzz", NULL) == 0);
		again = pgb_pipeline_state_text(&second);
		pgb_assert(strcmp(text, again) == 0);
		free(text);
		free(again);
		pgb_pipeline_state_release(&second);
	} else {
		pgb_assert(error.message[0] != '\0');
	}
	pgb_pipeline_state_release(&first);
	if (pgb_cargo_parse(&target, pgb_cursor_of(bytes, size_bytes), NULL, "T", NULL) == 0)
		pgb_assert(target.build && target.binary);
	pgb_cargo_target_release(&target);
	return 0;
}
