/* SPDX-License-Identifier: MIT */
/* The folder of shims: a link and a description for every compiler in PATH. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"

/* Answers of programs that have several names: gcc, cc, x86_64-linux-gnu-gcc-12 .. */
struct answer {
	char *file; /* realpath and, for multi-call programs, name */
	struct pgb_compiler compiler;
	bool known;
};

struct shims {
	const char *folder;
	char *self;
	PGB_ARRAY(struct answer) answers;
	size_t compilers;
};

static bool is_command(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Which compiler is this? false: none that works. */
static bool identify(struct shims *shims, enum pgb_tool_kind kind, const char *path,
		     struct pgb_compiler *compiler)
{
	char *file = realpath(path, NULL);
	const char *base = strrchr(path, '/');
	const char *real_base = file ? strrchr(file, '/') : NULL;
	struct answer answer = {0};

	*compiler = (struct pgb_compiler){0};
	/* ccache and rustup are what their name says */
	if (real_base && pgb_tool_kind(real_base) != kind) {
		answer.file = pgb_format("%s%s", file, base);
		free(file);
	} else {
		answer.file = file;
	}
	for (size_t i = 0; answer.file && i < shims->answers.count; i++)
		if (strcmp(shims->answers.items[i].file, answer.file) == 0) {
			free(answer.file);
			*compiler = shims->answers.items[i].compiler;
			return shims->answers.items[i].known;
		}
	if (answer.file == NULL)
		return false;
	answer.known = pgb_compiler_ask(&answer.compiler, kind, path);
	pgb_array_push(&shims->answers, answer);
	*compiler = answer.compiler;
	return answer.known;
}

/* cargo's flags are those of the rustc that RUSTC names, or of the one beside it. */
static void identify_cargo(struct shims *shims, const char *cargo, struct pgb_compiler *compiler)
{
	const char *named = getenv("RUSTC");
	char *beside = pgb_format("%.*srustc", (int)(strrchr(cargo, '/') + 1 - cargo), cargo);
	char *rustc = named && is_command(named) ? pgb_dup(named)
		      : is_command(beside)	 ? pgb_dup(beside)
						 : pgb_process_find_command("rustc");

	if (rustc == NULL || !identify(shims, PGB_TOOL_RUSTC, rustc, compiler))
		*compiler = (struct pgb_compiler){0};
	free(beside);
	free(rustc);
}

static int make_link(const struct shims *shims, const char *name, struct pgb_error *error)
{
	char *link = pgb_format("%s/%s", shims->folder, name);
	int status = 0;

	if (!pgb_file_same(link, shims->self)) {
		unlink(link);
		if (symlink(shims->self, link) != 0 && errno != EEXIST)
			status = pgb_fail(error, pgb_code_from_errno(errno),
					  "cannot make the link %s: %s", link, strerror(errno));
	}
	free(link);
	return status;
}

static int add_shim(struct shims *shims, const char *name, const char *path,
		    struct pgb_error *error)
{
	enum pgb_tool_kind kind = pgb_tool_kind(name);
	struct pgb_shim_real real = {.path = (char *)(uintptr_t)path};
	int status;

	if (kind == PGB_TOOL_CARGO)
		identify_cargo(shims, path, &real.compiler);
	else if (kind == PGB_TOOL_COMPILER || kind == PGB_TOOL_RUSTC)
		if (!identify(shims, kind, path, &real.compiler))
			return 0;
	status = pgb_shim_real_write(shims->folder, name, &real, error);
	shims->compilers += real.compiler.toolchain != NULL;
	return status ? status : make_link(shims, name, error);
}

static bool is_listed(const struct pgb_shim_words *names, const char *name)
{
	for (size_t i = 0; i < names->items.count; i++)
		if (strcmp(names->items.items[i], name) == 0)
			return true;
	return false;
}

/* The first of a name in PATH is the one. */
static int scan_folder(struct shims *shims, const char *folder, struct pgb_shim_words *names,
		       struct pgb_error *error)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);
	int status = 0;

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char *path = pgb_format("%s/%s", folder, name);

		if (status == 0 && pgb_tool_kind(name) != PGB_TOOL_NONE &&
		    !is_listed(names, name) && is_command(path) &&
		    !pgb_file_same(path, shims->self)) {
			pgb_shim_words_add(names, name);
			status = add_shim(shims, name, path, error);
		}
		free(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return status;
}

