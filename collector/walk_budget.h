/* SPDX-License-Identifier: MIT */
/*
 * What visits may cost: a share of the program's CPU time. It earns with that time, as the kernel
 * counts it; it pays with our own CPU time (on the program's CPUs it is time that the program did
 * not have) and, for what the program loses besides, a price per visit, ticket and new task.
 *
 * The period of the tickets follows from it: each is to bring a visit, for tickets cost, too.
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
/* Until a visit can be paid for, if the program goes on as before; 0: it can. */
uint64_t walk_budget_rest_ns(const struct walk_budget *budget);
/* CPU time per ticket that brings as many as can be paid for. */
uint64_t walk_budget_period_ns(struct walk_budget *budget);

#endif
