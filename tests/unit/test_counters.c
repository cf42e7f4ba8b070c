/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/bench/counters.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"

#define CHILD 1234

static int refuse_all(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	(void)attr;
	(void)pid;
	(void)cpu;
	return *(int *)context;
}

static int refuse_caches(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	(void)context;
	(void)pid;
	(void)cpu;
	return attr->type == PERF_TYPE_HW_CACHE ? -ENOENT : 0;
}

static void counts_what_there_is(void **state)
{
	struct fake_perf *perf = fake_perf_new();
	struct pgb_counters counters;
	struct pgb_counts counts;
	struct pgb_host host;
	size_t tried;

	(void)state;
	fake_host_init(&host, FAKE_SKYLAKE);
	assert_int_equal(pgb_counters_init(&counters, &host, fake_perf_sys(perf), NULL), 0);
	assert_int_equal(fake_perf_open_count(perf), 0);
	for (tried = 0; fake_perf_event(perf, tried);)
		tried++;
	assert_int_equal(tried, PGB_COUNTERS);
	pgb_counters_open(&counters, CHILD);
	for (size_t i = 0; i < PGB_COUNTERS; i++) {
		struct fake_event *event = fake_perf_event(perf, tried + i);

		assert_non_null(event);
		assert_int_equal(event->pid, CHILD);
		assert_int_equal(event->cpu, -1);
		assert_true(event->attr.enable_on_exec && event->attr.inherit);
		assert_true(event->attr.exclude_kernel && event->attr.disabled);
		event->value = 1000 * (i + 1);
		event->time_enabled_ns = 200;
		event->time_running_ns = i == PGB_COUNTER_BRANCHES ? 100 : 200;
	}
	fake_perf_event(perf, tried + PGB_COUNTER_ITLB_MISSES)->time_running_ns = 0;
	pgb_counters_take(&counters, &counts);
	assert_int_equal(fake_perf_open_count(perf), 0);
	assert_true(counts.values[PGB_COUNTER_INSTRUCTIONS] == 1000);
	assert_true(counts.values[PGB_COUNTER_BRANCHES] == 6000); /* half the time only */
	assert_true(counts.values[PGB_COUNTER_ITLB_MISSES] < 0);  /* never its turn */
	pgb_host_release(&host);
	fake_perf_free(perf);
}

static void some_are_missing(void **state)
{
	struct fake_perf *perf = fake_perf_new();
	struct pgb_counters counters;
	struct pgb_counts counts;
	struct pgb_host host;

	(void)state;
	fake_host_init(&host, FAKE_SKYLAKE);
	fake_perf_refuse(perf, refuse_caches, NULL);
	assert_int_equal(pgb_counters_init(&counters, &host, fake_perf_sys(perf), NULL), 0);
	pgb_counters_open(&counters, CHILD);
	assert_int_equal(fake_perf_open_count(perf), 4);
	pgb_counters_take(&counters, &counts);
	assert_true(counts.values[PGB_COUNTER_L1I_MISSES] < 0);
	pgb_host_release(&host);
	fake_perf_free(perf);
}

static void none_at_all(void **state)
{
	static const struct {
		enum fake_machine machine;
		int refusal;
		int code;
		const char *message;
	} rows[] = {
		{FAKE_GUEST, 0, PGB_E_UNSUPPORTED, "virtual machine has no CPU performance"},
		{FAKE_SKYLAKE, -ENOENT, PGB_E_UNSUPPORTED, "machine has no CPU performance"},
		{FAKE_SKYLAKE, -EACCES, PGB_E_PERMISSION, "forbids"},
		{FAKE_SKYLAKE, -EPERM, PGB_E_PERMISSION, "forbids"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_perf *perf = fake_perf_new();
		int refusal = rows[i].refusal;
		struct pgb_counters counters;
		struct pgb_error error = {0};
		struct pgb_counts counts;
		struct pgb_host host;

		fake_host_init(&host, rows[i].machine);
		fake_perf_refuse(perf, refuse_all, &refusal);
		assert_int_equal(pgb_counters_init(&counters, &host, fake_perf_sys(perf), &error),
				 rows[i].code);
		assert_non_null(strstr(error.message, rows[i].message));
		pgb_counters_open(&counters, CHILD);
		pgb_counters_take(&counters, &counts);
		assert_true(counts.values[PGB_COUNTER_CYCLES] < 0);
		pgb_host_release(&host);
		fake_perf_free(perf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_there_is),
		cmocka_unit_test(some_are_missing),
		cmocka_unit_test(none_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
