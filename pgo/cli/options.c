/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/options.h"

#include <inttypes.h>

#include "pgobolt/base/text.h"

struct parser {
	const struct pgb_option_set *sets;
	size_t set_count;
	const char *const *argv;
	size_t at; /* the word that comes next */
	struct pgb_arguments *arguments;
	struct pgb_error *error;
};

/* An option that was found: its row, and the struct that its value goes to. */
struct match {
	const struct pgb_option *option;
	void *values;
};

static struct match find_long(const struct parser *parser, const char *name, size_t length)
{
	for (size_t i = 0; i < parser->set_count; i++)
		for (const struct pgb_option *row = parser->sets[i].table; row->name; row++)
			if (strlen(row->name) == length && memcmp(row->name, name, length) == 0)
				return (struct match){row, parser->sets[i].values};
	return (struct match){NULL, NULL};
}

static struct match find_letter(const struct parser *parser, char letter)
{
	for (size_t i = 0; i < parser->set_count; i++)
		for (const struct pgb_option *row = parser->sets[i].table; row->name; row++)
			if (row->letter == letter)
				return (struct match){row, parser->sets[i].values};
	return (struct match){NULL, NULL};
}

static int unknown_option(const struct parser *parser, const char *name, size_t length)
{
	PGB_ARRAY(const char *) names = {0};
	char *wanted = pgb_dup_bytes(name, length);
	const char *near;

	for (size_t i = 0; i < parser->set_count; i++)
		for (const struct pgb_option *row = parser->sets[i].table; row->name; row++)
			if (!row->hidden)
				pgb_array_push(&names, row->name);
	near = pgb_near_name(wanted, names.items, names.count);
	pgb_fail(parser->error, PGB_E_USAGE, "there is no option --%s", wanted);
	if (near)
		pgb_remedy(parser->error, "did you mean --%s?", near);
	pgb_array_release(&names);
	free(wanted);
	return PGB_E_USAGE;
}

static void list_add(struct pgb_option_list *list, const char *text, size_t length,
		     size_t operands_before)
{
	struct pgb_option_item item = {.value = pgb_dup_bytes(text, length),
				       .operands_before = operands_before};

	pgb_array_push(&list->items, item);
}

static int list_add_commas(struct pgb_option_list *list, const char *text, size_t operands_before,
			   struct pgb_error *error)
{
	for (;;) {
		size_t length = strcspn(text, ",");

		if (length == 0)
			return pgb_fail(error, PGB_E_USAGE, "an item of the list is empty");
		list_add(list, text, length, operands_before);
		if (text[length] == '\0')
			return 0;
		text += length + 1;
	}
}

static int set_choice(const struct pgb_option *option, int *value, const char *text,
		      struct pgb_error *error)
{
	struct pgb_text words = {0};

	for (int i = 0; option->choices[i]; i++)
		if (strcmp(option->choices[i], text) == 0) {
			*value = i;
			pgb_text_release(&words);
			return 0;
		}
	for (int i = 0; option->choices[i]; i++)
		pgb_text_addf(&words, "%s%s", i ? ", " : "", option->choices[i]);
	pgb_fail(error, PGB_E_USAGE, "'%s' is none of: %s", text, pgb_text_string(&words));
	pgb_text_release(&words);
	return PGB_E_USAGE;
}

static int check_bounds(const struct pgb_option *option, uint64_t value, struct pgb_error *error)
{
	if (value < option->minimum)
		return pgb_fail(error, PGB_E_USAGE, "the least is %" PRIu64, option->minimum);
	if (option->maximum && value > option->maximum)
		return pgb_fail(error, PGB_E_USAGE, "the most is %" PRIu64, option->maximum);
	return 0;
}

static int set_percent(const struct pgb_option *option, double *value, const char *text,
		       struct pgb_error *error)
{
	uint64_t maximum = option->maximum ? option->maximum : 100;
	int code = pgb_parse_percent(text, value, error);

	if (code == 0 && *value < (double)option->minimum)
		return pgb_fail(error, PGB_E_USAGE, "the least is %" PRIu64 "%%", option->minimum);
	if (code == 0 && *value > (double)maximum)
		return pgb_fail(error, PGB_E_USAGE, "the most is %" PRIu64 "%%", maximum);
	return code;
}

static int set_value(const struct parser *parser, const struct pgb_option *option, void *at,
		     const char *text, struct pgb_error *error)
{
	size_t operands = parser->arguments->operands.count;
	int code = 0;

	switch (option->kind) {
	case PGB_OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case PGB_OPTION_STRING:
		*(const char **)at = text;
		return 0;
	case PGB_OPTION_LIST:
		list_add(at, text, strlen(text), operands);
		return 0;
	case PGB_OPTION_COMMA_LIST:
		return list_add_commas(at, text, operands, error);
	case PGB_OPTION_UNSIGNED:
		code = pgb_parse_unsigned(text, at, error);
		return code ? code : check_bounds(option, *(uint64_t *)at, error);
	case PGB_OPTION_SIZE:
		code = pgb_parse_size(text, at, error);
		return code ? code : check_bounds(option, *(uint64_t *)at, error);
	case PGB_OPTION_DURATION:
		code = pgb_parse_duration(text, at, error);
		return code ? code : check_bounds(option, *(uint64_t *)at, error);
	case PGB_OPTION_PERCENT:
		return set_percent(option, at, text, error);
	case PGB_OPTION_CHOICE:
		return set_choice(option, at, text, error);
	case PGB_OPTION_KINDS:
		break;
	}
	pgb_assert(!"an option of no kind");
	return PGB_E_USAGE;
}

