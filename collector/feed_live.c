/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_live.h"

#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/feed_live_open.h"
#include "pgobolt/collector/perfdata_write.h"

/*
 * A CPU takes the time of a record before the record can be seen in its ring. How long that may
 * take is not bounded (a virtual CPU can be descheduled in between); this covers nearly all.
 */
#define MARGIN_NS UINT64_C(10000000)
/* A time stamp further ahead than this is not ahead but wrong, and must not block its ring. */
#define AHEAD_NS UINT64_C(1000000000)

struct live_feed {
	struct pgb_feed feed; /* first */
	struct pgb_live_set set;
	struct pollfd *polls; /* one per ring */
	uint32_t *heap;	      /* rings that have a record in this round, earliest on top */
	size_t heap_count;
	bool in_round;
	bool in_last_round; /* begun after the end: holds everything */
	bool yielded;	    /* the top of the heap was given out, and has to be passed */
	bool disabled;	    /* not to be started again */
	bool finished;
	uint64_t lost;	 /* in all, as the kernel counts; known once finished */
	uint64_t now_ns; /* when the round began */
	uint64_t last_time_ns;
	/* The second half of a piece that wraps around in its AUX area; handed out next. */
	struct pgb_record rest;
	bool has_rest;
	struct pgb_perfdata_writer *writer; /* of what is handed out; NULL: none */
};

static struct live_feed *live_of(struct pgb_feed *feed)
{
	return (struct live_feed *)feed;
}

static bool earlier(const struct live_feed *live, uint32_t a, uint32_t b)
{
	uint64_t time_a = live->set.rings.items[a].record.time_ns;
	uint64_t time_b = live->set.rings.items[b].record.time_ns;

	return time_a != time_b ? time_a < time_b : a < b;
}

/* Let the ring at `place` sink to where it belongs. */
static void sift_down(struct live_feed *live, size_t place)
{
	uint32_t moving = live->heap[place];

	for (;;) {
		size_t child = 2 * place + 1;

		if (child + 1 < live->heap_count &&
		    earlier(live, live->heap[child + 1], live->heap[child]))
			child++;
		if (child >= live->heap_count || !earlier(live, live->heap[child], moving))
			break;
		live->heap[place] = live->heap[child];
		place = child;
	}
	live->heap[place] = moving;
}

/* May a CPU still be writing something earlier than this? */
static bool is_too_new(const struct live_feed *live, const struct pgb_record *record)
{
	return !live->finished && record->has_time && record->time_ns + MARGIN_NS > live->now_ns &&
	       record->time_ns < live->now_ns + AHEAD_NS;
}

/* Parse the record at the tail; false: nothing in this ring for this round. */
static bool load(struct live_feed *live, struct pgb_live_ring *ring)
{
	struct pgb_cursor bytes;
	int result;

	while ((result = pgb_ring_peek(&ring->ring, &bytes)) != 0) {
		if (result == 1) {
			result = pgb_record_parse(&bytes, &live->set.format, &ring->record);
			if (result == 1 && is_too_new(live, &ring->record))
				return false;
			if (result == 1) {
				if (!ring->record.has_time)
					ring->record.time_ns = live->last_time_ns;
				return true;
			}
			pgb_ring_advance(&ring->ring);
		}
		live->feed.stats.malformed += result < 0;
	}
	return false;
}

/*
 * The clock first, then the heads: what is older than the clock by the margin and not in a ring
 * now will not come.
 */
static void begin_round(struct live_feed *live)
{
	live->now_ns = pgb_live_now_ns(&live->set);
	live->heap_count = 0;
	for (uint32_t i = 0; i < live->set.rings.count; i++) {
		struct pgb_live_ring *ring = &live->set.rings.items[i];

		if (pgb_ring_acquire(&ring->ring) > 0 && load(live, ring))
			live->heap[live->heap_count++] = i;
	}
	for (size_t i = live->heap_count / 2; i-- > 0;)
		sift_down(live, i);
	live->in_round = true;
	live->in_last_round = live->finished;
	live->yielded = false;
}

