/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bench/simulate.h"
#include "tests/support/workshop.h"

static struct workshop shop;

static void parses_what_cachegrind_writes(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t instructions, misses, mispredicted;
	} rows[] = {
		{"desc: I1 cache\ncmd: ./a\nevents: Ir I1mr ILmr Bc Bcm Bi Bim\nfn=main\n1 2 3\n"
		 "summary: 1000 20 3 100 7 5 1\n",
		 true, 1000, 20, 7},
		/* other columns, another order */
		{"events: Bcm Dr Ir\nsummary: 9 8 7\n", true, 7, 0, 9},
		{"events: Ir I1mr\nsummary: 18446744073709551615 1\n", true, UINT64_MAX, 1, 0},
		{"events: Ir I1mr\nsummary: 5\n", false, 0, 0, 0},
		{"events: Ir I1mr\nsummary: 5\n7\n", false, 0, 0, 0},
		{"events: Ir I1mr\nsummary: 5 -7\n", false, 0, 0, 0},
		{"events: Ir I1mr\nsummary: 5 7", false, 0, 0, 0},
		{"events: Ir I1mr\nsummary:\n", false, 0, 0, 0},
		{"events: Ir\n", false, 0, 0, 0},
		{"summary: 5\n", false, 0, 0, 0},
		{"", false, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_simulation simulation = {0};

		assert_int_equal(pgb_simulate_parse(&simulation, rows[i].text), rows[i].good);
		if (!rows[i].good)
			continue;
		assert_true(simulation.values[PGB_SIMULATED_INSTRUCTIONS] == rows[i].instructions);
		assert_true(simulation.values[PGB_SIMULATED_L1I_MISSES] == rows[i].misses);
		assert_true(simulation.values[PGB_SIMULATED_BRANCH_MISSES] == rows[i].mispredicted);
		assert_int_equal(simulation.processes, 1);
	}
}

/* A script in its place: writes two files, as of two processes, and runs the command. */
static void adds_up_processes(void **state)
{
	static const char *const environment[] = {"MARK=marked", NULL};
	struct pgb_simulation simulation;
	struct pgb_error error = {0};
	char *tool = workshop_path(&shop, "valgrind");
	char *command = pgb_format("echo $MARK >%s/ran", shop.folder);
	char *ran = workshop_path(&shop, "ran");

	(void)state;
	workshop_script(&shop, "valgrind",
			"for a; do case $a in --cachegrind-out-file=*) f=${a#*=};; esac; done\n"
			"while [ \"$1\" != /bin/sh ]; do shift; done\n"
			"for n in 1 2; do printf 'events: Ir I1mr\\nsummary: 10 '$n'\\n' "
			">\"${f%%p}$n\"; done\n"
			"exec \"$@\"\n");
	if (pgb_simulate(&simulation, tool, command, environment, 60, &error) != 0)
		fail_msg("%s", error.message);
	assert_int_equal(simulation.processes, 2);
	assert_int_equal(simulation.values[PGB_SIMULATED_INSTRUCTIONS], 20);
	assert_int_equal(simulation.values[PGB_SIMULATED_L1I_MISSES], 3);
	assert_int_equal(workshop_shell(&shop, "grep -q marked ran"), 0);
	assert_int_equal(pgb_simulate(&simulation, tool, "exit 3", NULL, 60, &error), PGB_E_TOOL);
	assert_non_null(strstr(error.message, "status 3"));
	free(tool);
	free(command);
	free(ran);
}

static void a_real_one_counts_the_same_twice(void **state)
{
	struct pgb_simulation a, b;
	struct pgb_error error = {0};
	char *tool = pgb_simulate_find(&error);

	(void)state;
	if (tool == NULL) {
		assert_non_null(strstr(error.remedy, "valgrind"));
		skip();
	}
	if (pgb_simulate(&a, tool, "exec /bin/true", NULL, 120, &error) != 0 ||
	    pgb_simulate(&b, tool, "exec /bin/true", NULL, 120, &error) != 0)
		fail_msg("%s", error.message);
	assert_true(a.values[PGB_SIMULATED_INSTRUCTIONS] > 1000);
	assert_true(a.values[PGB_SIMULATED_BRANCHES] > 100);
	/* the loader looks at addresses and the clock's page, which differ a little */
	assert_true(a.values[PGB_SIMULATED_INSTRUCTIONS] <
		    b.values[PGB_SIMULATED_INSTRUCTIONS] * 11 / 10);
	free(tool);
}

static int open_shop(void **state)
{
	(void)state;
	workshop_open(&shop);
	return 0;
}

static int close_shop(void **state)
{
	(void)state;
	workshop_close(&shop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_what_cachegrind_writes),
		cmocka_unit_test(adds_up_processes),
		cmocka_unit_test(a_real_one_counts_the_same_twice),
	};

	return cmocka_run_group_tests(tests, open_shop, close_shop);
}
