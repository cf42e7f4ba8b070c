/* SPDX-License-Identifier: MIT */
/* Records in, edges out: who ran where, and where each sample went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/feed_memory.h"
#include "pgobolt/collector/session.h"
#include "tests/support/lbr_file.h"

/* Every file is one executable segment: bytes 0x1000..0x3000 of the file at address 0x401000. */
static int open_binary(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	const struct pgb_segment segment = {.address = 0x401000,
					    .offset_file = 0x1000,
					    .size_file = 0x2000,
					    .size_memory = 0x2000,
					    .align = 0x1000,
					    .flags = 5};

	(void)context;
	binary->path = pgb_dup(event->path);
	binary->path_open = pgb_dup(event->path);
	binary->kind = PGB_BINARY_ELF;
	binary->code_hash = event->inode;
	binary->device = event->device;
	binary->inode = event->inode;
	pgb_array_push(&binary->segments, segment);
	return 0;
}

static const struct pgb_binary_opener opener = {.open = open_binary};

static const struct perf_event_attr attr_ip = {
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	.sample_id_all = 1,
	.mmap2 = 1,
};
static const struct perf_event_attr attr_lbr = {
	.sample_type =
		PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_BRANCH_STACK,
	.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY,
	.sample_id_all = 1,
	.mmap2 = 1,
};

/* ---- a life in steps */

enum step_kind {
	STEP_EXEC,
	STEP_MAP,
	STEP_MAP_DATA,
	STEP_FORK,
	STEP_THREAD,
	STEP_EXIT,
	STEP_SAMPLE,
	STEP_LOST
};

struct step {
	enum step_kind kind;
	uint32_t pid, tid;
	uint64_t value; /* MAP: address; SAMPLE: ip; FORK: parent; LOST: count */
	const char *path;
	uint64_t inode;
};

static void encode_map(struct perf_bytes *bytes, const struct perf_event_attr *attr,
		       const struct perf_identity *who, const struct step *step)
{
	const struct perf_map map = {
		.pid = step->pid,
		.tid = step->pid,
		.address = step->value,
		.length = 0x2000,
		.offset_file = 0x1000,
		.inode = step->inode,
		.protection = step->kind == STEP_MAP ? PROT_READ | PROT_EXEC : PROT_READ,
		.path = step->path,
	};

	perf_encode_map(bytes, attr, who, &map);
}

static void encode_step(struct perf_bytes *bytes, const struct perf_event_attr *attr,
			const struct step *step, uint64_t time_ns)
{
	const struct perf_identity who = {.pid = step->pid, .tid = step->tid, .time_ns = time_ns};
	const struct perf_sample sample = {
		.who = who, .misc = PERF_RECORD_MISC_USER, .ip = step->value};

	switch (step->kind) {
	case STEP_EXEC:
		perf_encode_comm(bytes, attr, &who, "program", true);
		break;
	case STEP_MAP:
	case STEP_MAP_DATA:
		encode_map(bytes, attr, &who, step);
		break;
	case STEP_FORK:
		perf_encode_task(bytes, attr, PERF_RECORD_FORK, &who, (uint32_t)step->value,
				 (uint32_t)step->value);
		break;
	case STEP_THREAD:
		perf_encode_task(bytes, attr, PERF_RECORD_FORK, &who, step->pid, step->pid);
		break;
	case STEP_EXIT:
		perf_encode_task(bytes, attr, PERF_RECORD_EXIT, &who, 1, 1);
		break;
	case STEP_SAMPLE:
		perf_encode_sample(bytes, attr, &sample);
		break;
	case STEP_LOST:
		perf_encode_lost(bytes, attr, &who, step->value);
		break;
	}
}

static struct pgb_session *new_session(const struct pgb_source *source)
{
	struct pgb_session_config config = {.source = source, .opener = &opener};
	struct pgb_session *session;

	assert_int_equal(pgb_session_new(&session, &config, NULL), 0);
	return session;
}

static void consume(struct pgb_session *session, const struct perf_event_attr *attr,
		    const struct perf_bytes *bytes)
{
	struct pgb_record_format format = pgb_record_format_of(attr);
	struct pgb_feed *feed =
		pgb_feed_memory_new(pgb_cursor_of(bytes->data, bytes->length), &format);

	assert_int_equal(pgb_session_consume(session, feed, NULL), 0);
	pgb_feed_free(feed);
}

