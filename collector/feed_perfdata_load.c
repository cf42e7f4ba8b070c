/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata_features.h"

int pgb_perfdata_load_open(struct pgb_perfdata_opened *opened, const char *path,
			   struct pgb_error *error)
{
	bool standard_input = strcmp(path, "-") == 0;
	struct stat status;
	bool good;

	*opened = (struct pgb_perfdata_opened){0};
	if (!standard_input && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		opened->path = pgb_format("%s/data", path);
	else
		opened->path = pgb_dup(standard_input ? "standard input" : path);
	if (standard_input)
		opened->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		opened->fd = open(opened->path, O_RDONLY | O_CLOEXEC);
	good = opened->fd >= 0 && fstat(opened->fd, &status) == 0;
	if (good && S_ISDIR(status.st_mode)) {
		good = false;
		errno = EISDIR;
	}
	if (!good) {
		int number = errno;

		if (opened->fd >= 0)
			close(opened->fd);
		pgb_fail(error, pgb_code_from_errno(number), "opening %s failed: %s", opened->path,
			 strerror(number));
		free(opened->path);
		return pgb_code_from_errno(number);
	}
	opened->seekable = S_ISREG(status.st_mode);
	opened->size_bytes = opened->seekable ? (uint64_t)status.st_size : UINT64_MAX;
	return PGB_OK;
}

/*
 * The bytes of a section; the caller frees them through `owned`. What the file or
 * PGB_LIMIT_SECTION_BYTES does not hold is missing at the end.
 */
static int read_section(int fd, const char *path, struct pgb_perfdata_section section,
			bool big_endian, void **owned, struct pgb_cursor *bytes,
			struct pgb_error *error)
{
	struct stat status;
	size_t wanted = PGB_LIMIT_SECTION_BYTES, have = 0;
	uint64_t there = 0;
	uint8_t *buffer;

	if (fstat(fd, &status) == 0 && (uint64_t)status.st_size > section.offset)
		there = (uint64_t)status.st_size - section.offset;
	if (section.size_bytes < there)
		there = section.size_bytes;
	if (there < wanted)
		wanted = (size_t)there;
	buffer = pgb_calloc(wanted, 1);
	while (have < wanted) {
		ssize_t got =
			pread(fd, buffer + have, wanted - have, (off_t)(section.offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(buffer);
			return pgb_fail(error, PGB_E_IO, "reading %s failed at byte %llu: %s", path,
					(unsigned long long)section.offset, strerror(errno));
		}
		if (got == 0)
			break;
		have += (size_t)got;
	}
	*owned = buffer;
	*bytes = pgb_cursor_of(buffer, have);
	bytes->offset = section.offset;
	bytes->big_endian = big_endian;
	return PGB_OK;
}

int pgb_perfdata_load_attrs(struct pgb_perfdata_events *events, int fd, const char *path,
			    const struct pgb_perfdata_header *header, struct pgb_error *error)
{
	enum { SECTION_BYTES = 16 };
	struct pgb_cursor attrs;
	void *owned;
	int code = read_section(fd, path, header->attrs, header->big_endian, &owned, &attrs, error);

	if (code < 0)
		return code;
	if (header->attr_bytes < PERF_ATTR_SIZE_VER0 + SECTION_BYTES ||
	    header->attr_bytes > UINT16_MAX)
		code = pgb_fail(error, PGB_E_CORRUPT, "%s has attrs of impossible size %llu", path,
				(unsigned long long)header->attr_bytes);
	else if (pgb_cursor_left(&attrs) < header->attrs.size_bytes)
		code = pgb_fail(error, PGB_E_TRUNCATED, "%s ends before its events are named",
				path);
	while (code == PGB_OK && pgb_cursor_left(&attrs) >= header->attr_bytes) {
		struct pgb_cursor attr = pgb_cursor_sub(&attrs, header->attr_bytes - SECTION_BYTES);
		struct pgb_perfdata_section section;
		struct pgb_cursor ids;
		void *owned_ids;

		section.offset = pgb_cursor_u64(&attrs);
		section.size_bytes = pgb_cursor_u64(&attrs);
		code = read_section(fd, path, section, header->big_endian, &owned_ids, &ids, error);
		if (code < 0)
			break;
		code = pgb_perfdata_events_add(events, attr, ids);
		free(owned_ids);
		if (code < 0)
			pgb_fail(error, code, "%s has more than %d events or %d ids", path,
				 PGB_LIMIT_EVENTS, PGB_LIMIT_EVENT_IDS);
	}
	free(owned);
	return code;
}

/* One section per feature; their places stand behind the data, in ascending order. */
int pgb_perfdata_load_features(struct pgb_perfdata_info *info, int fd, const char *path,
			       const struct pgb_perfdata_header *header,
			       struct pgb_perfdata_section *init_map, struct pgb_error *error)
{
	struct pgb_perfdata_section table = {
		.offset = header->data.offset + header->data.size_bytes,
		.size_bytes = 16 * PGB_PERFDATA_FEATURES,
	};
	struct pgb_cursor places;
	void *owned = NULL;
	int code;

	if (table.offset < header->data.offset)
		return PGB_OK;
	code = read_section(fd, path, table, header->big_endian, &owned, &places, error);
	for (unsigned int i = 0; code == PGB_OK && i < PGB_PERFDATA_FEATURES; i++) {
		struct pgb_perfdata_section section;
		struct pgb_cursor bytes;
		void *owned_bytes;

		if (!pgb_perfdata_header_has(header, i))
			continue;
		section.offset = pgb_cursor_u64(&places);
		section.size_bytes = pgb_cursor_u64(&places);
		if (places.truncated)
			break;
		if (i == PGB_PERFDATA_INIT_MAP) {
			*init_map = section;
			continue;
		}
		if (!pgb_perfdata_feature_wanted(i))
			continue;
		code = read_section(fd, path, section, header->big_endian, &owned_bytes, &bytes,
				    error);
		if (code == PGB_OK) {
			pgb_perfdata_feature_read(info, i, bytes);
			free(owned_bytes);
		}
	}
	free(owned);
	return code;
}
