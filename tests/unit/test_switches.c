/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pgobolt/collector/switches.h"

enum step { OUT, IN, LOST, AUX, ASK, NOBODY };

enum { CPU_OTHER = 3, SOON = 1000 };

/* One life of some CPUs: at `time_ns` `pid` goes or comes, for or from `other`. */
static const struct row {
	int line;
	enum step step;
	uint32_t cpu;
	uint64_t time_ns;
	uint32_t pid, other;
} rows[] = {
	{__LINE__, NOBODY, 0, 5, 0, 0},
	{__LINE__, NOBODY, UINT32_MAX, 5, 0, 0},
	/* the first one tells who ran before it, too */
	{__LINE__, OUT, 0, 100, 7, 8},
	{__LINE__, ASK, 0, 0, 7, 0},
	{__LINE__, ASK, 0, 99, 7, 0},
	{__LINE__, ASK, 0, 100, 8, 0},
	{__LINE__, IN, 0, 101, 8, 7},
	{__LINE__, ASK, 0, 500, 8, 0},
	/* idle, and a thread that is gone */
	{__LINE__, OUT, 0, 200, 8, 0},
	{__LINE__, ASK, 0, 199, 8, 0},
	{__LINE__, NOBODY, 0, 200, 0, 0},
	{__LINE__, OUT, 0, 300, UINT32_MAX, 9},
	{__LINE__, ASK, 0, 300, 9, 0},
	{__LINE__, OUT, 0, 400, 9, UINT32_MAX},
	{__LINE__, NOBODY, 0, 400, 0, 0},
	{__LINE__, IN, 0, 410, 10, UINT32_MAX},
	/* of another CPU nothing is known; who came first there came at a time */
	{__LINE__, NOBODY, CPU_OTHER, 410, 0, 0},
	{__LINE__, IN, CPU_OTHER, 420, 11, 0},
	{__LINE__, NOBODY, CPU_OTHER, 419, 0, 0},
	{__LINE__, ASK, CPU_OTHER, 420, 11, 0},
	{__LINE__, ASK, 0, 430, 10, 0},
	/* a record that went back in time */
	{__LINE__, OUT, 0, 405, 10, 12},
	{__LINE__, ASK, 0, 410, 12, 0},
	/* what was lost may have been switches */
	{__LINE__, LOST, 0, 600, 0, 0},
	{__LINE__, NOBODY, 0, 450, 0, 0},
	{__LINE__, NOBODY, 0, 600, 0, 0},
	{__LINE__, OUT, 0, 700, 12, 13},
	{__LINE__, NOBODY, 0, 699, 0, 0},
	{__LINE__, ASK, 0, 700, 13, 0},
	{__LINE__, ASK, 0, 350, 9, 0},
	{__LINE__, LOST, 5, 600, 0, 0},
	{__LINE__, OUT, 5, 700, 12, 13},
	{__LINE__, NOBODY, 5, 10, 0, 0},
	/* a piece in two parts keeps what is before its start; the next one lets go of it */
	{__LINE__, OUT, 0, 800, 13, 14},
	{__LINE__, AUX, 0, 750, 0, 0},
	{__LINE__, AUX, 0, 750, 0, 0},
	{__LINE__, ASK, 0, 350, 9, 0},
	{__LINE__, AUX, 0, 900, 0, 0},
	{__LINE__, NOBODY, 0, 350, 0, 0},
	{__LINE__, ASK, 0, 750, 13, 0},
	{__LINE__, ASK, 0, 800, 14, 0},
	{__LINE__, AUX, 0, 950, 0, 0},
	{__LINE__, ASK, 0, 960, 14, 0},
	{__LINE__, NOBODY, 0, 750, 0, 0},
};

static struct pgb_record record_of(const struct row *row)
{
	struct pgb_record record = {.type = PERF_RECORD_SWITCH_CPU_WIDE,
				    .cpu = row->cpu,
				    .time_ns = row->time_ns,
				    .pid = row->pid,
				    .tid = row->pid};

	record.other.pid = record.other.tid = row->other;
	if (row->step == LOST)
		record.type = PERF_RECORD_LOST;
	else if (row->step == AUX)
		record.type = PERF_RECORD_AUX;
	else if (row->step == OUT)
		record.misc = PERF_RECORD_MISC_SWITCH_OUT;
	return record;
}

static void one_life(void **state)
{
	struct pgb_switches switches = {{0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct pgb_record record = record_of(row);
		struct pgb_switch thread = {0};
		bool found;

		if (row->step < ASK) {
			pgb_switches_take(&switches, &record);
			continue;
		}
		found = pgb_switches_find(&switches, row->cpu, row->time_ns, &thread);
		if (found != (row->step == ASK) || (found && thread.pid != row->pid))
			fail_msg("line %d: %s %u", row->line, found ? "ran" : "none,", thread.pid);
	}
	pgb_switches_release(&switches);
}

/* However many there are: the latest are kept, and of the others it is not claimed that one ran. */
static void memory_is_bounded(void **state)
{
	struct pgb_switches switches = {{0}};
	struct pgb_record record = {.type = PERF_RECORD_SWITCH_CPU_WIDE, .pid = 1, .tid = 1};
	struct pgb_switch thread;

	(void)state;
	for (uint64_t i = 0; i < 1000000; i++) {
		record.time_ns = SOON + i;
		pgb_switches_take(&switches, &record);
	}
	record.cpu = UINT32_MAX;
	pgb_switches_take(&switches, &record);
	assert_int_equal(switches.cpus.count, 1);
	assert_true(switches.cpus.items[0].items.count <= 1 << 18);
	assert_true(pgb_switches_find(&switches, 0, SOON + 999999, &thread));
	assert_false(pgb_switches_find(&switches, 0, SOON + 5, &thread));
	pgb_switches_release(&switches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_life),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
