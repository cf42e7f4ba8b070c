/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/merge.h"

enum { PARTS = 4, LINES = 300, PATH_BYTES = 64 };

static char folder[PATH_BYTES];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/pgobolt-merge-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return pgb_file_remove_tree(folder, NULL);
}

static char *in_folder(const char *name)
{
	return pgb_format("%s/%s", folder, name);
}

static char *read_text(const char *path)
{
	struct pgb_text text = {0};

	assert_int_equal(pgb_file_read(&text, path, 1 << 20, NULL), 0);
	return pgb_text_detach(&text);
}

/* A few functions and offsets, so that most lines of one part are in the others too. */
static void write_part(const char *path, unsigned int part)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (unsigned int i = 0; i < LINES; i++) {
		uint64_t random = pgb_hash_u64(part * LINES + i + 1);

		fprintf(file, "1 f%u %x 1 f%u %x %u %u\n", (unsigned int)(random % 7),
			(unsigned int)(random >> 8 & 15), (unsigned int)(random >> 16 & 255) % 7,
			(unsigned int)(random >> 24 & 15), (unsigned int)(random >> 32 & 3),
			(unsigned int)(random >> 40 & 1023));
	}
	fclose(file);
}

static char *merge_in_order(char *const *paths, const unsigned int *order,
			    struct pgb_merge_result *result)
{
	struct pgb_merge_input inputs[PARTS];
	char *output = in_folder("out");
	struct pgb_merge_job job = {.inputs = inputs, .input_count = PARTS, .output = output};
	struct pgb_error error = {0};
	char *text;

	for (size_t i = 0; i < PARTS; i++)
		inputs[i] = (struct pgb_merge_input){paths[order[i]], 1 + order[i]};
	assert_int_equal(pgb_merge(&job, result, &error), 0);
	text = read_text(output);
	unlink(output);
	free(output);
	return text;
}

/* Whatever the order, the same bytes; and the sum is what was put in. */
static void test_order(void **state)
{
	static const unsigned int orders[][PARTS] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};
	struct pgb_merge_result result;
	uint64_t total = 0;
	char *paths[PARTS], *first = NULL;

	(void)state;
	for (unsigned int part = 0; part < PARTS; part++) {
		char name[16];

		snprintf(name, sizeof(name), "part%u.fdata", part);
		paths[part] = in_folder(name);
		write_part(paths[part], part);
		for (unsigned int i = 0; i < LINES; i++)
			total += (pgb_hash_u64(part * LINES + i + 1) >> 40 & 1023) * (1 + part);
	}
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		char *text = merge_in_order(paths, orders[i], &result);

		assert_int_equal(result.kind, PGB_INPUT_FDATA);
		assert_int_equal(result.total, total);
		assert_true(result.lines > LINES && result.lines < PARTS * LINES);
		if (first) {
			assert_string_equal(text, first);
			free(text);
		} else {
			first = text;
		}
	}
	free(first);
	for (size_t i = 0; i < PARTS; i++)
		free(paths[i]);
}

static void count_warning(void *context, enum pgb_log_level level, const char *message)
{
	(void)message;
	*(unsigned int *)context += level == PGB_LOG_WARNING;
}

static void count_input(void *context, size_t index)
{
	assert_int_equal(index, *(size_t *)context);
	(*(size_t *)context)++;
}

static void test_repeats_and_progress(void **state)
{
	char *path = in_folder("a.fdata"), *output = in_folder("b.fdata");
	struct pgb_merge_input inputs[] = {{path, 2}, {path, 3}};
	unsigned int warnings = 0;
	size_t announced = 0;
	struct pgb_log log = {.write = count_warning, .context = &warnings};
	struct pgb_merge_job job = {.inputs = inputs,
				    .input_count = 2,
				    .output = output,
				    .log = &log,
				    .progress = count_input,
				    .progress_context = &announced};
	struct pgb_merge_result result;
	struct pgb_error error = {0};
	char *text, *again;

	(void)state;
	write_part(path, 9);
	assert_int_equal(pgb_merge(&job, &result, &error), 0);
	assert_int_equal(warnings, 1);
	assert_int_equal(announced, 2);
	/* 2 + 3 times is the same as 5 times */
	text = read_text(output);
	unlink(output);
	inputs[0].weight = 5;
	job.input_count = 1;
	announced = 0;
	assert_int_equal(pgb_merge(&job, &result, &error), 0);
	again = read_text(output);
	assert_string_equal(text, again);
	free(again);
	free(text);
	free(output);
	free(path);
}

static void test_refusals(void **state)
{
	char *fdata = in_folder("c.fdata"), *preagg = in_folder("c.preagg");
	struct pgb_merge_input inputs[] = {{fdata, 1}, {preagg, 1}};
	struct pgb_merge_job job = {.inputs = inputs, .input_count = 2, .output = fdata};
	struct pgb_merge_result result;
	struct pgb_error error = {0};
	FILE *file = fopen(preagg, "w");

	(void)state;
	fputs("B 10 20 1 0\n", file);
	fclose(file);
	write_part(fdata, 1);
	assert_int_equal(pgb_merge(&job, &result, &error), PGB_E_MISMATCH);
	pgb_error_clear(&error);
	job.input_count = 1;
	assert_int_equal(pgb_merge(&job, &result, &error), PGB_E_EXISTS);
	pgb_error_clear(&error);
	inputs[0].path = "/nonexistent";
	assert_int_equal(pgb_merge(&job, &result, &error), PGB_E_NOT_FOUND);
	free(fdata);
	free(preagg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_repeats_and_progress),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
