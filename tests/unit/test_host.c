/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/fake_host.h"

static void reads_each_machine(void **state)
{
	static const struct {
		int line;
		enum fake_machine machine;
		enum pgb_cpu_vendor vendor;
		unsigned int family, model, cpus, pmus, branches;
		const char *core;
		bool is_virtual, brs, lbr_v2;
	} rows[] = {
		{__LINE__, FAKE_SKYLAKE, PGB_VENDOR_INTEL, 6, 94, 4, 2, 32, "cpu", 0, 0, 0},
		{__LINE__, FAKE_ALDERLAKE, PGB_VENDOR_INTEL, 6, 151, 8, 3, 32, "cpu_atom", 0, 0, 0},
		{__LINE__, FAKE_ZEN2, PGB_VENDOR_AMD, 23, 49, 4, 3, 0, "cpu", 0, 0, 0},
		{__LINE__, FAKE_ZEN3, PGB_VENDOR_AMD, 25, 1, 4, 2, 16, "cpu", 0, 1, 0},
		{__LINE__, FAKE_ZEN4, PGB_VENDOR_AMD, 25, 17, 4, 2, 16, "cpu", 0, 0, 1},
		{__LINE__, FAKE_NEOVERSE, PGB_VENDOR_ARM, 0x41, 0xd83, 4, 3, 0, "armv8_pmuv3_0", 0,
		 0, 0},
		{__LINE__, FAKE_BIG_LITTLE, PGB_VENDOR_ARM, 0x41, 0xd05, 8, 3, 0,
		 "armv8_cortex_a55", 0, 0, 0},
		{__LINE__, FAKE_GUEST, PGB_VENDOR_INTEL, 6, 106, 2, 1, 0, NULL, 1, 0, 0},
		{__LINE__, FAKE_GUEST_PMU, PGB_VENDOR_INTEL, 6, 106, 2, 2, 0, "cpu", 1, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pgb_pmu *core;
		struct pgb_host host;

		fake_host_init(&host, rows[i].machine);
		if (host.vendor != rows[i].vendor || host.family != rows[i].family ||
		    host.model != rows[i].model || host.cpus_online.count != rows[i].cpus ||
		    host.pmus.count != rows[i].pmus || host.is_virtual != rows[i].is_virtual ||
		    host.flag_brs != rows[i].brs || host.flag_lbr_v2 != rows[i].lbr_v2)
			fail_msg("row of line %d: vendor %d family %u model %u, %zu CPUs, %zu PMUs",
				 rows[i].line, host.vendor, host.family, host.model,
				 host.cpus_online.count, host.pmus.count);
		assert_int_equal(pgb_host_has_core_pmu(&host), rows[i].core != NULL);
		if (rows[i].core) {
			core = pgb_host_find_pmu(&host, rows[i].core);
			assert_non_null(core);
			assert_true(core->is_core);
			assert_int_equal(core->branches, rows[i].branches);
			assert_ptr_equal(pgb_host_find_pmu_type(&host, core->type), core);
		}
		pgb_host_release(&host);
	}
}

static void an_empty_root_is_no_error(void **state)
{
	struct pgb_host host;

	(void)state;
	fake_host_init(&host, FAKE_EMPTY);
	assert_int_equal(host.vendor, PGB_VENDOR_UNKNOWN);
	assert_int_equal(host.perf_paranoid, INT_MAX);
	assert_int_equal(host.yama_scope, -1);
	assert_int_equal(host.cpus_online.count, 1);
	assert_int_equal(host.pmus.count, 0);
	assert_string_equal(host.cpu_name, "unknown");
	assert_string_equal(host.kernel_release, "unknown");
	assert_false(host.has_perfmon);
	assert_null(pgb_host_find_pmu(&host, "cpu"));
	pgb_host_release(&host);
}

static void reads_the_kernel_settings(void **state)
{
	struct pgb_host host;

	(void)state;
	fake_host_init(&host, FAKE_SKYLAKE);
	assert_int_equal(host.perf_paranoid, 2);
	assert_int_equal(host.max_sample_rate, 100000);
	assert_int_equal(host.mlock_kib, 516);
	assert_int_equal(host.yama_scope, 1);
	assert_string_equal(host.kernel_release, "6.12.9-generic");
	assert_string_equal(host.cpu_name, "Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz");
	assert_true(pgb_host_kernel_since(&host, 6, 12));
	assert_true(pgb_host_kernel_since(&host, 5, 19));
	assert_false(pgb_host_kernel_since(&host, 6, 13));
	assert_false(pgb_host_kernel_since(&host, 7, 0));
	pgb_host_release(&host);
}

/* One file changed on a Skylake, and what the host says then. */
static void single_files(void **state)
{
	static const struct {
		int line;
		const char *path, *text;
		bool perfmon, is_virtual, in_container;
	} rows[] = {
		{__LINE__, "/proc/self/status", "CapEff:\t0000004000000000", true, false, false},
		{__LINE__, "/proc/self/status", "CapEff:\t0000000000200000", true, false, false},
		{__LINE__, "/proc/self/status", "CapEff:\t0000003fffdfffff", false, false, false},
		{__LINE__, "/proc/self/status", "CapEff: nonsense", false, false, false},
		{__LINE__, "/sys/class/dmi/id/sys_vendor", "QEMU", false, true, false},
		{__LINE__, "/sys/class/dmi/id/sys_vendor", "Amazon EC2", false, true, false},
		{__LINE__, "/sys/class/dmi/id/sys_vendor", "LENOVO", false, false, false},
		{__LINE__, "/sys/class/dmi/id/product_name", "KVM", false, true, false},
		{__LINE__, "/sys/hypervisor/type", "xen", false, true, false},
		{__LINE__, "/.dockerenv", "", false, false, true},
		{__LINE__, "/run/.containerenv", "", false, false, true},
		{__LINE__, "/proc/self/cgroup", "0::/system.slice/docker-1.scope", false, false,
		 true},
		{__LINE__, "/proc/self/cgroup", "0::/user.slice", false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(FAKE_SKYLAKE);
		struct pgb_error error = {0};
		struct pgb_host host;

		fake_root_write(root, rows[i].path, rows[i].text);
		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		if (host.has_perfmon != rows[i].perfmon || host.is_virtual != rows[i].is_virtual ||
		    host.in_container != rows[i].in_container)
			fail_msg("row of line %d", rows[i].line);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

/* Capabilities count in the initial user namespace only. */
static void root_of_a_namespace_has_no_perfmon(void **state)
{
	static const struct {
		const char *uid_map;
		bool perfmon;
	} rows[] = {
		{"         0          0 4294967295", true},
		{"         0       1000          1", false},
		{"         0          0      65536", false},
		{"      1000       1000          1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(FAKE_SKYLAKE);
		struct pgb_error error = {0};
		struct pgb_host host;

		fake_root_write(root, "/proc/self/status", "CapEff:\t000001ffffffffff");
		fake_root_write(root, "/proc/self/uid_map", rows[i].uid_map);
		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		assert_int_equal(host.has_perfmon, rows[i].perfmon);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void bare_metal_of_a_cloud_is_not_virtual(void **state)
{
	char *root = fake_root_new(FAKE_NEOVERSE);
	struct pgb_error error = {0};
	struct pgb_host host;

	(void)state;
	fake_root_write(root, "/sys/class/dmi/id/sys_vendor", "Amazon EC2");
	fake_root_write(root, "/sys/class/dmi/id/product_name", "c7g.metal");
	assert_int_equal(pgb_host_init(&host, root, &error), 0);
	assert_false(host.is_virtual);
	pgb_host_release(&host);
	fake_root_remove(root);
	free(root);
}

static void knows_which_cpus_a_pmu_covers(void **state)
{
	const struct pgb_pmu *atom;
	struct pgb_host host;

	(void)state;
	fake_host_init(&host, FAKE_ALDERLAKE);
	atom = pgb_host_find_pmu(&host, "cpu_atom");
	assert_false(pgb_pmu_covers(atom, 3));
	assert_true(pgb_pmu_covers(atom, 4));
	assert_true(pgb_pmu_covers(pgb_host_find_pmu(&host, "software"), 4));
	pgb_host_release(&host);
}

static void odd_cpu_lists(void **state)
{
	static const struct {
		int line;
		const char *text;
		size_t count;
	} rows[] = {
		{__LINE__, "0", 1},   {__LINE__, "0-1,4,6-7", 5},     {__LINE__, "", 1},
		{__LINE__, "3-1", 1}, {__LINE__, "0-99999999999", 1}, {__LINE__, "0-2,junk", 3},
		{__LINE__, "-5", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(FAKE_SKYLAKE);
		struct pgb_error error = {0};
		struct pgb_host host;

		fake_root_write(root, "/sys/devices/system/cpu/online", rows[i].text);
		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		if (host.cpus_online.count != rows[i].count)
			fail_msg("row of line %d: %zu", rows[i].line, host.cpus_online.count);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void sets_fields_by_format(void **state)
{
	static const struct {
		int line;
		const char *format, *field;
		uint64_t value;
		bool fits;
		uint64_t config, config1, config2;
	} rows[] = {
		{__LINE__, "config:0-7", "f", 0xc4, true, 0xc4, 0, 0},
		{__LINE__, "config:0-7", "f", 0x100, false, 0, 0, 0},
		{__LINE__, "config:8-15", "f", 0x20, true, 0x2000, 0, 0},
		{__LINE__, "config:0-7,32-35", "f", 0x1c4, true, 0x1000000c4, 0, 0},
		{__LINE__, "config:19", "f", 1, true, 1 << 19, 0, 0},
		{__LINE__, "config:19", "f", 2, false, 0, 0, 0},
		{__LINE__, "config1:0-63", "f", UINT64_MAX, true, 0, UINT64_MAX, 0},
		{__LINE__, "config2:0-11", "f", 4095, true, 0, 0, 4095},
		{__LINE__, "config9:0", "f", 1, false, 0, 0, 0},
		{__LINE__, "config:64", "f", 1, false, 0, 0, 0},
		{__LINE__, "config:", "f", 0, false, 0, 0, 0},
		{__LINE__, "", "f", 0, false, 0, 0, 0},
		{__LINE__, "config:0", "absent", 1, false, 0, 0, 0},
		{__LINE__, "config:0", "../type", 1, false, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(FAKE_SKYLAKE);
		struct perf_event_attr attr = {0};
		struct pgb_error error = {0};
		struct pgb_host host;
		bool fits;

		fake_root_write(root, "/sys/bus/event_source/devices/cpu/format/f", rows[i].format);
		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		fits = pgb_host_set_format(&host, pgb_host_find_pmu(&host, "cpu"), &attr,
					   rows[i].field, rows[i].value);
		if (fits != rows[i].fits || attr.config != rows[i].config ||
		    attr.config1 != rows[i].config1 || attr.config2 != rows[i].config2)
			fail_msg("row of line %d: config %#llx", rows[i].line,
				 (unsigned long long)attr.config);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void this_machine_can_be_read(void **state)
{
	struct pgb_error error = {0};
	struct pgb_host host;

	(void)state;
	assert_int_equal(pgb_host_init(&host, NULL, &error), 0);
	assert_true(host.cpus_online.count > 0);
	assert_true(host.kernel_major > 2);
	pgb_host_release(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_machine),
		cmocka_unit_test(an_empty_root_is_no_error),
		cmocka_unit_test(reads_the_kernel_settings),
		cmocka_unit_test(single_files),
		cmocka_unit_test(root_of_a_namespace_has_no_perfmon),
		cmocka_unit_test(bare_metal_of_a_cloud_is_not_virtual),
		cmocka_unit_test(knows_which_cpus_a_pmu_covers),
		cmocka_unit_test(odd_cpu_lists),
		cmocka_unit_test(sets_fields_by_format),
		cmocka_unit_test(this_machine_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
