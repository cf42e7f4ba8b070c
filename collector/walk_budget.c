/* SPDX-License-Identifier: MIT */
#include "collector/walk_budget.h"

#include <math.h>

/* What is not spent at once is kept up to so much: a short program has no time to earn a visit. */
#define BANK_FIRST_NS 2e6
#define BANK_MOST_NS  8e6
/* Our part of a visit, before any was made. */
#define VISIT_FIRST_NS 120000
/* At less a ticket would be dear; at more a short program would draw none. */
#define PERIOD_LEAST_NS 250e3
#define PERIOD_MOST_NS	20e6
/* Of the time from visit to visit. */
#define PERIOD_PART 0.6
/* How much sooner the next visit comes when the bank is full than when it is empty. */
#define BANK_PULL    6
#define REST_MOST_NS 100e6
/* Of a CPU; a program that sleeps earns little, and may wake up any time. */
#define BUSY_LEAST 0.1

static double within(double value, double least, double most)
{
	return value < least ? least : value > most ? most : value;
}

static void earn(struct walk_budget *budget, double cpu_ns)
{
	budget->bank_ns += cpu_ns * budget->share;
	if (budget->bank_ns > BANK_MOST_NS)
		budget->bank_ns = BANK_MOST_NS;
}

static void pay(struct walk_budget *budget, uint64_t ns)
{
	budget->bank_ns -= (double)ns;
	budget->cost_ns += ns;
}

void walk_budget_begin(struct walk_budget *budget, double percent, const struct walk_prices *prices)
{
	*budget = (struct walk_budget){
		.prices = *prices,
		.share = percent / 100,
		.bank_ns = BANK_FIRST_NS,
		.visit_ns = (double)(VISIT_FIRST_NS + prices->visit_ns + prices->ticket_ns),
		.busy = 1,
	};
}

void walk_budget_tickets(struct walk_budget *budget, uint64_t count, uint64_t cpu_ns)
{
	budget->ahead_ns += (double)cpu_ns;
	budget->owed_ns += (double)cpu_ns;
	earn(budget, (double)cpu_ns);
	pay(budget, count * budget->prices.ticket_ns);
}

void walk_budget_tasks(struct walk_budget *budget, uint64_t count)
{
	pay(budget, count * budget->prices.task_ns);
}

void walk_budget_visit(struct walk_budget *budget)
{
	pay(budget, budget->prices.visit_ns);
	budget->visits++;
}

void walk_budget_own(struct walk_budget *budget, uint64_t own_ns, bool is_free)
{
	if (budget->own_ns != 0 && !is_free)
		pay(budget, own_ns - budget->own_ns);
	budget->own_ns = own_ns;
}

void walk_budget_program(struct walk_budget *budget, uint64_t now_ns, uint64_t program_ns)
{
	double used = (double)(program_ns - budget->program_ns);
	double passed = (double)(now_ns - budget->looked_ns);

	/* an event that ends with its task may take a moment to be counted again */
	if (program_ns < budget->program_ns)
		return;
	if (budget->looked_ns != 0 && passed > 0)
		budget->busy = (budget->busy + used / passed) / 2;
	earn(budget, used - budget->ahead_ns);
	budget->ahead_ns = 0;
	budget->program_ns = program_ns;
	budget->looked_ns = now_ns;
}

bool walk_budget_affords(const struct walk_budget *budget)
{
	return budget->bank_ns >= 0;
}

uint64_t walk_budget_rest_ns(const struct walk_budget *budget)
{
	double busy = budget->busy > BUSY_LEAST ? budget->busy : BUSY_LEAST;

	if (budget->bank_ns >= 0)
		return 0;
	return (uint64_t)within(-budget->bank_ns / (budget->share * busy), 0, REST_MOST_NS);
}

void walk_budget_learn(struct walk_budget *budget)
{
	uint64_t visits = budget->visits - budget->visits_before;
	double each;

	if (visits == 0)
		return;
	each = (double)(budget->cost_ns - budget->cost_before_ns) / (double)visits;
	/* one that meets a new program costs as much as ten: no single one may rule */
	budget->visit_ns += (within(each, 0, 3 * budget->visit_ns) - budget->visit_ns) / 8;
	budget->visits_before = budget->visits;
	budget->cost_before_ns = budget->cost_ns;
}

/* A bank that is not half full says that the average cost is wrong. */
static double interval_ns(const struct walk_budget *budget)
{
	double full = within(budget->bank_ns / BANK_MOST_NS, 0, 1);

	return within(budget->visit_ns / budget->share * pow(BANK_PULL, 0.5 - full),
		      PERIOD_LEAST_NS, PERIOD_MOST_NS / PERIOD_PART);
}

uint64_t walk_budget_interval_ns(const struct walk_budget *budget)
{
	return (uint64_t)interval_ns(budget);
}

uint64_t walk_budget_period_ns(const struct walk_budget *budget)
{
	return (uint64_t)within(interval_ns(budget) * PERIOD_PART, PERIOD_LEAST_NS, PERIOD_MOST_NS);
}

bool walk_budget_is_due(const struct walk_budget *budget)
{
	return walk_budget_affords(budget) && budget->owed_ns >= interval_ns(budget);
}

void walk_budget_begun(struct walk_budget *budget)
{
	double interval = interval_ns(budget);
	double paid_for = budget->bank_ns / budget->share;

	/* we may have been kept waiting for a CPU; what cannot be paid for is not made up for */
	budget->owed_ns = within(budget->owed_ns - interval, 0, fmax(interval, paid_for));
}
