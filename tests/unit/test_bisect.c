/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pgobolt/pgo/bisect.h"

/* Items that fail by themselves, and pairs that fail only together. */
struct world {
	bool *guilty;
	size_t pair[2]; /* the same twice: none */
	bool always;	/* fails whatever is used */
	size_t calls, trials, most_at_once;
	size_t stop_after; /* trials; 0: never */
	bool last_passed;
	size_t last_end, last_left_out;
};

static bool uses(const struct pgb_bisect_trial *trial, size_t item)
{
	if (item >= trial->end)
		return false;
	for (size_t i = 0; i < trial->left_out_count; i++)
		if (trial->left_out[i] == item)
			return false;
	return true;
}

static bool fails(const struct world *world, const struct pgb_bisect_trial *trial)
{
	if (world->always)
		return true;
	if (world->pair[0] != world->pair[1] && uses(trial, world->pair[0]) &&
	    uses(trial, world->pair[1]))
		return true;
	for (size_t i = 0; i < trial->end; i++)
		if (world->guilty[i] && uses(trial, i))
			return true;
	return false;
}

static int test(void *context, const struct pgb_bisect_trial *trials, size_t count, bool *passed,
		struct pgb_error *error)
{
	struct world *world = context;

	world->calls++;
	world->trials += count;
	if (count > world->most_at_once)
		world->most_at_once = count;
	if (world->stop_after > 0 && world->trials > world->stop_after)
		return pgb_fail(error, PGB_E_INTERRUPTED, "stopped");
	for (size_t i = 0; i < count; i++) {
		passed[i] = !fails(world, &trials[i]);
		world->last_passed = passed[i];
		world->last_end = trials[i].end;
		world->last_left_out = trials[i].left_out_count;
	}
	return 0;
}

static struct pgb_bisect_result search(struct world *world, size_t items, unsigned int parallel,
				       size_t most)
{
	struct pgb_bisect_job job = {.items = items,
				     .parallel = parallel,
				     .guilty_most = most,
				     .test = test,
				     .context = world};
	struct pgb_bisect_result result;
	struct pgb_error error = {0};

	assert_int_equal(pgb_bisect(&job, &result, &error), 0);
	assert_int_equal(result.runs, world->trials);
	assert_int_equal(result.rounds, world->calls);
	return result;
}

/* Every set of guilty items among few; and in many, some at random. */
static void expect_found(const bool *guilty, size_t items, unsigned int parallel)
{
	struct world world = {.guilty = (bool *)(uintptr_t)guilty};
	struct pgb_bisect_result result = search(&world, items, parallel, 0);
	size_t count = 0;

	assert_int_equal(result.end, PGB_BISECT_FOUND);
	for (size_t i = 0; i < items; i++)
		if (guilty[i]) {
			assert_true(count < result.guilty.count);
			assert_int_equal(result.guilty.items[count], i);
			count++;
		}
	assert_int_equal(result.guilty.count, count);
	if (result.runs > pgb_bisect_runs_most(items, count))
		fail_msg("%zu guilty of %zu, %u at once: %zu runs, at most %zu", count, items,
			 parallel, result.runs, pgb_bisect_runs_most(items, count));
	/* what it ends with is what was tried last */
	assert_true(world.last_passed);
	assert_int_equal(world.last_end, items);
	assert_int_equal(world.last_left_out, count);
	pgb_bisect_result_release(&result);
}

static void finds_every_set_among_few(void **state)
{
	(void)state;
	for (size_t items = 1; items <= 9; items++)
		for (unsigned int set = 0; set < 1u << items; set++)
			for (unsigned int parallel = 1; parallel <= 5; parallel += 2) {
				bool guilty[9] = {false};

				for (size_t i = 0; i < items; i++)
					guilty[i] = set >> i & 1;
				expect_found(guilty, items, parallel);
			}
}

