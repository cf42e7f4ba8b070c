/* SPDX-License-Identifier: MIT */
/* Plain samples: where the program was. Works wherever perf_event_open does. */
#include <limits.h>

#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"

static int probe_ip(const struct pgb_host *host, struct pgb_error *error)
{
	if (host->perf_paranoid != INT_MAX)
		return PGB_OK;
	pgb_fail(error, PGB_E_UNSUPPORTED, "this kernel has no perf events");
	return pgb_remedy(error, "a kernel with CONFIG_PERF_EVENTS, or -s instrument");
}

static int plan_ip(const struct pgb_host *host, const struct pgb_source_request *request,
		   struct pgb_source_plan *plan, struct pgb_error *error)
{
	int result = probe_ip(host, error);

	if (result < 0)
		return result;
	return pgb_source_plan_event(
		host, request, pgb_host_has_core_pmu(host) ? "cycles" : "cpu-clock", plan, error);
}

static int decode_ip(const struct pgb_record *record, const struct pgb_decode_options *options,
		     const struct pgb_sink *sink, struct pgb_source_stats *stats)
{
	unsigned int mode = record->misc & PERF_RECORD_MISC_CPUMODE_MASK;

	(void)options;
	stats->samples++;
	if (mode == PERF_RECORD_MISC_KERNEL || record->ip >= PGB_KERNEL_ADDRESS)
		stats->kernel++;
	else if (record->ip == 0)
		stats->zero++;
	else
		sink->ip(sink->context, record, record->ip);
	return PGB_OK;
}

const struct pgb_source pgb_source_ip = {
	.name = "ip",
	.summary = "plain samples of the instruction pointer, cycles or cpu-clock",
	.has_branches = false,
	.probe = probe_ip,
	.plan = plan_ip,
	.decode = decode_ip,
};
