/* SPDX-License-Identifier: MIT */
/*
 * AMD's Instruction Based Sampling of ops: every so many dispatched ops the registers of one of
 * them; one in five or so is a branch. Kernel and CPU differ in what they offer: format/ and caps/
 * of the PMU tell.
 *
 * Source: arch/x86/events/amd/ibs.c; Documentation of perf-amd-ibs(1).
 */
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/ibs_sample.h"
#include "pgobolt/collector/source.h"

#define PMU_NAME      "ibs_op"
#define OTHER_SOURCES "-s walk (on any machine), -s instrument (exact counts), or -s ip"

enum {
	/* Ops between samples: 16 times a prime. */
	PERIOD_OPS = 240208,
	PERIOD_UNIT = 16,
	PERIOD_MIN = 0x90,		 /* newer kernels refuse less */
	PERIOD_MAX = 0xffff0,		 /* 16 bits of units .. */
	PERIOD_MAX_EXTENDED = 0x7fffff0, /* .. or 23, where the CPU has them */
};

static bool has_format(const struct pgb_host *host, const char *field)
{
	const struct pgb_pmu *pmu = pgb_host_find_pmu(host, PMU_NAME);
	struct perf_event_attr ignored = {0};

	return pgb_host_set_format(host, pmu, &ignored, field, 1);
}

/* Linux 6.14 leaves the kernel's samples out when asked to; before, that is up to us. */
static bool kernel_filters(const struct pgb_host *host)
{
	return has_format(host, "swfilt");
}

static int probe_ibs(const struct pgb_host *host, struct pgb_error *error)
{
	int result = pgb_source_ip.probe(host, error);

	if (result < 0)
		return result;
	if (host->vendor != PGB_VENDOR_AMD) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "instruction-based sampling (IBS) is AMD's: %s has none", host->cpu_name);
		return pgb_remedy(error, "use " OTHER_SOURCES);
	}
	if (pgb_host_find_pmu(host, PMU_NAME) == NULL) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 host->is_virtual
				 ? "this virtual machine is not given instruction-based sampling "
				   "(IBS)"
				 : "the kernel offers no instruction-based sampling (" PMU_NAME
				   ")");
		return pgb_remedy(error, "it needs bare metal and CONFIG_PERF_EVENTS_AMD_IBS; "
					 "or use " OTHER_SOURCES);
	}
	if (kernel_filters(host) || host->perf_paranoid <= 1 || host->has_perfmon)
		return PGB_OK;
	pgb_fail(
		error, PGB_E_PERMISSION,
		"instruction-based sampling (IBS) sees the kernel, too, before Linux 6.14 (this is "
		"%s): that needs kernel.perf_event_paranoid at 1 or below, and it is %d",
		host->kernel_release, host->perf_paranoid);
	return pgb_remedy(error,
			  "sudo sysctl kernel.perf_event_paranoid=1; or give the tool the "
			  "capability: sudo setcap cap_perfmon+ep \"$(command -v pgobolt)\"");
}

static uint64_t longest_period(const struct pgb_host *host)
{
	/* Zen 2 and all after it; the kernel does not tell. */
	return host->family >= 0x19 || (host->family == 0x17 && host->model >= 0x30)
		       ? PERIOD_MAX_EXTENDED
		       : PERIOD_MAX;
}

static int check_event(const struct pgb_host *host, const struct pgb_source_plan *plan,
		       struct pgb_error *error)
{
	const struct perf_event_attr *attr = &plan->attrs[0];
	const struct pgb_pmu *pmu = pgb_host_find_pmu_type(host, attr->type);
	uint64_t most = longest_period(host), period = attr->sample_period;

	if (pmu == NULL || strcmp(pmu->name, PMU_NAME) != 0) {
		pgb_fail(error, PGB_E_USAGE, "event '%s' is not one of " PMU_NAME,
			 plan->event_name);
		return pgb_remedy(error, "leave -e out, or write -e " PMU_NAME "/cnt_ctl=1/");
	}
	if (attr->freq)
		return PGB_OK;
	if (period >= PERIOD_MIN && period <= most && period % PERIOD_UNIT == 0)
		return PGB_OK;
	pgb_fail(error, PGB_E_USAGE,
		 "instruction-based sampling (IBS) has periods from %d to %llu, in steps of %d",
		 PERIOD_MIN, (unsigned long long)most, PERIOD_UNIT);
	period -= period % PERIOD_UNIT;
	period = period < PERIOD_MIN ? PERIOD_MIN : period > most ? most : period;
	return pgb_remedy(error, "use -c %llu", (unsigned long long)period);
}

