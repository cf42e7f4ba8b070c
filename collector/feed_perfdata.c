/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata.h"

#include <string.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata_events.h"
#include "pgobolt/collector/feed_perfdata_features.h"
#include "pgobolt/collector/feed_perfdata_header.h"
#include "pgobolt/collector/feed_perfdata_load.h"
#include "pgobolt/collector/feed_perfdata_order.h"
#include "pgobolt/collector/feed_perfdata_stream.h"

/* perf's own record types: enum perf_user_event_type. */
enum user_type {
	USER_TYPES = 64,
	HEADER_ATTR = 64,
	HEADER_TRACING_DATA = 66,
	HEADER_BUILD_ID = 67,
	FINISHED_ROUND = 68,
	AUXTRACE_INFO = 70,
	AUXTRACE = 71,
	EVENT_UPDATE = 78,
	HEADER_FEATURE = 80,
	USER_TYPES_END = 87,
	SIMPLEPERF_TYPES = 32768,
	SIMPLEPERF_TYPES_END = 32779,
};

enum {
	RECORD_HEADER_BYTES = 8,
	EVENT_UPDATE_NAME = 2,
	/* Read ahead of a file without rounds whose times ascend: enough to see that they do. */
	SMALL_WINDOW_CHUNKS = 4,
};

struct feed_perfdata {
	struct pgb_feed base;
	struct pgb_feed_perfdata_config config;
	char *path;
	struct pgb_perfdata_info info;
	struct pgb_perfdata_stream stream;
	struct pgb_perfdata_events events;
	struct pgb_perfdata_order order;
	bool prepared; /* events: no attr came since */
	bool unfinished;
	bool finished;
	bool build_ids_sorted;
	/*
	 * Losses as the kernel told them in the rings, and as perf counted them when it closed the
	 * file (PERF_FORMAT_LOST): the same ones twice, or fewer in the rings.
	 */
	uint64_t lost_in_rings, lost_in_total;
	bool holds; /* `held`: the chunk of the record that was yielded last */
	uint32_t held;
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
		.chunk = raw->chunk,
		.size_bytes = (uint16_t)raw->size_bytes,
		.matters = matters(raw->type),
	};
	uint16_t event;

	if (!feed->prepared) {
		int code = pgb_perfdata_events_prepare(&feed->events, feed->path, error);

		if (code < 0)
			return code;
		feed->prepared = true;
	}
	if (!pgb_perfdata_events_find(&feed->events, raw->type, raw->bytes, raw->size_bytes, &event,
				      &entry.time_ns)) {
		feed->info.unknown_ids++;
		return PGB_OK;
	}
	entry.event = event & 0x7fff;
	pgb_perfdata_stream_hold(&feed->stream, raw->chunk);
	pgb_perfdata_order_add(&feed->order, &entry);
	return PGB_OK;
}

/* {attr, ids}: the attr says itself how long it is. */
static void add_attr(struct feed_perfdata *feed, struct pgb_cursor body)
{
	struct pgb_cursor look = body;
	struct pgb_cursor attr;
	uint32_t size_bytes;

	pgb_cursor_skip(&look, 4);
	size_bytes = pgb_cursor_u32(&look);
	if (size_bytes < PERF_ATTR_SIZE_VER0)
		size_bytes = PERF_ATTR_SIZE_VER0;
	attr = pgb_cursor_sub(&body, size_bytes);
	if (body.truncated || pgb_perfdata_events_add(&feed->events, attr, body) < 0) {
		feed->base.stats.malformed++;
		return;
	}
	feed->prepared = false;
}

static void update_event(struct feed_perfdata *feed, struct pgb_cursor body)
{
	uint64_t type = pgb_cursor_u64(&body);
	uint64_t id = pgb_cursor_u64(&body);
	const char *name = pgb_cursor_string(&body);

	if (type == EVENT_UPDATE_NAME && name)
		pgb_perfdata_feature_name(&feed->info, pgb_perfdata_events_index(&feed->events, id),
					  name);
}