static uint64_t dropped(const struct pgb_source_stats *stats)
{
	return pgb_source_dropped(stats);
}

static void assert_conserved(const struct pgb_session *session, bool branches)
{
	const struct pgb_session_stats *stats = pgb_session_stats(session);

	assert_int_equal(branches ? stats->source.branches + stats->source.operations
				  : stats->source.samples,
			 stats->mapped + stats->anonymous + stats->unmapped +
				 dropped(&stats->source));
}

static uint64_t count_of(struct pgb_session *session, uint32_t binary)
{
	size_t count;
	const struct pgb_edge *edges =
		pgb_edges_of_binary(pgb_session_edges(session), binary, &count);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += edges[i].count;
	return sum;
}

#define STEP(step, id, thread, number)                                                             \
	{                                                                                          \
		.kind = step, .pid = id, .tid = thread, .value = number                            \
	}
#define EXEC(pid)	  STEP(STEP_EXEC, pid, pid, 0)
#define FORK(pid, parent) STEP(STEP_FORK, pid, pid, parent)
#define THREAD(pid, tid)  STEP(STEP_THREAD, pid, tid, 0)
#define EXIT(pid, tid)	  STEP(STEP_EXIT, pid, tid, 0)
#define SAMPLE(pid, ip)	  STEP(STEP_SAMPLE, pid, pid, ip)
#define LOST(pid, count)  STEP(STEP_LOST, pid, pid, count)
#define MAP_AS(step, id, address, file, number)                                                    \
	{                                                                                          \
		.kind = step, .pid = id, .tid = id, .value = address, .path = file,                \
		.inode = number                                                                    \
	}
#define MAP(pid, address, file, inode)	    MAP_AS(STEP_MAP, pid, address, file, inode)
#define MAP_DATA(pid, address, file, inode) MAP_AS(STEP_MAP_DATA, pid, address, file, inode)

#define PROGRAM 0x10000
#define LIBRARY 0x20000
#define STEPS	40

