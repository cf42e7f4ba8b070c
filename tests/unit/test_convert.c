/* SPDX-License-Identifier: MIT */
/* perf.data, text and recordings in, profiles out: on a program compiled here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/convert.h"
#include "pgobolt/pgo/recording.h"
#include "tests/support/perf_file.h"
#include "tests/support/workshop.h"

static const char program[] =
	"volatile int sum;\n"
	"__attribute__((noinline)) void work(int n) { for (int i = 0; i < n; i++) sum += i; }\n"
	"int main(void) { work(1000); return 0; }\n";

enum { PID = 7 };

struct test {
	struct workshop workshop;
	char before[4096];
	char *path; /* of the program "app" */
	char *id;   /* its build-id, as text */
	struct pgb_build_id build_id;
	uint64_t work, main; /* addresses of functions */
	struct pgb_segment code;
	struct utsname host;
	struct pgb_text log; /* warnings, each with a newline */
	struct pgb_convert_result result;
	struct pgb_error error;
};

static void look_at_program(struct test *test)
{
	struct pgb_elf_image *image;
	const struct pgb_binary *binary;

	assert_int_equal(pgb_elf_image_open(&image, test->path, NULL), 0);
	assert_int_equal(pgb_elf_image_discover(image, NULL), 0);
	binary = pgb_elf_image_binary(image);
	test->build_id = binary->build_id;
	test->id = pgb_build_id_string(&binary->build_id);
	test->work = pgb_elf_image_function_named(image, "work")->address;
	test->main = pgb_elf_image_function_named(image, "main")->address;
	for (size_t i = 0; i < binary->segments.count; i++)
		if (binary->segments.items[i].flags & 1)
			test->code = binary->segments.items[i];
	pgb_elf_image_close(image);
}

static int set_up(void **state)
{
	struct test *test = pgb_calloc(1, sizeof(*test));

	assert_non_null(getcwd(test->before, sizeof(test->before)));
	uname(&test->host);
	workshop_open(&test->workshop);
	assert_int_equal(chdir(test->workshop.folder), 0);
	workshop_compile(&test->workshop, "app",
			 "-O1 -fno-inline -fno-pie -no-pie -Wl,--build-id=sha1", program);
	test->path = workshop_path(&test->workshop, "app");
	look_at_program(test);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	assert_int_equal(chdir(test->before), 0);
	workshop_close(&test->workshop);
	pgb_convert_result_release(&test->result);
	pgb_text_release(&test->log);
	free(test->path);
	free(test->id);
	free(test);
	return 0;
}

/* ---- recordings */

static const struct perf_event_attr attr_ip = {
	.type = PERF_TYPE_HARDWARE,
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID,
	.sample_id_all = 1,
	.mmap2 = 1,
};
static const struct perf_event_attr attr_lbr = {
	.type = PERF_TYPE_HARDWARE,
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID |
		       PERF_SAMPLE_BRANCH_STACK,
	.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY,
	.sample_id_all = 1,
	.mmap2 = 1,
};
static const struct perf_event_attr attr_calls = {
	.type = PERF_TYPE_HARDWARE,
	.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID |
		       PERF_SAMPLE_BRANCH_STACK,
	.branch_sample_type = PERF_SAMPLE_BRANCH_USER | PERF_SAMPLE_BRANCH_ANY_CALL,
	.sample_id_all = 1,
	.mmap2 = 1,
};

/* What a recording of the program is like; zeros: the usual. */
struct recording {
	const struct perf_event_attr *attr;
	const char *map_path;	       /* NULL: where the program is */
	const char *map_id, *table_id; /* as below; NULL: none */
	const char *arch;
	bool pipe_mode;
	bool empty_stacks;
	unsigned int samples_of_other; /* a second event, "cache-misses" */
	uint32_t aux_type;
};

static const char own_id[] = "own", other_id[] = "other";
static const uint8_t other_bytes[20] = {0xab, 0xcd};