static void release(struct pgb_live_ring *ring)
{
	pgb_ring_release(&ring->ring);
	ring->released = ring->ring.tail;
}

static void end_round(struct live_feed *live)
{
	for (size_t i = 0; i < live->set.rings.count; i++)
		release(&live->set.rings.items[i]);
	live->in_round = false;
	if (live->writer)
		pgb_perfdata_writer_round(live->writer);
	/* A LOST record is written with the next one that fits: after the last there is none. */
	if (live->in_last_round && live->lost > live->feed.stats.lost_records) {
		live->feed.stats.lost_records = live->lost;
		if (live->writer)
			pgb_perfdata_writer_lost(live->writer, live->lost);
	}
}

/* The hardware stops for want of room, and does not start again by itself. */
static void restart(struct live_feed *live, uint32_t index)
{
	const struct pgb_live_set *set = &live->set;

	for (size_t i = 0; i < set->events.count; i++)
		if (set->events.items[i].ring == index && set->events.items[i].is_aux)
			set->sys->control(set->sys->context, set->events.items[i].fd,
					  PERF_EVENT_IOC_ENABLE, 0);
}

static void pass_aux(struct live_feed *live, uint32_t index)
{
	struct pgb_live_ring *ring = &live->set.rings.items[index];
	const struct pgb_record *record = &ring->record;

	pgb_ring_aux_release(&ring->aux, record->aux.offset + record->aux.size_bytes);
	if (record->aux.flags & PERF_AUX_FLAG_TRUNCATED && !live->disabled)
		restart(live, index);
}

/* Give an AUX record its bytes. */
static void attach_aux(struct live_feed *live, uint32_t index, struct pgb_record *record)
{
	const struct pgb_ring_aux *aux = &live->set.rings.items[index].aux;
	uint64_t count;

	record->aux_of_cpu = live->set.system_wide;
	record->aux_ticks = live->set.ticks.multiplier ? &live->set.ticks : NULL;
	record->aux_bytes = pgb_ring_aux_bytes(aux, record->aux.offset, record->aux.size_bytes);
	count = pgb_cursor_left(&record->aux_bytes);
	live->has_rest = count > 0 && count < record->aux.size_bytes;
	if (!live->has_rest)
		return;
	live->rest = *record;
	live->rest.aux.offset += count;
	live->rest.aux.size_bytes -= count;
	live->rest.aux_bytes =
		pgb_ring_aux_bytes(aux, live->rest.aux.offset, live->rest.aux.size_bytes);
	record->aux.size_bytes = count;
	record->aux.flags = 0; /* told of once */
}

/* Go past the record that was given out. */
static void pass_yielded(struct live_feed *live)
{
	struct pgb_live_ring *ring = &live->set.rings.items[live->heap[0]];

	if (ring->record.type == PERF_RECORD_AUX)
		pass_aux(live, live->heap[0]);
	else if (ring->record.type == PERF_RECORD_LOST && ring->aux.bytes && !live->disabled)
		restart(live, live->heap[0]); /* what was lost may have told that it stopped */
	pgb_ring_advance(&ring->ring);
	/* Give room back early: a round may be as long as the whole ring. */
	if (ring->ring.tail - ring->released >= ring->ring.size_bytes / 4)
		release(ring);
	if (!load(live, ring))
		live->heap[0] = live->heap[--live->heap_count];
	if (live->heap_count > 0)
		sift_down(live, 0);
	live->yielded = false;
}

/* The earliest record of this round; NULL: the round is over. */
static const struct pgb_record *earliest(struct live_feed *live)
{
	if (!live->in_round)
		begin_round(live);
	else if (live->yielded)
		pass_yielded(live);
	if (live->heap_count == 0 && live->finished && !live->in_last_round) {
		end_round(live);
		begin_round(live);
	}
	if (live->heap_count == 0) {
		end_round(live);
		return NULL;
	}
	live->yielded = true;
	return &live->set.rings.items[live->heap[0]].record;
}

