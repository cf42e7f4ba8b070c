/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/shim.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/cargo_config.h"

bool pgb_shim_is_one(const char *argv0)
{
	return argv0 != NULL && pgb_tool_kind(argv0) != PGB_TOOL_NONE;
}

/* ---- one call */

struct call {
	char *name;   /* last part of argv[0], or of what that leads to */
	char *folder; /* of shims, where this name is listed */
	const char *const *argv;
	const char *state; /* NULL: no mode */
	bool logs;	   /* a build of ours, be it one without flags */
	struct pgb_shim_settings settings;
	struct pgb_shim_real real;
	char *raw, *profile, *path_variable, *extra_variable;
	struct pgb_shim_words words; /* the new argv */
};

static void call_release(struct call *call)
{
	free(call->name);
	free(call->folder);
	free(call->real.path);
	free(call->raw);
	free(call->profile);
	free(call->path_variable);
	free(call->extra_variable);
	pgb_shim_words_release(&call->words);
}

/* By argv[0], or by what is found under this name in PATH. */
static int find_folder(struct call *call, struct pgb_error *error)
{
	const char *path = getenv("PATH");

	if (strchr(call->argv[0], '/')) {
		if (pgb_shim_find(call->argv[0], &call->folder, &call->name))
			return 0;
		path = NULL;
	}
	while (path) {
		size_t length = strcspn(path, ":");
		char *at = pgb_format("%.*s/%s", (int)length, path, call->name);
		bool found = length > 0 && pgb_shim_find(at, &call->folder, &call->name);

		free(at);
		if (found)
			return 0;
		path = path[length] ? path + length + 1 : NULL;
	}
	pgb_fail(error, PGB_E_NOT_FOUND, "%s stands for a compiler, but nothing says for which one",
		 call->name);
	return pgb_remedy(error, "this is pgobolt under another name: pgobolt build makes the "
				 "folder that such names need");
}

static void read_mode(struct call *call)
{
	const char *mode = getenv(PGB_SHIM_MODE_VARIABLE);

	call->state = getenv(PGB_SHIM_STATE_VARIABLE);
	if (mode == NULL || call->state == NULL)
		return;
	call->logs = true;
	call->settings.partial_training = getenv(PGB_SHIM_PARTIAL_VARIABLE) != NULL;
	call->settings.lines = getenv(PGB_SHIM_LINES_VARIABLE) != NULL;
	call->settings.mode = pgb_build_mode_of(mode);
}

/* The profile's own name, which changes with its content. */
static char *find_profile(const char *state, const struct pgb_compiler *compiler, const char *key)
{
	char target[PATH_MAX];
	char *profile;
	ssize_t length;

	if (compiler->toolchain->profile_is_folder) {
		profile = pgb_format("%s/profile/%s", state, key);
		if (access(profile, R_OK) == 0)
			return profile;
		free(profile);
		return NULL;
	}
	profile = pgb_format("%s/profile/%s.profdata", state, key);
	length = readlink(profile, target, sizeof(target) - 1);
	free(profile);
	if (length <= 0)
		return NULL;
	target[length] = '\0';
	return pgb_format("%s/profile/%s", state, target);
}

static void set_paths(struct call *call, const struct pgb_compiler *compiler)
{
	const char *sample = getenv(PGB_SHIM_SAMPLE_VARIABLE);
	char *key = pgb_compiler_key(compiler);

	call->raw = pgb_format("%s/raw/%s", call->state, key);
	call->settings.raw = call->raw;
	if (sample == NULL)
		call->profile = find_profile(call->state, compiler, key);
	else if (compiler->toolchain->reads_samples)
		call->settings.sample = sample;
	call->settings.profile = call->profile;
	free(key);
}

/* ---- the log */

static void log_line(struct pgb_text *text, const char *what, const char *folder, const char *name)
{
	size_t start;

	pgb_text_addf(text, "%s\t", what);
	start = text->length;
	if (folder && name[0] != '/')
		pgb_text_addf(text, "%s/", folder);
	pgb_text_add(text, name);
	for (char *at = text->data + start; *at; at++)
		if (*at == '\n')
			*at = '?';
	pgb_text_add(text, "\n");
}

/* What -c SOURCE without -o writes. */
static char *default_object(const char *source)
{
	const char *slash = strrchr(source, '/');
	const char *base = slash ? slash + 1 : source;
	const char *dot = strrchr(base, '.');

	return pgb_format("%.*s.o", (int)(dot ? (size_t)(dot - base) : strlen(base)), base);
}

