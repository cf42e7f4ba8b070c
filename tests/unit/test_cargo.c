/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cargo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"

static const char workspace[] =
	"{\"target_directory\": \"/x/target\", \"workspace_root\": \"/x\", \"packages\": ["
	"{\"name\": \"app\", \"targets\": ["
	" {\"name\": \"app\", \"kind\": [\"bin\"]}, {\"name\": \"app\", \"kind\": [\"lib\"]},"
	" {\"name\": \"demo\", \"kind\": [\"example\"]}, {\"name\": \"speed\", \"kind\": "
	"[\"bench\"]}]},"
	"{\"name\": \"my-lib\", \"targets\": [{\"name\": \"my_lib\", \"kind\": "
	"[\"rlib\", \"cdylib\"]}]},"
	"{\"name\": \"part\", \"targets\": [{\"name\": \"part\", \"kind\": [\"lib\"]}]}]}";

static const char two_programs[] =
	"{\"target_directory\": \"/x/target\", \"packages\": [{\"name\": \"p\", \"targets\": ["
	"{\"name\": \"a\", \"kind\": [\"bin\"]}, {\"name\": \"b\", \"kind\": [\"bin\"]}]}]}";

static void test_targets(void **state)
{
	static const struct {
		const char *metadata, *name, *build, *binary;
	} rows[] = {
		{workspace, "app", "cargo build --release -p app --bin app",
		 "/x/target/T/release/app"},
		{workspace, NULL, "cargo build --release -p app --bin app",
		 "/x/target/T/release/app"},
		{workspace, "demo", "cargo build --release -p app --example demo",
		 "/x/target/T/release/examples/demo"},
		{workspace, "my-lib", "cargo build --release -p my-lib --lib",
		 "/x/target/T/release/libmy_lib.so"},
		{two_programs, "b", "cargo build --release -p p --bin b", "/x/target/T/release/b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_cargo_target target;
		struct pgb_error error = {0};

		assert_int_equal(
			pgb_cargo_parse(&target,
					pgb_cursor_of(rows[i].metadata, strlen(rows[i].metadata)),
					rows[i].name, "T", &error),
			0);
		assert_string_equal(target.build, rows[i].build);
		assert_string_equal(target.binary, rows[i].binary);
		assert_string_equal(target.sources, rows[i].metadata == workspace ? "/x" : ".");
		pgb_cargo_target_release(&target);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *metadata, *name;
		int code;
		const char *said;
	} rows[] = {
		{workspace, "part", PGB_E_NOT_SUITABLE, "part is a library"},
		{workspace, "none", PGB_E_NOT_FOUND, "no program or cdylib none"},
		{two_programs, NULL, PGB_E_USAGE, "which program"},
		{"", "app", PGB_E_CORRUPT, "cargo metadata"},
		{"{}", "app", PGB_E_CORRUPT, "cargo metadata"},
		{"[1, 2]", NULL, PGB_E_CORRUPT, "cargo metadata"},
		{"{\"target_directory\": \"/x\", \"packages\": [{\"name\": \"a; b\", \"targets\": "
		 "[{\"name\": \"app\", \"kind\": [\"bin\"]}]}]}",
		 "app", PGB_E_NOT_FOUND, "no program"},
		{"{\"target_directory\": \"/x\", \"packages\": [1, {\"targets\": [2, {}]}]}", "app",
		 PGB_E_NOT_FOUND, "no program"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_cargo_target target;
		struct pgb_error error = {0};

		assert_int_equal(
			pgb_cargo_parse(&target,
					pgb_cursor_of(rows[i].metadata, strlen(rows[i].metadata)),
					rows[i].name, "T", &error),
			rows[i].code);
		assert_non_null(strstr(error.message, rows[i].said));
		assert_null(target.build);
		pgb_cargo_target_release(&target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
