/* SPDX-License-Identifier: MIT */
/*
 * A process has a sorted list of mappings, shared with the processes it forked until one of
 * them changes. Processes stand in an open-addressing table by pid.
 */
#include "pgobolt/collector/addrspace.h"
#include "pgobolt/base/search.h"

#include "pgobolt/base/hash.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/binaries.h"
#include "pgobolt/collector/binary_open.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/proc_maps.h"

enum {
	FIRST_SLOTS = 64,
	MAPS_TEXT_BYTES = 64 * 1024 * 1024,
};

/* Run-time addresses start .. start + size_bytes - 1; less the bias they are the binary's. */
struct mapping {
	uint64_t start, size_bytes;
	uint64_t bias;
	uint32_t binary;
};

struct mapping_list {
	uint32_t references;
	PGB_ARRAY(struct mapping) mappings; /* by start, without overlap */
};

struct process {
	uint32_t pid, parent_pid;
	/* The last mapping found: most look-ups are one comparison. Never NULL. */
	const struct mapping *last;
	struct mapping_list *list; /* NULL: none */
};

struct pgb_addrspace {
	struct process **slots; /* NULL: free */
	size_t slot_mask;
	uint32_t process_count;
	struct process *last; /* NULL: none */
	struct pgb_binaries *binaries;
	struct pgb_addrspace_stats stats;
};

/* Holds no address. */
static const struct mapping no_mapping;

struct pgb_addrspace *pgb_addrspace_new(const struct pgb_binary_opener *opener)
{
	struct pgb_addrspace *space = pgb_calloc(1, sizeof(*space));

	space->slots = pgb_calloc(FIRST_SLOTS, sizeof(struct process *));
	space->slot_mask = FIRST_SLOTS - 1;
	space->binaries = pgb_binaries_new(opener ? opener : &pgb_binary_open_here);
	return space;
}

static void drop_list(struct process *process)
{
	struct mapping_list *list = process->list;

	process->list = NULL;
	process->last = &no_mapping;
	if (list == NULL || --list->references > 0)
		return;
	pgb_array_release(&list->mappings);
	free(list);
}

static void free_process(struct process *process)
{
	drop_list(process);
	free(process);
}

void pgb_addrspace_free(struct pgb_addrspace *space)
{
	if (space == NULL)
		return;
	for (size_t i = 0; i <= space->slot_mask; i++)
		if (space->slots[i])
			free_process(space->slots[i]);
	free(space->slots);
	pgb_binaries_free(space->binaries);
	free(space);
}

static inline size_t home_slot(const struct pgb_addrspace *space, uint32_t pid)
{
	return pgb_hash_u64(pid) & space->slot_mask;
}

/* The slot that holds the process, or the free one where it would go. */
static struct process **find_slot(struct pgb_addrspace *space, uint32_t pid)
{
	size_t at = home_slot(space, pid);

	while (space->slots[at] && space->slots[at]->pid != pid)
		at = (at + 1) & space->slot_mask;
	return &space->slots[at];
}

static void grow_slots(struct pgb_addrspace *space)
{
	struct process **old = space->slots;
	size_t old_count = space->slot_mask + 1;

	space->slots = pgb_calloc(2 * old_count, sizeof(struct process *));
	space->slot_mask = 2 * old_count - 1;
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			*find_slot(space, old[i]->pid) = old[i];
	free(old);
}

/* NULL: too many; counted. */
static struct process *make_process(struct pgb_addrspace *space, uint32_t pid)
{
	struct process **slot = find_slot(space, pid);

	if (*slot)
		return *slot;
	if (space->process_count == PGB_LIMIT_PROCESSES) {
		space->stats.processes_over_limit++;
		return NULL;
	}
	if (2 * ((size_t)space->process_count + 1) > space->slot_mask) {
		grow_slots(space);
		slot = find_slot(space, pid);
	}
	*slot = pgb_calloc(1, sizeof(**slot));
	(*slot)->pid = pid;
	(*slot)->last = &no_mapping;
	space->process_count++;
	return *slot;
}

