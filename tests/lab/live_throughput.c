/* SPDX-License-Identifier: MIT */
/*
 * How fast the live path takes samples out of the kernel's rings, through the stand-in for the
 * kernel: records drained and counted per second of one core, beside a copy of the same bytes.
 *
 *	bench/live-throughput [SECONDS]	CPU seconds of each measurement (default: 1)
 *
 * And: does anything get lost while each of four CPUs writes 100,000 samples a second? Time is
 * simulated: what draining takes, by the CPU's clock, passes for those who write.
 *
 * Fails where memory is allocated while draining (once all edges are known), or a sample is lost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/session_private.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/ibs_sample.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"
#include "tests/support/perf_encode.h"

enum {
	STACKS = 4096, /* different samples, written in turn */
	DEPTH = 32,
	LOOPS = 1024,
	BRANCHES_PER_LOOP = 8,
	SPE_RECORDS = 64, /* in a piece of an AUX area, 64 bytes each */
	CPUS = 4,
};

#define CLOCK_NS	   UINT64_C(1000000000000)
#define SAMPLES_PER_SECOND 100000
#define STEP_NS		   UINT64_C(100000)
#define SIMULATED_NS	   UINT64_C(2000000000)

/* ---- allocations (the linker's --wrap) */

static uint64_t allocations;

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void *__real_realloc(void *memory, size_t size_bytes);
void *__real_reallocarray(void *memory, size_t count, size_t size_bytes);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);
void *__wrap_realloc(void *memory, size_t size_bytes);
void *__wrap_reallocarray(void *memory, size_t count, size_t size_bytes);

void *__wrap_malloc(size_t size_bytes)
{
	allocations++;
	return __real_malloc(size_bytes);
}

void *__wrap_calloc(size_t count, size_t size_bytes)
{
	allocations++;
	return __real_calloc(count, size_bytes);
}

void *__wrap_realloc(void *memory, size_t size_bytes)
{
	allocations++;
	return __real_realloc(memory, size_bytes);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size_bytes)
{
	allocations++;
	return __real_reallocarray(memory, count, size_bytes);
}

/* ---- what is recorded */

struct machine {
	const struct pgb_source *source;
	enum fake_machine kind;
	double branches;  /* in a sample */
	uint64_t samples; /* in what is written at once */
	struct fake_perf *perf;
	struct pgb_host host;
	struct pgb_feed *feed;
	struct pgb_session *session;
	struct perf_bytes records[STACKS];
	size_t next[CPUS];	  /* record to write */
	size_t time_at;		  /* where in a record its time stands */
	uint64_t low, size_bytes; /* of our own code, which plays the program's */
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "live_throughput: %s: %s\n", what, why);
	exit(1);
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Our own code, as the kernel tells of it. */
static struct perf_map own_map(char *path, size_t path_bytes)
{
	ssize_t length = readlink("/proc/self/exe", path, path_bytes - 1);
	struct perf_map map;

	if (length < 0)
		die("/proc/self/exe", "cannot be read");
	path[length] = '\0';
	map = perf_map_of_self((uint64_t)(uintptr_t)(void *)own_map, path);
	map.pid = map.tid = (uint32_t)getpid();
	return map;
}

/* The branches of one loop lie near each other; hot loops are far more frequent than cold ones. */
static struct perf_entry entry_of(const struct machine *machine, uint64_t loop, uint64_t branch)
{
	uint64_t room = machine->size_bytes - 4096;
	uint64_t base = machine->low + pgb_hash_u64(loop) % room;
	uint64_t from = base + branch * 37, to = base + (branch + 1) % BRANCHES_PER_LOOP * 37 - 20;

	return (struct perf_entry){
		.from = from, .to = branch + 1 < BRANCHES_PER_LOOP ? to + 37 : base, .bits = 2};
}

static void put_stack(const struct machine *machine, struct perf_sample *sample,
		      struct perf_entry *entries, uint64_t number)
{
	uint64_t random = pgb_hash_u64(number + 1);
	/* a product of three is small for the most part */
	uint64_t loop = (random % 101) * (random >> 20 & 63) * (random >> 40 & 63) * LOOPS /
			(101 * 64 * 64);

	for (uint64_t i = 0; i < DEPTH; i++)
		entries[i] = entry_of(machine, loop + i / (BRANCHES_PER_LOOP * 2),
				      BRANCHES_PER_LOOP - 1 - i % BRANCHES_PER_LOOP);
	sample->entries = entries;
	sample->entry_count = DEPTH;
	sample->ip = entries[0].to;
}

