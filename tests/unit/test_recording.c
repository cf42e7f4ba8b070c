/* SPDX-License-Identifier: MIT */
/* The folder of a recording: whole or not at all, and never in the place of something else. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_memory.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/recording.h"
#include "tests/support/perf_encode.h"

static char folder[] = "/tmp/pgobolt-test-recording-XXXXXX";

static int enter_folder(void **state)
{
	(void)state;
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
	(void)state;
	return chdir("/") != 0 || pgb_file_remove_tree(folder, NULL) != 0;
}

static void write_text(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static char *read_text(const char *path)
{
	struct pgb_text text = {0};

	assert_int_equal(pgb_file_read(&text, path, 1 << 20, NULL), 0);
	return pgb_text_detach(&text);
}

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static struct pgb_recording new_recording(const char *source)
{
	return (struct pgb_recording){
		.program = pgb_dup("test"),
		.source = pgb_dup(source),
		.reason = pgb_dup(""),
		.event = pgb_dup(""),
		.command = pgb_dup(""),
		.machine = pgb_dup(""),
		.cpu = pgb_dup(""),
		.kernel = pgb_dup(""),
		.branches = true,
		.stats = {.mapped = 10},
	};
}

static struct pgb_profile *new_profile(uint64_t count)
{
	struct pgb_profile *profile = pgb_profile_new();
	uint32_t name = pgb_profile_intern(profile, "main", 4);
	const struct pgb_profile_branch branch = {
		.from = {name, 4}, .to = {name, 16}, .count = count};

	pgb_profile_add_branch(profile, &branch);
	return profile;
}

/* A binary that need not exist: instrumented runs name it, its file is not read. */
static struct pgb_binary new_binary(const char *path, uint8_t id)
{
	return (struct pgb_binary){.path = pgb_dup(path),
				   .path_open = pgb_dup(path),
				   .kind = PGB_BINARY_ELF,
				   .build_id = {.size_bytes = 2, .bytes = {0xab, id}}};
}

/* One whole recording of one binary. */
static int record(const char *directory, bool add, const char *source, const char *path, uint8_t id,
		  uint64_t count, struct pgb_error *error)
{
	struct pgb_recording recording = new_recording(source);
	struct pgb_recording_writer *writer = NULL;
	struct pgb_binary binary = new_binary(path, id);
	struct pgb_profile *profile = new_profile(count);
	int code = pgb_recording_writer_open(&writer, directory, add, error);

	if (code == 0)
		code = pgb_recording_writer_check(writer, source, &binary, error);
	if (code == 0)
		code = pgb_recording_write_profile(writer, &recording, &binary, true, profile,
						   error);
	if (code == 0)
		code = pgb_recording_writer_commit(writer, &recording, error);
	pgb_recording_writer_close(writer);
	pgb_profile_free(profile);
	pgb_binary_release(&binary);
	pgb_recording_release(&recording);
	return code;
}

static void assert_text(const char *path, const char *expected)
{
	char *text = read_text(path);

	assert_string_equal(text, expected);
	free(text);
}

static void a_recording_takes_its_place(void **state)
{
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(record("new/", false, "instrument", "/bin/a b", 1, 3, &error), 0);
	assert_true(pgb_recording_is_folder("new"));
	assert_text("new/a_b-ab01.fdata", "1 main 4 1 main 10 0 3\n");
	assert_false(exists("new.tmp"));
	assert_false(exists("new.old"));
	assert_false(exists("new/work"));
	assert_false(exists("new/.lock"));

	assert_int_equal(record("new", false, "instrument", "/bin/b", 1, 5, &error), 0);
	assert_text("new/b-ab01.fdata", "1 main 4 1 main 10 0 5\n");
	assert_text("new.old/a_b-ab01.fdata", "1 main 4 1 main 10 0 3\n");
	assert_false(exists("new/a_b-ab01.fdata"));

	/* through a link, to where it leads */
	assert_int_equal(symlink("new", "link"), 0);
	assert_int_equal(record("link", false, "instrument", "/bin/c", 1, 7, &error), 0);
	assert_true(exists("new/c-ab01.fdata"));
	assert_true(exists("new.old/b-ab01.fdata"));
	assert_false(exists("link.old"));
}

static int open_only(const char *directory, bool add, struct pgb_error *error)
{
	struct pgb_recording_writer *writer = NULL;
	int code = pgb_recording_writer_open(&writer, directory, add, error);

	pgb_recording_writer_close(writer);
	return code;
}

static const struct obstacle_row {
	const char *directory;
	int code;
	const char *says;
} obstacle_rows[] = {
	{"file", PGB_E_EXISTS, "file is there and is no recording"},
	{"full", PGB_E_EXISTS, "full is there and is no recording"},
	{"fine", PGB_E_EXISTS, "fine.old is there and is no recording"},
	{"busy", PGB_E_EXISTS, "busy.tmp is in the way"},
	{"missing/there", PGB_E_NOT_FOUND, "cannot make folder missing/there.tmp"},
	{"file/there", PGB_E_NOT_FOUND, "cannot"},
};