/* Close the gap behind a slot that was freed, so that no look-up ends there too early. */
static void close_gap(struct pgb_addrspace *space, size_t gap)
{
	size_t mask = space->slot_mask;

	for (size_t at = (gap + 1) & mask; space->slots[at]; at = (at + 1) & mask) {
		size_t home = home_slot(space, space->slots[at]->pid);

		/* It may move into the gap unless its home lies behind that. */
		if (((at - home) & mask) >= ((at - gap) & mask)) {
			space->slots[gap] = space->slots[at];
			space->slots[at] = NULL;
			gap = at;
		}
	}
}

void pgb_addrspace_exit(struct pgb_addrspace *space, uint32_t pid)
{
	struct process **slot = find_slot(space, pid);

	if (*slot == NULL)
		return;
	if (space->last == *slot)
		space->last = NULL;
	free_process(*slot);
	*slot = NULL;
	space->process_count--;
	close_gap(space, (size_t)(slot - space->slots));
}

void pgb_addrspace_exec(struct pgb_addrspace *space, uint32_t pid)
{
	struct process *process = *find_slot(space, pid);

	if (process)
		drop_list(process);
}

void pgb_addrspace_fork(struct pgb_addrspace *space, uint32_t parent_pid, uint32_t child_pid)
{
	struct process *parent, *child;

	if (parent_pid == child_pid)
		return;
	child = make_process(space, child_pid);
	if (child == NULL)
		return;
	/* A pid used again, its EXIT lost. */
	drop_list(child);
	child->parent_pid = parent_pid;
	parent = *find_slot(space, parent_pid);
	if (parent == NULL || parent->list == NULL)
		return;
	child->list = parent->list;
	child->list->references++;
	child->last = parent->last;
}

/* A list of its own, that may be changed. */
static struct mapping_list *own_list(struct process *process)
{
	struct mapping_list *shared = process->list, *own;

	process->last = &no_mapping;
	if (shared && shared->references == 1)
		return shared;
	own = pgb_calloc(1, sizeof(*own));
	own->references = 1;
	if (shared) {
		/* Room for one more that cuts another in two. */
		pgb_array_reserve(&own->mappings, shared->mappings.count + 2);
		if (shared->mappings.count > 0)
			memcpy(own->mappings.items, shared->mappings.items,
			       shared->mappings.count * sizeof(*own->mappings.items));
		own->mappings.count = shared->mappings.count;
		shared->references--;
	}
	process->list = own;
	return own;
}

/* Index of the first mapping that ends behind `address`. */
static size_t first_ending_behind(const struct mapping_list *list, uint64_t address)
{
	return pgb_search(list->mappings.count, i,
			  list->mappings.items[i].start + (list->mappings.items[i].size_bytes - 1) <
				  address);
}

/* Replace `removed` mappings at `at` by `count` others. */
static void splice(struct mapping_list *list, size_t at, size_t removed,
		   const struct mapping *others, size_t count)
{
	struct mapping *items;
	size_t behind = list->mappings.count - at - removed;

	pgb_array_reserve(&list->mappings, list->mappings.count + count);
	items = list->mappings.items;
	if (behind > 0)
		memmove(items + at + count, items + at + removed, behind * sizeof(*items));
	if (count > 0)
		memcpy(items + at, others, count * sizeof(*items));
	list->mappings.count = at + count + behind;
}

/* Does `right` go on where `left` ends, in the same binary at the same bias? */
static bool continues(const struct mapping *left, const struct mapping *right)
{
	return left->binary == right->binary && left->start + left->size_bytes == right->start &&
	       (left->bias == right->bias || left->binary == PGB_BINARY_ANONYMOUS);
}

