/* SPDX-License-Identifier: MIT */
/* FILE.json beside an fdata file, which says what it was made from. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/optimize.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static char folder[] = "/tmp/pgobolt-fuzz-note.XXXXXX";

static void remove_folder(void)
{
	pgb_file_remove_tree(folder, NULL);
}

static void write_file(const char *name, const void *bytes, size_t size_bytes)
{
	char *path = pgb_format("%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	pgb_assert(file != NULL && fwrite(bytes, 1, size_bytes, file) == size_bytes);
	fclose(file);
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static const char line[] = "1 f 0 1 f 4 0 1\n";
	struct pgb_chosen_profile chosen;
	struct pgb_error error = {0};
	char *profile;
	int code;

	if (strstr(folder, "XXXXXX") != NULL) {
		pgb_assert(mkdtemp(folder) != NULL);
		atexit(remove_folder);
		write_file("f.fdata", line, sizeof(line) - 1);
	}
	write_file("f.fdata.json", bytes, size_bytes);
	profile = pgb_format("%s/f.fdata", folder);
	code = pgb_profile_choose(&chosen, "/bin/true", profile, &error);
	pgb_assert(code == 0 || (code == PGB_E_CORRUPT && error.message[0] != '\0'));
	pgb_assert(!chosen.has_build_id || code != 0 || chosen.build_id.size_bytes > 0);
	pgb_chosen_profile_release(&chosen);
	free(profile);
	return 0;
}