static const struct life {
	const char *what;
	struct step steps[STEPS];
	uint64_t mapped, anonymous, unmapped, processes, threads, execs;
	uint64_t counts[3]; /* of the binaries, in order of first sight */
	uint32_t main_binary;
	unsigned int executables; /* a bit for each */
} lives[] = {
	{"a program and its library",
	 {EXEC(10), MAP(10, PROGRAM, "/bin/a", 1), MAP(10, LIBRARY, "/lib/ld.so", 2),
	  SAMPLE(10, PROGRAM + 8), SAMPLE(10, LIBRARY + 8), SAMPLE(10, LIBRARY + 8),
	  SAMPLE(10, LIBRARY + 0x2000), SAMPLE(99, PROGRAM + 8),
	  SAMPLE(10, UINT64_C(0xffffffff81000000)), LOST(10, 4)},
	 .mapped = 3,
	 .unmapped = 2,
	 .execs = 1,
	 .counts = {1, 2},
	 .main_binary = 0,
	 .executables = 1},
	{"data is no code, and JIT code is in no file",
	 {EXEC(10), MAP(10, PROGRAM, "/bin/a", 1), MAP_DATA(10, LIBRARY, "/bin/a", 1),
	  MAP(10, 0x30000, "//anon", 0), MAP(10, 0x40000, "[vdso]", 0), SAMPLE(10, PROGRAM),
	  SAMPLE(10, LIBRARY), SAMPLE(10, 0x30000), SAMPLE(10, 0x40000)},
	 .mapped = 1,
	 .anonymous = 2,
	 .unmapped = 1,
	 .execs = 1,
	 .counts = {1},
	 .main_binary = 0,
	 .executables = 1},
	{"a child, and the program it becomes",
	 {EXEC(10), MAP(10, PROGRAM, "/bin/sh", 1), FORK(11, 10), SAMPLE(11, PROGRAM), EXEC(11),
	  SAMPLE(11, PROGRAM), MAP(11, PROGRAM, "/bin/b", 2), MAP(11, LIBRARY, "/lib/ld.so", 3),
	  SAMPLE(11, PROGRAM), SAMPLE(11, PROGRAM), SAMPLE(10, PROGRAM)},
	 .mapped = 4,
	 .unmapped = 1,
	 .processes = 1,
	 .execs = 2,
	 .counts = {2, 2},
	 .main_binary = 0, /* of equals the first */
	 .executables = 3},
	{"the heaviest program is the main one",
	 {EXEC(10), MAP(10, PROGRAM, "/bin/sh", 1), SAMPLE(10, PROGRAM), EXEC(10),
	  MAP(10, PROGRAM, "/bin/b", 2), MAP(10, LIBRARY, "/lib/heavy.so", 3), SAMPLE(10, PROGRAM),
	  SAMPLE(10, PROGRAM), SAMPLE(10, LIBRARY), SAMPLE(10, LIBRARY), SAMPLE(10, LIBRARY)},
	 .mapped = 6,
	 .execs = 2,
	 .counts = {1, 2, 3},
	 .main_binary = 1,
	 .executables = 3},
	{"threads outlive the main thread, and the pid is used again",
	 {FORK(10, 1), EXEC(10), MAP(10, PROGRAM, "/bin/a", 1), THREAD(10, 12), THREAD(10, 13),
	  EXIT(10, 10), EXIT(10, 12), SAMPLE(10, PROGRAM), EXIT(10, 13),
	  SAMPLE(10, PROGRAM), /* nobody is there any more */
	  FORK(10, 1), SAMPLE(10, PROGRAM), EXEC(10), MAP(10, PROGRAM, "/bin/b", 2),
	  SAMPLE(10, PROGRAM)},
	 .mapped = 2,
	 .unmapped = 2,
	 .processes = 2,
	 .threads = 2,
	 .execs = 2,
	 .counts = {1, 1},
	 .main_binary = 0,
	 .executables = 3},
	{"two PMUs tell of a thread twice",
	 {FORK(10, 1), FORK(10, 1), EXEC(10), MAP(10, PROGRAM, "/bin/a", 1), THREAD(10, 11),
	  THREAD(10, 11), EXIT(10, 11), EXIT(10, 11), SAMPLE(10, PROGRAM)},
	 .mapped = 1,
	 .processes = 1,
	 .threads = 1,
	 .execs = 1,
	 .counts = {1},
	 .main_binary = 0,
	 .executables = 1},
	{"an exec that never maps a file", /* killed in between */
	 {FORK(10, 1), EXEC(10), EXIT(10, 10), FORK(10, 1), MAP(10, LIBRARY, "/lib/x.so", 1),
	  SAMPLE(10, LIBRARY)},
	 .mapped = 1,
	 .processes = 2,
	 .execs = 1,
	 .counts = {1},
	 .main_binary = PGB_BINARY_NONE},
	{"nothing", {LOST(0, 1)}, .main_binary = PGB_BINARY_NONE},
};

static void samples_find_their_binary(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		const struct life *life = &lives[i];
		struct pgb_session *session = new_session(&pgb_source_ip);
		const struct pgb_session_stats *stats = pgb_session_stats(session);
		struct perf_bytes bytes = {0};

		print_message("%s\n", life->what);
		for (size_t j = 0; j < STEPS && (j == 0 || life->steps[j].pid != 0); j++)
			encode_step(&bytes, &attr_ip, &life->steps[j], 100 + j);
		consume(session, &attr_ip, &bytes);
		assert_conserved(session, false);
		assert_int_equal(stats->mapped, life->mapped);
		assert_int_equal(stats->anonymous, life->anonymous);
		assert_int_equal(stats->unmapped, life->unmapped);
		assert_int_equal(stats->processes, life->processes);
		assert_int_equal(stats->threads, life->threads);
		assert_int_equal(stats->execs, life->execs);
		for (uint32_t binary = 0; binary < 3; binary++) {
			assert_int_equal(count_of(session, binary), life->counts[binary]);
			assert_int_equal(pgb_session_is_executable(session, binary),
					 life->executables >> binary & 1);
		}
		assert_int_equal(pgb_session_main_binary(session), life->main_binary);
		pgb_session_free(session);
		perf_bytes_release(&bytes);
	}
}

