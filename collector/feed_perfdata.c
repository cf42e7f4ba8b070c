/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata.h"

#include <string.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata_areas.h"
#include "pgobolt/collector/feed_perfdata_events.h"
#include "pgobolt/collector/feed_perfdata_features.h"
#include "pgobolt/collector/feed_perfdata_header.h"
#include "pgobolt/collector/feed_perfdata_load.h"
#include "pgobolt/collector/feed_perfdata_order.h"
#include "pgobolt/collector/feed_perfdata_streams.h"
#include "pgobolt/collector/feed_perfdata_user.h"

enum {
	/* Read ahead of a file without rounds whose times ascend: enough to see that they do. */
	SMALL_WINDOW_CHUNKS = 2,
};

struct feed_perfdata {
	struct pgb_feed base;
	struct pgb_feed_perfdata_config config;
	char *path;
	struct pgb_perfdata_info info;
	struct pgb_perfdata_streams streams;
	struct pgb_perfdata_events events;
	struct pgb_perfdata_order order;
	struct pgb_perfdata_user user;
	struct pgb_perfdata_areas areas;
	PGB_ARRAY(struct pgb_perfdata_entry) waiting; /* AUX records, for their bytes */
	bool unfinished;
	bool finished;
	const char *end_path; /* of the file that info.end speaks of */
	/*
	 * Losses as the kernel told them in the rings, and as perf counted them when it closed the
	 * file (PERF_FORMAT_LOST): the same ones twice, or fewer in the rings.
	 */
	uint64_t lost_in_rings, lost_in_total;
	/* Whose bytes the record that was yielded last points to, where `holds`. */
	struct pgb_perfdata_entry held;
	bool holds;
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

static int add_kernel_record(struct feed_perfdata *feed, const struct pgb_perfdata_raw *raw,
			     struct pgb_error *error)
{
	struct pgb_perfdata_entry entry = {
		.bytes = raw->bytes,
		.chunk = raw->chunk & 0xfffff,
		.member = feed->streams.current & 0xfff,
		.size_bytes = (uint16_t)raw->size_bytes,
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
	entry.event = event & 0x7fff;
	pgb_perfdata_streams_saw(&feed->streams, entry.time_ns);
	pgb_perfdata_stream_hold(pgb_perfdata_streams_current(&feed->streams), raw->chunk);
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
	size_t chunks;

	if (feed->order.pending.count == 0)
		return false;
	if (feed->order.pending.count >= PGB_LIMIT_REORDER_RECORDS)
		return true;
	if (members > 1 && feed->streams.turns != 1)
		return false; /* looking at all of them once in a while will do */
	chunks = pgb_perfdata_streams_chunks_in_use(&feed->streams);
	if (members > 1 || feed->order.rounds || feed->order.any_disorder)
		return chunks > PGB_LIMIT_REORDER_BYTES / PGB_PERFDATA_CHUNK_BYTES + 2 * members;
	return chunks > SMALL_WINDOW_CHUNKS;
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

/* Take one record from the streams. 1; 0 there are no more; negative. */
static int read_record(struct feed_perfdata *feed, struct pgb_error *error)
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
	feed->info.end_offset = pgb_perfdata_stream_position(stream);
	feed->info.compressed |= stream->zstd != NULL;
	if (raw.type < PGB_PERFDATA_USER_TYPES) {
		code = add_kernel_record(feed, &raw, error);
	} else {
		feed->user.stream = stream;
		code = pgb_perfdata_user_read(&feed->user, &raw, error);
	}
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
		pgb_perfdata_streams_drop(&feed->streams, feed->held.member, feed->held.chunk);
	feed->holds = false;
}

/* 1, or what pgb_record_parse() says. */
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
		else if ((code = read_record(feed, error)) < 0)
			return code;
	}
}

