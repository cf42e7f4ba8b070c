/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/pgo/cli/options.h"

struct values {
	bool loud, fast;
	const char *output;
	struct pgb_option_list weights, pids;
	uint64_t count, size_bytes, time_ns;
	double percent;
	int color;
};

static const char *const colors[] = {"auto", "always", "never", NULL};

static const struct pgb_option table[] = {
	{.name = "loud", .letter = 'l', .offset = offsetof(struct values, loud)},
	{.name = "fast", .letter = 'f', .offset = offsetof(struct values, fast)},
	{.name = "output",
	 .letter = 'o',
	 .kind = PGB_OPTION_STRING,
	 .argument = "OUT",
	 .offset = offsetof(struct values, output)},
	{.name = "weight", .kind = PGB_OPTION_LIST, .offset = offsetof(struct values, weights)},
	{.name = "pid",
	 .letter = 'p',
	 .kind = PGB_OPTION_COMMA_LIST,
	 .offset = offsetof(struct values, pids)},
	{.name = "count",
	 .letter = 'c',
	 .kind = PGB_OPTION_UNSIGNED,
	 .minimum = 2,
	 .maximum = 5000,
	 .offset = offsetof(struct values, count)},
	{.name = "size", .kind = PGB_OPTION_SIZE, .offset = offsetof(struct values, size_bytes)},
	{.name = "time", .kind = PGB_OPTION_DURATION, .offset = offsetof(struct values, time_ns)},
	{.name = "percent",
	 .kind = PGB_OPTION_PERCENT,
	 .minimum = 1,
	 .offset = offsetof(struct values, percent)},
	{.name = "color",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = colors,
	 .offset = offsetof(struct values, color)},
	{.name = "secret", .hidden = true, .offset = offsetof(struct values, loud)},
	{.name = NULL},
};

struct parsed {
	struct values values;
	struct pgb_arguments arguments;
	struct pgb_error error;
	int code;
};

static void parse(struct parsed *parsed, const char *const *argv)
{
	struct pgb_option_set set = {table, &parsed->values};

	*parsed = (struct parsed){0};
	parsed->code =
		pgb_options_parse(&set, 1, argv, false, &parsed->arguments, NULL, &parsed->error);
}

static void release(struct parsed *parsed)
{
	pgb_options_release(table, &parsed->values);
	pgb_arguments_release(&parsed->arguments);
}

#define WORDS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void test_every_kind(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, WORDS("--loud", "--output=a b", "--count", "5k", "--size=2KiB", "--time",
			     "500ms", "--percent=12.5%", "--color", "never"));
	assert_int_equal(parsed.code, 0);
	assert_true(parsed.values.loud);
	assert_false(parsed.values.fast);
	assert_string_equal(parsed.values.output, "a b");
	assert_int_equal(parsed.values.count, 5000);
	assert_int_equal(parsed.values.size_bytes, 2048);
	assert_int_equal(parsed.values.time_ns, 500000000);
	assert_true(parsed.values.percent == 12.5);
	assert_int_equal(parsed.values.color, 2);
	assert_null(parsed.arguments.program);
	release(&parsed);
}

static void test_letters(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, WORDS("-lfoOUT", "x", "-", "-p", "1,22", "-p333"));
	assert_int_equal(parsed.code, 0);
	assert_true(parsed.values.loud && parsed.values.fast);
	assert_string_equal(parsed.values.output, "OUT");
	assert_int_equal(parsed.arguments.operands.count, 2);
	assert_string_equal(parsed.arguments.operands.items[0], "x");
	assert_string_equal(parsed.arguments.operands.items[1], "-");
	assert_int_equal(parsed.values.pids.items.count, 3);
	assert_string_equal(parsed.values.pids.items.items[0].value, "1");
	assert_string_equal(parsed.values.pids.items.items[1].value, "22");
	assert_string_equal(parsed.values.pids.items.items[2].value, "333");
	release(&parsed);
}

static void test_lists_remember_their_place(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, WORDS("a", "--weight", "2", "b", "c", "--weight=x,y"));
	assert_int_equal(parsed.code, 0);
	assert_int_equal(parsed.arguments.operands.count, 3);
	assert_int_equal(parsed.values.weights.items.count, 2);
	assert_int_equal(parsed.values.weights.items.items[0].operands_before, 1);
	assert_string_equal(parsed.values.weights.items.items[1].value, "x,y");
	assert_int_equal(parsed.values.weights.items.items[1].operands_before, 3);
	release(&parsed);
}

static void test_program_behind_dashes(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, WORDS("one", "--", "--loud", "--", "two"));
	assert_int_equal(parsed.code, 0);
	assert_false(parsed.values.loud);
	assert_int_equal(parsed.arguments.operands.count, 1);
	assert_string_equal(parsed.arguments.program[0], "--loud");
	assert_string_equal(parsed.arguments.program[1], "--");
	assert_string_equal(parsed.arguments.program[2], "two");
	assert_null(parsed.arguments.program[3]);
	release(&parsed);
}

static void test_stop_at_operand(void **state)
{
	struct values values = {0};
	struct pgb_arguments arguments = {0};
	struct pgb_option_set set = {table, &values};
	struct pgb_error error = {0};
	size_t consumed;

	(void)state;
	assert_int_equal(pgb_options_parse(&set, 1, WORDS("-l", "record", "--nope"), true,
					   &arguments, &consumed, &error),
			 0);
	assert_true(values.loud);
	assert_int_equal(consumed, 1);
	assert_int_equal(arguments.operands.count, 0);
}