static const uint8_t *id_bytes(const struct test *test, const char *which)
{
	if (which == NULL)
		return NULL;
	return which == own_id ? test->build_id.bytes : other_bytes;
}

static struct perf_identity at_time(uint64_t time_ns)
{
	return (struct perf_identity){.pid = PID, .tid = PID, .time_ns = time_ns, .id = 1};
}

static void put_map(const struct test *test, struct perf_bytes *out, const struct recording *wanted)
{
	struct perf_identity who = at_time(2);
	uint64_t offset = test->code.offset_file & 0xfff;

	perf_encode_map(out, wanted->attr, &who,
			&(struct perf_map){
				.pid = PID,
				.tid = PID,
				.address = test->code.address - offset,
				.length = (test->code.size_memory + offset + 0xfff) & ~0xfffull,
				.offset_file = test->code.offset_file - offset,
				.inode = wanted->map_id ? 0 : 1234,
				.build_id = id_bytes(test, wanted->map_id),
				.build_id_bytes = wanted->map_id ? 20 : 0,
				.protection = PROT_READ | PROT_EXEC,
				.path = wanted->map_path ? wanted->map_path : test->path,
			});
}

/* main calls work, which loops once: newest first. */
static void put_samples(const struct test *test, struct perf_bytes *out,
			const struct recording *wanted)
{
	const struct perf_entry entries[] = {
		{test->work + 8, test->work + 4, 1},
		{test->main + 4, test->work, 2},
	};
	struct perf_sample sample = {
		.ip = test->work + 4,
		.entries = entries,
		.entry_count = wanted->empty_stacks ? 0 : 2,
	};

	for (uint64_t i = 0; i < 3; i++) {
		sample.who = at_time(10 + i);
		perf_encode_sample(out, wanted->attr, &sample);
	}
	for (uint64_t i = 0; i < wanted->samples_of_other; i++) {
		sample.who = at_time(20 + i);
		sample.who.id = 2;
		perf_encode_sample(out, wanted->attr, &sample);
	}
}

static struct perf_bytes make_recording(const struct test *test, const struct recording *wanted)
{
	const uint64_t ids[] = {1, 2};
	const struct perf_file_event events[] = {
		{*wanted->attr, &ids[0], 1, "cycles:u"},
		{*wanted->attr, &ids[1], 1, "cache-misses:u"},
	};
	const struct perf_file_build_id table = {
		.path = wanted->map_path ? wanted->map_path : test->path,
		.id = id_bytes(test, wanted->table_id),
		.id_bytes = 20,
	};
	const struct perf_file file = {
		.events = events,
		.event_count = wanted->samples_of_other ? 2 : 1,
		.build_ids = &table,
		.build_id_count = wanted->table_id ? 1 : 0,
		.arch = wanted->arch ? wanted->arch : test->host.machine,
		.pipe_mode = wanted->pipe_mode,
	};
	struct perf_identity who = at_time(1);
	struct perf_bytes out = {0};

	perf_file_begin(&out, &file);
	if (wanted->aux_type) {
		const uint64_t trace[] = {1, 2};

		perf_file_aux_info(&out, wanted->aux_type);
		perf_file_aux(&out, 0, PID, trace, sizeof(trace));
		perf_file_end(&out, &file);
		return out;
	}
	perf_encode_comm(&out, wanted->attr, &who, "app", true);
	put_map(test, &out, wanted);
	put_samples(test, &out, wanted);
	perf_file_round(&out);
	perf_file_end(&out, &file);
	return out;
}

static void write_bytes(const char *path, const void *bytes, size_t length)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, length, stream), length);
	assert_int_equal(fclose(stream), 0);
}

static void write_recording(const struct test *test, const char *path,
			    const struct recording *wanted)
{
	struct perf_bytes bytes = make_recording(test, wanted);

	write_bytes(path, bytes.data, bytes.length);
	perf_bytes_release(&bytes);
}

/* ---- conversions */

static void keep_warning(void *context, enum pgb_log_level level, const char *message)
{
	struct test *test = context;

	if (level == PGB_LOG_WARNING)
		pgb_text_addf(&test->log, "%s\n", message);
}

