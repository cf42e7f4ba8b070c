/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cargo.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/cargo_config.h"
#include "pgobolt/pgo/toolchain.h"

enum { CARGO_TIMEOUT_S = 120 };

/* Kinds of targets that the linker finishes; the first is preferred where names are equal. */
static const struct kind {
	const char *name;
	const char *option; /* of cargo build; %s: the target's name */
	const char *folder; /* below release/ */
	bool library;
} kinds[] = {
	{"bin", "--bin %s", "", false},
	{"cdylib", "--lib", "", true},
	{"dylib", "--lib", "", true},
	{"example", "--example %s", "examples/", false},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool is_of_kind(const json_t *target, const char *kind)
{
	const json_t *list = json_object_get(target, "kind");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (word && strcmp(word, kind) == 0)
			return true;
	}
	return false;
}

/* Names of cargo's are letters, digits, - and _; what is not stays out of commands. */
static bool is_name(const char *text)
{
	return text && text[0] && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		       strlen(text);
}

/* Libraries are files with underscores, whatever their crate is called. */
static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	return *a == *b;
}

struct search {
	const char *name;
	const char *package, *found; /* borrowed from the document */
	size_t kind;		     /* KINDS: none yet */
	size_t count;		     /* programs, where no name is given */
	bool is_library;	     /* one of this name, but not of such a kind */
	struct pgb_text names;
};

static void look_at(struct search *search, const char *package, const json_t *target)
{
	const char *name = json_string_value(json_object_get(target, "name"));
	size_t kind = 0;

	while (kind < KINDS && !is_of_kind(target, kinds[kind].name))
		kind++;
	if (!is_name(name) || !is_name(package))
		return;
	if (search->name && same_name(name, search->name) && kind == KINDS)
		search->is_library |= is_of_kind(target, "lib") || is_of_kind(target, "rlib") ||
				      is_of_kind(target, "staticlib");
	if (kind == KINDS)
		return;
	pgb_text_addf(&search->names, "%s%s", search->names.length ? ", " : "", name);
	if (search->name ? !same_name(name, search->name) : kind != 0)
		return;
	search->count++;
	if (kind < search->kind) {
		search->kind = kind;
		search->package = package;
		search->found = name;
	}
}

static int fail_search(const struct search *search, struct pgb_error *error)
{
	const char *names = pgb_text_string(&search->names);

	if (search->name && search->is_library) {
		pgb_fail(error, PGB_E_NOT_SUITABLE,
			 "%s is a library that becomes part of programs: llvm-bolt needs one of "
			 "these",
			 search->name);
		return pgb_remedy(error, "name a program that uses it, an example, or give it "
					 "crate-type = [\"cdylib\"]");
	}
	if (search->name)
		pgb_fail(error, PGB_E_NOT_FOUND, "this project has no program or cdylib %s",
			 search->name);
	else
		pgb_fail(error, PGB_E_USAGE, "which program of this project? Name one");
	return pgb_remedy(error, "there are: %s", names[0] ? names : "none");
}

/* A path below the working directory is shorter without it. */
static const char *shorten(const char *path)
{
	char *here = getcwd(NULL, 0);
	size_t length = here ? strlen(here) : 0;

	if (here && strncmp(path, here, length) == 0 && path[length] == '/')
		path += length + 1;
	free(here);
	return path;
}

/* The workspace's folder, as its sources are named from here. */
static char *name_workspace(const char *path)
{
	char *here = getcwd(NULL, 0);
	char *name = pgb_dup(path && !(here && strcmp(here, path) == 0) ? path : ".");

	free(here);
	return name;
}

static void fill_target(struct pgb_cargo_target *target, const struct search *search,
			const char *folder, const char *triple)
{
	const struct kind *kind = &kinds[search->kind];
	const char *sign = strchr(kind->option, '%');
	char *file = kind->library ? pgb_format("lib%s.so", search->found) : pgb_dup(search->found);

	for (char *at = file; kind->library && *at; at++)
		if (*at == '-')
			*at = '_';
	target->build = pgb_format("cargo build --release -p %s %.*s%s", search->package,
				   sign ? (int)(sign - kind->option) : (int)strlen(kind->option),
				   kind->option, sign ? search->found : "");
	target->binary =
		pgb_format("%s/%s/release/%s%s", shorten(folder), triple, kind->folder, file);
	free(file);
}

