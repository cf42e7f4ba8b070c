/* SPDX-License-Identifier: MIT */
/* What can be sampled here: each source is tried, not guessed. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/perf_sys.h"

static void add_kernel(struct doctor *doctor)
{
	const struct pgb_host *host = &doctor->host;

	pgb_doctor_add(&doctor->sampling, PGB_FINDING_NOTE, "kernel", NULL,
		       "Linux %s, %zu CPUs (%s)%s%s", host->kernel_release, host->cpus_online.count,
		       host->cpu_name, host->is_virtual ? ", virtual machine" : "",
		       host->in_container ? ", container" : "");
}

/* Open the event for this process, as `record` does for the program's; closed again at once. */
static int try_event(const struct pgb_host *host, struct perf_event_attr attr,
		     struct pgb_error *error)
{
	(void)host;
	const struct pgb_perf_sys *sys = &pgb_perf_sys_kernel;
	int fd;

	attr.size = sizeof(attr);
	attr.disabled = 1;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	fd = sys->event_open(sys->context, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return pgb_fail(error, pgb_code_from_errno(-fd), "perf_event_open failed: %s",
				strerror(-fd)); /* TODO explain */
	sys->close(sys->context, fd);
	return 0;
}

static void add_perf_events(struct doctor *doctor)
{
	struct perf_event_attr clock = {.type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.sample_period = 1000003,
					.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID};
	struct pgb_error error = {0};

	if (try_event(&doctor->host, clock, &error) != 0) {
		pgb_doctor_add_error(&doctor->sampling, PGB_FINDING_ERROR, "perf-events", &error);
		return;
	}
	doctor->can_sample = true;
	pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "perf-events", NULL,
		       "perf events work: a cpu-clock event was opened (source ip)");
}

static void add_pmus(struct doctor *doctor)
{
	const struct pgb_host *host = &doctor->host;
	struct pgb_text names = {0};

	for (size_t i = 0; i < host->pmus.count; i++) {
		const struct pgb_pmu *pmu = &host->pmus.items[i];

		if (pmu->is_core && pmu->branches)
			pgb_text_addf(&names, "%s%s (branch stack of %u)", names.length ? ", " : "",
				      pmu->name, pmu->branches);
		else if (pmu->is_core)
			pgb_text_addf(&names, "%s%s", names.length ? ", " : "", pmu->name);
	}
	if (names.length)
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "pmu", NULL,
			       "counters of the CPU: %s", pgb_text_string(&names));
	pgb_text_release(&names);
}

/* Does a source of branches work: its own probe, then the event as it would open it. */
static void add_branch_source(struct doctor *doctor, const struct pgb_source *source)
{
	struct pgb_source_plan plan = {0};
	struct pgb_error error = {0};
	int code = source->probe(&doctor->host, &error);

	if (code == 0)
		code = source->plan(&doctor->host, NULL, &plan, &error);
	for (size_t i = 0; code == 0 && i < plan.attr_count; i++)
		code = try_event(&doctor->host, plan.attrs[i], &error);
	if (code == 0) {
		if (doctor->branch_source == NULL)
			doctor->branch_source = source;
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, source->name, NULL,
			       "%s works: %s (event %s)", source->name, source->summary,
			       plan.event_name);
	} else {
		pgb_doctor_add_error(&doctor->sampling, PGB_FINDING_WARNING, source->name, &error);
	}
}

/* Hardware that later sources will read; as long as there is no such source it is only named. */
static void add_other_hardware(struct doctor *doctor)
{
	static const struct {
		const char *source, *pmu, *what;
		enum pgb_cpu_vendor vendor;
		const char *absent_remedy;
	} rows[] = {
		{"ibs", "ibs_op", "AMD instruction-based sampling (ibs_op)", PGB_VENDOR_AMD,
		 "guests seldom have it; on bare metal it needs CONFIG_PERF_EVENTS_AMD_IBS"},
		{"spe", "arm_spe_0", "Arm statistical profiling (arm_spe_0)", PGB_VENDOR_ARM,
		 "it needs CONFIG_ARM_SPE_PMU, firmware that enables it, bare metal, and "
		 "kpti=off on the kernel's command line where the CPU needs KPTI"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool present = pgb_host_find_pmu(&doctor->host, rows[i].pmu) != NULL;

		if (pgb_source_find(rows[i].source) != NULL)
			continue;
		if (present)
			pgb_doctor_add(&doctor->sampling, PGB_FINDING_NOTE, rows[i].source, NULL,
				       "%s is here; this version of pgobolt does not read it",
				       rows[i].what);
		else if (doctor->host.vendor == rows[i].vendor)
			pgb_doctor_add(&doctor->sampling, PGB_FINDING_NOTE, rows[i].source,
				       rows[i].absent_remedy, "%s is not here", rows[i].what);
	}
}

void pgb_doctor_sampling(struct doctor *doctor)
{
	add_kernel(doctor);
	add_perf_events(doctor);
	add_pmus(doctor);
	for (size_t i = 0; pgb_sources[i]; i++)
		if (pgb_sources[i]->has_branches)
			add_branch_source(doctor, pgb_sources[i]);
	add_other_hardware(doctor);
	pgb_doctor_limits(doctor);
}
