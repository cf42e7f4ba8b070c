/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "pgobolt/bolt/llvm_bolt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* What a program printed: as its output, and as its help. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char *text = pgb_dup_bytes(bytes, size_bytes);
	struct pgb_llvm_bolt bolt = {.help = text};
	struct pgb_llvm_bolt_result result = {0};

	pgb_llvm_bolt_parse_output(text, &result);
	for (size_t i = 0; i < result.skip_advised.count; i++)
		if (result.skip_advised.items[i][0] == '\0')
			abort();
	for (size_t i = 0; i < result.dyno_stats.count; i++)
		if (result.dyno_stats.items[i].name[0] == '\0')
			abort();
	if (pgb_llvm_bolt_has_value(&bolt, "icf", "safe") &&
	    !pgb_llvm_bolt_has_option(&bolt, "icf"))
		abort();
	pgb_llvm_bolt_result_release(&result);
	free(text);
	return 0;
}
