/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/ibs_sample.h"
#include "pgobolt/collector/source.h"
#include "tests/support/fake_host.h"
#include "tests/support/perf_encode.h"

#define PMU "/sys/bus/event_source/devices/ibs_op/"

enum { FIRST = 0x1f, ZEN_4 = 0xfff };

static void write_trace(void *context, const struct pgb_record *record, uint64_t branch,
			uint64_t from, uint64_t to, unsigned int flags)
{
	struct pgb_text *text = context;

	assert_int_equal(record->pid, 42);
	assert_true(to == PGB_ADDRESS_NONE);
	pgb_text_addf(text, "%llx>", (unsigned long long)branch);
	if (from == PGB_ADDRESS_NONE)
		pgb_text_add(text, "?");
	else
		pgb_text_addf(text, "%llx", (unsigned long long)from);
	pgb_text_addf(text, "%s%s%s%s%s", flags & PGB_BRANCH_MISPREDICTED ? "M" : "",
		      flags & PGB_BRANCH_PREDICTED ? "P" : "",
		      flags & PGB_BRANCH_NOT_TAKEN ? "N" : "", flags & PGB_BRANCH_RETURN ? "R" : "",
		      flags & PGB_BRANCH_FUSED ? "F" : "");
}

static void write_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	assert_int_equal(record->pid, 42);
	pgb_text_addf(context, "%llx", (unsigned long long)address);
}

#define BRANCH PGB_IBS_BRANCH_RETIRED
#define TAKEN  (PGB_IBS_BRANCH_RETIRED | PGB_IBS_TAKEN)
#define KERNEL UINT64_C(0xffffffff81000000)

