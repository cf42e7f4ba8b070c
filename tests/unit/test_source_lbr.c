/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/source.h"
#include "tests/support/fake_host.h"
#include "tests/support/perf_encode.h"

#define K UINT64_C(0xffffffff81000000)

enum {
	M = 1, /* mispredicted */
	P = 2, /* predicted */
	ABORT = 8,
	RET = 6 << 20,	 /* type: return */
	WRONG = 1 << 24, /* spec: wrong path */
	RIGHT = 3 << 24, /* spec: right path */
};

static const struct perf_event_attr stack_attr = {
	.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
		       PERF_SAMPLE_TIME | PERF_SAMPLE_BRANCH_STACK,
	.branch_sample_type = PERF_SAMPLE_BRANCH_ANY | PERF_SAMPLE_BRANCH_USER,
	.sample_id_all = 1,
};

/* One trace as text: "branch>from..to" with flags M, P, R; no end: "branch>from". */
static void write_trace(void *context, const struct pgb_record *record, uint64_t branch,
			uint64_t from, uint64_t to, unsigned int flags)
{
	struct pgb_text *text = context;

	assert_int_equal(record->pid, 42);
	pgb_text_addf(text, "%s%llx>%llx", text->length ? " " : "", (unsigned long long)branch,
		      (unsigned long long)from);
	if (to != PGB_ADDRESS_NONE)
		pgb_text_addf(text, "..%llx", (unsigned long long)to);
	pgb_text_addf(text, "%s%s%s", flags & PGB_BRANCH_MISPREDICTED ? "M" : "",
		      flags & PGB_BRANCH_PREDICTED ? "P" : "",
		      flags & PGB_BRANCH_RETURN ? "R" : "");
}

/* Encode as the kernel does, parse, decode; what came out as text. */
static char *decode(const struct perf_event_attr *attr, const struct perf_entry *entries,
		    size_t count, bool compat, bool big_endian, struct pgb_source_stats *stats)
{
	static const uint64_t counters[8];
	struct perf_bytes bytes = {.big_endian = big_endian};
	struct perf_sample sample = {
		.who = {.pid = 42, .tid = 43, .time_ns = 1},
		.entries = entries,
		.entry_count = count,
		.hw_index = 7,
		.counters = counters,
	};
	struct pgb_decode_options options = {.compat_perf2bolt = compat};
	struct pgb_record_format format = pgb_record_format_of(attr);
	struct pgb_text text = {0};
	struct pgb_sink sink = {.trace = write_trace, .context = &text};
	struct pgb_cursor cursor;
	struct pgb_record record;

	perf_encode_sample(&bytes, attr, &sample);
	cursor = pgb_cursor_of(bytes.data, bytes.length);
	cursor.big_endian = big_endian;
	format.big_endian = big_endian;
	assert_int_equal(pgb_record_parse(&cursor, &format, &record), 1);
	assert_int_equal(pgb_source_lbr.decode(&record, &options, &sink, stats), 0);
	perf_bytes_release(&bytes);
	return pgb_text_detach(&text);
}