/* Of one or two inputs, "" for none. The binary is app unless the job says another. */
static int convert(struct test *test, const char *first, const char *second,
		   struct pgb_convert_job job)
{
	const struct pgb_merge_input inputs[] = {{first, 1}, {second, 10}};
	const char *binary = test->path;
	const struct pgb_log log = {.write = keep_warning, .context = test};

	pgb_convert_result_release(&test->result);
	pgb_error_clear(&test->error);
	pgb_text_release(&test->log);
	unlink("OUT");
	unlink("OUT.json");
	job.inputs = inputs;
	job.input_count = second[0] ? 2 : 1;
	if (job.binaries == NULL)
		job.binaries = &binary;
	if (job.binary_count == 0)
		job.binary_count = 1;
	if (job.output == NULL)
		job.output = "OUT";
	job.program = "pgobolt test";
	job.log = &log;
	return pgb_convert(&job, &test->result, &test->error);
}

static void expect_done(struct test *test, int code)
{
	if (code != 0)
		fail_msg("%s", test->error.message);
}

static char *content(const char *path)
{
	struct pgb_text text = {0};

	assert_int_equal(pgb_file_read(&text, path, 1 << 20, NULL), 0);
	return pgb_text_detach(&text);
}

static void expect_content(const char *path, const char *wanted)
{
	char *text = content(path);

	assert_string_equal(text, wanted);
	free(text);
}

static void expect_text(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' lacks '%s'", text, part);
}

/* ---- which binary it is */

struct match_row {
	const char *what;
	struct recording recording;
	bool ignore_build_id;
	int code;
	const char *message; /* part of the error's, or of a warning */
};

#define BY_NAME "was taken by its name alone"

static const struct match_row match_rows[] = {
	{"path and id", {.attr = &attr_ip, .map_id = own_id}, false, 0, NULL},
	{"elsewhere",
	 {.attr = &attr_ip, .map_path = "/in/a/box", .map_id = own_id},
	 false,
	 0,
	 NULL},
	{"id from the table", {.attr = &attr_ip, .table_id = own_id}, false, 0, NULL},
	{"elsewhere, from the table",
	 {.attr = &attr_ip, .map_path = "/in/a/box", .table_id = own_id},
	 false,
	 0,
	 NULL},
	{"no id", {.attr = &attr_ip}, false, 0, BY_NAME},
	{"no id, same name", {.attr = &attr_ip, .map_path = "/opt/bin/app"}, false, 0, BY_NAME},
	{"no id, taken", {.attr = &attr_ip}, true, 0, NULL},
	{"no id, in a pipe", {.attr = &attr_ip, .pipe_mode = true}, false, 0, BY_NAME},
	{"deleted", {.attr = &attr_ip, .map_path = "/opt/app (deleted)"}, false, 0, BY_NAME},
	{"deleted, from the table",
	 {.attr = &attr_ip, .map_path = "/opt/x (deleted)", .table_id = own_id},
	 false,
	 0,
	 NULL},
	{"pipe", {.attr = &attr_ip, .pipe_mode = true, .map_id = own_id}, false, 0, NULL},
	{"pipe, from the table",
	 {.attr = &attr_ip, .pipe_mode = true, .table_id = own_id},
	 false,
	 0,
	 NULL},
	{"another build",
	 {.attr = &attr_ip, .map_id = other_id},
	 false,
	 PGB_E_MISMATCH,
	 "abcd000000000000000000000000000000000000"},
	{"another build, from the table",
	 {.attr = &attr_ip, .table_id = other_id},
	 false,
	 PGB_E_MISMATCH,
	 "abcd000000000000000000000000000000000000"},
	{"another build, in a pipe",
	 {.attr = &attr_ip, .pipe_mode = true, .table_id = other_id},
	 false,
	 PGB_E_MISMATCH,
	 "abcd000000000000000000000000000000000000"},
	{"another build, taken", {.attr = &attr_ip, .map_id = other_id}, true, 0, NULL},
	{"another program",
	 {.attr = &attr_ip, .map_path = "/bin/box"},
	 false,
	 PGB_E_EMPTY,
	 "what was: box 100.0%"},
	{"another program with an id",
	 {.attr = &attr_ip, .map_path = "/bin/box", .map_id = other_id},
	 true,
	 PGB_E_EMPTY,
	 "box 100.0% (abcd00000000..)"},
	{"another machine",
	 {.attr = &attr_ip, .arch = "s390x"},
	 false,
	 PGB_E_MISMATCH,
	 "another machine (s390x)"},
};

