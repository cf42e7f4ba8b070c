/* SPDX-License-Identifier: MIT */
/*
 * record --raw with a stand-in for the kernel's perf events: for each source that reads rings,
 * what is kept gives the same edges when it is read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/ibs_sample.h"
#include "pgobolt/collector/session.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"
#include "tests/support/perf_encode.h"

#define CLOCK_NS UINT64_C(1000000000000)

enum { SAMPLES = 40, IBS_CAPS = 0xfff };

struct world {
	struct fake_perf *perf;
	struct pgb_host host;
	const struct pgb_source *source;
	char *program; /* this test's own */
	char folder[32];
	char *raw;
	uint64_t address; /* in it */
	struct perf_map map;
	uint64_t now_ns;
};

static void set_up(struct world *world, const struct pgb_source *source, enum fake_machine machine)
{
	*world = (struct world){.perf = fake_perf_new(),
				.source = source,
				.folder = "/tmp/pgobolt-raw-XXXXXX",
				.now_ns = CLOCK_NS};
	fake_host_init(&world->host, machine);
	free(world->host.root);
	world->host.root = pgb_dup("");
	world->host.perf_paranoid = 1;
	world->program = realpath("/proc/self/exe", NULL);
	world->address = (uint64_t)(uintptr_t)(void *)perf_map_of_self;
	world->map = perf_map_of_self(world->address, world->program);
	assert_non_null(mkdtemp(world->folder));
	world->raw = pgb_format("%s/perf.data", world->folder);
	fake_perf_set_clock(world->perf, CLOCK_NS);
}

static void tear_down(struct world *world)
{
	pgb_host_release(&world->host);
	fake_perf_free(world->perf);
	unlink(world->raw);
	assert_int_equal(rmdir(world->folder), 0); /* nothing else is left */
	free(world->raw);
	free(world->program);
}

static struct perf_identity next_identity(struct world *world, const struct fake_event *event,
					  uint32_t pid)
{
	fake_perf_set_clock(world->perf, ++world->now_ns);
	return (struct perf_identity){.pid = pid,
				      .tid = pid,
				      .cpu = (uint32_t)event->cpu,
				      .time_ns = world->now_ns,
				      .id = event->id};
}

static void put(struct world *world, struct fake_event *event, struct perf_bytes *bytes)
{
	assert_true(fake_perf_write(world->perf, event, bytes->data, bytes->length));
	perf_bytes_release(bytes);
}

static void put_stack(struct world *world, struct fake_event *event, uint32_t pid, uint64_t at)
{
	const struct perf_entry entries[] = {{at + 8, at, 1}, {at + 16, at + 4, 2}};
	const struct perf_sample sample = {.who = next_identity(world, event, pid),
					   .misc = PERF_RECORD_MISC_USER,
					   .ip = at,
					   .entries = entries,
					   .entry_count = 2};
	struct perf_bytes bytes = {0};

	perf_encode_sample(&bytes, &event->attr, &sample);
	put(world, event, &bytes);
}

static void put_ibs(struct world *world, struct fake_event *event, uint32_t pid, uint64_t at)
{
	struct perf_bytes raw = {0}, bytes = {0};
	struct perf_sample sample = {
		.who = next_identity(world, event, pid), .misc = PERF_RECORD_MISC_USER, .ip = at};

	perf_put_u32(&raw, IBS_CAPS);
	perf_put_u64(&raw, 0x60400);
	perf_put_u64(&raw, at);
	perf_put_u64(&raw, at & 4 ? PGB_IBS_BRANCH_RETIRED | PGB_IBS_TAKEN : 0);
	perf_put(&raw, NULL, 4 * 8);
	perf_put_u64(&raw, at + 32);
	perf_put_u64(&raw, 0);
	sample.raw = raw.data;
	sample.raw_bytes = raw.length;
	perf_encode_sample(&bytes, &event->attr, &sample);
	put(world, event, &bytes);
	perf_bytes_release(&raw);
}

static void put_address(struct perf_bytes *out, uint8_t header, uint64_t address)
{
	perf_put_uint(out, header, 1);
	perf_put_u64(out, address | UINT64_C(1) << 63);
}