/* Entries are written newest first, as the kernel delivers them. */
static const struct stack_row {
	int line;
	struct perf_entry entries[8];
	const char *traces, *compat; /* compat NULL: the same */
	struct pgb_source_stats stats;
} stack_rows[] = {
	{__LINE__, {{0}}, "", NULL, {.samples = 1, .samples_empty = 1}},
	{__LINE__, {{0x10, 0x20, P}}, "10>20P", NULL, {.samples = 1, .branches = 1}},
	{__LINE__,
	 {{0x30, 0x40, M}, {0x10, 0x20, P}},
	 "30>40M 10>20..30P",
	 NULL,
	 {.samples = 1, .branches = 2}},
	/* no prediction told, a return, the right path */
	{__LINE__,
	 {{0x30, 0x40, 0}, {0x10, 0x20, RET | RIGHT}, {0x8, 0x9, 0x3ff0}},
	 "30>40 10>20..30R 8>9..10",
	 NULL,
	 {.samples = 1, .branches = 3}},
	/* a tight loop: the same entry again and again is no duplicate */
	{__LINE__,
	 {{0x30, 0x20, P}, {0x30, 0x20, P}, {0x30, 0x20, P}},
	 "30>20P 30>20..30P 30>20..30P",
	 NULL,
	 {.samples = 1, .branches = 3}},
	/* the same entry twice where it cannot have followed itself */
	{__LINE__,
	 {{0x30, 0x90, P}, {0x30, 0x90, P}, {0x10, 0x20, P}},
	 "30>90P 10>20..30P",
	 "30>90P 30>90..30P 10>20..30P",
	 {.samples = 1, .branches = 3, .duplicate = 1}},
	/* a system call of two bytes at 0x24: neighbours are joined */
	{__LINE__,
	 {{0x30, 0x40, P}, {K, 0x26, P}, {0x24, K, P}, {0x10, 0x20, P}},
	 "30>40P 10>20..30P",
	 NULL,
	 {.samples = 1, .branches = 4, .kernel = 2}},
	/* an interrupt at 0x24, branches inside the kernel, only its return, only its entry */
	{__LINE__,
	 {{0x30, 0x40, P}, {K, 0x24, P}, {K, K, P}, {0x24, K, P}, {0x10, 0x20, P}},
	 "30>40P 10>20..30P",
	 NULL,
	 {.samples = 1, .branches = 5, .kernel = 3}},
	{__LINE__,
	 {{0x30, 0x40, P}, {K, 0x24, P}, {0x10, 0x20, P}},
	 "30>40P 10>20..30P",
	 NULL,
	 {.samples = 1, .branches = 3, .kernel = 1}},
	{__LINE__,
	 {{0x30, 0x40, P}, {0x24, K, P}, {0x10, 0x20, P}},
	 "30>40P 10>20..30P",
	 NULL,
	 {.samples = 1, .branches = 3, .kernel = 1}},
	/* two interrupts in one range */
	{__LINE__,
	 {{0x50, 0x60, P}, {K, 0x48, P}, {0x48, K, P}, {K, 0x24, P}, {0x24, K, P}, {0x10, 0x20, P}},
	 "50>60P 10>20..50P",
	 NULL,
	 {.samples = 1, .branches = 6, .kernel = 4}},
	/* of the older interrupt only the entry is there */
	{__LINE__,
	 {{0x30, 0x40, P}, {K, 0x24, P}, {0x24, K, P}, {0x2, K, P}, {0x10, 0x1, P}},
	 "30>40P 10>1..30P",
	 NULL,
	 {.samples = 1, .branches = 5, .kernel = 3}},
	/* the kernel went on elsewhere: a signal handler at 0x800 */
	{__LINE__,
	 {{0x830, 0x40, P}, {K, 0x800, P}, {0x24, K, P}, {0x10, 0x20, P}},
	 "830>40P 10>20P",
	 "830>40P 10>20..830P",
	 {.samples = 1, .branches = 4, .kernel = 2, .resumed_elsewhere = 1}},
	{__LINE__,
	 {{0x830, 0x40, P}, {K, 0x8, P}, {0x10, 0x20, P}},
	 "830>40P 10>20P",
	 "830>40P 10>20..830P",
	 {.samples = 1, .branches = 3, .kernel = 1, .resumed_elsewhere = 1}},
	{__LINE__,
	 {{0x30, 0x40, P}, {0x60, K, P}, {0x10, 0x20, P}},
	 "30>40P 10>20P",
	 "30>40P 10>20..30P",
	 {.samples = 1, .branches = 3, .kernel = 1, .resumed_elsewhere = 1}},
	/* kernel entries at both ends of the stack */
	{__LINE__,
	 {{0x24, K, P}, {0x10, 0x20, P}, {K, 0x8, P}},
	 "10>20P",
	 NULL,
	 {.samples = 1, .branches = 3, .kernel = 2}},
	{__LINE__, {{K, K, P}, {K, K, M}}, "", NULL, {.samples = 1, .branches = 2, .kernel = 2}},
	/* the last address below the kernel's, and its first */
	{__LINE__,
	 {{0xffff7fffffffffff, 0xffff7fffffffffff, P}, {0xffff800000000000, 0x10, P}},
	 "ffff7fffffffffff>ffff7fffffffffffP",
	 NULL,
	 {.samples = 1, .branches = 2, .kernel = 1}},
	/* zeros break the chain: an empty entry, half an entry of BRBE */
	{__LINE__,
	 {{0x30, 0x40, P}, {0, 0, 0}, {0x10, 0x20, P}, {0x8, 0x9, P}},
	 "30>40P 10>20P 8>9..10P",
	 "30>40P 0>0..30 10>20..0P 8>9..10P",
	 {.samples = 1, .branches = 4, .zero = 1}},
	{__LINE__,
	 {{0x30, 0x40, P}, {0, 0x28, P}, {0x24, 0, P}, {0x10, 0x20, P}},
	 "30>40P 10>20P",
	 "30>40P 0>28..30P 24>0..0P 10>20..24P",
	 {.samples = 1, .branches = 4, .zero = 2}},
	/* wrong-path entries of AMD, an aborted transaction */
	{__LINE__,
	 {{0x50, 0x60, P}, {0x30, 0x40, P | WRONG}, {0x10, 0x20, P | RIGHT}},
	 "50>60P 10>20P",
	 "50>60P 30>40..50P 10>20..30P",
	 {.samples = 1, .branches = 3, .speculative = 1}},
	{__LINE__,
	 {{0x50, 0x60, P}, {0x30, 0x40, ABORT}, {0x10, 0x20, P}},
	 "50>60P 10>20P",
	 "50>60P 30>40..50 10>20..30P",
	 {.samples = 1, .branches = 3, .aborted = 1}},
	/* a duplicate is a neighbour: not across what broke the chain */
	{__LINE__,
	 {{0x30, 0x90, P}, {0, 0, 0}, {0x30, 0x90, P}},
	 "30>90P 30>90P",
	 "30>90P 0>0..30 30>90..0P",
	 {.samples = 1, .branches = 3, .zero = 1}},
};

