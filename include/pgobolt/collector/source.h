/* SPDX-License-Identifier: MIT */
/*
 * A source: how one kind of hardware (or the kernel's clock) is asked for samples, and how a
 * sample's bytes become branches. Decoding is pure; every decoder is compiled on every host.
 */
#ifndef PGOBOLT_COLLECTOR_SOURCE_H
#define PGOBOLT_COLLECTOR_SOURCE_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgobolt/base/error.h"
#include "pgobolt/collector/edges.h"
#include "pgobolt/collector/event.h"
#include "pgobolt/collector/record.h"
#include "pgobolt/collector/source_stats.h"
#include "pgobolt/collector/switches.h"
#include "pgobolt/collector/trace_counts.h"

struct pgb_host;
struct pgb_log;
struct pgb_perf_sys;
struct pgb_feed;

enum pgb_branch_flag {
	PGB_BRANCH_MISPREDICTED = 1,
	PGB_BRANCH_PREDICTED = 2, /* neither: the hardware does not tell */
	PGB_BRANCH_NOT_TAKEN = 4,
	PGB_BRANCH_RETURN = 8, /* the hardware says so */
	PGB_BRANCH_FUSED = 16, /* `from` is a compare fused with the branch behind it (IBS) */
};

/*
 * Where decoded samples go. Addresses are run-time addresses of record->pid.
 * `context` is the receiver's.
 */
struct pgb_sink {
	/*
	 * A branch, then straight on to the next branch at `to` (PGB_ADDRESS_NONE: unknown).
	 * `branch` NONE: only that the program ran straight on from `from` to `to`; no branch is
	 * counted. `from` NONE: the hardware does not tell where the branch went.
	 */
	void (*trace)(void *context, const struct pgb_record *record, uint64_t branch,
		      uint64_t from, uint64_t to, unsigned int flags);
	/* The same for decoders of many, which count themselves: begun. NULL: trace() gets each. */
	struct pgb_trace_stage *(*begin)(void *context, const struct pgb_record *record);
	/* The program was at `address`; weight in samples. */
	void (*ip)(void *context, const struct pgb_record *record, uint64_t address);
	/* The process of a thread; 0: not known. NULL: none is. */
	uint32_t (*process_of)(void *context, uint32_t tid);
	/* Who ran on a CPU at a time; false: not known. NULL: nothing is. */
	bool (*thread_at)(void *context, uint32_t cpu, uint64_t time_ns, struct pgb_switch *thread);
	void *context;
};

/* How a decoder should behave where perf2bolt and we disagree. */
struct pgb_decode_options {
	/* Drop kernel entries only, and never break chains. */
	bool compat_perf2bolt;
};

/* Addresses from here up are the kernel's, on x86-64 and on AArch64. */
#define PGB_KERNEL_ADDRESS UINT64_C(0xffff800000000000)

/* What the user asked for. NULL and zeros: the source's own choice for this machine. */
struct pgb_source_request {
	const char *event;
	struct pgb_rate rate;
	/* walk alone */
	double max_overhead_percent;
	size_t depth; /* taken branches of one stack */
	uint64_t seed;
};

/* Whom a source that brings its own feed is to follow. Borrowed. */
struct pgb_source_target {
	const struct pgb_perf_sys *sys;
	const struct pgb_host *host;
	const struct pgb_log *log;
	const pid_t *pids;
	size_t pid_count;
	bool own_child; /* the one pid is our own held child; begin with its exec */
};

#define PGB_SOURCE_ATTRS_MAX 4

/*
 * What to open: one attr per PMU (two where fast and slow cores have a PMU each). All of them have
 * the same sample_type, so that one record format fits.
 */
struct pgb_source_plan {
	struct perf_event_attr attrs[PGB_SOURCE_ATTRS_MAX];
	size_t attr_count;
	struct pgb_rate rate; /* requested or default; periods are prime unless requested */
	char event_name[256]; /* as people write it and pgb_event_parse() reads it */
};

struct pgb_source {
	const char *name;    /* as `record --source` spells it */
	const char *summary; /* one line for people */
	bool has_branches;
	bool reads_aux; /* decode() gets AUX records, with their bytes, instead of samples */
	bool is_sparse; /* single branches, and no chains of them */
	bool by_time;	/* samples begin by time: weighed to count executions (visits.h) */
	/* Can this machine do it? 0, or PGB_E_UNSUPPORTED / PGB_E_PERMISSION with the remedy. */
	int (*probe)(const struct pgb_host *host, struct pgb_error *error);
	/*
	 * Complete attrs for this machine, but for what pgb_feed_live adds (enable_on_exec,
	 * inherit, side-band records, watermark). `request` may be NULL. Errors: what probe
	 * and pgb_event_parse() say; PGB_E_USAGE for a rate or an event that this source
	 * cannot have.
	 */
	int (*plan)(const struct pgb_host *host, const struct pgb_source_request *request,
		    struct pgb_source_plan *plan, struct pgb_error *error);
	/* Sources that read no rings open their own feed; NULL: pgb_feed_live_new(). */
	int (*open)(const struct pgb_source_target *target,
		    const struct pgb_source_request *request, struct pgb_feed **feed,
		    struct pgb_error *error);
	/* One record into the sink. 0 or PGB_E_CORRUPT (counted in `stats`). */
	int (*decode)(const struct pgb_record *record, const struct pgb_decode_options *options,
		      const struct pgb_sink *sink, struct pgb_source_stats *stats);
};

extern const struct pgb_source pgb_source_ibs;
extern const struct pgb_source pgb_source_ip;
extern const struct pgb_source pgb_source_lbr;
extern const struct pgb_source pgb_source_spe;
extern const struct pgb_source pgb_source_walk;

/*
 * For sources: the plan for an event of this name (the request's, else `event`): parsed, one attr
 * per core PMU where it is a generic event of the CPU, user space only, with its rate.
 */
int pgb_source_plan_event(const struct pgb_host *host, const struct pgb_source_request *request,
			  const char *event, struct pgb_source_plan *plan, struct pgb_error *error);

/* By its name; NULL where there is none. Borrowed. */
const struct pgb_source *pgb_source_find(const char *name);
/* Every source that reads rings, in the order `auto` tries them; NULL-terminated. */
extern const struct pgb_source *const pgb_sources[];

#endif
