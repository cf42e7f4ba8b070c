/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_live.h"
#include "tests/support/fake_host.h"

enum kind { CLOCK, CYCLES, STACK, CLOCK_STACK, FAST, SPE, IBS, IBS_USER };

static const struct perf_event_attr attrs[] = {
	[CLOCK] = {.type = PERF_TYPE_SOFTWARE},
	[CYCLES] = {.type = PERF_TYPE_HARDWARE},
	[STACK] = {.type = PERF_TYPE_HARDWARE, .sample_type = PERF_SAMPLE_BRANCH_STACK},
	[CLOCK_STACK] = {.type = PERF_TYPE_SOFTWARE, .sample_type = PERF_SAMPLE_BRANCH_STACK},
	[SPE] = {.type = 9, .exclude_kernel = 1},
	[IBS] = {.type = 11},
	[IBS_USER] = {.type = 11, .exclude_kernel = 1},
	[FAST] = {.type = PERF_TYPE_SOFTWARE, .freq = 1, .sample_freq = 200000},
};

#define PARANOID "/proc/sys/kernel/perf_event_paranoid"

static const struct refusal {
	int line;
	enum fake_machine machine;
	const char *path, *text; /* a file changed first, or NULL */
	enum kind kind;
	int number;
	bool system_wide;
	int code;
	const char *message, *remedy; /* parts of them */
} refusals[] = {
#define NO_FILE NULL, NULL
	{__LINE__, FAKE_GUEST, "/.dockerenv", "", CLOCK, EPERM, false, PGB_E_PERMISSION,
	 "container", "--cap-add PERFMON"},
	{__LINE__, FAKE_GUEST, NO_FILE, CLOCK, EPERM, false, PGB_E_PERMISSION, "seccomp", "dmesg"},
	{__LINE__, FAKE_GUEST, NO_FILE, CLOCK, EACCES, true, PGB_E_PERMISSION, "whole system",
	 "sysctl kernel.perf_event_paranoid=0"},
	{__LINE__, FAKE_GUEST, PARANOID, "4", CLOCK, EACCES, false, PGB_E_PERMISSION,
	 "kernel.perf_event_paranoid is 4", "sysctl kernel.perf_event_paranoid=2"},
	{__LINE__, FAKE_GUEST, PARANOID, "3", CLOCK, EACCES, false, PGB_E_PERMISSION,
	 "kernel.perf_event_paranoid is 3", "setcap cap_perfmon+ep"},
	{__LINE__, FAKE_GUEST, NO_FILE, CLOCK, EACCES, false, PGB_E_PERMISSION, "another user",
	 "cap_sys_ptrace"},
	{__LINE__, FAKE_GUEST, NO_FILE, CYCLES, ENOENT, false, PGB_E_UNSUPPORTED,
	 "'cycles': this virtual machine", "-e cpu-clock"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, ENOENT, false, PGB_E_UNSUPPORTED,
	 "this CPU does not have it", "perf list"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, ENODEV, false, PGB_E_UNSUPPORTED,
	 "does not have it", "-e"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, STACK, EOPNOTSUPP, false, PGB_E_UNSUPPORTED,
	 "no branch stack", "-s ip"},
	{__LINE__, FAKE_GUEST_PMU, NO_FILE, STACK, EOPNOTSUPP, false, PGB_E_UNSUPPORTED,
	 "hypervisor", "bare metal"},
	{__LINE__, FAKE_NEOVERSE, NO_FILE, STACK, EOPNOTSUPP, false, PGB_E_UNSUPPORTED, "BRBE",
	 "CONFIG_ARM64_BRBE"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CLOCK_STACK, EOPNOTSUPP, false, PGB_E_UNSUPPORTED,
	 "is the kernel's", "-e cycles"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, EOPNOTSUPP, false, PGB_E_UNSUPPORTED,
	 "cannot sample it", "-e cycles"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, FAST, EINVAL, false, PGB_E_USAGE, "200000", "-F 100000"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, STACK, EINVAL, false, PGB_E_UNSUPPORTED,
	 "Linux 6.12.9-generic does not take these settings", "-s instrument"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CLOCK, EINVAL, false, PGB_E_UNSUPPORTED, "EINVAL",
	 "without -e"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CLOCK, EMFILE, false, PGB_E_RESOURCE, "4 CPUs",
	 "ulimit -n"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CLOCK, ENFILE, false, PGB_E_RESOURCE, "ENFILE",
	 "fs.file-max"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CLOCK, ESRCH, false, PGB_E_GONE, "has ended", "ps"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, EBUSY, false, PGB_E_RESOURCE, "EBUSY",
	 "nmi_watchdog"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, ENOSYS, false, PGB_E_UNSUPPORTED,
	 "no perf_event_open", "CONFIG_PERF_EVENTS"},
	{__LINE__, FAKE_NEOVERSE, NO_FILE, SPE, EBUSY, false, PGB_E_RESOURCE, "another recording",
	 "-s walk"},
	{__LINE__, FAKE_NEOVERSE, NO_FILE, SPE, ENOENT, true, PGB_E_UNSUPPORTED, "not every CPU",
	 "cpumask"},
	{__LINE__, FAKE_NEOVERSE, NO_FILE, SPE, EOPNOTSUPP, false, PGB_E_UNSUPPORTED,
	 "cannot filter so", "-e arm_spe_0/"},
	{__LINE__, FAKE_NEOVERSE, NO_FILE, SPE, EINVAL, false, PGB_E_UNSUPPORTED,
	 "Linux 6.17.0 does not take", "-s walk"},
	{__LINE__, FAKE_NEOVERSE, NO_FILE, SPE, EACCES, true, PGB_E_PERMISSION, "whole system",
	 "sysctl kernel.perf_event_paranoid=0"},
	{__LINE__, FAKE_ZEN2, NO_FILE, IBS, EACCES, false, PGB_E_PERMISSION, "sees the kernel, too",
	 "sysctl kernel.perf_event_paranoid=1"},
	{__LINE__, FAKE_ZEN2, "/proc/sys/kernel/osrelease", "6.1.0", IBS, EINVAL, false,
	 PGB_E_UNSUPPORTED, "whole CPUs only", "record -a -s ibs"},
	{__LINE__, FAKE_ZEN2, "/proc/sys/kernel/osrelease", "6.1.0", IBS, EINVAL, true,
	 PGB_E_UNSUPPORTED, "does not take", "-s walk"},
	{__LINE__, FAKE_ZEN2, NO_FILE, IBS_USER, EINVAL, false, PGB_E_UNSUPPORTED, "does not take",
	 "without -e"},
	{__LINE__, FAKE_ZEN2, NO_FILE, IBS_USER, ENOSPC, false, PGB_E_RESOURCE, "another recording",
	 "-s walk"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, E2BIG, false, PGB_E_UNSUPPORTED, "too old", "-e"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, ENOSPC, false, PGB_E_RESOURCE, "No space",
	 "dmesg"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, ENOMEM, false, PGB_E_RESOURCE, "Cannot allocate",
	 "dmesg"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, CYCLES, EIO, false, PGB_E_IO, "output error", "dmesg"},
};

