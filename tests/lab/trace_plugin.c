/* SPDX-License-Identifier: MIT */
/*
 * A plugin for qemu user-mode emulation (7.2) that writes which blocks a program executes:
 *
 *	qemu-x86_64 -plugin trace_plugin.so,out=FILE[,mode=MODE][,inside=main|LOW-HIGH] PROGRAM
 *
 * mode=trace (default) writes the exact sequence, mode=count how often each block followed each
 * other one; mode=cache writes, as text, how many instructions and taken branches there were, and
 * what a plain instruction cache (32 KiB, 8 ways, lines of 64 bytes) and a plain TLB (64 pages of
 * 4 KiB, 4 ways) would have missed: of one thread at a time. inside=main leaves out what lies
 *outside the main binary's code; LOW-HIGH are hexadecimal. The first thread writes FILE, further
 *ones FILE.1, FILE.2, ... A child after fork() is not followed. Format: trace_format.h.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lab/trace_format.h"

/* What is used of qemu's plugin interface, version 1; no header is packaged. */
#define EXPORT __attribute__((visibility("default")))
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
	const char *target_name;
	struct {
		int minimum, current;
	} version;
	bool system_emulation;
};
typedef uint64_t plugin_id;
enum { CALLBACK_NO_REGISTERS = 0 };
EXPORT extern const int qemu_plugin_version;
EXPORT const int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);
void qemu_plugin_register_vcpu_init_cb(plugin_id id, void (*call)(plugin_id, unsigned int));
void qemu_plugin_register_vcpu_exit_cb(plugin_id id, void (*call)(plugin_id, unsigned int));
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*call)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*call)(unsigned int, void *), int flags,
					  void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*call)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_start_code(void);
uint64_t qemu_plugin_end_code(void);

#define THREADS_MAX  4096
#define MAPS_MAX     4096
#define BUCKETS	     (1u << 16)
#define BUFFER_BYTES (1u << 20)

struct block {
	uint32_t id;
	uint32_t instructions;
	uint64_t start;
	uint32_t size_bytes;
	uint32_t last_offset;
	uint8_t last_bytes[16];
	uint8_t last_size_bytes;
	struct block *next_in_bucket;
};

struct successor {
	struct block *block;
	uint64_t count;
	struct successor *older;
};

struct map {
	uint64_t start, size_bytes, offset_file;
	char path[4096];
};

