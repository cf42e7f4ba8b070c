/* SPDX-License-Identifier: MIT */
/* Directories, as perf record --threads writes them: one file of records per thread of perf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "tests/support/lbr_file.h"

static char directory[] = "/tmp/pgobolt-test-XXXXXX";

static void save(const char *name, const struct perf_bytes *bytes)
{
	char *path = pgb_format("%s/%s", directory, name);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, 1, bytes->length, file), bytes->length);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void save_header(void)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {
		.events = &event, .event_count = 1, .arch = "x86_64", .directory = true};
	struct perf_identity who = lbr_file_at(0);
	struct perf_bytes bytes = {0};

	perf_file_begin(&bytes, &file);
	perf_encode_comm(&bytes, &event.attr, &who, "synthesized", false);
	perf_file_end(&bytes, &file);
	save("data", &bytes);
	perf_bytes_release(&bytes);
}

/* Stream `index` of `count`: every count-th nanosecond; in the last one a mapping now and then. */
static uint64_t save_stream(unsigned int index, unsigned int count, uint64_t samples)
{
	struct perf_file_event event = lbr_file_event();
	char *name = pgb_format("data.%u", index);
	struct perf_bytes bytes = {0};
	uint64_t records = 0;

	for (uint64_t i = 1; i <= samples; i++) {
		uint64_t time_ns = i * count + index;

		if (index + 1 == count && i % 100 == 1) {
			lbr_file_map(&bytes, &event.attr, time_ns);
			records++;
		}
		lbr_file_sample(&bytes, &event.attr, time_ns, 3);
		records++;
		if (i % 64 == 0)
			perf_file_round(&bytes); /* of this file: it says nothing of others */
	}
	save(name, &bytes);
	perf_bytes_release(&bytes);
	free(name);
	return records;
}

static void cleanup(unsigned int count)
{
	char *path = pgb_format("%s/data", directory);

	unlink(path);
	free(path);
	for (unsigned int i = 0; i < count; i++) {
		path = pgb_format("%s/data.%u", directory, i);
		unlink(path);
		free(path);
	}
}

/* Read it to the end; wherever a mapping is, all that is older must have come before it. */
static uint64_t read_in_order(struct pgb_feed *feed)
{
	uint64_t records = 0, oldest_ns = 0, latest_ns = 0;
	struct pgb_record record;

	while (pgb_feed_next(feed, &record, NULL) == 1) {
		records++;
		assert_true(record.time_ns >= oldest_ns);
		latest_ns = record.time_ns > latest_ns ? record.time_ns : latest_ns;
		if (record.type == PERF_RECORD_MMAP2) {
			assert_true(record.time_ns >= latest_ns);
			oldest_ns = record.time_ns;
		}
	}
	return records;
}

static void files_are_merged_by_time(void **state)
{
	static const unsigned int counts[] = {1, 2, 3, 17};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t records = 1;
		struct pgb_feed *feed;

		save_header();
		for (unsigned int k = 0; k < counts[i]; k++)
			records += save_stream(k, counts[i], k % 4 == 2 ? 50 : 6000);
		for (int by_file = 0; by_file < 2; by_file++) {
			char *path = pgb_format("%s%s", directory, by_file ? "/data" : "");

			feed = lbr_file_feed(path);
			free(path);
			assert_int_equal(read_in_order(feed), records);
			assert_int_equal(feed->stats.disordered, 0);
			assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
			assert_string_equal(pgb_feed_perfdata_info(feed)->arch, "x86_64");
			pgb_feed_free(feed);
		}
		cleanup(counts[i]);
	}
}

/* One file is cut: the others are read to their ends, and the notice names it. */
static void a_file_that_is_cut(void **state)
{
	char *path = pgb_format("%s/data.1", directory);
	struct pgb_feed *feed;
	char *notice;

	(void)state;
	save_header();
	save_stream(0, 3, 1000);
	save_stream(1, 3, 1000);
	save_stream(2, 3, 1000);
	assert_int_equal(truncate(path, 1001), 0);
	feed = lbr_file_feed(directory);
	assert_true(read_in_order(feed) > 2000);
	assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_CUT);
	assert_int_equal(feed->stats.truncated, 1);
	notice = pgb_feed_perfdata_notice(feed);
	assert_non_null(strstr(notice, path));
	free(notice);
	pgb_feed_free(feed);
	cleanup(3);
	free(path);
}

static void without_enough_descriptors(void **state)
{
	struct pgb_feed_perfdata_config config = {.path = directory};
	struct pgb_error error = {0};
	struct rlimit before, few;
	struct pgb_feed *feed;
	int next_free;

	(void)state;
	save_header();
	for (unsigned int i = 0; i < 8; i++)
		save_stream(i, 8, 10);
	next_free = dup(STDOUT_FILENO);
	close(next_free);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)next_free + 4;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(pgb_feed_perfdata_new(&feed, &config, &error), PGB_E_RESOURCE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(error.remedy, "ulimit -n"));
	cleanup(8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_merged_by_time),
		cmocka_unit_test(a_file_that_is_cut),
		cmocka_unit_test(without_enough_descriptors),
	};
	int failed;

	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
