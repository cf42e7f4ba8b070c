/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/toolchain.h"

#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

enum { ASK_TIMEOUT_S = 20 };

const struct pgb_toolchain *const pgb_toolchains[] = {
	&pgb_toolchain_clang,
	&pgb_toolchain_gcc,
	&pgb_toolchain_rustc,
	NULL,
};

/* ---- names */

/* Length of `name` without "-12" or "-3.9" behind it. */
static size_t length_unversioned(const char *name)
{
	const char *dash = strrchr(name, '-');

	if (dash && isdigit((unsigned char)dash[1]) &&
	    dash[1 + strspn(dash + 1, "0123456789.")] == '\0')
		return (size_t)(dash - name);
	return strlen(name);
}

/* "aarch64-linux-gnu-" has two dashes and more; git-cc is no compiler. */
static bool is_triple(const char *name, size_t length)
{
	size_t dashes = 0;

	for (size_t i = 0; i < length; i++)
		dashes += name[i] == '-';
	return length == 0 || dashes >= 2 || (length == 5 && strncmp(name, "musl-", 5) == 0);
}

struct known_name {
	const char *name;
	enum pgb_tool_kind kind;
	bool prefixed; /* also behind a triple, and with a version behind it */
};

static const struct known_name known_names[] = {
	{"cc", PGB_TOOL_COMPILER, true},       {"c++", PGB_TOOL_COMPILER, true},
	{"c89", PGB_TOOL_COMPILER, true},      {"c99", PGB_TOOL_COMPILER, true},
	{"gcc", PGB_TOOL_COMPILER, true},      {"g++", PGB_TOOL_COMPILER, true},
	{"clang", PGB_TOOL_COMPILER, true},    {"clang++", PGB_TOOL_COMPILER, true},
	{"strip", PGB_TOOL_STRIP, true},       {"llvm-strip", PGB_TOOL_STRIP, true},
	{"rustc", PGB_TOOL_RUSTC, false},      {"cargo", PGB_TOOL_CARGO, false},
	{"ccache", PGB_TOOL_LAUNCHER, false},  {"distcc", PGB_TOOL_LAUNCHER, false},
	{"sccache", PGB_TOOL_LAUNCHER, false}, {"icecc", PGB_TOOL_LAUNCHER, false},
};

bool pgb_tool_is_by_path(const char *name)
{
	return strncmp(name, PGB_TOOL_BY_PATH, strlen(PGB_TOOL_BY_PATH)) == 0;
}

enum pgb_tool_kind pgb_tool_kind(const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t length;

	if (slash)
		name = slash + 1;
	length = length_unversioned(name);
	for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++) {
		const struct known_name *known = &known_names[i];
		size_t known_length = strlen(known->name);

		if (strcmp(name, known->name) == 0)
			return known->kind;
		if (!known->prefixed && (!pgb_tool_is_by_path(name) || length != strlen(name)))
			continue;
		if (length >= known_length &&
		    strncmp(name + length - known_length, known->name, known_length) == 0 &&
		    is_triple(name, length - known_length))
			return known->kind;
	}
	return PGB_TOOL_NONE;
}

/* ---- who is it */

static unsigned int major_behind(const char *text, const char *words)
{
	const char *at = strstr(text, words);

	return at ? (unsigned int)strtoul(at + strlen(words), NULL, 10) : 0;
}

/* "gcc (Debian 12.2.0-14) 12.2.0": the last number of the first line; not a date behind it. */
static unsigned int gcc_major(const char *said)
{
	size_t length = strcspn(said, "\n");
	unsigned int major = 0;

	for (size_t i = 1; i < length; i++) {
		size_t digits = strspn(said + i, "0123456789");

		if (said[i - 1] == ' ' && digits > 0 && said[i + digits] == '.')
			major = (unsigned int)strtoul(said + i, NULL, 10);
	}
	return major;
}

static void copy_host(struct pgb_compiler *compiler, const char *said)
{
	const char *host = strstr(said, "host: ");
	size_t length;

	if (host == NULL)
		return;
	host += strlen("host: ");
	length = strcspn(host, "\n");
	if (length < sizeof(compiler->host))
		memcpy(compiler->host, host, length);
}

