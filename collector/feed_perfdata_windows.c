/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_windows.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/collector/bus_guard.h"

enum {
	/* Less is read in the time that windows take to be made. */
	FILE_BYTES_LEAST = 2 * PGB_PERFDATA_WINDOW_BYTES,
};

#define ALL_BYTES ((size_t)PGB_PERFDATA_WINDOWS * PGB_PERFDATA_WINDOW_BYTES)

struct pgb_perfdata_windows {
	int fd;
	int guard;
	uint64_t page_bytes;
	uint8_t *start; /* of all windows, one behind the other */
};

struct pgb_perfdata_windows *pgb_perfdata_windows_new(int fd)
{
	struct pgb_perfdata_windows *windows;
	struct stat status;
	void *start;
	int guard;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
	    status.st_size < FILE_BYTES_LEAST)
		return NULL;
	start = mmap(NULL, ALL_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		     0);
	if (start == MAP_FAILED)
		return NULL;
	guard = pgb_bus_guard_add(start, ALL_BYTES);
	if (guard < 0) {
		munmap(start, ALL_BYTES);
		return NULL;
	}
	windows = pgb_calloc(1, sizeof(*windows));
	windows->fd = fd;
	windows->guard = guard;
	windows->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	windows->start = start;
	return windows;
}

void pgb_perfdata_windows_free(struct pgb_perfdata_windows *windows)
{
	if (windows == NULL)
		return;
	munmap(windows->start, ALL_BYTES);
	pgb_bus_guard_remove(windows->guard);
	free(windows);
}

const uint8_t *pgb_perfdata_windows_move(struct pgb_perfdata_windows *windows, size_t index,
					 uint64_t offset, uint64_t most, size_t *size_bytes)
{
	uint64_t in_page = offset & (windows->page_bytes - 1);
	uint64_t left = PGB_PERFDATA_WINDOW_BYTES - in_page;
	uint8_t *place = windows->start + index * PGB_PERFDATA_WINDOW_BYTES;
	struct stat status;

	if (index >= PGB_PERFDATA_WINDOWS || fstat(windows->fd, &status) != 0 ||
	    (uint64_t)status.st_size <= offset)
		return NULL;
	left = left < most ? left : most;
	if (left > (uint64_t)status.st_size - offset)
		left = (uint64_t)status.st_size - offset;
	if (mmap(place, in_page + left, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE,
		 windows->fd, (off_t)(offset - in_page)) == MAP_FAILED)
		return NULL;
	*size_bytes = (size_t)left;
	return place + in_page;
}

bool pgb_perfdata_windows_were_cut(const struct pgb_perfdata_windows *windows)
{
	return pgb_bus_guard_was_hit(windows->guard);
}
