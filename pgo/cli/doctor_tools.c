/* SPDX-License-Identifier: MIT */
/* The programs that pgobolt drives: which are here, of what version, and do they fit together. */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/toolchain.h"

enum { ASK_TIMEOUT_S = 20 };

/* One program of a family: clang, clang-19, .. */
struct tool {
	char *path;    /* as found in PATH */
	char *real;    /* two names for one file count once */
	char *version; /* "22.1.8" */
	unsigned int major;
};

/* How a family is called, and asked for its version. */
struct family {
	const char *name, *word, *second_word;
};

static const struct family clang = {"clang", "--version", NULL};
static const struct family gcc = {"gcc", "--version", NULL};
static const struct family rustc = {"rustc", "--version", NULL};
/* up to 18 only its subcommands know --version */
static const struct family llvm_profdata = {"llvm-profdata", "merge", "--version"};
static const struct family gcov_tool = {"gcov-tool", "--version", NULL};

struct tools {
	PGB_ARRAY(struct tool) list;
};

static void tools_release(struct tools *tools)
{
	for (size_t i = 0; i < tools->list.count; i++) {
		free(tools->list.items[i].path);
		free(tools->list.items[i].real);
		free(tools->list.items[i].version);
	}
	pgb_array_release(&tools->list);
}

/* The first "N.N.." behind a blank in what the program says; NULL. */
static char *ask_version(const char *path, const struct family *family)
{
	const char *argv[] = {path, family->word, family->second_word, NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true, .own_group = true};
	struct pgb_text answer = {0};
	struct pgb_error ignored = {0};
	char *version = NULL;
	int status = 0;

	if (pgb_process_run(&spawn, ASK_TIMEOUT_S, &answer, &answer, &status, &ignored) == 0)
		for (const char *at = pgb_text_string(&answer); *at && !version; at++) {
			size_t digits = at[0] == ' ' ? strspn(at + 1, "0123456789") : 0;

			if (digits && at[1 + digits] == '.' &&
			    isdigit((unsigned char)at[2 + digits]))
				version = pgb_dup_bytes(at + 1, strspn(at + 1, "0123456789."));
		}
	pgb_text_release(&answer);
	return version;
}

/* Takes `path`. */
static void add_tool(struct tools *tools, char *path, const struct family *family)
{
	struct tool tool = {.path = path, .real = realpath(path, NULL)};

	for (size_t i = 0; tool.real && i < tools->list.count; i++)
		if (strcmp(tools->list.items[i].real, tool.real) == 0) {
			free(tool.real);
			tool.real = NULL;
		}
	if (tool.real && pgb_file_is_executable(path))
		tool.version = ask_version(path, family);
	if (tool.version == NULL) {
		free(tool.path);
		free(tool.real);
		return;
	}
	tool.major = (unsigned int)strtoul(tool.version, NULL, 10);
	pgb_array_push(&tools->list, tool);
}

/* NAME, or NAME-NN: not clang-format, not gcc-ar. */
static bool is_of_family(const char *name, const char *family)
{
	size_t length = strlen(family);

	if (strncmp(name, family, length) != 0)
		return false;
	name += length;
	return *name == '\0' ||
	       (*name == '-' && name[1] && name[1 + strspn(name + 1, "0123456789")] == '\0');
}

static void scan_folder(struct tools *tools, const char *folder, const struct family *family)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (is_of_family(entries[i]->d_name, family->name))
			add_tool(tools, pgb_format("%s/%s", folder, entries[i]->d_name), family);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* All programs of a family in PATH, in its order. */
static void find_tools(struct tools *tools, const struct family *family)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t length = strcspn(path, ":");
		char *folder = pgb_dup_bytes(path, length);

		if (length > 0)
			scan_folder(tools, folder, family);
		free(folder);
		path += length + (path[length] == ':');
	}
}

static bool has_major(const struct tools *tools, unsigned int major)
{
	for (size_t i = 0; i < tools->list.count; i++)
		if (tools->list.items[i].major == major)
			return true;
	return false;
}

static void add_llvm_bolt(struct doctor *doctor, const char *llvm_bolt)
{
	struct pgb_error error = {0};

	if (pgb_llvm_bolt_find(&doctor->bolt, llvm_bolt, &error) != 0) {
		pgb_llvm_bolt_release(&doctor->bolt);
		pgb_doctor_add_error(&doctor->tools, PGB_FINDING_ERROR, "llvm-bolt", &error);
		return;
	}
	pgb_doctor_add(&doctor->tools, PGB_FINDING_GOOD, "llvm-bolt", NULL, "llvm-bolt %s: %s",
		       doctor->bolt.version, doctor->bolt.path);
	if (doctor->bolt.runtime_library)
		pgb_doctor_add(&doctor->tools, PGB_FINDING_GOOD, "llvm-bolt-runtime", NULL,
			       "its runtime library, for -s instrument: %s",
			       doctor->bolt.runtime_library);
	else {
		char *remedy = pgb_format("Debian, Ubuntu: apt-get install libbolt-%u-dev",
					  doctor->bolt.major);

		pgb_doctor_add(&doctor->tools, PGB_FINDING_WARNING, "llvm-bolt-runtime", remedy,
			       "its runtime library (libbolt_rt_instr.a) is not installed: -s "
			       "instrument cannot work");
		free(remedy);
	}
	pgb_doctor_add(&doctor->tools, PGB_FINDING_NOTE, "perf2bolt", NULL,
		       "perf and perf2bolt are not needed");
}

