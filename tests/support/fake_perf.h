/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of perf events, for machines that lack the hardware and for what a real kernel
 * does only now and then: a struct pgb_perf_sys over rings in plain memory. It refuses what the
 * kernel refuses, keeps one ring per mapped event, counts what does not fit and tells of it in
 * a LOST record, as kernel/events/ring_buffer.c does. Time stands still unless a test moves it.
 *
 *	struct fake_perf *perf = fake_perf_new();
 *	... open a feed on fake_perf_sys(perf) ...
 *	fake_perf_write(perf, fake_perf_find(perf, pid, cpu), bytes.data, bytes.length);
 */
#ifndef TESTS_SUPPORT_FAKE_PERF_H
#define TESTS_SUPPORT_FAKE_PERF_H

#include <stdbool.h>

#include "pgobolt/collector/perf_sys.h"
#include "tests/support/perf_encode.h"

struct fake_perf;

/* An event as it was opened. Tests may set hung_up, value, lost and the times. */
struct fake_event {
	int fd;
	struct perf_event_attr attr;
	pid_t pid;
	int cpu;
	unsigned long flags;
	uint64_t id;
	bool closed, enabled;
	bool hung_up; /* its task and all that inherited it have ended: poll says POLLHUP */
	struct fake_event *output; /* whose ring it writes to; NULL: none yet */
	uint64_t value, time_enabled_ns, time_running_ns, lost; /* for read */
};

/* 0 to open the event, or the negative errno to refuse it with. */
typedef int (*fake_refuse)(void *context, const struct perf_event_attr *attr, pid_t pid, int cpu);

struct fake_perf *fake_perf_new(void);
/* Rings and events go; asserts that all of them were unmapped and closed before. */
void fake_perf_free(struct fake_perf *perf);
const struct pgb_perf_sys *fake_perf_sys(struct fake_perf *perf);

/* Asked at each open, after the checks that need no hardware. */
void fake_perf_refuse(struct fake_perf *perf, fake_refuse refuse, void *context);
/* From then on opening says EMFILE; mapping says EPERM. 0: no limit. */
void fake_perf_limit(struct fake_perf *perf, size_t descriptors_max, size_t locked_bytes_max);
void fake_perf_set_clock(struct fake_perf *perf, uint64_t now_ns);
/*
 * The counter says `now`, and counts so many ns >> shift for each tick: rings that are mapped from
 * then on tell so. At first there is no counter.
 */
void fake_perf_set_ticks(struct fake_perf *perf, uint64_t now, uint32_t multiplier, uint16_t shift);

/* Events in the order of opening, closed ones too; NULL where there is none. Borrowed. */
struct fake_event *fake_perf_event(struct fake_perf *perf, size_t index);
/* The first open event of this task (-1: all) on this CPU; NULL where there is none. */
struct fake_event *fake_perf_find(struct fake_perf *perf, pid_t pid, int cpu);
size_t fake_perf_open_count(const struct fake_perf *perf);
/* Number of poll calls so far. */
unsigned int fake_perf_polls(const struct fake_perf *perf);

/* What exec does: enable_on_exec events of this task start. */
void fake_perf_exec(struct fake_perf *perf, pid_t pid);

/*
 * Write one record into the event's ring. false: the event is off, has no ring, or there was no
 * room (counted; a LOST record goes before the next one that fits).
 */
bool fake_perf_write(struct fake_perf *perf, struct fake_event *event, const void *record,
		     size_t size_bytes);
/*
 * What a driver with an AUX area does: copy the bytes there, never around its end (it skips to
 * the start, as SPE's does), and write an AUX record. Where there is no room, the record says
 * TRUNCATED, without bytes, and the event stops. `flags` besides that; `who` of the record.
 * false: the bytes or their record did not fit, or the event was off.
 */
bool fake_perf_write_aux(struct fake_perf *perf, struct fake_event *event,
			 const struct perf_identity *who, const void *bytes, size_t size_bytes,
			 uint64_t flags);
/* Bytes in the event's ring that have not been given back. */
uint64_t fake_perf_waiting(const struct fake_event *event);
/* Likewise of its AUX area. */
uint64_t fake_perf_aux_waiting(const struct fake_event *event);
/* The size of the ring that the event writes to, or of its AUX area; 0: it has none. */
uint64_t fake_perf_ring_bytes(const struct fake_event *event, bool aux);

#endif