/* Lay `added` over what is there; size 0: the memory from there to `end` is no code any more. */
static void overlay(struct mapping_list *list, const struct mapping *added, uint64_t end)
{
	size_t first = first_ending_behind(list, added->start), behind = first, count = 0;
	struct mapping others[3];

	while (behind < list->mappings.count && list->mappings.items[behind].start < end)
		behind++;
	if (first < behind && list->mappings.items[first].start < added->start) {
		others[count] = list->mappings.items[first];
		others[count].size_bytes = added->start - others[count].start;
		count++;
	}
	if (added->size_bytes > 0) {
		if (count == 0 && first > 0 && continues(&list->mappings.items[first - 1], added))
			others[count++] = list->mappings.items[--first];
		if (count > 0 && continues(&others[count - 1], added))
			others[count - 1].size_bytes += added->size_bytes;
		else
			others[count++] = *added;
	}
	if (first < behind) {
		struct mapping rest = list->mappings.items[behind - 1];
		uint64_t rest_end = rest.start + rest.size_bytes;

		if (rest_end > end) {
			rest.start = end;
			rest.size_bytes = rest_end - end;
			if (count > 0 && continues(&others[count - 1], &rest))
				others[count - 1].size_bytes += rest.size_bytes;
			else
				others[count++] = rest;
		}
	}
	if (count > 0 && behind < list->mappings.count &&
	    continues(&others[count - 1], &list->mappings.items[behind]))
		others[count - 1].size_bytes += list->mappings.items[behind++].size_bytes;
	splice(list, first, behind - first, others, count);
}

/* Binary and bias of a new mapping; false: nothing can be said of its addresses. */
static bool place(struct pgb_addrspace *space, const struct pgb_map_event *event,
		  struct mapping *mapping)
{
	const struct pgb_binary *binary;

	mapping->binary = pgb_binaries_of_mapping(space->binaries, event);
	space->stats.binaries_unreadable = pgb_binaries_unreadable(space->binaries);
	space->stats.binaries_over_limit = pgb_binaries_over_limit(space->binaries);
	if (mapping->binary == PGB_BINARY_NONE)
		return false;
	mapping->bias = 0;
	if (mapping->binary == PGB_BINARY_ANONYMOUS)
		return true;
	binary = pgb_binaries_get(space->binaries, mapping->binary);
	if (binary->kind != PGB_BINARY_ELF) {
		mapping->bias = event->start - event->offset_file;
		return true;
	}
	if (pgb_binary_bias(binary, event->start, event->length, event->offset_file,
			    &mapping->bias))
		return true;
	space->stats.mappings_unplaced++;
	return false;
}

void pgb_addrspace_map(struct pgb_addrspace *space, const struct pgb_map_event *event)
{
	struct pgb_map_event completed = *event;
	struct mapping mapping = {.start = event->start};
	struct mapping_list *list;
	struct process *process;
	uint64_t end;

	if (event->pid == UINT32_MAX)
		return;
	space->stats.mappings_seen++;
	if (event->length == 0 || __builtin_add_overflow(event->start, event->length, &end)) {
		space->stats.mappings_unplaced++;
		return;
	}
	process = make_process(space, event->pid);
	if (process == NULL)
		return;
	completed.parent_pid = process->parent_pid;
	if (place(space, &completed, &mapping))
		mapping.size_bytes = event->length;
	list = own_list(process);
	if (list->mappings.count + 2 > PGB_LIMIT_MAPPINGS) {
		space->stats.mappings_over_limit++;
		return;
	}
	overlay(list, &mapping, end);
}

static int fail_scan(struct pgb_error *error, int code, uint32_t pid, const char *why)
{
	pgb_fail(error, code, "cannot read the memory map of process %u: %s", pid, why);
	if (code == PGB_E_PERMISSION)
		pgb_remedy(error, "run as the owner of the process, or as root");
	return code;
}