struct thread {
	int file;
	struct block *previous;
	uint64_t hits;
	struct successor **successors; /* by block id; the most recent first */
	uint32_t *written_id;	       /* by block id: its number in this file, or 0 */
	uint32_t capacity;
	uint32_t blocks_written;
	uint32_t last_written_id;
	uint32_t maps_written;
	uint8_t *buffer;
	size_t used_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block outside; /* id 0 */
static struct block *buckets[BUCKETS];
static uint32_t block_count = 1;
static struct map *maps[MAPS_MAX];
static uint32_t map_count;
static struct thread *threads[THREADS_MAX];
static char out_path[4000];
static bool counting, caching, inside_main, is_aarch64;
static uint64_t low_address, high_address = UINT64_MAX;
static pid_t traced_pid;

/* The sets of a cache, each with its most recent entries first; 0: empty. */
#define WAYS_MAX 8
struct cache {
	unsigned int sets, ways, shift; /* an entry is an address without so many bits */
	uint64_t entries[64][WAYS_MAX];
	uint64_t looks, misses;
};

static struct cache lines = {.sets = 64, .ways = 8, .shift = 6};
static struct cache pages = {.sets = 16, .ways = 4, .shift = 12};
static uint64_t instructions, taken_branches, outside_runs;
static uint64_t last_end; /* of the block before; 0: it was outside */

static void die(const char *what)
{
	fprintf(stderr, "trace_plugin: %s\n", what);
	_exit(125);
}

static void *zeroed(size_t count, size_t size_bytes)
{
	void *memory = calloc(count, size_bytes);

	if (memory == NULL)
		die("out of memory");
	return memory;
}

static void flush(struct thread *thread)
{
	size_t done = 0;

	while (getpid() == traced_pid && done < thread->used_bytes) {
		ssize_t wrote =
			write(thread->file, thread->buffer + done, thread->used_bytes - done);

		if (wrote <= 0)
			die("cannot write the trace");
		done += (size_t)wrote;
	}
	thread->used_bytes = 0;
}

static void put_bytes(struct thread *thread, const void *bytes, size_t size_bytes)
{
	if (thread->used_bytes + size_bytes > BUFFER_BYTES)
		flush(thread);
	memcpy(thread->buffer + thread->used_bytes, bytes, size_bytes);
	thread->used_bytes += size_bytes;
}

static void put(struct thread *thread, uint64_t value)
{
	uint8_t bytes[10];
	size_t count = 0;

	for (; value > 127; value >>= 7)
		bytes[count++] = (uint8_t)(value | 128);
	bytes[count++] = (uint8_t)value;
	put_bytes(thread, bytes, count);
}

static void put_maps(struct thread *thread)
{
	for (; thread->maps_written < map_count; thread->maps_written++) {
		const struct map *map = maps[thread->maps_written];

		put(thread, LAB_MAP);
		put(thread, map->start);
		put(thread, map->size_bytes);
		put(thread, map->offset_file);
		put(thread, strlen(map->path));
		put_bytes(thread, map->path, strlen(map->path));
	}
}

/* The block's number in this thread's file; defines it there first if need be. */
static uint32_t number_of(struct thread *thread, const struct block *block)
{
	if (block->id == 0 || thread->written_id[block->id] != 0)
		return thread->written_id[block->id];
	put_maps(thread);
	put(thread, LAB_BLOCK);
	put(thread, block->start);
	put(thread, block->size_bytes);
	put(thread, block->last_offset);
	put(thread, block->instructions);
	put(thread, block->last_size_bytes);
	put_bytes(thread, block->last_bytes, block->last_size_bytes);
	thread->written_id[block->id] = ++thread->blocks_written;
	return thread->blocks_written;
}

static void reserve(struct thread *thread, uint32_t id)
{
	uint32_t wanted = thread->capacity * 2 > id + 1024 ? thread->capacity * 2 : id + 1024;
	size_t added;

	if (id < thread->capacity)
		return;
	added = wanted - thread->capacity;
	thread->successors = realloc(thread->successors, wanted * sizeof(*thread->successors));
	thread->written_id = realloc(thread->written_id, wanted * sizeof(*thread->written_id));
	if (thread->successors == NULL || thread->written_id == NULL)
		die("out of memory");
	memset(thread->successors + thread->capacity, 0, added * sizeof(*thread->successors));
	memset(thread->written_id + thread->capacity, 0, added * sizeof(*thread->written_id));
	thread->capacity = wanted;
}

/* Make `block` the most recent successor of `previous`, and count it. */
static void promote(struct thread *thread, struct block *previous, struct block *block)
{
	struct successor **link = &thread->successors[previous->id], *found;

	while (*link != NULL && (*link)->block != block)
		link = &(*link)->older;
	found = *link;
	if (found != NULL) {
		*link = found->older;
	} else {
		found = zeroed(1, sizeof(*found));
		found->block = block;
	}
	found->count++;
	found->older = thread->successors[previous->id];
	thread->successors[previous->id] = found;
}

static void put_item(struct thread *thread, enum lab_item item)
{
	put(thread, thread->hits << 2 | item);
	thread->hits = 0;
}

static void put_run(struct thread *thread, uint32_t number)
{
	int64_t delta = (int64_t)number - (int64_t)thread->last_written_id;

	put_item(thread, LAB_RUN);
	put(thread, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));
}

static void unpredicted(struct thread *thread, struct block *previous, struct block *block)
{
	reserve(thread, block->id);
	if (previous != NULL)
		promote(thread, previous, block);
	if (!counting) {
		uint32_t number = number_of(thread, block);

		if (previous == NULL) {
			put_item(thread, LAB_OTHER);
			put(thread, LAB_START);
			put(thread, number);
		} else {
			put_run(thread, number);
		}
		thread->last_written_id = number;
	}
	thread->hits = 0;
}

