/* SPDX-License-Identifier: MIT */
/* Large recordings are looked at where they lie: what that must not change, and what it risks. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/bus_guard.h"
#include "pgobolt/collector/feed_perfdata_stream.h"
#include "tests/support/lbr_file.h"

enum { FILE_BYTES = 5 * PGB_PERFDATA_WINDOW_BYTES + 12345 };

/* Samples of many sizes, so that windows end at every place of one. */
static uint64_t put_samples(struct perf_bytes *out, const struct perf_event_attr *attr)
{
	uint64_t count = 0;

	while (out->length < FILE_BYTES) {
		count++;
		lbr_file_sample(out, attr, count, count % 7 * 5 % 4);
	}
	return count;
}

static void whole_files(void **state)
{
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};

	(void)state;
	for (int compressed = 0; compressed < 2; compressed++) {
		struct perf_bytes bytes = {0}, plain = {0};
		struct perf_file_zstd *zstd = perf_file_zstd_new(81);
		struct pgb_feed *feed;
		uint64_t samples;
		int fd;

		perf_file_begin(&bytes, &file);
		samples = put_samples(&bytes, &event.attr);
		/* from here on they are expanded, which windows do not do */
		for (int i = 0; compressed && i < 50; i++, samples++)
			lbr_file_sample(&plain, &event.attr, FILE_BYTES, 3);
		if (compressed)
			perf_file_compress(&bytes, zstd, plain.data, plain.length);
		perf_file_end(&bytes, &file);
		feed = lbr_file_feed_of(&fd, &bytes);
		assert_int_equal(lbr_file_samples(feed), samples);
		assert_int_equal(feed->stats.malformed, 0);
		assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_WHOLE);
		assert_int_equal(pgb_feed_perfdata_info(feed)->compressed, compressed);
		pgb_feed_free(feed);
		close(fd);
		perf_file_zstd_free(zstd);
		perf_bytes_release(&bytes);
		perf_bytes_release(&plain);
	}
}

/* Another program cuts the file: what was read counts, and the end is told. */
static void cut_meanwhile(void **state)
{
	static const off_t lengths[] = {0, 4096, 200000, PGB_PERFDATA_WINDOW_BYTES,
					3 * PGB_PERFDATA_WINDOW_BYTES - 100};
	struct perf_file_event event = lbr_file_event();
	struct perf_file file = {.events = &event, .event_count = 1};
	struct perf_bytes bytes = {0};
	uint64_t samples;

	(void)state;
	perf_file_begin(&bytes, &file);
	samples = put_samples(&bytes, &event.attr);
	perf_file_end(&bytes, &file);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct pgb_error error = {0};
		struct pgb_record record;
		struct pgb_feed *feed;
		uint64_t seen = 1;
		int fd, code;

		feed = lbr_file_feed_of(&fd, &bytes);
		assert_int_equal(pgb_feed_next(feed, &record, &error), 1);
		assert_int_equal(ftruncate(fd, lengths[i]), 0);
		while ((code = pgb_feed_next(feed, &record, &error)) == 1)
			seen += record.type == PERF_RECORD_SAMPLE;
		assert_int_equal(code, 0);
		assert_true(seen < samples);
		assert_int_equal(pgb_feed_perfdata_info(feed)->end, PGB_PERFDATA_CUT);
		pgb_feed_free(feed);
		close(fd);
	}
	perf_bytes_release(&bytes);
}

/* ---- the guard alone */

static uint8_t *map_two_pages(int *fd, size_t page_bytes)
{
	uint8_t *bytes;

	*fd = memfd_create("guarded", MFD_CLOEXEC);
	assert_int_equal(ftruncate(*fd, (off_t)(2 * page_bytes)), 0);
	assert_int_equal(pwrite(*fd, "x", 1, 0), 1);
	bytes = mmap(NULL, 2 * page_bytes, PROT_READ, MAP_PRIVATE, *fd, 0);
	assert_true(bytes != MAP_FAILED);
	return bytes;
}

static void what_is_gone_reads_as_zeros(void **state)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct sigaction before, after;
	int fd, guard;
	volatile uint8_t *bytes = map_two_pages(&fd, page_bytes);

	(void)state;
	sigaction(SIGBUS, NULL, &before);
	guard = pgb_bus_guard_add((const void *)bytes, 2 * page_bytes);
	assert_true(guard >= 0);
	assert_int_equal(bytes[0], 'x');
	assert_int_equal(ftruncate(fd, (off_t)page_bytes), 0);
	assert_int_equal(bytes[0], 'x');
	assert_false(pgb_bus_guard_was_hit(guard));
	assert_int_equal(bytes[page_bytes + 5], 0);
	assert_true(pgb_bus_guard_was_hit(guard));
	assert_int_equal(bytes[2 * page_bytes - 1], 0);
	pgb_bus_guard_remove(guard);
	sigaction(SIGBUS, NULL, &after);
	assert_ptr_equal(before.sa_handler, after.sa_handler);
	munmap((void *)bytes, 2 * page_bytes);
	close(fd);
}

/* What is not guarded ends the process, as ever; and so does the signal that somebody sends. */
static void others_end_the_process(void **state)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	int fd;
	volatile uint8_t *bytes = map_two_pages(&fd, page_bytes);

	(void)state;
	assert_int_equal(ftruncate(fd, 0), 0);
	for (int sent = 0; sent < 2; sent++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			signal(SIGBUS, SIG_DFL);
			(void)pgb_bus_guard_add((const void *)(bytes + page_bytes), page_bytes);
			if (sent)
				kill(getpid(), SIGBUS);
			else
				(void)bytes[0];
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	munmap((void *)bytes, 2 * page_bytes);
	close(fd);
}

static void as_many_as_can_be(void **state)
{
	static const uint8_t bytes[1];
	int guards[100];
	size_t count = 0;

	(void)state;
	while (count < 100 && (guards[count] = pgb_bus_guard_add(bytes, 1)) >= 0)
		count++;
	assert_in_range(count, 4, 99);
	pgb_bus_guard_remove(guards[1]);
	assert_int_equal(pgb_bus_guard_add(bytes, 1), guards[1]);
	for (size_t i = 0; i < count; i++)
		pgb_bus_guard_remove(guards[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_files),
		cmocka_unit_test(cut_meanwhile),
		cmocka_unit_test(what_is_gone_reads_as_zeros),
		cmocka_unit_test(others_end_the_process),
		cmocka_unit_test(as_many_as_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
