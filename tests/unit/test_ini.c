/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"

/* "key=value@line," for each entry, or the message. */
static char *parsed(const char *text, size_t length)
{
	struct pgb_error error = {0};
	struct pgb_text out = {0};
	struct pgb_ini ini;
	int code = pgb_ini_parse(&ini, pgb_cursor_of(text, length), "x.ini", &error);

	for (size_t i = 0; code == 0 && i < ini.entries.count; i++)
		pgb_text_addf(&out, "%s=%s@%d,", ini.entries.items[i].key,
			      ini.entries.items[i].value, (int)ini.entries.items[i].line);
	if (code != 0) {
		pgb_text_add(&out, error.message);
		assert_int_equal(code, error.code);
		assert_true(error.code == PGB_E_LIMIT || error.remedy[0] != '\0');
	}
	pgb_ini_release(&ini);
	return pgb_text_detach(&out);
}

static void test_lines(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"", ""},
		{"\n \t\n# c = d\n; e\n\t# f\n", ""},
		{"build = make", "build=make@1,"},
		{"[run]\nbuild=make -j4  \r\n", "build=make -j4@2,"},
		{"[ run ]\n\n train = a\n", "x.ini:3: a line that begins with a blank goes on "
					    "with the value before it, and there is none"},
		{"train = a = \"b c\"\ntrain = d\n", "train=a = \"b c\"@1,train=d@2,"},
		{"check = a &&\n\tb\n\n  c\n", "check=a &&\nb\nc@1,"},
		{"check =\n\tb\n", "check=b@1,"},
		{"clean =\n", "clean=@1,"},
		{"build\n", "x.ini:1: there is no = in this line"},
		{"\n= make\n", "x.ini:2: there is no option before ="},
		{"[bench]\n", "x.ini:1: the only section is [run]"},
		{"[run\n", "x.ini:1: a section's name ends with ]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *found = parsed(rows[i].text, strlen(rows[i].text));

		assert_string_equal(found, rows[i].expected);
		free(found);
	}
}

static void test_bytes_that_are_no_text(void **state)
{
	char *found = parsed("a = b\nc = \0d\n", 13);

	(void)state;
	assert_string_equal(found, "x.ini:2: a NUL byte: this is no text");
	free(found);
}

static void test_limits(void **state)
{
	struct pgb_text many = {0};
	char *found;

	(void)state;
	for (int i = 0; i < PGB_INI_ENTRIES_MAX + 1; i++)
		pgb_text_add(&many, "a=b\n");
	found = parsed(many.data, many.length);
	assert_string_equal(found, "x.ini: more than 1024 options");
	free(found);
	pgb_text_release(&many);
}

static void test_files(void **state)
{
	char path[] = "/tmp/test_ini.XXXXXX";
	struct pgb_error error = {0};
	struct pgb_ini ini;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "build = make\n", 13), 13);
	assert_int_equal(pgb_ini_read(&ini, path, &error), 0);
	assert_int_equal(ini.entries.count, 1);
	pgb_ini_release(&ini);
	assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
	assert_int_equal(pgb_ini_read(&ini, path, &error), PGB_E_LIMIT);
	pgb_ini_release(&ini);
	close(fd);
	unlink(path);
	pgb_error_clear(&error);
	assert_int_equal(pgb_ini_read(&ini, path, &error), PGB_E_NOT_FOUND);
	pgb_ini_release(&ini);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