static void take_maps(struct pgb_addrspace *space, uint32_t pid, const struct pgb_text *text)
{
	struct pgb_cursor cursor = pgb_cursor_of(text->data, text->length);
	struct pgb_proc_map *map = pgb_calloc(1, sizeof(*map));
	int got;

	/* A line that is not understood is left out, the others still count. */
	while ((got = pgb_proc_maps_next(&cursor, map)) != 0) {
		struct pgb_map_event event = {.pid = pid,
					      .start = map->start,
					      .length = map->end - map->start,
					      .offset_file = map->offset_file,
					      .device = map->device,
					      .inode = map->inode,
					      .path = map->path};

		if (got > 0 && map->executable)
			pgb_addrspace_map(space, &event);
	}
	free(map);
}

int pgb_addrspace_scan(struct pgb_addrspace *space, uint32_t pid, struct pgb_error *error)
{
	char *path = pgb_format("/proc/%u/maps", pid);
	struct pgb_text text = {0};
	struct pgb_error cause = {0};
	int code = pgb_file_read(&text, path, MAPS_TEXT_BYTES, &cause);

	free(path);
	if (code == 0 && text.length == 0)
		code = PGB_E_GONE;
	if (code == PGB_E_NOT_FOUND || code == PGB_E_GONE)
		code = fail_scan(error, PGB_E_GONE, pid, "it has ended or is a kernel thread");
	else if (code != 0)
		code = fail_scan(error, code, pid, cause.message);
	if (code == 0) {
		pgb_addrspace_exec(space, pid);
		take_maps(space, pid, &text);
	}
	pgb_text_release(&text);
	return code;
}

static inline struct process *find_process(struct pgb_addrspace *space, uint32_t pid)
{
	struct process *process = space->last;

	if (__builtin_expect(process == NULL || process->pid != pid, false)) {
		process = *find_slot(space, pid);
		if (process)
			space->last = process;
	}
	return process;
}

bool pgb_addrspace_knows(struct pgb_addrspace *space, uint32_t pid)
{
	const struct process *process = find_process(space, pid);

	return process && process->list;
}

static inline bool holds(const struct mapping *mapping, uint64_t address)
{
	return address - mapping->start < mapping->size_bytes;
}

/* Not in the mapping of the last time. */
static __attribute__((noinline)) bool search(struct process *process, uint64_t address)
{
	const struct mapping *items;
	size_t low = 0, count;

	if (process->list == NULL || process->list->mappings.count == 0)
		return false;
	items = process->list->mappings.items;
	/* The last mapping that starts at or before the address; no branch depends on it. */
	for (count = process->list->mappings.count; count > 1;) {
		size_t half = count / 2;

		low += items[low + half].start <= address ? half : 0;
		count -= half;
	}
	if (!holds(&items[low], address))
		return false;
	process->last = &items[low];
	return true;
}

struct pgb_location pgb_addrspace_find(struct pgb_addrspace *space, uint32_t pid, uint64_t address)
{
	struct process *process = find_process(space, pid);
	const struct mapping *mapping;

	if (process == NULL)
		return (struct pgb_location){PGB_BINARY_NONE, address};
	if (!holds(process->last, address) && !search(process, address))
		return (struct pgb_location){PGB_BINARY_NONE, address};
	mapping = process->last;
	return (struct pgb_location){mapping->binary, address - mapping->bias};
}

uint32_t pgb_addrspace_binary_count(const struct pgb_addrspace *space)
{
	return pgb_binaries_count(space->binaries);
}

const struct pgb_binary *pgb_addrspace_binary(const struct pgb_addrspace *space, uint32_t index)
{
	return pgb_binaries_get(space->binaries, index);
}

uint32_t pgb_addrspace_process_count(const struct pgb_addrspace *space)
{
	return space->process_count;
}

const struct pgb_addrspace_stats *pgb_addrspace_stats(const struct pgb_addrspace *space)
{
	return &space->stats;
}
