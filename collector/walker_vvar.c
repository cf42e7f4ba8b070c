/* SPDX-License-Identifier: MIT */
#include "collector/walker_vvar.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/proc_maps.h"

enum { MAPS_BYTES = 16 * 1024 * 1024, PAGE_BYTES = 4096, PAGES_MOST = 64 };

/* Which of our pages can be read: the kernel says EFAULT where we would get SIGBUS. */
static uint64_t probe_pages(uint64_t start, uint64_t end)
{
	uint64_t readable = 0;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return 0;
	for (unsigned int i = 0; i < PAGES_MOST && start + i * PAGE_BYTES < end; i++)
		if (write(fds[1], (const void *)(uintptr_t)(start + i * PAGE_BYTES), 1) == 1)
			readable |= UINT64_C(1) << i;
	close(fds[0]);
	close(fds[1]);
	return readable;
}

void walker_vvar_init(struct walker_vvar *vvar)
{
	struct pgb_text text = {0};
	struct pgb_proc_map map;
	struct pgb_cursor at;

	*vvar = (struct walker_vvar){.vdso = getauxval(AT_SYSINFO_EHDR)};
	if (pgb_file_read(&text, "/proc/self/maps", MAPS_BYTES, NULL) == 0) {
		at = pgb_cursor_of(text.data, text.length);
		while (pgb_proc_maps_next(&at, &map) > 0) {
			/* [vvar], and [vvar_vclock] since Linux 6.13 */
			if (strncmp(map.path, "[vvar", 5) != 0)
				continue;
			if (vvar->start == 0)
				vvar->start = map.start;
			vvar->end = map.end;
		}
	}
	pgb_text_release(&text);
	vvar->readable = probe_pages(vvar->start, vvar->end);
}

uint64_t walker_vvar_find(pid_t pid)
{
	uint8_t bytes[1024];
	struct pgb_cursor at;
	char path[64];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	at = pgb_cursor_of(bytes, size > 0 ? (size_t)size : 0);
	while (pgb_cursor_holds(&at, 2, 8)) {
		uint64_t type = pgb_cursor_u64(&at), value = pgb_cursor_u64(&at);

		if (type == AT_SYSINFO_EHDR)
			return value;
	}
	return 0;
}

bool walker_vvar_read(const struct walker_vvar *vvar, uint64_t vdso, uint64_t address, void *bytes,
		      size_t size_bytes)
{
	uint64_t ours = vvar->vdso + (address - vdso);
	uint64_t page = (ours - vvar->start) / PAGE_BYTES;

	if (vdso == 0 || vvar->vdso == 0 || ours < vvar->start || ours >= vvar->end ||
	    (ours - vvar->start) % PAGE_BYTES + size_bytes > PAGE_BYTES || page >= PAGES_MOST ||
	    !(vvar->readable >> page & 1))
		return false;
	memcpy(bytes, (const void *)(uintptr_t)ours, size_bytes);
	return true;
}