static size_t row_length(const struct stack_row *row)
{
	size_t length = 8;

	while (length > 0 && !row->entries[length - 1].from && !row->entries[length - 1].to)
		length--;
	return length;
}

static void decode_row(const struct stack_row *row, const struct perf_event_attr *attr,
		       bool big_endian)
{
	struct pgb_source_stats stats = {0}, compat_stats = {0};
	size_t count = row_length(row);
	char *traces = decode(attr, row->entries, count, false, big_endian, &stats);
	char *compat = decode(attr, row->entries, count, true, big_endian, &compat_stats);

	if (strcmp(traces, row->traces) != 0)
		fail_msg("row of line %d: %s", row->line, traces);
	if (strcmp(compat, row->compat ? row->compat : row->traces) != 0)
		fail_msg("row of line %d, compat: %s", row->line, compat);
	if (memcmp(&stats, &row->stats, sizeof(stats)) != 0)
		fail_msg("row of line %d: other figures", row->line);
	assert_int_equal(compat_stats.branches, row->stats.branches);
	assert_int_equal(compat_stats.kernel, row->stats.kernel);
	free(traces);
	free(compat);
}

static void decodes_stacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stack_rows) / sizeof(stack_rows[0]); i++)
		for (int big_endian = 0; big_endian < 2; big_endian++)
			decode_row(&stack_rows[i], &stack_attr, big_endian);
}

/* What stands around the entries does not matter. */
static void index_and_counters_do_not_matter(void **state)
{
	struct perf_event_attr attr = stack_attr;

	(void)state;
	attr.branch_sample_type |= PERF_SAMPLE_BRANCH_HW_INDEX;
	for (size_t i = 0; i < sizeof(stack_rows) / sizeof(stack_rows[0]); i++)
		decode_row(&stack_rows[i], &attr, false);
	attr.branch_sample_type |= PGB_SAMPLE_BRANCH_COUNTERS;
	for (size_t i = 0; i < sizeof(stack_rows) / sizeof(stack_rows[0]); i++)
		decode_row(&stack_rows[i], &attr, false);
}

static void every_entry_is_accounted_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stack_rows) / sizeof(stack_rows[0]); i++) {
		const struct pgb_source_stats *stats = &stack_rows[i].stats;
		uint64_t traces = 0;

		for (const char *at = stack_rows[i].traces; (at = strchr(at, '>')); at++)
			traces++;
		assert_int_equal(stats->branches, traces + stats->kernel + stats->zero +
							  stats->speculative + stats->aborted +
							  stats->duplicate);
	}
}

/* A count that the entries cannot hold, as a decoder may get from memory of any kind. */
static void a_count_that_cannot_be(void **state)
{
	static const uint8_t bytes[48];
	struct pgb_record record = {
		.type = PERF_RECORD_SAMPLE,
		.stack = {.entries = pgb_cursor_of(bytes, sizeof(bytes))},
	};
	static const uint64_t counts[] = {3, UINT64_MAX / 24, UINT64_MAX / 24 + 2, UINT64_MAX};
	struct pgb_source_stats stats = {0};
	struct pgb_sink sink = {.trace = write_trace};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		record.stack.count = counts[i];
		assert_int_equal(pgb_source_lbr.decode(&record, NULL, &sink, &stats),
				 PGB_E_CORRUPT);
		assert_int_equal(stats.malformed, i + 1);
	}
	assert_int_equal(stats.branches, 0);
}