static void put_spe(struct world *world, struct fake_event *event, uint32_t pid, uint64_t at)
{
	struct perf_identity who = next_identity(world, event, pid);
	struct perf_bytes bytes = {0};

	put_address(&bytes, 0xb0, at);
	perf_put_u16(&bytes, 0x014a); /* conditional */
	perf_put_uint(&bytes, at & 4 ? 0x004252 : 0x008252, 3);
	put_address(&bytes, 0xb1, at + 64);
	put_address(&bytes, 0xb4, at - 16);
	perf_put_uint(&bytes, 1, 1);
	perf_put_padding(&bytes, 0, 64);
	assert_true(fake_perf_write_aux(world->perf, event, &who, bytes.data, bytes.length, 0));
	perf_bytes_release(&bytes);
}

static void put_sample(struct world *world, struct fake_event *event, uint32_t pid, uint64_t at)
{
	const struct perf_sample sample = {
		.who = next_identity(world, event, pid), .misc = PERF_RECORD_MISC_USER, .ip = at};
	struct perf_bytes bytes = {0};

	if (world->source == &pgb_source_lbr) {
		put_stack(world, event, pid, at);
	} else if (world->source == &pgb_source_ibs) {
		put_ibs(world, event, pid, at);
	} else if (world->source == &pgb_source_spe) {
		put_spe(world, event, pid, at);
	} else {
		perf_encode_sample(&bytes, &event->attr, &sample);
		put(world, event, &bytes);
	}
}

/* What exec leaves in the ring: through the event that tells of mappings. */
static void put_exec(struct world *world, struct fake_event *event, uint32_t pid)
{
	struct perf_identity who = next_identity(world, event, pid);
	struct perf_map map = world->map;
	struct perf_bytes bytes = {0};

	perf_encode_comm(&bytes, &event->attr, &who, "program", true);
	put(world, event, &bytes);
	map.pid = map.tid = pid;
	who = next_identity(world, event, pid);
	perf_encode_map(&bytes, &event->attr, &who, &map);
	put(world, event, &bytes);
}

/*
 * Of those that count on a CPU, the first one that was opened, and the last one of the same task:
 * an emulator's process has threads of its own.
 */
static struct fake_event *find_event(struct world *world, int cpu, bool last)
{
	struct fake_event *event, *found = NULL;

	for (size_t i = 0; (event = fake_perf_event(world->perf, i)) != NULL; i++)
		if (!event->closed && event->cpu == cpu &&
		    (found == NULL || (last && event->pid == found->pid)))
			found = event;
	assert_non_null(found);
	return found;
}

static void on_launch(void *context, const struct pgb_session *session)
{
	struct world *world = context;
	pid_t pid = find_event(world, 0, false)->pid;

	(void)session;
	fake_perf_exec(world->perf, pid);
	put_exec(world, find_event(world, 0, true), (uint32_t)pid);
	for (unsigned int i = 0; i < SAMPLES; i++)
		put_sample(world, find_event(world, i % 3, false), (uint32_t)pid,
			   world->address + 4 * (i % 8));
}

static void on_attach(void *context, const struct pgb_session *session)
{
	struct world *world = context;
	struct fake_event *event;

	(void)session;
	for (size_t i = 0; (event = fake_perf_event(world->perf, i)) != NULL; i++)
		event->enabled = true;
	for (unsigned int i = 0; i < SAMPLES; i++)
		put_sample(world, find_event(world, i % 3, false), (uint32_t)getpid(),
			   world->address + 4 * (i % 8));
	for (size_t i = 0; (event = fake_perf_event(world->perf, i)) != NULL; i++)
		event->hung_up = true;
}

/* ---- the whole system: who ran is told by switches alone */

enum { TICK_NS = 40, TICKS_AT_START = 5000, STRANGER = 0x3fffff, SLICE_NS = 4000 };

static void put_switch(struct world *world, struct fake_event *event, uint32_t from, uint32_t to)
{
	struct perf_identity who = next_identity(world, event, from);
	struct perf_bytes bytes = {0};

	perf_encode_switch_cpu_wide(&bytes, &event->attr, &who, PERF_RECORD_MISC_SWITCH_OUT, to,
				    to);
	put(world, event, &bytes);
}