static void finds_the_binary(void **state)
{
	struct test *test = *state;

	for (size_t i = 0; i < sizeof(match_rows) / sizeof(*match_rows); i++) {
		const struct match_row *row = &match_rows[i];
		int code;

		write_recording(test, "perf.data", &row->recording);
		code = convert(test, "perf.data", "",
			       (struct pgb_convert_job){.ignore_build_id = row->ignore_build_id});
		if (code != row->code)
			fail_msg("%s: %d, %s", row->what, code, test->error.message);
		if (code == 0) {
			expect_content("OUT", "no_lbr cycles:u:\n1 work 4 3\n");
			if (strstr(pgb_text_string(&test->log), BY_NAME))
				assert_ptr_equal(row->message, BY_NAME);
			else if (row->message)
				fail_msg("%s: no warning", row->what);
			continue;
		}
		expect_text(test->error.message, row->message);
		if (code == PGB_E_MISMATCH && !row->recording.arch)
			expect_text(test->error.message, test->id);
		assert_string_not_equal(test->error.remedy, "");
		assert_int_equal(access("OUT", F_OK), -1);
		assert_int_equal(access("OUT.json", F_OK), -1);
	}
}

/* ---- what the samples hold */

static void adds_inputs_with_weights(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_ip};

	write_recording(test, "perf.data", &wanted);
	expect_done(test, convert(test, "perf.data", "perf.data", (struct pgb_convert_job){0}));
	expect_content("OUT", "no_lbr cycles:u:\n1 work 4 33\n");
	assert_int_equal(test->result.binaries.items[0].count, 33);
	assert_int_equal(test->result.binaries.items[0].lines, 1);
	assert_int_equal(test->result.binaries.items[0].functions, 1);
	assert_string_equal(test->result.source, "ip");
	expect_text(test->log.data, "has no branch stacks");
}

static void notes_the_build(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_ip};
	char *note;

	write_recording(test, "perf.data", &wanted);
	expect_done(test, convert(test, "perf.data", "", (struct pgb_convert_job){0}));
	note = content("OUT.json");
	expect_text(note, "\"build_id\": \"");
	expect_text(note, test->id);
	expect_text(note, "\"source\": \"ip\"");
	expect_text(note, "\"samples\": 3");
	assert_null(strstr(note, test->workshop.folder));
	free(note);
}

static void leaves_other_events_out(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_ip, .samples_of_other = 5};

	write_recording(test, "perf.data", &wanted);
	expect_done(test, convert(test, "perf.data", "", (struct pgb_convert_job){0}));
	expect_content("OUT", "no_lbr cycles:u:\n1 work 4 3\n");
	assert_int_equal(test->result.left_out, 5);
	expect_done(test, convert(test, "perf.data", "",
				  (struct pgb_convert_job){.compat_perf2bolt = true}));
	expect_content("OUT", "no_lbr cache-misses:u: cycles:u:\n1 work 4 8\n");
	assert_int_equal(test->result.left_out, 0);
}

static void expect_traces(const struct test *test, const char *path, unsigned int count)
{
	unsigned long long work = test->work, main = test->main;
	char *text = content(path);
	char *loop = pgb_format("B %llx %llx %u %u\n", work + 8, work + 4, count, count);
	char *call = pgb_format("T %llx %llx %llx %u\n", main + 4, work, work + 8, count);

	expect_text(text, "E cycles:u\n");
	expect_text(text, loop);
	expect_text(text, call);
	assert_int_equal(strlen(text), 11 + strlen(loop) + strlen(call));
	free(loop);
	free(call);
	free(text);
}