static void every_refusal_has_its_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char *root = fake_root_new(refusals[i].machine);
		struct pgb_error error = {0};
		struct pgb_host host;

		if (refusals[i].path)
			fake_root_write(root, refusals[i].path, refusals[i].text);
		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		if (pgb_feed_live_explain(&host, &attrs[refusals[i].kind], -refusals[i].number,
					  refusals[i].system_wide, &error) != refusals[i].code ||
		    error.code != refusals[i].code || !strstr(error.message, refusals[i].message) ||
		    !strstr(error.remedy, refusals[i].remedy))
			fail_msg("row of line %d: %s: %s (%s)", refusals[i].line,
				 pgb_code_name(error.code), error.message, error.remedy);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

/* The whole remedy in a container: the host is where the setting is. */
static void a_container_is_told_where_to_set_it(void **state)
{
	char *root = fake_root_new(FAKE_GUEST);
	struct pgb_error error = {0};
	struct pgb_host host;

	(void)state;
	fake_root_write(root, "/.dockerenv", "");
	fake_root_write(root, PARANOID, "4");
	assert_int_equal(pgb_host_init(&host, root, &error), 0);
	pgb_feed_live_explain(&host, &attrs[CLOCK], -EACCES, false, &error);
	assert_non_null(strstr(error.remedy, "on the host"));
	pgb_host_release(&host);
	fake_root_remove(root);
	free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_has_its_remedy),
		cmocka_unit_test(a_container_is_told_where_to_set_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