static void execute(unsigned int index, void *data)
{
	struct thread *thread = threads[index];
	struct block *previous = thread->previous, *block = data;
	struct successor *likely;

	if (block == previous && block == &outside)
		return;
	thread->previous = block;
	likely = previous ? thread->successors[previous->id] : NULL;
	if (likely == NULL || likely->block != block) {
		unpredicted(thread, previous, block);
		return;
	}
	likely->count++;
	thread->hits++;
}

static void touch(struct cache *cache, uint64_t address)
{
	uint64_t entry = (address >> cache->shift) + 1;
	uint64_t *set = cache->entries[entry % cache->sets];
	unsigned int way = 0;

	cache->looks++;
	while (way + 1 < cache->ways && set[way] != entry)
		way++;
	cache->misses += set[way] != entry;
	memmove(&set[1], &set[0], way * sizeof(set[0]));
	set[0] = entry;
}

/* A block is fetched line by line. */
static void fetch(unsigned int index, void *data)
{
	const struct block *block = data;
	uint64_t end = block->start + block->size_bytes;

	(void)index;
	if (block == &outside) {
		outside_runs += last_end != 0;
		last_end = 0;
		return;
	}
	instructions += block->instructions;
	taken_branches += block->start != last_end;
	last_end = end;
	for (uint64_t at = block->start; at < end; at = (at | 63) + 1)
		touch(&lines, at);
	touch(&pages, block->start);
	if (block->start >> 12 != (end - 1) >> 12)
		touch(&pages, end - 1);
}

static void write_cache(void)
{
	FILE *file = fopen(out_path, "w");

	if (file == NULL)
		die("cannot create the counts");
	fprintf(file,
		"instructions %" PRIu64 "\ntaken %" PRIu64 "\nlines %" PRIu64
		"\nline_misses %" PRIu64 "\npage_misses %" PRIu64 "\nleft %" PRIu64 "\n",
		instructions, taken_branches, lines.looks, lines.misses, pages.misses,
		outside_runs);
	fclose(file);
}

/* The file behind host address `host`; `guest` is what the program calls that address. */
static void find_map(uint64_t host, uint64_t guest)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[8192];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		uint64_t start, end, offset;
		int path_at = 0;
		struct map *map;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &start, &end,
			   &offset, &path_at) < 3 ||
		    host < start || host >= end)
			continue;
		line[strcspn(line, "\n")] = '\0';
		map = zeroed(1, sizeof(*map));
		map->start = start - host + guest;
		map->size_bytes = end - start;
		map->offset_file = offset;
		if (path_at > 0)
			snprintf(map->path, sizeof(map->path), "%s", line + path_at);
		if (map_count < MAPS_MAX)
			maps[map_count++] = map;
		break;
	}
	if (file != NULL)
		fclose(file);
}

static void note_map(const struct qemu_plugin_insn *insn, uint64_t address)
{
	void *host = qemu_plugin_insn_haddr(insn);

	for (uint32_t i = 0; i < map_count; i++) {
		if (address - maps[i]->start < maps[i]->size_bytes)
			return;
	}
	if (host != NULL)
		find_map((uint64_t)(uintptr_t)host, address);
}

/* The block with this content; code that is translated again keeps its number. */
static struct block *find_block(const struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	const struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, count - 1);
	struct block new = {.start = qemu_plugin_insn_vaddr(first)}, *block;
	uint64_t last_address = qemu_plugin_insn_vaddr(last);
	struct block **bucket = &buckets[(new.start ^ new.start >> 16) % BUCKETS];

	if (inside_main && high_address == UINT64_MAX) {
		low_address = qemu_plugin_start_code();
		high_address = qemu_plugin_end_code();
	}
	if (new.start < low_address || new.start >= high_address)
		return &outside;
	new.instructions = (uint32_t)count;
	new.last_offset = (uint32_t)(last_address - new.start);
	new.last_size_bytes = (uint8_t)qemu_plugin_insn_size(last);
	new.size_bytes = new.last_offset + new.last_size_bytes;
	memcpy(new.last_bytes, qemu_plugin_insn_data(last), new.last_size_bytes);
	for (block = *bucket; block != NULL; block = block->next_in_bucket) {
		if (block->start == new.start && block->instructions == new.instructions &&
		    block->size_bytes ==
			    new.size_bytes &&memcmp(block->last_bytes, new.last_bytes,
						    sizeof(new.last_bytes)) == 0)
			return block;
	}
	note_map(first, new.start);
	new.id = block_count++;
	new.next_in_bucket = *bucket;
	block = zeroed(1, sizeof(*block));
	*block = new;
	*bucket = block;
	return block;
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *block;

	(void)id;
	if (qemu_plugin_tb_n_insns(tb) == 0)
		return;
	pthread_mutex_lock(&lock);
	block = find_block(tb);
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, caching ? fetch : execute, CALLBACK_NO_REGISTERS,
					     block);
}