static const char *aux_kind(uint32_t type)
{
	static const char *const kinds[] = {
		"unknown", "intel_pt", "intel_bts", "cs_etm", "arm_spe", "s390_cpumsf", "hisi_ptt",
	};

	return type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : kinds[0];
}

static int read_aux(struct feed_perfdata *feed, struct pgb_cursor body, struct pgb_error *error)
{
	struct pgb_perfdata_aux piece = {0};
	int code;

	piece.size_bytes = pgb_cursor_u64(&body);
	piece.offset = pgb_cursor_u64(&body);
	piece.reference = pgb_cursor_u64(&body);
	piece.index = pgb_cursor_u32(&body);
	piece.tid = pgb_cursor_u32(&body);
	piece.cpu = pgb_cursor_u32(&body);
	if (body.truncated) {
		feed->base.stats.malformed++;
		return PGB_OK;
	}
	if (feed->config.aux == NULL) {
		feed->info.aux_bytes += piece.size_bytes;
		return pgb_perfdata_stream_skip(&feed->stream, piece.size_bytes, error);
	}
	while (piece.at < piece.size_bytes) {
		code = pgb_perfdata_stream_bytes(&feed->stream, piece.size_bytes - piece.at,
						 &piece.bytes, error);
		if (code < 0)
			return code;
		if (pgb_cursor_left(&piece.bytes) == 0) {
			if (feed->stream.end == PGB_PERFDATA_READING)
				feed->stream.end = PGB_PERFDATA_CUT;
			return PGB_OK;
		}
		feed->config.aux(feed->config.context, &piece);
		piece.at += pgb_cursor_left(&piece.bytes);
		feed->info.aux_bytes += pgb_cursor_left(&piece.bytes);
	}
	return PGB_OK;
}

static void read_aux_info(struct feed_perfdata *feed, struct pgb_cursor body)
{
	struct pgb_cursor type = body;

	feed->info.aux_kind = aux_kind(pgb_cursor_u32(&type));
	if (feed->config.aux_info)
		feed->config.aux_info(feed->config.context, body);
}

static int read_user_record(struct feed_perfdata *feed, const struct pgb_perfdata_raw *raw,
			    struct pgb_error *error)
{
	struct pgb_cursor body = pgb_cursor_of(raw->bytes, raw->size_bytes);

	body.big_endian = feed->info.big_endian;
	pgb_cursor_skip(&body, RECORD_HEADER_BYTES);
	switch (raw->type) {
	case HEADER_ATTR:
		add_attr(feed, body);
		return PGB_OK;
	case HEADER_TRACING_DATA: /* bytes behind the record, padded to words */
		return pgb_perfdata_stream_skip(
			&feed->stream, ((uint64_t)pgb_cursor_u32(&body) + 7) & ~UINT64_C(7), error);
	case HEADER_BUILD_ID:
		pgb_perfdata_feature_build_id(&feed->info, raw->misc, body);
		feed->build_ids_sorted = false;
		return PGB_OK;
	case FINISHED_ROUND:
		pgb_perfdata_order_round(&feed->order);
		return PGB_OK;
	case AUXTRACE_INFO:
		read_aux_info(feed, body);
		return PGB_OK;
	case AUXTRACE:
		return read_aux(feed, body, error);
	case EVENT_UPDATE:
		update_event(feed, body);
		return PGB_OK;
	case HEADER_FEATURE: {
		uint64_t feature = pgb_cursor_u64(&body);

		if (feature < PGB_PERFDATA_FEATURES)
			pgb_perfdata_feature_read(&feed->info, (unsigned int)feature, body);
		feed->build_ids_sorted = false;
		return PGB_OK;
	}
	}
	if (!(raw->type < USER_TYPES_END ||
	      (raw->type >= SIMPLEPERF_TYPES && raw->type < SIMPLEPERF_TYPES_END)))
		feed->base.stats.unknown++;
	return PGB_OK;
}

