/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"
#include "tests/support/fake_host.h"

enum { BYTES_MAX = 256 };

/* ---- decoding */

static void write_trace(void *context, const struct pgb_record *record, uint64_t branch,
			uint64_t from, uint64_t to, unsigned int flags)
{
	struct pgb_text *text = context;

	pgb_text_addf(text, "%s%u/%u:", text->length ? " " : "", record->pid, record->tid);
	if (branch == PGB_ADDRESS_NONE)
		pgb_text_addf(text, "%llx..%llx", (unsigned long long)from, (unsigned long long)to);
	else if (from == PGB_ADDRESS_NONE)
		pgb_text_addf(text, "%llx>?", (unsigned long long)branch);
	else
		pgb_text_addf(text, "%llx>%llx", (unsigned long long)branch,
			      (unsigned long long)from);
	pgb_text_addf(text, "%s%s%s%s", flags & PGB_BRANCH_MISPREDICTED ? "M" : "",
		      flags & PGB_BRANCH_PREDICTED ? "P" : "",
		      flags & PGB_BRANCH_NOT_TAKEN ? "N" : "",
		      flags & PGB_BRANCH_RETURN ? "R" : "");
}

static void write_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	struct pgb_text *text = context;

	pgb_text_addf(text, "%s%u/%u:%llx", text->length ? " " : "", record->pid, record->tid,
		      (unsigned long long)address);
}

/* Threads 100 to 199 are of process 100. */
static uint32_t process_of(void *context, uint32_t tid)
{
	(void)context;
	return tid >= 100 && tid < 200 ? 100 : 0;
}

/* On CPU 2, from 1000 ns on, thread 33 of process 30 ran. */
static bool thread_at(void *context, uint32_t cpu, uint64_t time_ns, struct pgb_switch *thread)
{
	(void)context;
	*thread = (struct pgb_switch){.pid = 30, .tid = 33};
	return cpu == 2 && time_ns >= 1000;
}

static struct pgb_cursor bytes_of(const char *text, uint8_t *bytes)
{
	size_t count = 0;

	for (char *end; count < BYTES_MAX; text = end) {
		text += strspn(text, " ");
		bytes[count] = (uint8_t)strtoul(text, &end, 16);
		if (end == text)
			break;
		count++;
	}
	return pgb_cursor_of(bytes, count);
}

/* Addresses of user space end in "00 80"; of the kernel in "ff a0" (EL1) or "ff c0" (EL2). */
#define USER(header, low) header " " low " 00 00 00 00 00 80 "
#define PC		  USER("b0", "00 10")
#define TARGET		  USER("b1", "00 20")
#define PBT		  USER("b4", "00 08")
#define TAKEN		  "52 02 00 "
#define NOT_TAKEN	  "52 42 00 "
#define B_COND		  "4a 01 "
#define END		  "01 "

