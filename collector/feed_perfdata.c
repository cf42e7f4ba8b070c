/* SPDX-License-Identifier: MIT */
#include "collector/feed_perfdata_private.h"

#include <string.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/collector/feed_perfdata_features.h"

enum {
	/* Read ahead of a file without rounds whose times ascend: enough to see that they do. */
	SMALL_WINDOW_CHUNKS = 2,
};

/* Mappings, and what switches between them: these must not be seen before or after their time. */
static bool matters(uint32_t type)
{
	switch (type) {
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
	case PERF_RECORD_AUX:
	case PERF_RECORD_ITRACE_START:
	case PERF_RECORD_SWITCH:
	case PERF_RECORD_SWITCH_CPU_WIDE:
		return true;
	}
	return false;
}

/* Samples mostly come in long rows: handled together they cost next to nothing. */
static void extend(struct feed_perfdata *feed, struct pgb_perfdata_entry *entry)
{
	struct pgb_cursor ahead =
		pgb_perfdata_stream_ahead(pgb_perfdata_streams_current(&feed->streams));
	size_t size_bytes = entry->size_bytes;

	if (entry->time_ns < feed->order.released_ns) /* late: each is counted */
		return;
	pgb_perfdata_events_extend(&feed->events, ahead,
				   1 + pgb_perfdata_streams_turn_left(&feed->streams), entry);
	pgb_perfdata_streams_take(&feed->streams, entry->size_bytes - size_bytes, entry->count - 1);
}

static int add_kernel_record(struct feed_perfdata *feed, const struct pgb_perfdata_raw *raw,
			     struct pgb_error *error)
{
	struct pgb_perfdata_entry entry = {
		.bytes = raw->bytes,
		.chunk = raw->chunk & 0xfffff,
		.member = feed->streams.current & 0xfff,
		.size_bytes = (uint32_t)raw->size_bytes,
		.count = 1,
		.samples = raw->type == PERF_RECORD_SAMPLE,
		.matters = matters(raw->type),
	};
	uint16_t event;

	if (!feed->events.prepared) {
		int code = pgb_perfdata_events_prepare(&feed->events, feed->path, error);

		if (code < 0)
			return code;
	}
	if (!pgb_perfdata_events_find(&feed->events, raw->type, raw->bytes, raw->size_bytes, &event,
				      &entry.time_ns)) {
		feed->info.unknown_ids++;
		return PGB_OK;
	}
	entry.last_ns = entry.time_ns;
	entry.event = event & 0x3fff;
	if (entry.samples)
		extend(feed, &entry);
	pgb_perfdata_streams_saw(&feed->streams, entry.last_ns);
	pgb_perfdata_stream_hold(pgb_perfdata_streams_current(&feed->streams), raw->chunk,
				 entry.count);
	pgb_perfdata_order_add(&feed->order, &entry);
	return PGB_OK;
}

/*
 * Room for read-ahead is used up: small while a file without rounds shows no disorder; of
 * several files each needs some.
 */
static bool window_is_full(const struct feed_perfdata *feed)
{
	size_t members = feed->streams.members.count;
	size_t most = PGB_LIMIT_REORDER_BYTES /
		      pgb_perfdata_stream_chunk_bytes(&feed->streams.members.items[0].stream);
	size_t chunks;

	if (feed->order.pending.count == 0)
		return false;
	if (feed->order.pending_records >= PGB_LIMIT_REORDER_RECORDS)
		return true;
	if (members > 1 && feed->streams.turns != 1)
		return false; /* looking at all of them once in a while will do */
	chunks = pgb_perfdata_streams_chunks_in_use(&feed->streams);
	if (members > 1 || feed->order.rounds || feed->order.any_disorder)
		return chunks > most + 2 * members;
	return chunks > SMALL_WINDOW_CHUNKS + feed->lent;
}

static void finish(struct feed_perfdata *feed)
{
	const struct pgb_perfdata_member *worst = pgb_perfdata_streams_worst(&feed->streams);
	enum pgb_perfdata_end end = worst->stream.end;

	feed->finished = true;
	pgb_perfdata_order_finish(&feed->order);
	if (end == PGB_PERFDATA_WHOLE && feed->unfinished)
		end = PGB_PERFDATA_UNFINISHED;
	feed->base.stats.truncated += end == PGB_PERFDATA_CUT;
	feed->base.stats.malformed += end == PGB_PERFDATA_DAMAGED;
	feed->info.end = end;
	feed->info.end_offset = pgb_perfdata_stream_position(&worst->stream);
	feed->end_path = worst->path;
}

