/* SPDX-License-Identifier: MIT */
/*
 * What visits may cost: a share of the program's CPU time. It earns with that time, as the kernel
 * counts it; it pays with our own CPU time (on the program's CPUs it is time that the program did
 * not have) and, for what the program loses besides, a price per visit, ticket and new task.
 *
 * How much CPU time lies between two visits follows from it. It changes slowly, and some money is
 * kept: to spend what there is, and then to wait for more, would visit the beginnings of programs
 * more often than the rest of them. Tickets come a little more often than visits, for a task keeps
 * for life the period that it begins with; not much more often, for they cost, too.
 */
#ifndef PGOBOLT_COLLECTOR_WALK_BUDGET_H
#define PGOBOLT_COLLECTOR_WALK_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* What the program loses, beyond the CPU time that we use. */
struct walk_prices {
	uint64_t visit_ns;  /* its stop, and caches that it finds cold afterwards */
	uint64_t ticket_ns; /* a timer interrupt, and waking us */
	uint64_t task_ns;   /* a new process that inherits perf events, until it ends */
};

struct walk_budget {
	struct walk_prices prices;
	double share; /* of the program's CPU time */
	double bank_ns;
	double visit_ns; /* of the last visits on average, all included */
	double busy;	 /* CPUs that the program keeps so, lately */
	double ahead_ns; /* earned by tickets; what the kernel counted is not known yet */
	double owed_ns;	 /* CPU time of tickets since the last visit */
	uint64_t program_ns, looked_ns;
	uint64_t own_ns; /* our CPU time as far as it is paid; 0: it has not begun */
	uint64_t cost_ns, visits;
	uint64_t cost_before_ns, visits_before;
};

void walk_budget_begin(struct walk_budget *budget, double percent,
		       const struct walk_prices *prices);
/* Tickets came, worth so much CPU time altogether. */
void walk_budget_tickets(struct walk_budget *budget, uint64_t count, uint64_t cpu_ns);
void walk_budget_tasks(struct walk_budget *budget, uint64_t count);
void walk_budget_visit(struct walk_budget *budget);
/* Our CPU time until now; free of charge: it had to do with nothing that the program did. */
void walk_budget_own(struct walk_budget *budget, uint64_t own_ns, bool is_free);
/* The program's CPU time until now: what it really earned since the last time. */
void walk_budget_program(struct walk_budget *budget, uint64_t now_ns, uint64_t program_ns);

bool walk_budget_affords(const struct walk_budget *budget);
/* Is it time for a visit? To be told when one has begun. */
bool walk_budget_is_due(const struct walk_budget *budget);
void walk_budget_begun(struct walk_budget *budget);
/* Until a visit can be paid for, if the program goes on as before; 0: it can. */
uint64_t walk_budget_rest_ns(const struct walk_budget *budget);
/* Learn from the visits since the last time what one costs. */
void walk_budget_learn(struct walk_budget *budget);
/* CPU time from visit to visit, and per ticket. */
uint64_t walk_budget_interval_ns(const struct walk_budget *budget);
uint64_t walk_budget_period_ns(const struct walk_budget *budget);

#endif