/* `spelled` is how the user wrote the option, for messages; `text` its value, NULL for flags. */
static int take_value(const struct parser *parser, struct match match, const char *spelled,
		      const char *text)
{
	struct pgb_error why = {0};
	int code = set_value(parser, match.option, (char *)match.values + match.option->offset,
			     text, &why);

	if (code == 0)
		return 0;
	pgb_fail(parser->error, code, "%s: %s", spelled, why.message);
	if (why.remedy[0])
		pgb_remedy(parser->error, "%s", why.remedy);
	return code;
}

static const char *next_word(struct parser *parser, const struct pgb_option *option,
			     const char *spelled)
{
	const char *word = parser->argv[parser->at];

	if (word == NULL) {
		pgb_fail(parser->error, PGB_E_USAGE, "%s needs a value: %s %s", spelled, spelled,
			 option->argument ? option->argument : "VALUE");
		return NULL;
	}
	parser->at++;
	return word;
}

static int parse_long(struct parser *parser, const char *word)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const char *text = name[length] == '=' ? name + length + 1 : NULL;
	struct match match = find_long(parser, name, length);
	char *spelled;
	int code;

	if (match.option == NULL)
		return unknown_option(parser, name, length);
	if (match.option->kind == PGB_OPTION_FLAG && text)
		return pgb_fail(parser->error, PGB_E_USAGE, "--%s takes no value",
				match.option->name);
	spelled = pgb_format("--%s", match.option->name);
	if (match.option->kind != PGB_OPTION_FLAG && text == NULL)
		text = next_word(parser, match.option, spelled);
	if (match.option->kind != PGB_OPTION_FLAG && text == NULL)
		code = PGB_E_USAGE;
	else
		code = take_value(parser, match, spelled, text);
	free(spelled);
	return code;
}

/* -v, -vq, -oOUT, -o OUT */
static int parse_letters(struct parser *parser, const char *word)
{
	for (const char *at = word + 1; *at; at++) {
		struct match match = find_letter(parser, *at);
		char spelled[] = {'-', *at, '\0'};
		const char *text = NULL;
		int code;

		if (match.option == NULL)
			return pgb_fail(parser->error, PGB_E_USAGE,
					"there is no option -%c (in %s)", *at, word);
		if (match.option->kind != PGB_OPTION_FLAG) {
			text = at[1] ? at + 1 : next_word(parser, match.option, spelled);
			if (text == NULL)
				return PGB_E_USAGE;
		}
		code = take_value(parser, match, spelled, text);
		if (code || match.option->kind != PGB_OPTION_FLAG)
			return code;
	}
	return 0;
}

int pgb_options_parse(const struct pgb_option_set *sets, size_t set_count, const char *const *argv,
		      bool stop_at_operand, struct pgb_arguments *arguments, size_t *consumed,
		      struct pgb_error *error)
{
	struct parser parser = {.sets = sets,
				.set_count = set_count,
				.argv = argv,
				.arguments = arguments,
				.error = error};
	int code = 0;

	while (code == 0 && argv[parser.at]) {
		const char *word = argv[parser.at];
		bool is_operand = word[0] != '-' || word[1] == '\0';

		if (is_operand && stop_at_operand)
			break;
		parser.at++;
		if (is_operand) {
			pgb_array_push(&arguments->operands, word);
		} else if (strcmp(word, "--") == 0) {
			arguments->program = argv + parser.at;
			break;
		} else if (word[1] == '-') {
			code = parse_long(&parser, word);
		} else {
			code = parse_letters(&parser, word);
		}
	}
	if (consumed)
		*consumed = parser.at;
	return code;
}

void pgb_options_release(const struct pgb_option *table, void *values)
{
	for (const struct pgb_option *row = table; row && row->name; row++) {
		struct pgb_option_list *list;

		if (row->kind != PGB_OPTION_LIST && row->kind != PGB_OPTION_COMMA_LIST)
			continue;
		list = (struct pgb_option_list *)((char *)values + row->offset);
		for (size_t i = 0; i < list->items.count; i++)
			free(list->items.items[i].value);
		pgb_array_release(&list->items);
	}
}

void pgb_arguments_release(struct pgb_arguments *arguments)
{
	pgb_array_release(&arguments->operands);
	arguments->program = NULL;
}
