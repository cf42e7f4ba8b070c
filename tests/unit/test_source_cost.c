/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/collector/source_cost.h"

static const struct row {
	int line;
	const struct pgb_source *source;
	const char *event;
	struct pgb_rate rate;
	const char *text;
} rows[] = {
	{__LINE__, &pgb_source_lbr, "cycles", {.period_events = 1000003}, "about 1% .. some 3000 "},
	{__LINE__,
	 &pgb_source_lbr,
	 "cpu/branch-brs/",
	 {.period_events = 100003},
	 "about 1% .. some 3000 "},
	{__LINE__, &pgb_source_lbr, "r20c4", {.period_events = 10007}, "about 12% .. some 30000 "},
	{__LINE__, &pgb_source_lbr, "cycles", {.period_events = 10000019}, "less .. some 300 "},
	{__LINE__, &pgb_source_lbr, "cycles", {.frequency_hz = 999}, "less .. some 1000 "},
	{__LINE__,
	 &pgb_source_ibs,
	 "ibs_op/cnt_ctl=1/",
	 {.period_events = 240208},
	 "about 3% .. some 12000 "},
	{__LINE__,
	 &pgb_source_spe,
	 "arm_spe_0/branch_filter=1/",
	 {.period_events = 64256},
	 "less .. some 9300 "},
	{__LINE__,
	 &pgb_source_ip,
	 "cpu-clock",
	 {.period_events = 250007},
	 "about 4% .. some 4000 "},
	{__LINE__, &pgb_source_ip, "cpu-clock", {.period_events = 2000000000}, "less .. some 1 "},
	{__LINE__, &pgb_source_ip, "page-faults", {.period_events = 1}, "frequent"},
};

/* Does `text` have these parts, in this order? */
static bool has(const char *text, const char *parts)
{
	const char *gap = strstr(parts, " .. ");
	char first[64];

	if (gap == NULL)
		return strstr(text, parts) != NULL;
	memcpy(first, parts, (size_t)(gap - parts));
	first[gap - parts] = '\0';
	return strncmp(text, first, strlen(first)) == 0 && strstr(text, gap + 4) != NULL;
}

static void what_it_costs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct pgb_source_cost cost = pgb_source_cost(row->source, row->event, row->rate);
		struct pgb_text text = {0};

		pgb_source_cost_describe(&cost, &text);
		if (!has(pgb_text_string(&text), row->text))
			fail_msg("line %d: %s", row->line, pgb_text_string(&text));
		pgb_text_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_it_costs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