static void start_thread(plugin_id id, unsigned int index)
{
	char path[sizeof(out_path) + 16];
	struct thread *thread;

	(void)id;
	if (index >= THREADS_MAX)
		die("too many threads");
	if (threads[index] != NULL) { /* the number of a thread that ended: another chain */
		threads[index]->previous = NULL;
		return;
	}
	if (index == 0)
		snprintf(path, sizeof(path), "%s", out_path);
	else
		snprintf(path, sizeof(path), "%s.%u", out_path, index);
	thread = zeroed(1, sizeof(*thread));
	thread->buffer = zeroed(1, BUFFER_BYTES);
	thread->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (thread->file < 0)
		die("cannot create the trace");
	reserve(thread, 0);
	put_bytes(thread, is_aarch64 ? LAB_TRACE_MAGIC_AARCH64 : LAB_TRACE_MAGIC_X86_64,
		  LAB_TRACE_MAGIC_BYTES);
	threads[index] = thread;
}

static void put_edges(struct thread *thread)
{
	for (uint32_t bucket = 0; bucket < BUCKETS + 1; bucket++) {
		struct block *block = bucket < BUCKETS ? buckets[bucket] : &outside;

		for (; block != NULL; block = block->next_in_bucket) {
			struct successor *next = NULL;

			if (block->id < thread->capacity)
				next = thread->successors[block->id];
			for (; next != NULL; next = next->older) {
				uint32_t from = number_of(thread, block);
				uint32_t to = number_of(thread, next->block);

				put_item(thread, LAB_OTHER);
				put(thread, LAB_EDGE);
				put(thread, from);
				put(thread, to);
				put(thread, next->count);
			}
		}
	}
}

static void finish(plugin_id id, void *data)
{
	(void)id;
	(void)data;
	if (caching) {
		if (getpid() == traced_pid)
			write_cache();
		return;
	}
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < THREADS_MAX; i++) {
		struct thread *thread = threads[i];

		if (thread == NULL)
			continue;
		if (counting) {
			thread->hits = 0;
			put_edges(thread);
		}
		put_item(thread, LAB_OTHER);
		put(thread, LAB_END);
		flush(thread);
	}
	pthread_mutex_unlock(&lock);
}

static bool parse_argument(const char *argument)
{
	if (strncmp(argument, "out=", 4) == 0)
		return snprintf(out_path, sizeof(out_path), "%s", argument + 4) <
		       (int)sizeof(out_path);
	if (strcmp(argument, "inside=main") == 0) {
		inside_main = true;
		return true;
	}
	if (strncmp(argument, "inside=", 7) == 0)
		return sscanf(argument + 7, "%" SCNx64 "-%" SCNx64, &low_address, &high_address) ==
		       2;
	if (strcmp(argument, "mode=count") == 0)
		counting = true;
	caching = strcmp(argument, "mode=cache") == 0;
	return caching || strcmp(argument, "mode=count") == 0 ||
	       strcmp(argument, "mode=trace") == 0;
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!parse_argument(argv[i])) {
			fprintf(stderr, "trace_plugin: unknown argument: %s\n", argv[i]);
			return -1;
		}
	}
	if (out_path[0] == '\0' || info->system_emulation) {
		fprintf(stderr, "trace_plugin: out=FILE is needed, and user-mode emulation\n");
		return -1;
	}
	is_aarch64 = strcmp(info->target_name, "aarch64") == 0;
	traced_pid = getpid();
	if (!caching)
		qemu_plugin_register_vcpu_init_cb(id, start_thread);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
