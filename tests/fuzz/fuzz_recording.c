/* SPDX-License-Identifier: MIT */
/* recording.json: what is accepted is written back and read again as the same. */
#include <stdint.h>
#include <string.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/pgo/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgb_recording recording, again;
	struct pgb_error error = {0};
	char *text, *text_again;

	if (pgb_recording_parse(&recording, pgb_cursor_of(data, size), "input", &error) != 0)
		return 0;
	text = pgb_recording_text(&recording);
	pgb_assert(pgb_recording_parse(&again, pgb_cursor_of(text, strlen(text)), "text",
				       &error) == 0);
	text_again = pgb_recording_text(&again);
	pgb_assert(strcmp(text, text_again) == 0);
	free(text);
	free(text_again);
	pgb_recording_release(&recording);
	pgb_recording_release(&again);
	return 0;
}