/* configure's first test has no -o: that is how it finds out about a.out. */
static const char *default_output(const struct pgb_shim_step *step)
{
	return step->sources.count > 0 && strncmp(step->sources.items[0], "conftest", 8) == 0
		       ? "conftest"
		       : "a.out";
}

static void log_compile(struct pgb_text *text, const struct pgb_shim_step *step, const char *folder)
{
	for (size_t i = 0; i < step->sources.count; i++) {
		char *object = default_object(step->sources.items[i]);

		if (step->objects) {
			log_line(text, "object", folder, step->output ? step->output : object);
			log_line(text, "of", folder, step->sources.items[i]);
		} else {
			log_line(text, "source", folder, step->sources.items[i]);
		}
		free(object);
	}
}

static bool wants_profile(enum pgb_build_mode mode)
{
	return mode == PGB_BUILD_USE || mode == PGB_BUILD_INSTRUMENT_CS;
}

/* One write, so that the lines of parallel compilers do not mix. A build never fails by it. */
static void log_step(const struct call *call, const struct pgb_compiler *compiler,
		     const struct pgb_shim_step *step)
{
	char *path = pgb_format("%s/" PGB_SHIM_LOG, call->state);
	char *key = pgb_compiler_key(compiler);
	char *folder = getcwd(NULL, 0);
	struct pgb_text text = {0};
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	log_line(&text, "compiler", NULL, key);
	if (step->own_profile)
		log_line(&text, "own", folder, step->sources.count ? step->sources.items[0] : "");
	else if (pgb_tool_kind(call->name) == PGB_TOOL_CARGO)
		log_line(&text, "cargo", folder, ".");
	else if (step->compiles)
		log_compile(&text, step, folder);
	if (step->compiles && wants_profile(call->settings.mode) && !call->profile &&
	    !call->settings.sample)
		log_line(&text, "unprofiled", NULL, key);
	if (step->links) {
		log_line(&text, "link", folder, step->output ? step->output : default_output(step));
		for (size_t i = 0; i < step->inputs.count; i++)
			log_line(&text, "input", folder, step->inputs.items[i]);
	}
	if (fd >= 0) {
		(void)!write(fd, text.data, text.length);
		close(fd);
	}
	pgb_text_release(&text);
	free(folder);
	free(path);
	free(key);
}

/* ---- kinds of names */

static const char *const *arguments_of(const struct pgb_shim_words *words)
{
	return (const char *const *)words->items.items;
}

static void add_compiler(struct call *call, const struct pgb_compiler *compiler,
			 const char *const *arguments)
{
	struct pgb_shim_words expanded = {0};
	struct pgb_shim_step step;

	if (!call->logs || compiler->toolchain == NULL) {
		for (; *arguments; arguments++)
			pgb_shim_words_add(&call->words, *arguments);
		return;
	}
	set_paths(call, compiler);
	pgb_shim_expand(&expanded, arguments);
	pgb_shim_step_read(&step, compiler->toolchain, arguments_of(&expanded));
	pgb_shim_flags(&call->settings, compiler->toolchain, &step, &call->words);
	/* A response file cannot be changed: where it strips, its words stand here themselves. */
	pgb_shim_arguments(&call->settings, &step,
			   step.strips && step.links && pgb_build_mode_is_final(call->settings.mode)
				   ? arguments_of(&expanded)
				   : arguments,
			   &call->words);
	if (step.links && step.rust && call->settings.mode == PGB_BUILD_INSTRUMENT)
		pgb_shim_add_runtime(call->folder, compiler->toolchain, &call->words);
	if (step.compiles || step.links)
		log_step(call, compiler, &step);
	pgb_shim_step_release(&step);
	pgb_shim_words_release(&expanded);
}

/* ccache distcc gcc: all that only start the next one, as themselves. */
static const char *const *skip_launchers(struct call *call, const char *const *arguments)
{
	for (; arguments[0] && pgb_tool_kind(arguments[0]) == PGB_TOOL_LAUNCHER; arguments++) {
		struct pgb_shim_real real = {0};
		bool listed = strchr(arguments[0], '/') == NULL &&
			      pgb_shim_real_read(&real, call->folder, arguments[0], NULL) == 0;

		pgb_shim_words_add(&call->words, listed ? real.path : arguments[0]);
		free(real.path);
	}
	return arguments;
}