/* Room for read-ahead is used up: small while a file without rounds shows no disorder. */
static bool window_is_full(const struct feed_perfdata *feed)
{
	size_t chunks = pgb_perfdata_stream_chunks_in_use(&feed->stream);

	if (feed->order.pending.count == 0)
		return false;
	if (feed->order.pending.count >= PGB_LIMIT_REORDER_RECORDS)
		return true;
	if (feed->order.rounds || feed->order.any_disorder)
		return chunks > PGB_LIMIT_REORDER_BYTES / PGB_PERFDATA_CHUNK_BYTES;
	return chunks > SMALL_WINDOW_CHUNKS;
}

static void finish(struct feed_perfdata *feed)
{
	enum pgb_perfdata_end end = feed->stream.end;

	if (feed->finished)
		return;
	feed->finished = true;
	pgb_perfdata_order_finish(&feed->order);
	if (end == PGB_PERFDATA_WHOLE && feed->unfinished)
		end = PGB_PERFDATA_UNFINISHED;
	feed->base.stats.truncated += end == PGB_PERFDATA_CUT;
	feed->base.stats.malformed += end == PGB_PERFDATA_DAMAGED;
	feed->info.end = end;
}

/* Take one record from the stream. 1; 0 there are no more; negative. */
static int read_record(struct feed_perfdata *feed, struct pgb_error *error)
{
	struct pgb_perfdata_raw raw;
	int code = pgb_perfdata_stream_next(&feed->stream, &raw, error);

	feed->info.end_offset = pgb_perfdata_stream_position(&feed->stream);
	feed->info.compressed = feed->stream.zstd != NULL;
	if (code < 0)
		return code;
	if (code == 0) {
		finish(feed);
		return 0;
	}
	code = raw.type < USER_TYPES ? add_kernel_record(feed, &raw, error)
				     : read_user_record(feed, &raw, error);
	if (code < 0)
		return code;
	return 1;
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
		pgb_perfdata_stream_drop(&feed->stream, feed->held);
	feed->holds = false;
}

static int next(struct pgb_feed *base, struct pgb_record *record, struct pgb_error *error)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	for (;;) {
		const struct pgb_perfdata_entry *entry;
		struct pgb_cursor bytes;
		int code;

		let_go(feed);
		entry = pgb_perfdata_order_next(&feed->order);
		if (entry == NULL) {
			if (feed->finished)
				return 0;
			if (window_is_full(feed))
				pgb_perfdata_order_halve(&feed->order);
			else if ((code = read_record(feed, error)) < 0)
				return code;
			continue;
		}
		feed->holds = true;
		feed->held = entry->chunk;
		bytes = pgb_cursor_of(entry->bytes, entry->size_bytes);
		code = pgb_record_parse(&bytes, &feed->info.events.items[entry->event].format,
					record);
		if (code != 1) {
			base->stats.malformed++;
			continue;
		}
		record->event = entry->event;
		account(feed, record);
		return 1;
	}
}

static void feed_free(struct pgb_feed *base)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;

	pgb_perfdata_stream_release(&feed->stream);
	pgb_perfdata_order_release(&feed->order);
	pgb_perfdata_events_release(&feed->events);
	pgb_perfdata_info_release(&feed->info);
	free(feed->path);
	free(feed);
}

static int load_file(struct feed_perfdata *feed, const struct pgb_perfdata_header *header,
		     uint64_t file_bytes, struct pgb_error *error)
{
	struct pgb_perfdata_section data = header->data;
	int code =
		pgb_perfdata_load_attrs(&feed->events, feed->stream.fd, feed->path, header, error);

	if (code < 0)
		return code;
	if (data.offset > file_bytes)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends before its records", feed->path);
	feed->unfinished = data.size_bytes == 0;
	if (feed->unfinished) {
		data.size_bytes = file_bytes - data.offset;
	} else {
		code = pgb_perfdata_load_features(&feed->info, feed->stream.fd, feed->path, header,
						  &feed->stream.sections[0], error);
		feed->stream.section_count = feed->stream.sections[0].size_bytes > 0;
	}
	feed->stream.sections[feed->stream.section_count++] = data;
	if (code < 0)
		return code;
	feed->prepared = true;
	return pgb_perfdata_events_prepare(&feed->events, feed->path, error);
}

