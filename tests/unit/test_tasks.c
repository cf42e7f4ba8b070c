/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/tasks.h"

enum step { ADD, REMOVE, EXEC };

/* One life; each step and what it must answer. */
static const struct row {
	enum step step;
	uint32_t pid, tid;
	bool answer;
} rows[] = {
	{ADD, 10, 10, true},
	{ADD, 10, 11, true},
	{ADD, 10, 11, false}, /* told twice, as by two PMUs */
	{ADD, 9, 9, true},
	{REMOVE, 10, 10, false}, /* the main thread first */
	{REMOVE, 10, 10, false}, /* told twice */
	{REMOVE, 10, 11, true},
	{REMOVE, 9, 12, false},	 /* never seen, of a known process */
	{REMOVE, 20, 21, false}, /* of an unknown process */
	{REMOVE, 20, 20, true},
	{ADD, 30, 30, true},
	{ADD, 30, 31, true},
	{ADD, 30, 32, true},
	{EXEC, 30, 0, false}, /* by 32, which is 30 from now on */
	{REMOVE, 30, 31, false},
	{REMOVE, 30, 30, true},
	{REMOVE, 9, 9, true},
	{ADD, UINT32_MAX, UINT32_MAX, true},
	{ADD, UINT32_MAX, 0, true},
	{REMOVE, UINT32_MAX, 0, false},
	{REMOVE, UINT32_MAX, UINT32_MAX, true},
};

static void a_process_ends_with_its_last_thread(void **state)
{
	struct pgb_tasks tasks = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		bool answer = false;

		if (row->step == ADD)
			answer = pgb_tasks_add(&tasks, row->pid, row->tid);
		else if (row->step == REMOVE)
			answer = pgb_tasks_remove(&tasks, row->pid, row->tid);
		else
			pgb_tasks_exec(&tasks, row->pid);
		if (answer != row->answer)
			fail_msg("row %zu", i);
	}
	assert_int_equal(tasks.keys.count, 0);
	pgb_tasks_release(&tasks);
}

static void many_are_kept_in_order_and_bounded(void **state)
{
	struct pgb_tasks tasks = {0};

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		assert_true(pgb_tasks_add(&tasks, i * 7919 % 2003, i));
	for (size_t i = 1; i < tasks.keys.count; i++)
		assert_true(tasks.keys.items[i - 1] < tasks.keys.items[i]);
	for (uint32_t i = 0; i < 2000; i++)
		assert_true(pgb_tasks_remove(&tasks, i * 7919 % 2003, i));
	for (uint32_t i = 0; i < PGB_LIMIT_PROCESSES + 10; i++)
		pgb_tasks_add(&tasks, i, i);
	assert_int_equal(tasks.keys.count, PGB_LIMIT_PROCESSES);
	pgb_tasks_release(&tasks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_ends_with_its_last_thread),
		cmocka_unit_test(many_are_kept_in_order_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