bool pgb_compiler_parse(struct pgb_compiler *compiler, enum pgb_tool_kind kind, const char *said)
{
	*compiler = (struct pgb_compiler){0};
	if (kind == PGB_TOOL_RUSTC) {
		compiler->toolchain = &pgb_toolchain_rustc;
		compiler->major = major_behind(said, "LLVM version: ");
		copy_host(compiler, said);
	} else if (strstr(said, "clang version ")) {
		compiler->toolchain = &pgb_toolchain_clang;
		compiler->major = major_behind(said, "clang version ");
	} else if (strstr(said, "Free Software Foundation")) {
		compiler->toolchain = &pgb_toolchain_gcc;
		compiler->major = gcc_major(said);
	}
	return compiler->major > 0;
}

/* What a program prints on stdout; "" where it fails. The caller frees it. */
static char *ask(const char *path, const char *word, const char *second_word)
{
	const char *argv[] = {path, word, second_word, NULL};
	static const char *const environment[] = {"LC_ALL=C", NULL};
	struct pgb_spawn spawn = {
		.argv = argv, .environment = environment, .quiet_stdin = true, .own_group = true};
	struct pgb_text said = {0}, complaints = {0};
	int status = 0;

	if (pgb_process_run(&spawn, ASK_TIMEOUT_S, &said, &complaints, &status, NULL) != 0 ||
	    status != 0)
		said.length = 0;
	if (said.data)
		said.data[said.length] = '\0';
	pgb_text_release(&complaints);
	return pgb_text_detach(&said);
}

bool pgb_compiler_ask(struct pgb_compiler *compiler, enum pgb_tool_kind kind, const char *path)
{
	char *said = ask(path, kind == PGB_TOOL_RUSTC ? "-vV" : "--version", NULL);
	bool known = pgb_compiler_parse(compiler, kind, said);

	free(said);
	return known;
}

char *pgb_compiler_key(const struct pgb_compiler *compiler)
{
	return pgb_format("%s-%u", compiler->toolchain->key, compiler->major);
}

bool pgb_compiler_from_key(struct pgb_compiler *compiler, const char *key)
{
	*compiler = (struct pgb_compiler){0};
	for (size_t i = 0; pgb_toolchains[i]; i++) {
		const char *name = pgb_toolchains[i]->key;
		size_t length = strlen(name);
		char *end;

		if (strncmp(key, name, length) != 0 || key[length] != '-' ||
		    !isdigit((unsigned char)key[length + 1]))
			continue;
		compiler->toolchain = pgb_toolchains[i];
		compiler->major = (unsigned int)strtoul(key + length + 1, &end, 10);
		return *end == '\0' && compiler->major > 0;
	}
	return false;
}

/* ---- the tool that merges */

static unsigned int merger_major(const struct pgb_toolchain *toolchain, const char *path)
{
	bool gcc = toolchain == &pgb_toolchain_gcc;
	/* llvm-profdata: up to 18 only its subcommands know --version */
	char *said = gcc ? ask(path, "--version", NULL) : ask(path, "merge", "--version");
	unsigned int major = gcc ? gcc_major(said) : major_behind(said, "LLVM version ");

	free(said);
	return major;
}

/* Takes `candidate`. NULL: not there, or of another version. */
static char *check_merger(const struct pgb_compiler *compiler, char *candidate)
{
	if (candidate && pgb_file_is_executable(candidate) &&
	    merger_major(compiler->toolchain, candidate) == compiler->major)
		return candidate;
	free(candidate);
	return NULL;
}

static char *in_sysroot(const struct pgb_compiler *compiler, const char *rustc)
{
	struct pgb_compiler self;
	char *sysroot, *found;

	if (rustc == NULL || !pgb_compiler_ask(&self, PGB_TOOL_RUSTC, rustc))
		return NULL;
	sysroot = ask(rustc, "--print", "sysroot");
	found = pgb_format("%.*s/lib/rustlib/%s/bin/llvm-profdata", (int)strcspn(sysroot, "\n"),
			   sysroot, self.host);
	free(sysroot);
	return check_merger(compiler, found);
}

