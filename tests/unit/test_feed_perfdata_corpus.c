/* SPDX-License-Identifier: MIT */
/*
 * Real recordings by others, on real hardware; counts by an independent reader. Looked for in
 * $PGOBOLT_CORPUS, then in $SRCDIR/../shared/corpus; skipped where they are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata.h"

static const char *corpus;

struct totals {
	uint64_t samples, entries, kernel, zeros, mispredicted;
};

/* kernel: entries with an end in the kernel; zeros: entries with an end that is 0 */
static const struct {
	const char *file, *first_event;
	uint64_t samples, entries, kernel, zeros, mispredicted;
	size_t events, build_ids;
	bool stacks, compressed;
	const char *aux_kind;
} rows[] = {
	{"lbr/haswell_loop.perf.data", "cycles:P", 145, 2320, 255, 0, 28, 1, 4, true, false, NULL},
	{"lbr/haswell_loop.attr128.perf.data", "cycles:P", 145, 2320, 255, 0, 28, 1, 4, true, false,
	 NULL},
	{"lbr/skylake_branch-4.14.perf.data", "cycles:ppp", 13, 416, 323, 29, 21, 1, 3, true, false,
	 NULL},
	{"lbr/sandybridge_callgraph_branch-3.4.perf.data", "cycles", 923, 14768, 4286, 0, 880, 1,
	 12, true, false, NULL},
	{"lbr/sandybridge_raw_callgraph_branch-3.4.perf.data", "cycles", 513, 8208, 3374, 15, 453,
	 1, 13, true, false, NULL},
	{"lbr/simpleperf_lbr.perf.data", "cpu-cycles", 19, 386, 1, 0, 0, 1, 0, true, false, NULL},
	{"amd/zen4_branch_stack.perf.data", "rc4", 8, 128, 128, 0, 9, 1, 2, true, false, NULL},
	{"arm/hw_index.perf.data", "cs_etm/autofdo/u", 5, 116, 0, 0, 0, 3, 3, true, false, NULL},
	{"arm/etm_auxtrace.perf.data", "type=8,config=0x4000:u", 0, 0, 0, 0, 0, 1, 8, false, false,
	 "cs_etm"},
	{"format/hybrid.perf.data", "cpu_core/cycles:ppp/", 7, 0, 0, 0, 0, 3, 2, false, false,
	 NULL},
	{"format/lost_samples-4.4.perf.data", "cycles:pp", 191, 0, 0, 0, 0, 3, 5, false, false,
	 NULL},
	{"format/pipe_features-6.12.perf.data", "cycles:u", 9, 0, 0, 0, 0, 1, 0, false, false,
	 NULL},
	{"format/pipe_six_events-3.8.perf.data", "cycles", 5218, 0, 0, 0, 0, 6, 0, false, false,
	 NULL},
	{"format/plain-6.16.perf.data", "cycles:Pu", 7, 0, 0, 0, 0, 1, 3, false, false, NULL},
	{"format/switch_namespaces-4.14.perf.data", "cycles", 2, 0, 0, 0, 0, 1, 2, false, false,
	 NULL},
	{"format/zstd.perf.data", "cycles:P", 8, 0, 0, 0, 0, 1, 0, false, true, NULL},
	{"format/zstd2.perf.data", "cycles:Pu", 7, 0, 0, 0, 0, 1, 0, false, true, NULL},
	{"format/zstd2_pipe.perf.data", "cycles:P", 547, 0, 0, 0, 0, 2, 0, false, true, NULL},
};

static struct pgb_feed *open_file(const char *file)
{
	struct pgb_feed_perfdata_config config = {0};
	char *path = pgb_format("%s/%s", corpus, file);
	struct pgb_error error = {0};
	struct pgb_feed *feed;

	config.path = path;
	if (pgb_feed_perfdata_new(&feed, &config, &error) < 0)
		fail_msg("%s", error.message);
	free(path);
	return feed;
}

static void count_record(struct totals *totals, const struct pgb_record *record)
{
	struct pgb_cursor entries = record->stack.entries;

	if (record->type != PERF_RECORD_SAMPLE)
		return;
	totals->samples++;
	for (uint64_t i = 0; i < record->stack.count; i++) {
		struct pgb_record_entry entry = pgb_record_entry(&entries);

		totals->entries++;
		totals->kernel += (entry.from | entry.to) >> 63;
		totals->zeros += entry.from == 0 || entry.to == 0;
		totals->mispredicted += entry.bits & PGB_ENTRY_MISPREDICTED;
	}
}

static void counts_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_feed *feed = open_file(rows[i].file);
		const struct pgb_perfdata_info *info = pgb_feed_perfdata_info(feed);
		struct totals totals = {0};
		struct pgb_record record;

		while (pgb_feed_next(feed, &record, NULL) == 1)
			count_record(&totals, &record);
		if (totals.samples != rows[i].samples || totals.entries != rows[i].entries ||
		    totals.kernel != rows[i].kernel || totals.zeros != rows[i].zeros ||
		    totals.mispredicted != rows[i].mispredicted)
			fail_msg("%s: %llu samples, %llu entries, %llu kernel, %llu zero, %llu "
				 "mispredicted",
				 rows[i].file, (unsigned long long)totals.samples,
				 (unsigned long long)totals.entries,
				 (unsigned long long)totals.kernel,
				 (unsigned long long)totals.zeros,
				 (unsigned long long)totals.mispredicted);
		assert_int_equal(info->end, PGB_PERFDATA_WHOLE);
		assert_int_equal(feed->stats.malformed + feed->stats.disordered, 0);
		assert_int_equal(info->unknown_ids, 0);
		assert_string_equal(info->events.items[0].name, rows[i].first_event);
		assert_int_equal(info->events.count, rows[i].events);
		assert_int_equal(info->build_ids.count, rows[i].build_ids);
		assert_int_equal(info->compressed, rows[i].compressed);
		assert_int_equal(pgb_feed_perfdata_has_branch_stacks(feed), rows[i].stacks);
		if (rows[i].aux_kind)
			assert_string_equal(info->aux_kind, rows[i].aux_kind);
		else
			assert_null(info->aux_kind);
		pgb_feed_free(feed);
	}
}

