/* SPDX-License-Identifier: MIT */
/*
 * Two files of any kind, divided by a NUL, merged as `merge` does, in both orders: the same bytes,
 * or an error with words.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static char folder[] = "/tmp/pgobolt-fuzz-merge.XXXXXX";

static void remove_folder(void)
{
	pgb_file_remove_tree(folder, NULL);
}

static int open_input(char path[64], const uint8_t *bytes, size_t size_bytes)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	pgb_assert(fd >= 0 && write(fd, bytes, size_bytes) == (ssize_t)size_bytes);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* What came of it; NULL: an error. */
static char *merge(const struct pgb_merge_input *first, const struct pgb_merge_input *second)
{
	const struct pgb_merge_input inputs[] = {*first, *second};
	char *output = pgb_format("%s/out", folder);
	const struct pgb_merge_job job = {.inputs = inputs, .input_count = 2, .output = output};
	struct pgb_merge_result result = {0};
	struct pgb_error error = {0};
	struct pgb_text text = {0};
	int code = pgb_merge(&job, &result, &error);

	pgb_assert(code == 0 || (error.code == code && error.message[0] != '\0'));
	if (code == 0)
		pgb_assert(pgb_file_read(&text, output, SIZE_MAX, NULL) == 0 && text.length > 0);
	else
		pgb_assert(access(output, F_OK) != 0);
	unlink(output);
	free(output);
	return code == 0 ? pgb_text_detach(&text) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	const uint8_t *end = size_bytes > 0 ? memchr(bytes, 0, size_bytes) : NULL;
	size_t length = end ? (size_t)(end - bytes) : size_bytes;
	char paths[2][64], *one, *other;
	const struct pgb_merge_input inputs[] = {{paths[0], 3}, {paths[1], 1}};
	int fds[2];

	if (strstr(folder, "XXXXXX") != NULL) {
		pgb_assert(mkdtemp(folder) != NULL);
		atexit(remove_folder);
	}
	fds[0] = open_input(paths[0], bytes, length);
	fds[1] = end ? open_input(paths[1], end + 1, size_bytes - length - 1)
		     : open_input(paths[1], bytes, length);
	one = merge(&inputs[0], &inputs[1]);
	other = merge(&inputs[1], &inputs[0]);
	pgb_assert((one == NULL) == (other == NULL));
	pgb_assert(one == NULL || strcmp(one, other) == 0);
	free(one);
	free(other);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
