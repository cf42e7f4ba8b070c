/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_header.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	MAGIC_BYTES = 8,
	WITHOUT_FEATURES_BYTES = 72, /* perf before 2.6.33 */
};

static const char magic[] = "PERFILE2";
static const char magic_swapped[] = "2ELIFREP";
static const char magic_version1[] = "PERFFILE";

bool pgb_feed_perfdata_recognise(const uint8_t *bytes, size_t size_bytes)
{
	return size_bytes >= MAGIC_BYTES && (memcmp(bytes, magic, MAGIC_BYTES) == 0 ||
					     memcmp(bytes, magic_swapped, MAGIC_BYTES) == 0);
}

static struct pgb_perfdata_section read_section(struct pgb_cursor *bytes)
{
	struct pgb_perfdata_section section;

	section.offset = pgb_cursor_u64(bytes);
	section.size_bytes = pgb_cursor_u64(bytes);
	return section;
}

static int fail_magic(struct pgb_cursor bytes, const char *path, struct pgb_error *error)
{
	size_t left = pgb_cursor_left(&bytes);
	int code = PGB_E_CORRUPT;

	if (left >= MAGIC_BYTES && memcmp(bytes.at, magic_version1, MAGIC_BYTES) == 0)
		code = pgb_fail(error, PGB_E_UNSUPPORTED,
				"%s is a perf.data file of version 1, from before Linux 2.6.32",
				path);
	else if (left < MAGIC_BYTES && memcmp(bytes.at, magic, left) == 0)
		code = pgb_fail(error, PGB_E_TRUNCATED, "%s ends inside its header", path);
	else
		code = pgb_fail(error, PGB_E_CORRUPT,
				"%s is no perf.data file: it does not begin with %s", path, magic);
	pgb_remedy(error, "record again: perf record -e cycles:u -j any,u -- PROGRAM");
	return code;
}

int pgb_perfdata_header_parse(struct pgb_perfdata_header *header, struct pgb_cursor bytes,
			      const char *path, struct pgb_error *error)
{
	uint64_t size_bytes;

	*header = (struct pgb_perfdata_header){0};
	if (!pgb_feed_perfdata_recognise(bytes.at, pgb_cursor_left(&bytes)))
		return fail_magic(bytes, path, error);
	header->big_endian = memcmp(bytes.at, magic_swapped, MAGIC_BYTES) == 0;
	bytes.big_endian = header->big_endian;
	pgb_cursor_skip(&bytes, MAGIC_BYTES);
	size_bytes = pgb_cursor_u64(&bytes);
	if (!bytes.truncated && size_bytes == PGB_PERFDATA_PIPE_HEADER_BYTES) {
		header->pipe_mode = true;
		return PGB_OK;
	}
	header->attr_bytes = pgb_cursor_u64(&bytes);
	header->attrs = read_section(&bytes);
	header->data = read_section(&bytes);
	read_section(&bytes); /* event types: unused since 2.6.34 */
	if (bytes.truncated)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s ends inside its header", path);
	if (size_bytes < WITHOUT_FEATURES_BYTES)
		return pgb_fail(error, PGB_E_CORRUPT, "%s has a header of impossible size %llu",
				path, (unsigned long long)size_bytes);
	if (size_bytes < PGB_PERFDATA_HEADER_BYTES)
		return PGB_OK;
	for (size_t i = 0; i < PGB_PERFDATA_FEATURES / 64; i++)
		header->features[i] = pgb_cursor_u64(&bytes);
	return PGB_OK;
}

int pgb_perfdata_header_read(struct pgb_perfdata_header *header, int fd, bool seekable,
			     const char *path, struct pgb_error *error)
{
	uint8_t bytes[PGB_PERFDATA_HEADER_BYTES];
	size_t wanted = seekable ? sizeof(bytes) : PGB_PERFDATA_PIPE_HEADER_BYTES;
	size_t have = 0;
	struct pgb_error parse_error = {0};
	int code;

	while (have < wanted) {
		ssize_t got = read(fd, bytes + have, wanted - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return pgb_fail(error, PGB_E_IO, "reading %s failed: %s", path,
					strerror(errno));
		if (got == 0)
			break;
		have += (size_t)got;
	}
	code = pgb_perfdata_header_parse(header, pgb_cursor_of(bytes, have), path, &parse_error);
	if (code == PGB_E_TRUNCATED && !seekable && have == wanted) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "%s is a perf.data file that comes through a pipe: its parts cannot be "
			 "read in order",
			 path);
		pgb_remedy(error, "give the file's name, or record with: perf record -o -");
		return PGB_E_UNSUPPORTED;
	}
	if (code < 0 && error)
		*error = parse_error;
	return code;
}