static void exports_branches(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_lbr, .map_id = own_id};

	write_recording(test, "perf.data", &wanted);
	expect_done(test, convert(test, "perf.data", "",
				  (struct pgb_convert_job){.formats = PGB_CONVERT_PREAGG}));
	expect_traces(test, "OUT", 3);
	assert_string_equal(test->result.source, "lbr");
	assert_int_equal(test->log.length, 0);

	/* and back */
	assert_int_equal(rename("OUT", "in.preagg"), 0);
	expect_done(test, convert(test, "in.preagg", "perf.data",
				  (struct pgb_convert_job){.formats = PGB_CONVERT_PREAGG}));
	expect_traces(test, "OUT", 33);
	assert_int_equal(test->result.binaries.items[0].edges, 2);
	assert_int_equal(test->result.binaries.items[0].count, 66);
	assert_string_equal(test->result.source, "preagg,lbr");

	expect_done(test, convert(test, "perf.data", "", (struct pgb_convert_job){.basic = true}));
	expect_content("OUT", "no_lbr cycles:u:\n1 work 4 3\n");
}

/* There are no branches at these addresses: perf2bolt writes them, llvm-bolt drops them all. */
static void checks_branches(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_lbr};
	char *text;

	write_recording(test, "perf.data", &wanted);
	expect_done(test, convert(test, "perf.data", "",
				  (struct pgb_convert_job){.compat_perf2bolt = true}));
	text = content("OUT");
	expect_text(text, "1 main 4 1 work 0 0 3\n");
	expect_text(text, "1 work 8 1 work 4 3 3\n");
	free(text);
	assert_int_equal(convert(test, "perf.data", "", (struct pgb_convert_job){0}), PGB_E_EMPTY);
	expect_text(test->error.message, "of 6 counts 0 are in no function");
	expect_text(test->error.message, ": the source is not a branch");
	assert_int_equal(access("OUT", F_OK), -1);
}

static void names_useless_input(void **state)
{
	static const struct {
		struct recording recording;
		unsigned int formats;
		int code;
		const char *message, *remedy;
	} rows[] = {
		{{.attr = &attr_lbr, .empty_stacks = true},
		 PGB_CONVERT_PREAGG,
		 PGB_E_EMPTY,
		 "all 3 branch stacks are empty",
		 "--basic"},
		{{.attr = &attr_ip, .aux_type = 1},
		 PGB_CONVERT_FDATA,
		 PGB_E_UNSUPPORTED,
		 "Intel PT",
		 "perf inject"},
		{{.attr = &attr_ip, .aux_type = 3},
		 PGB_CONVERT_FDATA,
		 PGB_E_UNSUPPORTED,
		 "CoreSight",
		 "perf inject"},
		{{.attr = &attr_ip, .aux_type = 6},
		 PGB_CONVERT_FDATA,
		 PGB_E_UNSUPPORTED,
		 "hisi_ptt",
		 "record"},
	};
	struct test *test = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		write_recording(test, "perf.data", &rows[i].recording);
		assert_int_equal(convert(test, "perf.data", "",
					 (struct pgb_convert_job){.formats = rows[i].formats}),
				 rows[i].code);
		expect_text(test->error.message, rows[i].message);
		expect_text(test->error.remedy, rows[i].remedy);
	}
}

static void takes_addresses_of_filtered_stacks(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_calls};

	write_recording(test, "perf.data", &wanted);
	expect_done(test, convert(test, "perf.data", "", (struct pgb_convert_job){0}));
	expect_content("OUT", "no_lbr cycles:u:\n1 work 4 3\n");
	expect_text(test->log.data, "recorded with a filter");
}

