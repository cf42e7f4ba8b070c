/* SPDX-License-Identifier: MIT */
/* The tables check themselves: whatever command is added has a whole and consistent help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/pgo/cli/commands.h"

/* No two options of one command line share a name or a letter. */
static void check_unique(const struct pgb_option *option, const struct pgb_option *others)
{
	for (const struct pgb_option *other = others; other && other->name; other++) {
		if (other == option)
			continue;
		if (strcmp(other->name, option->name) == 0)
			fail_msg("two options --%s", option->name);
		if (option->letter && option->letter == other->letter)
			fail_msg("--%s and --%s are both -%c", option->name, other->name,
				 option->letter);
	}
}

static void check_option(const struct pgb_option *option, size_t options_size)
{
	static const size_t sizes[PGB_OPTION_KINDS] = {
		[PGB_OPTION_FLAG] = sizeof(bool),
		[PGB_OPTION_STRING] = sizeof(const char *),
		[PGB_OPTION_LIST] = sizeof(struct pgb_option_list),
		[PGB_OPTION_COMMA_LIST] = sizeof(struct pgb_option_list),
		[PGB_OPTION_UNSIGNED] = sizeof(uint64_t),
		[PGB_OPTION_SIZE] = sizeof(uint64_t),
		[PGB_OPTION_DURATION] = sizeof(uint64_t),
		[PGB_OPTION_PERCENT] = sizeof(double),
		[PGB_OPTION_CHOICE] = sizeof(int),
	};

	assert_true(option->kind < PGB_OPTION_KINDS);
	if (option->offset + sizes[option->kind] > options_size)
		fail_msg("--%s lies outside its struct", option->name);
	if (option->help == NULL || option->help[0] == '\0')
		fail_msg("--%s has no help", option->name);
	if (option->help[strlen(option->help) - 1] == '.')
		fail_msg("--%s: the help ends in a full stop", option->name);
	if ((option->kind == PGB_OPTION_CHOICE) != (option->choices != NULL))
		fail_msg("--%s: choices", option->name);
	if ((option->kind == PGB_OPTION_FLAG || option->kind == PGB_OPTION_CHOICE) ==
	    (option->argument != NULL))
		fail_msg("--%s: name of its value", option->name);
	if (option->maximum && option->minimum > option->maximum)
		fail_msg("--%s: no value is within its bounds", option->name);
}

static void check_command(const struct pgb_command *command)
{
	size_t examples = 0;

	assert_non_null(command->run);
	assert_true(command->summary[0] != '\0' && command->description[0] != '\0');
	assert_true(command->operands_min <= command->operands_max);
	assert_true(command->operands_min == 0 || command->operand_name != NULL);
	for (const struct pgb_option *option = command->options; option && option->name; option++) {
		check_option(option, command->options_size);
		check_unique(option, command->options);
		check_unique(option, pgb_global_table);
	}
	for (const struct pgb_example *example = command->examples; example->command; example++) {
		if (strncmp(example->command, "pgobolt ", 8) != 0 && example->command[0] != 's')
			fail_msg("%s: example '%s'", command->name, example->command);
		assert_true(example->what[0] != '\0');
		examples++;
	}
	if (examples == 0)
		fail_msg("%s has no examples", command->name);
}

static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; pgb_commands[i]; i++) {
		check_command(pgb_commands[i]);
		assert_ptr_equal(pgb_command_find(pgb_commands[i]->name), pgb_commands[i]);
	}
	for (const struct pgb_option *option = pgb_global_table; option->name; option++) {
		check_option(option, sizeof(struct pgb_global_options));
		check_unique(option, pgb_global_table);
	}
}

static void test_unknown_commands(void **state)
{
	struct pgb_error error = {0};

	(void)state;
	assert_null(pgb_command_find("optimise"));
	assert_int_equal(pgb_command_unknown("optimise", &error), PGB_E_USAGE);
	assert_string_equal(error.remedy, "did you mean: pgobolt optimize");
}

static void test_exit_status_of_runner(void **state)
{
	static const struct {
		int code;
		bool starting, started;
		int status, line;
	} rows[] = {
		{PGB_E_USAGE, false, false, 2, __LINE__},
		{PGB_E_UNSUPPORTED, false, false, 3, __LINE__},
		{PGB_E_PERMISSION, false, false, 3, __LINE__},
		{PGB_E_IO, false, false, 125, __LINE__},
		{PGB_E_NOT_FOUND, false, false, 125, __LINE__},
		{PGB_E_NOT_FOUND, true, false, 127, __LINE__},
		{PGB_E_PERMISSION, true, false, 126, __LINE__},
		{PGB_E_RESOURCE, true, false, 125, __LINE__},
		{PGB_E_RESOURCE, false, true, 125, __LINE__},
		{PGB_E_USAGE, false, true, 125, __LINE__},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int status =
			pgb_exit_status_of_runner(rows[i].code, rows[i].starting, rows[i].started);

		if (status != rows[i].status)
			fail_msg("line %d: %d", rows[i].line, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_unknown_commands),
		cmocka_unit_test(test_exit_status_of_runner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