/* One op as IBS tells of it: in five, one is a branch. */
static void put_op(const struct machine *machine, struct perf_sample *sample,
		   struct perf_bytes *raw, uint64_t number)
{
	uint64_t random = pgb_hash_u64(number + 1);
	struct perf_entry branch =
		entry_of(machine, (random % 101) * (random >> 20 & 63) / 8, random >> 32 & 7);
	bool taken = number % 5 == 0;

	raw->length = 0;
	perf_put_u32(raw, PGB_IBS_CAP_VALID | PGB_IBS_CAP_OP_COUNT | PGB_IBS_CAP_BRANCH_TARGET);
	perf_put_u64(raw, 0);
	perf_put_u64(raw, taken ? branch.from : branch.to);
	perf_put_u64(raw, taken ? PGB_IBS_TAKEN | PGB_IBS_BRANCH_RETIRED : 0);
	for (int i = 0; i < 4; i++)
		perf_put_u64(raw, 0);
	perf_put_u64(raw, taken ? branch.to : 0);
	sample->ip = taken ? branch.from : branch.to;
	sample->misc |= PERF_RECORD_MISC_EXACT_IP;
	sample->raw = raw->data;
	sample->raw_bytes = raw->length;
}

/* Packets of one branch as SPE writes them, with its thread. */
static void put_packets(const struct machine *machine, struct perf_bytes *out, uint64_t number)
{
	uint64_t random = pgb_hash_u64(number + 1), user = UINT64_C(1) << 63;
	struct perf_entry branch =
		entry_of(machine, (random % 101) * (random >> 20 & 63) / 8, random >> 32 & 7);
	size_t start = out->length;

	perf_put_uint(out, 0xb0, 1);
	perf_put_u64(out, branch.from | user);
	perf_put_uint(out, 0x64, 1);
	perf_put_u32(out, (uint32_t)getpid());
	perf_put_u16(out, 0x014a);
	perf_put_uint(out, 0x000252, 3);
	perf_put_uint(out, 0x000799, 3);
	perf_put_uint(out, 0x000998, 3);
	perf_put_uint(out, 0xb1, 1);
	perf_put_u64(out, branch.to | user);
	perf_put_uint(out, 0x71, 1);
	perf_put_u64(out, number);
	perf_put_padding(out, start, 64);
}

static void encode_areas(struct machine *machine)
{
	for (uint64_t i = 0; i < STACKS * SPE_RECORDS; i++)
		put_packets(machine, &machine->records[i / SPE_RECORDS], i);
}

static void encode_records(struct machine *machine, const struct perf_event_attr *attr, uint64_t id)
{
	struct perf_bytes raw = {0};

	for (uint64_t i = 0; i < STACKS; i++) {
		struct perf_entry entries[DEPTH];
		struct perf_sample sample = {
			.who = {.pid = (uint32_t)getpid(),
				.tid = (uint32_t)getpid(),
				.time_ns = CLOCK_NS,
				.id = id},
			.misc = PERF_RECORD_MISC_USER,
		};

		if (machine->source == &pgb_source_ibs)
			put_op(machine, &sample, &raw, i);
		else
			put_stack(machine, &sample, entries, i);
		perf_encode_sample(&machine->records[i], attr, &sample);
	}
	perf_bytes_release(&raw);
	for (uint64_t time_ns = CLOCK_NS;
	     memcmp(machine->records[0].data + machine->time_at, &time_ns, sizeof(time_ns)) != 0;)
		machine->time_at += sizeof(time_ns);
}

/* ---- setting up */

static struct fake_event *ring_of(const struct machine *machine, int cpu)
{
	struct fake_event *event;

	for (size_t i = 0; (event = fake_perf_event(machine->perf, i)) != NULL; i++)
		if (!event->closed && event->cpu == cpu && event->attr.type != PERF_TYPE_SOFTWARE)
			return event;
	die("the stand-in", "has no ring for a CPU");
}