/* The branch stacks of a recording, entry by entry, against another tool's text. */
static void check_decoded(const char *file, const char *text)
{
	struct pgb_feed *feed = open_file(file);
	char *path = pgb_format("%s/%s", corpus, text);
	FILE *decoded = fopen(path, "r");
	struct pgb_cursor entries = {0};
	struct pgb_record_entry entry = {0};
	struct pgb_record record = {0};
	uint64_t seen = 0;
	char line[512];

	assert_non_null(decoded);
	while (fgets(line, sizeof(line), decoded)) {
		unsigned long long value;

		if (sscanf(line, " from_ip: %llu", &value) == 1) {
			while (pgb_cursor_left(&entries) == 0) {
				assert_int_equal(pgb_feed_next(feed, &record, NULL), 1);
				entries = record.stack.entries;
			}
			entry = pgb_record_entry(&entries);
			assert_true(entry.from == value);
			seen++;
		} else if (sscanf(line, " to_ip: %llu", &value) == 1) {
			assert_true(entry.to == value);
		} else if (strstr(line, "mispredicted: ")) {
			assert_int_equal(entry.bits & PGB_ENTRY_MISPREDICTED,
					 strstr(line, "true") != NULL);
		} else if (strstr(line, "predicted: ")) {
			assert_int_equal((entry.bits & PGB_ENTRY_PREDICTED) != 0,
					 strstr(line, "true") != NULL);
		} else if (sscanf(line, " spec: %llu", &value) == 1) {
			assert_int_equal(entry.bits >> PGB_ENTRY_SPEC_SHIFT & PGB_ENTRY_SPEC_MASK,
					 value);
		}
	}
	assert_true(seen > 100);
	while (pgb_feed_next(feed, &record, NULL) == 1)
		assert_int_equal(record.stack.count, 0);
	fclose(decoded);
	free(path);
	pgb_feed_free(feed);
}

static void entries_agree_with_another_decoder(void **state)
{
	(void)state;
	check_decoded("lbr/skylake_branch-4.14.perf.data", "lbr/skylake_branch-4.14.decoded.txt");
	check_decoded("amd/zen4_branch_stack.perf.data", "amd/zen4_branch_stack.decoded.txt");
}

/* simpleperf's own aggregation of its recording: two loops, by page offset. */
static void loops_of_simpleperf(void **state)
{
	struct pgb_feed *feed = open_file("lbr/simpleperf_lbr.perf.data");
	uint64_t inner = 0, outer = 0;
	struct pgb_record record;

	(void)state;
	while (pgb_feed_next(feed, &record, NULL) == 1) {
		struct pgb_cursor entries = record.stack.entries;

		for (uint64_t i = 0; i < record.stack.count; i++) {
			struct pgb_record_entry entry = pgb_record_entry(&entries);

			inner += (entry.from & 0xfff) == 0x91b && (entry.to & 0xfff) == 0x910;
			outer += (entry.from & 0xfff) == 0x94d && (entry.to & 0xfff) == 0x940;
		}
	}
	assert_int_equal(inner, 32);
	assert_int_equal(outer, 353);
	pgb_feed_free(feed);
}

/* Two recordings of one program, plain and compressed: as many records of each type. */
static void compressed_like_plain(void **state)
{
	static const char *const files[] = {"format/plain-6.16.perf.data",
					    "format/zstd2.perf.data"};
	uint64_t counts[2][32] = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pgb_feed *feed = open_file(files[i]);
		struct pgb_record record;

		while (pgb_feed_next(feed, &record, NULL) == 1)
			counts[i][record.type % 32]++;
		pgb_feed_free(feed);
	}
	assert_memory_equal(counts[0], counts[1], sizeof(counts[0]));
}

static void bad_recordings(void **state)
{
	struct pgb_feed_perfdata_config config = {0};
	char *path = pgb_format("%s/bad/invalid.perf.data", corpus);
	struct pgb_error error = {0};
	struct pgb_record record;
	struct pgb_feed *feed;

	(void)state;
	config.path = path;
	assert_int_equal(pgb_feed_perfdata_new(&feed, &config, &error), PGB_E_CORRUPT);
	free(path);
	feed = open_file("bad/zero_size_record.perf.data");
	while (pgb_feed_next(feed, &record, NULL) == 1)
		;
	assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_DAMAGED);
	assert_int_equal(feed->stats.records, 568);
	pgb_feed_free(feed);
	feed = open_file("bad/aux_without_auxtrace.perf.data");
	while (pgb_feed_next(feed, &record, NULL) == 1)
		;
	assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
	assert_int_equal(pgb_feed_perfdata_info(feed)->aux_bytes, 0);
	pgb_feed_free(feed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_agree),
		cmocka_unit_test(entries_agree_with_another_decoder),
		cmocka_unit_test(loops_of_simpleperf),
		cmocka_unit_test(compressed_like_plain),
		cmocka_unit_test(bad_recordings),
	};
	const char *source = getenv("SRCDIR");
	char beside[4096];

	corpus = getenv("PGOBOLT_CORPUS");
	if (corpus == NULL) {
		snprintf(beside, sizeof(beside), "%s/../shared/corpus", source ? source : ".");
		corpus = beside;
	}
	if (access(corpus, R_OK) != 0) {
		printf("no recordings at %s (set PGOBOLT_CORPUS)\n", corpus);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