static int plan_ibs(const struct pgb_host *host, const struct pgb_source_request *request,
		    struct pgb_source_plan *plan, struct pgb_error *error)
{
	struct pgb_source_request wanted = {0};
	struct perf_event_attr *attr = &plan->attrs[0];
	char event[64];
	int result = probe_ibs(host, error);

	if (result < 0)
		return result;
	if (request)
		wanted = *request;
	if (wanted.rate.period_events == 0 && wanted.rate.frequency_hz == 0)
		wanted.rate.period_events = PERIOD_OPS;
	/* Counting cycles would prefer ops that wait. */
	snprintf(event, sizeof(event), PMU_NAME "/%s%s%s/",
		 has_format(host, "cnt_ctl") ? "cnt_ctl=1" : "",
		 has_format(host, "cnt_ctl") && kernel_filters(host) ? "," : "",
		 kernel_filters(host) ? "swfilt=1" : "");
	result = pgb_source_plan_event(host, &wanted, event, plan, error);
	if (result == PGB_OK)
		result = check_event(host, plan, error);
	if (result < 0)
		return result;
	attr->sample_type |= PERF_SAMPLE_RAW;
	attr->exclude_guest = 0; /* refused */
	attr->exclude_kernel = attr->exclude_hv = kernel_filters(host);
	attr->precise_ip = 0;
	return PGB_OK;
}

/* ---- decoding */

static bool is_kernel(const struct pgb_record *record, uint64_t address)
{
	unsigned int mode = record->misc & PERF_RECORD_MISC_CPUMODE_MASK;

	return mode == PERF_RECORD_MISC_KERNEL || address >= PGB_KERNEL_ADDRESS;
}

static bool is_misplaced(const struct pgb_ibs_sample *sample)
{
	return sample->capabilities & PGB_IBS_CAP_RIP_INVALID && sample->data & PGB_IBS_RIP_INVALID;
}

static unsigned int branch_flags(const struct pgb_ibs_sample *sample)
{
	unsigned int flags = sample->data & PGB_IBS_MISPREDICTED ? PGB_BRANCH_MISPREDICTED
								 : PGB_BRANCH_PREDICTED;

	if (!(sample->data & PGB_IBS_TAKEN))
		flags |= PGB_BRANCH_NOT_TAKEN;
	if (sample->data & PGB_IBS_RETURN)
		flags |= PGB_BRANCH_RETURN;
	if (sample->capabilities & PGB_IBS_CAP_FUSED && sample->data & PGB_IBS_FUSED)
		flags |= PGB_BRANCH_FUSED;
	return flags;
}

static void give_branch(const struct pgb_record *record, const struct pgb_ibs_sample *sample,
			const struct pgb_sink *sink, struct pgb_source_stats *stats)
{
	unsigned int flags = branch_flags(sample);
	uint64_t target = PGB_ADDRESS_NONE; /* not taken: behind an instruction of unknown length */

	if (!(flags & PGB_BRANCH_NOT_TAKEN) && sample->branch_target != 0)
		target = sample->branch_target;
	if (target != PGB_ADDRESS_NONE && target >= PGB_KERNEL_ADDRESS) {
		stats->kernel++;
		return;
	}
	sink->trace(sink->context, record, sample->rip, target, PGB_ADDRESS_NONE, flags);
}

static int decode_ibs(const struct pgb_record *record, const struct pgb_decode_options *options,
		      const struct pgb_sink *sink, struct pgb_source_stats *stats)
{
	struct pgb_ibs_sample sample;
	bool is_branch;

	(void)options;
	stats->samples++;
	if (pgb_ibs_sample_read(record->raw, &sample) < 0) {
		stats->malformed++;
		return PGB_E_CORRUPT;
	}
	is_branch = sample.data & PGB_IBS_BRANCH_RETIRED;
	stats->branches += is_branch;
	stats->operations += !is_branch;
	if (is_kernel(record, sample.rip))
		stats->kernel++;
	else if (is_misplaced(&sample))
		stats->misplaced++;
	else if (sample.rip == 0)
		stats->zero++;
	else if (is_branch)
		give_branch(record, &sample, sink, stats);
	else
		sink->ip(sink->context, record, sample.rip);
	return PGB_OK;
}

const struct pgb_source pgb_source_ibs = {
	.name = "ibs",
	.summary = "single branches and other ops that the CPU samples: AMD IBS",
	.has_branches = true,
	.is_sparse = true,
	.probe = probe_ibs,
	.plan = plan_ibs,
	.decode = decode_ibs,
};
