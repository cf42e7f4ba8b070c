/* SPDX-License-Identifier: MIT */
/* What compilers, their tools and their programs write, and the log that the shims keep of a build.
 */
#include <stdlib.h>

#include "pgo/toolchain_private.h"
#include "pgobolt/pgo/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void parse_version(const char *text, enum pgb_tool_kind kind)
{
	struct pgb_compiler compiler, again;
	char *key;

	if (!pgb_compiler_parse(&compiler, kind, text))
		return;
	key = pgb_compiler_key(&compiler);
	pgb_assert(pgb_compiler_from_key(&again, key));
	pgb_assert(again.major == compiler.major);
	free(key);
}

static void read_log(const char *text)
{
	struct pgb_build_result result = {0};

	pgb_build_read_log(&result, text);
	pgb_build_result_release(&result);
}

/* What can be added up was whole, and the sum is. */
static void add_counts(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_cursor file = pgb_cursor_of(bytes, size_bytes);
	bool whole = pgb_gcda_is_whole(file);
	struct pgb_text sum = {0};

	if (pgb_gcda_add(&sum, file, 3, file, 2))
		pgb_assert(whole && pgb_gcda_is_whole(pgb_cursor_of(sum.data, sum.length)));
	pgb_text_release(&sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char *text = pgb_dup_bytes(bytes, size_bytes);
	struct pgb_merge_counts counts = {0};

	parse_version(text, PGB_TOOL_COMPILER);
	parse_version(text, PGB_TOOL_RUSTC);
	(void)pgb_tool_kind(text);
	add_counts(bytes, size_bytes);
	pgb_gcov_dump_parse(&counts, text);
	pgb_llvm_profdata_parse(&counts, text);
	pgb_assert(counts.unreached.length <= size_bytes);
	pgb_text_release(&counts.unreached);
	read_log(text);
	free(text);
	return 0;
}