static void open_machine(struct machine *machine)
{
	struct pgb_source_plan plan;
	struct pgb_error error = {0};

	machine->perf = fake_perf_new();
	fake_perf_set_clock(machine->perf, CLOCK_NS);
	fake_host_init(&machine->host, machine->kind);
	machine->host.has_perfmon = true;
	free(machine->host.root);
	machine->host.root = pgb_dup("");
	if (machine->source->plan(&machine->host, NULL, &plan, &error) != 0)
		die(machine->source->name, error.message);
	if (pgb_feed_live_new(&machine->feed,
			      &(struct pgb_feed_live_config){
				      .sys = fake_perf_sys(machine->perf),
				      .host = &machine->host,
				      .attrs = plan.attrs,
				      .attr_count = plan.attr_count,
				      .system_wide = true,
				      .aux = machine->source->reads_aux,
			      },
			      &error) != 0 ||
	    pgb_feed_live_enable(machine->feed, &error) != 0)
		die(machine->source->name, error.message);
	if (pgb_session_new(&machine->session,
			    &(struct pgb_session_config){
				    .sys = fake_perf_sys(machine->perf),
				    .host = &machine->host,
				    .source = machine->source,
			    },
			    &error) != 0)
		die(machine->source->name, error.message);
}

static void put_program(struct machine *machine)
{
	static char path[4096];
	struct perf_map map = own_map(path, sizeof(path));
	struct fake_event *event = ring_of(machine, 0);
	struct perf_identity who = {
		.pid = map.pid, .tid = map.tid, .time_ns = CLOCK_NS, .id = event->id};
	struct perf_bytes bytes = {0};

	machine->low = map.address;
	machine->size_bytes = map.length;
	perf_encode_comm(&bytes, &event->attr, &who, "program", true);
	fake_perf_write(machine->perf, event, bytes.data, bytes.length);
	bytes.length = 0;
	perf_encode_map(&bytes, &event->attr, &who, &map);
	fake_perf_write(machine->perf, event, bytes.data, bytes.length);
	perf_bytes_release(&bytes);
	if (machine->source->reads_aux)
		encode_areas(machine);
	else
		encode_records(machine, &event->attr, event->id);
}

static bool write_one(struct machine *machine, struct fake_event *event, int cpu)
{
	const struct perf_bytes *record = &machine->records[machine->next[cpu] % STACKS];
	const struct perf_identity who = {.cpu = (uint32_t)cpu, .id = event->id};
	bool fits;

	if (machine->source->reads_aux)
		fits = fake_perf_write_aux(machine->perf, event, &who, record->data, record->length,
					   0);
	else
		fits = fake_perf_write(machine->perf, event, record->data, record->length);
	if (!fits)
		return false;
	machine->next[cpu]++;
	return true;
}

static void close_machine(struct machine *machine)
{
	pgb_feed_free(machine->feed);
	pgb_session_free(machine->session);
	pgb_host_release(&machine->host);
	fake_perf_free(machine->perf);
	for (size_t i = 0; i < STACKS; i++)
		perf_bytes_release(&machine->records[i]);
}

/* ---- measuring */

/* Bytes that wait, and for how many there is room. */
static uint64_t waiting_bytes(const struct machine *machine, const struct fake_event *event)
{
	return machine->source->reads_aux ? fake_perf_aux_waiting(event) : fake_perf_waiting(event);
}

static size_t room_bytes(const struct machine *machine, const struct fake_event *event)
{
	return fake_perf_ring_bytes(event, machine->source->reads_aux);
}

/* At most `most` records with samples; returns how many there were. */
static uint64_t drain(struct machine *machine, uint64_t most)
{
	struct pgb_record record;
	uint64_t count = 0;

	while (count < most && pgb_feed_next(machine->feed, &record, NULL) > 0) {
		pgb_session_dispatch(machine->session, &record);
		count += record.type == PERF_RECORD_SAMPLE || record.type == PERF_RECORD_AUX;
	}
	return count * machine->samples;
}