static const struct plan_row {
	int line;
	enum fake_machine machine;
	struct pgb_source_request request;
	size_t attrs;
	uint32_t type;
	uint64_t config[2], period;
	bool freq;
	unsigned int precise;
	const char *event;
} plan_rows[] = {
	{__LINE__, FAKE_SKYLAKE, {0}, 1, 0, {0}, 1000003, 0, 0, "cycles"},
	{__LINE__, FAKE_SKYLAKE, {"r20c4", {0}}, 1, 4, {0x20c4}, 100003, 0, 0, "r20c4"},
	{__LINE__, FAKE_SKYLAKE, {"cycles:P", {500, 0}}, 1, 0, {0}, 500, 0, 3, "cycles:P"},
	{__LINE__, FAKE_SKYLAKE, {NULL, {0, 2000}}, 1, 0, {0}, 2000, 1, 0, "cycles"},
	{__LINE__, FAKE_SKYLAKE, {"branches", {0}}, 1, 0, {4}, 100003, 0, 0, "branches"},
	{__LINE__, FAKE_ALDERLAKE, {0}, 2, 0, {10ull << 32, 4ull << 32}, 1000003, 0, 0, "cycles"},
	{__LINE__,
	 FAKE_ALDERLAKE,
	 {"cpu_core/cycles/", {0}},
	 1,
	 0,
	 {4ull << 32},
	 1000003,
	 0,
	 0,
	 "cpu_core/cycles/"},
	{__LINE__, FAKE_ZEN4, {0}, 1, 0, {0}, 1000003, 0, 0, "cycles"},
	{__LINE__, FAKE_ZEN4, {"cycles:pp", {0}}, 1, 0, {0}, 1000003, 0, 0, "cycles:pp"},
	{__LINE__, FAKE_ZEN3, {0}, 1, 4, {0xc4}, 100003, 0, 0, "rc4"},
	{__LINE__,
	 FAKE_ZEN3,
	 {"cpu/branch-brs/", {17, 0}},
	 1,
	 4,
	 {0xc4},
	 17,
	 0,
	 0,
	 "cpu/branch-brs/"},
	{__LINE__, FAKE_NEOVERSE, {0}, 1, 0, {0}, 1000003, 0, 0, "cycles"},
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
		if (pgb_source_lbr.plan(&host, &plan_rows[i].request, &plan, &error) != 0)
			fail_msg("row of line %d: %s", plan_rows[i].line, error.message);
		assert_int_equal(plan.attr_count, plan_rows[i].attrs);
		assert_string_equal(plan.event_name, plan_rows[i].event);
		for (size_t j = 0; j < plan.attr_count; j++) {
			const struct perf_event_attr *attr = &plan.attrs[j];

			if (attr->type != plan_rows[i].type ||
			    attr->config != plan_rows[i].config[j] ||
			    attr->sample_period != plan_rows[i].period ||
			    attr->freq != plan_rows[i].freq ||
			    attr->precise_ip != plan_rows[i].precise)
				fail_msg("row of line %d: type %u config %#llx period %llu",
					 plan_rows[i].line, attr->type,
					 (unsigned long long)attr->config,
					 (unsigned long long)attr->sample_period);
			assert_int_equal(attr->branch_sample_type,
					 PERF_SAMPLE_BRANCH_ANY | PERF_SAMPLE_BRANCH_USER);
			assert_int_equal(attr->sample_type, stack_attr.sample_type);
			assert_true(attr->exclude_kernel && attr->exclude_hv);
		}
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static const struct refusal {
	int line;
	enum fake_machine machine;
	const char *path, *text; /* a file changed first, or NULL */
	struct pgb_source_request request;
	int code;
	const char *message, *remedy; /* parts of them */
} refusals[] = {
#define NO_FILE NULL, NULL
	{__LINE__,
	 FAKE_GUEST,
	 NO_FILE,
	 {0},
	 PGB_E_UNSUPPORTED,
	 "no CPU performance counters",
	 "pmu=on"},
	{__LINE__, FAKE_GUEST_PMU, NO_FILE, {0}, PGB_E_UNSUPPORTED, "no branch stack", "lbr=on"},
	{__LINE__, FAKE_ZEN2, NO_FILE, {0}, PGB_E_UNSUPPORTED, "from Zen 3 on", "-s instrument"},
	{__LINE__,
	 FAKE_EMPTY,
	 NO_FILE,
	 {0},
	 PGB_E_UNSUPPORTED,
	 "no perf events",
	 "CONFIG_PERF_EVENTS"},
	{__LINE__,
	 FAKE_ZEN4,
	 "/sys/bus/event_source/devices/cpu/caps/branches",
	 "0",
	 {0},
	 PGB_E_UNSUPPORTED,
	 "has no branch records",
	 "-s"},
	{__LINE__,
	 FAKE_ZEN3,
	 "/sys/bus/event_source/devices/cpu/caps/branches",
	 "0",
	 {0},
	 PGB_E_UNSUPPORTED,
	 "does not offer",
	 "CONFIG_PERF_EVENTS_AMD_BRS"},
	{__LINE__,
	 FAKE_SKYLAKE,
	 "/sys/bus/event_source/devices/cpu/caps/branches",
	 "0",
	 {0},
	 PGB_E_UNSUPPORTED,
	 "no branch records",
	 "caps/branches"},
	{__LINE__,
	 FAKE_NEOVERSE,
	 "/proc/sys/kernel/osrelease",
	 "6.8.0",
	 {0},
	 PGB_E_UNSUPPORTED,
	 "too old",
	 "6.17"},
	{__LINE__,
	 FAKE_NEOVERSE,
	 "/sys/class/dmi/id/sys_vendor",
	 "QEMU",
	 {0},
	 PGB_E_UNSUPPORTED,
	 "virtual machines",
	 "bare metal"},
	{__LINE__,
	 FAKE_SKYLAKE,
	 NO_FILE,
	 {"cpu-clock", {0}},
	 PGB_E_USAGE,
	 "events of the CPU",
	 "-s ip -e cpu-clock"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, {"cylces", {0}}, PGB_E_USAGE, "no such event", "cycles"},
	{__LINE__,
	 FAKE_SKYLAKE,
	 NO_FILE,
	 {NULL, {0, 200000}},
	 PGB_E_USAGE,
	 "limit of 100000",
	 "perf_event_max_sample_rate=200000"},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, {NULL, {1, 1}}, PGB_E_USAGE, "exclude", ""},
	{__LINE__, FAKE_SKYLAKE, NO_FILE, {NULL, {UINT64_MAX, 0}}, PGB_E_USAGE, "too long", ""},
	{__LINE__, FAKE_ZEN3, NO_FILE, {"cycles", {0}}, PGB_E_USAGE, "one event only", "-e rc4"},
	{__LINE__, FAKE_ZEN3, NO_FILE, {NULL, {0, 1000}}, PGB_E_USAGE, "fixed period", "-c 100003"},
	{__LINE__, FAKE_ZEN3, NO_FILE, {NULL, {16, 0}}, PGB_E_USAGE, "above 16", "-c"},
};

