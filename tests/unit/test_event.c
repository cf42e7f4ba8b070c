/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/collector/event.h"
#include "tests/support/fake_host.h"

static void parses_names(void **state)
{
	static const struct {
		int line;
		enum fake_machine machine;
		const char *name;
		uint32_t type;
		uint64_t config, config1;
		unsigned int precise;
	} rows[] = {
		{__LINE__, FAKE_SKYLAKE, "cycles", PERF_TYPE_HARDWARE, 0, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "Cycles:u", PERF_TYPE_HARDWARE, 0, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu-cycles:pp", PERF_TYPE_HARDWARE, 0, 0, 2},
		{__LINE__, FAKE_SKYLAKE, "cycles:uppp", PERF_TYPE_HARDWARE, 0, 0, 3},
		{__LINE__, FAKE_SKYLAKE, "cycles:P", PERF_TYPE_HARDWARE, 0, 0, 3},
		{__LINE__, FAKE_SKYLAKE, "instructions", PERF_TYPE_HARDWARE, 1, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "branches", PERF_TYPE_HARDWARE, 4, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "branch-misses", PERF_TYPE_HARDWARE, 5, 0, 0},
		{__LINE__, FAKE_GUEST, "cpu-clock", PERF_TYPE_SOFTWARE, 0, 0, 0},
		{__LINE__, FAKE_GUEST, "task-clock:u", PERF_TYPE_SOFTWARE, 1, 0, 0},
		{__LINE__, FAKE_GUEST, "faults", PERF_TYPE_SOFTWARE, 2, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "r20c4", PERF_TYPE_RAW, 0x20c4, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "r20C4:p", PERF_TYPE_RAW, 0x20c4, 0, 1},
		{__LINE__, FAKE_SKYLAKE, "rffffffffffffffff", PERF_TYPE_RAW, UINT64_MAX, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=0xc4,umask=0x20/", 4, 0x20c4, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=196,umask=32,name=x/up", 4, 0x20c4, 0, 1},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=0xc4,inv/:u", 4, 0x8000c4, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu/branch-instructions/", 4, 0xc4, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu/mem-loads/pp", 4, 0x1cd, 3, 2},
		{__LINE__, FAKE_SKYLAKE, "cpu/mem-loads,ldlat=30/", 4, 0x1cd, 30, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu/config=0x1234,config1=7/", 4, 0x1234, 7, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu//", 4, 0, 0, 0},
		{__LINE__, FAKE_SKYLAKE, "cpu/instructions/", PERF_TYPE_HARDWARE, 4ull << 32 | 1, 0,
		 0},
		{__LINE__, FAKE_ALDERLAKE, "cpu_atom/cycles/", PERF_TYPE_HARDWARE, 10ull << 32, 0,
		 0},
		{__LINE__, FAKE_ALDERLAKE, "cpu_atom/cpu-cycles/", 10, 0x3c, 0, 0},
		{__LINE__, FAKE_ZEN4, "cpu/event=0x1c4/", 4, 0x1000000c4, 0, 0},
		{__LINE__, FAKE_ZEN2, "ibs_op/cnt_ctl=1/", 11, 1 << 19, 0, 0},
		{__LINE__, FAKE_ZEN2, "ibs_op/cnt_ctl/", 11, 1 << 19, 0, 0},
		/* libpfm4 knows these on every CPU, by the name of their PMU */
		{__LINE__, FAKE_SKYLAKE, "perf::CYCLES", PERF_TYPE_HARDWARE, 0, 0, 0},
		{__LINE__, FAKE_GUEST, "perf::CPU-CLOCK:u", PERF_TYPE_SOFTWARE, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(rows[i].machine);
		struct perf_event_attr attr = {0};
		struct pgb_error error = {0};
		struct pgb_host host;
		int result;

		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		result = pgb_event_parse(&host, rows[i].name, &attr, &error);
		if (result != 0 || attr.type != rows[i].type || attr.config != rows[i].config ||
		    attr.config1 != rows[i].config1 || attr.precise_ip != rows[i].precise)
			fail_msg("row of line %d: type %u config %#llx precise %u %s", rows[i].line,
				 attr.type, (unsigned long long)attr.config, attr.precise_ip,
				 error.message);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void refuses_with_a_remedy(void **state)
{
	static const struct {
		int line;
		enum fake_machine machine;
		const char *name;
		int code;
		const char *message, *remedy; /* parts of them */
	} rows[] = {
		{__LINE__, FAKE_SKYLAKE, "cyles", PGB_E_USAGE, "cyles", "cycles"},
		{__LINE__, FAKE_SKYLAKE, "cpu-clok:u", PGB_E_USAGE, "cpu-clok", "cpu-clock"},
		{__LINE__, FAKE_SKYLAKE, "nothing-like-any-of-them", PGB_E_USAGE, "no such event",
		 "perf list"},
		{__LINE__, FAKE_SKYLAKE, "", PGB_E_USAGE, "no such event", "perf list"},
		{__LINE__, FAKE_SKYLAKE, "cycles:k", PGB_E_USAGE, "'k'", "user space"},
		{__LINE__, FAKE_SKYLAKE, "cycles:pppp", PGB_E_USAGE, ":ppp", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=0x1c4/", PGB_E_USAGE, "'event'", "format"},
		{__LINE__, FAKE_SKYLAKE, "cpu/evnt=1/", PGB_E_USAGE, "'evnt'", "format"},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=/", PGB_E_USAGE, "needs a number", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=-1/", PGB_E_USAGE, "needs a number", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=99999999999999999999/", PGB_E_USAGE,
		 "needs a number", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=?/", PGB_E_USAGE, "needs a number", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/cycles,period=1000/", PGB_E_USAGE, "period",
		 "-c 1000"},
		{__LINE__, FAKE_SKYLAKE, "cpu/../../type/", PGB_E_USAGE, "has no field", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/event=1/z", PGB_E_USAGE, "PMU/terms/", ""},
		{__LINE__, FAKE_SKYLAKE, "cpu/", PGB_E_USAGE, "PMU/terms/", ""},
		{__LINE__, FAKE_SKYLAKE, "ibs_op//", PGB_E_UNSUPPORTED, "no such PMU", "ls "},
		{__LINE__, FAKE_GUEST, "cycles", PGB_E_UNSUPPORTED, "virtual machine", "cpu-clock"},
		{__LINE__, FAKE_GUEST, "r20c4", PGB_E_UNSUPPORTED, "virtual machine", "cpu-clock"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *root = fake_root_new(rows[i].machine);
		struct perf_event_attr attr = {0};
		struct pgb_error error = {0};
		struct pgb_host host;

		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		if (pgb_event_parse(&host, rows[i].name, &attr, &error) != rows[i].code ||
		    error.code != rows[i].code || !strstr(error.message, rows[i].message) ||
		    !strstr(error.remedy, rows[i].remedy))
			fail_msg("row of line %d: %s: %s (%s)", rows[i].line,
				 pgb_code_name(error.code), error.message, error.remedy);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void a_name_has_a_bound(void **state)
{
	struct perf_event_attr attr = {0};
	struct pgb_error error = {0};
	struct pgb_host host;
	char name[4096];

	(void)state;
	memset(name, 'c', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fake_host_init(&host, FAKE_SKYLAKE);
	assert_int_equal(pgb_event_parse(&host, name, &attr, &error), PGB_E_USAGE);
	pgb_host_release(&host);
}

static void canonical_names(void **state)
{
	static const struct {
		int line;
		const char *name, *canonical;
	} rows[] = {
		{__LINE__, "cycles", "cycles:u"},
		{__LINE__, "cycles:ppp", "cycles:u"},
		{__LINE__, "CPU-CYCLES", "cycles:u"},
		{__LINE__, "branch-instructions:u", "branches:u"},
		{__LINE__, "instructions", "instructions:u"},
		{__LINE__, "cpu-clock", "cpu-clock"},
		{__LINE__, "cpu-clock:u", "cpu-clock"},
		{__LINE__, "cs", "context-switches"},
		{__LINE__, "r20c4", "r20c4:u"},
		{__LINE__, "r20c4:pp", "r20c4:u"},
		{__LINE__, "cpu_core/cycles/", "cpu_core/cycles/u"},
		{__LINE__, "cpu/event=0x3c,name=a b/pp", "cpu/event=0x3c,name=a_b/u"},
		{__LINE__, "UNHALTED_CORE_CYCLES", "cycles:u"},
		{__LINE__, "CPU_CLK_UNHALTED:THREAD_P", "cycles:u"},
		{__LINE__, "INST_RETIRED:ANY_P", "instructions:u"},
		{__LINE__, "BR_INST_RETIRED:NEAR_TAKEN", "branches:u"},
		{__LINE__, "RETIRED_TAKEN_BRANCH_INSTRUCTIONS", "branches:u"},
		{__LINE__, "BR_MISP_RETIRED:NEAR_TAKEN", "BR_MISP_RETIRED:u"},
		{__LINE__, "L1-dcache-load-misses", "L1-dcache-load-misses:u"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *canonical = pgb_event_canonical_name(rows[i].name);

		if (strcmp(canonical, rows[i].canonical) != 0)
			fail_msg("row of line %d: %s", rows[i].line, canonical);
		free(canonical);
	}
}

static bool divides_nothing(uint64_t number)
{
	for (uint64_t factor = 2; factor * factor <= number; factor++)
		if (number % factor == 0)
			return false;
	return number >= 2;
}

static void prime_periods(void **state)
{
	static const uint64_t rows[][2] = {
		{0, 0},
		{1, 1},
		{2, 2},
		{3, 3},
		{4, 3},
		{1000000, 999983},
		{1000003, 1000003},
		{250007, 250007},
		{100003, 100003},
		{3215031751, 3215031749}, /* strong pseudoprime to the bases 2, 3, 5 and 7 */
		{UINT64_MAX, 18446744073709551557u},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pgb_event_prime_period(rows[i][0]), rows[i][1]);
	for (uint64_t period = 3; period < 3000; period++) {
		uint64_t prime = pgb_event_prime_period(period);

		assert_true(prime <= period && divides_nothing(prime));
		for (uint64_t between = prime + 1; between <= period; between++)
			assert_false(divides_nothing(between));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_names),	      cmocka_unit_test(refuses_with_a_remedy),
		cmocka_unit_test(a_name_has_a_bound), cmocka_unit_test(canonical_names),
		cmocka_unit_test(prime_periods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