static void every_other_sample_is_counted_apart(void **state)
{
	static const struct step steps[] = {
		EXEC(10),
		MAP(10, PROGRAM, "/bin/a", 1),
		SAMPLE(10, PROGRAM),
		SAMPLE(10, PROGRAM),
		SAMPLE(10, PROGRAM),
		SAMPLE(10, PROGRAM + 8),
	};
	struct pgb_session *session = new_session(&pgb_source_ip);
	struct perf_bytes bytes = {0};
	const struct pgb_edge *edges;
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		encode_step(&bytes, &attr_ip, &steps[i], 100 + i);
	consume(session, &attr_ip, &bytes);
	edges = pgb_edges_sorted(pgb_session_edges(session), &count);
	assert_int_equal(count, 2);
	assert_true(edges[0].count == 3 && edges[0].count_odd == 2);
	assert_true(edges[1].count == 1 && edges[1].count_odd == 0);
	pgb_session_free(session);
	perf_bytes_release(&bytes);
}

/* ---- branches */

#define A		     PROGRAM
#define B		     LIBRARY
#define ANON		     0x30000
#define FILE_ADDRESS(offset) (0x401000 + (offset))
#define X		     PGB_ADDRESS_EXTERNAL
#define NONE		     PGB_ADDRESS_NONE
#define RETURN		     ((uint64_t)PERF_BR_RET << 20)

static const struct branch_row {
	struct perf_entry entries[3]; /* newest first */
	size_t entry_count;
	uint64_t mapped, anonymous, unmapped;
	struct pgb_edge edges[4]; /* sorted, as the table gives them */
	size_t edge_count;
} branch_rows[] = {
	{/* inside one binary: the older one has a range */
	 {{A + 0x30, A + 0x10, 1}, {A + 0x20, A + 0x24, 0}},
	 2,
	 2,
	 0,
	 0,
	 {{0, PGB_EDGE_TRACE, FILE_ADDRESS(0x20), FILE_ADDRESS(0x24), FILE_ADDRESS(0x30), 1, 0},
	  {0, PGB_EDGE_BRANCH, FILE_ADDRESS(0x30), FILE_ADDRESS(0x10), NONE, 1, 1}},
	 2},
	{/* a call into the library and on there: one edge in each */
	 {{B + 0x80, B + 0x40, 0}, {A + 0x20, B + 0x60, 1}},
	 2,
	 2,
	 0,
	 0,
	 {{0, PGB_EDGE_BRANCH, FILE_ADDRESS(0x20), X, NONE, 1, 1},
	  {1, PGB_EDGE_TRACE, X, FILE_ADDRESS(0x60), FILE_ADDRESS(0x80), 1, 1},
	  {1, PGB_EDGE_BRANCH, FILE_ADDRESS(0x80), FILE_ADDRESS(0x40), NONE, 1, 0}},
	 3},
	{/* the next branch is elsewhere: that range cannot be */
	 {{B + 0x80, B + 0x40, 0}, {A + 0x20, A + 0x60, 0}},
	 2,
	 2,
	 0,
	 0,
	 {{0, PGB_EDGE_BRANCH, FILE_ADDRESS(0x20), FILE_ADDRESS(0x60), NONE, 1, 0},
	  {1, PGB_EDGE_BRANCH, FILE_ADDRESS(0x80), FILE_ADDRESS(0x40), NONE, 1, 0}},
	 2},
	{/* out of JIT code, and into the unknown */
	 {{A + 0x40, 0x999000, 0}, {ANON + 4, A + 0x20, 0}},
	 2,
	 2,
	 0,
	 0,
	 {{0, PGB_EDGE_TRACE, X, FILE_ADDRESS(0x20), FILE_ADDRESS(0x40), 1, 0},
	  {0, PGB_EDGE_BRANCH, FILE_ADDRESS(0x40), X, NONE, 1, 0}},
	 2},
	{/* returns that the hardware knows as such: within, and from the library */
	 {{A + 0x40, A + 0x10, RETURN}, {B + 0x90, A + 0x30, RETURN}},
	 2,
	 2,
	 0,
	 0,
	 {{0, PGB_EDGE_RETURN, FILE_ADDRESS(0x40), FILE_ADDRESS(0x10), NONE, 1, 0},
	  {0, PGB_EDGE_RETURN, X, FILE_ADDRESS(0x30), FILE_ADDRESS(0x40), 1, 0},
	  {1, PGB_EDGE_RETURN, FILE_ADDRESS(0x90), X, NONE, 1, 0}},
	 3},
	{/* nowhere near a binary */
	 {{0x999000, 0x998000, 0}, {ANON, ANON + 8, 0}, {0x999000, ANON, 0}},
	 3,
	 0,
	 2,
	 1,
	 {{0}},
	 0},
};

