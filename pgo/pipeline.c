/* SPDX-License-Identifier: MIT */
/* What is to be done: keys by content, and which steps are still good. */
#include "pgobolt/pgo/pipeline.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/pipeline_private.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/llvm_bolt.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

/* ---- keys */

static char *hash_of(const struct pgb_text *text)
{
	return pgb_format("%016" PRIx64, pgb_hash_bytes(pgb_text_string(text), text->length));
}

void pgb_pipeline_add_file(struct pgb_text *text, const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0)
		pgb_text_addf(text, "%s %lld %lld.%09ld\n", path, (long long)status.st_size,
			      (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* Those that CC=clang-22 and such words name. */
static void add_named_compilers(struct pgb_text *text, const char *words)
{
	static const char between[] = " \t\n=\"';&|(){}";

	for (words += strspn(words, between); *words; words += strspn(words, between)) {
		size_t length = strcspn(words, between);
		char *word = pgb_dup_bytes(words, length);
		enum pgb_tool_kind kind = pgb_tool_kind(word);
		char *path = kind == PGB_TOOL_COMPILER || kind == PGB_TOOL_RUSTC
				     ? pgb_process_find_command(word)
				     : NULL;

		if (path)
			pgb_pipeline_add_file(text, path);
		free(path);
		free(word);
		words += length;
	}
}

/* Compilers by file, and what the environment tells them. */
static char *compilers_id(const char *build)
{
	static const char *const commands[] = {"cc",	"c++",	   "gcc",   "g++",
					       "clang", "clang++", "rustc", NULL};
	static const char *const variables[] = {"CC",	    "CXX",     "CFLAGS",    "CXXFLAGS",
						"CPPFLAGS", "LDFLAGS", "RUSTFLAGS", NULL};
	struct pgb_text text = {0};
	char *id;

	for (size_t i = 0; commands[i]; i++) {
		char *path = pgb_process_find_command(commands[i]);

		if (path)
			pgb_pipeline_add_file(&text, path);
		free(path);
	}
	for (size_t i = 0; variables[i]; i++) {
		const char *value = getenv(variables[i]);

		pgb_text_addf(&text, "%s=%s\n", variables[i], value ? value : "");
		add_named_compilers(&text, value ? value : "");
	}
	add_named_compilers(&text, build);
	pgb_pipeline_add_cargo(&text);
	id = hash_of(&text);
	pgb_text_release(&text);
	return id;
}

bool pgb_pipeline_wants(const struct pgb_pipeline *pipeline, size_t step)
{
	return pipeline->state.steps.items[step].commands.items.count > 0;
}

char *pgb_pipeline_key(const struct pgb_pipeline *pipeline, size_t step)
{
	const struct pgb_step_facts *facts = pgb_step_facts(pipeline, step);
	const struct pgb_step *at = &pipeline->state.steps.items[step];
	struct pgb_text text = {0};
	char *key;

	pgb_text_addf(&text, "%s\n", pipeline->config->program);
	for (size_t i = 0; i < at->commands.items.count; i++)
		pgb_text_addf(&text, "%s\n", at->commands.items.items[i]);
	if (facts->builds)
		pgb_text_addf(&text, "compilers %s\n", pipeline->state.compilers);
	if (step == STEP_BOLT)
		pgb_text_addf(&text, "llvm-bolt %s\n", pipeline->llvm_bolt_id);
	for (size_t i = 0; i < STEP_COUNT; i++) {
		const struct pgb_step *input = &pipeline->state.steps.items[i];

		if (facts->inputs & 1u << i && pgb_pipeline_wants(pipeline, i))
			pgb_text_addf(&text, "%s %s\n", input->name,
				      input->output_hash ? input->output_hash : "-");
	}
	key = hash_of(&text);
	pgb_text_release(&text);
	return key;
}

/* The profile that a build would use now may be of another training, by hand. */
static bool is_current(const struct pgb_pipeline *pipeline, const struct pgb_step *training)
{
	char *path = pgb_format("%s/profile/id", pipeline->config->state);
	char *hash = pgb_pipeline_hash_file(path);
	bool current = hash && strcmp(hash, training->output_hash) == 0;

	free(path);
	free(hash);
	return current;
}

bool pgb_pipeline_is_done(const struct pgb_pipeline *pipeline, size_t step)
{
	const struct pgb_step *at = &pipeline->state.steps.items[step];
	char *key, *path, *hash;
	bool done;

	if (at->status != PGB_STEP_DONE || at->key == NULL || at->output_hash == NULL)
		return false;
	if (pgb_step_facts(pipeline, step)->builds && pipeline->changed)
		return false;
	if (step == STEP_TRAINING && !pipeline->config->sample && !is_current(pipeline, at))
		return false;
	key = pgb_pipeline_key(pipeline, step);
	path = pgb_pipeline_output(pipeline, step);
	hash = pgb_pipeline_hash_file(path);
	done = strcmp(key, at->key) == 0 && hash && strcmp(hash, at->output_hash) == 0;
	free(key);
	free(path);
	free(hash);
	return done;
}

/* ---- what is to do */

/* A step is to be done again when what goes into it is; what comes out may turn out the same. */
static void mark_todo(struct pgb_pipeline *pipeline)
{
	for (size_t i = 0; i < STEP_COUNT; i++) {
		unsigned int inputs = pgb_step_facts(pipeline, i)->inputs;

		pipeline->todo[i] = pgb_pipeline_wants(pipeline, i) &&
				    (pipeline->forced[i] || !pgb_pipeline_is_done(pipeline, i));
		for (size_t j = 0; j < i; j++)
			if (inputs & 1u << j && pipeline->todo[j])
				pipeline->todo[i] = pgb_pipeline_wants(pipeline, i);
	}
}

/*
 * Where another build's files lie in the project, libraries beside the binary would be of that
 * one: the build that is wanted is made again. true: one more is to do.
 */
static bool force_builds(struct pgb_pipeline *pipeline)
{
	const char *tree = pipeline->state.tree ? pipeline->state.tree : "";

	for (size_t i = 0; i < STEP_COUNT; i++) {
		const struct pgb_step_facts *facts = pgb_step_facts(pipeline, i);

		if (!pipeline->todo[i])
			continue;
		if (facts->builds)
			tree = facts->name;
		if (facts->tree != STEP_COUNT && !pipeline->forced[facts->tree] &&
		    strcmp(tree, pgb_step_facts(pipeline, facts->tree)->name) != 0) {
			pipeline->forced[facts->tree] = true;
			return true;
		}
	}
	return false;
}

static void find_todo(struct pgb_pipeline *pipeline)
{
	do
		mark_todo(pipeline);
	while (force_builds(pipeline));
}

static void take_text(char **to, char **from)
{
	free(*to);
	*to = *from;
	*from = NULL;
}

/* What was done before, as far as it is of the same binary. */
static int read_former(struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	struct pgb_pipeline_state former;
	struct pgb_error reading = {0};
	int code = pgb_pipeline_state_read(&former, pipeline->folder, &reading);

	if (code == PGB_E_NOT_FOUND)
		return 0;
	if (code != 0) {
		*error = reading;
		return code;
	}
	if (strcmp(former.binary, pipeline->state.binary) == 0) {
		take_text(&pipeline->state.tree, &former.tree);
		if (former.compilers && strcmp(former.compilers, pipeline->state.compilers) != 0)
			pipeline->changed = pgb_dup("the compilers in PATH or CC, CFLAGS and such");
		for (size_t i = 0; i < STEP_COUNT; i++) {
			struct pgb_step *step = &pipeline->state.steps.items[i];
			struct pgb_step *before = pgb_pipeline_state_find(&former, step->name);

			if (before == NULL)
				continue;
			step->status = before->status;
			step->seconds = before->seconds;
			take_text(&step->key, &before->key);
			take_text(&step->output_hash, &before->output_hash);
		}
	}
	pgb_pipeline_state_release(&former);
	return 0;
}

static void read_sources(struct pgb_pipeline *pipeline)
{
	char *path = pgb_format("%s/sources", pipeline->folder);
	char *compilers = pipeline->changed;

	if (pgb_sources_read(&pipeline->sources, path, NULL) != 0)
		pipeline->changed = pgb_dup(path); /* nothing is known */
	else
		pipeline->changed = pgb_dup(pgb_sources_changed(&pipeline->sources));
	if (pipeline->changed == NULL)
		take_text(&pipeline->changed, &compilers);
	free(compilers);
	free(path);
}

/* ---- open */

static int check_config(const struct pgb_pipeline_config *config, struct pgb_error *error)
{
	size_t length = config->binary ? strlen(config->binary) : 0;
	const char *missing = length == 0		    ? "the binary to optimize"
			      : config->build == NULL	    ? "--build"
			      : config->training_count == 0 ? "--train"
							    : NULL;

	if (missing) {
		pgb_fail(error, PGB_E_USAGE, "run needs %s", missing);
		return pgb_remedy(error,
				  "pgobolt run --build 'make clean all' --train './app input' app");
	}
	if (length > 2 && strcmp(config->binary + length - 2, ".a") == 0) {
		pgb_fail(error, PGB_E_NOT_SUITABLE,
			 "%s is a static library: llvm-bolt works on what the linker made of it",
			 config->binary);
		return pgb_remedy(error, "name a program, or a shared library, that it is linked "
					 "into; PGO reaches the library's code as well");
	}
	return 0;
}

static int find_llvm_bolt(struct pgb_pipeline *pipeline, struct pgb_error *error)
{
	struct pgb_llvm_bolt bolt = {0};
	int code = pgb_llvm_bolt_find(&bolt, pipeline->config->llvm_bolt, error);
	struct pgb_text text = {0};

	if (code == 0) {
		pgb_pipeline_add_file(&text, bolt.path);
		pipeline->llvm_bolt_id = hash_of(&text);
	}
	pgb_text_release(&text);
	pgb_llvm_bolt_release(&bolt);
	return code;
}

static void set_names(struct pgb_pipeline *pipeline)
{
	const char *binary = pipeline->config->binary, *slash = strrchr(binary, '/');

	pipeline->here = getcwd(NULL, 0);
	if (pipeline->here == NULL)
		pipeline->here = pgb_dup(".");
	pipeline->folder = pgb_format("%s/" PGB_PIPELINE_FOLDER, pipeline->config->state);
	pipeline->name = pgb_dup(slash ? slash + 1 : binary);
	while (strncmp(binary, "./", 2) == 0)
		binary += 2;
	pipeline->binary =
		binary[0] == '/' ? pgb_dup(binary) : pgb_format("%s/%s", pipeline->here, binary);
	pipeline->environment = pgb_format("PGOBOLT_BINARY=%s", pipeline->binary);
	pipeline->state.compilers = compilers_id(pipeline->config->build);
	pipeline->state.program = pgb_dup(pipeline->config->program);
	pipeline->state.binary = pgb_dup(pipeline->config->binary);
	pipeline->state.tree = pgb_dup("");
}

int pgb_pipeline_open(struct pgb_pipeline **pipeline, const struct pgb_pipeline_config *config,
		      struct pgb_error *error)
{
	struct pgb_pipeline *new = pgb_calloc(1, sizeof(*new));
	int code = check_config(config, error);

	new->config = config;
	if (code == 0) {
		set_names(new);
		code = find_llvm_bolt(new, error);
	}
	if (code == 0) {
		pgb_pipeline_plan(new);
		if (!config->fresh)
			code = read_former(new, error);
	}
	if (code != 0) {
		pgb_pipeline_close(new);
		return code;
	}
	read_sources(new);
	find_todo(new);
	*pipeline = new;
	return 0;
}

void pgb_pipeline_close(struct pgb_pipeline *pipeline)
{
	if (pipeline == NULL)
		return;
	pgb_pipeline_state_release(&pipeline->state);
	pgb_sources_release(&pipeline->sources);
	free(pipeline->folder);
	free(pipeline->here);
	free(pipeline->name);
	free(pipeline->binary);
	free(pipeline->llvm_bolt_id);
	free(pipeline->changed);
	free(pipeline->environment);
	free(pipeline);
}

const struct pgb_pipeline_state *pgb_pipeline_state(const struct pgb_pipeline *pipeline)
{
	return &pipeline->state;
}

const char *pgb_pipeline_folder(const struct pgb_pipeline *pipeline)
{
	return pipeline->folder;
}

bool pgb_pipeline_is_todo(const struct pgb_pipeline *pipeline, size_t step)
{
	return pipeline->todo[step];
}

const char *pgb_pipeline_changed(const struct pgb_pipeline *pipeline)
{
	for (size_t i = 0; i < STEP_COUNT; i++)
		if (pgb_step_facts(pipeline, i)->builds &&
		    pipeline->state.steps.items[i].status == PGB_STEP_DONE)
			return pipeline->changed;
	return NULL;
}

int pgb_pipeline_lock(const char *state, int *fd, struct pgb_error *error)
{
	char *path = pgb_format("%s/run.lock", state);
	int code = 0;

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (*fd < 0 && errno != ENOENT)
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot write to %s: %s", state,
				strerror(errno));
	else if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) != 0) {
		close(*fd);
		*fd = -1;
		pgb_fail(error, PGB_E_EXISTS, "another pgobolt run is at work in %s", state);
		code = pgb_remedy(error, "wait for it, or use a folder of your own: --state DIR");
	}
	free(path);
	return code;
}

bool pgb_pipeline_is_running(const char *state)
{
	char *path = pgb_format("%s/run.lock", state);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool running = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	free(path);
	return running;
}
