/* SPDX-License-Identifier: MIT */
/* What visits may cost: a program of our own making that uses CPU time, and its bill. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "collector/walk_budget.h"

#define MS UINT64_C(1000000)

static const struct walk_prices prices = {.visit_ns = 20000, .ticket_ns = 14000, .task_ns = 30000};
static const struct walk_prices nothing;

/* A program and its recorder, simulated in steps of a tenth of a millisecond. */
struct scene {
	double percent;
	double busy;		/* CPUs that the program uses */
	double seen;		/* of that, the share for which tickets come */
	uint64_t visit_ns;	/* our CPU time for a visit */
	uint64_t tasks_each_ms; /* that it starts */
};

static double spend(const struct scene *scene, struct walk_budget *budget, uint64_t seconds)
{
	const uint64_t step = MS / 10;
	uint64_t own = 1, program = 0, seen = 0;

	walk_budget_begin(budget, scene->percent, &prices);
	for (uint64_t now = step; now < seconds * 1000 * MS; now += step) {
		uint64_t period, tickets;

		walk_budget_learn(budget);
		period = walk_budget_period_ns(budget);
		program += (uint64_t)((double)step * scene->busy);
		seen += (uint64_t)((double)step * scene->busy * scene->seen);
		tickets = seen / period;
		seen -= tickets * period;
		walk_budget_tickets(budget, tickets, tickets * period);
		if (now % MS == 0)
			walk_budget_tasks(budget, scene->tasks_each_ms);
		if (now % (20 * MS) == 0)
			walk_budget_program(budget, now, program);
		if (tickets > 0 ? walk_budget_is_due(budget)
				: scene->seen == 0 && walk_budget_affords(budget)) {
			walk_budget_begun(budget);
			own += scene->visit_ns;
			walk_budget_own(budget, own, false);
			walk_budget_visit(budget);
		}
		walk_budget_own(budget, own, true);
	}
	return 100 * (double)budget->cost_ns / (double)program;
}

static void it_costs_what_was_asked_for(void **state)
{
	static const struct scene scenes[] = {
		{10, 1, 1, 60000, 0},	{10, 1, 1, 300000, 0}, {10, 2, 1, 60000, 0},
		{10, 0.2, 1, 60000, 0}, {40, 1, 1, 60000, 0},  {1, 1, 1, 60000, 0},
		{10, 1, 0.5, 60000, 0}, {10, 1, 0, 400000, 1}, {10, 1, 1, 5000000, 0},
	};
	struct walk_budget budget;

	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		double percent = spend(&scenes[i], &budget, 20);

		if (percent < 0.9 * scenes[i].percent || percent > 1.1 * scenes[i].percent)
			fail_msg("scene %zu: %.2f %% asked, %.2f %% spent", i, scenes[i].percent,
				 percent);
	}
}

/* Some tickets are void, but not many: they cost, too. */
static void tickets_are_a_few_more_than_visits(void **state)
{
	const struct scene scene = {10, 1, 1, 60000, 0};
	struct walk_budget budget;
	uint64_t interval;

	(void)state;
	spend(&scene, &budget, 5);
	interval = walk_budget_interval_ns(&budget);
	/* 60 + 20 + 14 us, and void tickets, at 10 % */
	assert_in_range(interval, 600000, 1500000);
	assert_in_range(budget.visits * interval, 4 * 1000 * MS, 6 * 1000 * MS);
	assert_in_range(walk_budget_period_ns(&budget), interval / 2, interval);
}

/*
 * Programs of 300 ms, one after the other, that keep the period they began with: no part of their
 * lives is visited more often than another.
 */