int pgb_cargo_parse(struct pgb_cargo_target *target, struct pgb_cursor metadata, const char *name,
		    const char *triple, struct pgb_error *error)
{
	size_t size = pgb_cursor_left(&metadata);
	json_t *root = json_loadb(size ? (const char *)metadata.at : "", size, 0, NULL);
	const json_t *packages = json_object_get(root, "packages");
	const char *folder = json_string_value(json_object_get(root, "target_directory"));
	struct search search = {.name = name, .kind = KINDS};
	int code = 0;

	*target = (struct pgb_cargo_target){0};
	for (size_t i = 0; i < json_array_size(packages); i++) {
		const json_t *package = json_array_get(packages, i);
		const json_t *targets = json_object_get(package, "targets");

		for (size_t j = 0; j < json_array_size(targets); j++)
			look_at(&search, json_string_value(json_object_get(package, "name")),
				json_array_get(targets, j));
	}
	if (folder == NULL || !json_is_array(packages))
		code = pgb_fail(error, PGB_E_CORRUPT,
				"cargo metadata did not print what it "
				"should");
	else if (search.found == NULL || (name == NULL && search.count > 1))
		code = fail_search(&search, error);
	else
		fill_target(target, &search, folder, triple);
	if (code == 0)
		target->sources =
			name_workspace(json_string_value(json_object_get(root, "workspace_root")));
	pgb_text_release(&search.names);
	json_decref(root);
	return code;
}

void pgb_cargo_target_release(struct pgb_cargo_target *target)
{
	free(target->build);
	free(target->binary);
	free(target->sources);
	*target = (struct pgb_cargo_target){0};
}

static int ask_metadata(struct pgb_text *out, struct pgb_error *error)
{
	const char *argv[] = {"cargo", "metadata", "--format-version", "1", "--no-deps", NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text err = {0};
	int wait_status = 0;
	int code = pgb_process_run(&spawn, CARGO_TIMEOUT_S, out, &err, &wait_status, error);

	if (code == 0 && wait_status != 0) {
		pgb_fail(error, PGB_E_TOOL, "cargo metadata failed: %s", pgb_text_string(&err));
		code = pgb_remedy(error, "run it in a cargo project, or go there with -C DIR");
	}
	pgb_text_release(&err);
	return code;
}

/* build.target of cargo's configuration; NULL. The caller frees it. */
static char *ask_config(void)
{
	const char *const arguments[] = {NULL};
	struct pgb_cargo_config config;
	const char *target;
	char *cargo = pgb_process_find_command("cargo"), *copy;

	if (cargo == NULL)
		return NULL;
	pgb_cargo_config_ask(&config, cargo, arguments);
	target = pgb_cargo_config_target(&config);
	copy = target ? pgb_dup(target) : NULL;
	pgb_cargo_config_release(&config);
	free(cargo);
	return copy;
}

/* The triple that programs are built for. */
static int ask_triple(char **triple, struct pgb_error *error)
{
	const char *wanted = getenv("CARGO_BUILD_TARGET");
	struct pgb_compiler compiler;
	char *rustc;

	*triple = wanted && wanted[0] ? pgb_dup(wanted) : ask_config();
	if (*triple)
		return 0;
	rustc = pgb_process_find_command("rustc");
	if (rustc && pgb_compiler_ask(&compiler, PGB_TOOL_RUSTC, rustc))
		*triple = pgb_dup(compiler.host);
	free(rustc);
	if (*triple)
		return 0;
	pgb_fail(error, PGB_E_UNSUPPORTED, "there is no rustc that answers");
	return pgb_remedy(error, "see what is there: pgobolt doctor");
}

int pgb_cargo_find(struct pgb_cargo_target *target, const char *name, struct pgb_error *error)
{
	struct pgb_text metadata = {0};
	char *triple = NULL;
	int code = ask_triple(&triple, error);

	*target = (struct pgb_cargo_target){0};
	if (code == 0)
		code = ask_metadata(&metadata, error);
	if (code == 0)
		code = pgb_cargo_parse(target,
				       pgb_cursor_of(pgb_text_string(&metadata), metadata.length),
				       name, triple, error);
	pgb_text_release(&metadata);
	free(triple);
	return code;
}