static void nothing_else_is_replaced(void **state)
{
	(void)state;
	write_text("file", "precious");
	mkdir("full", 0700);
	write_text("full/file", "precious");
	mkdir("fine.old", 0700);
	write_text("fine.old/file", "precious");
	mkdir("busy.tmp", 0700);
	write_text("busy.tmp/file", "precious");
	mkdir("empty", 0700);
	for (size_t i = 0; i < sizeof(obstacle_rows) / sizeof(obstacle_rows[0]); i++) {
		const struct obstacle_row *row = &obstacle_rows[i];
		struct pgb_error error = {0};

		assert_int_equal(open_only(row->directory, false, &error), row->code);
		assert_non_null(strstr(error.message, row->says));
		assert_int_not_equal(error.remedy[0], '\0');
	}
	assert_text("file", "precious");
	assert_text("full/file", "precious");
	assert_text("fine.old/file", "precious");
	assert_text("busy.tmp/file", "precious");
	assert_int_equal(record("empty", false, "instrument", "/bin/a", 1, 1, NULL), 0);
}

static void one_writer_at_a_time(void **state)
{
	struct pgb_recording_writer *first, *second;
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_recording_writer_open(&first, "x", false, NULL), 0);
	assert_true(exists("x.tmp/work"));
	assert_string_equal(pgb_recording_writer_directory(first), "x.tmp");
	assert_string_equal(pgb_recording_writer_work(first), "x.tmp/work");
	assert_int_equal(pgb_recording_writer_open(&second, "x", false, &error), PGB_E_EXISTS);
	assert_non_null(strstr(error.message, "another pgobolt"));
	assert_true(exists("x.tmp/work"));
	pgb_recording_writer_close(first);
	pgb_recording_writer_close(NULL);
	assert_false(exists("x.tmp"));
	assert_false(exists("x"));

	/* what one that was killed left behind is no obstacle */
	mkdir("x.tmp", 0700);
	write_text("x.tmp/.lock", "");
	write_text("x.tmp/half-written", "");
	mkdir("x.tmp/work", 0700);
	write_text("x.tmp/work/more", "");
	assert_int_equal(record("x", false, "instrument", "/bin/a", 1, 1, NULL), 0);
	assert_false(exists("x/half-written"));
}

static const struct addition_row {
	const char *source, *path;
	uint8_t id;
	int code;
	const char *says;
} addition_rows[] = {
	{"ip", "/bin/a", 1, PGB_E_MISMATCH, "source instrument"},
	{"instrument", "/bin/a", 2, PGB_E_MISMATCH, "another build"},
};

static void recordings_add_up(void **state)
{
	struct pgb_recording recording;
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(open_only("sum", true, &error), PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.remedy, "--add"));
	assert_int_equal(record("sum", false, "instrument", "/bin/a", 1, 3, NULL), 0);
	assert_int_equal(record("sum", true, "instrument", "/bin/a", 1, 4, NULL), 0);
	assert_text("sum/a-ab01.fdata", "1 main 4 1 main 10 0 7\n");
	for (size_t i = 0; i < sizeof(addition_rows) / sizeof(addition_rows[0]); i++) {
		const struct addition_row *row = &addition_rows[i];

		pgb_error_clear(&error);
		assert_int_equal(record("sum", true, row->source, row->path, row->id, 1, &error),
				 row->code);
		assert_non_null(strstr(error.message, row->says));
		assert_text("sum/a-ab01.fdata", "1 main 4 1 main 10 0 7\n");
	}
	/* another program: the first one stays, and is the heavier one */
	assert_int_equal(record("sum", true, "instrument", "/bin/b", 9, 5, NULL), 0);
	assert_int_equal(pgb_recording_read(&recording, "sum", NULL), 0);
	assert_int_equal(recording.runs, 3);
	assert_int_equal(recording.stats.mapped, 30);
	assert_int_equal(recording.binaries.count, 2);
	assert_string_equal(pgb_recording_main(&recording)->name, "a");
	assert_string_equal(recording.binaries.items[1].name, "b");
	assert_text("sum/a-ab01.fdata", "1 main 4 1 main 10 0 7\n");
	assert_text("sum/b-ab09.fdata", "1 main 4 1 main 10 0 5\n");
	pgb_recording_release(&recording);
}

static void reading_says_what_is_missing(void **state)
{
	struct pgb_recording recording;
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_recording_read(&recording, "none", &error), PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.remedy, "pgobolt record -o none"));
	pgb_recording_release(&recording);
	mkdir("other", 0700);
	pgb_error_clear(&error);
	assert_int_equal(pgb_recording_read(&recording, "other", &error), PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "no recording.json"));
	pgb_recording_release(&recording);
	write_text("other/recording.json", "{");
	pgb_error_clear(&error);
	assert_int_equal(pgb_recording_read(&recording, "other", &error), PGB_E_CORRUPT);
	pgb_recording_release(&recording);
}

/* ---- a session with samples of this very program */

static const struct perf_event_attr attr = {
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	.sample_id_all = 1,
	.mmap2 = 1,
};
static const struct perf_identity who = {.pid = 77, .tid = 77, .time_ns = 1};

