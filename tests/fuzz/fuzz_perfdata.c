/* SPDX-License-Identifier: MIT */
/*
 * The input is a perf.data file, read to its end with its AUX areas; what it gives is touched.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/feed_perfdata_windows.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static volatile uint64_t sink;

static void touch(struct pgb_cursor cursor)
{
	while (pgb_cursor_left(&cursor) > 0)
		sink += pgb_cursor_u8(&cursor);
}

static void take_aux(void *context, const struct pgb_perfdata_aux *piece)
{
	(void)context;
	touch(piece->bytes);
}

static void take_aux_info(void *context, struct pgb_cursor bytes)
{
	(void)context;
	touch(bytes);
}

static void touch_record(const struct pgb_record *record)
{
	struct pgb_cursor entries = record->stack.entries;

	for (uint64_t i = 0; i < record->stack.count; i++)
		sink += pgb_record_entry(&entries).bits;
	touch(record->raw);
	touch(record->aux_bytes);
	if (record->type == PERF_RECORD_MMAP || record->type == PERF_RECORD_MMAP2)
		sink += strlen(record->mmap.path);
}

static void read_all(const char *path)
{
	struct pgb_feed_perfdata_config config = {
		.path = path, .aux = take_aux, .aux_info = take_aux_info};
	const struct pgb_perfdata_info *info;
	struct pgb_error error = {0};
	struct pgb_record record;
	struct pgb_feed *feed;
	int code;

	if (pgb_feed_perfdata_new(&feed, &config, &error) < 0) {
		pgb_assert(feed == NULL && error.code < 0);
		return;
	}
	while ((code = pgb_feed_next(feed, &record, &error)) == 1)
		touch_record(&record);
	info = pgb_feed_perfdata_info(feed);
	pgb_assert(code < 0 || info->end != PGB_PERFDATA_READING);
	for (size_t i = 0; i < info->events.count && code == 0; i++)
		sink += strlen(info->events.items[i].name);
	pgb_feed_perfdata_build_id(feed, "/bin/app");
	pgb_feed_free(feed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	int fd = memfd_create("perf.data", MFD_CLOEXEC);
	char path[64];

	pgb_assert(fd >= 0 && write(fd, bytes, size_bytes) == (ssize_t)size_bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_all(path);
	/* the same in a file so large that windows show it */
	pgb_assert(ftruncate(fd, 4 * PGB_PERFDATA_WINDOW_BYTES) == 0);
	read_all(path);
	close(fd);
	return 0;
}
