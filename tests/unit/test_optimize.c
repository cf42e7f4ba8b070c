/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/pgo/optimize.h"
#include "pgobolt/pgo/recording.h"
#include "tests/support/workshop.h"

static const char program[] = "int main(void) { return 0; }";
static const char other_program[] =
	"int f(int a) { return a * a; } int main(void) { return f(2); }";

struct test {
	struct workshop workshop;
	char before[4096];
	char *path; /* of the program "app" */
	char *id;   /* its build-id */
};

static int set_up(void **state)
{
	struct test *test = pgb_calloc(1, sizeof(*test));
	struct pgb_elf_image *image;

	assert_non_null(getcwd(test->before, sizeof(test->before)));
	workshop_open(&test->workshop);
	assert_int_equal(chdir(test->workshop.folder), 0);
	workshop_compile(&test->workshop, "app", "-Wl,-q -Wl,--build-id=sha1", program);
	test->path = workshop_path(&test->workshop, "app");
	assert_int_equal(pgb_elf_image_open(&image, test->path, NULL), 0);
	test->id = pgb_build_id_string(&pgb_elf_image_binary(image)->build_id);
	pgb_elf_image_close(image);
	workshop_write(&test->workshop, "app.fdata", "1 main 0 1 main 0 0 1\n");
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	assert_int_equal(chdir(test->before), 0);
	workshop_close(&test->workshop);
	free(test->path);
	free(test->id);
	free(test);
	return 0;
}

/* One binary as it was recorded; changed row by row below. */
static struct pgb_recorded_binary recorded(const struct test *test, char *name, char *id,
					   char *build_id, char *fdata)
{
	static char reason[] = "no symbols";

	return (struct pgb_recorded_binary){.name = name,
					    .path = test->path,
					    .id = id,
					    .build_id = build_id,
					    .fdata_file = fdata,
					    .reason = fdata ? NULL : reason,
					    .executable = true,
					    .count = 5,
					    .functions = 1};
}

/* Write DIR/recording.json and an empty DIR/p.fdata. */
static void write_recording(const struct test *test, const char *directory,
			    struct pgb_recorded_binary *binary, char *source)
{
	char empty[] = "", machine[] = "x86_64";
	char folder[] = "unused", *text, *name;
	struct pgb_recording recording = {.directory = folder,
					  .program = empty,
					  .source = source,
					  .reason = empty,
					  .event = empty,
					  .command = empty,
					  .machine = machine,
					  .cpu = empty,
					  .kernel = empty,
					  .runs = 1,
					  .branches = true};

	recording.binaries.items = binary;
	recording.binaries.count = 1;
	recording.main = 0;
	text = pgb_recording_text(&recording);
	assert_int_equal(workshop_shell(&test->workshop, "mkdir -p '%s'", directory), 0);
	name = pgb_format("%s/recording.json", directory);
	workshop_write(&test->workshop, name, text);
	free(name);
	free(text);
}

static void chooses_the_recorded_profile(void **state)
{
	struct test *test = *state;
	char name[] = "app", fdata[] = "p.fdata", source[] = "lbr", spe[] = "spe";
	struct pgb_recorded_binary binary = recorded(test, name, test->id, test->id, fdata);
	struct pgb_chosen_profile chosen;
	struct pgb_error error = {0};
	char *id;

	write_recording(test, "pgobolt.data", &binary, source);
	if (pgb_profile_choose(&chosen, NULL, NULL, &error) != 0)
		fail_msg("%s", error.message);
	assert_string_equal(chosen.binary, test->path);
	assert_string_equal(chosen.fdata, "pgobolt.data/p.fdata");
	assert_string_equal(chosen.recording, "pgobolt.data");
	assert_string_equal(chosen.source, "lbr");
	assert_false(chosen.single_branches);
	assert_true(chosen.has_build_id);
	id = pgb_build_id_string(&chosen.build_id);
	assert_string_equal(id, test->id);
	free(id);
	pgb_chosen_profile_release(&chosen);

	write_recording(test, "elsewhere", &binary, spe);
	assert_int_equal(pgb_profile_choose(&chosen, "app", "elsewhere", NULL), 0);
	assert_string_equal(chosen.binary, "app");
	assert_true(chosen.single_branches);
	assert_false(chosen.is_inferred);
	pgb_chosen_profile_release(&chosen);

	binary.quality = (struct pgb_quality){.grade = 'B', .inferred = 0.125};
	write_recording(test, "elsewhere", &binary, spe);
	assert_int_equal(pgb_profile_choose(&chosen, "app", "elsewhere", NULL), 0);
	assert_true(chosen.is_inferred && chosen.inferred > 0.12 && chosen.inferred < 0.13);
	pgb_chosen_profile_release(&chosen);
}

