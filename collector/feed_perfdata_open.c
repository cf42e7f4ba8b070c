/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "collector/feed_perfdata_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata_features.h"
#include "pgobolt/collector/feed_perfdata_header.h"
#include "pgobolt/collector/feed_perfdata_load.h"

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
		code = pgb_feed_perfdata_read(feed, error);
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
	if (code == PGB_OK && feed->streams.members.count == 1)
		pgb_perfdata_stream_show(&feed->streams.members.items[0].stream);
	return code;
}

int pgb_feed_perfdata_new(struct pgb_feed **created, const struct pgb_feed_perfdata_config *config,
			  struct pgb_error *error)
{
	struct pgb_perfdata_opened opened;
	struct feed_perfdata *feed;
	int code;

	*created = NULL;
	code = pgb_perfdata_load_open(&opened, config->path, error);
	if (code < 0)
		return code;
	feed = pgb_calloc(1, sizeof(*feed));
	feed->base.ops = &pgb_feed_perfdata_ops;
	feed->config = *config;
	feed->path = opened.path;
	feed->events.info = &feed->info;
	feed->order.cut = pgb_perfdata_events_cut;
	feed->order.context = &feed->events;
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
		pgb_feed_free(&feed->base);
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