static void test_errors(void **state)
{
	static const struct {
		const char *words[4];
		const char *message, *remedy;
		int line;
	} rows[] = {
		{{"--lod"}, "there is no option --lod", "did you mean --loud?", __LINE__},
		{{"--out=x"}, "there is no option --out", "did you mean --output?", __LINE__},
		{{"--zzzz"}, "there is no option --zzzz", "", __LINE__},
		{{"--secre"}, "there is no option --secre", "", __LINE__},
		{{"-lx"}, "there is no option -x (in -lx)", "", __LINE__},
		{{"--output"}, "--output needs a value: --output OUT", "", __LINE__},
		{{"-o"}, "-o needs a value: -o OUT", "", __LINE__},
		{{"--loud=1"}, "--loud takes no value", "", __LINE__},
		{{"-p", "1,,2"}, "-p: an item of the list is empty", "", __LINE__},
		{{"-p", ""}, "-p: an item of the list is empty", "", __LINE__},
		{{"-c", "1"}, "-c: the least is 2", "", __LINE__},
		{{"-c", "5001"}, "-c: the most is 5000", "", __LINE__},
		{{"-c", "-4"}, "-c: '-4' is not a number such as 5000, 10k or 2M", "", __LINE__},
		{{"--percent", "0.5"}, "--percent: the least is 1%", "", __LINE__},
		{{"--percent", "101"}, "--percent: the most is 100%", "", __LINE__},
		{{"--color=red"}, "--color: 'red' is none of: auto, always, never", "", __LINE__},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct parsed parsed;

		parse(&parsed, rows[i].words);
		if (parsed.code != PGB_E_USAGE ||
		    strcmp(parsed.error.message, rows[i].message) != 0 ||
		    strcmp(parsed.error.remedy, rows[i].remedy) != 0)
			fail_msg("line %d: %s / %s", rows[i].line, parsed.error.message,
				 parsed.error.remedy);
		release(&parsed);
	}
}

enum number_kind { COUNT, SIZE, DURATION };

static void test_numbers(void **state)
{
	static const struct {
		enum number_kind kind;
		const char *text;
		int code;
		uint64_t value;
		int line;
	} rows[] = {
		{COUNT, "0", 0, 0, __LINE__},
		{COUNT, "10k", 0, 10000, __LINE__},
		{COUNT, "1.5M", 0, 1500000, __LINE__},
		{COUNT, "9007199254740993", 0, 9007199254740993u, __LINE__},
		{COUNT, "9223372036854775807", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "99999999999999999999", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "1.5", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "k", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "+1", PGB_E_USAGE, 0, __LINE__},
		{COUNT, " 1", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "1 ", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "0x10", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "1e3", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "1.", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "nan", PGB_E_USAGE, 0, __LINE__},
		{COUNT, "5KiB", PGB_E_USAGE, 0, __LINE__},
		{SIZE, "64K", 0, 65536, __LINE__},
		{SIZE, "1.5MiB", 0, 1572864, __LINE__},
		{SIZE, "2G", 0, 2147483648, __LINE__},
		{SIZE, "7B", 0, 7, __LINE__},
		{SIZE, "8T", PGB_E_USAGE, 0, __LINE__},
		{DURATION, "10", 0, 10000000000, __LINE__},
		{DURATION, "500ms", 0, 500000000, __LINE__},
		{DURATION, "2m", 0, 120000000000, __LINE__},
		{DURATION, "1.5h", 0, 5400000000000, __LINE__},
		{DURATION, "20us", 0, 20000, __LINE__},
		{DURATION, "300y", PGB_E_USAGE, 0, __LINE__},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t value = 0;
		struct pgb_error error = {0};
		int code = rows[i].kind == COUNT ? pgb_parse_unsigned(rows[i].text, &value, &error)
			   : rows[i].kind == SIZE
				   ? pgb_parse_size(rows[i].text, &value, &error)
				   : pgb_parse_duration(rows[i].text, &value, &error);

		if (code != rows[i].code || value != rows[i].value)
			fail_msg("line %d: '%s' gives %d, %llu", rows[i].line, rows[i].text, code,
				 (unsigned long long)value);
	}
}

static void test_near_names(void **state)
{
	static const char *const names[] = {"record", "report", "merge", "optimize", "dump"};
	static const struct {
		const char *wanted, *near;
	} rows[] = {
		{"recrod", "record"}, {"merg", "merge"}, {"opt", "optimize"}, {"dmup", "dump"},
		{"rec", "record"},    {"re", NULL},	 {"x", NULL},	      {"", NULL},
		{"xyzzy", NULL},      {"dumpx", "dump"}, {"Merge", "merge"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *near = pgb_near_name(rows[i].wanted, names, 5);

		if ((near == NULL) != (rows[i].near == NULL) ||
		    (near && strcmp(near, rows[i].near) != 0))
			fail_msg("'%s' is near %s", rows[i].wanted, near ? near : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_lists_remember_their_place),
		cmocka_unit_test(test_program_behind_dashes),
		cmocka_unit_test(test_stop_at_operand),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_near_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
