/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/strip.h"

#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

enum { TIMEOUT_S = 600 };

char *pgb_strip_find(const struct pgb_llvm_bolt *bolt, struct pgb_error *error)
{
	const char *slash = strrchr(bolt->path, '/');
	char *path = pgb_format("%.*s/llvm-strip", slash ? (int)(slash - bolt->path) : 1,
				slash ? bolt->path : ".");
	char *name;

	if (pgb_file_is_executable(path))
		return path;
	free(path);
	name = pgb_format("llvm-strip-%u", bolt->major);
	path = pgb_process_find_command(name);
	free(name);
	if (path == NULL)
		path = pgb_process_find_command("llvm-strip");
	if (path != NULL)
		return path;
	pgb_fail(error, PGB_E_NOT_FOUND, "llvm-strip is not there: not beside %s, not in PATH",
		 bolt->path);
	pgb_remedy(error, "Debian, Ubuntu: apt-get install llvm-%u", bolt->major);
	return NULL;
}

int pgb_strip_run(const char *tool, const char *path, struct pgb_error *error)
{
	const char *const argv[] = {tool, "--strip-all", path, NULL};
	const struct pgb_spawn spawn = {
		.argv = argv, .quiet_stdin = true, .own_group = true, .die_with_parent = true};
	struct pgb_text output = {0};
	int wait_status = 0;
	int code = pgb_process_run(&spawn, TIMEOUT_S, &output, &output, &wait_status, error);

	if (code == 0 && wait_status != 0)
		code = pgb_fail(error, PGB_E_TOOL, "%s ended with status %d: %.400s", tool,
				pgb_process_exit_status(wait_status), pgb_text_string(&output));
	pgb_text_release(&output);
	return code;
}
