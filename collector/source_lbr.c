/* SPDX-License-Identifier: MIT */
/*
 * Branch stacks: PERF_SAMPLE_BRANCH_STACK, one kernel record for Intel LBR and Arch LBR, AMD
 * LbrExtV2 and BRS, and Arm BRBE.
 *
 * Sources: arch/x86/events/intel/lbr.c, arch/x86/events/amd/{lbr,brs}.c, drivers/perf/arm_brbe.c;
 * struct perf_branch_entry in include/uapi/linux/perf_event.h.
 */
#include <limits.h>
#include <string.h>

#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"

#define OTHER_SOURCES "-s walk (on any machine), -s instrument (exact counts), or -s ip"

enum {
	AMD_FAMILY_ZEN = 0x17, /* Zen and Zen 2; Hygon's 0x18 is one of them */
	AMD_FAMILY_ZEN3 = 0x19,
	BRS_EVENT = 0xc4, /* retired taken branches: the only event that BRS works with */
	BRS_DEPTH = 16,
	X86_INSTRUCTION_BYTES_MAX = 15,
	ENTRY_BYTES = sizeof(struct pgb_record_entry),
};

static unsigned int stack_depth(const struct pgb_host *host)
{
	unsigned int depth = 0;

	for (size_t i = 0; i < host->pmus.count; i++)
		if (host->pmus.items[i].is_core && host->pmus.items[i].branches > depth)
			depth = host->pmus.items[i].branches;
	return depth;
}

/* BRS of Zen 3, where nothing better is there. */
static bool uses_brs(const struct pgb_host *host)
{
	return host->vendor == PGB_VENDOR_AMD && host->flag_brs && !host->flag_lbr_v2;
}

static int refuse_guest(const struct pgb_host *host, struct pgb_error *error)
{
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "this virtual machine has performance counters, but its hypervisor shows no "
		 "branch stack");
	return pgb_remedy(
		error,
		host->vendor == PGB_VENDOR_INTEL
			? "KVM passes LBR on with -cpu host,pmu=on,lbr=on "
			  "(migratable=off); else record on bare metal, or use " OTHER_SOURCES
			: "record on bare metal, or use " OTHER_SOURCES);
}

static int refuse_amd(const struct pgb_host *host, struct pgb_error *error)
{
	if (host->flag_lbr_v2 && !pgb_host_kernel_since(host, 6, 1)) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "this CPU has branch records (LbrExtV2), but Linux %s is too old for them",
			 host->kernel_release);
		return pgb_remedy(error, "use Linux 6.1 or later, or " OTHER_SOURCES);
	}
	if (host->flag_brs && !host->flag_lbr_v2) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "this CPU has branch records (BRS), but the kernel does not offer them");
		return pgb_remedy(error,
				  "use Linux 5.19 or later with CONFIG_PERF_EVENTS_AMD_BRS=y, "
				  "or " OTHER_SOURCES);
	}
	pgb_fail(error, PGB_E_UNSUPPORTED, "%s has no branch records: AMD has them from %s on",
		 host->cpu_name, host->family < AMD_FAMILY_ZEN3 ? "Zen 3" : "Zen 3 (BRS) or Zen 4");
	return pgb_remedy(error, "use " OTHER_SOURCES);
}

static int refuse_no_counters(const struct pgb_host *host, struct pgb_error *error)
{
	if (host->is_virtual) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "this virtual machine has no CPU performance counters");
		return pgb_remedy(error, "give the guest a PMU (KVM: -cpu host,pmu=on; a cloud: "
					 "a bare-metal type), or use " OTHER_SOURCES);
	}
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "the kernel found no performance counters in this CPU (%s)", host->cpu_name);
	return pgb_remedy(error, "see why: dmesg | grep -i -e perf -e pmu; or use " OTHER_SOURCES);
}

/* sysfs does not tell whether there is BRBE: opening the event will. */
static int probe_arm(const struct pgb_host *host, struct pgb_error *error)
{
	if (host->is_virtual) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "Arm branch records (BRBE) are not available in virtual machines");
		return pgb_remedy(error, "record on bare metal, or use " OTHER_SOURCES);
	}
	if (!pgb_host_kernel_since(host, 6, 17)) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "Linux %s is too old for Arm branch records (BRBE)", host->kernel_release);
		return pgb_remedy(error,
				  "use Linux 6.17 or later on an Armv9.2 CPU, or " OTHER_SOURCES);
	}
	return PGB_OK;
}

