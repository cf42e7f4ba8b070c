/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/bench/noise.h"
#include "tests/support/fake_host.h"

#define CPUS "/sys/devices/system/cpu/"

static bool has(const struct pgb_noise *noise, const char *text)
{
	for (size_t i = 0; i < noise->remarks.count; i++)
		if (strstr(noise->remarks.items[i].message, text))
			return true;
	return false;
}

static void remarks_before(void **state)
{
	static const struct {
		const char *path, *text, *remark; /* NULL: none */
	} rows[] = {
		{CPUS "cpu0/cpufreq/scaling_governor", "powersave\n", "governor 'powersave'"},
		{CPUS "cpu0/cpufreq/scaling_governor", "performance\n", NULL},
		{CPUS "cpu0/cpufreq/scaling_governor", "", "governor ''"},
		{CPUS "intel_pstate/no_turbo", "0\n", "turbo is on"},
		{CPUS "intel_pstate/no_turbo", "1\n", NULL},
		{CPUS "cpufreq/boost", "1\n", "turbo is on"},
		{CPUS "cpufreq/boost", "0\n", NULL},
		{"/proc/loadavg", "9999.5 1.0 1.0 1/2 3\n", "load average 9999.50"},
		{"/proc/loadavg", "0.01 9.0 9.0 1/2 3\n", NULL},
		{"/proc/loadavg", "nonsense\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(FAKE_EMPTY);
		struct pgb_noise noise;

		fake_root_write(root, rows[i].path, rows[i].text);
		pgb_noise_begin(&noise, root);
		assert_int_equal(noise.remarks.count, rows[i].remark ? 1 : 0);
		if (rows[i].remark) {
			assert_true(has(&noise, rows[i].remark));
			assert_true(strlen(noise.remarks.items[0].remedy) > 0);
		}
		pgb_noise_end(&noise);
		pgb_noise_release(&noise);
		fake_root_remove(root);
		free(root);
	}
}

static void stolen_time(void **state)
{
	static const struct {
		const char *before, *after;
		bool remark;
	} rows[] = {
		{"cpu  100 0 100 800 0 0 0 5 0 0\n", "cpu  200 0 200 1540 0 0 0 65 0 0\n", true},
		{"cpu  100 0 100 800 0 0 0 5 0 0\n", "cpu  200 0 200 1599 0 0 0 6 0 0\n", false},
		{"cpu  100 0 100 800 0 0 0 5 0 0\n", "cpu  1 0 1 8 0 0 0 0 0 0\n", false},
		{"cpu  100 0\n", "cpu  200 0\n", false},
		{"", "cpu  200 0 200 1540 0 0 0 60 0 0\n", true},
		{"nonsense", "nonsense", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(FAKE_EMPTY);
		struct pgb_noise noise;

		fake_root_write(root, "/proc/stat", rows[i].before);
		pgb_noise_begin(&noise, root);
		fake_root_write(root, "/proc/stat", rows[i].after);
		pgb_noise_end(&noise);
		assert_int_equal(has(&noise, "steal"), rows[i].remark);
		if (i == 0)
			assert_true(has(&noise, "6.0 %"));
		pgb_noise_release(&noise);
		fake_root_remove(root);
		free(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remarks_before),
		cmocka_unit_test(stolen_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
