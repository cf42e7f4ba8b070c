/* SPDX-License-Identifier: MIT */
/* Prices as measured here, and that measuring leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "collector/walk_calibrate.h"
#include "collector/walk_priority.h"

static void prices_are_within_reason(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		struct walk_prices prices = {0};

		walk_calibrate(&prices);
		assert_in_range(prices.visit_ns, 30000, 200000);
		assert_in_range(prices.ticket_ns, 1000, 100000);
		assert_in_range(prices.task_ns, 1000, 200000);
		assert_true(prices.visit_ns > prices.ticket_ns);
	}
}

static void nothing_is_left_behind(void **state)
{
	cpu_set_t before, after;
	struct walk_prices prices;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	walk_calibrate(&prices);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void priority_is_as_it_was(void **state)
{
	int before = getpriority(PRIO_PROCESS, 0), scheduler = sched_getscheduler(0);
	struct walk_priority priority;

	(void)state;
	walk_priority_raise(&priority);
	assert_true(getpriority(PRIO_PROCESS, 0) <= before);
	walk_priority_restore(&priority);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
	assert_int_equal(sched_getscheduler(0), scheduler);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prices_are_within_reason),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(priority_is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