/* Two slices of time, one of this process; the same branch in both. */
static void put_slices(struct world *world, int cpu, uint64_t at)
{
	struct fake_event *spe = find_event(world, cpu, false);
	struct fake_event *side_band = find_event(world, cpu, true);
	const uint32_t threads[] = {(uint32_t)getpid(), STRANGER};
	struct perf_identity who;
	struct perf_bytes bytes = {0};

	for (size_t i = 0; i < 2; i++) {
		put_switch(world, side_band, threads[1 - i], threads[i]);
		world->now_ns += SLICE_NS;
		put_address(&bytes, 0xb0, at);
		perf_put_u16(&bytes, 0x014a);
		perf_put_uint(&bytes, 0x004252, 3);
		perf_put_uint(&bytes, 0x71, 1);
		perf_put_u64(&bytes, TICKS_AT_START + (world->now_ns - CLOCK_NS) / TICK_NS);
		perf_put_padding(&bytes, 0, 64);
		world->now_ns += SLICE_NS;
	}
	who = next_identity(world, spe, 0);
	assert_true(fake_perf_write_aux(world->perf, spe, &who, bytes.data, bytes.length, 0));
	perf_bytes_release(&bytes);
}

static void on_everything(void *context, const struct pgb_session *session)
{
	struct world *world = context;
	struct fake_event *event;

	(void)session;
	for (size_t i = 0; (event = fake_perf_event(world->perf, i)) != NULL; i++)
		event->enabled = true;
	for (unsigned int i = 0; i < SAMPLES / 2; i++)
		put_slices(world, (int)(i % 3), world->address + 4 * (i % 8));
	for (size_t i = 0; (event = fake_perf_event(world->perf, i)) != NULL; i++)
		event->hung_up = true;
}

static char *edges_of(struct pgb_session *session, const char *path)
{
	struct pgb_addrspace *space = pgb_session_addrspace(session);
	struct pgb_text text = {0};
	const struct pgb_edge *edges;
	size_t count;

	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space); i++) {
		if (strcmp(pgb_addrspace_binary(space, i)->path, path) != 0)
			continue;
		edges = pgb_edges_of_binary(pgb_session_edges(session), i, &count);
		for (size_t at = 0; at < count; at++)
			pgb_text_addf(&text, "%u %llx %llx %llx %llu %llu\n", edges[at].kind,
				      (unsigned long long)edges[at].branch,
				      (unsigned long long)edges[at].from,
				      (unsigned long long)edges[at].to,
				      (unsigned long long)edges[at].count,
				      (unsigned long long)edges[at].mispredicts);
	}
	return pgb_text_detach(&text);
}

static char *edges_of_file(const struct world *world, struct pgb_source_stats *stats)
{
	const struct pgb_feed_perfdata_config feed_config = {.path = world->raw};
	const struct pgb_session_config config = {.source = world->source};
	const struct pgb_perfdata_info *info;
	struct pgb_session *session;
	struct pgb_error error = {0};
	struct pgb_feed *feed;
	char *edges;

	if (pgb_feed_perfdata_new(&feed, &feed_config, &error) < 0)
		fail_msg("%s", error.message);
	if (world->source->reads_aux)
		pgb_feed_perfdata_attach_aux(feed);
	assert_int_equal(pgb_session_new(&session, &config, NULL), 0);
	assert_int_equal(pgb_session_consume(session, feed, NULL), 0);
	info = pgb_feed_perfdata_info(feed);
	assert_int_equal(info->end, PGB_PERFDATA_WHOLE);
	assert_non_null(info->os_release);
	assert_non_null(info->arch);
	assert_int_equal(info->unknown_ids, 0);
	assert_int_equal(feed->stats.malformed + feed->stats.unknown + feed->stats.disordered, 0);
	edges = edges_of(session, world->program);
	*stats = pgb_session_stats(session)->source;
	pgb_session_free(session);
	pgb_feed_free(feed);
	return edges;
}

enum whom { A_PROGRAM, A_PROCESS, EVERYTHING };