/* ccache COMPILER ..: the flags go behind the compiler, where ccache counts them. */
static void add_launcher(struct call *call)
{
	const char *const *arguments = skip_launchers(call, call->argv + 1);
	struct pgb_shim_real real = {0};
	struct pgb_error ignored = {0};
	const char *slash = arguments[0] ? strrchr(arguments[0], '/') : NULL;
	const char *base = slash ? slash + 1 : arguments[0];

	if (base && pgb_tool_kind(base) == PGB_TOOL_COMPILER) {
		char *folder = slash ? pgb_dup_bytes(arguments[0], (size_t)(slash - arguments[0]))
				     : pgb_dup(call->folder);

		if (pgb_shim_real_read(&real, folder, base, &ignored) == 0) {
			pgb_shim_words_add(&call->words, real.path);
			arguments++;
		} else if (slash &&
			   pgb_compiler_ask(&real.compiler, PGB_TOOL_COMPILER, arguments[0])) {
			pgb_shim_words_add(&call->words, *arguments++);
		}
		free(folder);
	}
	add_compiler(call, &real.compiler, arguments);
	free(real.path);
}

static void add_cargo(struct call *call)
{
	struct pgb_cargo_config config;
	struct pgb_shim_cargo cargo = {
		.config = &config,
		.host = call->real.compiler.host,
		.target = getenv("CARGO_BUILD_TARGET"),
		.flags_encoded = getenv("CARGO_ENCODED_RUSTFLAGS"),
		.flags_plain = getenv("RUSTFLAGS"),
	};
	struct pgb_shim_step step = {.compiles = true};
	struct pgb_shim_words flags = {0};
	char *linker;

	if (!call->logs || cargo.host[0] == '\0' || !pgb_shim_cargo_builds(call->argv + 1)) {
		for (size_t i = 1; call->argv[i]; i++)
			pgb_shim_words_add(&call->words, call->argv[i]);
		return;
	}
	pgb_cargo_config_ask(&config, call->real.path, call->argv + 1);
	cargo.linker = linker = pgb_shim_linker(&cargo, call->state, call->argv + 1);
	set_paths(call, &call->real.compiler);
	pgb_shim_flags(&call->settings, &pgb_toolchain_rustc, &step, &flags);
	pgb_shim_cargo(&cargo, &flags, call->argv + 1, &call->words, &call->extra_variable);
	log_step(call, &call->real.compiler, &step);
	pgb_shim_words_release(&flags);
	pgb_cargo_config_release(&config);
	free(linker);
}

static void build_argv(struct call *call)
{
	/* cargo has given rustc its flags, and none to build scripts */
	bool in_cargo = getenv(PGB_SHIM_CARGO_VARIABLE) != NULL;
	enum pgb_tool_kind kind = pgb_tool_kind(call->name);

	if (kind == PGB_TOOL_CARGO)
		add_cargo(call);
	else if (kind == PGB_TOOL_LAUNCHER)
		add_launcher(call);
	else if (kind == PGB_TOOL_STRIP && pgb_build_mode_is_final(call->settings.mode))
		pgb_shim_strip(call->argv + 1, &call->words);
	else {
		if (kind == PGB_TOOL_STRIP || (kind == PGB_TOOL_RUSTC && in_cargo))
			call->logs = false;
		add_compiler(call, &call->real.compiler, call->argv + 1);
	}
	pgb_array_push(&call->words.items, NULL);
}

static int become(struct call *call, struct pgb_error *error)
{
	const char *environment[4];
	size_t count = 0;
	const char *path = getenv("PATH");
	enum pgb_tool_kind kind = pgb_tool_kind(call->name);
	struct pgb_spawn spawn = {.file = call->real.path, .environment = environment};

	/*
	 * cargo's build scripts run compilers, and rustc links through one; what others run is
	 * their own affair.
	 */
	if (kind == PGB_TOOL_CARGO) {
		environment[count++] = PGB_SHIM_CARGO_VARIABLE "=1";
	} else if (path && kind != PGB_TOOL_RUSTC) {
		char *without = pgb_shim_path_without(path);

		call->path_variable = pgb_format("PATH=%s", without);
		environment[count++] = call->path_variable;
		free(without);
	}
	if (call->extra_variable)
		environment[count++] = call->extra_variable;
	environment[count] = NULL;
	spawn.argv = arguments_of(&call->words);
	return pgb_process_become(&spawn, error);
}

int pgb_shim_run(const char *const *argv, struct pgb_error *error)
{
	const char *slash = strrchr(argv[0], '/');
	struct call call = {.name = pgb_dup(slash ? slash + 1 : argv[0]), .argv = argv};
	int status = find_folder(&call, error);

	if (status == 0)
		status = pgb_shim_real_read(&call.real, call.folder, call.name, error);
	if (status == 0) {
		read_mode(&call);
		pgb_shim_words_add(&call.words, call.real.path);
		build_argv(&call);
		status = become(&call, error);
	}
	call_release(&call);
	return status;
}