static const struct decode_row {
	int line;
	uint32_t capabilities;
	uint64_t rip, data, target;
	uint16_t misc;
	const char *text;
	struct pgb_source_stats stats;
} decode_rows[] = {
	{__LINE__, ZEN_4, 0x10, TAKEN, 0x20, 2, "10>20P", {.samples = 1, .branches = 1}},
	{__LINE__,
	 ZEN_4,
	 0x10,
	 TAKEN | PGB_IBS_MISPREDICTED,
	 0x20,
	 2,
	 "10>20M",
	 {.samples = 1, .branches = 1}},
	{__LINE__,
	 ZEN_4,
	 0x10,
	 TAKEN | PGB_IBS_RETURN,
	 0x20,
	 2,
	 "10>20PR",
	 {.samples = 1, .branches = 1}},
	/* not taken: the length is not told; what stands in the target is of another branch */
	{__LINE__, ZEN_4, 0x10, BRANCH, 0, 2, "10>?PN", {.samples = 1, .branches = 1}},
	{__LINE__,
	 ZEN_4,
	 0x10,
	 BRANCH | PGB_IBS_MISPREDICTED,
	 0x20,
	 2,
	 "10>?MN",
	 {.samples = 1, .branches = 1}},
	/* no target told */
	{__LINE__, ZEN_4, 0x10, TAKEN, 0, 2, "10>?P", {.samples = 1, .branches = 1}},
	{__LINE__, FIRST, 0x10, TAKEN, 0x20, 2, "10>?P", {.samples = 1, .branches = 1}},
	/* a compare fused with the branch behind it; a CPU that does not tell */
	{__LINE__,
	 ZEN_4,
	 0x10,
	 TAKEN | PGB_IBS_FUSED,
	 0x20,
	 2,
	 "10>20PF",
	 {.samples = 1, .branches = 1}},
	{__LINE__,
	 FIRST,
	 0x10,
	 TAKEN | PGB_IBS_FUSED,
	 0x20,
	 2,
	 "10>?P",
	 {.samples = 1, .branches = 1}},
	/* no branch, whatever else is set */
	{__LINE__, ZEN_4, 0x10, 0, 0, 2, "10", {.samples = 1, .operations = 1}},
	{__LINE__,
	 ZEN_4,
	 0x10,
	 PGB_IBS_TAKEN | PGB_IBS_MICROCODE,
	 0x20,
	 2,
	 "10",
	 {.samples = 1, .operations = 1}},
	/* the kernel's: by the mode, by its address, by its target */
	{__LINE__, ZEN_4, 0x10, TAKEN, 0x20, 1, "", {.samples = 1, .branches = 1, .kernel = 1}},
	{__LINE__, ZEN_4, KERNEL, 0, 0, 2, "", {.samples = 1, .operations = 1, .kernel = 1}},
	{__LINE__, ZEN_4, 0x10, TAKEN, KERNEL, 2, "", {.samples = 1, .branches = 1, .kernel = 1}},
	/* no address that counts */
	{__LINE__,
	 ZEN_4,
	 0x10,
	 TAKEN | PGB_IBS_RIP_INVALID,
	 0x20,
	 2,
	 "",
	 {.samples = 1, .branches = 1, .misplaced = 1}},
	{__LINE__,
	 ZEN_4,
	 0x10,
	 PGB_IBS_RIP_INVALID,
	 0,
	 2,
	 "",
	 {.samples = 1, .operations = 1, .misplaced = 1}},
	{__LINE__,
	 FIRST,
	 0x10,
	 TAKEN | PGB_IBS_RIP_INVALID,
	 0,
	 2,
	 "10>?P",
	 {.samples = 1, .branches = 1}},
	{__LINE__, ZEN_4, 0, TAKEN, 0x20, 2, "", {.samples = 1, .branches = 1, .zero = 1}},
	/* no IBS at all, says the word */
	{__LINE__, 0, 0x10, TAKEN, 0x20, 2, "", {.samples = 1, .malformed = 1}},
};

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decode_rows) / sizeof(decode_rows[0]); i++) {
		const struct decode_row *row = &decode_rows[i];
		struct pgb_record record = {
			.type = PERF_RECORD_SAMPLE, .misc = row->misc, .pid = 42};
		struct perf_bytes raw = {0};
		struct pgb_source_stats stats = {0};
		struct pgb_text text = {0};
		struct pgb_sink sink = {.trace = write_trace, .ip = write_ip, .context = &text};

		perf_put_u32(&raw, row->capabilities);
		perf_put_u64(&raw, 0x60000 | 1000);
		perf_put_u64(&raw, row->rip);
		perf_put_u64(&raw, row->data);
		perf_put(&raw, NULL, 4 * 8);
		if (row->capabilities & PGB_IBS_CAP_BRANCH_TARGET)
			perf_put_u64(&raw, row->target);
		if (row->capabilities & PGB_IBS_CAP_DATA_4)
			perf_put_u64(&raw, 0);
		record.raw = pgb_cursor_of(raw.data, raw.length);
		(void)pgb_source_ibs.decode(&record, NULL, &sink, &stats);
		if (strcmp(pgb_text_string(&text), row->text) != 0 ||
		    memcmp(&stats, &row->stats, sizeof(stats)) != 0)
			fail_msg("line %d: '%s', or its counts differ", row->line,
				 pgb_text_string(&text));
		pgb_text_release(&text);
		perf_bytes_release(&raw);
	}
}

/* ---- asking for it */

/* "FILE=TEXT" of ibs_op, or any path, to be added. */
static void init_host(struct pgb_host *host, enum fake_machine machine, const char *path,
		      const char *text)
{
	char *root = fake_root_new(machine);

	if (path)
		fake_root_write(root, path, text);
	assert_int_equal(pgb_host_init(host, root, NULL), 0);
	free(root); /* its name; the folder is still asked for formats */
}

static void release_host(struct pgb_host *host)
{
	fake_root_remove(host->root);
	pgb_host_release(host);
}

static const struct plan_row {
	int line;
	const char *path, *text; /* a file that is there, too */
	const char *event;
	uint64_t config, config2;
	bool exclude_kernel;
} plan_rows[] = {
	{__LINE__, PMU "format/swfilt", "config2:0", "ibs_op/cnt_ctl=1,swfilt=1/", 1 << 19, 1,
	 true},
	{__LINE__, "/proc/sys/kernel/perf_event_paranoid", "1", "ibs_op/cnt_ctl=1/", 1 << 19, 0,
	 false},
	{__LINE__, "/proc/self/status", "CapEff:\t0000004000000000", "ibs_op/cnt_ctl=1/", 1 << 19,
	 0, false},
};

