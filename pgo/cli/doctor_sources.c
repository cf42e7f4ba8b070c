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
static int try_rings(struct doctor *doctor, const struct pgb_source_plan *plan, bool aux,
		     struct pgb_error *error)
{
	pid_t self = getpid();
	const struct pgb_feed_live_config config = {.sys = &pgb_perf_sys_kernel,
						    .host = &doctor->host,
						    .attrs = plan->attrs,
						    .attr_count = plan->attr_count,
						    .aux = aux,
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
	return try_rings(doctor, plan, source->reads_aux, error);
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

/* Sampling that another maker's CPUs have is not missing here. */
static bool is_foreign(const struct doctor *doctor, const char *name)
{
	enum pgb_cpu_vendor vendor = doctor->host.vendor;

	return (strcmp(name, "spe") == 0 && vendor != PGB_VENDOR_ARM) ||
	       (strcmp(name, "ibs") == 0 && vendor != PGB_VENDOR_AMD);
}

void pgb_doctor_sources(struct doctor *doctor)
{
	for (const struct pgb_recorder_source *row = pgb_recorder_sources; row->name; row++) {
		const struct pgb_source *source = pgb_source_find(row->name);

		if (is_foreign(doctor, row->name))
			continue;
		if (source)
			add_sampling(doctor, row, source);
		else
			add_counting(doctor, row);
	}
}