static int probe_lbr(const struct pgb_host *host, struct pgb_error *error)
{
	int result = pgb_source_ip.probe(host, error);

	if (result < 0)
		return result;
	if (!pgb_host_has_core_pmu(host))
		return refuse_no_counters(host, error);
	if (host->vendor == PGB_VENDOR_ARM)
		return probe_arm(host, error);
	if (stack_depth(host) > 0)
		return PGB_OK;
	if (host->is_virtual)
		return refuse_guest(host, error);
	if (host->vendor == PGB_VENDOR_AMD)
		return refuse_amd(host, error);
	pgb_fail(error, PGB_E_UNSUPPORTED, "the kernel offers no branch records for this CPU (%s)",
		 host->cpu_name);
	return pgb_remedy(error,
			  "caps/branches of the PMU comes with Linux 4.14; or use " OTHER_SOURCES);
}

/* What arch/x86/events/amd/brs.c insists on. */
static int check_brs(const struct pgb_source_plan *plan, struct pgb_error *error)
{
	const struct perf_event_attr *attr = &plan->attrs[0];

	if (attr->type != PERF_TYPE_RAW || attr->config != BRS_EVENT) {
		pgb_fail(error, PGB_E_USAGE,
			 "event '%s': branch records of Zen 3 (BRS) come with one event only, "
			 "retired taken branches",
			 plan->event_name);
		return pgb_remedy(error, "leave -e out, or use -e rc4");
	}
	if (attr->freq) {
		pgb_fail(error, PGB_E_USAGE,
			 "branch records of Zen 3 (BRS) need a fixed period, not a frequency");
		return pgb_remedy(error, "use -c 100003 instead of -F");
	}
	if (attr->sample_period <= BRS_DEPTH) {
		pgb_fail(error, PGB_E_USAGE, "branch records of Zen 3 (BRS) need a period above %d",
			 BRS_DEPTH);
		return pgb_remedy(error, "use -c 100003");
	}
	return PGB_OK;
}

static int plan_lbr(const struct pgb_host *host, const struct pgb_source_request *request,
		    struct pgb_source_plan *plan, struct pgb_error *error)
{
	int result = probe_lbr(host, error);

	if (result < 0)
		return result;
	result = pgb_source_plan_event(host, request, uses_brs(host) ? "rc4" : "cycles", plan,
				       error);
	if (result < 0)
		return result;
	if (plan->attrs[0].type == PERF_TYPE_SOFTWARE) {
		pgb_fail(error, PGB_E_USAGE,
			 "event '%s' is the kernel's: branch records come with events of the CPU",
			 plan->event_name);
		return pgb_remedy(error, "use -e cycles, or -s ip -e %s", plan->event_name);
	}
	if (uses_brs(host) && (result = check_brs(plan, error)) < 0)
		return result;
	for (size_t i = 0; i < plan->attr_count; i++) {
		struct perf_event_attr *attr = &plan->attrs[i];

		attr->sample_type |= PERF_SAMPLE_BRANCH_STACK;
		/* BRS takes exactly ANY; BRBE wants the event's privilege and the branches' equal.
		 */
		attr->branch_sample_type = PERF_SAMPLE_BRANCH_ANY | PERF_SAMPLE_BRANCH_USER;
		/* On AMD precise events are IBS's, which has no stack. */
		if (host->vendor == PGB_VENDOR_AMD)
			attr->precise_ip = 0;
	}
	return PGB_OK;
}

/* User-side addresses of the kernel entries between two kept ones, newest first. */
struct kernel_gap {
	uint64_t lowest, highest; /* lowest > highest: none */
	uint64_t resumed_at;	  /* where the kernel went back to; 0: not seen */
	bool inconsistent;
};

static const struct kernel_gap no_gap = {.lowest = UINT64_MAX};

