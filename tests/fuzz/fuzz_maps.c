/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps text, its executable mappings laid over each other in a process, whose every
 * boundary is then looked up.
 */
#include "pgobolt/collector/addrspace.h"
#include "pgobolt/collector/proc_maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static int open_made_up(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	const struct pgb_segment code = {.size_file = 1 << 20, .align = 4096, .flags = 5};

	(void)context;
	if (event->inode % 7 == 3)
		return PGB_E_NOT_FOUND;
	binary->kind = event->inode % 5 == 2 ? PGB_BINARY_NOT_ELF : PGB_BINARY_ELF;
	if (binary->kind == PGB_BINARY_ELF)
		pgb_array_push(&binary->segments, code);
	binary->code_hash = event->inode;
	return 0;
}

static void check(struct pgb_addrspace *space, uint64_t address)
{
	struct pgb_location location = pgb_addrspace_find(space, 1, address);

	pgb_assert(location.binary >= PGB_BINARY_ANONYMOUS ||
		   location.binary < pgb_addrspace_binary_count(space));
	if (location.binary >= PGB_BINARY_ANONYMOUS)
		pgb_assert(location.address == address);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	const struct pgb_binary_opener opener = {.open = open_made_up};
	struct pgb_addrspace *space = pgb_addrspace_new(&opener);
	struct pgb_cursor cursor = pgb_cursor_of(bytes, size_bytes);
	static struct pgb_proc_map map;
	int got;

	while ((got = pgb_proc_maps_next(&cursor, &map)) != 0) {
		struct pgb_map_event event = {.pid = 1,
					      .start = map.start,
					      .length = map.end - map.start,
					      .offset_file = map.offset_file,
					      .device = map.device,
					      .inode = map.inode,
					      .path = map.path};

		if (got < 0)
			continue;
		pgb_assert(map.start <= map.end);
		pgb_assert(strlen(map.path) < sizeof(map.path));
		if (map.executable)
			pgb_addrspace_map(space, &event);
		if (map.inode % 11 == 0)
			pgb_addrspace_fork(space, 1, 2);
		check(space, map.start);
		check(space, map.start - 1);
		check(space, map.end);
		check(space, map.end - 1);
	}
	pgb_addrspace_free(space);
	return 0;
}