/* A compiler's profile can be merged by a tool of its own version only. */
static void add_compilers(struct doctor *doctor, const struct family *family,
			  const struct family *merger, const char *package_format)
{
	struct tools compilers = {0}, mergers = {0};

	find_tools(&compilers, family);
	if (compilers.list.count)
		find_tools(&mergers, merger);
	for (size_t i = 0; i < compilers.list.count; i++) {
		const struct tool *compiler = &compilers.list.items[i];

		if (has_major(&mergers, compiler->major)) {
			pgb_doctor_add(&doctor->tools, PGB_FINDING_GOOD, family->name, NULL,
				       "%s %s, with %s: %s", family->name, compiler->version,
				       merger->name, compiler->path);
		} else {
			char *remedy = pgb_format(package_format, compiler->major);

			pgb_doctor_add(&doctor->tools, PGB_FINDING_WARNING, family->name, remedy,
				       "%s %s, without a %s %u to merge its profiles: %s",
				       family->name, compiler->version, merger->name,
				       compiler->major, compiler->path);
			free(remedy);
		}
	}
	if (compilers.list.count == 0)
		pgb_doctor_add(&doctor->tools, PGB_FINDING_NOTE, family->name, NULL,
			       "%s is not installed; only programs built with it need it",
			       family->name);
	tools_release(&compilers);
	tools_release(&mergers);
}

/* "LLVM version: 22.1.2" of rustc -vV; 0. */
static unsigned int rustc_llvm_major(const char *path)
{
	const char *argv[] = {path, "-vV", NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true, .own_group = true};
	struct pgb_text answer = {0}, complaints = {0};
	struct pgb_error ignored = {0};
	unsigned int major = 0;
	int status = 0;

	if (pgb_process_run(&spawn, ASK_TIMEOUT_S, &answer, &complaints, &status, &ignored) == 0) {
		const char *line = strstr(pgb_text_string(&answer), "LLVM version: ");

		if (line)
			major = (unsigned int)strtoul(line + strlen("LLVM version: "), NULL, 10);
	}
	pgb_text_release(&answer);
	pgb_text_release(&complaints);
	return major;
}

/* Where rustup puts the tools of rustc's own LLVM: SYSROOT/lib/rustlib/HOST/bin. */
static void find_in_sysroot(struct tools *tools, const char *path)
{
	const char *argv[] = {path, "--print", "sysroot", NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true, .own_group = true};
	struct pgb_text answer = {0}, complaints = {0};
	struct pgb_error ignored = {0};
	struct dirent **hosts;
	char *folder;
	int status = 0, count;

	pgb_process_run(&spawn, ASK_TIMEOUT_S, &answer, &complaints, &status, &ignored);
	folder = pgb_format("%.*s/lib/rustlib", (int)strcspn(pgb_text_string(&answer), "\n"),
			    pgb_text_string(&answer));
	count = scandir(folder, &hosts, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *bin = pgb_format("%s/%s/bin", folder, hosts[i]->d_name);

		scan_folder(tools, bin, &llvm_profdata);
		free(bin);
		free(hosts[i]);
	}
	if (count >= 0)
		free(hosts);
	free(folder);
	pgb_text_release(&answer);
	pgb_text_release(&complaints);
}

static void add_rustc(struct doctor *doctor)
{
	struct tools compilers = {0}, mergers = {0};
	char *remedy = NULL;

	find_tools(&compilers, &rustc);
	if (compilers.list.count == 0) {
		pgb_doctor_add(&doctor->tools, PGB_FINDING_NOTE, "rustc", NULL,
			       "rustc is not installed; only programs built with it need it");
	} else {
		const struct tool *compiler = &compilers.list.items[0];
		unsigned int major = rustc_llvm_major(compiler->path);

		find_tools(&mergers, &llvm_profdata);
		find_in_sysroot(&mergers, compiler->path);
		remedy = pgb_rustc_runtime_remedy(compiler->path);
		if (remedy)
			pgb_doctor_add(&doctor->tools, PGB_FINDING_WARNING, "rustc", remedy,
				       "rustc %s (LLVM %u) was built without the runtime that "
				       "counting needs: %s",
				       compiler->version, major, compiler->path);
		else if (has_major(&mergers, major))
			pgb_doctor_add(&doctor->tools, PGB_FINDING_GOOD, "rustc", NULL,
				       "rustc %s (LLVM %u), with llvm-profdata: %s",
				       compiler->version, major, compiler->path);
		else
			pgb_doctor_add(&doctor->tools, PGB_FINDING_WARNING, "rustc",
				       "rustup component add llvm-tools, or the llvm package of "
				       "that version",
				       "rustc %s, without an llvm-profdata %u to merge its "
				       "profiles: %s",
				       compiler->version, major, compiler->path);
	}
	free(remedy);
	tools_release(&compilers);
	tools_release(&mergers);
}

void pgb_doctor_tools(struct doctor *doctor, const char *llvm_bolt)
{
	add_llvm_bolt(doctor, llvm_bolt);
	add_compilers(doctor, &clang, &llvm_profdata, "Debian, Ubuntu: apt-get install llvm-%u");
	add_compilers(doctor, &gcc, &gcov_tool, "Debian, Ubuntu: apt-get install gcc-%u");
	add_rustc(doctor);
}