/* Each end is clean: a profile of what is there, or an error and no output. */
static void survives_every_cut(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_ip, .map_id = own_id};
	struct perf_bytes bytes = make_recording(test, &wanted);
	unsigned int whole = 0;

	for (size_t length = 0; length < bytes.length; length++) {
		int code;

		write_bytes("cut.data", bytes.data, length);
		code = convert(test, "cut.data", "", (struct pgb_convert_job){0});
		assert_int_equal(access("OUT", F_OK), code == 0 ? 0 : -1);
		if (code != 0)
			assert_string_not_equal(test->error.message, "");
		whole += code == 0;
	}
	assert_in_range(whole, 1, bytes.length - 1);
	perf_bytes_release(&bytes);
}

/* ---- several binaries */

static void check_folder(const struct test *test, const struct test *other)
{
	struct pgb_recording recording;
	const struct pgb_recorded_binary *recorded;
	struct pgb_text text = {0};
	char *path;

	assert_int_equal(pgb_recording_read(&recording, "folder", NULL), 0);
	assert_string_equal(recording.source, "ip");
	assert_string_equal(recording.event, "cycles:u");
	assert_string_equal(recording.program, "pgobolt test");
	assert_string_equal(recording.machine, test->host.machine);
	assert_false(recording.branches);
	assert_int_equal(recording.stats.source.samples, 6);
	assert_int_equal(recording.binaries.count, 2);
	/* the heavier one first */
	recorded = pgb_recording_main(&recording);
	assert_non_null(recorded);
	assert_string_equal(recorded->id, other->id);
	assert_string_equal(recorded->path, other->path);
	assert_true(recorded->executable);
	assert_int_equal(recorded->count, 30);
	assert_int_equal(recorded->quality.grade, 'D');
	path = pgb_recording_file(&recording, recorded->fdata_file);
	expect_content(path, "no_lbr cycles:u:\n1 work 4 30\n");
	free(path);
	path = pgb_recording_file(&recording, recorded->edges_file);
	assert_int_equal(pgb_file_read(&text, path, 1 << 20, NULL), 0);
	expect_text(text.data, "source ip\n");
	pgb_text_release(&text);
	free(path);
	pgb_recording_release(&recording);
}

static void writes_a_recording_of_several(void **state)
{
	struct test *test = *state;
	const struct recording wanted = {.attr = &attr_ip, .map_id = own_id};
	struct test other = *test;
	const char *binaries[2];

	workshop_compile(&test->workshop, "tool",
			 "-O2 -fno-inline -fno-pie -no-pie -Wl,--build-id=sha1", program);
	other.path = workshop_path(&test->workshop, "tool");
	look_at_program(&other);
	write_recording(test, "one.data", &wanted);
	write_recording(&other, "two.data", &wanted);
	binaries[0] = test->path;
	binaries[1] = other.path;
	expect_done(test,
		    convert(test, "one.data", "two.data",
			    (struct pgb_convert_job){
				    .binaries = binaries, .binary_count = 2, .output = "folder"}));
	assert_int_equal(access("OUT", F_OK), -1);
	check_folder(test, &other);

	/* and out of it again, one alone, with text */
	expect_done(test, convert(test, "folder", "",
				  (struct pgb_convert_job){.formats = PGB_CONVERT_PREAGG}));
	assert_int_equal(test->result.binaries.items[0].count, 3);
	assert_int_equal(test->result.others.count, 1);
	assert_string_equal(test->result.others.items[0].name, "tool");

	/* what was not recorded is said, and is no reason to fail */
	expect_done(test,
		    convert(test, "one.data", "",
			    (struct pgb_convert_job){
				    .binaries = binaries, .binary_count = 2, .output = "folder"}));
	expect_text(test->log.data, "nothing was recorded of ");
	assert_int_equal(access("folder.old", F_OK), 0);
	/* text is of one binary */
	workshop_write(&test->workshop, "in.preagg", "S 10 5\n");
	assert_int_equal(convert(test, "in.preagg", "",
				 (struct pgb_convert_job){.binaries = binaries,
							  .binary_count = 2,
							  .output = "folder"}),
			 PGB_E_USAGE);
	binaries[1] = test->path;
	assert_int_equal(convert(test, "one.data", "",
				 (struct pgb_convert_job){.binaries = binaries,
							  .binary_count = 2,
							  .output = "folder"}),
			 PGB_E_USAGE);
	expect_text(test->error.message, "the same build");
	free(other.path);
	free(other.id);
}

