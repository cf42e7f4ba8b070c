/* SPDX-License-Identifier: MIT */
/* The folder of shims: what its names stand for, and who is one of them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/shim.h"

enum { REAL_SIZE_MAX = 3 * PATH_MAX, LINKS_MOST = 40 };

static char *real_file(const char *folder, const char *name)
{
	return pgb_format("%s/" PGB_SHIM_REAL_FOLDER "/%s", folder, name);
}

int pgb_shim_real_write(const char *folder, const char *name, const struct pgb_shim_real *real,
			struct pgb_error *error)
{
	const struct pgb_compiler *compiler = &real->compiler;
	char *path = real_file(folder, name);
	struct pgb_out_file out;
	int status = pgb_out_open(&out, path, error);

	if (status == 0) {
		fprintf(out.stream, "%s\n%s\n%u\n%s\n", real->path,
			compiler->toolchain ? compiler->toolchain->name : "-", compiler->major,
			compiler->host);
		status = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	free(path);
	return status;
}

/* The line at *at without its newline; *at moves behind it. The caller frees it. */
static char *take_line(const char **at)
{
	size_t length = strcspn(*at, "\n");
	char *line = pgb_dup_bytes(*at, length);

	*at += length + ((*at)[length] == '\n');
	return line;
}

int pgb_shim_real_read(struct pgb_shim_real *real, const char *folder, const char *name,
		       struct pgb_error *error)
{
	char *path = real_file(folder, name);
	struct pgb_text content = {0};
	int status = pgb_file_read(&content, path, REAL_SIZE_MAX, error);
	const char *at = pgb_text_string(&content);
	char *toolchain, *major, *host;

	*real = (struct pgb_shim_real){0};
	free(path);
	if (status != 0) {
		pgb_text_release(&content);
		return status;
	}
	real->path = take_line(&at);
	toolchain = take_line(&at);
	major = take_line(&at);
	host = take_line(&at);
	for (size_t i = 0; pgb_toolchains[i]; i++)
		if (strcmp(pgb_toolchains[i]->name, toolchain) == 0)
			real->compiler.toolchain = pgb_toolchains[i];
	real->compiler.major = (unsigned int)strtoul(major, NULL, 10);
	snprintf(real->compiler.host, sizeof(real->compiler.host), "%s", host);
	free(toolchain);
	free(major);
	free(host);
	pgb_text_release(&content);
	return 0;
}

/* Is this name listed there? "": are any? */
static bool is_listed(const char *folder, const char *name)
{
	char *real = real_file(folder, name);
	bool is = access(real, F_OK) == 0;

	free(real);
	return is;
}

char *pgb_shim_path_without(const char *path)
{
	struct pgb_text kept = {0};
	bool first = true;

	for (;;) {
		size_t length = strcspn(path, ":");
		char *folder = pgb_dup_bytes(path, length);

		if (length == 0 || !is_listed(folder, "")) {
			pgb_text_add(&kept, first ? "" : ":");
			pgb_text_add(&kept, folder);
			first = false;
		}
		free(folder);
		if (path[length] == '\0')
			return pgb_text_detach(&kept);
		path += length + 1;
	}
}

/* Where the link at `path` leads, one step; NULL: it is none. The caller frees it. */
static char *follow_link(const char *path)
{
	const char *slash = strrchr(path, '/');
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length <= 0)
		return NULL;
	target[length] = '\0';
	if (target[0] == '/')
		return pgb_dup(target);
	return pgb_format("%.*s/%s", (int)(slash - path), path, target);
}

bool pgb_shim_find(const char *path, char **folder, char **name)
{
	char *at = pgb_dup(path), *next;
	bool found = false;

	for (int i = 0; at && i < LINKS_MOST && !found; i++) {
		char *slash = strrchr(at, '/');
		char *of = pgb_dup_bytes(at, (size_t)(slash - at));

		found = is_listed(of, slash + 1);
		if (found) {
			free(*name);
			*name = pgb_dup(slash + 1);
			*folder = of;
			break;
		}
		free(of);
		next = follow_link(at);
		free(at);
		at = next;
	}
	free(at);
	return found;
}
