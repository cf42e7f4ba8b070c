/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgobolt/pgo/cli/progress.h"

static uint64_t now_ns;

static uint64_t test_clock(void)
{
	return now_ns;
}

static void test_line(void **state)
{
	struct pgb_output output = {0};
	struct pgb_progress progress;
	size_t length;
	char *text;

	(void)state;
	output.stderr_stream = output.people = open_memstream(&text, &length);
	pgb_progress_init(&progress, &output);
	assert_false(progress.active); /* memory is no terminal */
	pgb_progress_update(&progress, "nobody sees this");
	progress.active = true;
	progress.clock_ns = test_clock;
	progress.width = 6;
	now_ns = 1000000000;
	pgb_progress_update(&progress, "one");
	now_ns += 99999999;
	pgb_progress_update(&progress, "too early");
	now_ns += 1;
	pgb_progress_update(&progress, "grüßen");
	pgb_output_line(&output, "line");
	pgb_progress_update(&progress, "x");
	pgb_progress_done(&progress);
	pgb_progress_update(&progress, "over");
	pgb_output_line(&output, "end");
	fclose(output.stderr_stream);
	assert_string_equal(text, "\r\033[Kone\r\033[Kgrüße\r\033[Kline\n\r\033[Kx\r\033[Kend\n");
	free(text);
	assert_null(output.progress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_line)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
