/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/collector/source.h"
#include "tests/support/fake_host.h"

static void sources_are_found_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; pgb_sources[i]; i++)
		assert_ptr_equal(pgb_source_find(pgb_sources[i]->name), pgb_sources[i]);
	assert_null(pgb_source_find(""));
	assert_null(pgb_source_find("lb"));
}

static void sources_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; pgb_sources[i]; i++) {
		assert_non_null(pgb_sources[i]->summary);
		assert_non_null(pgb_sources[i]->probe);
		assert_non_null(pgb_sources[i]->plan);
		assert_non_null(pgb_sources[i]->decode);
	}
}

static const struct plan_row {
	int line;
	enum fake_machine machine;
	struct pgb_source_request request;
	size_t attrs;
	uint32_t type;
	uint64_t config, period;
	bool freq;
	const char *event;
} plan_rows[] = {
	{__LINE__, FAKE_SKYLAKE, {0}, 1, PERF_TYPE_HARDWARE, 0, 1000003, 0, "cycles"},
	{__LINE__, FAKE_ZEN2, {0}, 1, PERF_TYPE_HARDWARE, 0, 1000003, 0, "cycles"},
	{__LINE__, FAKE_NEOVERSE, {0}, 1, PERF_TYPE_HARDWARE, 0, 1000003, 0, "cycles"},
	{__LINE__, FAKE_ALDERLAKE, {0}, 2, PERF_TYPE_HARDWARE, 10ull << 32, 1000003, 0, "cycles"},
	{__LINE__, FAKE_BIG_LITTLE, {0}, 2, 8, 0x11, 1000003, 0, "cycles"},
	{__LINE__, FAKE_GUEST, {0}, 1, PERF_TYPE_SOFTWARE, 0, 250007, 0, "cpu-clock"},
	{__LINE__, FAKE_GUEST, {NULL, {0, 999}}, 1, PERF_TYPE_SOFTWARE, 0, 999, 1, "cpu-clock"},
	{__LINE__,
	 FAKE_GUEST,
	 {"task-clock", {1000000, 0}},
	 1,
	 PERF_TYPE_SOFTWARE,
	 1,
	 1000000,
	 0,
	 "task-clock"},
	{__LINE__, FAKE_GUEST, {"page-faults", {0}}, 1, PERF_TYPE_SOFTWARE, 2, 1, 0, "page-faults"},
	{__LINE__,
	 FAKE_SKYLAKE,
	 {"instructions:u", {0}},
	 1,
	 PERF_TYPE_HARDWARE,
	 1,
	 1000003,
	 0,
	 "instructions:u"},
};

static void plans_for_each_machine(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plan_rows) / sizeof(plan_rows[0]); i++) {
		char *root = fake_root_new(plan_rows[i].machine);
		struct pgb_source_plan plan;
		struct pgb_error error = {0};
		struct pgb_host host;

		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		if (pgb_source_ip.plan(&host, &plan_rows[i].request, &plan, &error) != 0)
			fail_msg("row of line %d: %s", plan_rows[i].line, error.message);
		if (plan.attr_count != plan_rows[i].attrs ||
		    plan.attrs[0].type != plan_rows[i].type ||
		    plan.attrs[0].config != plan_rows[i].config ||
		    plan.attrs[0].sample_period != plan_rows[i].period ||
		    plan.attrs[0].freq != plan_rows[i].freq)
			fail_msg("row of line %d: another plan", plan_rows[i].line);
		assert_string_equal(plan.event_name, plan_rows[i].event);
		assert_true(plan.attrs[0].exclude_kernel && plan.attrs[0].exclude_hv);
		assert_int_equal(plan.attrs[0].branch_sample_type, 0);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void a_kernel_without_perf_events(void **state)
{
	struct pgb_source_plan plan;
	struct pgb_error error = {0};
	struct pgb_host host;

	(void)state;
	fake_host_init(&host, FAKE_EMPTY);
	assert_int_equal(pgb_source_ip.plan(&host, NULL, &plan, &error), PGB_E_UNSUPPORTED);
	assert_true(error.remedy[0] != '\0');
	pgb_host_release(&host);
}

static void count_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	assert_true(record->ip == address);
	*(uint64_t *)context += address;
}

static void decodes_user_addresses_only(void **state)
{
	static const struct {
		int line;
		uint16_t misc;
		uint64_t ip, sum;
		struct pgb_source_stats stats;
	} rows[] = {
		{__LINE__, PERF_RECORD_MISC_USER, 0x1234, 0x1234, {.samples = 1}},
		{__LINE__, 0, 0x1234, 0x1234, {.samples = 1}},
		{__LINE__,
		 PERF_RECORD_MISC_USER,
		 0xffff800000000000,
		 0,
		 {.samples = 1, .kernel = 1}},
		{__LINE__, PERF_RECORD_MISC_KERNEL, 0x1234, 0, {.samples = 1, .kernel = 1}},
		{__LINE__, PERF_RECORD_MISC_USER, 0, 0, {.samples = 1, .zero = 1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_record record = {.misc = rows[i].misc, .ip = rows[i].ip};
		struct pgb_source_stats stats = {0};
		uint64_t sum = 0;
		struct pgb_sink sink = {.ip = count_ip, .context = &sum};

		assert_int_equal(pgb_source_ip.decode(&record, NULL, &sink, &stats), 0);
		if (sum != rows[i].sum || memcmp(&stats, &rows[i].stats, sizeof(stats)) != 0)
			fail_msg("row of line %d", rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_are_found_by_name),
		cmocka_unit_test(sources_are_complete),
		cmocka_unit_test(plans_for_each_machine),
		cmocka_unit_test(a_kernel_without_perf_events),
		cmocka_unit_test(decodes_user_addresses_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