static void branches_become_edges(void **state)
{
	static const struct step maps[] = {EXEC(10), MAP(10, A, "/bin/a", 1),
					   MAP(10, B, "/lib/b.so", 2), MAP(10, ANON, "//anon", 0)};

	(void)state;
	for (size_t i = 0; i < sizeof(branch_rows) / sizeof(branch_rows[0]); i++) {
		const struct branch_row *row = &branch_rows[i];
		const struct perf_sample sample = {.who = {.pid = 10, .tid = 10, .time_ns = 99},
						   .misc = PERF_RECORD_MISC_USER,
						   .entries = row->entries,
						   .entry_count = row->entry_count};
		struct pgb_session *session = new_session(&pgb_source_lbr);
		const struct pgb_session_stats *stats = pgb_session_stats(session);
		struct perf_bytes bytes = {0};
		const struct pgb_edge *edges;
		size_t count;

		for (size_t j = 0; j < sizeof(maps) / sizeof(maps[0]); j++)
			encode_step(&bytes, &attr_lbr, &maps[j], j + 1);
		perf_encode_sample(&bytes, &attr_lbr, &sample);
		consume(session, &attr_lbr, &bytes);
		assert_conserved(session, true);
		assert_int_equal(stats->mapped, row->mapped);
		assert_int_equal(stats->anonymous, row->anonymous);
		assert_int_equal(stats->unmapped, row->unmapped);
		edges = pgb_edges_sorted(pgb_session_edges(session), &count);
		assert_int_equal(count, row->edge_count);
		for (size_t j = 0; j < count; j++) {
			struct pgb_edge expected = row->edges[j];

			expected.count_odd = expected.count; /* all are of the first sample */
			assert_memory_equal(&edges[j], &expected, sizeof(edges[j]));
		}
		pgb_session_free(session);
		perf_bytes_release(&bytes);
	}
}

static void feeds_add_up(void **state)
{
	struct pgb_session *session = new_session(&pgb_source_ip);
	const struct pgb_session_stats *stats = pgb_session_stats(session);
	struct perf_bytes bytes = {0};

	(void)state;
	for (size_t j = 0; lives[0].steps[j].pid != 0; j++)
		encode_step(&bytes, &attr_ip, &lives[0].steps[j], 100 + j);
	consume(session, &attr_ip, &bytes);
	consume(session, &attr_ip, &bytes);
	assert_int_equal(stats->mapped, 2 * lives[0].mapped);
	assert_int_equal(stats->feed.lost_records, 8);
	assert_int_equal(stats->feed.records, 20);
	assert_conserved(session, false);
	pgb_session_free(session);
	pgb_session_free(NULL);
	perf_bytes_release(&bytes);
}

/*
 * More stacks than one thread is left alone with, and another file under the same addresses in
 * their midst: nothing is counted twice, lost, or counted for the wrong file.
 */