/* The record on top of the heap as the kernel wrote it, and what it says is in the AUX area. */
static void keep(struct live_feed *live, const struct pgb_record *record, bool is_rest)
{
	struct pgb_live_ring *ring = &live->set.rings.items[live->heap[0]];
	struct pgb_cursor bytes;

	if (!is_rest && pgb_ring_peek(&ring->ring, &bytes) == 1)
		pgb_perfdata_writer_record(live->writer, bytes);
	pgb_perfdata_writer_aux(live->writer, record, ring->cpu);
}

static int live_next(struct pgb_feed *feed, struct pgb_record *record, struct pgb_error *error)
{
	struct live_feed *live = live_of(feed);
	const struct pgb_record *next;

	(void)error;
	if (live->has_rest) {
		*record = live->rest;
		live->has_rest = false;
		if (live->writer)
			keep(live, record, true);
		return 1;
	}
	do
		next = earliest(live);
	while (next && !pgb_live_accept(&live->set, next));
	if (next == NULL)
		return 0;
	*record = *next;
	if (record->type == PERF_RECORD_AUX)
		attach_aux(live, live->heap[0], record);
	if (live->writer)
		keep(live, record, false);
	if (record->time_ns < live->last_time_ns)
		feed->stats.disordered++;
	else
		live->last_time_ns = record->time_ns;
	pgb_feed_account(feed, record);
	return 1;
}

static bool hung_up(const struct live_feed *live, size_t event)
{
	const struct pgb_perf_sys *sys = live->set.sys;
	struct pollfd poll = {.fd = live->set.events.items[event].fd, .events = POLLIN};

	return sys->poll(sys->context, &poll, 1, 0) > 0 && poll.revents & (POLLHUP | POLLERR);
}

/*
 * The thread of the polled event has ended, and all that inherited it: poll another event of that
 * ring instead, else poll(2) would return at once for ever. A ring with none left is not polled.
 */
static void poll_another(struct live_feed *live, uint32_t index)
{
	struct pgb_live_ring *ring = &live->set.rings.items[index];
	const struct pgb_live_event *events = live->set.events.items;

	do
		ring->polled++;
	while (ring->polled < live->set.events.count &&
	       (events[ring->polled].ring != index || hung_up(live, ring->polled)));
	live->polls[index].fd =
		ring->polled < live->set.events.count ? events[ring->polled].fd : -1;
}

static int live_wait(struct pgb_feed *feed, int timeout_ms)
{
	struct live_feed *live = live_of(feed);
	const struct pgb_perf_sys *sys = live->set.sys;
	size_t count = live->set.rings.count;
	bool ready = false, alive = false;

	if (sys->poll(sys->context, live->polls, count, timeout_ms) < 0)
		return 0; /* a signal */
	for (uint32_t i = 0; i < count; i++) {
		if (live->polls[i].fd < 0)
			continue;
		ready = ready || live->polls[i].revents;
		if (live->polls[i].revents & (POLLHUP | POLLERR | POLLNVAL))
			poll_another(live, i);
		alive = alive || live->polls[i].fd >= 0;
	}
	return !alive ? PGB_E_GONE : ready;
}

static void live_free(struct pgb_feed *feed)
{
	struct live_feed *live = live_of(feed);

	pgb_feed_live_close(&live->set);
	free(live->polls);
	free(live->heap);
	free(live);
}

static const struct pgb_feed_ops live_ops = {
	.next = live_next,
	.wait = live_wait,
	.enable = pgb_feed_live_enable,
	.disable = pgb_feed_live_disable,
	.finish = pgb_feed_live_finish,
	.free = live_free,
};

int pgb_feed_live_new(struct pgb_feed **feed, const struct pgb_feed_live_config *config,
		      struct pgb_error *error)
{
	struct pgb_live_set set;
	struct live_feed *live;
	int result = pgb_feed_live_open(&set, config, error);

	*feed = NULL;
	if (result < 0)
		return result;
	live = pgb_calloc(1, sizeof(*live));
	live->feed.ops = &live_ops;
	live->set = set;
	live->polls = pgb_calloc(set.rings.count, sizeof(*live->polls));
	live->heap = pgb_calloc(set.rings.count, sizeof(*live->heap));
	for (size_t i = 0; i < set.rings.count; i++)
		live->polls[i] =
			(struct pollfd){.fd = set.rings.items[i].ring.fd, .events = POLLIN};
	*feed = &live->feed;
	return PGB_OK;
}

