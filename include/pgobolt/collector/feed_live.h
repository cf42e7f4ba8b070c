/* SPDX-License-Identifier: MIT */
/*
 * Live kernel rings: one event per (task, CPU) or per CPU, one ring per CPU, records merged in
 * time order.
 *
 * Order: rings of different CPUs are merged by time. A round takes the clock first and then the
 * heads, and yields only records older than that clock by a margin: what a CPU may still be
 * writing stays in its ring for the next round.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_LIVE_H
#define PGOBOLT_COLLECTOR_FEED_LIVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "pgobolt/base/log.h"
#include "pgobolt/collector/feed.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/perf_sys.h"

#define PGB_FEED_LIVE_ATTRS_MAX 4

struct pgb_perfdata_writer;

/* Borrowed for the time of the call, but for `sys` and `host`, which must outlive the feed. */
struct pgb_feed_live_config {
	const struct pgb_perf_sys *sys;
	const struct pgb_host *host;
	const struct pgb_log *log;
	/*
	 * One attr per PMU to open (two on hybrids), at most PGB_FEED_LIVE_ATTRS_MAX, with the
	 * same sample_type. The feed adds enabling, inheritance, side-band records, clock and
	 * watermark.
	 */
	const struct perf_event_attr *attrs;
	size_t attr_count;
	const pid_t *pids; /* processes to attach to: all their threads, and new ones by inherit */
	size_t pid_count;
	bool system_wide;
	bool enable_on_exec; /* the one pid is a held child; counting starts at its exec */
	size_t ring_pages;   /* per CPU, a power of two; 0: default */
	/*
	 * The attrs are of hardware that writes an AUX area: AUX records come with their bytes
	 * (record->aux_bytes). An event that stopped for want of room there is started again.
	 */
	bool aux;
	size_t aux_pages; /* per CPU, a power of two; 0: default */
};

/*
 * Errors name the event, the errno and the remedy: PGB_E_PERMISSION (paranoid, capability,
 * seccomp), PGB_E_UNSUPPORTED, PGB_E_RESOURCE (EMFILE: ulimit -n, after its soft limit was raised
 * to the hard one; locked memory), PGB_E_GONE (no such pid).
 */
int pgb_feed_live_new(struct pgb_feed **feed, const struct pgb_feed_live_config *config,
		      struct pgb_error *error);
/*
 * Start, where not enable_on_exec; stop. Draining goes on after a stop until next() says 0.
 * When attaching, start before reading /proc/PID/maps: events that are off report no mappings.
 */
int pgb_feed_live_enable(struct pgb_feed *feed, struct pgb_error *error);
void pgb_feed_live_disable(struct pgb_feed *feed);
/*
 * Nothing more will be written: next() yields everything that is left before it says 0. Also takes
 * over what the kernel lost without telling in a record.
 */
void pgb_feed_live_finish(struct pgb_feed *feed);
/*
 * From now on write every record that next() yields to a perf.data file at `path`, with AUX areas;
 * before the first one. `event_name` is what the file calls the events. The writer is the caller's
 * to finish or free, behind the last next(). Errors: those of pgb_perfdata_writer_new().
 */
int pgb_feed_live_keep(struct pgb_feed *feed, const char *path, const struct pgb_host *host,
		       const char *event_name, struct pgb_perfdata_writer **writer,
		       struct pgb_error *error);
size_t pgb_feed_live_ring_bytes(const struct pgb_feed *feed);

/* Sums over all events. running < enabled: the PMU was shared with others (multiplexed). */
struct pgb_feed_live_counts {
	uint64_t events;
	uint64_t time_enabled_ns, time_running_ns;
	uint64_t lost; /* records; 0 before Linux 6.0 */
};
void pgb_feed_live_count(const struct pgb_feed *feed, struct pgb_feed_live_counts *counts);

/*
 * Open each attr for a moment on ourselves and take back, step by step, what this kernel or PMU
 * does not have and we can do without: precise_ip, lost counts, exclude_guest. Tells for certain
 * whether a plan works here; pgb_feed_live_new() does it for itself. Errors as there.
 */
int pgb_feed_live_settle(const struct pgb_perf_sys *sys, const struct pgb_host *host,
			 struct perf_event_attr *attrs, size_t count, struct pgb_error *error);

/*
 * Explain a failed perf_event_open: fills error with the cause and the remedy for this host.
 * `negative_errno` as pgb_perf_sys.event_open gave it. Returns error->code.
 */
int pgb_feed_live_explain(const struct pgb_host *host, const struct perf_event_attr *attr,
			  int negative_errno, bool system_wide, struct pgb_error *error);

#endif