/* In a pipe the events come as records: read on to the first record of theirs. */
static int load_pipe(struct feed_perfdata *feed, uint64_t file_bytes, struct pgb_error *error)
{
	struct pgb_perfdata_section *section = &feed->stream.sections[0];
	int code;

	feed->info.pipe_mode = true;
	feed->stream.section_count = 1;
	section->offset = PGB_PERFDATA_PIPE_HEADER_BYTES;
	section->size_bytes = UINT64_MAX;
	if (feed->stream.seekable)
		section->size_bytes = file_bytes - section->offset;
	code = pgb_perfdata_stream_start(&feed->stream, error);
	while (code >= 0 && !feed->prepared && !feed->finished)
		code = read_record(feed, error);
	if (code < 0 || feed->prepared)
		return code;
	if (feed->info.events.count == 0)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends before its events are named",
				feed->path);
	return pgb_perfdata_events_prepare(&feed->events, feed->path, error);
}

static int load(struct feed_perfdata *feed, uint64_t file_bytes, struct pgb_error *error)
{
	struct pgb_perfdata_header header;
	int code = pgb_perfdata_header_read(&header, feed->stream.fd, feed->stream.seekable,
					    feed->path, error);

	if (code < 0)
		return code;
	feed->info.big_endian = header.big_endian;
	feed->stream.big_endian = header.big_endian;
	feed->stream.offset = PGB_PERFDATA_PIPE_HEADER_BYTES;
	if (header.pipe_mode)
		return load_pipe(feed, file_bytes, error);
	code = load_file(feed, &header, file_bytes, error);
	return code < 0 ? code : pgb_perfdata_stream_start(&feed->stream, error);
}

int pgb_feed_perfdata_new(struct pgb_feed **created, const struct pgb_feed_perfdata_config *config,
			  struct pgb_error *error)
{
	static const struct pgb_feed_ops ops = {.next = next, .free = feed_free};
	struct feed_perfdata *feed = pgb_calloc(1, sizeof(*feed));
	bool standard_input = strcmp(config->path, "-") == 0;
	uint64_t file_bytes;
	bool seekable;
	int fd, code;

	*created = NULL;
	feed->base.ops = &ops;
	feed->config = *config;
	feed->events.info = &feed->info;
	feed->path = pgb_dup(standard_input ? "standard input" : config->path);
	code = pgb_perfdata_load_open(standard_input ? NULL : config->path, feed->path, &fd,
				      &seekable, &file_bytes, error);
	if (code < 0) {
		free(feed->path);
		free(feed);
		return code;
	}
	pgb_perfdata_stream_init(&feed->stream, fd, feed->path, seekable);
	code = load(feed, file_bytes, error);
	if (code < 0) {
		feed_free(&feed->base);
		return code;
	}
	*created = &feed->base;
	return PGB_OK;
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
				  feed->path, offset);
	case PGB_PERFDATA_CUT:
		return pgb_format("%s is cut: it ends at byte %llu, before its records do",
				  feed->path, offset);
	case PGB_PERFDATA_DAMAGED:
		return pgb_format("%s is damaged at byte %llu: what stands behind was not read",
				  feed->path, offset);
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

static int by_path(const void *left, const void *right)
{
	const struct pgb_perfdata_build_id *a = left, *b = right;

	return strcmp(a->path, b->path);
}

const struct pgb_build_id *pgb_feed_perfdata_build_id(struct pgb_feed *base, const char *path)
{
	struct feed_perfdata *feed = (struct feed_perfdata *)base;
	struct pgb_perfdata_build_id key = {.path = (char *)(uintptr_t)path};
	const struct pgb_perfdata_build_id *found;
	size_t count = feed->info.build_ids.count;

	if (count == 0)
		return NULL;
	if (!feed->build_ids_sorted)
		qsort(feed->info.build_ids.items, count, sizeof(key), by_path);
	feed->build_ids_sorted = true;
	found = bsearch(&key, feed->info.build_ids.items, count, sizeof(key), by_path);
	return found ? &found->id : NULL;
}