int pgb_feed_perfdata_read(struct feed_perfdata *feed, struct pgb_error *error)
{
	struct pgb_perfdata_raw raw;
	struct pgb_perfdata_stream *stream;
	int code = pgb_perfdata_streams_next(&feed->streams, &raw, error);

	if (code < 0)
		return code;
	if (code == 0) {
		finish(feed);
		return 0;
	}
	if (code == PGB_PERFDATA_TURN) {
		pgb_perfdata_order_until(&feed->order, feed->streams.limit_ns);
		return 1;
	}
	stream = pgb_perfdata_streams_current(&feed->streams);
	feed->info.compressed |= stream->zstd != NULL;
	if (raw.type < PGB_PERFDATA_USER_TYPES) {
		code = add_kernel_record(feed, &raw, error);
	} else {
		feed->user.stream = stream;
		code = pgb_perfdata_user_read(&feed->user, &raw, error);
	}
	feed->info.end_offset = pgb_perfdata_stream_position(stream);
	return code < 0 ? code : 1;
}

static uint64_t lost_either_way(const struct feed_perfdata *feed)
{
	return feed->lost_in_rings > feed->lost_in_total ? feed->lost_in_rings
							 : feed->lost_in_total;
}

static void account(struct feed_perfdata *feed, const struct pgb_record *record)
{
	struct pgb_feed_stats *stats = &feed->base.stats;
	uint64_t *lost = NULL;

	if (record->type == PERF_RECORD_SAMPLE)
		feed->info.events.items[record->event].samples++;
	else if (record->type == PERF_RECORD_LOST)
		lost = &feed->lost_in_rings;
	else if (record->type == PERF_RECORD_LOST_SAMPLES && record->has_time &&
		 record->time_ns == 0) /* the kernel's own have a time */
		lost = &feed->lost_in_total;
	stats->disordered = feed->order.late;
	pgb_feed_account(&feed->base, record);
	if (lost == NULL)
		return;
	stats->lost_records -= record->lost + lost_either_way(feed);
	*lost += record->lost;
	stats->lost_records += lost_either_way(feed);
}

static void let_go(struct feed_perfdata *feed)
{
	if (feed->holds)
		pgb_perfdata_streams_drop(&feed->streams, feed->held.member, feed->held.chunk,
					  feed->held.count);
	feed->holds = false;
}

/* Of an entry of one record. 1, or what pgb_record_parse() says. */
static int parse(const struct feed_perfdata *feed, const struct pgb_perfdata_entry *entry,
		 struct pgb_record *record)
{
	struct pgb_cursor bytes = pgb_cursor_of(entry->bytes, entry->size_bytes);
	int code = pgb_record_parse(&bytes, &feed->info.events.items[entry->event].format, record);

	record->event = entry->event;
	return code;
}

/* The first AUX record whose bytes have come, or will not come any more. */
static bool next_waiting(struct feed_perfdata *feed, struct pgb_perfdata_entry *entry)
{
	bool at_end = feed->finished && feed->order.ready_at == feed->order.ready.count;
	struct pgb_record record;

	if (!feed->areas.has_new && !at_end)
		return false;
	for (size_t i = 0; i < feed->waiting.count; i++) {
		*entry = feed->waiting.items[i];
		if (!at_end && (parse(feed, entry, &record) != 1 ||
				!pgb_perfdata_areas_hold(&feed->areas, &record)))
			continue;
		feed->waiting.count--;
		memmove(&feed->waiting.items[i], &feed->waiting.items[i + 1],
			(feed->waiting.count - i) * sizeof(*entry));
		return true;
	}
	feed->areas.has_new = false;
	return false;
}

/* Of an AUX record: give it its bytes. false: they have not come yet. */
static bool attach(struct feed_perfdata *feed, const struct pgb_perfdata_entry *entry,
		   struct pgb_record *record)
{
	bool may_wait = !feed->finished || feed->order.ready_at < feed->order.ready.count;

	if (!feed->user.areas || record->aux.size_bytes == 0)
		return true;
	if (may_wait && !pgb_perfdata_areas_hold(&feed->areas, record) &&
	    feed->waiting.count < PGB_LIMIT_REORDER_RECORDS) {
		pgb_array_push(&feed->waiting, *entry);
		return false;
	}
	pgb_perfdata_areas_attach(&feed->areas, record,
				  !feed->info.events.items[entry->event].attr.inherit);
	record->aux_ticks = feed->user.ticks.multiplier ? &feed->user.ticks : NULL;
	return true;
}

