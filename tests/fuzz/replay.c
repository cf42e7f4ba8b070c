/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over its corpus without libFuzzer: every file under
 * $SRCDIR/tests/fuzz/corpus/NAME, NAME being this program's name behind "fuzz_", and every
 * prefix of each file up to 4 KiB. An empty corpus fails.
 */
#ifndef PGB_LIBFUZZER
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* A copy of exactly this size, so that the sanitizers see a read past its end. */
static void run_exact(const uint8_t *bytes, size_t size_bytes)
{
	uint8_t *copy = malloc(size_bytes ? size_bytes : 1);

	if (copy == NULL)
		exit(1);
	if (size_bytes > 0)
		memcpy(copy, bytes, size_bytes);
	LLVMFuzzerTestOneInput(copy, size_bytes);
	free(copy);
}

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t size = 0, got;

	if (file == NULL)
		return -1;
	do {
		uint8_t *grown = realloc(bytes, size + 65536);

		if (grown == NULL)
			exit(1);
		bytes = grown;
		got = fread(bytes + size, 1, 65536, file);
		size += got;
	} while (got > 0);
	fclose(file);
	run_exact(bytes, size);
	for (size_t cut = 0; cut < size && cut < 4096; cut++)
		run_exact(bytes, cut);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	const char *source = getenv("SRCDIR");
	const char *name = strrchr(argv[0], '/');
	char path[4096];
	unsigned int files = 0;
	struct dirent *entry;
	DIR *folder;

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	if (argc > 1)
		snprintf(path, sizeof(path), "%s", argv[1]);
	else
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", source ? source : ".",
			 name);
	folder = opendir(path);
	if (folder == NULL) {
		printf("no corpus at %s\n", path);
		return 1;
	}
	while ((entry = readdir(folder)) != NULL) {
		char file[8192];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (replay_file(file) != 0)
			return 1;
		files++;
	}
	closedir(folder);
	printf("%u files\n", files);
	return files > 0 ? 0 : 1;
}

#endif