static void widen_gap(struct kernel_gap *gap, uint64_t from, uint64_t to)
{
	uint64_t user = from < PGB_KERNEL_ADDRESS ? from : to;

	if (user >= PGB_KERNEL_ADDRESS)
		return; /* inside the kernel */
	if (user == from) {
		/* The entry: a system call goes on behind it, an interrupt at it. */
		if (gap->resumed_at && gap->resumed_at - user > X86_INSTRUCTION_BYTES_MAX)
			gap->inconsistent = true;
		gap->resumed_at = 0;
	} else {
		gap->resumed_at = user;
	}
	gap->lowest = user < gap->lowest ? user : gap->lowest;
	gap->highest = user > gap->highest ? user : gap->highest;
}

static inline unsigned int branch_flags(uint64_t bits)
{
	const unsigned int returns = 1u << PERF_BR_RET | 1u << PERF_BR_COND_RET;

	return (unsigned int)(bits & (PGB_ENTRY_MISPREDICTED | PGB_ENTRY_PREDICTED)) |
	       (returns >> (bits >> 20 & 15) & 1) * PGB_BRANCH_RETURN;
}
_Static_assert((int)PGB_BRANCH_MISPREDICTED == (int)PGB_ENTRY_MISPREDICTED &&
		       (int)PGB_BRANCH_PREDICTED == (int)PGB_ENTRY_PREDICTED,
	       "branch_flags() copies these bits");

/* The entries of one stack that are left, and where they go. */
struct decoding {
	const struct pgb_record *record;
	const struct pgb_sink *sink;
	struct pgb_trace_stage *stage; /* NULL: to the sink one by one */
	struct pgb_source_stats *stats;
	const uint8_t *at, *end;
	struct pgb_record_entry newer; /* the one before `at`; from NONE: there is none */
};

#define ALWAYS_INLINE inline __attribute__((always_inline))

static void add_trace(const struct decoding *decoding, const struct pgb_record_entry *entry,
		      uint64_t next)
{
	const struct pgb_sink *sink = decoding->sink;
	unsigned int flags = branch_flags(entry->bits);
	struct pgb_trace_row row;

	if (decoding->stage == NULL) {
		sink->trace(sink->context, decoding->record, entry->from, entry->to, next, flags);
		return;
	}
	row = pgb_trace_row_begin(decoding->stage);
	pgb_trace_row_put(&row, entry->from, entry->to, next, flags);
	pgb_trace_row_end(&row);
}

static inline bool is_kernel(const struct pgb_record_entry *entry)
{
	return entry->from >= PGB_KERNEL_ADDRESS || entry->to >= PGB_KERNEL_ADDRESS;
}

/* Walk from the newest entry to the oldest: what follows a branch is the entry seen before it. */
static ALWAYS_INLINE void decode_compat(struct decoding *decoding, bool big_endian)
{
	uint64_t next = decoding->newer.from, kernel = 0;

	for (const uint8_t *at = decoding->at; at < decoding->end; at += ENTRY_BYTES) {
		struct pgb_record_entry entry = pgb_record_entry_at(at, big_endian);

		if (is_kernel(&entry)) {
			kernel++;
			continue;
		}
		add_trace(decoding, &entry, next);
		next = entry.from;
	}
	decoding->stats->kernel += kernel;
}

/* Is this entry no branch that happened? Counted; the chain breaks here. */
static inline bool is_void(const struct pgb_record_entry *entry, struct pgb_source_stats *stats)
{
	if (entry->from == 0 || entry->to == 0)
		stats->zero++;
	else if (entry->bits & PGB_ENTRY_ABORT)
		stats->aborted++;
	else if ((entry->bits >> PGB_ENTRY_SPEC_SHIFT & PGB_ENTRY_SPEC_MASK) == 1)
		stats->speculative++;
	else
		return false;
	return true;
}

static inline bool is_repeated(const struct pgb_record_entry *entry,
			       const struct pgb_record_entry *newer)
{
	return entry->from == newer->from && entry->to == newer->to && entry->to > entry->from;
}