static void refuses_with_a_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char *root = fake_root_new(refusals[i].machine);
		struct pgb_source_plan plan;
		struct pgb_error error = {0};
		struct pgb_host host;

		if (refusals[i].path)
			fake_root_write(root, refusals[i].path, refusals[i].text);
		assert_int_equal(pgb_host_init(&host, root, &error), 0);
		if (pgb_source_lbr.plan(&host, &refusals[i].request, &plan, &error) !=
			    refusals[i].code ||
		    !strstr(error.message, refusals[i].message) ||
		    !strstr(error.remedy, refusals[i].remedy))
			fail_msg("row of line %d: %s: %s (%s)", refusals[i].line,
				 pgb_code_name(error.code), error.message, error.remedy);
		pgb_host_release(&host);
		fake_root_remove(root);
		free(root);
	}
}

static void an_old_kernel_for_zen4(void **state)
{
	char *root = fake_root_new(FAKE_ZEN4);
	struct pgb_error error = {0};
	struct pgb_host host;

	(void)state;
	fake_root_write(root, "/proc/sys/kernel/osrelease", "5.15.0-91");
	fake_root_delete(root, "/sys/bus/event_source/devices/cpu/caps/branches");
	assert_int_equal(pgb_host_init(&host, root, &error), 0);
	assert_int_equal(pgb_source_lbr.probe(&host, &error), PGB_E_UNSUPPORTED);
	assert_non_null(strstr(error.message, "too old"));
	assert_non_null(strstr(error.remedy, "6.1"));
	pgb_host_release(&host);
	fake_root_remove(root);
	free(root);
}