static void refuses_what_does_not_fit(void **state)
{
	struct test *test = *state;
	char app[] = "app", other[] = "other", fdata[] = "p.fdata", source[] = "ip";
	char foreign[] = "00112233445566778899aabbccddeeff00112233", hash[] = "h0011223344556677";
	struct pgb_recorded_binary rows[] = {
		recorded(test, other, foreign, foreign, fdata),
		recorded(test, app, hash, NULL, fdata),
		recorded(test, app, test->id, test->id, NULL),
	};
	static const struct {
		int code;
		const char *says;
	} expected[] = {
		{PGB_E_MISMATCH, "which holds other"},
		{PGB_E_MISMATCH, "its code differs"},
		{PGB_E_EMPTY, "no symbols"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_chosen_profile chosen;
		struct pgb_error error = {0};

		write_recording(test, "pgobolt.data", &rows[i], source);
		assert_int_equal(pgb_profile_choose(&chosen, "app", NULL, &error),
				 expected[i].code);
		assert_non_null(strstr(error.message, expected[i].says));
		assert_true(error.remedy[0] != '\0');
		pgb_chosen_profile_release(&chosen);
	}
}

/* Another build of the same name is chosen: verify then names both build-ids. */
static void leaves_other_builds_to_verify(void **state)
{
	struct test *test = *state;
	char app[] = "app", fdata[] = "p.fdata", source[] = "ip", twin[64];
	char foreign[] = "00112233445566778899aabbccddeeff00112233";
	struct pgb_recorded_binary binary = recorded(test, app, foreign, foreign, fdata);
	struct pgb_llvm_bolt bolt = {0};
	struct pgb_chosen_profile chosen;
	struct pgb_optimize_result result;
	struct pgb_optimize_job job = {.profile = &chosen};
	struct pgb_error error = {0};

	write_recording(test, "pgobolt.data", &binary, source);
	assert_int_equal(pgb_profile_choose(&chosen, "app", NULL, NULL), 0);
	assert_int_equal(pgb_optimize(&job, &bolt, &result, NULL, &error), PGB_E_MISMATCH);
	assert_non_null(strstr(error.message, foreign));
	assert_non_null(strstr(error.message, test->id));
	assert_string_equal(result.output, "app.bolt");
	pgb_optimize_result_release(&result);
	pgb_chosen_profile_release(&chosen);

	/* recorded from what llvm-bolt made of it: the last bit of the build-id differs */
	pgb_error_clear(&error);
	strcpy(twin, test->id);
	twin[strlen(twin) - 1] = "1032547698badcfe"[strtol(twin + strlen(twin) - 1, NULL, 16)];
	binary = recorded(test, app, twin, twin, fdata);
	write_recording(test, "pgobolt.data", &binary, source);
	assert_int_equal(pgb_profile_choose(&chosen, "app", NULL, NULL), 0);
	assert_int_equal(pgb_optimize(&job, &bolt, &result, NULL, &error), PGB_E_MISMATCH);
	assert_non_null(strstr(error.message, "after llvm-bolt"));
	pgb_optimize_result_release(&result);
	pgb_chosen_profile_release(&chosen);
}

static void knows_binaries_without_build_id(void **state)
{
	struct test *test = *state;
	char app[] = "app", fdata[] = "p.fdata", source[] = "ip";
	struct pgb_recorded_binary entry;
	struct pgb_binary binary = {0};
	struct pgb_chosen_profile chosen;
	char *id;

	workshop_compile(&test->workshop, "app", "-Wl,-q -Wl,--build-id=none", program);
	assert_int_equal(pgb_binary_read(&binary, test->path, test->path, NULL), 0);
	id = pgb_binary_id(&binary);
	assert_int_equal(id[0], 'h');
	entry = recorded(test, app, id, NULL, fdata);
	write_recording(test, "pgobolt.data", &entry, source);
	assert_int_equal(pgb_profile_choose(&chosen, "app", NULL, NULL), 0);
	assert_false(chosen.has_build_id);
	pgb_chosen_profile_release(&chosen);
	workshop_compile(&test->workshop, "app", "-Wl,-q -Wl,--build-id=none", other_program);
	assert_int_equal(pgb_profile_choose(&chosen, "app", NULL, NULL), PGB_E_MISMATCH);
	pgb_chosen_profile_release(&chosen);
	pgb_binary_release(&binary);
	free(id);
}

static void reads_the_note_beside_a_lone_profile(void **state)
{
	struct test *test = *state;
	static const struct {
		const char *note; /* NULL: none */
		int code;
		bool has_build_id;
	} rows[] = {
		{NULL, 0, false},
		{"{\"build_id\": \"0011\"}", 0, true},
		{"{}", 0, false},
		{"{\"build_id\": 5}", 0, false},
		{"{\"build_id\": \"001\"}", PGB_E_CORRUPT, false},
		{"{\"build_id\": \"zz\"}", PGB_E_CORRUPT, false},
		{"{", PGB_E_CORRUPT, false},
		{"", PGB_E_CORRUPT, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_chosen_profile chosen;

		if (rows[i].note != NULL)
			workshop_write(&test->workshop, "app.fdata.json", rows[i].note);
		assert_int_equal(pgb_profile_choose(&chosen, "app", "app.fdata", NULL),
				 rows[i].code);
		if (rows[i].code == 0)
			assert_int_equal(chosen.has_build_id, rows[i].has_build_id);
		pgb_chosen_profile_release(&chosen);
	}
}

static void names_what_it_cannot_take(void **state)
{
	static const struct {
		const char *binary, *profile;
		int code;
	} rows[] = {
		{NULL, "app.fdata", PGB_E_USAGE}, {"app", "missing", PGB_E_NOT_FOUND},
		{"app", "app", PGB_E_MISMATCH},	  {"app", "empty", PGB_E_EMPTY},
		{"app", NULL, PGB_E_NOT_FOUND},	  {"app", ".", PGB_E_NOT_FOUND},
		{"app", "app.c", PGB_E_CORRUPT},
	};
	struct test *test = *state;

	workshop_write(&test->workshop, "empty", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_chosen_profile chosen;
		struct pgb_error error = {0};

		assert_int_equal(
			pgb_profile_choose(&chosen, rows[i].binary, rows[i].profile, &error),
			rows[i].code);
		assert_true(error.message[0] != '\0');
		pgb_chosen_profile_release(&chosen);
	}
}

/* ---- the search after a crash, two trials at a time */

static const char many[] =
	"#define F(n) __attribute__((noinline)) int f##n(int a) { return a % 7 == n ? a * n : a ^ "
	"n; }\n"
	"F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9)\n"
	"int main(int c, char **v) { (void)v; return f0(f1(f2(f3(f4(f5(f6(f7(f8(f9(c)))))))))); }";

static struct pgb_chosen_profile many_profile(struct workshop *workshop)
{
	struct pgb_text fdata = {0};

	workshop_compile(workshop, "many", "-O1 -Wl,-q", many);
	for (int i = 0; i < 10; i++)
		pgb_text_addf(&fdata, "1 main 0 1 f%d 0 0 100\n", i);
	workshop_write(workshop, "many.fdata", pgb_text_string(&fdata));
	pgb_text_release(&fdata);
	return (struct pgb_chosen_profile){.binary = pgb_dup("many"),
					   .fdata = pgb_dup("many.fdata")};
}

/* llvm-bolt that crashes while it works on any of these functions, without naming it. */
static void write_crashing(struct workshop *workshop, const char *real, const char *functions)
{
	char *script =
		pgb_format("case $1 in --*) exec '%s' \"$@\" ;; esac\n"
			   "only= skip=\nfor w in \"$@\"; do case $w in -funcs-file-no-regex=*) "
			   "only=${w#*=} ;;"
			   " -skip-funcs=*) skip=,${w#*=}, ;; esac; done\n"
			   "for f in %s; do case $skip in *,$f,*) continue ;; esac\n"
			   "[ -n \"$only\" ] && ! grep -qx $f \"$only\" || kill -SEGV $$; done\n"
			   "exec '%s' \"$@\"\n",
			   real, functions, real);

	workshop_script(workshop, "crashing", script);
	free(script);
}

static void searches_after_a_crash_in_parallel(void **state)
{
	static const struct {
		const char *functions;
		size_t guilty;
	} rows[] = {{"f3", 1}, {"f0 f9", 2}, {"f4 f5 f6", 3}};
	struct test *test = *state;
	struct pgb_llvm_bolt real, bolt;
	struct pgb_chosen_profile profile;

	if (pgb_llvm_bolt_find(&real, NULL, NULL) != 0) {
		pgb_llvm_bolt_release(&real);
		skip();
	}
	profile = many_profile(&test->workshop);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_optimize_job job = {
			.profile = &profile, .parallel = 2, .bolt = {.stale_percent_most = 100}};
		struct pgb_optimize_result result;
		struct pgb_error error = {0};

		write_crashing(&test->workshop, real.path, rows[i].functions);
		assert_int_equal(pgb_llvm_bolt_find(&bolt, "./crashing", &error), 0);
		if (pgb_optimize(&job, &bolt, &result, NULL, &error) != 0)
			fail_msg("%s: %s", rows[i].functions, error.message);
		assert_true(result.crash.done);
		assert_int_equal(result.crash.end, PGB_BISECT_FOUND);
		assert_int_equal(result.crash.functions.count, rows[i].guilty);
		for (size_t k = 0; k < rows[i].guilty; k++)
			assert_non_null(strstr(rows[i].functions, result.crash.functions.items[k]));
		assert_true(result.crash.runs <=
			    pgb_bisect_runs_most(result.crash.candidates, rows[i].guilty));
		assert_int_equal(result.bolt.steps.count, 0);
		assert_int_equal(workshop_shell(&test->workshop, "./many; a=$?; ./many.bolt; "
								 "[ $? -eq $a ]"),
				 0);
		assert_false(workshop_has(&test->workshop, "many.bolt.search"));
		pgb_optimize_result_release(&result);
		pgb_llvm_bolt_release(&bolt);
	}
	pgb_llvm_bolt_release(&real);
	pgb_chosen_profile_release(&profile);
}

#define WITH_FOLDER(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(chooses_the_recorded_profile),
		WITH_FOLDER(refuses_what_does_not_fit),
		WITH_FOLDER(leaves_other_builds_to_verify),
		WITH_FOLDER(knows_binaries_without_build_id),
		WITH_FOLDER(reads_the_note_beside_a_lone_profile),
		WITH_FOLDER(names_what_it_cannot_take),
		WITH_FOLDER(searches_after_a_crash_in_parallel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
