/* SPDX-License-Identifier: MIT */
#include "collector/walk_process.h"

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

enum { MAPS_BYTES = 64 * 1024 * 1024 };

void walk_process_scan(struct walk_process *process,
		       void (*told)(void *context, pid_t pid, const struct pgb_proc_map *map),
		       void *context)
{
	char *path = pgb_format("/proc/%d/maps", process->pid);
	struct pgb_text text = {0};
	struct pgb_proc_map map;
	struct pgb_cursor at;
	int code;

	if (pgb_file_read(&text, path, MAPS_BYTES, NULL) == 0) {
		process->code.count = 0;
		at = pgb_cursor_of(text.data, text.length);
		while ((code = pgb_proc_maps_next(&at, &map)) != 0 && code != PGB_E_TRUNCATED) {
			struct walk_range here = {map.start, map.end};

			if (code < 0 || !map.executable)
				continue;
			pgb_array_push(&process->code, here);
			told(context, process->pid, &map);
		}
	}
	pgb_text_release(&text);
	free(path);
}

static bool is_mapped(const struct walk_process *process, uint64_t address)
{
	size_t low = 0, high = process->code.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (address >= process->code.items[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < process->code.count && address >= process->code.items[low].start;
}

bool walk_process_maps(const struct walk_process *process, const struct pgb_walk *visit)
{
	for (size_t i = 0; i < visit->result.branch_count; i++)
		if (!is_mapped(process, visit->branches[i].from))
			return false;
	return is_mapped(process, visit->pc);
}
