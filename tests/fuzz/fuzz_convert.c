/* SPDX-License-Identifier: MIT */
/*
 * The input is anything that `convert` reads: perf.data, pre-aggregated text, fdata. It is
 * converted for /bin/true, with and without perf2bolt's choices: a profile, or an error with words.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/pgo/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void convert(const char *input, bool compat)
{
	static const char *const binaries[] = {"/bin/true"};
	const struct pgb_merge_input inputs[] = {{.path = input, .weight = 1}};
	const struct pgb_convert_job job = {
		.binaries = binaries,
		.binary_count = 1,
		.inputs = inputs,
		.input_count = 1,
		.output = "/dev/null",
		.formats = PGB_CONVERT_FDATA,
		.compat_perf2bolt = compat,
		.ignore_build_id = true,
	};
	struct pgb_convert_result result = {0};
	struct pgb_error error = {0};
	int code = pgb_convert(&job, &result, &error);

	pgb_assert(code == 0 || (error.code < 0 && error.message[0] != '\0'));
	pgb_convert_result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	int input = memfd_create("input", MFD_CLOEXEC);
	char path[64];

	pgb_assert(input >= 0 && write(input, bytes, size_bytes) == (ssize_t)size_bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", input);
	convert(path, false);
	convert(path, true);
	close(input);
	return 0;
}
