/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/pipeline_sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

static char folder[] = "/tmp/test_sources.XXXXXX";

static void put(const char *name, const char *content)
{
	char *path = pgb_format("%s/%s", folder, name), *slash = strrchr(path, '/');
	FILE *file;

	*slash = '\0';
	assert_int_equal(pgb_file_make_directories(path, NULL), 0);
	*slash = '/';
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
	free(path);
}

static void test_names(void **state)
{
	static const char *const sources[] = {
		"a.c", "a.rs", "x.C", "Makefile", "a.in", "b.S", "CMakeLists.txt", "Cargo.lock"};
	static const char *const others[] = {"a.o", "a", "c", "a.txt", "app", "a.so", "x."};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		assert_true(pgb_sources_is_name(sources[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(pgb_sources_is_name(others[i]));
}

/* Names of what was found, without the folder's. */
static char *found(const struct pgb_sources *sources)
{
	struct pgb_text text = {0};

	for (size_t i = 0; i < sources->files.count; i++)
		pgb_text_addf(&text, "%s ", sources->files.items[i].path + strlen(folder) + 1);
	return pgb_text_detach(&text);
}

static void expect(const struct pgb_sources *sources, const char *wanted)
{
	char *names = found(sources);

	assert_string_equal(names, wanted);
	free(names);
}

static void test_changes(void **state)
{
	char *list = pgb_format("%s/list", folder);
	struct pgb_sources sources, again;
	struct pgb_error error = {0};

	(void)state;
	put("b.c", "1");
	put("a.h", "2");
	put("deep/er/c.rs", "3");
	put("app.o", "object");
	put(".git/d.c", "hidden");
	put("target/CACHEDIR.TAG", "");
	put("target/out.rs", "output");
	put("CMakeFiles/e.c", "output");
	pgb_sources_scan(&sources, folder);
	expect(&sources, "a.h b.c deep/er/c.rs ");
	assert_null(pgb_sources_changed(&sources));
	assert_int_equal(pgb_sources_drop_changed(&sources), 0);

	assert_int_equal(pgb_sources_write(&sources, list, &error), 0);
	assert_int_equal(pgb_sources_read(&again, list, &error), 0);
	expect(&again, "a.h b.c deep/er/c.rs ");
	assert_null(pgb_sources_changed(&again));

	put("new.c", "what appears does not count");
	put("b.c", "1"); /* the same again: only content counts */
	assert_null(pgb_sources_changed(&again));
	put("b.c", "2");
	assert_string_equal(pgb_sources_changed(&again) + strlen(folder), "/b.c");
	assert_int_equal(pgb_sources_drop_changed(&again), 1);
	expect(&again, "a.h deep/er/c.rs ");
	put("deep/er/c.rs", "");
	assert_string_equal(pgb_sources_changed(&again) + strlen(folder), "/deep/er/c.rs");
	pgb_sources_release(&again);
	pgb_sources_release(&sources);
	free(list);
}

static void test_bad_lists(void **state)
{
	static const char *const lists[] = {"x\n", "12\n", "12 \n", "1 a\n\n"};
	char *list = pgb_format("%s/bad", folder);

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct pgb_sources sources;
		struct pgb_error error = {0};

		put("bad", lists[i]);
		assert_int_equal(pgb_sources_read(&sources, list, &error), PGB_E_CORRUPT);
		pgb_sources_release(&sources);
	}
	free(list);
}

static int begin(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return pgb_file_remove_tree(folder, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_bad_lists),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
