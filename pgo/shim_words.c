/* SPDX-License-Identifier: MIT */
/* Words of command lines: response files, and what cargo is told. */
#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cargo_config.h"
#include "pgobolt/pgo/shim.h"

enum {
	RESPONSE_DEPTH_MAX = 8,
	RESPONSE_SIZE_MAX = 4 << 20,
	RESPONSE_TOTAL_MAX = 16 << 20, /* of all files: one may name itself many times */
	ENCODED_SEPARATOR = 0x1f,
	NAMED_MAX = 5,
};

void pgb_shim_words_add(struct pgb_shim_words *words, const char *word)
{
	pgb_array_push(&words->items, pgb_dup(word));
}

void pgb_shim_words_release(struct pgb_shim_words *words)
{
	for (size_t i = 0; i < words->items.count; i++)
		free(words->items.items[i]);
	pgb_array_release(&words->items);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void pgb_shim_words_sort(struct pgb_shim_words *words)
{
	size_t kept = 0;

	if (words->items.count > 1)
		qsort(words->items.items, words->items.count, sizeof(words->items.items[0]),
		      compare);
	for (size_t i = 0; i < words->items.count; i++) {
		if (kept > 0 && strcmp(words->items.items[kept - 1], words->items.items[i]) == 0)
			free(words->items.items[i]);
		else
			words->items.items[kept++] = words->items.items[i];
	}
	words->items.count = kept;
}

bool pgb_shim_words_find(const struct pgb_shim_words *words, const char *word)
{
	return words->items.count > 0 && bsearch(&word, words->items.items, words->items.count,
						 sizeof(words->items.items[0]), compare) != NULL;
}

char *pgb_shim_words_name(const struct pgb_shim_words *words)
{
	size_t count = words->items.count;
	struct pgb_text names = {0};

	for (size_t i = 0; i < count && i < NAMED_MAX; i++)
		pgb_text_addf(&names, "%s%s", i ? ", " : "", words->items.items[i]);
	if (count > NAMED_MAX)
		pgb_text_addf(&names, " and %zu more", count - NAMED_MAX);
	return pgb_text_detach(&names);
}

/* ---- response files */

static bool is_blank(char character)
{
	return character != '\0' && strchr(" \t\n\r\f\v", character) != NULL;
}

/*
 * The next word from *at, as libiberty and clang read it: quotes of both kinds, a backslash takes
 * the next character as it is. NULL at the end; the caller frees it.
 */
static char *next_word(const char **at, const char *end)
{
	struct pgb_text word = {0};
	char quote = '\0';

	while (*at < end && is_blank(**at))
		++*at;
	if (*at == end)
		return NULL;
	for (; *at < end; ++*at) {
		char character = **at;

		if (character == '\\' && *at + 1 < end) {
			++*at;
			pgb_text_add_bytes(&word, *at, 1);
		} else if (quote == character && quote) {
			quote = '\0';
		} else if (quote == '\0' && (character == '\'' || character == '"')) {
			quote = character;
		} else if (quote == '\0' && is_blank(character)) {
			break;
		} else {
			pgb_text_add_bytes(&word, *at, 1);
		}
	}
	return pgb_text_detach(&word);
}

/* `left`: bytes of response files that may still be read. */
static void expand_word(struct pgb_shim_words *words, const char *word, unsigned int depth,
			size_t *left)
{
	struct pgb_text content = {0};
	const char *at, *end;
	char *inner;

	if (word[0] != '@' || depth >= RESPONSE_DEPTH_MAX ||
	    pgb_file_read(&content, word + 1, RESPONSE_SIZE_MAX, NULL) != 0 ||
	    content.length >= *left) {
		pgb_shim_words_add(words, word);
		pgb_text_release(&content);
		return;
	}
	*left -= content.length + 1;
	at = pgb_text_string(&content);
	end = at + content.length;
	while ((inner = next_word(&at, end)) != NULL) {
		expand_word(words, inner, depth + 1, left);
		free(inner);
	}
	pgb_text_release(&content);
}

void pgb_shim_expand(struct pgb_shim_words *words, const char *const *arguments)
{
	size_t left = RESPONSE_TOTAL_MAX;

	for (; *arguments; arguments++)
		expand_word(words, *arguments, 0, &left);
	pgb_array_push(&words->items, NULL);
}

/* ---- cargo */

static const char *const cargo_commands[] = {"build", "b", "test",  "t",       "bench",
					     "run",   "r", "rustc", "install", NULL};
static const char *const cargo_values[] = {"--config", "-C", "-Z", "--color", NULL};

static bool is_in(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* Index of the subcommand; that of the closing NULL where there is none that builds. */
static size_t find_subcommand(const char *const *arguments)
{
	size_t i = 0, end = 0;

	while (arguments[end])
		end++;
	for (; i < end && (arguments[i][0] == '-' || arguments[i][0] == '+'); i++)
		if (is_in(arguments[i], cargo_values) && i + 1 < end)
			i++;
	return i < end && is_in(arguments[i], cargo_commands) ? i : end;
}

/* The value of --NAME VALUE or --NAME=VALUE before `--`; "" for a plain flag; NULL. */
static const char *find_option(const char *const *arguments, const char *name)
{
	size_t length = strlen(name);

	for (; *arguments && strcmp(*arguments, "--") != 0; arguments++) {
		if (strncmp(*arguments, name, length) != 0)
			continue;
		if ((*arguments)[length] == '=')
			return *arguments + length + 1;
		if ((*arguments)[length] == '\0')
			return arguments[1] ? arguments[1] : "";
	}
	return NULL;
}

static void add_toml_string(struct pgb_text *text, const char *string)
{
	pgb_text_add(text, "\"");
	for (; *string; string++) {
		if (*string == '"' || *string == '\\')
			pgb_text_add(text, "\\");
		pgb_text_add_bytes(text, string, 1);
	}
	pgb_text_add(text, "\"");
}

/* --config target."cfg(..)".rustflags=["-C..", ..]; cargo adds them to those of the project. */
static void add_config(struct pgb_shim_words *words, const char *condition,
		       const struct pgb_shim_words *flags)
{
	struct pgb_text text = {0};

	pgb_text_add(&text, "target.");
	add_toml_string(&text, condition);
	pgb_text_add(&text, ".rustflags=[");
	for (size_t i = 0; i < flags->items.count; i++) {
		pgb_text_add(&text, i ? "," : "");
		add_toml_string(&text, flags->items.items[i]);
	}
	pgb_text_add(&text, "]");
	pgb_shim_words_add(words, "--config");
	pgb_array_push(&words->items, pgb_text_detach(&text));
}

/* Flags of ours are a target's: those for all builds, which cargo drops then, are made so, too. */
static void add_configs(const struct pgb_shim_cargo *cargo, const char *target,
			const struct pgb_shim_words *rust_flags, struct pgb_shim_words *words)
{
	struct pgb_shim_words build_flags = {0};
	char *condition;

	pgb_cargo_config_build_flags(cargo->config, target, &build_flags, &condition);
	if (build_flags.items.count > 0)
		add_config(words, condition, &build_flags);
	add_config(words, "cfg(all())", rust_flags);
	pgb_shim_words_release(&build_flags);
	free(condition);
}

static char *extend_variable(const struct pgb_shim_cargo *cargo, const struct pgb_shim_words *flags)
{
	const char separator = ENCODED_SEPARATOR;
	struct pgb_text text = {0};

	pgb_text_add(&text, "CARGO_ENCODED_RUSTFLAGS=");
	if (cargo->flags_encoded) {
		pgb_text_add(&text, cargo->flags_encoded);
		if (cargo->flags_encoded[0])
			pgb_text_add_bytes(&text, &separator, 1);
	} else {
		for (const char *at = cargo->flags_plain; *at;) {
			size_t length = strcspn(at, " \t\n");

			if (length > 0) {
				pgb_text_add_bytes(&text, at, length);
				pgb_text_add_bytes(&text, &separator, 1);
			}
			at += length + strspn(at + length, " \t\n");
		}
	}
	for (size_t i = 0; i < flags->items.count; i++) {
		if (i > 0)
			pgb_text_add_bytes(&text, &separator, 1);
		pgb_text_add(&text, flags->items.items[i]);
	}
	return pgb_text_detach(&text);
}

static bool chooses_profile(const char *const *arguments, const char *subcommand)
{
	bool short_release = false;

	for (const char *const *word = arguments; *word && strcmp(*word, "--") != 0; word++)
		short_release |= strcmp(*word, "-r") == 0;
	return short_release || strcmp(subcommand, "bench") == 0 ||
	       strcmp(subcommand, "install") == 0 || find_option(arguments, "--release") ||
	       find_option(arguments, "--profile");
}

bool pgb_shim_cargo_builds(const char *const *arguments)
{
	return arguments[find_subcommand(arguments)] != NULL;
}

const char *pgb_shim_cargo_target(const struct pgb_shim_cargo *cargo, const char *const *arguments,
				  bool *chosen)
{
	const char *target = find_option(arguments, "--target");

	if (target == NULL)
		target = cargo->target && cargo->target[0] ? cargo->target
							   : pgb_cargo_config_target(cargo->config);
	*chosen = target != NULL;
	return target ? target : cargo->host;
}

void pgb_shim_cargo(const struct pgb_shim_cargo *cargo, const struct pgb_shim_words *rust_flags,
		    const char *const *arguments, struct pgb_shim_words *words, char **variable)
{
	size_t subcommand = find_subcommand(arguments);
	bool chosen;
	const char *target = pgb_shim_cargo_target(cargo, arguments, &chosen);

	*variable = NULL;
	for (size_t i = 0; arguments[i]; i++) {
		pgb_shim_words_add(words, arguments[i]);
		if (i != subcommand)
			continue;
		if (!chosen) {
			pgb_shim_words_add(words, "--target");
			pgb_shim_words_add(words, target);
		}
		if (!chooses_profile(arguments + i + 1, arguments[i]))
			pgb_shim_words_add(words, "--release");
		if (cargo->linker) {
			pgb_shim_words_add(words, "--config");
			pgb_array_push(&words->items, pgb_format("target.'%s'.linker=\"%s\"",
								 target, cargo->linker));
		}
		if (rust_flags->items.count == 0)
			continue;
		if (cargo->flags_encoded || cargo->flags_plain)
			*variable = extend_variable(cargo, rust_flags);
		else
			add_configs(cargo, target, rust_flags, words);
	}
}
