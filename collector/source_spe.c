/* SPDX-License-Identifier: MIT */
/*
 * Arm's Statistical Profiling Extension: single branches, taken or not, out of the AUX area; from
 * CPUs that tell the target of the branch before (PBT) also the straight line in between.
 *
 * Source: drivers/perf/arm_spe_pmu.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"
#include "pgobolt/collector/spe_packet.h"

#define OTHER_SOURCES "-s walk (on any machine), -s instrument (exact counts), or -s ip"

enum {
	/* Operations between samples; the low 8 bits are the hardware's. 256 times a prime. */
	PERIOD_OPERATIONS = 64256,
	PERIOD_UNIT = 256,
	PERIOD_MAX = 0xffffff,
	INSTRUCTION_BYTES = 4,
};

static bool is_spe(const struct pgb_pmu *pmu)
{
	return strncmp(pmu->name, "arm_spe_", strlen("arm_spe_")) == 0;
}

static const struct pgb_pmu *find_spe(const struct pgb_host *host)
{
	for (size_t i = 0; i < host->pmus.count; i++)
		if (is_spe(&host->pmus.items[i]))
			return &host->pmus.items[i];
	return NULL;
}

static int probe_spe(const struct pgb_host *host, struct pgb_error *error)
{
	int result = pgb_source_ip.probe(host, error);

	if (result < 0 || find_spe(host))
		return result;
	if (host->vendor != PGB_VENDOR_ARM) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "statistical profiling (SPE) is Arm's: %s has none", host->cpu_name);
		return pgb_remedy(error, "use " OTHER_SOURCES);
	}
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 host->is_virtual ? "this virtual machine is not given statistical profiling (SPE)"
				  : "the kernel offers no statistical profiling (arm_spe_0)");
	return pgb_remedy(error,
			  "it needs Armv8.2 with SPE, firmware that lets Linux have it, "
			  "CONFIG_ARM_SPE_PMU (modprobe arm_spe_pmu), bare metal, and kpti=off on "
			  "the kernel's command line where the CPU needs KPTI; or " OTHER_SOURCES);
}

/* What this PMU can filter by, as an event that people can write. */
static void name_event(const struct pgb_host *host, const struct pgb_pmu *pmu, char *name,
		       size_t size_bytes)
{
	static const char *const fields[][2] = {{"branch_filter", "branch_filter=1"},
						{"event_filter", "event_filter=0x2"}, /* retired */
						{"jitter", "jitter=1"},
						{"ts_enable", "ts_enable=1"}};
	struct pgb_text text = {0};

	pgb_text_addf(&text, "%s/", pmu->name);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct perf_event_attr ignored = {0};

		if (pgb_host_set_format(host, pmu, &ignored, fields[i][0], 1))
			pgb_text_addf(&text, "%s%s", text.data[text.length - 1] == '/' ? "" : ",",
				      fields[i][1]);
	}
	pgb_text_add(&text, "/");
	snprintf(name, size_bytes, "%s", text.data);
	pgb_text_release(&text);
}

static int check_event(const struct pgb_host *host, const struct pgb_source_plan *plan,
		       struct pgb_error *error)
{
	const struct perf_event_attr *attr = &plan->attrs[0];
	const struct pgb_pmu *pmu = pgb_host_find_pmu_type(host, attr->type);

	if (pmu == NULL || !is_spe(pmu)) {
		pgb_fail(error, PGB_E_USAGE, "event '%s' is not one of arm_spe", plan->event_name);
		return pgb_remedy(error, "leave -e out, or write -e arm_spe_0/branch_filter=1/");
	}
	if (attr->freq) {
		pgb_fail(error, PGB_E_USAGE,
			 "statistical profiling (SPE) needs a fixed period, not a frequency");
		return pgb_remedy(error, "use -c %d instead of -F", PERIOD_OPERATIONS);
	}
	if (attr->sample_period < PERIOD_UNIT || attr->sample_period > PERIOD_MAX) {
		pgb_fail(error, PGB_E_USAGE,
			 "statistical profiling (SPE) has periods of %d to %d operations",
			 PERIOD_UNIT, PERIOD_MAX);
		return pgb_remedy(error, "use -c %d", PERIOD_OPERATIONS);
	}
	return PGB_OK;
}

