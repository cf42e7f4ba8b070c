/* SPDX-License-Identifier: MIT */
/* What a build left: is it something that can be optimized, and is it all of one kind? */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/pipeline_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/binary.h"
#include "pgobolt/pgo/build.h"
#include "pgobolt/pgo/recording.h"

enum { HEAD_BYTES = 8 };

static int fail_missing(const char *binary, struct pgb_error *error)
{
	pgb_fail(error, PGB_E_NOT_FOUND, "the build made no %s", binary);
	return pgb_remedy(error, "name the program as it lies there after the build, seen from "
				 "this folder; with cargo that is target/TRIPLE/release/NAME, or "
				 "use --cargo");
}

/* Other builds of it shall take its place: who follows the link must find them. */
static int fail_link(const char *binary, struct pgb_error *error)
{
	char *file = realpath(binary, NULL);

	pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is a link", binary);
	pgb_remedy(error, "name the file itself: %s", file ? file : "see ls -l");
	free(file);
	return PGB_E_NOT_SUITABLE;
}

int pgb_pipeline_check_binary(const struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	const char *binary = pipeline->config->binary;
	int fd = open(binary, O_RDONLY | O_CLOEXEC);
	char head[HEAD_BYTES + 1] = {0};
	struct stat status;
	ssize_t length;

	if (fd < 0)
		return fail_missing(binary, error);
	if (lstat(binary, &status) == 0 && S_ISLNK(status.st_mode)) {
		close(fd);
		return fail_link(binary, error);
	}
	length = read(fd, head, HEAD_BYTES);
	close(fd);
	if (length >= 4 && memcmp(head, "\177ELF", 4) == 0)
		return 0;
	if (length < 0)
		return pgb_fail(error, pgb_code_from_errno(errno), "cannot read %s: %s", binary,
				strerror(errno));
	if (strncmp(head, "!<arch>", 7) == 0)
		pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is a static library", binary);
	else if (strncmp(head, "#!", 2) == 0)
		pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is a script, no program", binary);
	else
		pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is no ELF file", binary);
	return pgb_remedy(error, "name the program itself (libtool keeps it in .libs/), or the "
				 "shared library");
}

int pgb_pipeline_check_objects(const struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	char *log = pgb_build_log(pipeline->config->state);
	struct pgb_build_result result = {0};
	char *names;
	int code = 0;

	pgb_build_read_log(&result, log);
	pgb_build_check_inputs(&result, &result, pipeline->config->state,
			       pgb_build_last_mode(pipeline->config->state));
	names = pgb_shim_words_name(&result.stale);
	if (result.stale.items.count > 0) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "linked, but compiled by an earlier build with other flags: %s", names);
		code = pgb_remedy(error, "let each build begin anew: --clean 'make clean'\n"
					 "if they are meant to stay as they are: --allow-stale");
	}
	free(names);
	pgb_build_result_release(&result);
	free(log);
	return code;
}

/* By its build, or by its name: which build it is, is for llvm-bolt's step to judge. */
static bool was_recorded(const struct pgb_pipeline *pipeline, const struct pgb_recording *recording)
{
	struct pgb_binary binary;
	bool found = false;

	if (pgb_binary_read(&binary, pipeline->binary, pipeline->binary, NULL) == 0)
		found = pgb_recording_find(recording, &binary) != NULL;
	pgb_binary_release(&binary);
	for (size_t i = 0; i < recording->binaries.count; i++)
		found |= strcmp(recording->binaries.items[i].name, pipeline->name) == 0;
	return found;
}

int pgb_pipeline_check_recording(const struct pgb_pipeline *pipeline, const char *folder,
				 struct pgb_error *error)
{
	struct pgb_recording recording = {0};
	int code = pgb_recording_read(&recording, folder, error);

	if (code == 0 && !was_recorded(pipeline, &recording)) {
		pgb_fail(error, PGB_E_EMPTY, "%s was not seen to run while it was recorded",
			 pipeline->config->binary);
		code = pgb_remedy(error,
				  "have something recorded that runs it: --record '{} ARGS'");
	}
	pgb_recording_release(&recording);
	return code;
}
