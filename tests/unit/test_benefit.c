/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pgobolt/pgo/benefit.h"
#include "tests/support/workshop.h"

static void judges(void **state)
{
	static const struct {
		struct pgb_benefit benefit;
		enum pgb_benefit_verdict verdict;
	} rows[] = {
		{{.hot_bytes = 2000, .hot_pages = 2}, PGB_BENEFIT_LITTLE},
		{{.hot_bytes = 40000, .hot_pages = 12}, PGB_BENEFIT_SOME},
		{{.hot_bytes = 400000, .hot_pages = 200}, PGB_BENEFIT_MUCH},
		/* little code, strewn over many pages */
		{{.hot_bytes = 20000, .hot_pages = 100}, PGB_BENEFIT_SOME},
		/* little code that jumps often, and need not */
		{{.hot_bytes = 2000,
		  .hot_pages = 2,
		  .instructions = 1000,
		  .taken_before = 150,
		  .taken_after = 90},
		 PGB_BENEFIT_SOME},
		{{.hot_bytes = 2000,
		  .hot_pages = 2,
		  .instructions = 1000,
		  .taken_before = 150,
		  .taken_after = 145},
		 PGB_BENEFIT_LITTLE},
		{{.hot_bytes = 2000,
		  .hot_pages = 2,
		  .instructions = 1000,
		  .taken_before = 20,
		  .taken_after = 5},
		 PGB_BENEFIT_LITTLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pgb_benefit_judge(&rows[i].benefit), rows[i].verdict);
}

static void measures_hot_code(void **state)
{
	struct workshop shop;
	struct pgb_chosen_profile profile = {0};
	struct pgb_benefit benefit;
	struct pgb_error error = {0};

	(void)state;
	workshop_open(&shop);
	workshop_compile(&shop, "app", "-O1 -Wl,-q",
			 "int sum; __attribute__((noinline)) int often(int a) { return a * 3; }\n"
			 "__attribute__((noinline)) int seldom(int a) { return a + sum; }\n"
			 "int main(int c, char **v) { return often(c) + seldom(c); }\n");
	workshop_write(&shop, "app.fdata",
		       "1 often 0 1 main 4 0 99990\n1 seldom 0 1 main 9 0 5\n1 main 0 1 often 0 0 "
		       "5\n");
	profile.binary = workshop_path(&shop, "app");
	profile.fdata = workshop_path(&shop, "app.fdata");
	if (pgb_benefit_estimate(&benefit, &profile, NULL, &error) != 0)
		fail_msg("%s", error.message);
	assert_int_equal(benefit.functions, 3);
	assert_int_equal(benefit.functions_hot, 1);
	assert_true(benefit.hot_bytes > 0 && benefit.hot_bytes < 64);
	assert_int_equal(benefit.hot_pages, 1);
	assert_int_equal(benefit.verdict, PGB_BENEFIT_LITTLE);
	pgb_chosen_profile_release(&profile);
	workshop_close(&shop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges),
		cmocka_unit_test(measures_hot_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