static void all_ages_are_visited_alike(void **state)
{
	enum { AGES = 6, AGE_MS = 50, LIVES = 200 };
	const uint64_t step = MS / 10;
	uint64_t visits[AGES] = {0}, own = 1, now = 0, seen, period;
	struct walk_budget budget;

	(void)state;
	walk_budget_begin(&budget, 10, &prices);
	for (unsigned int life = 0; life < LIVES; life++) {
		period = walk_budget_period_ns(&budget) * (75 + life * 37 % 50) / 100;
		seen = 0;
		for (uint64_t age = 0; age < AGES * AGE_MS * MS; age += step) {
			uint64_t tickets = (seen += step) / period;

			now += step;
			seen -= tickets * period;
			walk_budget_tickets(&budget, tickets, tickets * period);
			if (now % (20 * MS) == 0) {
				walk_budget_program(&budget, now, now);
				walk_budget_learn(&budget);
			}
			if (tickets == 0 || !walk_budget_is_due(&budget))
				continue;
			walk_budget_begun(&budget);
			/* now cheap, now dear */
			own += life % 10 < 5 ? 300000 : 600000;
			walk_budget_own(&budget, own, false);
			walk_budget_visit(&budget);
			visits[age / (AGE_MS * MS)]++;
		}
	}
	for (unsigned int i = 0; i < AGES; i++)
		assert_in_range(visits[i] * 100 / visits[AGES - 1], 85, 115);
}

static void own_time_is_on_the_bill_unless_it_is_free(void **state)
{
	struct walk_budget budget;

	(void)state;
	walk_budget_begin(&budget, 10, &nothing);
	walk_budget_own(&budget, 5 * MS, false); /* before it began */
	assert_int_equal(budget.cost_ns, 0);
	walk_budget_own(&budget, 6 * MS, true);
	assert_int_equal(budget.cost_ns, 0);
	walk_budget_own(&budget, 9 * MS, false);
	assert_int_equal(budget.cost_ns, 3 * MS);
	assert_false(walk_budget_affords(&budget));
	/* 2 ms at first, 3 spent: 1 ms is earned in 10 ms of one CPU */
	assert_in_range(walk_budget_rest_ns(&budget), 10 * MS - 1000, 10 * MS + 1000);
}

/* What tickets promised is corrected by what the kernel counted, and nothing is earned twice. */
static void the_count_has_the_last_word(void **state)
{
	struct walk_budget budget;
	double before;

	(void)state;
	walk_budget_begin(&budget, 10, &nothing);
	walk_budget_program(&budget, 20 * MS, 10 * MS);
	before = budget.bank_ns;
	walk_budget_tickets(&budget, 4, 8 * MS);
	walk_budget_program(&budget, 40 * MS, 15 * MS);
	assert_true(budget.bank_ns - before > 0.49e6 && budget.bank_ns - before < 0.51e6);
	/* a count that goes backwards for a moment earns nothing */
	before = budget.bank_ns;
	walk_budget_program(&budget, 60 * MS, 14 * MS);
	assert_true(budget.bank_ns == before);
}

/* A long idle time is no licence to stop a program for as long afterwards. */
static void money_is_not_hoarded(void **state)
{
	struct walk_budget budget;

	(void)state;
	walk_budget_begin(&budget, 10, &nothing);
	walk_budget_program(&budget, 1000 * MS, 1000 * 1000 * MS);
	walk_budget_own(&budget, 1, false);
	walk_budget_own(&budget, 10 * MS, false);
	assert_false(walk_budget_affords(&budget));
	assert_true(walk_budget_rest_ns(&budget) <= 100 * MS);
}

/* A recorder that waited for a CPU visits later what is paid for, and no more than that. */
static void what_is_late_is_made_up_for(void **state)
{
	struct walk_budget budget;
	unsigned int visits = 0;

	(void)state;
	walk_budget_begin(&budget, 10, &nothing);
	walk_budget_tickets(&budget, 1, 40 * MS);
	for (; walk_budget_is_due(&budget) && visits < 1000; visits++)
		walk_budget_begun(&budget);
	assert_in_range(visits, 10, 999);
	walk_budget_tickets(&budget, 1, 40 * MS);
	walk_budget_own(&budget, 1, true);
	walk_budget_own(&budget, 20 * MS, false);
	walk_budget_begun(&budget);
	assert_true((uint64_t)budget.owed_ns <= walk_budget_interval_ns(&budget));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_costs_what_was_asked_for),
		cmocka_unit_test(tickets_are_a_few_more_than_visits),
		cmocka_unit_test(all_ages_are_visited_alike),
		cmocka_unit_test(own_time_is_on_the_bill_unless_it_is_free),
		cmocka_unit_test(the_count_has_the_last_word),
		cmocka_unit_test(money_is_not_hoarded),
		cmocka_unit_test(what_is_late_is_made_up_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
