/* SPDX-License-Identifier: MIT */
/*
 * The events and rings of a live feed: which to open for what is recorded, and how they share
 * rings. Private to feed_live.
 *
 * Layout: an event per (thread, CPU) that threads and children inherit, or per CPU when recording
 * the whole system; the first event of a CPU maps a ring, all others of that CPU write into it.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_LIVE_OPEN_H
#define PGOBOLT_COLLECTOR_FEED_LIVE_OPEN_H

#include "pgobolt/base/array.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/ring_aux.h"

struct pgb_live_event {
	int fd;
	pid_t tid;     /* -1: every thread on the CPU */
	uint32_t ring; /* index */
	uint32_t attr; /* index */
	bool is_aux;   /* fills the ring's AUX area */
};

/*
 * A thread that appeared while we attached, or one that such a thread started since. It has the
 * events that were opened for `opened_tid`, and may have inherited those of another thread too:
 * samples from the latter would count twice.
 */
struct pgb_live_late {
	pid_t tid, opened_tid;
};

/* An event that was opened for a late thread: samples carry its id. */
struct pgb_live_late_id {
	pid_t tid;
	uint64_t id;
};

struct pgb_live_ring {
	struct pgb_ring ring;
	struct pgb_ring_aux aux; /* none where no such hardware is on this CPU */
	unsigned int cpu;
	uint64_t released;	  /* the tail that the kernel knows */
	size_t polled;		  /* index of the event to poll: the first that lives */
	struct pgb_record record; /* the one at the tail, once feed_live has read it */
};

struct pgb_live_set {
	const struct pgb_perf_sys *sys;
	struct pgb_record_format format;
	bool system_wide;
	bool uses_ticks;	/* records have CLOCK_MONOTONIC_RAW, not CLOCK_MONOTONIC */
	struct pgb_ticks ticks; /* to that; multiplier 0: not known */
	/* As they were opened; the last one is for CPUs that need another for mappings. */
	struct perf_event_attr attrs[PGB_FEED_LIVE_ATTRS_MAX + 1];
	size_t attr_count;
	PGB_ARRAY(struct pgb_live_event) events;
	PGB_ARRAY(struct pgb_live_ring) rings;
	PGB_ARRAY(struct pgb_live_late) late;
	PGB_ARRAY(struct pgb_live_late_id) late_ids;
};

/* feed_live_late.c: false: a sample to leave out. In order of time, as FORK comes before its
 * effect. */
bool pgb_live_accept(struct pgb_live_set *set, const struct pgb_record *record);

/* feed_live_ticks.c */
bool pgb_live_uses_ticks(const struct pgb_feed_live_config *config);
/* Now, by the clock that the records have. */
uint64_t pgb_live_now_ns(const struct pgb_live_set *set);
/* Find out how ticks become times; rings are open. */
void pgb_live_set_ticks(struct pgb_live_set *set);

/* Errors as pgb_feed_live_new(). On failure nothing stays open. */
int pgb_feed_live_open(struct pgb_live_set *set, const struct pgb_feed_live_config *config,
		       struct pgb_error *error);
/* A zeroed set is legal. */
void pgb_feed_live_close(struct pgb_live_set *set);

#endif