char *pgb_toolchain_merger_beside(const struct pgb_compiler *compiler, const char *path)
{
	const char *name = compiler->toolchain->merger;
	char *file = realpath(path, NULL), *found = NULL;
	const char *const paths[] = {path, file};

	for (size_t i = 0; i < 2 && found == NULL; i++) {
		const char *slash = paths[i] ? strrchr(paths[i], '/') : NULL;
		int length = slash ? (int)(slash - paths[i]) : 0;

		if (slash == NULL)
			continue;
		found = check_merger(compiler, pgb_format("%.*s/%s-%u", length, paths[i], name,
							  compiler->major));
		if (found == NULL)
			found = check_merger(compiler,
					     pgb_format("%.*s/%s", length, paths[i], name));
	}
	free(file);
	return found;
}

int pgb_toolchain_find_merger(const struct pgb_compiler *compiler, const char *rustc, char **path,
			      struct pgb_error *error)
{
	const struct pgb_toolchain *toolchain = compiler->toolchain;
	bool llvm = toolchain != &pgb_toolchain_gcc;
	char *versioned = pgb_format("%s-%u", toolchain->merger, compiler->major);
	char *found = check_merger(compiler, pgb_process_find_command(versioned));

	free(versioned);
	if (found == NULL && llvm)
		found = check_merger(compiler, pgb_format("/usr/lib/llvm-%u/bin/llvm-profdata",
							  compiler->major));
	if (found == NULL && llvm)
		found = in_sysroot(compiler, rustc);
	if (found == NULL)
		found = check_merger(compiler, pgb_process_find_command(toolchain->merger));
	*path = found;
	if (found)
		return 0;
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "no %s of version %u was found: profiles of %s %u can be merged by that only",
		 toolchain->merger, compiler->major, llvm ? "LLVM" : "gcc", compiler->major);
	return pgb_remedy(error, "Debian, Ubuntu: apt-get install %s-%u%s", llvm ? "llvm" : "gcc",
			  compiler->major, rustc ? "; or: rustup component add llvm-tools" : "");
}

/* The first file that the pattern fits, or NULL. Takes the pattern. */
static char *first_match(char *pattern)
{
	glob_t found;
	char *path = NULL;

	if (glob(pattern, 0, NULL, &found) == 0) {
		path = pgb_dup(found.gl_pathv[0]);
		globfree(&found);
	}
	free(pattern);
	return path;
}

char *pgb_rustc_runtime_remedy(const char *rustc)
{
	struct pgb_compiler self;
	struct utsname machine;
	char *sysroot, *own, *of_clang, *remedy = NULL;

	if (!pgb_compiler_ask(&self, PGB_TOOL_RUSTC, rustc) || uname(&machine) != 0)
		return NULL;
	sysroot = ask(rustc, "--print", "sysroot");
	own = first_match(pgb_format("%.*s/lib/rustlib/%s/lib/libprofiler_builtins-*.rlib",
				     (int)strcspn(sysroot, "\n"), sysroot, self.host));
	of_clang = first_match(
		pgb_format("/usr/lib/llvm-%u/lib/clang/*/lib/linux/libclang_rt.profile-%s.a",
			   self.major, machine.machine));
	if (own == NULL && of_clang)
		remedy =
			pgb_format("clang's serves as well, each time: RUSTC_BOOTSTRAP=1 RUSTFLAGS="
				   "\"-Zno-profiler-runtime -Clink-arg=%s -Clink-arg=-lc\" pgobolt "
				   "build --instrument -- cargo build",
				   of_clang);
	else if (own == NULL)
		remedy = pgb_format("rustup's rustc has it; or clang's serves as well: apt-get "
				    "install libclang-rt-%u-dev, then see pgobolt doctor",
				    self.major);
	free(sysroot);
	free(own);
	free(of_clang);
	return remedy;
}

void pgb_raw_profiles_release(struct pgb_raw_profiles *raw)
{
	for (size_t i = 0; i < raw->items.count; i++)
		free(raw->items.items[i].path);
	pgb_array_release(&raw->items);
}
