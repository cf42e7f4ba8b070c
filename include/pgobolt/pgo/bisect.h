/* SPDX-License-Identifier: MIT */
/*
 * Which of many items make a trial fail? Pure: what an item is and how a trial is made is the
 * caller's.
 *
 * Items have an order. A trial uses the first `end` of them but those found guilty already. The
 * first guilty one is at the end of the shortest failing trial, which is searched by halves, or
 * by more trials at a time; it is left out from then on and the search goes on behind it. This
 * finds each item that fails by itself, and of items that fail only together the last one. It ends
 * with a trial of all items but the guilty, which passed.
 */
#ifndef PGOBOLT_PGO_BISECT_H
#define PGOBOLT_PGO_BISECT_H

#include <stdbool.h>
#include <stddef.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"

/* Uses items 0 .. end-1 without those in `left_out` (ascending). Borrowed. */
struct pgb_bisect_trial {
	size_t end;
	const size_t *left_out;
	size_t left_out_count;
};

struct pgb_bisect_job {
	size_t items;
	unsigned int parallel; /* trials at a time; 0 is 1 */
	size_t guilty_most;    /* give up beyond; 0: no limit */
	/*
	 * Make these trials, at most `parallel`; passed[i] tells. An error (not: a failing trial)
	 * ends the search.
	 */
	int (*test)(void *context, const struct pgb_bisect_trial *trials, size_t count,
		    bool *passed, struct pgb_error *error);
	void *context;
};

enum pgb_bisect_end {
	PGB_BISECT_FOUND,     /* all but `guilty` passes; guilty may be empty: it passes now */
	PGB_BISECT_ELSEWHERE, /* it fails with no item at all */
	PGB_BISECT_TOO_MANY,  /* `guilty` are not all */
};

struct pgb_bisect_result {
	enum pgb_bisect_end end;
	PGB_ARRAY(size_t) guilty; /* ascending */
	size_t runs;		  /* trials made */
	size_t rounds;		  /* calls of test() */
};

/*
 * At most pgb_bisect_runs_most(items, guilty found) trials are made, in parallel, too: more trials
 * at a time are made as long as that bound allows. Errors: those of test().
 */
int pgb_bisect(const struct pgb_bisect_job *job, struct pgb_bisect_result *result,
	       struct pgb_error *error);
void pgb_bisect_result_release(struct pgb_bisect_result *result);

/* guilty * (log2(items) + 5), rounded down; of none 2. */
size_t pgb_bisect_runs_most(size_t items, size_t guilty);

#endif