/* The request to every event; the first failure as negative errno. */
static int control_all(const struct live_feed *live, unsigned long request)
{
	const struct pgb_live_set *set = &live->set;
	int result = 0;

	for (size_t i = 0; i < set->events.count; i++) {
		int code =
			set->sys->control(set->sys->context, set->events.items[i].fd, request, 0);

		if (result == 0)
			result = code;
	}
	return result < 0 ? result : 0;
}

int pgb_feed_live_enable(struct pgb_feed *feed, struct pgb_error *error)
{
	int code = control_all(live_of(feed), PERF_EVENT_IOC_ENABLE);

	if (code == 0)
		return PGB_OK;
	return pgb_fail(error, pgb_code_from_errno(-code), "starting the events failed: %s",
			strerror(-code));
}

void pgb_feed_live_disable(struct pgb_feed *feed)
{
	live_of(feed)->disabled = true;
	control_all(live_of(feed), PERF_EVENT_IOC_DISABLE);
}

void pgb_feed_live_finish(struct pgb_feed *feed)
{
	struct pgb_feed_live_counts counts;

	pgb_feed_live_count(feed, &counts);
	live_of(feed)->lost = counts.lost;
	live_of(feed)->finished = true;
}

int pgb_feed_live_keep(struct pgb_feed *feed, const char *path, const struct pgb_host *host,
		       const char *event_name, struct pgb_perfdata_writer **writer,
		       struct pgb_error *error)
{
	struct pgb_live_set *set = &live_of(feed)->set;
	struct pgb_perfdata_written_event events[PGB_FEED_LIVE_ATTRS_MAX + 1] = {{{0}}};
	uint64_t *ids = pgb_calloc(set->events.count, sizeof(*ids)), *next = ids;
	size_t count = 0;
	int code;

	for (uint32_t i = 0; i < set->attr_count; i++) {
		struct pgb_perfdata_written_event *event = &events[count];

		*event = (struct pgb_perfdata_written_event){
			.attr = set->attrs[i],
			.name = i + 1 < set->attr_count ? event_name : "dummy:u",
			.ids = next,
			.ticks = set->ticks.multiplier ? &set->ticks : NULL};
		for (size_t j = 0; j < set->events.count; j++)
			if (set->events.items[j].attr == i)
				set->sys->control(set->sys->context, set->events.items[j].fd,
						  PERF_EVENT_IOC_ID, (uintptr_t)next++);
		event->id_count = (size_t)(next - event->ids);
		count += event->id_count > 0;
	}
	code = pgb_perfdata_writer_new(writer, path, host, events, count, error);
	live_of(feed)->writer = *writer;
	free(ids);
	return code;
}

size_t pgb_feed_live_ring_bytes(const struct pgb_feed *feed)
{
	const struct pgb_live_set *set = &((const struct live_feed *)feed)->set;
	size_t size_bytes = 0;

	for (size_t i = 0; i < set->rings.count; i++)
		size_bytes +=
			set->rings.items[i].ring.size_bytes + set->rings.items[i].aux.size_bytes;
	return size_bytes;
}

void pgb_feed_live_count(const struct pgb_feed *feed, struct pgb_feed_live_counts *counts)
{
	const struct pgb_live_set *set = &((const struct live_feed *)feed)->set;

	*counts = (struct pgb_feed_live_counts){0};
	for (size_t i = 0; i < set->events.count; i++) {
		uint64_t values[4] = {0}; /* value, enabled, running, lost */
		ssize_t got = set->sys->read(set->sys->context, set->events.items[i].fd, values,
					     sizeof(values));

		if (got < (ssize_t)(3 * sizeof(values[0])))
			continue;
		counts->events += values[0];
		counts->time_enabled_ns += values[1];
		counts->time_running_ns += values[2];
		counts->lost += values[3];
	}
}
