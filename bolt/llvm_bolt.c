/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

/* Where Debian, Ubuntu and apt.llvm.org put one folder per release. */
#define VERSIONED_ROOT "/usr/lib"

enum {
	OLDEST_MAJOR =
		15, /* 14 has no bare -split-functions and no `no_lbr` support worth having */
	PROBE_TIMEOUT_S = 60,
};

static const char install_remedy[] =
	"install it (Debian, Ubuntu: apt-get install bolt-19 libbolt-19-dev, or a newer number), "
	"or name one with --llvm-bolt PATH or PGOBOLT_LLVM_BOLT=PATH";

struct candidate {
	char *path;
	unsigned int major; /* from its name; UINT32_MAX: `llvm-bolt` in PATH, which goes first */
};

typedef PGB_ARRAY(struct candidate) candidate_array;

static void candidates_release(candidate_array *candidates)
{
	for (size_t i = 0; i < candidates->count; i++)
		free(candidates->items[i].path);
	pgb_array_release(candidates);
}

/* Takes `path`. */
static void add_candidate(candidate_array *candidates, char *path, unsigned int major)
{
	struct candidate candidate = {.path = path, .major = major};

	if (pgb_file_is_executable(path))
		pgb_array_push(candidates, candidate);
	else
		free(path);
}

/* "PREFIX22" is 22; anything else 0. */
static unsigned int number_after(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);
	unsigned int number = 0;

	if (strncmp(name, prefix, length) != 0)
		return 0;
	for (name += length; isdigit((unsigned char)*name) && number < 10000; name++)
		number = number * 10 + (unsigned int)(*name - '0');
	return *name == '\0' ? number : 0;
}

/* Each NAME in `folder` that is `prefix` and a number gives the candidate folder/NAME/suffix. */
static void scan_folder(candidate_array *candidates, const char *folder, const char *prefix,
			const char *suffix)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		unsigned int major = number_after(entry->d_name, prefix);

		if (major > 0)
			add_candidate(candidates,
				      pgb_format("%s/%s%s", folder, entry->d_name, suffix), major);
	}
	closedir(directory);
}

static void scan_path(candidate_array *candidates, const char *name)
{
	const char *path = getenv("PATH");

	while (path != NULL && *path != '\0') {
		size_t length = strcspn(path, ":");
		char *folder = pgb_dup_bytes(path, length);

		if (length > 0 && name != NULL)
			add_candidate(candidates, pgb_format("%s/%s", folder, name), UINT32_MAX);
		else if (length > 0)
			scan_folder(candidates, folder, "llvm-bolt-", "");
		free(folder);
		path += length + (path[length] == ':');
	}
}

static int newest_first(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->major != right->major)
		return left->major > right->major ? -1 : 1;
	return strcmp(left->path, right->path);
}

/* "LLVM version 22.1.8", also "Debian LLVM version ..": the BOLT revision is often unknown. */
static int read_version(struct pgb_llvm_bolt *bolt, const char *text, struct pgb_error *error)
{
	static const char mark[] = "LLVM version ";
	const char *at = strstr(text, mark);
	size_t length;

	at = at ? at + strlen(mark) : "";
	length = strspn(at, "0123456789.");
	if (length == 0) {
		pgb_fail(error, PGB_E_TOOL, "%s --version names no LLVM version: %.80s", bolt->path,
			 text);
		return pgb_remedy(error, "%s", install_remedy);
	}
	bolt->version = pgb_dup_bytes(at, length);
	bolt->major = (unsigned int)strtoul(bolt->version, NULL, 10);
	if (bolt->major >= OLDEST_MAJOR)
		return 0;
	pgb_fail(error, PGB_E_UNSUPPORTED, "%s is of LLVM %s; pgobolt needs %d or newer",
		 bolt->path, bolt->version, OLDEST_MAJOR);
	return pgb_remedy(error, "%s", install_remedy);
}

static int ask(const char *path, const char *option, struct pgb_text *answer,
	       struct pgb_error *error)
{
	const char *argv[] = {path, option, NULL};
	struct pgb_spawn spawn = {
		.argv = argv, .file = path, .quiet_stdin = true, .own_group = true};
	int status = 0;
	int code;

	code = pgb_process_run(&spawn, PROBE_TIMEOUT_S, answer, answer, &status, error);
	if (code != 0)
		return code;
	if (pgb_process_exit_status(status) != 0)
		return pgb_fail(error, PGB_E_TOOL, "%s %s ended with status %d", path, option,
				pgb_process_exit_status(status));
	return 0;
}

/* Beside the real file: BIN/../lib, which is where llvm-bolt looks itself. */
static char *find_runtime_library(const char *path)
{
	static const char *const folders[] = {"lib", "lib64"};
	const char *slash = strrchr(path, '/');
	int root = 0;

	if (slash == NULL)
		return NULL;
	for (const char *at = path; at < slash; at++)
		if (*at == '/')
			root = (int)(at - path);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *library = pgb_format("%.*s/%s/libbolt_rt_instr.a", root, path, folders[i]);

		if (access(library, R_OK) == 0)
			return library;
		free(library);
	}
	return NULL;
}