static void finds_some_among_many(void **state)
{
	static const size_t sizes[] = {2, 3, 100, 1000, 4096, 65537, 300000};
	uint64_t seed = 1;

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t items = sizes[s];
		bool *guilty = calloc(items, sizeof(*guilty));

		assert_non_null(guilty);
		for (int trial = 0; trial < 60; trial++) {
			size_t count = (size_t)trial % 6, placed[6];

			for (size_t i = 0; i < count; i++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				placed[i] = (size_t)(seed >> 33) % items;
				guilty[placed[i]] = true;
			}
			expect_found(guilty, items, (unsigned int)(1 + trial % 8));
			for (size_t i = 0; i < count; i++)
				guilty[placed[i]] = false;
		}
		free(guilty);
	}
}

/* More trials at a time take fewer rounds. */
static void parallel_trials_save_rounds(void **state)
{
	bool guilty[4096] = {false};
	size_t rounds[9];

	(void)state;
	guilty[2718] = true;
	for (unsigned int parallel = 1; parallel <= 8; parallel *= 2) {
		struct world world = {.guilty = guilty};
		struct pgb_bisect_result result = search(&world, 4096, parallel, 0);

		assert_true(world.most_at_once <= parallel);
		rounds[parallel] = result.rounds;
		pgb_bisect_result_release(&result);
	}
	assert_true(rounds[2] < rounds[1]);
	assert_true(rounds[4] <= rounds[2]);
}

/* One of two that fail only together is enough. */
static void finds_one_of_a_pair(void **state)
{
	bool guilty[1000] = {false};
	struct world world = {.guilty = guilty, .pair = {123, 870}};
	struct pgb_bisect_result result;

	(void)state;
	guilty[500] = true;
	result = search(&world, 1000, 1, 0);
	assert_int_equal(result.end, PGB_BISECT_FOUND);
	assert_int_equal(result.guilty.count, 2);
	assert_int_equal(result.guilty.items[0], 500);
	assert_int_equal(result.guilty.items[1], 870);
	assert_true(world.last_passed);
	assert_true(result.runs <= pgb_bisect_runs_most(1000, 2));
	pgb_bisect_result_release(&result);
}

static void says_when_it_is_something_else(void **state)
{
	bool guilty[100] = {false};
	struct world world = {.guilty = guilty, .always = true};
	struct pgb_bisect_result result = search(&world, 100, 2, 0);

	(void)state;
	assert_int_equal(result.end, PGB_BISECT_ELSEWHERE);
	assert_true(result.runs <= 2);
	pgb_bisect_result_release(&result);
	world = (struct world){.guilty = guilty};
	result = search(&world, 100, 2, 0);
	assert_int_equal(result.end, PGB_BISECT_FOUND);
	assert_int_equal(result.guilty.count, 0);
	assert_int_equal(result.runs, 2);
	pgb_bisect_result_release(&result);
	world = (struct world){.guilty = guilty};
	result = search(&world, 0, 1, 0);
	assert_int_equal(result.end, PGB_BISECT_FOUND);
	pgb_bisect_result_release(&result);
}

static void gives_up_on_too_many(void **state)
{
	bool guilty[64];
	struct world world = {.guilty = guilty};
	struct pgb_bisect_result result;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		guilty[i] = true;
	result = search(&world, 64, 1, 3);
	assert_int_equal(result.end, PGB_BISECT_TOO_MANY);
	assert_int_equal(result.guilty.count, 3);
	pgb_bisect_result_release(&result);
}

static void errors_end_it(void **state)
{
	bool guilty[64] = {false};
	struct world world = {.guilty = guilty, .stop_after = 3};
	struct pgb_bisect_job job = {.items = 64, .test = test, .context = &world};
	struct pgb_bisect_result result;
	struct pgb_error error = {0};

	(void)state;
	guilty[20] = true;
	assert_int_equal(pgb_bisect(&job, &result, &error), PGB_E_INTERRUPTED);
	assert_string_equal(error.message, "stopped");
	pgb_bisect_result_release(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_set_among_few),
		cmocka_unit_test(finds_some_among_many),
		cmocka_unit_test(parallel_trials_save_rounds),
		cmocka_unit_test(finds_one_of_a_pair),
		cmocka_unit_test(says_when_it_is_something_else),
		cmocka_unit_test(gives_up_on_too_many),
		cmocka_unit_test(errors_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