/* 1 an entry to hand out; 0 the end; negative: reading on failed. */
static int next_entry(struct feed_perfdata *feed, struct pgb_perfdata_entry *entry,
		      struct pgb_error *error)
{
	for (;;) {
		const struct pgb_perfdata_entry *ready;
		int code;

		if (feed->waiting.count > 0 && next_waiting(feed, entry))
			return 1;
		ready = pgb_perfdata_order_next(&feed->order);
		if (ready) {
			*entry = *ready;
			return 1;
		}
		if (feed->finished)
			return feed->waiting.count > 0 && next_waiting(feed, entry);
		if (window_is_full(feed))
			pgb_perfdata_order_halve(&feed->order);
		else if ((code = pgb_feed_perfdata_read(feed, error)) < 0)
			return code;
	}
}

/* There is something to yield: 1; 0 the end; negative. */
static int hold(struct feed_perfdata *feed, struct pgb_error *error)
{
	int code;

	if (feed->holds && feed->held_at < feed->held.size_bytes)
		return 1;
	let_go(feed);
	code = next_entry(feed, &feed->held, error);
	feed->holds = code > 0;
	feed->held_at = 0;
	return code;
}

/* The record at held_at, which moves behind it. */
static int parse_held(struct feed_perfdata *feed, struct pgb_record *record)
{
	const struct pgb_perfdata_entry *held = &feed->held;
	struct pgb_cursor bytes = pgb_cursor_of(held->bytes, held->size_bytes);
	int code;

	pgb_cursor_skip(&bytes, feed->held_at);
	code = pgb_record_parse(&bytes, &feed->info.events.items[held->event].format, record);
	record->event = held->event;
	feed->held_at = held->size_bytes - pgb_cursor_left(&bytes);
	return code;
}

static int next(struct pgb_feed *base, struct pgb_record *record, struct pgb_error *error)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	for (;;) {
		int code = hold(feed, error);

		if (code <= 0)
			return code;
		if (parse_held(feed, record) != 1) {
			base->stats.malformed++;
			continue;
		}
		if (record->type == PERF_RECORD_AUX && !attach(feed, &feed->held, record)) {
			feed->holds = false; /* it does so as long as it waits */
			continue;
		}
		account(feed, record);
		return 1;
	}
}

static int next_run(struct pgb_feed *base, struct pgb_record *record, struct pgb_feed_run *run,
		    struct pgb_error *error)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;
	const struct pgb_perfdata_entry *held = &feed->held;
	struct pgb_perfdata_event *event;
	int code = hold(feed, error);

	if (code <= 0)
		return code;
	if (!held->samples || feed->held_at > 0)
		return next(base, record, error);
	event = &feed->info.events.items[held->event];
	*run = (struct pgb_feed_run){
		.bytes = held->bytes,
		.size_bytes = held->size_bytes,
		.count = held->count,
		.event = held->event,
		.format = event->format,
		.owner = held->member,
		.chunk = held->chunk,
	};
	event->samples += run->count;
	base->stats.records += run->count;
	base->stats.bytes += run->size_bytes;
	base->stats.disordered = feed->order.late;
	feed->holds = false;
	feed->lent++;
	return PGB_FEED_RUN;
}

static void give_back(struct pgb_feed *base, const struct pgb_feed_run *run)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	feed->info.events.items[run->event].samples -= run->malformed;
	base->stats.records -= run->malformed;
	base->stats.bytes -= run->malformed_bytes;
	base->stats.malformed += run->malformed;
	pgb_perfdata_streams_drop(&feed->streams, run->owner, run->chunk, (uint32_t)run->count);
	feed->lent--;
}

static void feed_free(struct pgb_feed *base)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	pgb_perfdata_streams_release(&feed->streams);
	pgb_perfdata_order_release(&feed->order);
	pgb_perfdata_areas_release(&feed->areas);
	pgb_array_release(&feed->waiting);
	pgb_perfdata_events_release(&feed->events);
	pgb_perfdata_info_release(&feed->info);
	free(feed->path);
	free(feed);
}

const struct pgb_feed_ops pgb_feed_perfdata_ops = {
	.next = next,
	.next_run = next_run,
	.give_back = give_back,
	.free = feed_free,
};
