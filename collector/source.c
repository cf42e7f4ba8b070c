/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/source.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/host.h"

const struct pgb_source *const pgb_sources[] = {&pgb_source_lbr, &pgb_source_spe, &pgb_source_walk,
						&pgb_source_ibs, &pgb_source_ip,  NULL};

/* Primes, so that no loop beats in time with them. */
enum {
	PERIOD_CYCLES = 1000003,  /* 3000 to 5000 samples a second on each busy CPU */
	PERIOD_BRANCHES = 100003, /* of taken branches: about as often */
	PERIOD_CLOCK_NS = 250007, /* 4000 samples a second */
};

const struct pgb_source *pgb_source_find(const char *name)
{
	for (const struct pgb_source *const *source = pgb_sources; *source; source++)
		if (strcmp((*source)->name, name) == 0)
			return *source;
	return NULL;
}

static struct pgb_rate default_rate(const struct perf_event_attr *attr, const char *event)
{
	char *canonical = pgb_event_canonical_name(event);
	bool counts_branches = strstr(canonical, "branch") || strstr(canonical, "c4");
	struct pgb_rate rate = {.period_events = PERIOD_CYCLES};

	if (attr->type == PERF_TYPE_SOFTWARE)
		rate.period_events = attr->config == PERF_COUNT_SW_CPU_CLOCK ||
						     attr->config == PERF_COUNT_SW_TASK_CLOCK
					     ? PERIOD_CLOCK_NS
					     : 1;
	else if (counts_branches)
		rate.period_events = PERIOD_BRANCHES;
	free(canonical);
	return rate;
}

static int set_rate(const struct pgb_host *host, const struct pgb_rate *rate,
		    struct perf_event_attr *attr, struct pgb_error *error)
{
	if (rate->period_events && rate->frequency_hz)
		return pgb_fail(error, PGB_E_USAGE,
				"a period (-c) and a frequency (-F) exclude each other");
	if (rate->frequency_hz > host->max_sample_rate) {
		pgb_fail(error, PGB_E_USAGE,
			 "%llu samples a second are more than this kernel's limit of %llu",
			 (unsigned long long)rate->frequency_hz,
			 (unsigned long long)host->max_sample_rate);
		return pgb_remedy(error,
				  "use -F %llu, or as root: "
				  "sysctl kernel.perf_event_max_sample_rate=%llu",
				  (unsigned long long)host->max_sample_rate,
				  (unsigned long long)rate->frequency_hz);
	}
	if (rate->period_events > INT64_MAX)
		return pgb_fail(error, PGB_E_USAGE, "a period of %llu events is too long",
				(unsigned long long)rate->period_events);
	attr->freq = rate->frequency_hz != 0;
	attr->sample_period = attr->freq ? rate->frequency_hz : rate->period_events;
	return PGB_OK;
}

/*
 * A generic event on one PMU. The high half of config names it; Arm's drivers know that from
 * Linux 6.6 on, and before need the PMU's own event.
 */
static void set_pmu(const struct pgb_host *host, const struct pgb_pmu *pmu,
		    struct perf_event_attr *attr)
{
	static const char *const arm_events[] = {
		[PERF_COUNT_HW_CPU_CYCLES] = "cpu_cycles",
		[PERF_COUNT_HW_INSTRUCTIONS] = "inst_retired",
		[PERF_COUNT_HW_BRANCH_INSTRUCTIONS] = "br_retired",
		[PERF_COUNT_HW_BRANCH_MISSES] = "br_mis_pred",
	};
	uint64_t generic = attr->config;

	attr->config |= (uint64_t)pmu->type << 32;
	if (host->vendor == PGB_VENDOR_ARM && !pgb_host_kernel_since(host, 6, 6) &&
	    generic < sizeof(arm_events) / sizeof(arm_events[0]) && arm_events[generic]) {
		char *name = pgb_format("%s/%s/", pmu->name, arm_events[generic]);
		struct perf_event_attr own = {0};

		if (pgb_event_parse(host, name, &own, NULL) == 0) {
			attr->type = own.type;
			attr->config = own.config;
		}
		free(name);
	}
}

/* A generic event counts on one kind of core only, unless it is opened once for each. */
static void expand_to_core_pmus(const struct pgb_host *host, struct pgb_source_plan *plan)
{
	struct perf_event_attr attr = plan->attrs[0];
	size_t count = 0, core_pmus = 0;

	for (size_t i = 0; i < host->pmus.count; i++)
		core_pmus += host->pmus.items[i].is_core;
	if (attr.type != PERF_TYPE_HARDWARE || attr.config >> 32 || core_pmus < 2)
		return;
	for (size_t i = 0; i < host->pmus.count && count < PGB_SOURCE_ATTRS_MAX; i++) {
		if (!host->pmus.items[i].is_core)
			continue;
		plan->attrs[count] = attr;
		set_pmu(host, &host->pmus.items[i], &plan->attrs[count++]);
	}
	plan->attr_count = count;
}

int pgb_source_plan_event(const struct pgb_host *host, const struct pgb_source_request *request,
			  const char *event, struct pgb_source_plan *plan, struct pgb_error *error)
{
	struct perf_event_attr *attr = &plan->attrs[0];
	int result;

	*plan = (struct pgb_source_plan){.attr_count = 1};
	if (request && request->event)
		event = request->event;
	result = pgb_event_parse(host, event, attr, error);
	if (result < 0)
		return result;
	if (request && (request->rate.period_events || request->rate.frequency_hz))
		plan->rate = request->rate;
	else
		plan->rate = default_rate(attr, event);
	result = set_rate(host, &plan->rate, attr, error);
	if (result < 0)
		return result;
	snprintf(plan->event_name, sizeof(plan->event_name), "%s", event);
	attr->size = sizeof(*attr);
	attr->sample_type =
		PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME;
	attr->exclude_kernel = 1;
	attr->exclude_hv = 1;
	attr->exclude_guest = attr->type != PERF_TYPE_SOFTWARE;
	expand_to_core_pmus(host, plan);
	return PGB_OK;
}
