/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/source_cost.h"

#include <string.h>

#define CYCLES_PER_SECOND	  3e9
#define NS_PER_SECOND		  1e9
#define INSTRUCTIONS_PER_BRANCH	  10 /* taken ones */
#define OPERATIONS_PER_ANY_BRANCH 5  /* taken or not */

/*
 * An interrupt, what the kernel reads and writes meanwhile, and our own time for the sample
 * (bench/live-throughput).
 */
#define STACK_NS  4000 /* some hundred registers of the CPU */
#define IBS_NS	  2500 /* ten */
#define SAMPLE_NS 1500
#define TIMER_NS  10000 /* measured in a virtual machine, whose timers are dear */
#define SPE_NS	  100	/* no interrupt: ours alone */

/* 0: nobody knows, as of page faults. */
static double events_per_second(const struct pgb_source *source, const char *event)
{
	if (source == &pgb_source_spe)
		return CYCLES_PER_SECOND / OPERATIONS_PER_ANY_BRANCH;
	if (strstr(event, "-clock"))
		return NS_PER_SECOND;
	if (strstr(event, "br") || strstr(event, "c4"))
		return CYCLES_PER_SECOND / INSTRUCTIONS_PER_BRANCH;
	if (source == &pgb_source_ibs || strstr(event, "cycles") || strstr(event, "instructions"))
		return CYCLES_PER_SECOND;
	return 0;
}

static double sample_ns(const struct pgb_source *source, const char *event)
{
	if (strstr(event, "-clock"))
		return TIMER_NS;
	if (source == &pgb_source_lbr)
		return STACK_NS;
	if (source == &pgb_source_ibs)
		return IBS_NS;
	return source == &pgb_source_spe ? SPE_NS : SAMPLE_NS;
}

struct pgb_source_cost pgb_source_cost(const struct pgb_source *source, const char *event,
				       struct pgb_rate rate)
{
	struct pgb_source_cost cost = {.samples_per_second = (double)rate.frequency_hz};

	if (rate.period_events)
		cost.samples_per_second =
			events_per_second(source, event) / (double)rate.period_events;
	cost.percent = cost.samples_per_second * sample_ns(source, event) / NS_PER_SECOND * 100;
	return cost;
}

void pgb_source_cost_describe(const struct pgb_source_cost *cost, struct pgb_text *text)
{
	double unit = 1;

	if (cost->samples_per_second <= 0) {
		pgb_text_add(text, "as much as the event is frequent");
		return;
	}
	/* two digits at most: it is an estimate */
	while (cost->samples_per_second / unit >= 100)
		unit *= 10;
	if (cost->percent < 0.5)
		pgb_text_add(text, "less than 1%");
	else
		pgb_text_addf(text, "about %.0f%%", cost->percent);
	pgb_text_addf(text, " of the CPU time, by some %.0f samples in each second of it",
		      (double)(long)(cost->samples_per_second / unit + 0.5) * unit);
}