static void many_stacks_are_counted_exactly(void **state)
{
	enum { HALF = 15000, PLACES = 300 };
	static const struct step first[] = {EXEC(10), MAP(10, A, "/bin/a", 1)};
	static const struct step second = MAP(10, A, "/bin/b", 2);
	const struct perf_file_event event = {.attr = attr_lbr};
	const struct perf_file file = {.events = &event, .event_count = 1};
	struct pgb_session *session = new_session(&pgb_source_lbr);
	struct perf_bytes bytes = {0};
	struct pgb_feed *feed;
	size_t count;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		encode_step(&bytes, &attr_lbr, &first[i], i + 1);
	for (uint64_t i = 0; i < 2 * HALF; i++) {
		uint64_t place = A + i % PLACES * 16;
		const struct perf_entry entries[] = {
			{place + 8, A, 1}, {A + 0x1800, place, 0}, {0, A, 0}};
		const struct perf_sample sample = {
			.who = {.pid = 10, .tid = 10, .time_ns = 100 + 2 * i},
			.misc = PERF_RECORD_MISC_USER,
			.entries = entries,
			.entry_count = 3};

		if (i == HALF)
			encode_step(&bytes, &attr_lbr, &second, 99 + 2 * i);
		perf_encode_sample(&bytes, &attr_lbr, &sample);
	}
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_session_consume(session, feed, NULL), 0);
	pgb_feed_free(feed);
	close(fd);
	assert_conserved(session, true);
	assert_int_equal(pgb_session_stats(session)->source.samples, 2 * HALF);
	assert_int_equal(pgb_session_stats(session)->feed.records, 2 * HALF + 3);
	assert_int_equal(pgb_session_stats(session)->source.zero, 2 * HALF);
	for (uint32_t binary = 0; binary < 2; binary++) {
		const struct pgb_edge *edges =
			pgb_edges_of_binary(pgb_session_edges(session), binary, &count);

		assert_int_equal(count, 2 * PLACES);
		for (size_t i = 0; i < count; i++) {
			bool newest = edges[i].kind == PGB_EDGE_BRANCH;

			assert_int_equal(edges[i].count, HALF / PLACES);
			assert_int_equal(edges[i].mispredicts, newest ? HALF / PLACES : 0);
			/* place and sample number have the same parity */
			assert_true(edges[i].count_odd == 0 || edges[i].count_odd == HALF / PLACES);
		}
	}
	pgb_session_free(session);
	perf_bytes_release(&bytes);
}

/* More distinct branches than are kept apart for each thread: none is lost, or counted twice. */
static void very_many_branches_are_counted_exactly(void **state)
{
	enum { SAMPLES = 50000, BRANCHES = 4 * SAMPLES };
	static const struct step first[] = {EXEC(10), MAP(10, A, "/bin/a", 1)};
	const struct perf_file_event event = {.attr = attr_lbr};
	const struct perf_file file = {.events = &event, .event_count = 1};
	struct pgb_session *session = new_session(&pgb_source_lbr);
	struct perf_bytes bytes = {0};
	const struct pgb_edge *edges;
	struct pgb_feed *feed;
	size_t count;
	int fd;

	(void)state;
	perf_file_begin(&bytes, &file);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		encode_step(&bytes, &attr_lbr, &first[i], i + 1);
	for (uint64_t i = 0; i < 2 * BRANCHES; i += 4) {
		struct perf_entry entries[4];
		const struct perf_sample sample = {.who = {.pid = 10, .tid = 10, .time_ns = 100},
						   .misc = PERF_RECORD_MISC_USER,
						   .entries = entries,
						   .entry_count = 4};

		for (uint64_t k = 0; k < 4; k++)
			entries[k] = (struct perf_entry){A + (i + k) % BRANCHES % 512,
							 A + 0x200 + (i + k) % BRANCHES / 512, 0};
		perf_encode_sample(&bytes, &attr_lbr, &sample);
	}
	perf_file_end(&bytes, &file);
	feed = lbr_file_feed_of(&fd, &bytes);
	assert_int_equal(pgb_session_consume(session, feed, NULL), 0);
	pgb_feed_free(feed);
	close(fd);
	assert_conserved(session, true);
	edges = pgb_edges_sorted(pgb_session_edges(session), &count);
	assert_int_equal(count, BRANCHES);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(edges[i].count, 2);
	pgb_session_free(session);
	perf_bytes_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_find_their_binary),
		cmocka_unit_test(every_other_sample_is_counted_apart),
		cmocka_unit_test(branches_become_edges),
		cmocka_unit_test(feeds_add_up),
		cmocka_unit_test(many_stacks_are_counted_exactly),
		cmocka_unit_test(very_many_branches_are_counted_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