/* ---- text */

static void reads_text(void **state)
{
	struct test *test = *state;
	char *samples = pgb_format("E cpu-clock\nS %llx 4\n", (unsigned long long)test->work);
	char *expected;

	workshop_write(&test->workshop, "in.preagg", samples);
	workshop_write(&test->workshop, "in.fdata", "no_lbr cycles:u:\n1 work 4 5\n");
	workshop_write(&test->workshop, "branches.fdata", "1 work 8 1 work 4 0 5\n");
	expect_done(test, convert(test, "in.preagg", "", (struct pgb_convert_job){0}));
	expect_content("OUT", "no_lbr cpu-clock\n1 work 0 4\n");
	expect_done(test, convert(test, "in.preagg", "in.fdata", (struct pgb_convert_job){0}));
	expect_content("OUT", "no_lbr cpu-clock cycles:u:\n1 work 0 4\n1 work 4 50\n");
	expect_done(test, convert(test, "branches.fdata", "", (struct pgb_convert_job){0}));
	expect_content("OUT", "1 work 8 1 work 4 0 5\n");

	assert_int_equal(convert(test, "in.preagg", "branches.fdata", (struct pgb_convert_job){0}),
			 PGB_E_MISMATCH);
	assert_int_equal(convert(test, "in.fdata", "",
				 (struct pgb_convert_job){.formats = PGB_CONVERT_PREAGG}),
			 PGB_E_USAGE);
	expect_text(test->error.message, "in.fdata");
	expected = pgb_format("B %llx %llx 4 0\n", (unsigned long long)test->work,
			      (unsigned long long)test->work);
	workshop_write(&test->workshop, "branches.preagg", expected);
	assert_int_equal(convert(test, "in.preagg", "branches.preagg", (struct pgb_convert_job){0}),
			 PGB_E_MISMATCH);
	expect_text(test->error.message, "do not add up");
	free(expected);
	free(samples);
}

static void refuses_bad_input(void **state)
{
	static const struct {
		const char *name, *text;
		int code;
	} rows[] = {
		{"missing", NULL, PGB_E_NOT_FOUND},
		{"empty", "", PGB_E_EMPTY},
		{"unknown", "hello\n", PGB_E_CORRUPT},
		{"corrupt.fdata", "1 work 8 1 work\n", PGB_E_CORRUPT},
		{"cut.fdata", "1 work 8 1 work 4 0 5", PGB_E_TRUNCATED},
		{"corrupt.preagg", "B 10 20 x\n", PGB_E_CORRUPT},
		{"cut.data", "PERFILE2", PGB_E_TRUNCATED},
		{"elf", "\177ELF", PGB_E_MISMATCH},
	};
	struct test *test = *state;
	const char *not_elf = "unknown";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int code;

		if (rows[i].text)
			write_bytes(rows[i].name, rows[i].text, strlen(rows[i].text));
		code = convert(test, rows[i].name, "", (struct pgb_convert_job){0});
		if (code != rows[i].code)
			fail_msg("%s: %d, %s", rows[i].name, code, test->error.message);
		expect_text(test->error.message, rows[i].name);
		assert_int_equal(access("OUT", F_OK), -1);
	}
	workshop_write(&test->workshop, "OUT", "1 work 8 1 work 4 0 5\n");
	assert_int_equal(
		convert(test, "missing", "", (struct pgb_convert_job){.binaries = &not_elf}),
		PGB_E_NOT_SUITABLE);
	assert_int_equal(link("cut.fdata", "OUT"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_the_binary, set_up, tear_down),
		cmocka_unit_test_setup_teardown(adds_inputs_with_weights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notes_the_build, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_other_events_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exports_branches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(checks_branches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_useless_input, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_addresses_of_filtered_stacks, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(survives_every_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_a_recording_of_several, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reads_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_bad_input, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
