/* SPDX-License-Identifier: MIT */
/* What can be sampled here: each source is tried, not guessed. */
#include <unistd.h>

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

/*
 * Open the source's events and rings on this process, as `record` does on the program's, and close
 * them again. Another machine's files cannot be tried: they are believed.
 */
static int try_source(struct doctor *doctor, const struct pgb_source *source,
		      struct pgb_source_plan *plan, struct pgb_error *error)
{
	pid_t self = getpid();
	struct pgb_feed_live_config config = {.sys = &pgb_perf_sys_kernel,
					      .host = &doctor->host,
					      .attrs = plan->attrs,
					      .pids = &self,
					      .pid_count = 1};
	struct pgb_feed *feed = NULL;
	int code = source->probe(&doctor->host, error);

	if (code == 0)
		code = source->plan(&doctor->host, NULL, plan, error);
	if (code || doctor->is_elsewhere)
		return code;
	config.attr_count = plan->attr_count;
	code = pgb_feed_live_new(&feed, &config, error);
	if (code)
		return code;
	doctor->ring_bytes = pgb_feed_live_ring_bytes(feed);
	pgb_feed_free(feed);
	return 0;
}

static void add_perf_events(struct doctor *doctor)
{
	struct pgb_source_plan plan = {0};
	struct pgb_error error = {0};

	if (try_source(doctor, &pgb_source_ip, &plan, &error) != 0) {
		pgb_doctor_add_error(&doctor->sampling, PGB_FINDING_ERROR, "perf-events", &error);
		return;
	}
	doctor->can_sample = true;
	pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "perf-events", NULL,
		       "perf events work: %s can be sampled (source ip)", plan.event_name);
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

static void add_branch_source(struct doctor *doctor, const struct pgb_source *source)
{
	struct pgb_source_plan plan = {0};
	struct pgb_error error = {0};

	if (try_source(doctor, source, &plan, &error) != 0) {
		pgb_doctor_add_error(&doctor->sampling, PGB_FINDING_WARNING, source->name, &error);
		return;
	}
	if (doctor->branch_source == NULL)
		doctor->branch_source = source;
	pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, source->name, NULL,
		       "%s works: %s (event %s)", source->name, source->summary, plan.event_name);
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