static const struct decode_row {
	int line;
	const char *bytes, *text;
	struct pgb_source_stats stats;
	bool of_cpu;
	uint64_t flags, missing_bytes;
} decode_rows[] = {
	{__LINE__, "", "", {0}, false, 0, 0},
	{__LINE__,
	 PC B_COND TAKEN TARGET END,
	 "7/8:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND "52 82 00 " TARGET END,
	 "7/8:1000>2000M",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	/* not taken: behind the branch, whatever the packet says */
	{__LINE__,
	 PC B_COND NOT_TAKEN USER("b1", "04 10") END,
	 "7/8:1000>1004PN",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND NOT_TAKEN END,
	 "7/8:1000>1004PN",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND "52 c2 00 " END,
	 "7/8:1000>1004MN",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	/* a return, where it is told; where it is not it is just indirect */
	{__LINE__,
	 PC "4a 12 " TAKEN TARGET END,
	 "7/8:1000>2000PR",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC "4a 02 " TAKEN TARGET END,
	 "7/8:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	/* nothing told of its prediction, its target */
	{__LINE__, PC "4a 00 " TARGET END, "7/8:1000>2000", {.samples = 1, .branches = 1}, 0, 0, 0},
	{__LINE__, PC "4a 00 " TAKEN END, "7/8:1000>?P", {.samples = 1, .branches = 1}, 0, 0, 0},
	{__LINE__, PC TAKEN TARGET END, "7/8:1000>2000P", {.samples = 1, .branches = 1}, 0, 0, 0},
	/* from the target of the branch before */
	{__LINE__,
	 PC B_COND TAKEN TARGET PBT END,
	 "7/8:1000>2000P 7/8:800..1000",
	 {.samples = 1, .branches = 1, .ranges = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND NOT_TAKEN PBT END,
	 "7/8:1000>1004PN 7/8:800..1000",
	 {.samples = 1, .branches = 1, .ranges = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND TAKEN TARGET USER("b4", "00 10") END,
	 "7/8:1000>2000P 7/8:1000..1000",
	 {.samples = 1, .branches = 1, .ranges = 1},
	 0,
	 0,
	 0},
	/* which cannot be: behind it; in the kernel; zero */
	{__LINE__,
	 PC B_COND TAKEN TARGET USER("b4", "04 10") END,
	 "7/8:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND TAKEN TARGET "b4 00 08 00 00 00 00 ff a0 " END,
	 "7/8:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND TAKEN TARGET USER("b4", "00 00") END,
	 "7/8:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	/* no branches */
	{__LINE__, PC "48 00 " TAKEN END, "7/8:1000", {.samples = 1, .operations = 1}, 0, 0, 0},
	{__LINE__, PC "49 01 " TAKEN END, "7/8:1000", {.samples = 1, .operations = 1}, 0, 0, 0},
	{__LINE__, PC END, "7/8:1000", {.samples = 1, .operations = 1}, 0, 0, 0},
	/* dropped: the kernel at either end, zero, never retired, no address */
	{__LINE__,
	 "b0 00 10 00 00 00 00 ff a0 " B_COND TAKEN TARGET END,
	 "",
	 {.samples = 1, .branches = 1, .kernel = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND TAKEN "b1 00 10 00 00 00 00 ff c0 " END,
	 "",
	 {.samples = 1, .branches = 1, .kernel = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 "b0 00 10 00 00 00 00 80 80 " B_COND TAKEN TARGET END,
	 "",
	 {.samples = 1, .branches = 1, .kernel = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 USER("b0", "00 00") B_COND TAKEN TARGET END,
	 "",
	 {.samples = 1, .branches = 1, .zero = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND TAKEN USER("b1", "00 00") END,
	 "",
	 {.samples = 1, .branches = 1, .zero = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC B_COND "52 00 00 " TARGET END,
	 "",
	 {.samples = 1, .branches = 1, .speculative = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC "48 00 42 00 " END,
	 "",
	 {.samples = 1, .operations = 1, .speculative = 1},
	 0,
	 0,
	 0},
	{__LINE__, B_COND TAKEN TARGET END, "", {.samples = 1, .malformed = 1}, 0, 0, 0},
	/* whose: by the context, where that is known; else whose the piece is, if anybody's */
	{__LINE__,
	 PC "64 7b 00 00 00 " B_COND TAKEN TARGET END,
	 "100/123:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC "64 7b 00 00 00 " B_COND TAKEN TARGET END,
	 "100/123:1000>2000P",
	 {.samples = 1, .branches = 1},
	 true,
	 0,
	 0},
	{__LINE__,
	 PC "65 09 00 00 00 " B_COND TAKEN TARGET END,
	 "7/8:1000>2000P",
	 {.samples = 1, .branches = 1},
	 0,
	 0,
	 0},
	{__LINE__,
	 PC "65 09 00 00 00 " B_COND TAKEN TARGET END,
	 "",
	 {.samples = 1, .branches = 1, .ownerless = 1},
	 true,
	 0,
	 0},
	{__LINE__,
	 PC B_COND TAKEN TARGET END,
	 "",
	 {.samples = 1, .branches = 1, .ownerless = 1},
	 true,
	 0,
	 0},
	{__LINE__,
	 PC "64 7b 00 00 00 " END PC END PC "64 64 00 00 00 " END,
	 "100/123:1000 7/8:1000 100/100:1000",
	 {.samples = 3, .operations = 3},
	 0,
	 0,
	 0},
	/* bytes that are no packets; a record without end */
	{__LINE__,
	 PC "ff ff " END PC END,
	 "7/8:1000",
	 {.samples = 1, .operations = 1, .malformed = 1, .aux_bad_bytes = 2},
	 0,
	 0,
	 0},
	{__LINE__, PC END PC, "7/8:1000", {.samples = 1, .operations = 1, .malformed = 1}, 0, 0, 0},
	/* what the kernel says of the piece */
	{__LINE__,
	 PC END,
	 "7/8:1000",
	 {.samples = 1, .operations = 1, .aux_collided = 1},
	 0,
	 PERF_AUX_FLAG_COLLISION,
	 0},
	{__LINE__,
	 PC END,
	 "7/8:1000",
	 {.samples = 1, .operations = 1, .aux_truncated = 1},
	 0,
	 PERF_AUX_FLAG_TRUNCATED,
	 0},
	{__LINE__,
	 PC END,
	 "7/8:1000",
	 {.samples = 1, .operations = 1, .aux_gaps = 1},
	 0,
	 PERF_AUX_FLAG_PARTIAL,
	 0},
	{__LINE__, PC END, "7/8:1000", {.samples = 1, .operations = 1, .aux_gaps = 1}, 0, 0, 64},
	{__LINE__, "", "", {.aux_gaps = 1, .aux_truncated = 1}, 0, PERF_AUX_FLAG_TRUNCATED, 64},
};

/* A tick is 10 ns. */
static const struct time_row {
	int line;
	const char *bytes, *text;
	uint32_t cpu;
	bool of_cpu, has_ticks, has_switches;
	uint64_t ownerless;
} time_rows[] = {
	{__LINE__, PC "71 64 00 00 00 00 00 00 00", "30/33:1000", 2, 1, 1, 1, 0},
	{__LINE__, PC "71 63 00 00 00 00 00 00 00", "", 2, 1, 1, 1, 1},
	{__LINE__, PC "71 64 00 00 00 00 00 00 00", "", 1, 1, 1, 1, 1},
	/* without a time, or a clock, or switches */
	{__LINE__, PC END, "", 2, 1, 1, 1, 1},
	{__LINE__, PC "71 64 00 00 00 00 00 00 00", "", 2, 1, 0, 1, 1},
	{__LINE__, PC "71 64 00 00 00 00 00 00 00", "", 2, 1, 1, 0, 1},
	/* a context packet knows better, where somebody knows its thread */
	{__LINE__, "64 6e 00 00 00 " PC "71 64 00 00 00 00 00 00 00", "100/110:1000", 2, 1, 1, 1,
	 0},
	{__LINE__, "64 05 00 00 00 " PC "71 64 00 00 00 00 00 00 00", "30/33:1000", 2, 1, 1, 1, 0},
	/* of a thread's own event it is told */
	{__LINE__, PC "71 64 00 00 00 00 00 00 00", "7/8:1000", 2, 0, 1, 1, 0},
};

static void test_owner_by_time(void **state)
{
	static const struct pgb_ticks ticks = {.zero_ns = 0, .multiplier = 40, .shift = 2};

	(void)state;
	for (size_t i = 0; i < sizeof(time_rows) / sizeof(time_rows[0]); i++) {
		const struct time_row *row = &time_rows[i];
		uint8_t bytes[BYTES_MAX];
		struct pgb_record record = {
			.type = PERF_RECORD_AUX, .pid = 7, .tid = 8, .cpu = row->cpu};
		struct pgb_source_stats stats = {0};
		struct pgb_text text = {0};
		struct pgb_sink sink = {.trace = write_trace,
					.ip = write_ip,
					.process_of = process_of,
					.thread_at = row->has_switches ? thread_at : NULL,
					.context = &text};

		record.aux_bytes = bytes_of(row->bytes, bytes);
		record.aux.size_bytes = pgb_cursor_left(&record.aux_bytes);
		record.aux_of_cpu = row->of_cpu;
		record.aux_ticks = row->has_ticks ? &ticks : NULL;
		assert_int_equal(pgb_source_spe.decode(&record, NULL, &sink, &stats), 0);
		if (strcmp(pgb_text_string(&text), row->text) != 0 ||
		    stats.ownerless != row->ownerless)
			fail_msg("line %d: '%s'", row->line, pgb_text_string(&text));
		pgb_text_release(&text);
	}
}

static void test_ticks(void **state)
{
	/* 24 MHz, as an arm64 kernel has it after a month */
	const struct pgb_ticks ticks = {
		.zero_ns = (uint64_t)-1000, .multiplier = 0xa6aaaaab, .shift = 26};
	uint64_t month = UINT64_C(30) * 86400 * 24000000;

	(void)state;
	assert_true(pgb_ticks_to_ns(&ticks, 0) == (uint64_t)-1000);
	assert_true(pgb_ticks_to_ns(&ticks, 24) == 0);
	assert_true(pgb_ticks_to_ns(&ticks, month + 24) - pgb_ticks_to_ns(&ticks, month) == 1000);
	assert_true(pgb_ticks_to_ns(&ticks, month) / 1000000 > UINT64_C(2591999999));
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decode_rows) / sizeof(decode_rows[0]); i++) {
		const struct decode_row *row = &decode_rows[i];
		uint8_t bytes[BYTES_MAX];
		struct pgb_record record = {.type = PERF_RECORD_AUX, .pid = 7, .tid = 8};
		struct pgb_source_stats stats = {0};
		struct pgb_text text = {0};
		struct pgb_sink sink = {.trace = write_trace,
					.ip = write_ip,
					.process_of = process_of,
					.context = &text};
		int code;

		record.aux_bytes = bytes_of(row->bytes, bytes);
		record.aux.size_bytes = pgb_cursor_left(&record.aux_bytes) + row->missing_bytes;
		record.aux.flags = row->flags;
		record.aux_of_cpu = row->of_cpu;
		code = pgb_source_spe.decode(&record, NULL, &sink, &stats);
		if (strcmp(pgb_text_string(&text), row->text) != 0 ||
		    memcmp(&stats, &row->stats, sizeof(stats)) != 0 ||
		    (code != 0 && stats.malformed == 0))
			fail_msg("line %d: '%s', code %d, or its counts differ", row->line,
				 pgb_text_string(&text), code);
		pgb_text_release(&text);
	}
}

/* ---- asking for it */

static void test_plan(void **state)
{
	char *root = fake_root_new(FAKE_NEOVERSE);
	struct pgb_source_plan plan;
	struct pgb_host host;

	(void)state;
	assert_int_equal(pgb_host_init(&host, root, NULL), 0);
	assert_int_equal(pgb_source_spe.plan(&host, NULL, &plan, NULL), 0);
	assert_int_equal(plan.attr_count, 1);
	assert_string_equal(plan.event_name,
			    "arm_spe_0/branch_filter=1,event_filter=0x2,jitter=1,ts_enable=1/");
	assert_int_equal(plan.attrs[0].type, 9);
	assert_true(plan.attrs[0].config == (UINT64_C(1) << 32 | UINT64_C(1) << 16 | UINT64_C(1)));
	assert_true(plan.attrs[0].config1 == 2);
	assert_int_equal(plan.attrs[0].sample_period, 64256);
	assert_int_equal(plan.attrs[0].freq, 0);
	assert_int_equal(plan.attrs[0].exclude_kernel, 1);
	assert_true(plan.attrs[0].sample_type & PERF_SAMPLE_CPU);
	pgb_host_release(&host);
	fake_root_remove(root);
	free(root);
}

static const struct refusal {
	int line;
	enum fake_machine machine;
	struct pgb_source_request request;
	int code;
	const char *message, *remedy;
} refusals[] = {
	{__LINE__,
	 FAKE_NEOVERSE,
	 {.rate = {.frequency_hz = 999}},
	 PGB_E_USAGE,
	 "not a frequency",
	 "-c 64256"},
	{__LINE__,
	 FAKE_NEOVERSE,
	 {.rate = {.period_events = 100}},
	 PGB_E_USAGE,
	 "256 to 16777215",
	 "-c 64256"},
	{__LINE__,
	 FAKE_NEOVERSE,
	 {.rate = {.period_events = 1 << 24}},
	 PGB_E_USAGE,
	 "256 to 16777215",
	 "-c 64256"},
	{__LINE__,
	 FAKE_NEOVERSE,
	 {.event = "cycles"},
	 PGB_E_USAGE,
	 "not one of arm_spe",
	 "leave -e out"},
	{__LINE__,
	 FAKE_NEOVERSE,
	 {.event = "arm_spe_0/nonsense=1/"},
	 PGB_E_USAGE,
	 "nonsense",
	 "fields"},
	{__LINE__, FAKE_BIG_LITTLE, {0}, PGB_E_UNSUPPORTED, "arm_spe_0", "CONFIG_ARM_SPE_PMU"},
	{__LINE__, FAKE_ZEN4, {0}, PGB_E_UNSUPPORTED, "is Arm's", "-s walk"},
	{__LINE__, FAKE_EMPTY, {0}, PGB_E_UNSUPPORTED, "perf events", ""},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *row = &refusals[i];
		struct pgb_source_plan plan;
		char *root = fake_root_new(row->machine);
		struct pgb_error error = {0};
		struct pgb_host host;
		int code;

		assert_int_equal(pgb_host_init(&host, root, NULL), 0);
		code = pgb_source_spe.plan(&host, &row->request, &plan, &error);
		if (code != row->code || strstr(error.message, row->message) == NULL ||
		    strstr(error.remedy, row->remedy) == NULL)
			fail_msg("line %d: %d, '%s', '%s'", row->line, code, error.message,
				 error.remedy);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

/* Cores of two kinds have a PMU each. */
static void test_clusters(void **state)
{
	char *root = fake_root_new(FAKE_NEOVERSE);
	struct pgb_source_plan plan;
	struct pgb_host host;

	(void)state;
	fake_root_write(root, "/sys/bus/event_source/devices/arm_spe_1/type", "13");
	fake_root_write(root, "/sys/bus/event_source/devices/arm_spe_1/cpumask", "2-3");
	assert_int_equal(pgb_host_init(&host, root, NULL), 0);
	assert_int_equal(pgb_source_spe.plan(&host, NULL, &plan, NULL), 0);
	assert_int_equal(plan.attr_count, 2);
	assert_int_equal(plan.attrs[1].type, 13);
	assert_true(plan.attrs[1].config == plan.attrs[0].config);
	pgb_host_release(&host);
	fake_root_remove(root);
	free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),	 cmocka_unit_test(test_owner_by_time),
		cmocka_unit_test(test_ticks),	 cmocka_unit_test(test_plan),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_clusters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