static int probe(struct pgb_llvm_bolt *bolt, const char *path, struct pgb_error *error)
{
	struct pgb_text version = {0}, help = {0};
	int code;

	bolt->path = realpath(path, NULL);
	if (bolt->path == NULL)
		return pgb_fail(error, PGB_E_NOT_FOUND, "%s: %s", path, strerror(errno));
	code = ask(bolt->path, "--version", &version, error);
	if (code == 0)
		code = read_version(bolt, pgb_text_string(&version), error);
	if (code == 0)
		code = ask(bolt->path, "--help-hidden", &help, error);
	pgb_text_release(&version);
	bolt->help = pgb_text_detach(&help);
	if (code != 0)
		return code;
	if (!pgb_llvm_bolt_has_option(bolt, "reorder-blocks")) {
		pgb_fail(error, PGB_E_TOOL, "%s is not llvm-bolt: it knows no -reorder-blocks",
			 bolt->path);
		return pgb_remedy(error, "%s", install_remedy);
	}
	bolt->runtime_library = find_runtime_library(bolt->path);
	return 0;
}

/* A path, or a bare name to look up in PATH. `origin` is what named it. */
static int probe_named(struct pgb_llvm_bolt *bolt, const char *name, const char *origin,
		       struct pgb_error *error)
{
	candidate_array found = {0};
	int code;

	if (strchr(name, '/') == NULL)
		scan_path(&found, name);
	else
		add_candidate(&found, pgb_dup(name), 0);
	if (found.count > 0) {
		code = probe(bolt, found.items[0].path, error);
	} else {
		code = pgb_fail(error, PGB_E_NOT_FOUND, "%s names '%s': no such program", origin,
				name);
		pgb_remedy(error, "%s", install_remedy);
	}
	candidates_release(&found);
	return code;
}

/* The first one that works; where none does, the first one's reason. */
static int probe_first(struct pgb_llvm_bolt *bolt, const candidate_array *candidates,
		       struct pgb_error *error)
{
	struct pgb_error first = {0};
	int code = 0;

	for (size_t i = 0; i < candidates->count; i++) {
		code = probe(bolt, candidates->items[i].path, &first);
		if (code == 0)
			return 0;
		pgb_llvm_bolt_release(bolt);
	}
	if (candidates->count == 0) {
		pgb_fail(error, PGB_E_NOT_FOUND,
			 "llvm-bolt is not installed: not in PATH, not in " VERSIONED_ROOT
			 "/llvm-*/bin");
		return pgb_remedy(error, "%s", install_remedy);
	}
	pgb_fail(error, first.code, "%s", first.message);
	return pgb_remedy(error, "%s", first.remedy[0] ? first.remedy : install_remedy);
}

int pgb_llvm_bolt_find(struct pgb_llvm_bolt *bolt, const char *explicit_path,
		       struct pgb_error *error)
{
	const char *variable = getenv("PGOBOLT_LLVM_BOLT");
	candidate_array candidates = {0};
	int code;

	*bolt = (struct pgb_llvm_bolt){0};
	if (explicit_path != NULL)
		return probe_named(bolt, explicit_path, "--llvm-bolt", error);
	if (variable != NULL && *variable != '\0')
		return probe_named(bolt, variable, "PGOBOLT_LLVM_BOLT", error);
	scan_path(&candidates, "llvm-bolt");
	if (candidates.count > 1) {
		/* PATH order decides among equals, not the alphabet */
		for (size_t i = 1; i < candidates.count; i++)
			free(candidates.items[i].path);
		candidates.count = 1;
	}
	scan_path(&candidates, NULL);
	scan_folder(&candidates, VERSIONED_ROOT, "llvm-", "/bin/llvm-bolt");
	if (candidates.count > 0)
		qsort(candidates.items, candidates.count, sizeof(candidates.items[0]),
		      newest_first);
	code = probe_first(bolt, &candidates, error);
	candidates_release(&candidates);
	return code;
}

void pgb_llvm_bolt_release(struct pgb_llvm_bolt *bolt)
{
	free(bolt->path);
	free(bolt->version);
	free(bolt->runtime_library);
	free(bolt->help);
	*bolt = (struct pgb_llvm_bolt){0};
}

/*
 * The line of --help-hidden behind `from` that documents the option: blanks, one or two dashes, the
 * name, then a blank, '=', '[' or the end. NULL: none.
 */
static const char *find_option_line(const char *from, const char *option)
{
	size_t length = strlen(option);

	for (const char *line = from; line != NULL && *line != '\0';) {
		const char *at = line + strspn(line, " ");
		const char *newline = strchr(line, '\n');

		if (at > line && *at == '-') {
			at += at[1] == '-' ? 2 : 1;
			if (strncmp(at, option, length) == 0 && strchr(" =[\n", at[length]) != NULL)
				return line;
		}
		line = newline ? newline + 1 : NULL;
	}
	return NULL;
}

bool pgb_llvm_bolt_has_option(const struct pgb_llvm_bolt *bolt, const char *option)
{
	return bolt->help != NULL && find_option_line(bolt->help, option) != NULL;
}

/* Values follow their option's line, each as "    =value   -   what it does". */
bool pgb_llvm_bolt_has_value(const struct pgb_llvm_bolt *bolt, const char *option,
			     const char *value)
{
	const char *line = bolt->help ? find_option_line(bolt->help, option) : NULL;
	size_t length = strlen(value);

	while (line != NULL) {
		const char *newline = strchr(line, '\n');

		while (newline != NULL) {
			const char *at = newline + 1 + strspn(newline + 1, " ");

			if (*at != '=')
				break;
			if (strncmp(at + 1, value, length) == 0 &&
			    strchr(" \n", at[1 + length]) != NULL)
				return true;
			newline = strchr(at, '\n');
		}
		line = newline ? find_option_line(newline + 1, option) : NULL;
	}
	return false;
}