/* ---- counted in the stage, or given to the sink one by one */

enum { STACK = 12, COUNTED = PGB_BRANCH_MISPREDICTED | PGB_BRANCH_RETURN };

static void count_one(void *context, const struct pgb_record *record, uint64_t branch,
		      uint64_t from, uint64_t to, unsigned int flags)
{
	struct pgb_edge edge = {.binary = record->pid,
				.kind = flags & COUNTED,
				.branch = branch,
				.from = from,
				.to = to,
				.count = 1};

	pgb_edges_add(context, &edge);
}

static void sum_up(void *context, const struct pgb_edge *edge)
{
	pgb_edges_add(context, edge);
}

static struct pgb_trace_stage *begin_stage(void *context, const struct pgb_record *record)
{
	return pgb_trace_counts_begin(context, record->pid, false);
}

/* Few values, so that all that is odd meets all else. */
static void fill_stack(struct pgb_record_entry *entries, uint64_t *seed)
{
	static const uint64_t addresses[] = {
		0x401000,	0x401000,	0x401010, 0x401020, 0x402000, 0x7fffffffffff,
		0x800000000000, 0xffffffffffff, 0,	  K,	    K + 16,   UINT64_MAX,
	};
	static const uint64_t bits[] = {M, P, P, P, P, P | RET, ABORT, WRONG, RIGHT, 0};
	static const size_t common = 5;

	for (size_t i = 0; i < STACK; i++) {
		bool odd = (*seed = pgb_hash_u64(*seed)) % 8 == 0;
		size_t count = odd ? sizeof(addresses) / sizeof(addresses[0]) : common;

		entries[i].from = addresses[(*seed >> 8) % count];
		entries[i].to = addresses[(*seed >> 16) % count];
		entries[i].bits = odd ? bits[(*seed >> 24) % 10] : P;
	}
}

static void check_same(struct pgb_edges *one_by_one, struct pgb_edges *staged)
{
	size_t count, others;
	const struct pgb_edge *a = pgb_edges_sorted(one_by_one, &count);
	const struct pgb_edge *b = pgb_edges_sorted(staged, &others);

	assert_int_equal(count, others);
	assert_true(count > 100);
	for (size_t i = 0; i < count; i++)
		assert_memory_equal(&a[i], &b[i], sizeof(a[i]));
}

static void counts_what_it_gives_one_by_one(void **state)
{
	(void)state;
	for (int compat = 0; compat < 2; compat++) {
		const struct pgb_decode_options options = {.compat_perf2bolt = compat};
		struct pgb_edges *one_by_one = pgb_edges_new(), *staged = pgb_edges_new();
		const struct pgb_trace_receiver receiver = {.take = sum_up, .context = staged};
		struct pgb_trace_counts *counts = pgb_trace_counts_new(&receiver, COUNTED);
		struct pgb_sink plain = {.trace = count_one, .context = one_by_one};
		struct pgb_sink counting = {.begin = begin_stage, .context = counts};
		struct pgb_source_stats stats[2] = {0};
		uint64_t seed = 1;

		for (size_t i = 0; i < 20000; i++) {
			struct pgb_record_entry entries[STACK];
			struct pgb_record record = {.pid = 42};

			fill_stack(entries, &seed);
			record.stack.count = seed >> 40 & 1 ? STACK : 1;
			record.stack.entries =
				pgb_cursor_of((const uint8_t *)entries, sizeof(entries));
			pgb_source_lbr.decode(&record, &options, &plain, &stats[0]);
			pgb_source_lbr.decode(&record, &options, &counting, &stats[1]);
		}
		pgb_trace_counts_flush(counts);
		assert_memory_equal(&stats[0], &stats[1], sizeof(stats[0]));
		check_same(one_by_one, staged);
		pgb_trace_counts_free(counts);
		pgb_edges_free(one_by_one);
		pgb_edges_free(staged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_stacks),
		cmocka_unit_test(index_and_counters_do_not_matter),
		cmocka_unit_test(every_entry_is_accounted_for),
		cmocka_unit_test(a_count_that_cannot_be),
		cmocka_unit_test(plans_for_each_machine),
		cmocka_unit_test(refuses_with_a_remedy),
		cmocka_unit_test(an_old_kernel_for_zen4),
		cmocka_unit_test(counts_what_it_gives_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