static double copy_seconds(uint64_t bytes, size_t record_bytes)
{
	size_t size_bytes = 2 * 1024 * 1024;
	char *from = pgb_calloc(1, size_bytes), *to = pgb_calloc(1, size_bytes);
	double start;

	memset(from, 1, size_bytes);
	memset(to, 2, size_bytes);
	start = cpu_seconds();
	for (uint64_t done = 0; done < bytes; done += record_bytes) {
		size_t at = done % (size_bytes - record_bytes);

		memcpy(to + at, from + at, record_bytes);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
	start = cpu_seconds() - start;
	free(from);
	free(to);
	return start;
}

static void measure(struct machine *machine, double seconds)
{
	struct fake_event *event = ring_of(machine, 0);
	size_t record_bytes = machine->records[0].length;
	size_t sample_bytes = record_bytes / machine->samples;
	size_t ring_bytes = room_bytes(machine, event);
	uint64_t samples = 0, before, late = 0;
	double taken = 0, copied;

	for (unsigned int round = 0; taken < seconds; round++) {
		double start;

		fake_perf_set_clock(machine->perf, CLOCK_NS);
		/* full, but no more than that: there shall be no LOST record */
		while (waiting_bytes(machine, event) + record_bytes <= ring_bytes)
			write_one(machine, event, 0);
		fake_perf_set_clock(machine->perf, CLOCK_NS + UINT64_C(10000000000));
		before = allocations;
		start = cpu_seconds();
		samples += drain(machine, UINT64_MAX);
		/* a few rounds bring every edge and every table to its size */
		if (round < 8) {
			samples = 0;
			continue;
		}
		taken += cpu_seconds() - start;
		late += allocations - before;
	}
	copied = copy_seconds(samples * sample_bytes, record_bytes);
	printf("| %s | %zu | %.2f | %.1f | %.2f | %.1f | %" PRIu64 " |\n", machine->source->name,
	       sample_bytes, (double)samples / taken / 1e6,
	       (double)samples * machine->branches / taken / 1e6,
	       (double)samples * (double)sample_bytes / taken / 1e9, taken / copied, late);
	if (late > 0)
		die(machine->source->name, "memory was allocated while draining");
}

/* ---- nothing lost */

/* All CPUs write what is due up to `now_ns`. */
static uint64_t write_due(struct machine *machine, uint64_t now_ns, uint64_t *written)
{
	uint64_t due = now_ns / 1000 * SAMPLES_PER_SECOND / 1000000, refused = 0;

	fake_perf_set_clock(machine->perf, CLOCK_NS + now_ns);
	for (; *written + machine->samples <= due; *written += machine->samples) {
		for (int cpu = 0; cpu < CPUS; cpu++) {
			struct perf_bytes *record = &machine->records[machine->next[cpu] % STACKS];
			uint64_t time_ns = CLOCK_NS + *written * 1000000000 / SAMPLES_PER_SECOND;

			if (!machine->source->reads_aux)
				memcpy(record->data + machine->time_at, &time_ns, sizeof(time_ns));
			if (!write_one(machine, ring_of(machine, cpu), cpu))
				refused += machine->samples;
		}
	}
	return refused;
}

static void simulate(struct machine *machine)
{
	struct fake_event *event = ring_of(machine, 0);
	size_t ring_bytes = room_bytes(machine, event);
	uint64_t now_ns = 0, written = 0, lost = 0, drained = 0;
	double busy = 0;

	while (now_ns < SIMULATED_NS) {
		double start = cpu_seconds();
		uint64_t took, count = drain(machine, 256);

		took = (uint64_t)((cpu_seconds() - start) * 1e9);
		busy += (double)took / 1e9;
		drained += count;
		now_ns += took;
		/* nothing there, or nothing old enough: asleep until a ring is half full */
		while (count == 0 && now_ns < SIMULATED_NS) {
			now_ns += STEP_NS;
			lost += write_due(machine, now_ns, &written);
			if (waiting_bytes(machine, event) >= ring_bytes / 2)
				break;
		}
		lost += write_due(machine, now_ns, &written);
	}
	pgb_feed_live_finish(machine->feed);
	drained += drain(machine, UINT64_MAX);
	printf("%s, %d CPUs with %d samples a second each for %.0f s: %" PRIu64 " drained, %" PRIu64
	       " lost, %.0f%% of one core\n",
	       machine->source->name, CPUS, SAMPLES_PER_SECOND, (double)SIMULATED_NS / 1e9, drained,
	       lost, 100 * busy / ((double)SIMULATED_NS / 1e9));
	if (lost > 0)
		die(machine->source->name, "samples were lost");
}

static const struct machine machines[] = {
	{.source = &pgb_source_lbr, .kind = FAKE_SKYLAKE, .branches = DEPTH, .samples = 1},
	{.source = &pgb_source_ibs, .kind = FAKE_ZEN2, .branches = 0.2, .samples = 1},
	{.source = &pgb_source_spe, .kind = FAKE_NEOVERSE, .branches = 1, .samples = SPE_RECORDS},
};

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	static struct machine machine;

	printf("| source | bytes a sample | M samples/s | M branches/s | GB/s | times a copy | "
	       "allocations |\n|---|--:|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		machine = machines[i];
		open_machine(&machine);
		put_program(&machine);
		measure(&machine, seconds);
		close_machine(&machine);
	}
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		machine = machines[i];
		open_machine(&machine);
		put_program(&machine);
		drain(&machine, UINT64_MAX);
		simulate(&machine);
		close_machine(&machine);
	}
	return 0;
}