static void test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plan_rows) / sizeof(plan_rows[0]); i++) {
		const struct plan_row *row = &plan_rows[i];
		struct pgb_source_plan plan;
		struct pgb_error error = {0};
		struct pgb_host host;

		init_host(&host, FAKE_ZEN2, row->path, row->text);
		if (pgb_source_ibs.plan(&host, NULL, &plan, &error) != 0)
			fail_msg("line %d: %s", row->line, error.message);
		assert_string_equal(plan.event_name, row->event);
		assert_int_equal(plan.attr_count, 1);
		assert_int_equal(plan.attrs[0].type, 11);
		assert_true(plan.attrs[0].config == row->config);
		assert_true(plan.attrs[0].config2 == row->config2);
		assert_int_equal(plan.attrs[0].exclude_kernel, row->exclude_kernel);
		assert_int_equal(plan.attrs[0].exclude_hv, row->exclude_kernel);
		assert_int_equal(plan.attrs[0].exclude_guest, 0);
		assert_int_equal(plan.attrs[0].sample_period % 16, 0);
		assert_true(plan.attrs[0].sample_type & PERF_SAMPLE_RAW);
		release_host(&host);
	}
}

static const struct refusal {
	int line;
	enum fake_machine machine;
	bool filters;
	struct pgb_source_request request;
	int code;
	const char *message, *remedy;
} refusals[] = {
	{__LINE__,
	 FAKE_ZEN2,
	 false,
	 {0},
	 PGB_E_PERMISSION,
	 "before Linux 6.14",
	 "perf_event_paranoid=1"},
	{__LINE__,
	 FAKE_ZEN2,
	 true,
	 {.rate = {.period_events = 100}},
	 PGB_E_USAGE,
	 "from 144",
	 "-c 144"},
	{__LINE__,
	 FAKE_ZEN2,
	 true,
	 {.rate = {.period_events = 1001}},
	 PGB_E_USAGE,
	 "steps of 16",
	 "-c 992"},
	{__LINE__,
	 FAKE_ZEN2,
	 true,
	 {.rate = {.period_events = 1 << 30}},
	 PGB_E_USAGE,
	 "to ",
	 "-c "},
	{__LINE__,
	 FAKE_ZEN2,
	 true,
	 {.event = "cycles"},
	 PGB_E_USAGE,
	 "not one of ibs_op",
	 "leave -e out"},
	{__LINE__, FAKE_SKYLAKE, false, {0}, PGB_E_UNSUPPORTED, "is AMD's", "-s walk"},
	{__LINE__,
	 FAKE_ZEN4,
	 false,
	 {0},
	 PGB_E_UNSUPPORTED,
	 "offers no",
	 "CONFIG_PERF_EVENTS_AMD_IBS"},
	{__LINE__, FAKE_EMPTY, false, {0}, PGB_E_UNSUPPORTED, "perf events", ""},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *row = &refusals[i];
		struct pgb_source_plan plan;
		struct pgb_error error = {0};
		struct pgb_host host;
		int code;

		init_host(&host, row->machine, row->filters ? PMU "format/swfilt" : NULL,
			  "config2:0");
		code = pgb_source_ibs.plan(&host, &row->request, &plan, &error);
		if (code != row->code || strstr(error.message, row->message) == NULL ||
		    strstr(error.remedy, row->remedy) == NULL)
			fail_msg("line %d: %d, '%s', '%s'", row->line, code, error.message,
				 error.remedy);
		release_host(&host);
	}
}

static void test_frequency(void **state)
{
	const struct pgb_source_request request = {.rate = {.frequency_hz = 4000}};
	struct pgb_source_plan plan;
	struct pgb_host host;

	(void)state;
	init_host(&host, FAKE_ZEN2, PMU "format/swfilt", "config2:0");
	assert_int_equal(pgb_source_ibs.plan(&host, &request, &plan, NULL), 0);
	assert_int_equal(plan.attrs[0].freq, 1);
	assert_int_equal(plan.attrs[0].sample_freq, 4000);
	release_host(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_frequency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
