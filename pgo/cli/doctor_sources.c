/* SPDX-License-Identifier: MIT */
/* Which sources of branches work here: each is tried, not guessed. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/perf_sys.h"
#include "pgobolt/collector/source_cost.h"
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

/* Branches in one sample of this source; 0: it is none of stacks, or the kernel does not tell. */
static unsigned int stack_depth(const struct doctor *doctor, const struct pgb_source *source)
{
	const struct pgb_host *host = &doctor->host;
	unsigned int depth = 0;

	for (size_t i = 0; source == &pgb_source_lbr && i < host->pmus.count; i++)
		if (host->pmus.items[i].is_core && host->pmus.items[i].branches > depth)
			depth = host->pmus.items[i].branches;
	return depth;
}

/* What it brings and how often it interrupts, and whom it can record. */
static void add_scope(struct doctor *doctor, const char *name, const struct pgb_source *source,
		      const struct pgb_source_plan *plan)
{
	bool everybody = doctor->host.has_perfmon || doctor->host.perf_paranoid <= 0;
	unsigned int depth = stack_depth(doctor, source);
	struct pgb_text text = {0};

	if (source->open) /* walk tells of itself, and refuses -a */
		return;
	if (depth > 0)
		pgb_text_addf(&text, "stacks of %u branches, ", depth);
	if (plan->rate.period_events)
		pgb_text_addf(&text, "a sample every %" PRIu64 " %s (-c)", plan->rate.period_events,
			      source->is_sparse ? "operations" : "events");
	else
		pgb_text_addf(&text, "%" PRIu64 " samples a second of CPU time (-F)",
			      plan->rate.frequency_hz);
	pgb_text_add(&text, everybody ? "; programs, -p and -a"
				      : "; programs and -p; -a needs CAP_PERFMON or "
					"kernel.perf_event_paranoid at 0");
	if (source->reads_aux && !pgb_host_kernel_since(&doctor->host, 5, 8))
		pgb_text_add(&text,
			     ", which wants Linux 5.8 or a kernel with "
			     "CONFIG_PID_IN_CONTEXTIDR, else nobody knows whose a sample is");
	pgb_doctor_add(&doctor->sources, PGB_FINDING_NOTE, name, NULL, "%s: %s", name,
		       pgb_text_string(&text));
	pgb_text_release(&text);
}

static void add_cost(struct doctor *doctor, const char *name, const struct pgb_source *source,
		     const struct pgb_source_plan *plan)
{
	struct pgb_source_cost cost = pgb_source_cost(source, plan->event_name, plan->rate);
	struct pgb_text text = {0};

	if (source->open) {
		pgb_doctor_add(&doctor->sources, PGB_FINDING_NOTE, name, NULL,
			       "%s: programs and -p, not -a; costs 10%% of the CPU time "
			       "(--max-overhead)",
			       name);
		return;
	}
	pgb_source_cost_describe(&cost, &text);
	pgb_doctor_add(
		&doctor->sources, PGB_FINDING_NOTE, name, NULL,
		"%s: costs %s (estimated; less with a longer -c), of whatever is recorded: a "
		"program, -p or -a",
		name, pgb_text_string(&text));
	pgb_text_release(&text);
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
	add_scope(doctor, row->name, source, &plan);
	add_cost(doctor, row->name, source, &plan);
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
	pgb_doctor_add(&doctor->sources, PGB_FINDING_NOTE, row->name, NULL,
		       "%s: programs, not -p or -a; they run several times as long while it counts",
		       row->name);
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
