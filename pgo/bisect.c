/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/bisect.h"

#include <math.h>
#include <string.h>

enum {
	/*
	 * Two at a time save 0.58 rounds for 0.42 runs more than halving needs, three one round for
	 * one run: with the runs bounded, two save most.
	 */
	PARALLEL_MOST = 2,
	/* Trials of each guilty item that are not halvings, see pgb_bisect_runs_most(). */
	RUNS_EXTRA = 5,
};

struct search {
	const struct pgb_bisect_job *job;
	struct pgb_bisect_result *result;
	size_t good;   /* a trial to here passes .. */
	size_t bad;    /* .. and to here fails */
	size_t budget; /* of trials, until this guilty item is found and the rest is tried */
};

static size_t ceil_log2(size_t value)
{
	size_t bits = 0;

	while (bits < 63 && ((size_t)1 << bits) < value)
		bits++;
	return bits;
}

size_t pgb_bisect_runs_most(size_t items, size_t guilty)
{
	if (guilty == 0 || items == 0)
		return 2;
	return (size_t)((double)guilty * (log2((double)items) + RUNS_EXTRA));
}

static int test(struct search *search, const size_t *ends, size_t count, bool *passed,
		struct pgb_error *error)
{
	struct pgb_bisect_trial trials[PARALLEL_MOST];

	for (size_t i = 0; i < count; i++)
		trials[i] = (struct pgb_bisect_trial){
			.end = ends[i],
			.left_out = search->result->guilty.items,
			.left_out_count = search->result->guilty.count,
		};
	search->result->runs += count;
	search->result->rounds++;
	return search->job->test(search->job->context, trials, count, passed, error);
}

/*
 * How many trials at a time: they divide what is left by one more than their number. What halving
 * would have needed less must fit into the budget, with one trial of the rest.
 */
static size_t choose_width(const struct search *search)
{
	size_t range = search->bad - search->good;
	size_t width =
		search->job->parallel < PARALLEL_MOST ? search->job->parallel : PARALLEL_MOST;

	if (width > range - 1)
		width = range - 1;
	while (width > 1) {
		size_t left = (range + width) / (width + 1);

		if (search->result->runs + width + ceil_log2(left) + 1 <= search->budget)
			break;
		width--;
	}
	return width > 0 ? width : 1;
}

/* Bring `good` and `bad` together, until they are one item apart. */
static int narrow(struct search *search, struct pgb_error *error)
{
	while (search->bad - search->good > 1) {
		size_t range = search->bad - search->good, width = choose_width(search);
		size_t ends[PARALLEL_MOST];
		bool passed[PARALLEL_MOST] = {false};
		int code;

		for (size_t i = 0; i < width; i++)
			ends[i] = search->good + (range * (i + 1) + width) / (width + 1);
		code = test(search, ends, width, passed, error);
		if (code != 0)
			return code;
		/* what fails fails with more items, too: the first failing one decides */
		for (size_t i = 0; i < width; i++) {
			if (!passed[i]) {
				search->bad = ends[i];
				break;
			}
			search->good = ends[i];
		}
	}
	return 0;
}

/* One guilty item after the other; all items have failed. */
static int find_all(struct search *search, struct pgb_error *error)
{
	const struct pgb_bisect_job *job = search->job;
	struct pgb_bisect_result *result = search->result;

	for (bool passed = false;;) {
		int code;

		/* with every item that is left behind `good` guilty there is nothing to search */
		if (search->good == job->items) {
			result->end = PGB_BISECT_ELSEWHERE;
			return 0;
		}
		if (job->guilty_most > 0 && result->guilty.count == job->guilty_most) {
			result->end = PGB_BISECT_TOO_MANY;
			return 0;
		}
		search->bad = job->items;
		search->budget = pgb_bisect_runs_most(job->items, result->guilty.count + 1);
		code = narrow(search, error);
		if (code != 0)
			return code;
		/* the item at `good` makes the difference; without it, `bad` is as good */
		pgb_array_push(&result->guilty, search->good);
		search->good = search->bad;
		code = test(search, &job->items, 1, &passed, error);
		if (code != 0 || passed) {
			result->end = PGB_BISECT_FOUND;
			return code;
		}
	}
}

int pgb_bisect(const struct pgb_bisect_job *job, struct pgb_bisect_result *result,
	       struct pgb_error *error)
{
	struct search search = {.job = job, .result = result};
	const size_t ends[2] = {0, job->items};
	size_t together = job->parallel > 1 ? 2 : 1;
	bool passed[2] = {false};
	int code;

	*result = (struct pgb_bisect_result){0};
	code = test(&search, ends, together, passed, error);
	if (code == 0 && together == 1 && passed[0])
		code = test(&search, &ends[1], 1, &passed[1], error);
	if (code != 0)
		return code;
	if (!passed[0]) {
		result->end = PGB_BISECT_ELSEWHERE;
		return 0;
	}
	if (passed[1])
		return 0;
	return find_all(&search, error);
}

void pgb_bisect_result_release(struct pgb_bisect_result *result)
{
	pgb_array_release(&result->guilty);
	*result = (struct pgb_bisect_result){0};
}