static ALWAYS_INLINE void decode_entries(struct decoding *decoding, bool big_endian)
{
	struct pgb_source_stats *stats = decoding->stats;
	struct pgb_record_entry newer = decoding->newer;
	uint64_t next = newer.from;
	struct kernel_gap gap = no_gap;

	for (const uint8_t *at = decoding->at; at < decoding->end; at += ENTRY_BYTES) {
		struct pgb_record_entry entry = pgb_record_entry_at(at, big_endian);

		if (is_kernel(&entry)) {
			stats->kernel++;
			widen_gap(&gap, entry.from, entry.to);
			continue;
		}
		if (is_void(&entry, stats)) {
			next = newer.from = PGB_ADDRESS_NONE;
			continue;
		}
		if (gap.lowest <= gap.highest) {
			if (gap.inconsistent || gap.lowest < entry.to || gap.highest > next) {
				stats->resumed_elsewhere += next != PGB_ADDRESS_NONE;
				next = PGB_ADDRESS_NONE;
			}
			gap = no_gap;
		} else if (is_repeated(&entry, &newer)) {
			/* It cannot have followed itself: some Skylakes repeat the newest entry. */
			stats->duplicate++;
			continue;
		}
		add_trace(decoding, &entry, next);
		next = entry.from;
		newer = entry;
	}
}

/* Nothing but a branch in user space. */
static inline bool is_plain(const struct pgb_record_entry *entry,
			    const struct pgb_record_entry *newer, bool compat)
{
	if ((entry->from | entry->to) >= PGB_TRACE_PLAIN)
		return false;
	if (compat)
		return true;
	return entry->from != 0 && entry->to != 0 && !(entry->bits & PGB_ENTRY_ABORT) &&
	       (entry->bits >> PGB_ENTRY_SPEC_SHIFT & PGB_ENTRY_SPEC_MASK) != 1 &&
	       !is_repeated(entry, newer);
}

/* Plain entries: most stacks hold no others. The rest is left to be decoded, behind `newer`. */
static ALWAYS_INLINE void decode_plain(struct decoding *decoding, bool compat)
{
	const uint8_t *at = decoding->at, *end = decoding->end;
	struct pgb_record_entry newer = decoding->newer;
	struct pgb_trace_row row = pgb_trace_row_begin(decoding->stage);
	uint64_t next_word = 0;

	for (; at < end; at += ENTRY_BYTES) {
		struct pgb_record_entry entry = pgb_record_entry_at(at, false);

		if (!is_plain(&entry, &newer, compat))
			break;
		pgb_trace_row_put_plain(&row, entry.from, entry.to, next_word,
					branch_flags(entry.bits));
		next_word = entry.from + 1;
		newer = entry;
	}
	pgb_trace_row_end(&row);
	decoding->at = at;
	decoding->newer = newer;
}

/* With what is known at compile time. */
static ALWAYS_INLINE void decode_as(struct decoding *decoding, bool compat, bool big_endian)
{
	if (decoding->stage && !big_endian)
		decode_plain(decoding, compat);
	if (decoding->at == decoding->end)
		return;
	if (compat)
		decode_compat(decoding, big_endian);
	else
		decode_entries(decoding, big_endian);
}

static int decode_lbr(const struct pgb_record *record, const struct pgb_decode_options *options,
		      const struct pgb_sink *sink, struct pgb_source_stats *stats)
{
	const struct pgb_record_stack *stack = &record->stack;
	struct decoding decoding = {
		.record = record,
		.sink = sink,
		.stats = stats,
		.newer = {.from = PGB_ADDRESS_NONE},
	};
	bool compat = options && options->compat_perf2bolt;

	stats->samples++;
	if (!pgb_cursor_holds(&stack->entries, stack->count, ENTRY_BYTES)) {
		stats->malformed++;
		return PGB_E_CORRUPT;
	}
	stats->branches += stack->count;
	stats->samples_empty += stack->count == 0;
	if (stack->count == 0)
		return PGB_OK;
	decoding.at = stack->entries.at;
	decoding.end = stack->entries.at + stack->count * ENTRY_BYTES;
	decoding.stage = sink->begin ? sink->begin(sink->context, record) : NULL;
	if (compat && !stack->entries.big_endian)
		decode_as(&decoding, true, false);
	else if (compat)
		decode_as(&decoding, true, true);
	else if (!stack->entries.big_endian)
		decode_as(&decoding, false, false);
	else
		decode_as(&decoding, false, true);
	if (decoding.stage)
		pgb_trace_counts_settle(decoding.stage);
	return PGB_OK;
}

const struct pgb_source pgb_source_lbr = {
	.name = "lbr",
	.summary = "branch records of the CPU: Intel LBR, AMD LbrExtV2 and BRS, Arm BRBE",
	.has_branches = true,
	.probe = probe_lbr,
	.plan = plan_lbr,
	.decode = decode_lbr,
};
