/* SPDX-License-Identifier: MIT */
/* What cargo's builds depend on, besides the sources. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgo/pipeline_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/shim.h"

enum { ASK_TIMEOUT_S = 20 };

/* Variables have any place in the environment. */
static void add_cargo_variables(struct pgb_text *text)
{
	static const char *const beginnings[] = {"CARGO_BUILD_",
						 "CARGO_ENCODED_",
						 "CARGO_PROFILE_",
						 "CARGO_TARGET_",
						 "RUSTC",
						 "RUSTUP_TOOLCHAIN=",
						 NULL};
	struct pgb_shim_words found = {0};

	for (size_t i = 0; environ[i]; i++)
		for (size_t k = 0; beginnings[k]; k++)
			if (pgb_begins_with(environ[i], beginnings[k]))
				pgb_shim_words_add(&found, environ[i]);
	pgb_shim_words_sort(&found);
	for (size_t i = 0; i < found.items.count; i++)
		pgb_text_addf(text, "%s\n", found.items.items[i]);
	pgb_shim_words_release(&found);
}

/* Its configuration, from this folder up to the root, and the user's. */
static void add_cargo_files(struct pgb_text *text)
{
	const char *own = getenv("CARGO_HOME"), *home = getenv("HOME");
	char *folder = getcwd(NULL, 0), *user;

	user = own ? pgb_dup(own) : pgb_format("%s/.cargo", home ? home : "");
	for (char *end = folder ? folder + strlen(folder) : NULL; end; end = strrchr(folder, '/')) {
		char *file;

		*end = '\0';
		file = pgb_format("%s/.cargo/config.toml", folder);
		pgb_pipeline_add_file(text, file);
		free(file);
	}
	free(folder);
	folder = pgb_format("%s/config.toml", user);
	pgb_pipeline_add_file(text, folder);
	free(folder);
	free(user);
}

/* rustup's rustc is any of its toolchains. */
static void add_rustc(struct pgb_text *text)
{
	const char *argv[] = {"rustc", "-vV", NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text out = {0}, err = {0};
	int wait_status;

	if (pgb_process_run(&spawn, ASK_TIMEOUT_S, &out, &err, &wait_status, NULL) == 0)
		pgb_text_add(text, pgb_text_string(&out));
	pgb_text_release(&out);
	pgb_text_release(&err);
}

void pgb_pipeline_add_cargo(struct pgb_text *text)
{
	add_cargo_variables(text);
	add_cargo_files(text);
	add_rustc(text);
}