static void check(const struct pgb_source *source, enum fake_machine machine, enum whom whom)
{
	static const char *const argv[] = {"true", NULL};
	void (*const opened[])(void *, const struct pgb_session *) = {on_launch, on_attach,
								      on_everything};
	const pid_t pids[] = {getpid()};
	struct world world;
	struct pgb_session_config config;
	struct pgb_source_stats stats;
	struct pgb_session *session;
	struct pgb_error error = {0};
	char *live, *again;

	set_up(&world, source, machine);
	fake_perf_set_ticks(world.perf, TICKS_AT_START, TICK_NS << 10, 10);
	config = (struct pgb_session_config){.sys = fake_perf_sys(world.perf),
					     .host = &world.host,
					     .source = source,
					     .argv = whom == A_PROGRAM ? argv : NULL,
					     .pids = pids,
					     .pid_count = whom == A_PROCESS,
					     .system_wide = whom == EVERYTHING,
					     .opened = opened[whom],
					     .raw_path = world.raw,
					     .context = &world};
	assert_int_equal(pgb_session_new(&session, &config, &error), 0);
	if (pgb_session_run(session, &error) < 0)
		fail_msg("%s: %s", source->name, error.message);
	live = edges_of(session, world.program);
	again = edges_of_file(&world, &stats);
	if (live[0] == '\0')
		fail_msg("%s: %d samples, %d unmapped, %d binaries", source->name,
			 (int)pgb_session_stats(session)->source.samples,
			 (int)pgb_session_stats(session)->unmapped,
			 (int)pgb_addrspace_binary_count(pgb_session_addrspace(session)));
	assert_string_equal(live, again);
	assert_memory_equal(&stats, &pgb_session_stats(session)->source, sizeof(stats));
	assert_int_equal(stats.samples, SAMPLES);
	if (whom == EVERYTHING) {
		assert_int_equal(stats.ownerless, 0);
		assert_int_equal(pgb_session_stats(session)->mapped, SAMPLES / 2);
	}
	free(live);
	free(again);
	pgb_session_free(session);
	tear_down(&world);
}

static void a_program_again(void **state)
{
	(void)state;
	check(&pgb_source_ip, FAKE_SKYLAKE, A_PROGRAM);
	check(&pgb_source_lbr, FAKE_SKYLAKE, A_PROGRAM);
	check(&pgb_source_ibs, FAKE_ZEN2, A_PROGRAM);
	check(&pgb_source_spe, FAKE_NEOVERSE, A_PROGRAM);
}

/* What was mapped before is in no ring: it is told from /proc. */
static void a_running_process_again(void **state)
{
	(void)state;
	check(&pgb_source_ip, FAKE_SKYLAKE, A_PROCESS);
	check(&pgb_source_lbr, FAKE_SKYLAKE, A_PROCESS);
	check(&pgb_source_ibs, FAKE_ZEN2, A_PROCESS);
	check(&pgb_source_spe, FAKE_NEOVERSE, A_PROCESS);
}

/* Whose samples are is in no packet, as most kernels are built: the file has what tells it. */
static void everything_again(void **state)
{
	(void)state;
	check(&pgb_source_spe, FAKE_NEOVERSE, EVERYTHING);
}

static void nothing_is_left_of_what_did_not_start(void **state)
{
	static const char *const argv[] = {"/nonexistent", NULL};
	struct world world;
	struct pgb_session_config config;
	struct pgb_session *session;
	struct pgb_error error = {0};

	(void)state;
	set_up(&world, &pgb_source_lbr, FAKE_SKYLAKE);
	config = (struct pgb_session_config){.sys = fake_perf_sys(world.perf),
					     .host = &world.host,
					     .source = &pgb_source_lbr,
					     .argv = argv,
					     .raw_path = world.raw};
	assert_int_equal(pgb_session_new(&session, &config, &error), 0);
	assert_true(pgb_session_run(session, &error) < 0);
	assert_int_equal(access(world.raw, F_OK), -1);
	pgb_session_free(session);
	tear_down(&world);
}

static void a_folder_that_is_not_there(void **state)
{
	static const char *const argv[] = {"true", NULL};
	struct world world;
	struct pgb_session_config config;
	struct pgb_session *session;
	struct pgb_error error = {0};

	(void)state;
	set_up(&world, &pgb_source_lbr, FAKE_SKYLAKE);
	config = (struct pgb_session_config){.sys = fake_perf_sys(world.perf),
					     .host = &world.host,
					     .source = &pgb_source_lbr,
					     .argv = argv,
					     .raw_path = "/nonexistent/perf.data"};
	assert_int_equal(pgb_session_new(&session, &config, &error), 0);
	assert_int_equal(pgb_session_run(session, &error), PGB_E_NOT_FOUND);
	assert_false(pgb_session_stats(session)->started);
	pgb_session_free(session);
	tear_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_again),
		cmocka_unit_test(a_running_process_again),
		cmocka_unit_test(everything_again),
		cmocka_unit_test(nothing_is_left_of_what_did_not_start),
		cmocka_unit_test(a_folder_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
