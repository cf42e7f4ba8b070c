/* SPDX-License-Identifier: MIT */
/* The software branch stack: made by visits to running threads, decoded as a hardware one. */
#include "pgobolt/collector/feed_walk.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/source.h"

static int probe_walk(const struct pgb_host *host, struct pgb_error *error)
{
	(void)host;
	return pgb_walker_probe(error);
}

static int plan_walk(const struct pgb_host *host, const struct pgb_source_request *request,
		     struct pgb_source_plan *plan, struct pgb_error *error)
{
	struct pgb_source_request clock = {.event = "cpu-clock"};

	if (request && request->event && strcmp(request->event, "cpu-clock") != 0)
		return pgb_fail(
			error, PGB_E_USAGE,
			"walk: samples by CPU time; it takes no other event than cpu-clock");
	if (request)
		clock.rate = request->rate;
	if (clock.rate.period_events == 0 && clock.rate.frequency_hz == 0)
		clock.rate.period_events = PGB_WALK_PERIOD_NS;
	return pgb_source_plan_event(host, &clock, "cpu-clock", plan, error);
}

static int open_walk(const struct pgb_source_target *target,
		     const struct pgb_source_request *request, struct pgb_feed **feed,
		     struct pgb_error *error)
{
	const struct pgb_feed_walk_config config = {
		.sys = target->sys,
		.host = target->host,
		.log = target->log,
		.pids = target->pids,
		.pid_count = target->pid_count,
		.own_child = target->own_child,
		.period_ns = request->rate.period_events ? request->rate.period_events
			     : request->rate.frequency_hz
				     ? UINT64_C(1000000000) / request->rate.frequency_hz
				     : 0,
		.depth = request->depth,
		.max_overhead_percent = request->max_overhead_percent,
		.seed = request->seed,
	};

	return pgb_feed_walk_new(feed, &config, error);
}

static int decode_walk(const struct pgb_record *record, const struct pgb_decode_options *options,
		       const struct pgb_sink *sink, struct pgb_source_stats *stats)
{
	return pgb_source_lbr.decode(record, options, sink, stats);
}

const struct pgb_source pgb_source_walk = {
	.name = "walk",
	.summary = "software branch stack: visits to running threads, no PMU needed",
	.has_branches = true,
	.by_time = true,
	.probe = probe_walk,
	.plan = plan_walk,
	.open = open_walk,
	.decode = decode_walk,
};
