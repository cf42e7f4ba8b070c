/* SPDX-License-Identifier: MIT */
#include "pgo/cli/state_size.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgobolt/base/text.h"

uint64_t pgb_state_size(const char *path)
{
	struct stat status;
	struct dirent *entry;
	uint64_t size = 0;
	DIR *directory;

	if (lstat(path, &status) != 0)
		return 0;
	if (S_ISREG(status.st_mode))
		return (uint64_t)status.st_size;
	directory = S_ISDIR(status.st_mode) ? opendir(path) : NULL;
	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		char *inside = pgb_format("%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			size += pgb_state_size(inside);
		free(inside);
	}
	closedir(directory);
	return size;
}
