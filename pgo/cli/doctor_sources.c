/* SPDX-License-Identifier: MIT */
/* Which sources of branches work here: each is tried, not guessed. */
#include <string.h>
#include <unistd.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/perf_sys.h"
#include "pgobolt/pgo/recorder.h"
#include "pgobolt/pgo/recording.h"

/* Open the events and rings on this process, as `record` does on the program's, and close them. */
static int try_rings(struct doctor *doctor, const struct pgb_source_plan *plan,
		     struct pgb_error *error)
{
	pid_t self = getpid();
	const struct pgb_feed_live_config config = {.sys = &pgb_perf_sys_kernel,
						    .host = &doctor->host,
						    .attrs = plan->attrs,
						    .attr_count = plan->attr_count,
						    .pids = &self,
						    .pid_count = 1};
	struct pgb_feed *feed = NULL;
	int code = pgb_feed_live_new(&feed, &config, error);

	if (code)
		return code;
	doctor->ring_bytes = pgb_feed_live_ring_bytes(feed);
	pgb_feed_free(feed);
	return 0;
}

/* Another machine's files cannot be tried: they are believed. */
static int try_source(struct doctor *doctor, const struct pgb_source *source,
		      struct pgb_source_plan *plan, struct pgb_error *error)
{
	int code = source->probe(&doctor->host, error);

	if (code == 0)
		code = source->plan(&doctor->host, NULL, plan, error);
	if (code || doctor->is_elsewhere || source->open)
		return code;
	return try_rings(doctor, plan, error);
}

static void choose(struct doctor *doctor, const struct pgb_recorder_source *source)
{
	if (doctor->automatic == NULL)
		doctor->automatic = source;
}

static void add_sampling(struct doctor *doctor, const struct pgb_recorder_source *row,
			 const struct pgb_source *source)
{
	struct pgb_source_plan plan = {0};
	struct pgb_error error = {0};

	if (try_source(doctor, source, &plan, &error) != 0) {
		pgb_doctor_add(&doctor->sources, PGB_FINDING_WARNING, row->name,
			       error.remedy[0] ? error.remedy : NULL, "%s: %s", row->name,
			       error.message);
		return;
	}
	pgb_doctor_add(&doctor->sources, PGB_FINDING_GOOD, row->name, NULL,
		       "%s works: %s (event %s)", row->name, row->summary, plan.event_name);
	choose(doctor, row);
}

/* Counters in the program itself: llvm-bolt puts them there, into what kept its relocations. */
static void add_counting(struct doctor *doctor, const struct pgb_recorder_source *row)
{
	if (doctor->bolt.runtime_library == NULL) {
		pgb_doctor_add(&doctor->sources, PGB_FINDING_WARNING, row->name,
			       "see llvm-bolt below", "%s needs llvm-bolt and its runtime library",
			       row->name);
		return;
	}
	pgb_doctor_add(&doctor->sources, PGB_FINDING_GOOD, row->name, NULL,
		       "%s works: %s, where that kept its relocations", row->name, row->summary);
	if (!doctor->binary_is_unfit)
		choose(doctor, row);
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
			pgb_doctor_add(&doctor->sources, PGB_FINDING_NOTE, rows[i].source, NULL,
				       "%s: %s is here; this version of pgobolt does not read it",
				       rows[i].source, rows[i].what);
		else if (doctor->host.vendor == rows[i].vendor)
			pgb_doctor_add(&doctor->sources, PGB_FINDING_NOTE, rows[i].source,
				       rows[i].absent_remedy, "%s: %s is not here", rows[i].source,
				       rows[i].what);
	}
}

void pgb_doctor_sources(struct doctor *doctor)
{
	for (const struct pgb_recorder_source *row = pgb_recorder_sources; row->name; row++) {
		const struct pgb_source *source = pgb_source_find(row->name);

		if (source)
			add_sampling(doctor, row, source);
		else
			add_counting(doctor, row);
	}
	add_other_hardware(doctor);
}