/* Each kind of core of a machine has its own. */
static void add_clusters(const struct pgb_host *host, struct pgb_source_plan *plan)
{
	uint32_t first = plan->attrs[0].type;

	for (size_t i = 0; i < host->pmus.count; i++) {
		const struct pgb_pmu *pmu = &host->pmus.items[i];

		if (!is_spe(pmu) || pmu->type == first || plan->attr_count == PGB_SOURCE_ATTRS_MAX)
			continue;
		plan->attrs[plan->attr_count] = plan->attrs[0];
		plan->attrs[plan->attr_count++].type = pmu->type;
	}
}

static int plan_spe(const struct pgb_host *host, const struct pgb_source_request *request,
		    struct pgb_source_plan *plan, struct pgb_error *error)
{
	struct pgb_source_request wanted = {0};
	char event[sizeof(plan->event_name)];
	int result = probe_spe(host, error);

	if (result < 0)
		return result;
	if (request)
		wanted = *request;
	if (wanted.rate.period_events == 0 && wanted.rate.frequency_hz == 0)
		wanted.rate.period_events = PERIOD_OPERATIONS;
	name_event(host, find_spe(host), event, sizeof(event));
	result = pgb_source_plan_event(host, &wanted, event, plan, error);
	if (result == PGB_OK)
		result = check_event(host, plan, error);
	if (result < 0)
		return result;
	plan->attrs[0].sample_type |= PERF_SAMPLE_CPU;
	if (wanted.event == NULL)
		add_clusters(host, plan);
	return PGB_OK;
}

/* ---- decoding */

struct decoding {
	const struct pgb_sink *sink;
	struct pgb_source_stats *stats;
	const struct pgb_record *piece;
	struct pgb_record who; /* the piece's, with the thread of the record */
	uint32_t context, pid; /* of the last context packet, and whose that is; 0: not known */
};

static bool find_by_time(struct decoding *decoding, const struct pgb_spe_record *spe)
{
	const struct pgb_sink *sink = decoding->sink;
	const struct pgb_record *piece = decoding->piece;
	struct pgb_switch thread;

	if (!(spe->parts & PGB_SPE_HAS_TIME) || piece->aux_ticks == NULL ||
	    sink->thread_at == NULL ||
	    !sink->thread_at(sink->context, piece->cpu,
			     pgb_ticks_to_ns(piece->aux_ticks, spe->time), &thread))
		return false;
	decoding->who.pid = thread.pid;
	decoding->who.tid = thread.tid;
	return true;
}

/*
 * Whose a record is: what its context packet says, which few kernels write; else whom the kernel
 * took the piece from; of a whole CPU: who ran there at the time.
 */
static bool find_owner(struct decoding *decoding, const struct pgb_spe_record *spe)
{
	const struct pgb_sink *sink = decoding->sink;
	uint32_t context = spe->parts & PGB_SPE_HAS_CONTEXT ? spe->context : 0;

	if (context != decoding->context) {
		decoding->context = context;
		decoding->pid =
			context && sink->process_of ? sink->process_of(sink->context, context) : 0;
	}
	if (decoding->pid) {
		decoding->who.pid = decoding->pid;
		decoding->who.tid = context;
		return true;
	}
	if (decoding->piece->aux_of_cpu)
		return find_by_time(decoding, spe);
	decoding->who.pid = decoding->piece->pid;
	decoding->who.tid = decoding->piece->tid;
	return true;
}

static bool is_kernel(uint64_t address)
{
	return pgb_spe_level(address) != 0 || pgb_spe_plain_address(address) >= UINT64_C(1) << 55;
}

static bool is_branch(const struct pgb_spe_record *spe)
{
	if (spe->parts & PGB_SPE_HAS_OPERATION)
		return spe->operation_class == PGB_SPE_BRANCH;
	return spe->parts & PGB_SPE_HAS_TARGET;
}

static unsigned int branch_flags(const struct pgb_spe_record *spe)
{
	unsigned int kind = spe->operation >> PGB_SPE_BRANCH_KIND_SHIFT & 3;
	unsigned int flags = 0;

	if (spe->parts & PGB_SPE_HAS_EVENTS)
		flags = spe->events & PGB_SPE_EVENT_MISPREDICTED ? PGB_BRANCH_MISPREDICTED
								 : PGB_BRANCH_PREDICTED;
	if (spe->events & PGB_SPE_EVENT_NOT_TAKEN)
		flags |= PGB_BRANCH_NOT_TAKEN;
	if (kind == PGB_SPE_BRANCH_RETURN)
		flags |= PGB_BRANCH_RETURN;
	return flags;
}

