/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/text.h"

enum { TURN_RECORDS = 128 };

struct pgb_perfdata_stream *pgb_perfdata_streams_add(struct pgb_perfdata_streams *streams, int fd,
						     const char *path, bool seekable,
						     bool big_endian)
{
	struct pgb_perfdata_member member = {.path = pgb_dup(path)};
	struct pgb_perfdata_stream *stream;

	pgb_perfdata_stream_init(&member.stream, fd, member.path, seekable);
	member.stream.big_endian = big_endian;
	pgb_array_push(&streams->members, member);
	stream = &streams->members.items[streams->members.count - 1].stream;
	return stream;
}

static int add_file(struct pgb_perfdata_streams *streams, const char *path, bool big_endian,
		    struct pgb_error *error)
{
	struct pgb_perfdata_stream *stream;
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		int number = fd < 0 ? errno : EINVAL;

		if (fd >= 0)
			close(fd);
		code = pgb_fail(error, pgb_code_from_errno(number), "opening %s failed: %s", path,
				strerror(number));
		if (number == EMFILE)
			pgb_remedy(error, "raise the limit of open files: ulimit -n 8192");
		return code;
	}
	stream = pgb_perfdata_streams_add(streams, fd, path, true, big_endian);
	stream->section_count = 1;
	stream->sections[0].size_bytes = (uint64_t)status.st_size;
	code = pgb_perfdata_stream_start(stream, error);
	return code < 0 ? code : 1;
}

int pgb_perfdata_streams_add_directory(struct pgb_perfdata_streams *streams, const char *directory,
				       bool big_endian, struct pgb_error *error)
{
	for (int i = 0; i < PGB_PERFDATA_STREAMS_MAX - 1; i++) {
		char *path = pgb_format("%s/data.%d", directory, i);
		int code = add_file(streams, path, big_endian, error);

		free(path);
		if (code <= 0)
			return code;
	}
	return pgb_fail(error, PGB_E_LIMIT, "%s holds more than %d data files", directory,
			PGB_PERFDATA_STREAMS_MAX - 1);
}

void pgb_perfdata_streams_release(struct pgb_perfdata_streams *streams)
{
	for (size_t i = 0; i < streams->members.count; i++) {
		pgb_perfdata_stream_release(&streams->members.items[i].stream);
		free(streams->members.items[i].path);
	}
	pgb_array_release(&streams->members);
}

/*
 * The turn goes to the stream that is furthest behind. 1; 0 all have ended; PGB_PERFDATA_TURN
 * once in as many turns as there are streams.
 */
static int end_turn(struct pgb_perfdata_streams *streams)
{
	const struct pgb_perfdata_member *behind = NULL;

	for (size_t i = 0; i < streams->members.count; i++) {
		const struct pgb_perfdata_member *member = &streams->members.items[i];

		if (member->ended || (behind && member->latest_ns >= behind->latest_ns))
			continue;
		behind = member;
		streams->current = i;
	}
	if (behind == NULL)
		return 0;
	streams->limit_ns = behind->latest_ns;
	streams->turn_left = TURN_RECORDS;
	if (++streams->turns < streams->members.count)
		return 1;
	streams->turns = 0;
	return PGB_PERFDATA_TURN;
}

int pgb_perfdata_streams_next(struct pgb_perfdata_streams *streams, struct pgb_perfdata_raw *raw,
			      struct pgb_error *error)
{
	bool several = streams->members.count > 1;

	for (;;) {
		struct pgb_perfdata_member *member = &streams->members.items[streams->current];
		int code;

		if (several && (member->ended || streams->turn_left == 0)) {
			code = end_turn(streams);
			if (code != 1)
				return code;
			continue;
		}
		streams->turn_left--;
		code = pgb_perfdata_stream_next(&member->stream, raw, error);
		if (code != 0)
			return code;
		member->ended = true;
		if (!several)
			return 0;
	}
}

size_t pgb_perfdata_streams_chunks_in_use(const struct pgb_perfdata_streams *streams)
{
	size_t chunks = 0;

	for (size_t i = 0; i < streams->members.count; i++)
		chunks += pgb_perfdata_stream_chunks_in_use(&streams->members.items[i].stream);
	return chunks;
}

const struct pgb_perfdata_member *
pgb_perfdata_streams_worst(const struct pgb_perfdata_streams *streams)
{
	const struct pgb_perfdata_member *worst = &streams->members.items[0];

	for (size_t i = 0; i < streams->members.count; i++) {
		const struct pgb_perfdata_member *member = &streams->members.items[i];

		if (member->stream.end == PGB_PERFDATA_READING)
			return NULL;
		if (member->stream.end > worst->stream.end)
			worst = member;
	}
	return worst;
}