/* One block, whatever it is built with. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static int landmark(int value)
{
	__asm__ volatile("" : "+r"(value));
	return value + 1;
}

static char *own_path(void)
{
	char *path = realpath("/proc/self/exe", NULL);

	assert_non_null(path);
	return path;
}

static void encode_sample(struct perf_bytes *bytes, uint64_t address)
{
	const struct perf_sample sample = {
		.who = who, .misc = PERF_RECORD_MISC_USER, .ip = address};

	perf_encode_sample(bytes, &attr, &sample);
}

static struct pgb_session *session_of(const struct perf_bytes *bytes)
{
	const struct pgb_session_config config = {.source = &pgb_source_ip, .event = "cycles"};
	struct pgb_record_format format = pgb_record_format_of(&attr);
	struct pgb_feed *feed =
		pgb_feed_memory_new(pgb_cursor_of(bytes->data, bytes->length), &format);
	struct pgb_session *session;

	assert_int_equal(pgb_session_new(&session, &config, NULL), 0);
	assert_int_equal(pgb_session_consume(session, feed, NULL), 0);
	pgb_feed_free(feed);
	return session;
}

static int write_session(const struct perf_bytes *bytes, struct pgb_error *error)
{
	struct pgb_session *session = session_of(bytes);
	struct pgb_recording recording = new_recording("ip");
	struct pgb_recording_writer *writer;
	int code;

	recording.branches = false;
	free(recording.event);
	recording.event = pgb_dup("cycles");
	assert_int_equal(pgb_recording_writer_open(&writer, "own", false, NULL), 0);
	code = pgb_recording_write_session(writer, &recording, session, error);
	if (code == 0)
		code = pgb_recording_writer_commit(writer, &recording, error);
	pgb_recording_writer_close(writer);
	pgb_recording_release(&recording);
	pgb_session_free(session);
	return code;
}

static void samples_become_files(void **state)
{
	char *path = own_path();
	uintptr_t address = (uintptr_t)(void *)landmark;
	struct perf_map map = perf_map_of_self(address, path), text;
	struct pgb_recording recording;
	const struct pgb_recorded_binary *binary;
	struct perf_bytes bytes = {0};
	char *fdata, *fdata_path;

	(void)state;
	map.pid = map.tid = 77;
	text = map;
	assert_int_equal(landmark(1), 2);
	write_text("not an ELF", "text");
	text.path = pgb_format("%s/not an ELF", folder);
	text.address = 0x10000;
	perf_encode_comm(&bytes, &attr, &who, "test", true);
	perf_encode_map(&bytes, &attr, &who, &map);
	perf_encode_map(&bytes, &attr, &who, &text);
	for (int i = 0; i < 5; i++)
		encode_sample(&bytes, address);
	encode_sample(&bytes, 0x10000);
	encode_sample(&bytes, 0x999000);
	assert_int_equal(write_session(&bytes, NULL), 0);

	assert_int_equal(pgb_recording_read(&recording, "own", NULL), 0);
	binary = pgb_recording_main(&recording);
	assert_non_null(binary);
	assert_string_equal(binary->path, path);
	assert_int_equal(binary->count, 5);
	assert_int_equal(binary->edges, 1);
	assert_int_equal(binary->functions, 1);
	assert_int_equal(binary->stats.written, 5);
	assert_int_equal(recording.stats.unmapped, 1);
	assert_int_equal(recording.binaries.count, 2);
	assert_non_null(strstr(recording.binaries.items[1].reason, "ELF"));
	fdata_path = pgb_recording_file(&recording, binary->fdata_file);
	fdata = read_text(fdata_path);
	/* one block, and how often it ran is inferred from where in it the samples fell */
	assert_memory_equal(fdata, "0 [unknown] 0 1 landmark/1 0 0 ", 31);
	pgb_recording_release(&recording);
	perf_bytes_release(&bytes);
	free((char *)(uintptr_t)text.path);
	free(fdata_path);
	free(fdata);
	free(path);
}

static void empty_is_an_error_with_a_cause(void **state)
{
	struct perf_bytes bytes = {0};
	struct pgb_error error = {0};

	(void)state;
	perf_encode_comm(&bytes, &attr, &who, "test", true);
	assert_int_equal(write_session(&bytes, &error), PGB_E_EMPTY);
	assert_non_null(strstr(error.message, "no samples"));
	encode_sample(&bytes, 0x999000);
	pgb_error_clear(&error);
	assert_int_equal(write_session(&bytes, &error), PGB_E_EMPTY);
	assert_non_null(strstr(error.message, "none of 1 sample fell into a file"));
	assert_false(exists("own"));
	assert_false(exists("own.tmp"));
	perf_bytes_release(&bytes);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_recording_takes_its_place),	   IN_FOLDER(nothing_else_is_replaced),
		IN_FOLDER(one_writer_at_a_time),	   IN_FOLDER(recordings_add_up),
		IN_FOLDER(reading_says_what_is_missing),   IN_FOLDER(samples_become_files),
		IN_FOLDER(empty_is_an_error_with_a_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
