/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/fdata_private.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/fdata_write.h"

#define WEIGHT 3

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

/* Side by side, when all lines are sorted; false: they need another way. */
static bool merge_sorted(struct pgb_fdata_lines *lines, bool samples, FILE *stream)
{
	struct pgb_fdata_merged merged = {0};

	return pgb_fdata_merge_sorted(lines, 2, samples, stream, &merged) && merged.lines > 0;
}

/* Gathered in any order; false: they need another way. */
static bool merge_gathered(struct pgb_fdata_lines *lines, size_t threads, FILE *stream)
{
	struct pgb_fdata_gathered *gathered = pgb_fdata_gather(lines, 2, threads);
	struct pgb_fdata_merged merged = {0};

	if (gathered)
		pgb_fdata_gathered_write(gathered, stream, &merged);
	pgb_fdata_gathered_free(gathered);
	return merged.lines > 0;
}

/* The two files merged, gathered by so many threads (0: sorted as they are); NULL: they cannot. */
static char *merged(const struct pgb_cursor *files, size_t threads, size_t *size_bytes)
{
	struct pgb_fdata_lines lines[2] = {{files[0], WEIGHT, false}, {files[1], 1, false}};
	struct pgb_profile *header = pgb_profile_new();
	char *text = NULL;
	FILE *stream = open_memstream(&text, size_bytes);
	bool good = true, samples;

	if (stream == NULL)
		abort();
	for (size_t i = 0; good && i < 2; i++)
		good = pgb_fdata_read_header(&lines[i].bytes, "in", header, NULL) == 0;
	samples = pgb_profile_kind(header) == PGB_PROFILE_SAMPLES;
	if (good)
		pgb_fdata_write_header(stream, header);
	if (good && threads == 0)
		good = merge_sorted(lines, samples, stream);
	else if (good)
		good = !samples && merge_gathered(lines, threads, stream);
	fclose(stream);
	pgb_profile_free(header);
	if (good)
		return text;
	free(text);
	return NULL;
}

/* All ways lead to the same text. */
static void check_merge(const struct pgb_cursor *files, char *text, size_t size)
{
	size_t size_expected;
	struct pgb_profile *profile;
	char *expected;

	if (text == NULL)
		return;
	profile = pgb_profile_new();
	for (size_t i = 0; i < 2; i++)
		if (pgb_fdata_read(files[i], "in", i ? 1 : WEIGHT, profile, NULL) != 0)
			abort();
	expected = written(profile, &size_expected);
	if (size != size_expected || memcmp(text, expected, size) != 0)
		abort();
	free(expected);
	free(text);
	pgb_profile_free(profile);
}

/* Two files with a NUL between them, or one that is merged with itself. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_profile *profile = pgb_profile_new();
	const uint8_t *end = size_bytes > 0 ? memchr(bytes, 0, size_bytes) : NULL;
	size_t size_first = end ? (size_t)(end - bytes) : size_bytes;
	struct pgb_cursor files[2];
	size_t size = 0;
	char *text;

	if (pgb_fdata_read(pgb_cursor_of(bytes, size_bytes), "in", WEIGHT, profile, NULL) == 0)
		check_round_trip(profile);
	pgb_profile_free(profile);
	files[0] = pgb_cursor_of(bytes, size_first);
	files[1] = end ? pgb_cursor_of(end + 1, size_bytes - size_first - 1) : files[0];
	text = merged(files, 0, &size);
	check_merge(files, text, size);
	text = merged(files, 1 + size_bytes % 2, &size);
	check_merge(files, text, size);
	return 0;
}