static int shims_open(struct shims *shims, const char *folder, struct pgb_error *error)
{
	char *real = pgb_format("%s/" PGB_SHIM_REAL_FOLDER, folder);
	int status = pgb_file_make_directories(real, error);

	*shims = (struct shims){.folder = folder};
	free(real);
	if (status != 0)
		return status;
	shims->self = realpath("/proc/self/exe", NULL);
	if (shims->self)
		return 0;
	return pgb_fail(error, PGB_E_UNSUPPORTED, "cannot find the pgobolt program itself: %s",
			strerror(errno));
}

static void shims_close(struct shims *shims)
{
	for (size_t i = 0; i < shims->answers.count; i++)
		free(shims->answers.items[i].file);
	pgb_array_release(&shims->answers);
	free(shims->self);
}

int pgb_build_shims(const char *state, struct pgb_error *error)
{
	const char *variable = getenv("PATH");
	char *path = pgb_shim_path_without(variable ? variable : PGB_PROCESS_PATH_DEFAULT);
	char *folder = pgb_format("%s/bin", state);
	struct pgb_shim_words names = {0};
	struct shims shims;
	int status = shims_open(&shims, folder, error);

	for (char *at = path; status == 0 && at;) {
		char *colon = strchrnul(at, ':');
		bool last = *colon == '\0';

		*colon = '\0';
		if (at[0] == '/') /* what is found from one folder only is not for all of a build */
			status = scan_folder(&shims, at, &names, error);
		at = last ? NULL : colon + 1;
	}
	if (status == 0 && shims.compilers == 0) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "no compiler was found in PATH: no clang, gcc "
			 "or rustc");
		status = pgb_remedy(error, "see what is there: pgobolt doctor");
	}
	pgb_shim_words_release(&names);
	shims_close(&shims);
	free(folder);
	free(path);
	return status;
}

/* ---- compilers that are named by a path */

/* The name of a shim for `path`: its own where that means the same file in PATH. */
static char *shim_name(const char *folder, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	struct pgb_shim_real real = {0};
	bool same = pgb_shim_real_read(&real, folder, base, NULL) == 0 &&
		    pgb_file_same(real.path, path);
	uint64_t hash = pgb_hash_bytes(path, strlen(path));

	free(real.path);
	/* in the form of a cross compiler's name, so that it is known as one */
	return same ? pgb_dup(base)
		    : pgb_format(PGB_TOOL_BY_PATH "%08" PRIx64 "-%s", hash >> 32, base);
}

static char *make_shim_for(const char *state, const char *path)
{
	char *folder = pgb_format("%s/bin", state);
	char *name = NULL;
	struct shims shims;

	if (shims_open(&shims, folder, NULL) == 0) {
		name = shim_name(folder, path);
		if (pgb_tool_is_by_path(name) &&
		    (add_shim(&shims, name, path, NULL) != 0 || shims.compilers == 0)) {
			free(name);
			name = NULL;
		}
	}
	shims_close(&shims);
	free(folder);
	return name;
}

char *pgb_build_shim_for(const char *state, const char *value)
{
	const char *at = value + strspn(value, " \t");
	char *path, *name = NULL, *result = NULL;
	size_t length;

	for (;;) {
		length = strcspn(at, " \t");
		path = pgb_dup_bytes(at, length);
		if (length == 0 || pgb_tool_kind(path) != PGB_TOOL_LAUNCHER)
			break;
		free(path);
		at += length + strspn(at + length, " \t");
	}
	if (path[0] == '/' && pgb_tool_kind(path) != PGB_TOOL_NONE && is_command(path))
		name = make_shim_for(state, path);
	if (name)
		result = pgb_format("%.*s%s%s", (int)(at - value), value, name, at + length);
	free(path);
	free(name);
	return result;
}