static int next(struct pgb_feed *base, struct pgb_record *record, struct pgb_error *error)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	for (;;) {
		int code;

		let_go(feed);
		code = next_entry(feed, &feed->held, error);
		if (code <= 0)
			return code;
		feed->holds = true;
		if (parse(feed, &feed->held, record) != 1) {
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

/* The parts of a file in file mode: what its header points to, and its records. */
static int load_file(struct feed_perfdata *feed, const struct pgb_perfdata_header *header,
		     uint64_t file_bytes, struct pgb_error *error)
{
	struct pgb_perfdata_stream *stream = pgb_perfdata_streams_current(&feed->streams);
	struct pgb_perfdata_section data = header->data;
	int code = pgb_perfdata_load_attrs(&feed->events, stream->fd, feed->path, header, error);

	if (code < 0)
		return code;
	if (data.offset > file_bytes)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends before its records", feed->path);
	feed->unfinished = data.size_bytes == 0;
	if (feed->unfinished) {
		data.size_bytes = file_bytes - data.offset;
	} else {
		code = pgb_perfdata_load_features(&feed->info, stream->fd, feed->path, header,
						  &stream->sections[0], error);
		stream->section_count = stream->sections[0].size_bytes > 0;
	}
	stream->sections[stream->section_count++] = data;
	if (code == PGB_OK)
		code = pgb_perfdata_events_prepare(&feed->events, feed->path, error);
	if (code == PGB_OK)
		code = pgb_perfdata_stream_start(stream, error);
	return code;
}

/* In a pipe the events come as records: read on to the first record of theirs. */
static int load_pipe(struct feed_perfdata *feed, uint64_t file_bytes, struct pgb_error *error)
{
	struct pgb_perfdata_stream *stream = pgb_perfdata_streams_current(&feed->streams);
	int code;

	feed->info.pipe_mode = true;
	stream->offset = PGB_PERFDATA_PIPE_HEADER_BYTES;
	stream->section_count = 1;
	stream->sections[0].offset = PGB_PERFDATA_PIPE_HEADER_BYTES;
	stream->sections[0].size_bytes =
		stream->seekable ? file_bytes - PGB_PERFDATA_PIPE_HEADER_BYTES : UINT64_MAX;
	code = pgb_perfdata_stream_start(stream, error);
	while (code >= 0 && !feed->events.prepared && !feed->finished)
		code = read_record(feed, error);
	if (code < 0 || feed->events.prepared)
		return code;
	if (feed->info.events.count == 0)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends before its events are named",
				feed->path);
	return pgb_perfdata_events_prepare(&feed->events, feed->path, error);
}

/* perf record --threads: the other files of the directory hold records only. */
static int load_directory(struct feed_perfdata *feed, struct pgb_error *error)
{
	const char *slash = strrchr(feed->path, '/');
	const char *name = slash ? slash + 1 : feed->path;
	char *directory =
		slash ? pgb_dup_bytes(feed->path, (size_t)(slash - feed->path)) : pgb_dup(".");
	int code = PGB_OK;

	if (strcmp(name, "data") == 0)
		code = pgb_perfdata_streams_add_directory(&feed->streams, directory,
							  feed->info.big_endian, error);
	feed->user.rounds = feed->streams.members.count == 1;
	free(directory);
	return code;
}

static int load(struct feed_perfdata *feed, const struct pgb_perfdata_opened *opened,
		struct pgb_error *error)
{
	struct pgb_perfdata_stream *stream = pgb_perfdata_streams_add(
		&feed->streams, opened->fd, feed->path, opened->seekable, false);
	struct pgb_perfdata_header header;
	int code =
		pgb_perfdata_header_read(&header, stream->fd, stream->seekable, feed->path, error);

	if (code < 0)
		return code;
	feed->info.big_endian = header.big_endian;
	stream->big_endian = header.big_endian;
	if (header.pipe_mode)
		return load_pipe(feed, opened->size_bytes, error);
	code = load_file(feed, &header, opened->size_bytes, error);
	if (code == PGB_OK && pgb_perfdata_header_has(&header, PGB_PERFDATA_DIR_FORMAT))
		code = load_directory(feed, error);
	return code;
}

int pgb_feed_perfdata_new(struct pgb_feed **created, const struct pgb_feed_perfdata_config *config,
			  struct pgb_error *error)
{
	static const struct pgb_feed_ops ops = {.next = next, .free = feed_free};
	struct pgb_perfdata_opened opened;
	struct feed_perfdata *feed;
	int code;

	*created = NULL;
	code = pgb_perfdata_load_open(&opened, config->path, error);
	if (code < 0)
		return code;
	feed = pgb_calloc(1, sizeof(*feed));
	feed->base.ops = &ops;
	feed->config = *config;
	feed->path = opened.path;
	feed->events.info = &feed->info;
	feed->user = (struct pgb_perfdata_user){
		.config = &feed->config,
		.info = &feed->info,
		.events = &feed->events,
		.order = &feed->order,
		.stats = &feed->base.stats,
		.rounds = true,
	};
	code = load(feed, &opened, error);
	if (code < 0) {
		feed_free(&feed->base);
		return code;
	}
	*created = &feed->base;
	return PGB_OK;
}

void pgb_feed_perfdata_attach_aux(struct pgb_feed *base)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	feed->user.areas = &feed->areas;
}

const struct pgb_perfdata_info *pgb_feed_perfdata_info(const struct pgb_feed *feed)
{
	return &((const struct feed_perfdata *)feed)->info;
}

char *pgb_feed_perfdata_notice(const struct pgb_feed *base)
{
	const struct feed_perfdata *feed = (const struct feed_perfdata *)base;
	unsigned long long offset = feed->info.end_offset;

	switch (feed->info.end) {
	case PGB_PERFDATA_READING:
	case PGB_PERFDATA_WHOLE:
		return NULL;
	case PGB_PERFDATA_UNFINISHED:
		return pgb_format("%s was not closed by perf record: read up to byte %llu; there "
				  "are no build-ids in it",
				  feed->end_path, offset);
	case PGB_PERFDATA_CUT:
		return pgb_format("%s is cut: it ends at byte %llu, before its records do",
				  feed->end_path, offset);
	case PGB_PERFDATA_DAMAGED:
		return pgb_format("%s is damaged at byte %llu: what stands behind was not read",
				  feed->end_path, offset);
	}
	return NULL;
}

bool pgb_feed_perfdata_has_branch_stacks(const struct pgb_feed *base)
{
	const struct pgb_perfdata_info *info = pgb_feed_perfdata_info(base);

	for (size_t i = 0; i < info->events.count; i++)
		if (info->events.items[i].attr.sample_type & PERF_SAMPLE_BRANCH_STACK)
			return true;
	return false;
}

const struct pgb_build_id *pgb_feed_perfdata_build_id(const struct pgb_feed *feed, const char *path)
{
	const struct pgb_perfdata_info *info = pgb_feed_perfdata_info(feed);

	for (size_t i = 0; i < info->build_ids.count; i++)
		if (strcmp(info->build_ids.items[i].path, path) == 0)
			return &info->build_ids.items[i].id;
	return NULL;
}
