/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cargo_config.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/process.h"

enum { ASK_TIMEOUT_S = 20 };

#define BLANKS " \t\n"

/* ---- asking */

/* What comes before the subcommand counts for any other, and --config wherever it stands. */
static void add_global_words(struct pgb_shim_words *words, const char *const *arguments)
{
	for (; *arguments && strcmp(*arguments, "--") != 0; arguments++) {
		bool takes_value =
			strcmp(*arguments, "--config") == 0 || strcmp(*arguments, "-C") == 0;

		if (takes_value && arguments[1]) {
			pgb_shim_words_add(words, *arguments++);
			pgb_shim_words_add(words, *arguments);
		} else if (strncmp(*arguments, "--config=", 9) == 0 || (*arguments)[0] == '+') {
			pgb_shim_words_add(words, *arguments);
		}
	}
}

void pgb_cargo_config_ask(struct pgb_cargo_config *config, const char *cargo,
			  const char *const *arguments)
{
	static const char *const question[] = {"-Zunstable-options", "config", "get", "--format",
					       "json"};
	/* the subcommand is there in every release, for who says that it may change */
	const char *environment[] = {"RUSTC_BOOTSTRAP=1", NULL};
	struct pgb_shim_words words = {0};
	struct pgb_spawn spawn = {.file = cargo, .environment = environment, .quiet_stdin = true};
	struct pgb_text out = {0}, err = {0};
	int wait_status = 0;

	pgb_shim_words_add(&words, "cargo");
	add_global_words(&words, arguments);
	for (size_t i = 0; i < sizeof(question) / sizeof(question[0]); i++)
		pgb_shim_words_add(&words, question[i]);
	pgb_array_push(&words.items, NULL);
	spawn.argv = (const char *const *)words.items.items;
	config->root = NULL;
	if (pgb_process_run(&spawn, ASK_TIMEOUT_S, &out, &err, &wait_status, NULL) == 0 &&
	    wait_status == 0)
		pgb_cargo_config_parse(config, pgb_text_string(&out));
	pgb_text_release(&out);
	pgb_text_release(&err);
	pgb_shim_words_release(&words);
}

void pgb_cargo_config_parse(struct pgb_cargo_config *config, const char *json)
{
	config->root = json_loads(json, 0, NULL);
}

void pgb_cargo_config_release(struct pgb_cargo_config *config)
{
	json_decref(config->root);
	config->root = NULL;
}

/* ---- answers */

static const json_t *find(const struct pgb_cargo_config *config, const char *table,
			  const char *name)
{
	return json_object_get(config ? json_object_get(config->root, table) : NULL, name);
}

const char *pgb_cargo_config_target(const struct pgb_cargo_config *config)
{
	const json_t *target = find(config, "build", "target");

	return json_string_value(json_is_array(target) ? json_array_get(target, 0) : target);
}

/* CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER */
static const char *variable_of_target(const char *triple, const char *what)
{
	char *name = pgb_format("CARGO_TARGET_%s_%s", triple, what);
	const char *value;

	for (char *at = name; *at; at++)
		*at = *at == '-' || *at == '.' ? '_' : (char)toupper((unsigned char)*at);
	value = getenv(name);
	free(name);
	return value && value[strspn(value, BLANKS)] ? value : NULL;
}

const char *pgb_cargo_config_linker(const struct pgb_cargo_config *config, const char *triple)
{
	const char *variable = variable_of_target(triple, "LINKER");

	if (variable)
		return variable;
	return json_string_value(json_object_get(find(config, "target", triple), "linker"));
}

static void add_split(struct pgb_shim_words *flags, const char *text)
{
	while (*(text += strspn(text, BLANKS))) {
		size_t length = strcspn(text, BLANKS);

		pgb_array_push(&flags->items, pgb_dup_bytes(text, length));
		text += length;
	}
}

/* A list of flags, or one string of them. */
static void add_flags(struct pgb_shim_words *flags, const json_t *value)
{
	if (json_is_string(value))
		add_split(flags, json_string_value(value));
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *flag = json_string_value(json_array_get(value, i));

		if (flag)
			pgb_shim_words_add(flags, flag);
	}
}

static bool has_flags(const json_t *target)
{
	struct pgb_shim_words flags = {0};
	bool has;

	add_flags(&flags, json_object_get(target, "rustflags"));
	has = flags.items.count > 0;
	pgb_shim_words_release(&flags);
	return has;
}

/* "cfg(not(any(unix,windows)))" where there are flags for cfg(unix) and for cfg(windows). */
static char *condition_of(const struct pgb_cargo_config *config)
{
	json_t *targets = config ? json_object_get(config->root, "target") : NULL, *target;
	struct pgb_text text = {0};
	const char *key, *separator = "";

	pgb_text_add(&text, "cfg(not(any(");
	json_object_foreach (targets, key, target) {
		size_t length = strlen(key);

		if (strncmp(key, "cfg(", 4) != 0 || key[length - 1] != ')' || !has_flags(target))
			continue;
		pgb_text_addf(&text, "%s%.*s", separator, (int)(length - 5), key + 4);
		separator = ",";
	}
	pgb_text_add(&text, ")))");
	return pgb_text_detach(&text);
}

void pgb_cargo_config_build_flags(const struct pgb_cargo_config *config, const char *triple,
				  struct pgb_shim_words *flags, char **condition)
{
	const char *variable = getenv("CARGO_BUILD_RUSTFLAGS");

	*condition = NULL;
	if (has_flags(find(config, "target", triple)) || variable_of_target(triple, "RUSTFLAGS"))
		return;
	*condition = condition_of(config);
	add_flags(flags, find(config, "build", "rustflags"));
	add_split(flags, variable ? variable : "");
}
