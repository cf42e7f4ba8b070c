/* SPDX-License-Identifier: MIT */
/* What dump reads by itself: the kinds of files, and perf.data. Nothing of it is kept. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgo/cli/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	struct pgb_output output = {.color = PGB_COLOR_NEVER, .json = size & 1};
	struct dump dump = {.output = &output, .path = "input", .limit = 50};
	struct pgb_error error = {0};

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	output.people = output.stdout_stream = output.stderr_stream = nowhere;
	dump.kind = pgb_input_kind_of(pgb_cursor_of(data, size));
	if (pgb_dump_perf_bytes(&dump, pgb_cursor_of(data, size), &error) == 0)
		return 0;
	if (error.message[0] == '\0')
		abort();
	return 0;
}
