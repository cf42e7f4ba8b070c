/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static char *written(struct pgb_profile *profile, size_t *size_bytes)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, size_bytes);

	if (stream == NULL)
		abort();
	pgb_fdata_write(stream, profile);
	fclose(stream);
	return text;
}

/* What was read and written must read back to the same text. */
static void check_round_trip(struct pgb_profile *profile)
{
	size_t size, size_again;
	char *text = written(profile, &size), *text_again;
	struct pgb_profile *again = pgb_profile_new();
	int code = pgb_fdata_read(pgb_cursor_of(text, size), "again", 1, again, NULL);

	/* Lines without a symbol are dropped: nothing but a header may be left. */
	if (code != PGB_E_EMPTY) {
		if (code != 0)
			abort();
		text_again = written(again, &size_again);
		if (size != size_again || memcmp(text, text_again, size) != 0)
			abort();
		free(text_again);
	}
	pgb_profile_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_error error = {0};

	if (pgb_fdata_read(pgb_cursor_of(bytes, size_bytes), "in", 3, profile, &error) == 0)
		check_round_trip(profile);
	pgb_profile_free(profile);
	return 0;
}
