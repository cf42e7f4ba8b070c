/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_user.h"

#include "pgobolt/collector/feed_perfdata_features.h"
#include "pgobolt/collector/feed_perfdata_header.h"

/* enum perf_user_event_type, and simpleperf's. */
enum user_type {
	HEADER_ATTR = 64,
	HEADER_TRACING_DATA = 66,
	HEADER_BUILD_ID = 67,
	FINISHED_ROUND = 68,
	AUXTRACE_INFO = 70,
	AUXTRACE = 71,
	EVENT_UPDATE = 78,
	TIME_CONV = 79,
	HEADER_FEATURE = 80,
	USER_TYPES_END = 87,
	SIMPLEPERF_TYPES = 32768,
	SIMPLEPERF_TYPES_END = 32779,
};

enum {
	RECORD_HEADER_BYTES = 8,
	EVENT_UPDATE_NAME = 2,
};

/* {attr, ids}: the attr says itself how long it is. */
static void add_attr(struct pgb_perfdata_user *user, struct pgb_cursor body)
{
	struct pgb_cursor look = body;
	struct pgb_cursor attr;
	uint32_t size_bytes;

	pgb_cursor_skip(&look, 4);
	size_bytes = pgb_cursor_u32(&look);
	if (size_bytes < PERF_ATTR_SIZE_VER0)
		size_bytes = PERF_ATTR_SIZE_VER0;
	attr = pgb_cursor_sub(&body, size_bytes);
	if (body.truncated || pgb_perfdata_events_add(user->events, attr, body) < 0) {
		user->stats->malformed++;
		return;
	}
	user->events->prepared = false;
}

static void update_event(struct pgb_perfdata_user *user, struct pgb_cursor body)
{
	uint64_t type = pgb_cursor_u64(&body);
	uint64_t id = pgb_cursor_u64(&body);
	const char *name = pgb_cursor_string(&body);

	if (type == EVENT_UPDATE_NAME && name)
		pgb_perfdata_feature_name(user->info, pgb_perfdata_events_index(user->events, id),
					  name);
}

static const char *aux_kind(uint32_t type)
{
	static const char *const kinds[] = {
		"unknown", "intel_pt", "intel_bts", "cs_etm", "arm_spe", "s390_cpumsf", "hisi_ptt",
	};

	return type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : kinds[0];
}

static int read_aux(struct pgb_perfdata_user *user, struct pgb_cursor body, struct pgb_error *error)
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
		user->stats->malformed++;
		return PGB_OK;
	}
	if (user->areas) {
		const struct pgb_perfdata_piece kept = {.offset = piece.offset,
							.size_bytes = piece.size_bytes,
							.cpu = piece.cpu,
							.tid = piece.tid};

		user->info->aux_bytes += piece.size_bytes;
		return pgb_perfdata_areas_add(user->areas, user->stream, &kept, error);
	}
	if (user->config->aux == NULL) {
		user->info->aux_bytes += piece.size_bytes;
		return pgb_perfdata_stream_skip(user->stream, piece.size_bytes, error);
	}
	while (piece.at < piece.size_bytes) {
		code = pgb_perfdata_stream_bytes(user->stream, piece.size_bytes - piece.at,
						 &piece.bytes, error);
		if (code < 0)
			return code;
		if (pgb_cursor_left(&piece.bytes) == 0) {
			if (user->stream->end == PGB_PERFDATA_READING)
				user->stream->end = PGB_PERFDATA_CUT;
			return PGB_OK;
		}
		user->config->aux(user->config->context, &piece);
		piece.at += pgb_cursor_left(&piece.bytes);
		user->info->aux_bytes += pgb_cursor_left(&piece.bytes);
	}
	return PGB_OK;
}

static void read_aux_info(struct pgb_perfdata_user *user, struct pgb_cursor body)
{
	struct pgb_cursor type = body;

	user->info->aux_kind = aux_kind(pgb_cursor_u32(&type));
	if (user->config->aux_info)
		user->config->aux_info(user->config->context, body);
}

static void read_clock(struct pgb_perfdata_user *user, struct pgb_cursor body)
{
	uint64_t shift = pgb_cursor_u64(&body);
	struct pgb_ticks ticks = {.multiplier = pgb_cursor_u64(&body)};

	ticks.zero_ns = pgb_cursor_u64(&body);
	ticks.shift = (unsigned int)(shift & 63);
	if (body.truncated || shift > 63)
		user->stats->malformed++;
	else
		user->ticks = ticks;
}

int pgb_perfdata_user_read(struct pgb_perfdata_user *user, const struct pgb_perfdata_raw *raw,
			   struct pgb_error *error)
{
	struct pgb_cursor body = pgb_cursor_of(raw->bytes, raw->size_bytes);

	body.big_endian = user->info->big_endian;
	pgb_cursor_skip(&body, RECORD_HEADER_BYTES);
	switch (raw->type) {
	case HEADER_ATTR:
		add_attr(user, body);
		return PGB_OK;
	case HEADER_TRACING_DATA: /* bytes behind the record, padded to words */
		return pgb_perfdata_stream_skip(
			user->stream, ((uint64_t)pgb_cursor_u32(&body) + 7) & ~UINT64_C(7), error);
	case HEADER_BUILD_ID:
		pgb_perfdata_feature_build_id(user->info, raw->misc, body);
		return PGB_OK;
	case FINISHED_ROUND:
		if (user->rounds)
			pgb_perfdata_order_round(user->order);
		return PGB_OK;
	case AUXTRACE_INFO:
		read_aux_info(user, body);
		return PGB_OK;
	case AUXTRACE:
		return read_aux(user, body, error);
	case EVENT_UPDATE:
		update_event(user, body);
		return PGB_OK;
	case TIME_CONV:
		read_clock(user, body);
		return PGB_OK;
	case HEADER_FEATURE: {
		uint64_t feature = pgb_cursor_u64(&body);

		if (feature < PGB_PERFDATA_FEATURES)
			pgb_perfdata_feature_read(user->info, (unsigned int)feature, body);
		return PGB_OK;
	}
	}
	if (!(raw->type < USER_TYPES_END ||
	      (raw->type >= SIMPLEPERF_TYPES && raw->type < SIMPLEPERF_TYPES_END)))
		user->stats->unknown++;
	return PGB_OK;
}