/* From the target of the branch before straight on to this one. */
static void give_range(struct decoding *decoding, const struct pgb_spe_record *spe)
{
	uint64_t start = pgb_spe_plain_address(spe->previous_target);
	uint64_t pc = pgb_spe_plain_address(spe->pc);

	if (!(spe->parts & PGB_SPE_HAS_PREVIOUS_TARGET) || start == 0 || start > pc ||
	    is_kernel(spe->previous_target))
		return;
	decoding->stats->ranges++;
	decoding->sink->trace(decoding->sink->context, &decoding->who, PGB_ADDRESS_NONE, start, pc,
			      0);
}

static void give_branch(struct decoding *decoding, const struct pgb_spe_record *spe)
{
	const struct pgb_sink *sink = decoding->sink;
	unsigned int flags = branch_flags(spe);
	uint64_t pc = pgb_spe_plain_address(spe->pc);
	uint64_t target = pgb_spe_plain_address(spe->target);

	if (flags & PGB_BRANCH_NOT_TAKEN)
		target = pc + INSTRUCTION_BYTES;
	else if (!(spe->parts & PGB_SPE_HAS_TARGET))
		target = PGB_ADDRESS_NONE;
	sink->trace(sink->context, &decoding->who, pc, target, PGB_ADDRESS_NONE, flags);
	give_range(decoding, spe);
}

/* Is this record none of a program's? Counted. */
static bool is_dropped(struct decoding *decoding, const struct pgb_spe_record *spe)
{
	struct pgb_source_stats *stats = decoding->stats;
	bool taken = !(spe->events & PGB_SPE_EVENT_NOT_TAKEN);

	if (is_kernel(spe->pc) ||
	    (taken && spe->parts & PGB_SPE_HAS_TARGET && is_kernel(spe->target)))
		stats->kernel++;
	else if (pgb_spe_plain_address(spe->pc) == 0 || (taken && spe->parts & PGB_SPE_HAS_TARGET &&
							 pgb_spe_plain_address(spe->target) == 0))
		stats->zero++;
	else if (spe->parts & PGB_SPE_HAS_EVENTS && !(spe->events & PGB_SPE_EVENT_RETIRED))
		stats->speculative++;
	else if (!find_owner(decoding, spe))
		stats->ownerless++;
	else
		return false;
	return true;
}

static void decode_record(struct decoding *decoding, const struct pgb_spe_record *spe)
{
	struct pgb_source_stats *stats = decoding->stats;
	const struct pgb_sink *sink = decoding->sink;

	stats->samples++;
	if (!(spe->parts & PGB_SPE_HAS_PC)) {
		stats->malformed++;
		return;
	}
	if (is_branch(spe))
		stats->branches++;
	else
		stats->operations++;
	if (is_dropped(decoding, spe))
		return;
	if (is_branch(spe))
		give_branch(decoding, spe);
	else
		sink->ip(sink->context, &decoding->who, pgb_spe_plain_address(spe->pc));
}

static int decode_spe(const struct pgb_record *record, const struct pgb_decode_options *options,
		      const struct pgb_sink *sink, struct pgb_source_stats *stats)
{
	struct decoding decoding = {.sink = sink, .stats = stats, .piece = record, .who = *record};
	struct pgb_cursor bytes = record->aux_bytes;
	struct pgb_spe_damage damage = {0};
	struct pgb_spe_record spe;
	uint64_t flags = record->aux.flags;

	(void)options;
	stats->aux_collided += !!(flags & PERF_AUX_FLAG_COLLISION);
	stats->aux_truncated += !!(flags & PERF_AUX_FLAG_TRUNCATED);
	stats->aux_gaps +=
		flags & PERF_AUX_FLAG_PARTIAL || pgb_cursor_left(&bytes) < record->aux.size_bytes;
	while (pgb_spe_record_next(&bytes, &spe, &damage) > 0)
		decode_record(&decoding, &spe);
	stats->aux_bad_bytes += damage.bytes;
	stats->malformed += damage.records;
	return damage.records ? PGB_E_CORRUPT : PGB_OK;
}

const struct pgb_source pgb_source_spe = {
	.name = "spe",
	.summary = "single branches that the CPU samples: Arm SPE",
	.has_branches = true,
	.reads_aux = true,
	.is_sparse = true,
	.probe = probe_spe,
	.plan = plan_spe,
	.decode = decode_spe,
};
